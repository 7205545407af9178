#!/usr/bin/env python3
"""A command under a lock is dead before the next holder is granted it, whatever
becomes of coordctl, of its guardian and of the way to the cell.

The command writes the time (CLOCK_BOOTTIME, which is one for all processes) every
10 ms; the next holder's command begins with doing so once. Last life and first
life are compared. When it died is printed, as seconds after the blow. A guardian
alone, with orders from here, shows how far from the ordered times it is."""

import fcntl
import os
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

import cell

TTL_S = 2
# For what is at once and does not wait for a lease: of this one more than half is left.
LONG = ("--ttl", "8s")
AT_ONCE_S = 4
WORKER = """
import os, signal, sys, time
name, seconds = sys.argv[1], float(sys.argv[2])
if "deaf" in name:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "away" in name:
    os.setsid()
out = os.open(sys.argv[3], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
end = time.monotonic() + seconds
while time.monotonic() < end:
    os.write(out, b"%s %d\\n" % (name.encode(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)))
    time.sleep(0.01)
"""


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


class Command:
    """A `coordctl lock` whose command is one or more workers, and what they wrote."""

    def __init__(self, test, path, *workers, options=(), wait=True):
        self.test = test
        self.path = path
        self.trace = os.path.join(test.cell.top, path.strip("/").replace("/", "-"))
        self.worker_names = workers
        # The shell becomes the first, which is so the guardian's child.
        script = "".join(f'"$0" -c "$1" {name} 60 "$2" & ' for name in workers[1:])
        script += f'exec "$0" -c "$1" {workers[0]} 60 "$2"'
        self.running = test.enterContext(test.cell.begin(
            "lock", "--ttl", f"{TTL_S}s", *options, path, "--", "sh", "-c", script,
            sys.executable, WORKER, self.trace))
        self.pid = self.running.process.pid
        if wait:
            cell.until(lambda: set(self.last_ns()) == set(workers), 15,
                       f"{workers} run: {self.running.complained()}")
            self.guardian, = children(self.pid)
            self.child = children(self.guardian)[0]

    def last_ns(self):
        """Of each worker, when it lived last."""
        if not os.path.exists(self.trace):
            return {}
        with open(self.trace, encoding="ascii") as file:
            lines = file.read().split("\n")[:-1]
        return {line.split()[0]: int(line.split()[1]) for line in lines}

    def next_grant_ns(self):
        """Begin to wait for the lock, and return when the command then ran first."""
        said = self.test.cell.ok("lock", "--wait", "25s", self.path, "--", sys.executable, "-c",
                                 "import time; print(time.clock_gettime_ns(time.CLOCK_BOOTTIME))",
                                 seconds=40)
        return int(said)

    def check_order(self, since_ns=None):
        """The next holder came after the last sign of life. Returns the last one."""
        grant_ns = self.next_grant_ns()
        time.sleep(0.1)  # would let a survivor write
        last = self.last_ns()
        self.test.assertEqual(set(last), set(self.worker_names))
        for name, last_ns in last.items():
            self.test.assertLess(last_ns, grant_ns, f"{name} was alive after the next grant")
        if since_ns is not None:
            died_s = (max(last.values()) - since_ns) / 1e9
            print(f"{self.path}: died {died_s:.3f} s after it began; "
                  f"granted again at {(grant_ns - since_ns) / 1e9:.3f} s", file=sys.stderr)
        return max(last.values())


