"""One run of tests/torture: the cell, the clients, what is done to them, and the verdict."""

import os
import random
import select
import shutil
import subprocess
import time

import cell
import faults
import histories
import leases
from clients import CLIENT, Clients
from members import Members
from network import Loopback, Namespaces, NotPermitted, apart_in_mounts
from report import Report

PROBE = os.path.join(cell.HELPERS, "torture-probe")
MEMBERS = 5
CLIENT_HOSTS = 3
SMALL_DISKS = (2, 4, 5)
BOUND_S = 20  # for progress, once a majority is sound
SETTLE_S = 90  # for all five to have the same state, at the end
JUDGE_S = 900
PER_MINUTE = 4  # kills of the leader, and cuts, that there must be
MARGIN = 1.2
SHORT_MINUTES = 0.1  # less is not meant to show anything

OK, USAGE, ANOMALY, NO_PROGRESS, ENDED, TOO_LITTLE = 0, 2, 10, 11, 12, 13


class Failed(Exception):
    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Probe:
    """Asks the cell, again and again, whether it gets on."""

    def __init__(self, arguments, top):
        with open(os.path.join(top, "probe.log"), "ab") as log:
            self.process = cell.spawn(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=log)

    def ask(self, seconds, pump, line=""):
        self.process.stdin.write(f"{line}{int(seconds * 1000)}\n".encode())
        self.process.stdin.flush()
        end = time.monotonic() + seconds + BOUND_S
        while time.monotonic() < end:
            ready, _, _ = select.select([self.process.stdout], [], [], 0.05)
            if ready:
                return self.process.stdout.readline().decode().split()
            pump()
        return ["no", "answer"]

    def close(self):
        self.process.kill()
        self.process.wait()


