"""Real servers for the end-to-end tests.

A Cell is five `coordd serve` processes in a fresh temporary directory on free
loopback ports. It knows their pids, kills by pid, and always cleans up: also
when the test is killed itself, for the kernel then kills what it started.
Nothing here sleeps and hopes: until() polls with a deadline.

COORD_BIN names the folder with coordd and coordctl (default build/release/bin);
the tests' own helpers are in ../tests beside it.
"""

import contextlib
import ctypes
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BIN = os.path.abspath(os.environ.get("COORD_BIN", os.path.join(ROOT, "build/release/bin")))
HELPERS = os.path.join(os.path.dirname(BIN), "tests")
COORDD = os.path.join(BIN, "coordd")
COORDCTL = os.path.join(BIN, "coordctl")

PORTS = range(10000, 32000)
CELL_ID = "00112233445566778899aabbccddeeff"
READY_S = 20
CALL_S = 30

_libc = ctypes.CDLL(None)


def _die_with_parent():
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def spawn(arguments, **options):
    """A process that ends when this one does."""
    return subprocess.Popen(arguments, preexec_fn=_die_with_parent, **options)


def run(arguments, seconds=CALL_S, **options):
    """A process, to its end; output as text unless told otherwise."""
    options.setdefault("text", True)
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=seconds, preexec_fn=_die_with_parent, **options)


def until(condition, seconds, what):
    """Polls until condition() is true, and returns what it gave."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


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


def is_alive(pid):
    """Running, not only waiting to be reaped."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


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
        return self.process.wait(seconds)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)
        until(lambda: self._state() == "T", 5, f"member {self.id} stopped")

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def _state(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]

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
        return json.loads(self.ok(*arguments, "-o", "json", **options))

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


class Running:
    """A process whose lines can be waited for. Use as a context: it is killed at the end."""

    def __init__(self, arguments, **options):
        self.out = tempfile.NamedTemporaryFile(prefix="coord-out-")
        self.err = tempfile.NamedTemporaryFile(prefix="coord-err-")
        options.setdefault("stdin", subprocess.DEVNULL)
        self.process = spawn(arguments, stdout=self.out, stderr=self.err, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        self.out.close()
        self.err.close()

    def _read(self, file):
        with open(file.name, encoding="utf-8", errors="replace") as again:
            return again.read()

    def said(self):
        return self._read(self.out)

    def complained(self):
        return self._read(self.err)

    def lines(self):
        """Those that are complete."""
        return self.said().split("\n")[:-1]

    def line(self, index=0, seconds=15):
        """The line of that number, as soon as it is there."""
        def there():
            if len(self.lines()) > index:
                return True
            if self.process.poll() is not None and len(self.lines()) <= index:
                raise AssertionError(f"ended with {self.process.returncode} after "
                                     f"{self.lines()}: {self.complained()}")
            return False
        until(there, seconds, f"line {index}; so far {self.lines()} {self.complained()}")
        return self.lines()[index]

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=15):
        return self.process.wait(seconds)


def main():
    """Runs the tests of the calling file; the last line says how it went."""
    program = unittest.main(exit=False, verbosity=2)
    result = program.result
    bad = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    # A class that could not be set up has failed, and none of its tests ran.
    print(f"{max(result.testsRun - bad, 0)} passed, {bad} failed")
    sys.exit(0 if bad == 0 and result.testsRun > 0 else 1)