class WithCell(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cell = cls.enterClassContext(cell.Cell(options=cell.STEADY))

    def at_most_after(self, last_ns, began_ns, seconds):
        self.assertLess((last_ns - began_ns) / 1e9, seconds)


class LosingOneself(WithCell):
    """coordctl or the guardian go, the cell stays."""

    def test_the_guardian_is_in_a_session_of_its_own_and_the_command_in_a_group(self):
        c = Command(self, "/shape", "one")
        self.assertEqual(os.getsid(c.guardian), c.guardian)
        self.assertEqual(os.getsid(c.child), c.guardian)
        self.assertEqual(os.getpgid(c.child), c.child)
        # Nothing of ours is open in the command.
        targets = [os.readlink(f"/proc/{c.child}/fd/{fd}") for fd in
                   os.listdir(f"/proc/{c.child}/fd")]
        self.assertEqual([t for t in targets if t.startswith(("pipe", "socket", "anon"))], [])

    def test_killed_coordctl(self):
        c = Command(self, "/killed", "one", "two-deaf", options=LONG)
        began = now_ns()
        c.running.signal(signal.SIGKILL)
        self.at_most_after(c.check_order(began), began, AT_ONCE_S)

    def test_stopped_coordctl(self):
        c = Command(self, "/stopped", "one-deaf", "two-deaf")
        began = now_ns()
        c.running.signal(signal.SIGSTOP)
        self.at_most_after(c.check_order(began), began, TTL_S)
        c.running.signal(signal.SIGCONT)
        self.assertEqual(c.running.wait(), 76)
        self.assertIn("lost", c.running.complained())

    def test_stopped_coordctl_asks_the_command_first(self):
        with self.cell.begin("lock", "--ttl", f"{TTL_S}s", "/asked", "--", "sh", "-c",
                             "trap 'echo asked; exit' TERM; echo up; while :; do sleep 0.02; done"
                             ) as running:
            running.line(0)
            running.signal(signal.SIGSTOP)
            self.assertEqual(running.line(1), "asked")
            running.signal(signal.SIGCONT)
            self.assertEqual(running.wait(), 76)

    def test_stopped_guardian_is_killed_by_the_timer(self):
        c = Command(self, "/guardian-stopped", "one-deaf", "two-deaf")
        began = now_ns()
        os.kill(c.guardian, signal.SIGSTOP)
        # Coordctl goes on and renews the session: it releases when all are dead.
        self.assertEqual(c.running.wait(), 76)
        self.at_most_after(c.check_order(began), began, TTL_S)
        self.assertEqual(cell.state_of(c.guardian), "gone")

    def test_stopped_guardian_and_stopped_coordctl(self):
        c = Command(self, "/both-stopped", "one-deaf")
        began = now_ns()
        os.kill(c.guardian, signal.SIGSTOP)
        c.running.signal(signal.SIGSTOP)
        self.at_most_after(c.check_order(began), began, TTL_S)

    def test_killed_guardian(self):
        c = Command(self, "/guardian-killed", "one", "two-deaf", options=LONG)
        began = now_ns()
        os.kill(c.guardian, signal.SIGKILL)
        self.assertEqual(c.running.wait(), 76)
        self.at_most_after(c.check_order(began), began, AT_ONCE_S)

    def test_both_killed(self):
        c = Command(self, "/both-killed", "one-deaf", options=LONG)
        began = now_ns()
        c.running.signal(signal.SIGSTOP)  # so that it cannot do anything between the two
        os.kill(c.guardian, signal.SIGKILL)
        c.running.signal(signal.SIGKILL)
        self.at_most_after(c.check_order(began), began, AT_ONCE_S)

    def test_both_killed_with_a_namespace(self):
        c = Command(self, "/contained", "one-deaf", "two-deaf", "three-away",
                    options=["--contain", *LONG])
        if "no PID namespace" in c.running.complained() or not self._contained(c):
            self.skipTest("no PID namespace to be had")
        began = now_ns()
        c.running.signal(signal.SIGSTOP)
        os.kill(c.guardian, signal.SIGKILL)
        c.running.signal(signal.SIGKILL)
        self.at_most_after(c.check_order(began), began, AT_ONCE_S)

    @staticmethod
    def _contained(c):
        return os.readlink(f"/proc/{c.child}/ns/pid") != os.readlink("/proc/self/ns/pid")


class LosingTheCell(unittest.TestCase):
    def setUp(self):
        self.cell = self.enterContext(cell.Cell())

    def test_cut_off_from_the_cell(self):
        plain = Command(self, "/cut", "one", "two")
        deaf = Command(self, "/cut-deaf", "one-deaf", "two-deaf")
        quiet = Command(self, "/cut-contained", "one-deaf", "two-away", options=["--contain"])
        began = now_ns()
        for server in self.cell.servers:
            server.pause()
        for c in (plain, deaf, quiet):
            self.assertEqual(c.running.wait(), 76)
            self.assertIn("lost", c.running.complained())
        for server in self.cell.servers:
            server.resume()
        for c in (plain, deaf, quiet):
            last = c.check_order(began)
            self.assertLess((last - began) / 1e9, TTL_S)


class GuardianAlone(unittest.TestCase):
    """Orders as coordctl writes them (struct guard_order)."""

    LATE_MS = 1500  # of a busy machine; what is measured is printed

    def begin(self, *term_kill_end_ms, name="one-deaf"):
        orders, self.pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        report, report_in = os.pipe2(os.O_CLOEXEC)
        self.addCleanup(os.close, report)
        self.trace = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "trace")
        self.began = now_ns()
        self.order(60000, 60000, 60000)
        self.guardian = subprocess.Popen(
            [cell.COORDCTL, "--guard", str(orders), str(report_in), "", sys.executable, "-c",
             WORKER, name, "60", self.trace], pass_fds=(orders, report_in), start_new_session=True,
            stderr=subprocess.DEVNULL)
        self.addCleanup(self.guardian.wait)
        self.addCleanup(self.guardian.kill)
        os.close(orders)
        os.close(report_in)
        self.child, = struct.unpack("<i", os.read(report, 4))
        cell.until(lambda: os.path.exists(self.trace) and os.path.getsize(self.trace), 20,
                   "it runs")
        self.began = now_ns()
        self.order(*term_kill_end_ms)

    def order(self, *term_kill_end_ms, number=0):
        os.write(self.pipe, struct.pack("<4q", *(self.began + ms * 10**6
                                                 for ms in term_kill_end_ms), number))

    def stop_when_it_has_its_order(self):
        def waits():
            unread = fcntl.ioctl(self.pipe, termios.FIONREAD, b"\0\0\0\0")
            return unread == b"\0\0\0\0" and cell.state_of(self.guardian.pid) == "S"
        cell.until(waits, 5, "it took the order")
        self.guardian.send_signal(signal.SIGSTOP)

    def died_at(self, due_ms, what):
        end = time.monotonic() + 10
        while cell.is_alive(self.child) and time.monotonic() < end:
            time.sleep(0.001)
        late_ms = (now_ns() - self.began) / 1e6 - due_ms
        print(f"{what}: {late_ms:+.1f} ms", file=sys.stderr)
        self.assertGreater(late_ms, -1)
        self.assertLess(late_ms, self.LATE_MS)

    def close_pipe(self):
        os.close(self.pipe)

    def test_term_at_its_time(self):
        self.begin(1000, 4000, 5000, name="one")
        self.addCleanup(self.close_pipe)
        self.died_at(1000, "TERM")
        self.assertEqual(self.guardian.wait(10), 128 + signal.SIGTERM)

    def test_kill_at_its_time(self):
        self.begin(800, 1200, 4000)
        self.addCleanup(self.close_pipe)
        self.died_at(1200, "KILL")
        self.assertEqual(self.guardian.wait(10), 128 + signal.SIGKILL)

    def test_the_kernel_ends_a_stopped_guardian_at_its_time(self):
        self.begin(3000, 3500, 4000)
        self.addCleanup(self.close_pipe)
        self.stop_when_it_has_its_order()
        self.died_at(4000, "KILL by the kernel's timer")
        self.assertEqual(self.guardian.wait(10), -signal.SIGKILL)

    def test_the_end_of_the_pipe_kills_at_once(self):
        self.begin(50000, 50000, 50000)
        ended_ms = (now_ns() - self.began) / 1e6
        self.close_pipe()
        self.died_at(ended_ms, "KILL by the end of the pipe")

    def test_orders_prolong_until_it_is_lost(self):
        self.begin(2000, 2800, 5000)
        self.addCleanup(self.close_pipe)
        self.order(3000, 4800, 6000)
        cell.until(lambda: now_ns() > self.began + 3100 * 10**6, 5, "it was asked to end")
        self.order(9000, 9000, 9000)
        self.died_at(4800, "KILL, prolonged once")

    def test_signals_are_passed_on(self):
        self.begin(9000, 9000, 9000, name="one")
        self.addCleanup(self.close_pipe)
        self.order(9000, 9000, 9000, number=signal.SIGINT)
        self.assertEqual(self.guardian.wait(5), 128 + signal.SIGINT)

    def test_a_time_that_is_past_already(self):
        orders, self.pipe = os.pipe2(os.O_CLOEXEC)
        self.began = now_ns()
        self.order(-3, -2, -1)
        guardian = subprocess.run([cell.COORDCTL, "--guard", str(orders), "1", "", "echo", "ran"],
                                  pass_fds=(orders,), stdout=subprocess.PIPE, timeout=10)
        self.assertEqual((guardian.returncode, guardian.stdout), (-signal.SIGKILL, b""))
        os.close(orders)
        self.close_pipe()


if __name__ == "__main__":
    cell.main()
