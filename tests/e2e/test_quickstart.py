#!/usr/bin/env python3
# Runs beside others.
"""tools/quickstart shows what it says, leaves nothing behind, however it ends, and
does not call good what is not."""

import os
import re
import signal
import tempfile
import unittest

import cell

QUICKSTART = os.path.join(cell.ROOT, "tools/quickstart")


class Quickstart(unittest.TestCase):
    def setUp(self):
        self.mark = f"COORD_TEST_QUICKSTART={os.getpid()}-{self.id()}"
        name, _, value = self.mark.partition("=")
        self.environment = {**os.environ, name: value, "TMPDIR": self.enterContext(
            tempfile.TemporaryDirectory(prefix="coord-quickstart-"))}
        self.addCleanup(self.kill_rest)

    def kill_rest(self):
        for pid in cell.processes_with(self.mark):
            os.kill(pid, signal.SIGKILL)

    def begin(self, *arguments):
        return self.enterContext(cell.Running(
            [QUICKSTART, "--no-build", "--port", str(cell.free_ports(5)), *arguments],
            env=self.environment))

    def reaches(self, running, text, seconds=240):
        cell.until(lambda: text in running.said() or running.process.poll() is not None, seconds,
                   f"it says '{text}': {running.said()} {running.complained()}")
        self.assertIn(text, running.said(), running.complained())

    def left(self):
        return cell.processes_with(self.mark)

    def test_it_keeps_the_cell_when_asked_to(self):
        running = self.begin("--keep")
        self.assertEqual(running.wait(400), 0, running.said() + running.complained())
        said = running.said()
        endpoints = re.search(r"^ *export COORD_ENDPOINTS=(\S+)$", said, re.M)[1]
        logs = re.search(r"^(/\S+)/1/log to (/\S+)/5/log;", said, re.M)
        self.assertEqual(logs[1], logs[2])
        for number in range(1, 6):
            with open(f"{logs[1]}/{number}/log", encoding="utf-8") as log:
                self.assertIn(f" info started member={number} ", log.read())
        done = cell.run([cell.COORDCTL, "--endpoints", endpoints, "put", "/after", "1"])
        self.assertEqual(done.returncode, 0, done.stderr)
        pid = int(re.search(r"^To stop it: +kill (\d+)$", said, re.M)[1])
        self.assertEqual(len(self.left()), 5, "coordd dev, and the four that were not killed")
        os.kill(pid, signal.SIGTERM)
        cell.until(lambda: not self.left(), 15, "all have ended")

    def test_what_cannot_be_is_said_before_anything_is_done(self):
        for named, arguments in (("--port", ["--port"]), ("--port", ["--port", "x"]),
                                 ("--port", ["--port", "65535"]), ("--port", ["--port", "0"]),
                                 ("--nonsense", ["--nonsense"])):
            done = cell.run([QUICKSTART, "--no-build", *arguments], env=self.environment)
            self.assertEqual(done.returncode, 2)
            self.assertIn(named, done.stderr.splitlines()[0])
            self.assertEqual(done.stdout, "")
        self.assertEqual(cell.run([QUICKSTART, "--help"], env=self.environment).returncode, 0)
        self.assertEqual(os.listdir(self.environment["TMPDIR"]), [])

    def test_it_leaves_nothing_when_it_is_interrupted(self):
        for text, number in (("kill -9 app", signal.SIGINT), ("append to a file", signal.SIGTERM)):
            running = self.begin()
            self.reaches(running, text)
            running.signal(number)
            self.assertNotEqual(running.wait(30), 0)
            cell.until(lambda: not self.left(), 5, f"nothing is left of {text}")
            self.assertEqual(os.listdir(self.environment["TMPDIR"]), [])

    def test_it_fails_if_the_cell_does(self):
        running = self.begin()
        self.reaches(running, "append to a file")
        servers = [int(pid) for pid in re.findall(
            r"^\d +127\.0\.0\.1:\d+ +(?:leader|follower) +(\d+) ", running.said(), re.M)]
        self.assertEqual(len(servers), 5)
        for pid in servers[:3]:
            os.kill(pid, signal.SIGKILL)
        self.assertNotEqual(running.wait(120), 0)
        self.assertIn("quickstart: WRONG: ", running.complained())
        cell.until(lambda: not self.left(), 5, "nothing is left")


if __name__ == "__main__":
    cell.main()
