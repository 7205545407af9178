#!/usr/bin/env python3
# Runs beside others.
"""State sent to a member that lacks what the others have cut: it counts for a quorum
again, however often it was interrupted, and what was damaged is known for it."""

import contextlib
import glob
import os
import sqlite3
import unittest

import cell

WRITER = os.path.join(cell.HELPERS, "writer")
SETTINGS = ("--checkpoint-slots", "60", "--log-keep-slots", "30")
TAKEN_OVER = "took the state of another member"


class Transfer(unittest.TestCase):
    def setUp(self):
        self.cell = self.enterContext(cell.Cell(options=SETTINGS))

    def write(self, prefix, count):
        """So many writes, one after the other; their numbers."""
        writer = self.enterContext(
            cell.Running([WRITER, prefix, str(count)], env=self.cell.environment()))
        writer.line(count - 1, seconds=60)
        writer.process.kill()
        writer.wait()
        return [line.split()[1] for line in writer.lines() if line.startswith("ack")]

    def agree(self):
        """All that run have the same state at the same slot."""
        def look():
            done = self.cell.ctl("--deadline", "2s", "hash", "-o", "json")
            return done.returncode == 0 and done.stdout
        cell.until(look, 20, "all members agree")

    def all_there(self, prefix, numbers):
        self.assertEqual(set(numbers) - set(self.cell.ok("ls", prefix).split()), set())

    def test_a_member_that_was_away_for_long_gets_the_state_of_another(self):
        away = self.cell.followers()[0]
        away.kill()
        numbers = self.write("/w", 300)
        self.cell.start()
        cell.until(lambda: TAKEN_OVER in away.said(), 20, "the state is taken over")
        numbers += self.write("/v", 20)
        self.agree()
        # And it is as good as any: with two others gone it is needed for each write.
        for other in [s for s in self.cell.followers() if s is not away][:2]:
            other.kill()
        self.write("/u", 5)
        away.kill()
        self.cell.start()
        self.agree()

    def test_killed_again_and_again_in_the_middle_of_it_it_gets_there(self):
        away = self.cell.followers()[0]
        away.kill()
        self.cell.ok("mkdir", "/big")
        for i in range(40):
            self.cell.ok("put", f"/big/{i}", "-", input="x" * 200_000)
        self.write("/w", 200)
        for _ in range(6):
            away.start(*SETTINGS)
            cell.until(lambda: away.said().count("its state is fetched") or
                       TAKEN_OVER in away.said(), 20, "it asks for the state")
            away.kill()
        self.cell.start()
        cell.until(lambda: TAKEN_OVER in away.said(), 20, "the state is taken over")
        self.agree()

    def lose_state(self, damage):
        lame = self.cell.followers()[0]
        numbers = self.write("/w", 300)
        self.assertEqual(lame.stop(), 0)
        damage(lame)
        before = lame.said()
        self.cell.start()
        cell.until(lambda: TAKEN_OVER in lame.said()[len(before):], 20, "the state is taken over")
        self.all_there("/w", numbers)
        self.agree()
        return lame

    def test_a_record_that_was_changed_on_disk_is_noticed_and_got_back(self):
        def flip(server):
            with contextlib.closing(sqlite3.connect(server.directory + "/state.db")) as state:
                key, value = state.execute(
                    "SELECT key, value FROM record ORDER BY key LIMIT 1 OFFSET 20").fetchone()
                value = bytes([value[0] ^ 1]) + value[1:]
                state.execute("UPDATE record SET value = ? WHERE key = ?", (value, key))
                state.commit()
        lame = self.lose_state(flip)
        self.assertTrue(glob.glob(lame.directory + "/state.db.damaged*"))


if __name__ == "__main__":
    unittest.main()
