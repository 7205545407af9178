#!/usr/bin/env python3
# Runs beside others.
"""The shell on locks, elections, sequencers and sessions; and what it does when
it is told to end, or loses what it holds."""

import json
import os
import signal
import time
import unittest

import cell


def generation_of(sequencer):
    """<cell>:<instance>:<x|s>:<generation>:<path>"""
    return int(sequencer.split(":", 4)[3])


class ShellLocks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cell = cls.enterClassContext(cell.Cell())

    def holders(self, path):
        lock = self.cell.lock(path)
        return lock["holders"] if lock else []

    def waiters(self, path):
        lock = self.cell.lock(path)
        return lock["waiters"] if lock else []

    def test_a_command_runs_under_the_lock_with_its_sequencer(self):
        generations = []
        for _ in range(3):
            said = self.cell.ok("lock", "/l/deep", "--", "sh", "-c",
                                "echo $COORD_LOCK_PATH $COORD_LOCK_SEQUENCER")
            path, sequencer = said.split()
            self.assertEqual(path, "/l/deep")
            self.assertTrue(sequencer.startswith(cell.CELL_ID + ":"))
            self.assertTrue(sequencer.endswith(":/l/deep"))
            generations.append(generation_of(sequencer))
        self.assertEqual(generations, sorted(set(generations)))

    def test_the_code_of_the_command_is_passed_on(self):
        for code in (0, 1, 2, 42, 75, 76, 255):
            done = self.cell.ctl("lock", "/code", "--", "sh", "-c", f"exit {code}")
            self.assertEqual(done.returncode, code)
        self.assertEqual(self.cell.ctl("lock", "/code", "--", "sh", "-c",
                                       "kill -KILL $$").returncode, 137)
        self.assertEqual(self.cell.ctl("lock", "/code", "--", "/no/such/program").returncode, 127)
        self.assertEqual(self.cell.ctl("lock", "/code", "--", "/etc/passwd").returncode, 126)
        self.assertEqual(self.holders("/code"), [])

    def test_the_sequencer_is_valid_as_long_as_the_lock_is_held(self):
        with self.cell.begin("lock", "/seq") as running:
            sequencer = running.line()
            self.assertEqual(self.cell.ok("check", sequencer), "held\n")
            self.assertTrue(self.cell.json("check", sequencer)["held"])
            self.cell.ok("put", "/guarded", "1", "--if-seq", sequencer)
            running.signal(signal.SIGTERM)
            self.assertEqual(running.wait(), 0)
        done = self.cell.ctl("check", sequencer)
        self.assertEqual(done.returncode, 1)
        self.assertIn(sequencer, done.stderr)
        done = self.cell.ctl("put", "/guarded", "2", "--if-seq", sequencer)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.cell.ok("get", "/guarded"), "1\n")

    def test_what_is_no_sequencer_is_refused(self):
        good = self.cell.ok("lock", "/seq2", "--", "sh", "-c", "echo $COORD_LOCK_SEQUENCER").strip()
        other_cell = "f" * 32 + good[32:]
        for bad in ("", "x", ":::::", good[:-1], good[1:], other_cell, good.replace(":x:", ":q:"),
                    good + "/more", "0" * 32 + ":1:x:1:" + "/a" * 2000):
            with self.subTest(bad[:60]):
                # What cannot be one is bad usage; what can be is not, or not any more, held.
                self.assertIn(self.cell.ctl("check", bad).returncode, (1, 2))
                self.assertIn(self.cell.ctl("put", "/g2", "1", "--if-seq", bad).returncode, (1, 2))
                self.assertEqual(self.cell.ctl("stat", "/g2").returncode, 1)
        self.assertEqual(self.cell.ctl("check", "x").returncode, 2)
        self.assertEqual(self.cell.ctl("check", good).returncode, 1)

    def test_a_second_holder_waits_in_line(self):
        with self.cell.begin("lock", "/line") as first:
            first.line()
            self.assertEqual(self.cell.ctl("lock", "--try", "/line").returncode, 75)
            self.assertEqual(self.cell.ctl("lock", "--wait", "200ms", "/line").returncode, 75)
            self.assertEqual(self.cell.ctl("lock", "--wait", "0s", "/line", "--", "true").returncode,
                             75)
            self.assertEqual(len(self.holders("/line")), 1)
            self.assertEqual(self.waiters("/line"), [])
            with self.cell.begin("lock", "--wait", "30s", "/line") as second:
                self.cell.wait_in_line("/line", 1)
                self.assertEqual(second.lines(), [])
                first.signal(signal.SIGINT)
                self.assertEqual(first.wait(), 0)
                self.assertGreater(generation_of(second.line()), generation_of(first.lines()[0]))

    def test_the_line_is_served_in_its_order(self):
        with self.cell.begin("lock", "/order") as first:
            first.line()
            contenders = []
            for number in range(4):
                contenders.append(self.enterContext(self.cell.begin(
                    "lock", "/order", "--", "sh", "-c", f"echo {number} $COORD_LOCK_SEQUENCER")))
                self.cell.wait_in_line("/order", number + 1)
            first.signal(signal.SIGTERM)
            generations = [generation_of(c.line().split()[1]) for c in contenders]
            self.assertEqual(generations, sorted(set(generations)))
            for c in contenders:
                self.assertEqual(c.wait(), 0)

    def test_told_to_end_it_leaves_the_line(self):
        with self.cell.begin("lock", "/leave") as first:
            first.line()
            with self.cell.begin("lock", "/leave", "--", "true") as second:
                self.cell.wait_in_line("/leave", 1)
                second.signal(signal.SIGTERM)
                self.assertEqual(second.wait(5), 75)
            self.assertEqual(self.waiters("/leave"), [])
            with self.cell.begin("elect", "/leave", "--value", "x") as third:
                self.cell.wait_in_line("/leave", 1)
                third.signal(signal.SIGINT)
                self.assertEqual(third.wait(5), 75)
            self.assertEqual(self.waiters("/leave"), [])

    def test_told_to_end_it_tells_the_command_and_then_releases(self):
        script = "trap 'echo told; exit 7' TERM; echo up; while :; do sleep 0.05; done"
        with self.cell.begin("lock", "/tell", "--", "sh", "-c", script) as running:
            running.line(0)
            running.signal(signal.SIGTERM)
            self.assertEqual(running.line(1), "told")
            self.assertEqual(running.wait(), 7)
        self.assertEqual(self.holders("/tell"), [])

    def test_what_the_command_left_behind_ends_before_the_release(self):
        said = self.cell.ok("lock", "/left", "--", "sh", "-c", "sleep 300 >/dev/null & echo $!")
        self.assertFalse(cell.is_alive(int(said)))

    def test_a_killed_shell_takes_its_command_along_and_the_lock_passes_on(self):
        with self.cell.begin("lock", "--ttl", "2s", "/k9", "--", "sh", "-c",
                             "echo $$; exec sleep 300") as running:
            child = int(running.line())
            running.signal(signal.SIGKILL)
            running.wait()
            cell.until(lambda: not cell.is_alive(child), 5, "the command is gone")
            self.cell.ok("lock", "--wait", "10s", "/k9", "--", "true")

    def test_only_the_holder_deletes_a_locked_node(self):
        with self.cell.begin("lock", "/locked") as running:
            running.line()
            done = self.cell.ctl("rm", "/locked")
            self.assertEqual(done.returncode, 1)
            self.assertEqual(self.cell.json("stat", "/locked")["lock"], "exclusive")
        # It was killed; its session ends with its lease.

    def test_a_path_that_cannot_be_locked_is_refused(self):
        self.assertEqual(self.cell.ctl("lock", "nowhere").returncode, 2)
        with self.cell.begin("create", "--ephemeral", "/its-own") as running:
            running.line()
            self.assertEqual(self.cell.ctl("lock", "--try", "/its-own").returncode, 1)

    def test_locks_show_who_holds_and_who_waits(self):
        with self.cell.begin("lock", "/show/a") as first:
            sequencer = first.line()
            with self.cell.begin("lock", "/show/a") as second:
                self.cell.wait_in_line("/show/a", 1)
                lock = self.cell.json("locks", "/show")["locks"][0]
                self.assertEqual(lock["path"], "/show/a")
                self.assertEqual(lock["sequencer"], sequencer)
                self.assertEqual(lock["holders"][0]["pid"], first.process.pid)
                self.assertEqual(lock["holders"][0]["host"], os.uname().nodename)
                self.assertEqual(lock["holders"][0]["generation"], generation_of(sequencer))
                self.assertEqual(lock["waiters"][0]["pid"], second.process.pid)
                self.assertIn(lock["holders"][0]["session"],
                              [s["session"] for s in self.cell.json("session", "ls")["sessions"]])
                table = self.cell.ok("locks")
                self.assertRegex(table, rf"(?m)^/show/a +holds +exclusive .* {first.process.pid} ")
                self.assertRegex(table, rf"(?m)^/show/a +waits +exclusive .* {second.process.pid} ")
                for running in (second, first):
                    running.signal(signal.SIGTERM)
                    running.wait()
        self.assertEqual(self.cell.json("locks", "/show")["locks"], [])

    def test_sessions_are_listed_while_they_live(self):
        with self.cell.begin("lock", "--ttl", "5s", "/sess") as running:
            running.line()
            mine = [s for s in self.cell.json("session", "ls")["sessions"]
                    if s["pid"] == running.process.pid]
            self.assertEqual(len(mine), 1)
            self.assertEqual((mine[0]["ttl_ms"], mine[0]["locks_count"]), (5000, 1))
            self.assertLessEqual(mine[0]["lease_left_ms"], 5000)
            self.assertGreater(mine[0]["lease_left_ms"], 0)
            self.assertIn(str(mine[0]["session"]), self.cell.ok("session", "ls"))
            running.signal(signal.SIGTERM)
            running.wait()
        self.assertNotIn(mine[0]["session"],
                         [s["session"] for s in self.cell.json("session", "ls")["sessions"]])

    def test_election_and_its_leader(self):
        self.assertEqual(self.cell.ctl("leader", "/e/none").returncode, 1)
        with self.cell.begin("elect", "/e/x", "--value", "host-a") as first:
            sequencer = first.line()
            leader = self.cell.json("leader", "/e/x")
            self.assertEqual((leader["value"], leader["sequencer"]), ("host-a", sequencer))
            self.assertEqual(self.cell.ok("leader", "/e/x", "-o", "raw"), "host-a")
            self.assertEqual(self.cell.ok("leader", "/e/x"),
                             f"value      host-a\nsequencer  {sequencer}\n")
            self.assertEqual(self.cell.ctl("elect", "/e/x", "--value", "b", "--wait",
                                           "200ms").returncode, 75)
            with self.cell.begin("elect", "/e/x", "--value", "host-b", "--", "sh", "-c",
                                 "echo $COORD_LOCK_SEQUENCER; exec sleep 300") as second:
                self.cell.wait_in_line("/e/x", 1)
                first.signal(signal.SIGTERM)
                self.assertEqual(first.wait(), 0)
                self.assertGreater(generation_of(second.line()), generation_of(sequencer))
                self.assertEqual(self.cell.json("leader", "/e/x")["value"], "host-b")
                second.signal(signal.SIGTERM)
                self.assertEqual(second.wait(), 128 + signal.SIGTERM)
        self.assertEqual(self.cell.ctl("leader", "/e/x").returncode, 1)
        self.assertEqual(self.cell.ok("get", "/e/x", "-o", "raw"), "")

    def test_json_of_a_lock_is_one_line(self):
        with self.cell.begin("lock", "-o", "json", "/json") as running:
            held = json.loads(running.line())
            self.assertEqual(held["path"], "/json")
            self.assertEqual(self.cell.ok("check", held["sequencer"]), "held\n")


