#!/usr/bin/env python3
"""How a command under a lock ends by itself, and what it finds on a terminal: codes,
what it leaves behind, the foreground."""

import ctypes
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import unittest

import cell
from test_guardian import TTL_S, WORKER, WithCell, now_ns


class Ending(WithCell):
    def test_what_is_left_of_the_group_ends_before_the_release(self):
        trace = os.path.join(self.cell.top, "left")
        script = '"$0" -c "$1" left-deaf 60 "$2" & while ! [ -s "$2" ]; do sleep 0.02; done; exit 5'
        done = self.cell.ctl("lock", "/left", "--", "sh", "-c", script, sys.executable, WORKER,
                             trace)
        ended_ns = now_ns()
        self.assertEqual(done.returncode, 5)
        self.assertEqual(self.cell.ctl("lock", "--try", "/left", "--", "true").returncode, 0)
        with open(trace, encoding="ascii") as file:
            self.assertLess(int(file.read().split()[-1]), ended_ns)

    def test_who_waits_is_granted_after_what_was_left(self):
        trace = os.path.join(self.cell.top, "left2")
        script = '"$0" -c "$1" left-deaf 60 "$2" & while ! [ -e "$2.go" ]; do sleep 0.02; done'
        with self.cell.begin("lock", "/left2", "--", "sh", "-c", script, sys.executable, WORKER,
                             trace) as first:
            cell.until(lambda: os.path.exists(trace) and os.path.getsize(trace), 15, "it runs")
            with self.cell.begin("lock", "/left2", "--", sys.executable, "-c",
                                 "import time; print(time.clock_gettime_ns(time.CLOCK_BOOTTIME))"
                                 ) as second:
                self.cell.wait_in_line("/left2")
                with open(trace + ".go", "w", encoding="ascii"):
                    pass
                grant_ns = int(second.line())
                self.assertEqual(second.wait(), 0)
            self.assertEqual(first.wait(), 0)
        with open(trace, encoding="ascii") as file:
            self.assertLess(int(file.read().split()[-1]), grant_ns)

    def test_codes(self):
        cases = ((0, "exit 0"), (3, "exit 3"), (76, "exit 76"), (137, "kill -KILL $$"),
                 (143, "kill -TERM $$"))
        for options in ((), ("--contain",)):
            for code, script in cases:
                with self.subTest(script, options=options):
                    done = self.cell.ctl("lock", *options, "/codes", "--", "sh", "-c", script)
                    self.assertEqual((done.returncode, done.stderr), (code, ""))
            for code, program in ((127, "/no/such/program"), (126, "/etc/passwd")):
                done = self.cell.ctl("lock", *options, "/codes", "--", program)
                self.assertEqual(done.returncode, code)
        with self.cell.begin("lock", "/codes") as holder:
            holder.line()
            done = self.cell.ctl("lock", "--try", "/codes", "--", "true")
            self.assertEqual(done.returncode, 75)
        done = self.cell.ctl("elect", "/codes-e", "--value", "v", "--", "sh", "-c", "exit 9")
        self.assertEqual(done.returncode, 9)

    def test_no_namespace_to_be_had(self):
        limit = 'echo 0 > /proc/sys/user/max_pid_namespaces'
        done = cell.run(["unshare", "-Ur", "sh", "-c",
                         f'{limit} || exit 99; exec "$0" lock --contain /none -- sh -c "exit 4"',
                         cell.COORDCTL], env=self.cell.environment())
        if done.returncode in (1, 99):
            self.skipTest("no user namespace to try it in: " + done.stderr)
        self.assertEqual(done.returncode, 4)
        self.assertIn("no PID namespace", done.stderr)

    def test_leaders_are_guarded_as_well(self):
        with self.cell.begin("elect", "--ttl", f"{TTL_S}s", "/lead", "--value", "a", "--", "sh",
                             "-c", "trap '' TERM; echo $$; while :; do sleep 0.02; done") as first:
            child = int(first.line())
            first.signal(signal.SIGSTOP)
            self.cell.ok("elect", "--wait", "20s", "/lead", "--value", "b", "--", "sh", "-c",
                         f"! kill -0 {child}")
            first.signal(signal.SIGCONT)
            self.assertEqual(first.wait(), 76)


class Terminal:
    """coordctl as a shell would start it: a session and a terminal of its own."""

    def __init__(self, test, *arguments):
        self.master, slave = pty.openpty()
        libc = ctypes.CDLL(None)

        def prepare():
            os.setsid()
            libc.ioctl(0, 0x540E, 0)  # TIOCSCTTY
            libc.prctl(1, signal.SIGKILL)

        # The shell stands for an interactive one: it looks at the terminal afterwards.
        after = '"$@"; code=$?; echo "after $code"; read -r line; echo "read $line"'
        self.process = subprocess.Popen(
            ["bash", "-mc", after, "bash", cell.COORDCTL, *arguments], stdin=slave, stdout=slave,
            stderr=slave, preexec_fn=prepare, env=test.cell.environment())
        os.close(slave)
        self.said = ""
        test.addCleanup(self.close)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, pattern, seconds=15):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.said):
            if time.monotonic() > end:
                raise AssertionError(f"no {pattern!r} in {self.said!r}")
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.said += os.read(self.master, 4096).decode()
                except OSError:  # all that had it open are gone
                    end = 0
        return re.search(pattern, self.said)


class OnATerminal(WithCell):
    def test_the_command_has_the_foreground_and_gives_it_back(self):
        script = "import os, sys\n" \
                 "print('front', os.tcgetpgrp(0) == os.getpgrp())\n" \
                 "print('got', sys.stdin.readline().strip())\nsys.exit(6)"
        for options in ((), ("--contain",)):
            t = Terminal(self, "lock", *options, "/tty", "--", sys.executable, "-c", script)
            t.expect("front True")
            t.type("hello\n")
            t.expect("got hello")
            t.expect("after 6")
            t.type("again\n")
            t.expect("read again")

    def test_an_interrupt_goes_to_the_command(self):
        t = Terminal(self, "lock", "/tty-int", "--", "sh", "-c",
                     "trap 'echo interrupted; exit 8' INT; echo up; while :; do sleep 0.05; done")
        t.expect("up")
        t.type("\x03")
        t.expect("interrupted")
        t.expect("after 8")

    def test_nothing_is_suspended(self):
        t = Terminal(self, "lock", "/tty-stop", "--", "sh", "-c",
                     "echo up; i=0; while [ $i -lt 100 ]; do sleep 0.02; i=$((i+1)); done; exit 3")
        t.expect("up")
        t.type("\x1a")
        t.expect("after 3")


if __name__ == "__main__":
    cell.main()
