#!/usr/bin/env python3
# Runs beside others.
"""The shell where something is taken away or moved: unlock, resign, session kill,
step-down. A command under a lock is dead before anybody else is granted it, and who
takes it is told when that is so."""

import json
import os
import signal
import sys
import unittest

import cell
from test_guardian import Command, WithCell, now_ns

# A lease of which a third may be used up, and enough for all that is done meanwhile is left.
LONG_S = 10
LONG = ("--ttl", f"{LONG_S}s")


class Taking(WithCell):
    def next_in_line(self, path, seconds=40):
        """A `coordctl lock` that waits, and then prints when its command ran first."""
        running = self.enterContext(self.cell.begin(
            "lock", path, "--", sys.executable, "-c",
            "import time; print(time.clock_gettime_ns(time.CLOCK_BOOTTIME), flush=True);"
            f" time.sleep({seconds})"))
        self.cell.wait_in_line(path)
        return running

    def wait_delayed(self, path):
        def look():
            lock = self.cell.lock(path)
            return lock is not None and lock["delay_left_ms"] > 0
        cell.until(look, 15, "the delay runs")

    def test_the_command_is_dead_before_the_lock_passes_on(self):
        c = Command(self, "/force/plain", "one", "two", "three-deaf", options=LONG)
        waiting = self.next_in_line(c.path)
        began = now_ns()
        said = self.cell.ok("unlock", "--force", c.path)
        done = now_ns()
        grant = int(waiting.line())
        self.assertEqual(c.running.wait(), 76)
        self.assertIn("lost: it was taken by force", c.running.complained())
        for name, last in c.last_ns().items():
            self.assertLess(last, grant, name)
            self.assertLess(last, done, name)
        self.assertLess((done - began) / 1e9, LONG_S / 2)  # what was left of it is more
        host = os.uname().nodename
        self.assertRegex(said, rf"(?m)^{c.path}  was held by  session \d+ \({host}, pid {c.pid}\), "
                               r"exclusive, generation \d+$")
        self.assertRegex(said, rf"(?m)^{c.path}  now held by   session \d+ "
                               rf"\({host}, pid {waiting.process.pid}\)")

    def test_the_command_is_asked_to_end_first(self):
        with self.cell.begin("lock", "/force/asked", "--", "sh", "-c",
                             "trap 'echo asked; exit' TERM; echo up; while :; do sleep 0.02; done"
                             ) as running:
            running.line(0)
            self.cell.ok("unlock", "--force", "/force/asked")
            self.assertEqual(running.wait(), 76)
            self.assertEqual(running.lines(), ["up", "asked"])

    def test_a_stopped_holder_keeps_it_for_his_lease(self):
        c = Command(self, "/force/stopped", "one", "two-deaf", options=LONG)
        waiting = self.next_in_line(c.path)
        c.running.signal(signal.SIGSTOP)
        began = now_ns()
        done = self.cell.ctl("unlock", "--force", "--wait", "200ms", c.path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("has not let go yet", done.stderr)
        lock = self.cell.lock(c.path)
        self.assertTrue(lock["holders"][0]["revoking"])
        self.assertRegex(self.cell.ok("locks", c.path), r"(?m)revoking$")
        grant = int(waiting.line(seconds=30))
        for name, last in c.last_ns().items():
            self.assertLess(last, grant, name)
            self.assertLess((last - began) / 1e9, LONG_S, name)

    def test_without_a_command_it_just_ends(self):
        with self.cell.begin("lock", "/force/bare") as running:
            running.line()
            taken = self.cell.json("unlock", "--force", "/force/bare")
            self.assertTrue(taken["passed_on"])
            self.assertEqual(taken["holders"], [])
            self.assertEqual(taken["taken_from"][0]["pid"], running.process.pid)
            self.assertEqual(running.wait(), 76)

    def test_shared_holders_lose_it_together(self):
        holders = [self.enterContext(self.cell.begin("lock", "--shared", "/force/shared"))
                   for _ in range(3)]
        for h in holders:
            self.assertIn(":s:", h.line())
        self.assertEqual(self.cell.ctl("lock", "--try", "/force/shared").returncode, 75)
        self.assertEqual(len(self.cell.lock("/force/shared")["holders"]), 3)
        taken = self.cell.json("unlock", "--force", "/force/shared")
        self.assertEqual({t["pid"] for t in taken["taken_from"]},
                         {h.process.pid for h in holders})
        self.assertEqual({t["mode"] for t in taken["taken_from"]}, {"shared"})
        for h in holders:
            self.assertEqual(h.wait(), 76)
        self.cell.ok("lock", "--try", "/force/shared", "--", "true")

    def test_what_nobody_holds_cannot_be_taken(self):
        self.cell.ok("mkdir", "-p", "/force/free")
        done = self.cell.ctl("unlock", "--force", "/force/free")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("nobody holds", done.stderr)
        self.assertEqual(self.cell.ctl("unlock", "--force", "/force/none").returncode, 1)
        done = self.cell.ctl("unlock", "/force/free")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--force", done.stderr)

    def test_a_delay_is_kept_when_the_holder_dies(self):
        with self.cell.begin("lock", "--ttl", "2s", "--delay", "10s", "/force/delay") as running:
            running.line()
            running.signal(signal.SIGKILL)
            running.wait()
        self.wait_delayed("/force/delay")
        self.assertRegex(self.cell.ok("locks", "/force/delay"), r"(?m)^/force/delay +delayed .*ms$")
        self.assertTrue(self.cell.json("stat", "/force/delay")["lock_delayed"])
        self.assertEqual(self.cell.ctl("lock", "--try", "/force/delay").returncode, 75)
        self.assertEqual(self.cell.ctl("unlock", "--force", "/force/delay").returncode, 1)
        self.cell.ok("lock", "--wait", "20s", "/force/delay", "--", "true")

    # ---- sessions ----

    def session_of(self, pid):
        mine = [s["session"] for s in self.cell.json("session", "ls")["sessions"]
                if s["pid"] == pid]
        return mine[0] if mine else None

    def test_a_killed_session_ends_after_its_command(self):
        c = Command(self, "/force/killed", "one", "two-deaf", options=LONG)
        waiting = self.next_in_line(c.path)
        began = now_ns()
        said = self.cell.ok("session", "kill", str(self.session_of(c.pid)))
        self.assertIn("has ended", said)
        grant = int(waiting.line())
        self.assertEqual(c.running.wait(), 76)
        self.assertIn("lost: our session was killed", c.running.complained())
        for name, last in c.last_ns().items():
            self.assertLess(last, grant, name)
        # It did not take what was left of the lease.
        self.assertLess((grant - began) / 1e9, LONG_S / 2)

    def test_a_killed_session_takes_its_nodes_along(self):
        with self.cell.begin("create", "-e", "--ttl", "3s", "/force-ephemeral") as running:
            running.line()
            ended = self.cell.json("session", "kill", str(self.session_of(running.process.pid)))
            self.assertTrue(ended["ended"])
            self.assertEqual(ended["pid"], running.process.pid)
            self.assertEqual(running.wait(), 76)
        self.assertEqual(self.cell.ctl("stat", "/force-ephemeral").returncode, 1)

    def test_a_killed_session_that_does_not_answer_lives_as_long_as_its_lease(self):
        with self.cell.begin("create", "-e", *LONG, "/force-deaf") as running:
            running.line()
            session = self.session_of(running.process.pid)
            running.signal(signal.SIGSTOP)
            done = self.cell.ctl("session", "kill", "--wait", "0", str(session))
            self.assertEqual(done.returncode, 1)
            self.assertIn("has not ended yet", done.stderr)
            self.assertTrue([s for s in self.cell.json("session", "ls")["sessions"]
                             if s["session"] == session][0]["killed"])
            self.cell.ok("session", "kill", str(session))
            self.assertIsNone(self.session_of(running.process.pid))

    def test_a_session_that_is_not_there_cannot_be_killed(self):
        done = self.cell.ctl("session", "kill", "18446744073709551615")
        self.assertEqual(done.returncode, 1)
        for bad in ("0", "x", "-1", ""):
            done = self.cell.ctl("session", "kill", "--", bad)
            self.assertEqual(done.returncode, 2, bad)

    # ---- elections ----

    def test_a_leader_resigns_by_request(self):
        with self.cell.begin("elect", "/force/elect", "--value", "a", "--", "sleep", "60") as first:
            cell.until(lambda: self.cell.ctl("leader", "/force/elect").returncode == 0, 10, "a leads")
            sequencer = self.cell.json("leader", "/force/elect")["sequencer"]
            with self.cell.begin("elect", "/force/elect", "--value", "b") as second:
                self.cell.wait_in_line("/force/elect")
                other = sequencer.replace(":x:", ":x:9")
                self.assertEqual(self.cell.ctl("resign", "/force/elect", "--if-seq",
                                               other).returncode, 1)
                self.cell.ok("resign", "/force/elect", "--if-seq", sequencer)
                self.assertEqual(first.wait(), 76)
                second.line()
                self.assertEqual(self.cell.json("leader", "/force/elect")["value"], "b")
                self.cell.ok("resign", "/force/elect")
                self.assertEqual(second.wait(), 76)
        self.assertEqual(self.cell.ctl("resign", "/force/elect").returncode, 1)
        self.assertEqual(self.cell.ctl("leader", "/force/elect").returncode, 1)
        self.assertEqual(self.cell.ctl("resign").returncode, 2)

    def test_a_command_ends_its_own_leadership(self):
        done = self.cell.ctl("elect", "/force/own", "--value", "a", "--", "sh", "-c",
                             f"{cell.COORDCTL} resign >/dev/null & sleep 60", seconds=40)
        self.assertEqual(done.returncode, 76, done.stderr)
        self.assertEqual(self.cell.ctl("leader", "/force/own").returncode, 1)

    def test_elections_are_tried_and_delayed(self):
        with self.cell.begin("elect", "--try", "--delay", "10s", "--ttl", "2s", "/force/try",
                             "--value", "a") as first:
            first.line()
            self.assertEqual(self.cell.ctl("elect", "--try", "/force/try", "--value",
                                           "b").returncode, 75)
            first.signal(signal.SIGKILL)
            first.wait()
        self.wait_delayed("/force/try")

    def test_followers_hear_of_every_leader(self):
        with self.cell.begin("leader", "--follow", "-o", "json", "/force/follow") as follower:
            self.assertIsNone(json.loads(follower.line(0))["sequencer"])
            for number, value in enumerate(("a", "b", "c")):
                self.cell.ok("elect", "/force/follow", "--value", value, "--", "true")
                line = json.loads(follower.line(1 + 2 * number))
                self.assertEqual(line["value"], value)
                self.assertIsNone(json.loads(follower.line(2 + 2 * number))["value"])
            follower.signal(signal.SIGTERM)
            self.assertEqual(follower.wait(), 0)
        with self.cell.begin("elect", "/force/follow", "--value", "d") as leader:
            sequencer = leader.line()
            with self.cell.begin("leader", "--follow", "/force/follow") as follower:
                self.assertEqual(follower.line(0), f"leads   {sequencer}  d")
                leader.signal(signal.SIGTERM)
                self.assertEqual(follower.line(1), "nobody")

    # ---- the cell's own leader ----

    def test_the_leader_of_the_cell_hands_over(self):
        before = self.cell.leader().id
        with self.cell.begin("lock", "/force/kept") as running:
            running.line()
            moved = self.cell.json("step-down")
            self.assertEqual(moved["before"], before)
            self.assertNotEqual(moved["leader"], before)
            self.assertEqual(self.cell.leader().id, moved["leader"])
            to = next(s.id for s in self.cell.servers if s.id != moved["leader"])
            self.assertRegex(self.cell.ok("step-down", "--to", str(to)),
                             rf"^leader  {to}, before {moved['leader']}\n$")
            self.assertEqual(self.cell.leader().id, to)
            self.cell.ok("step-down", "--to", str(to))  # as it is
            self.assertEqual(len(self.cell.lock("/force/kept")["holders"]), 1)
            self.assertEqual(cell.state_of(running.process.pid), "S")
        for bad in ("9", "99999999999"):
            self.assertEqual(self.cell.ctl("step-down", "--to", bad).returncode, 2)


if __name__ == "__main__":
    cell.main()