class Run:
    def __init__(self, options, top):
        self.options = options
        self.top = top
        self.random = random.Random(options.seed)
        self.report = Report()
        self.say, self.count = self.report.say, self.report.count
        self.counts = self.report.counts
        self.network = self.cell = self.clients = self.probe = None
        self.client_hosts = []
        self.tasks = []  # (when, what)
        self.doing = "starting"
        self.notes = histories.Counts()
        self.cannot = []  # what could not be done here, and why
        self.end = 0.0
        self.began = 0.0

    # ---- beginning and end ----

    def begin(self):
        small_disks = ()
        if os.geteuid() == 0:
            apart_in_mounts()
            small_disks = SMALL_DISKS
        else:
            self.cannot.append("full disks: mounting a small file system needs root")
        if self.options.loopback:
            self.network = Loopback()
            self.cannot.append("cuts, slow and lossy links: on one machine there are no links")
        else:
            self.network = Namespaces(MEMBERS + CLIENT_HOSTS + 1, self.options.seed)
        self.cannot.append("steps of the clock: it is one for the whole machine")
        self.client_hosts = list(range(MEMBERS + 1, MEMBERS + CLIENT_HOSTS + 1))
        self.cell = Members(self.network, self.top, small_disks)
        self.cell.init()
        self.cell.start()
        self.probe = Probe(self.network.inside(self.cell.control, [PROBE, self.cell.endpoints]),
                           self.top)
        self.clients = Clients(self.network, self.cell.endpoints, self.client_hosts, self.top,
                               self.options.seed)
        self.progress("at first")

    def close(self):
        for part in (self.clients, self.probe, self.network):
            if part is not None:
                part.close()
        if self.cell is not None:
            for server in self.cell.servers:
                server.kill()
                server.unmount_small_disk()

    def keep(self):
        """What is not kept by itself."""
        if self.cell is not None:
            for server in self.cell.servers:
                server.kill()
            self.cell.keep_small_disks()

    # ---- while it goes on ----

    def pump(self):
        """What is to be looked after all the time."""
        for server in self.cell.servers:
            if server.ended_by_itself():
                raise Failed(ENDED, f"member {server.id} ended by itself, with "
                             f"{server.process.returncode}: {server.said()[-1000:].strip()}")
        if self.clients is not None:
            client = self.clients.ended_by_itself()
            if client is not None:
                raise Failed(ENDED, f"the client at {client.host} ended by itself, with "
                             f"{client.process.returncode}: {client.complained()}")
        now = time.monotonic()
        for task in [t for t in self.tasks if t[0] <= now]:
            self.tasks.remove(task)
            task[1]()
        self.report.draw(self._standing())

    def _standing(self):
        left = max(self.end - time.monotonic(), 0)
        c = self.counts
        return (f"{left:4.0f} s left; leader killed {c['kills of the leader']}, cuts {c['cuts']}, "
                f"stops {c['stops']}, full disks {c['full disks']}, progress seen "
                f"{c['checks of progress']} times; {self.doing}")

    def hold(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.pump()
            time.sleep(0.02)

    def hold_until(self, condition, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not condition():
            self.hold(0.05)

    def later(self, seconds, what):
        self.tasks.append((time.monotonic() + seconds, what))

    def some(self, things, count):
        return self.random.sample(list(things), count)

    def start(self, *members):
        for member in members:
            member.start(*self.cell.options)
        self.say("start", faults.names(members))

    def progress(self, when):
        answer = self.probe.ask(BOUND_S, self.pump)
        if answer[:1] != ["ok"]:
            raise Failed(NO_PROGRESS, f"nothing got on within {BOUND_S} s {when}: "
                         f"{' '.join(answer)}")
        self.count("checks of progress")
        write_ms, hand_off_ms = map(int, answer[1:])
        self.report.took(write_ms, hand_off_ms)
        self.say("progress", f"{when}: a write took {write_ms} ms, a hand-off {hand_off_ms} ms")

    def write_much(self, size, seconds):
        """Large contents; how many were acknowledged."""
        return int(self.probe.ask(seconds, self.pump, f"fat {size} ")[1])

    # ---- what is done, in which order ----

    def _needed(self, what):
        """How many there should be by now to have enough at the end."""
        share = min((time.monotonic() - self.began) / (self.options.minutes * 60), 1)
        return share * self.options.needed * MARGIN - self.counts[what]

    def _next(self, deck):
        kills = self._needed("kills of the leader")
        cuts = self._needed("cuts") if self.network.can_cut else 0
        if max(kills, cuts) > 0:
            return self.random.choice(faults.KILLS if kills >= cuts else faults.CUTS)
        if not deck:
            deck += faults.OTHERS + faults.KILLS[:2] + (faults.CUTS if self.network.can_cut else [])
            self.random.shuffle(deck)
        return deck.pop()

    def _to_a_client(self):
        free = [client for client in self.clients.running if not client.is_paused]
        # One is left that nothing is done to, so that the cell is always at work.
        if len(free) > 1 and self.random.random() < 0.4:
            self.random.choice(faults.CLIENTS)(self, self.random.choice(free))

    def torture(self):
        # Of each kind that must not be missing one at the beginning; then as it falls.
        first = [faults.the_leader, faults.stop_the_leader, faults.full_disk]
        if self.network.can_cut:
            first += [leases.an_old_leader_with_clients, leases.clients_that_hear_late,
                      faults.the_leader_from_the_members]
        first.append(faults.expire_a_client)
        deck = []
        self.began = time.monotonic()
        self.end = self.began + self.options.minutes * 60
        while time.monotonic() < self.end:
            self._chapter(first, deck)
            if self.options.until_found:
                self.judge(self.clients.histories)

    def _chapter(self, first, deck):
        self.doing = "clients begin"
        self.clients.begin()
        self.say("clients", f"{len(self.client_hosts)} begin, in /t{self.clients.chapter}")
        end = min(time.monotonic() + self.options.chapter_s, self.end)
        self.hold(0.5)
        # On a slow machine a short run is longer, rather than to say too little.
        while time.monotonic() < end or (first and self.options.minutes >= SHORT_MINUTES):
            fault = first.pop() if first else self._next(deck)
            self.doing = fault.title
            if fault is not faults.expire_a_client:
                self._to_a_client()
            fault(self)
        self.doing = "clients end"
        for _, task in self.tasks:
            task()
        self.tasks.clear()
        last = list(self.clients.last)
        if not self.clients.end():
            raise Failed(NO_PROGRESS, "a client did not end what it had begun")
        self.notes.add(last)
        self.say("clients", f"{len(self.client_hosts)} have ended")

    # ---- the verdict ----

    def settle(self):
        """In the end all five have the same state."""
        self.doing = "all get the same state"
        end = time.monotonic() + SETTLE_S
        while not self._is_same():
            if time.monotonic() > end:
                raise Failed(NO_PROGRESS, f"not all members have the same state within {SETTLE_S}"
                             " s:\n" + self.cell.ctl("--deadline", "5s", "status").stdout)
            self.hold(0.2)
        self.say("hash", "all five members have the same state")

    def _is_same(self):
        done = self.cell.ctl("--deadline", "5s", "hash")
        if done.returncode == 1:
            raise Failed(ANOMALY, "the members' states differ:\n" + done.stdout + done.stderr)
        done = self.cell.ctl("--deadline", "5s", "status", "-o", "json")
        if done.returncode != 0:
            return False
        seen = [(m.get("applied"), m.get("state_hash")) for m in
                cell.json.loads(done.stdout)["members"]]
        return len(seen) == MEMBERS and len(set(seen)) == 1 and None not in seen[0]

    def judge(self, files):
        began = time.monotonic()
        status, said = histories.judge(files, JUDGE_S)
        self.say("judged", f"{len(files)} histories in {time.monotonic() - began:.1f} s: "
                           f"{said.splitlines()[-1] if said else 'nothing said'}")
        if status == 0:
            return
        verdicts = {histories.ANOMALY: ANOMALY, histories.GAVE_UP: TOO_LITTLE}
        raise Failed(verdicts.get(status, USAGE), f"coord-history, with status {status}:\n{said}")

    def judge_all_the_same(self, why):
        """Of a run that was given up: what clients were told may say more than `why`."""
        self.clients.close()
        self.notes.add(self.clients.last)
        try:
            self.judge(self.clients.histories + self.clients.last)
        except Failed as worse:
            if worse.status == ANOMALY:
                raise Failed(ANOMALY, f"{why}\nand {worse}") from worse
        raise why

    def everything(self):
        self.begin()
        try:
            self.torture()
            self.settle()
        except Failed as why:
            if why.status in (NO_PROGRESS, ENDED):
                self.judge_all_the_same(why)
            raise
        self.judge(self.clients.histories)


def sweep(prefix):
    """Directories of runs that were killed; of those that failed only if they are kept no
    more (`kept` in it)."""
    top = cell.tempfile.gettempdir()
    for name in os.listdir(top):
        if not name.startswith(prefix):
            continue
        pid = name[len(prefix):].split("-")[0]
        path = os.path.join(top, name)
        if pid.isdigit() and not cell.is_alive(int(pid)) and \
                not os.path.exists(os.path.join(path, "kept")):
            shutil.rmtree(path, ignore_errors=True)


__all__ = ["CLIENT", "Run", "Failed", "NotPermitted", "sweep"]
