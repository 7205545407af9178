"""Processes that a test starts, waits for and ends.

Nothing here sleeps and hopes: until() polls with a deadline. What was spawned ends with
the test, also when that is killed, for the kernel then kills it.
"""

import contextlib
import ctypes
import glob
import signal
import subprocess
import tempfile
import time

CALL_S = 30
# How often as long as is said here everything may take: what is said is meant for an idle
# machine, and costs nothing unless the test fails.
PATIENCE = 3

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
                          timeout=PATIENCE * seconds, preexec_fn=_die_with_parent, **options)


def until(condition, seconds, what):
    """Polls until condition() is true, and returns what it gave."""
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def state_of(pid):
    """As the kernel has it: "R", "S", "T", "Z" ..., or "gone"."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


def is_alive(pid):
    """Running, not only waiting to be reaped."""
    return state_of(pid) not in ("Z", "X", "gone")


def processes_with(text):
    """The pids of those that are alive and whose environment holds the text."""
    found = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        pid = int(path.split("/")[2])
        try:
            with open(path, "rb") as file:
                if text.encode() in file.read() and is_alive(pid):
                    found.append(pid)
        except OSError:
            pass  # it has ended, or is not ours
    return found


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
        return self.process.wait(PATIENCE * seconds)
