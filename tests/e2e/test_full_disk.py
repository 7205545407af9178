#!/usr/bin/env python3
# Runs beside others.
"""Disks that fill up, each member's a small file system of its own: by what the service
stores, or by somebody else; one of them, or all at once. What frees space still goes
through, the rest is refused with a word that says why, nothing acknowledged is lost,
and with space all goes on without a restart. Needs root, and is skipped without."""

import os
import unittest

import cell
import small_disk

SIZE_MIB = 64
OPTIONS = ("--wal-mib", "2", "--reserve-mib", "8", "--checkpoint-bytes", "2000000",
           "--checkpoint-slots", "2000", "--log-keep-slots", "100")
FILLER = os.path.join(cell.HELPERS, "filler")
WRITER = os.path.join(cell.HELPERS, "writer")
REFUSED = "the disks of the cell are full"
TTL_S = 10


class FullDisk(unittest.TestCase):
    def setUp(self):
        self.cell = self.enterContext(small_disk.SmallCell(SIZE_MIB, options=OPTIONS))
        self.cell.ok("put", "--parents", "/kept/before", "x")
        self.cell.ok("mkdir", "/fill")

    def agree(self):
        def look():
            done = self.cell.ctl("--deadline", "2s", "hash", "-o", "json")
            return done.returncode == 0 and done.stdout
        cell.until(look, 30, "all members agree")

    def make_space(self, server):
        os.unlink(os.path.join(server.directory, "foreign"))

    def write_until_refused(self, folder, count, size):
        """How many were acknowledged before."""
        with cell.Running([FILLER, "make", folder, str(count), str(size)],
                          env=self.cell.environment()) as filler:
            status = filler.wait(120)
            word, number, *why = filler.lines()[-1].split()
            self.assertEqual((status, word, why), (3, "stopped", ["NO_SPACE"]),
                             (filler.lines(), filler.complained()))
            return int(number)

    def is_refused(self):
        done = self.cell.ctl("put", "/kept/more", "y" * 2000)
        if done.returncode == 0:
            return False
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(REFUSED, done.stderr)
        return True

    def is_writable(self):
        return self.cell.ctl("--deadline", "5s", "put", "/kept/again", "z").returncode == 0

    def alive(self):
        for server in self.cell.servers:
            self.assertTrue(server.is_running(), server.said()[-800:])

    def frees_go_through(self, held):
        """Deletes, what ends a lock, sessions that begin and that end."""
        self.assertEqual(self.cell.json("locks", "/lock")["locks"][0]["path"], "/lock")
        done = self.cell.ctl("lock", "--try", "/other", "--", "true")
        self.assertNotEqual(done.returncode, 0)
        self.cell.ok("rm", "/kept/away")
        held.signal(15)
        held.wait()
        self.assertEqual(self.cell.json("locks", "/lock")["locks"], [])
        self.assertEqual(self.cell.ctl("get", "/kept/away").returncode, 1)
        self.assertEqual(self.cell.ok("get", "/kept/before").strip(), "x")

    def hold(self):
        held = self.enterContext(self.cell.begin("lock", "--ttl", f"{TTL_S}s", "/lock"))
        held.line(0)
        return held

    def test_all_filled_by_somebody_else(self):
        self.cell.ok("put", "/kept/away", "x")
        held = self.hold()
        for server in self.cell.servers:
            small_disk.fill_up(server)
        there = self.write_until_refused("/fill", 1000000, 100)
        self.assertTrue(self.is_refused())
        # Sessions live on, though nobody could write that they do.
        self.assertTrue(held.process.poll() is None)
        self.frees_go_through(held)
        self.assertTrue(self.is_refused())
        self.alive()
        for server in self.cell.servers:
            self.make_space(server)
        cell.until(self.is_writable, 30, "the cell takes writes again")
        self.alive()
        self.agree()
        folders = self.cell.ok("ls", "/fill").split()
        found = sum(len(self.cell.ok("ls", f"/fill/{f}").split()) for f in folders)
        self.assertGreaterEqual(found, there)

    def test_all_filled_by_the_service_itself(self):
        self.cell.ok("put", "/kept/away", "x")
        held = self.hold()
        self.write_until_refused("/fill", 100000, 3000)
        self.frees_go_through(held)
        self.alive()
        # What is deleted gives way, by itself.
        folders = self.cell.ok("ls", "/fill").split()
        for folder in folders:
            self.cell.ok("rm", "-r", f"/fill/{folder}", seconds=120)
        cell.until(self.is_writable, 60, "the cell takes writes again")
        self.alive()
        self.agree()
        self.write_until_refused("/fill", 100000, 3000)
        self.alive()

    def test_one_full_disk_is_no_matter(self):
        leader = self.cell.leader()
        small_disk.fill_up(leader)
        with cell.Running([WRITER, "/w", "8"], env=self.cell.environment()) as writer, \
                cell.Running([FILLER, "make", "/more", "20000", "100"],
                             env=self.cell.environment()) as filler:
            self.assertEqual(filler.wait(60), 0, filler.lines())
            self.assertEqual(writer.wait(60), 0, writer.complained())
            self.assertTrue(all(line.startswith("ack") for line in writer.lines()))
        self.assertIsNot(self.cell.leader(), leader)
        self.alive()
        self.make_space(leader)
        self.agree()
        self.alive()

    def test_started_on_full_disks_it_serves_what_it_has(self):
        self.cell.ok("put", "/kept/away", "x")
        for server in self.cell.servers:
            small_disk.fill_up(server)
        self.write_until_refused("/fill", 100000, 100)
        for server in self.cell.servers:
            server.kill()
        for server in self.cell.servers:
            server.start(*OPTIONS)
        cell.until(lambda: self.cell.ctl("--deadline", "1s", "get", "/kept/before").returncode == 0,
                   30, "it serves")
        self.assertTrue(self.is_refused())
        self.cell.ok("rm", "/kept/away")
        for server in self.cell.servers:
            self.make_space(server)
        cell.until(self.is_writable, 30, "the cell takes writes again")
        self.agree()
        self.alive()


if __name__ == "__main__":
    small_disk.main()
