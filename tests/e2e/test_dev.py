#!/usr/bin/env python3
"""coordd dev: a cell of five servers on one machine."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import unittest

import cell


class Dev(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="coord-dev-")
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)
        self.port = cell.free_ports(5)

    def begin(self):
        running = self.enterContext(cell.Running(
            [cell.COORDD, "dev", "--dir", self.top + "/d", "--port", str(self.port)]))
        cell.until(lambda: "ready" in running.lines() or running.process.poll() is not None, 20,
                   "it is ready")
        self.assertIn("ready", running.lines(), running.complained())
        return running

    def ctl(self, *arguments):
        endpoints = ",".join(f"127.0.0.1:{self.port + i}" for i in range(5))
        return cell.run([cell.COORDCTL, "--endpoints", endpoints, *arguments])

    def status(self):
        done = self.ctl("status", "-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def pids(self):
        return {m["id"]: m["pid"] for m in self.status()["members"] if m["pid"]}

    def command_of(self, running, pid):
        """The line with that pid ends with the command that starts it again."""
        line = next(l for l in running.lines() if re.search(rf"\bpid {pid}\b", l))
        command = line[line.index(cell.COORDD):] if cell.COORDD in line else \
            line[re.search(r"\S*coordd serve", line).start():]
        return shlex.split(command)

    def all_gone(self, pids):
        cell.until(lambda: not any(cell.is_alive(p) for p in pids), 10, "all processes are gone")

    def test_it_says_where_it_is_and_term_leaves_nothing(self):
        running = self.begin()
        endpoints = next(l for l in running.lines() if l.startswith("endpoints: "))
        self.assertEqual(endpoints.split(": ")[1].replace(" ", ""),
                         ",".join(f"127.0.0.1:{self.port + i}" for i in range(5)))
        logs = next(l for l in running.lines() if l.startswith("logs: "))
        self.assertEqual(logs, f"logs: {os.path.realpath(self.top)}/d/1/log to "
                               f"{os.path.realpath(self.top)}/d/5/log")
        with open(logs.split()[1], encoding="utf-8") as log:
            self.assertIn(" started ", log.read())
        pids = self.pids()
        self.assertEqual(sorted(pids), [1, 2, 3, 4, 5])
        for pid in pids.values():
            self.assertTrue(self.command_of(running, pid))
        self.assertEqual(self.ctl("put", "/x", "1").returncode, 0)
        running.signal(signal.SIGTERM)
        self.assertEqual(running.wait(), 0)
        self.all_gone(pids.values())

    def test_ctrl_c_leaves_nothing(self):
        running = self.begin()
        pids = self.pids()
        # As a terminal does it: to the whole group.
        for pid in [running.process.pid, *pids.values()]:
            os.kill(pid, signal.SIGINT)
        running.wait()
        self.all_gone(pids.values())

    def test_nothing_is_left_when_it_is_killed_itself(self):
        running = self.begin()
        pids = self.pids()
        running.signal(signal.SIGKILL)
        running.wait()
        self.all_gone(pids.values())

    def test_it_reports_who_dies_and_goes_on_with_the_rest(self):
        running = self.begin()
        pids = self.pids()
        leader = self.status()["leader"]
        command = self.command_of(running, pids[leader])
        os.kill(pids[leader], signal.SIGKILL)
        cell.until(lambda: any("died" in l for l in running.lines()), 10, "it reports the death")
        died = next(l for l in running.lines() if "died" in l)
        self.assertRegex(died, rf"\b{leader}\b")
        self.assertEqual(self.ctl("put", "/x", "2").returncode, 0)
        self.assertEqual(sum(m["role"] == "unreachable" for m in self.status()["members"]), 1)

        # The command that it printed brings it back.
        log = self.enterContext(open(os.devnull, "wb"))
        again = cell.spawn(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(lambda: (again.kill(), again.wait()))
        cell.until(lambda: len(self.pids()) == 5, 15, "all five are there")
        self.assertEqual(self.pids()[leader], again.pid)
        running.signal(signal.SIGTERM)
        self.assertEqual(running.wait(), 0)

    def test_the_same_directory_is_the_same_cell(self):
        running = self.begin()
        before = self.status()
        self.assertEqual(self.ctl("put", "/kept", "value").returncode, 0)
        running.signal(signal.SIGTERM)
        running.wait()
        self.begin()
        after = self.status()
        self.assertEqual(after["cell"], before["cell"])
        self.assertGreaterEqual(after["revision"], before["revision"])
        self.assertEqual(self.ctl("get", "/kept").stdout, "value\n")

    def test_two_cells_are_two(self):
        self.begin()
        first = self.status()["cell"]
        self.port = cell.free_ports(5)
        self.top += "/second"
        self.begin()
        self.assertNotEqual(self.status()["cell"], first)

    def test_what_cannot_be_is_said(self):
        self.begin()
        taken = cell.run([cell.COORDD, "dev", "--dir", self.top + "/e", "--port", str(self.port)], 30)
        self.assertNotEqual(taken.returncode, 0)
        self.assertIn(str(self.port), taken.stdout + taken.stderr)
        used = cell.run([cell.COORDD, "dev", "--dir", self.top + "/d", "--port",
                         str(cell.free_ports(5))], 30)
        self.assertNotEqual(used.returncode, 0)
        directory = self.top + "/f"
        for named, arguments in (("--dir", []), ("--dir", ["--dir", "--port", "7400"]),
                                 ("--port", ["--dir", directory]),
                                 ("--port", ["--dir", directory, "--port"]),
                                 ("--port", ["--port", "--dir", directory]),
                                 ("--port", ["--dir", directory, "--port", "x"]),
                                 ("--port", ["--dir", directory, "--port", "65533"]),
                                 ("--port", ["--dir", directory, "--port", "7", "--port", "8"]),
                                 ("--members", ["--dir", directory, "--port", "7", "--members", "0"])):
            done = cell.run([cell.COORDD, "dev", *arguments])
            self.assertEqual(done.returncode, 2)
            self.assertTrue(done.stderr.startswith(f"coordd: {named}"), done.stderr)
        self.assertFalse(os.path.exists(directory))
        self.assertEqual(len(self.pids()), 5)


if __name__ == "__main__":
    cell.main()
