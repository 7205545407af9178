"""Real servers for the end-to-end tests.

A Cell is five `coordd serve` processes in a fresh temporary directory on free
loopback ports. It knows their pids, kills by pid, and always cleans up.

COORD_BIN names the folder with coordd and coordctl (default build/release/bin);
the tests' own helpers are in ../tests beside it.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

# For who imports this, too.
from processes import (CALL_S, PATIENCE, Running, is_alive, processes_with, run, spawn, state_of,
                       until)

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BIN = os.path.abspath(os.environ.get("COORD_BIN", os.path.join(ROOT, "build/release/bin")))
HELPERS = os.path.join(os.path.dirname(BIN), "tests")
COORDD = os.path.join(BIN, "coordd")
COORDCTL = os.path.join(BIN, "coordctl")
WRITER = os.path.join(HELPERS, "writer")
POWERCUT = os.path.join(HELPERS, "coordd-powercut")
POWERCUT_APPLY = os.path.join(HELPERS, "powercut-apply")

PORTS = range(10000, 32000)
CELL_ID = "00112233445566778899aabbccddeeff"
READY_S = 20
# Where a test is not about who leads, a busy machine shall not change it.
STEADY = ("--lease-ms", "5000")
WRITER_S = 300  # it is ended long before


def _is_free(port):
    with socket.socket() as s:
        # As the servers bind: a port in TIME_WAIT is free.
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_ports(count):
    """The first of `count` free ports in a row."""
    starts = list(range(PORTS.start, PORTS.stop - count + 1, count))
    random.shuffle(starts)
    for start in starts:
        if all(_is_free(port) for port in range(start, start + count)):
            return start
    raise AssertionError("no free ports")


class Server:
    """One member: its directory, and its process when it has one."""

    def __init__(self, number, port, directory):
        self.id = number
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self.directory = directory
        self.log = directory + ".log"
        self.process = None
        self.environment = None

    def init(self, cell_id, members, name="test"):
        done = run([COORDD, "init", "--dir", self.directory, "--id", str(self.id), "--cell",
                    cell_id, "--name", name, "--members", members])
        if done.returncode != 0:
            raise AssertionError("coordd init: " + done.stderr + done.stdout)

    def start(self, *arguments, program=COORDD):
        with open(self.log, "ab") as log:
            self.process = spawn([program, "serve", "--dir", self.directory, *arguments],
                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9, and gone when it returns."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self, seconds=10):
        """TERM; the exit status."""
        self.process.terminate()
        return self.process.wait(PATIENCE * seconds)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)
        until(lambda: state_of(self.pid) == "T", 5, f"member {self.id} stopped")

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def said(self):
        """All that it ever wrote."""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()


class Cell:
    def __init__(self, members=5, cell_id=CELL_ID, name="test", program=COORDD, options=(),
                 top=None):
        self.top = top or tempfile.mkdtemp(prefix="coord-e2e-")
        self.cell_id = cell_id
        self.name = name
        self.program = program
        self.options = options  # of each `coordd serve`
        port = free_ports(members)
        self.servers = [Server(i + 1, port + i, os.path.join(self.top, str(i + 1)))
                        for i in range(members)]
        self.endpoints = ",".join(s.address for s in self.servers)
        self.members = ",".join(f"{s.id}={s.address}" for s in self.servers)

    def __enter__(self):
        try:
            self.init()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind, *_):
        self.close()

    def init(self):
        for server in self.servers:
            server.init(self.cell_id, self.members, self.name)

    def start(self):
        """Those that are not running, and waits until the cell serves."""
        for server in self.servers:
            if not server.is_running():
                server.start(*self.options, program=self.program)
        self.wait_ready()

    def close(self):
        for server in self.servers:
            server.kill()
        shutil.rmtree(self.top, ignore_errors=True)

    def kill_all(self):
        """kill -9 of all of them at once."""
        for server in self.servers:
            server.process.kill()
        for server in self.servers:
            server.kill()

    def cut_power(self, seed):
        """All die, and then what was not synced is gone; of a cell of POWERCUT. With seed 0
        all of it is, with others some. What was done."""
        self.kill_all()
        done = run([POWERCUT_APPLY, "--seed", str(seed), *[s.directory for s in self.servers]])
        if done.returncode != 0:
            raise AssertionError("powercut-apply: " + done.stderr)
        return done.stdout

    def wait_ready(self, seconds=READY_S):
        def ready():
            for server in self.servers:
                if server.process is not None and server.process.poll() is not None:
                    raise AssertionError(f"member {server.id} ended: " + server.said()[-2000:])
            return self.ctl("--deadline", "1s", "put", "--parents", "/ready", "1").returncode == 0
        try:
            until(ready, seconds, "the cell serves")
        except AssertionError:
            self.show_logs()
            raise

    def show_logs(self, lines=30):
        for server in self.servers:
            with contextlib.suppress(OSError):
                said = server.said().splitlines()[-lines:]
                print(f"--- member {server.id}", *said, sep="\n", file=sys.stderr)

    def environment(self):
        return {**os.environ, "COORD_ENDPOINTS": self.endpoints}

    def ctl(self, *arguments, seconds=CALL_S, **options):
        """coordctl, to its end."""
        return run([COORDCTL, *arguments], seconds, env=self.environment(), **options)

    def ok(self, *arguments, **options):
        """The same; it must succeed. Its output."""
        done = self.ctl(*arguments, **options)
        if done.returncode != 0:
            self.show_logs()
            raise AssertionError(f"coordctl {' '.join(arguments)}: {done.returncode}: "
                                 f"{done.stderr}")
        return done.stdout

    def json(self, *arguments, **options):
        if arguments == ("status",):
            return self._status()
        return json.loads(self.ok(*arguments, "-o", "json", **options))

    def _status(self):
        """As soon as somebody leads: between two leaders it ends with 70."""
        def look():
            done = self.ctl("status", "-o", "json")
            return json.loads(done.stdout) if done.returncode == 0 else None
        return until(look, READY_S, "status shows a cell that somebody leads")

    def begin(self, *arguments, **options):
        """coordctl, left running: a Running."""
        return Running([COORDCTL, *arguments], env=self.environment(), **options)

    def leader(self, seconds=10):
        """The server that leads and that everybody reached agrees on."""
        def look():
            done = self.ctl("--deadline", "2s", "status", "-o", "json")
            if done.returncode != 0:
                return None
            leading = [m["id"] for m in json.loads(done.stdout)["members"]
                       if m["role"] == "leader"]
            return leading[0] if len(leading) == 1 else None
        return self.servers[until(look, seconds, "there is one leader") - 1]

    def followers(self):
        leader = self.leader()
        return [s for s in self.servers if s is not leader and s.is_running()]

    def wait_agree(self, seconds=20):
        """Until all that run have applied the same, and then have the same state."""
        def look():
            done = self.ctl("--deadline", "2s", "status", "-o", "json")
            if done.returncode != 0:
                return False
            members = [m for m in json.loads(done.stdout)["members"] if m["pid"] is not None]
            return (len(members) == sum(server.is_running() for server in self.servers)
                    and len({(m["applied"], m["state_hash"]) for m in members}) == 1)
        until(look, seconds, "all members have the same state")

    def write(self, prefix, count):
        """So many writes at least, one after the other; the numbers that were acknowledged."""
        with Writer(self, prefix) as writer:
            writer.line(count - 1, seconds=60)
            writer.end()
            return writer.acknowledged()

    def missing(self, prefix, numbers):
        """Of what was written, what is not there."""
        return set(numbers) - {int(name) for name in self.ok("ls", prefix).split()}

    def lock(self, path):
        """Who holds and who waits for the lock of that very node; None if nobody does."""
        found = [lock for lock in self.json("locks", path)["locks"] if lock["path"] == path]
        return found[0] if found else None

    def wait_in_line(self, path, count=1):
        """Until so many wait for that lock."""
        def look():
            lock = self.lock(path)
            return lock is not None and len(lock["waiters"]) == count
        until(look, 10, f"{count} in line for {path}")


class Writer(Running):
    """tests/e2e/writer.c: puts number after number below the prefix, until it is ended."""

    def __init__(self, own, prefix):
        super().__init__([WRITER, prefix, str(WRITER_S)], env=own.environment())

    def end(self):
        """In the middle of what it does."""
        self.process.kill()
        self.process.wait()

    def acknowledged(self):
        """The numbers that were, in their order."""
        words = [line.split() for line in self.lines()]
        return [int(word[1]) for word in words if word[0] == "ack"]


def main():
    """Runs the tests of the calling file; the last line says how it went."""
    program = unittest.main(exit=False, verbosity=2)
    result = program.result
    bad = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    # A class that could not be set up has failed, and none of its tests ran.
    print(f"{max(result.testsRun - bad, 0)} passed, {bad} failed")
    sys.exit(0 if bad == 0 and result.testsRun > 0 else 1)
