#!/usr/bin/env python3
"""A command under a lock when its coordctl is cut off for real: it runs in a network
namespace of its own, whose link to the cell's is taken down. Nothing is refused and no
connection ends; there is just silence. Needs root, and is skipped without."""

import ctypes
import os
import shutil
import sys
import time
import unittest

import cell
from test_guardian import TTL_S, Command, now_ns

CLONE_NEWNET = 0x40000000
NEAR, FAR = "10.99.0.1", "10.99.0.2"


class NotPermitted(Exception):
    """There can be no namespaces here."""


def be_apart():
    """This process is in a new network namespace, then."""
    if os.geteuid() != 0:
        raise NotPermitted("network namespaces need root")
    for program in ("ip", "nsenter", "unshare"):
        if shutil.which(program) is None:
            raise NotPermitted(f"there is no {program} (Debian: iproute2, util-linux)")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise NotPermitted(f"unshare: {os.strerror(ctypes.get_errno())}")


class Far:
    """The other namespace: it lives as long as a process of ours in it."""

    def __init__(self):
        self.keeper = cell.spawn(["unshare", "-n", "sleep", "3600"])
        mine = os.readlink("/proc/self/ns/net")
        cell.until(lambda: os.readlink(f"/proc/{self.keeper.pid}/ns/net") != mine, 5, "it is apart")
        self.run_here("ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns",
                      str(self.keeper.pid))
        for step in (f"addr add {NEAR}/24 dev near", "link set near up", "link set lo up"):
            self.run_here("ip", *step.split())
        for step in (f"addr add {FAR}/24 dev far", "link set lo up"):
            self.ip(step)
        self.join()

    @staticmethod
    def run_here(*arguments):
        done = cell.run(list(arguments))
        if done.returncode != 0:
            raise NotPermitted(f"{' '.join(arguments)}: {done.stderr.strip()}")

    def inside(self, *arguments):
        return ["nsenter", "-t", str(self.keeper.pid), "-n", *arguments]

    def ip(self, step):
        self.run_here(*self.inside("ip", *step.split()))

    def join(self):
        self.ip("link set far up")

    def cut(self):
        self.ip("link set far down")

    def close(self):
        self.keeper.kill()
        self.keeper.wait()


class FarCell(cell.Cell):
    """Its servers are near, and what is begun is far; what is run to its end is near."""

    def __init__(self, far):
        super().__init__()
        self.far = far
        for server in self.servers:
            server.address = f"{NEAR}:{server.port}"
        self.endpoints = ",".join(s.address for s in self.servers)
        self.members = ",".join(f"{s.id}={s.address}" for s in self.servers)

    def begin(self, *arguments, **options):
        return cell.Running(self.far.inside(cell.COORDCTL, *arguments), env=self.environment(),
                            **options)


class Network(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.far = far
        cls.cell = cls.enterClassContext(FarCell(cls.far))

    def setUp(self):
        self.addCleanup(self.far.join)

    def test_cut_off_the_command_dies_in_time(self):
        commands = [Command(self, "/net/plain", "one", "two"),
                    Command(self, "/net/deaf", "one-deaf", "two-deaf"),
                    Command(self, "/net/contained", "one-deaf", "two-away",
                            options=["--contain"])]
        bare = self.enterContext(self.cell.begin("lock", "--ttl", f"{TTL_S}s", "/net/bare"))
        bare.line()
        began = now_ns()
        self.far.cut()
        for c in commands:
            self.assertEqual(c.running.wait(), 76)
            self.assertIn("lost", c.running.complained())
            last = c.check_order(began)
            self.assertLess((last - began) / 1e9, TTL_S)
        self.assertEqual(bare.wait(), 76)

    def test_a_short_cut_is_survived(self):
        trace = os.path.join(self.cell.top, "short")
        script = "while :; do date +%s%N; sleep 0.02; done"
        with self.cell.begin("lock", "--ttl", "8s", "/net/short", "--", "sh", "-c",
                             f"({script}) >{trace}") as running:
            cell.until(lambda: os.path.exists(trace) and os.path.getsize(trace), 10, "it runs")
            self.far.cut()
            time.sleep(1)
            self.far.join()
            # A whole lease later it is still held, so it was renewed.
            end = time.monotonic() + 9
            while time.monotonic() < end:
                self.assertIsNone(running.process.poll(), running.complained())
                time.sleep(0.1)
            self.assertEqual(self.cell.ctl("lock", "--try", "/net/short").returncode, 75)

    def test_taken_by_force_while_cut_off_it_passes_on_with_the_lease(self):
        c = Command(self, "/net/force", "one", "two-deaf")
        began = now_ns()
        self.far.cut()
        done = self.cell.ctl("unlock", "--force", c.path)
        self.assertEqual(done.returncode, 0, done.stderr)
        passed = now_ns()
        for name, last in c.last_ns().items():
            self.assertLess(last, passed, name)
        c.check_order(began)
        self.assertEqual(c.running.wait(), 76)


if __name__ == "__main__":
    try:
        be_apart()
        far = Far()
    except NotPermitted as why:
        print(f"skipped: no network can be cut here: {why}")
        sys.exit(0)
    cell.main()