class LosingTheCell(unittest.TestCase):
    """Each test takes the majority away, for which it needs a cell of its own."""

    def test_the_command_ends_before_the_lease_does(self):
        with cell.Cell() as own:
            script = "trap '' TERM; while :; do date +%s%N; sleep 0.02; done"
            # The one ignores TERM; the other ends, but what it started does not.
            commands = {"/stubborn": [script], "/left": ['sh -c "$0" & wait', script]}
            running = {path: self.enterContext(own.begin("lock", "--ttl", "2s", path, "--", "sh",
                                                         "-c", *command))
                       for path, command in commands.items()}
            bare = self.enterContext(own.begin("lock", "--ttl", "2s", "/bare"))
            for r in running.values():
                r.line(1)
            bare.line()
            for server in own.servers:
                server.pause()
            # No lease was renewed after this.
            paused_ns = time.time_ns()
            self.assertEqual(bare.wait(10), 76)
            for r in running.values():
                self.assertEqual(r.wait(10), 76)
                self.assertIn("lost", r.complained())
                self.assertLess(int(r.lines()[-1]), paused_ns + 2 * 10**9)
            for server in own.servers:
                server.resume()
            # Nobody was given the lock while the command still ran.
            for path, r in running.items():
                said = own.ok("lock", "--wait", "20s", path, "--", "date", "+%s%N")
                self.assertGreater(int(said), int(r.lines()[-1]))

    def test_who_slept_through_his_lease_says_that_it_is_lost(self):
        with cell.Cell() as own:
            commands = (["create", "-e", "--ttl", "2s", "/e"], ["watch", "--ttl", "2s", "/e"],
                        ["lock", "--ttl", "2s", "/l"],
                        ["elect", "--ttl", "2s", "/v", "--value", "v", "--", "sleep", "300"])
            sleepers = [self.enterContext(own.begin(*c)) for c in commands]
            for running in sleepers[:3]:
                running.line()
            cell.until(lambda: own.ctl("leader", "/v").returncode == 0, 10, "elected")
            for running in sleepers:
                running.signal(signal.SIGSTOP)
            cell.until(lambda: own.ctl("stat", "/e").returncode == 1, 10, "the session is over")
            own.ok("lock", "--wait", "10s", "/l", "--", "true")
            own.ok("elect", "--wait", "10s", "/v", "--value", "w", "--", "true")
            for running in sleepers:
                running.signal(signal.SIGCONT)
            for running in sleepers:
                self.assertEqual(running.wait(10), 76)
                self.assertIn("coordctl: ", running.complained())


if __name__ == "__main__":
    cell.main()
