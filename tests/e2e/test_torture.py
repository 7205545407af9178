#!/usr/bin/env python3
# Runs beside others.
"""tests/torture itself: a short run finds nothing wrong, does what it says, is judged, and
leaves nothing behind, also if it is killed."""

import glob
import os
import re
import signal
import tempfile
import unittest

import cell

TORTURE = os.path.join(cell.ROOT, "tests/torture")
SECONDS_MAX = 400


class Torture(unittest.TestCase):
    def setUp(self):
        self.top = self.enterContext(tempfile.TemporaryDirectory(prefix="coord-torture-test-"))
        self.environment = {**os.environ, "COORD_BIN": cell.BIN, "TMPDIR": self.top}

    def torture(self, *arguments):
        return cell.run([TORTURE, *arguments], SECONDS_MAX, env=self.environment)

    def left(self):
        return glob.glob(os.path.join(self.top, "*"))

    def check(self, minutes, *arguments):
        done = self.torture("--minutes", minutes, *arguments)
        if done.returncode == 2 and "cannot be done here" in done.stdout:
            self.skipTest(done.stdout.splitlines()[-1])
        self.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr)
        self.assertEqual(done.stdout.splitlines()[-1], "torture: nothing is wrong")
        self.assertEqual(self.left(), [])
        return {name: int(number) for name, number in
                re.findall(r"^  ([a-z -]+?) +(\d+)$", done.stdout, re.M)}

    def test_a_short_run_in_namespaces_finds_nothing_wrong(self):
        facts = self.check("0.4")
        for name in ("kills of the leader", "cuts", "stops", "full disks", "expiries of sessions",
                     "hand-offs of locks", "leader changes", "frames cut"):
            self.assertGreater(facts.get(name, 0), 0, name)

    def test_a_short_run_on_one_machine_finds_nothing_wrong(self):
        facts = self.check("0.2", "--loopback")
        self.assertGreater(facts["kills of the leader"], 0)
        self.assertNotIn("cuts", facts)

    def test_what_is_too_little_is_not_fine(self):
        done = self.torture("--minutes", "0.001", "--loopback")
        self.assertEqual(done.returncode, 13, done.stdout + done.stderr)
        self.assertIn("too little was done", done.stdout)
        self.assertIn(f"kept: {self.top}/", done.stdout)

    def test_wrong_usage_is_told(self):
        for arguments in ((), ("--minutes", "0"), ("--minutes", "x"), ("--what",),
                          ("--minutes", "1", "--bin", "/nowhere"),
                          ("--minutes", "1", "--mutant", "/nowhere"), ("--mutants", "nobody-knows"),
                          ("--mutants", "--loopback"), ("--mutants", "--tries", "0")):
            done = self.torture(*arguments)
            self.assertEqual(done.returncode, 2, f"{arguments}: {done.stdout} {done.stderr}")
            self.assertIn("torture", done.stderr)
        self.assertEqual(self.left(), [])

    def end_in_the_middle(self, number):
        """Of a run with a mark; returns its status."""
        mark = f"torture-{os.getpid()}-{number}"
        with cell.Running([TORTURE, "--minutes", "5", "--loopback"],
                          env={**self.environment, "COORD_TORTURE_MARK": mark}) as running:
            running.line(4, 60)
            self.assertTrue(self.marked(mark))
            running.signal(number)
            status = running.wait(60)
        cell.until(lambda: not self.marked(mark), 10, "all that it started is gone")
        return status

    @staticmethod
    def marked(mark):
        found = []
        for path in glob.glob("/proc/[0-9]*/environ"):
            try:
                with open(path, "rb") as file:
                    if f"COORD_TORTURE_MARK={mark}".encode() in file.read():
                        found.append(path)
            except OSError:
                continue
        return found

    def test_asked_to_end_it_leaves_nothing_behind(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            self.assertEqual(self.end_in_the_middle(number), 130)
            self.assertEqual(self.left(), [])

    def test_killed_it_leaves_a_directory_which_the_next_removes(self):
        self.assertEqual(self.end_in_the_middle(signal.SIGKILL), -signal.SIGKILL)
        self.assertEqual(len(self.left()), 1)
        self.torture("--minutes", "1", "--bin", "/nowhere")
        self.assertEqual(self.left(), [])


if __name__ == "__main__":
    cell.main()
