#!/usr/bin/env python3
# Runs beside others.
"""Disks that fill up under servers with the options that everybody has: what was deleted
gives way, and nothing acknowledged is lost. Also with a member away. Needs root, and is
skipped without."""

import os
import unittest

import cell
import small_disk

FILLER = os.path.join(cell.HELPERS, "filler")
FOLDER = 1000  # filler's
VALUE_BYTES = 3000
REFUSED = "the disks of the cell are full"


class FullDiskDefaults(unittest.TestCase):
    def start(self, size_mib):
        self.cell = self.enterContext(small_disk.SmallCell(size_mib, members=3))
        self.cell.ok("put", "--parents", "/kept/away", "x")
        self.cell.ok("mkdir", "/fill")

    def fill(self, prefix):
        """How many nodes were acknowledged before one was refused."""
        with cell.Running([FILLER, "make", prefix, "1000000", str(VALUE_BYTES)],
                          env=self.cell.environment()) as filler:
            status = filler.wait(120)
            self.assertEqual(status, 3, (filler.lines(), filler.complained()))
            word, number, *why = filler.lines()[-1].split()
            self.assertEqual((word, why), ("stopped", ["NO_SPACE"]), filler.complained())
            return int(number)

    def put(self):
        done = self.cell.ctl("--deadline", "5s", "put", "--parents", "/kept/again", "z")
        if done.returncode != 0:
            self.assertIn(REFUSED, done.stderr)
        return done.returncode == 0

    def count(self, folders):
        return sum(len(self.cell.ok("ls", folder).split()) for folder in folders)

    def agree(self):
        def look():
            done = self.cell.ctl("--deadline", "2s", "hash", "-o", "json")
            return done.returncode == 0 and done.stdout
        cell.until(look, 30, "all members agree")

    def test_what_is_deleted_gives_way(self):
        self.start(160)
        made = self.fill("/fill")
        folders = [f"/fill/{name}" for name in self.cell.ok("ls", "/fill").split()]
        # It may have been saved and cut meanwhile: then it is filled once more.
        while self.put():
            self.cell.ok("mkdir", "-p", "/more")
            made += self.fill(f"/more/{len(folders)}")
            folders = [f"/{top}/{name}" for top in ["fill"] + [
                f"more/{n}" for n in self.cell.ok("ls", "/more").split()]
                for name in self.cell.ok("ls", f"/{top}").split()]
        self.assertGreaterEqual(self.count(folders), made)
        kept, gone = folders[:2], folders[2:]
        there = self.count(kept)
        for folder in gone:
            self.cell.ok("rm", "-r", folder, seconds=120)
        cell.until(self.put, 60, "the cell takes writes again")
        self.assertEqual(self.count(kept), there)
        for server in self.cell.servers:
            self.assertTrue(server.is_running(), server.said()[-800:])
        self.agree()

    def test_one_member_away_and_one_disk_full(self):
        self.start(160)
        away = self.cell.leader()
        away.kill()
        cell.until(lambda: self.cell.ctl("--deadline", "2s", "put", "/kept/away", "y").returncode == 0,
                   30, "another leads")
        leader = self.cell.leader()
        full = next(s for s in self.cell.servers if s is not away and s is not leader)
        small_disk.fill_up(full)
        self.fill("/fill")
        self.assertFalse(self.put())
        self.cell.ok("rm", "/kept/away")
        os.unlink(os.path.join(full.directory, "foreign"))
        cell.until(self.put, 30, "the cell takes writes again")


if __name__ == "__main__":
    small_disk.main()
