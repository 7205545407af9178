"""The machine: commands, processes and what they use, and that nobody else measures."""

import contextlib
import fcntl
import os
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import time

QUIET_CORES = 0.3
LOCK_S = 1800  # for others that measure
STOP_S = 15
COMPLAINT_BYTES = 1000
CLOCK_TICK = os.sysconf("SC_CLK_TCK")


def say(text):
    print(f"compare: {text}", file=sys.stderr, flush=True)


def run(arguments, seconds, **options):
    """A command, to its end; its output. What it complains of is shown if it fails."""
    with tempfile.TemporaryFile("w+", errors="replace") as complaints:
        done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=complaints, text=True,
                              timeout=seconds, stdin=subprocess.DEVNULL, check=False, **options)
        if done.returncode != 0:
            complaints.seek(0)
            raise RuntimeError(f"{shlex.join(arguments)}: status {done.returncode}: "
                               + complaints.read()[-COMPLAINT_BYTES:].strip())
    return done.stdout


# ---- processes ----

def is_ours(pid, folder):
    """That process was started for that folder: it names it, or works in it."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            line = file.read()
        return folder.encode() in line or os.readlink(f"/proc/{pid}/cwd").startswith(folder)
    except OSError:
        return False


def pids_in(folder):
    """The servers that the folder's pid files name."""
    for name in os.listdir(folder):
        if name.endswith(".pid"):
            with contextlib.suppress(OSError, ValueError), \
                    open(os.path.join(folder, name), encoding="ascii") as file:
                pid = int(file.read())
                if is_ours(pid, folder):
                    yield pid


def end(folder):
    """Ends those servers, by force if they take too long."""
    pids = list(pids_in(folder))
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        until = time.monotonic() + STOP_S
        while pids and time.monotonic() < until:
            pids = [pid for pid in pids if is_ours(pid, folder)]
            time.sleep(0.05)


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="latin-1") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def cpu_ticks(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="latin-1") as file:
        fields = file.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
    return 0


def busy_s():
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq = map(int, file.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / CLOCK_TICK


class Foreign:
    """What the machine did besides the servers and the load."""

    def __init__(self, folder):
        self.folder = folder
        self.began = time.monotonic()
        self.busy, self.own = busy_s(), self._own()

    def _own(self):
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (sum(cpu_ticks(pid) for pid in pids_in(self.folder)) / CLOCK_TICK
                + children.ru_utime + children.ru_stime)

    def cores(self):
        took = time.monotonic() - self.began
        return round(max(busy_s() - self.busy - (self._own() - self.own), 0) / took, 2)


def wait_quiet(folder, seconds):
    """Until others leave the machine alone for a moment, or at most so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        foreign = Foreign(folder)
        time.sleep(1)
        if foreign.cores() < QUIET_CORES:
            return


def set_niceness(pid, niceness):
    """Of a process's whole session: the kernel weighs sessions before processes."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/autogroup", "w",
                                            encoding="ascii") as file:
        file.write(str(niceness))
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.setpriority(os.PRIO_PROCESS, int(thread), niceness)


@contextlib.contextmanager
def locked(path):
    """Nobody else measures meanwhile."""
    with open(path, "a", encoding="ascii") as file:
        until = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    sys.exit(f"compare: {path} is held by somebody else")
                time.sleep(0.2)
        yield
