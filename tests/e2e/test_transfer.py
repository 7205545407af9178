#!/usr/bin/env python3
# Runs beside others.
"""State sent to a member that lacks what the others have cut: it counts for a quorum
again, however often it was interrupted, and what was damaged is known for it."""

import contextlib
import glob
import sqlite3
import unittest

import cell

SETTINGS = ("--checkpoint-slots", "60", "--log-keep-slots", "30")
FETCHED = "its state is fetched"
TAKEN_OVER = "took the state of another member"


class Transfer(unittest.TestCase):
    def setUp(self):
        self.cell = self.enterContext(cell.Cell(options=SETTINGS))

    def test_a_member_that_was_away_for_long_gets_the_state_of_another(self):
        away = self.cell.followers()[0]
        away.kill()
        numbers = self.cell.write("/w", 300)
        self.cell.start()
        cell.until(lambda: TAKEN_OVER in away.said(), 20, "the state is taken over")
        numbers += self.cell.write("/v", 20)
        self.cell.wait_agree()
        # And it is as good as any: with two others gone it is needed for each write.
        for other in [s for s in self.cell.followers() if s is not away][:2]:
            other.kill()
        self.cell.write("/u", 5)
        away.kill()
        self.cell.start()
        self.cell.wait_agree()

    def test_killed_again_and_again_in_the_middle_of_it_it_gets_there(self):
        away = self.cell.followers()[0]
        away.kill()
        self.cell.ok("mkdir", "/big")
        for i in range(40):
            self.cell.ok("put", f"/big/{i}", "-", input="x" * 200_000)
        self.cell.write("/w", 200)
        in_the_middle = 0
        for _ in range(6):
            before = len(away.said())
            away.start(*SETTINGS)
            cell.until(lambda b=before: FETCHED in away.said()[b:] or TAKEN_OVER in away.said(), 20,
                       "it asks for the state")
            away.kill()
            if TAKEN_OVER in away.said():
                break
            in_the_middle += 1
        self.assertGreater(in_the_middle, 0)
        self.cell.start()
        cell.until(lambda: TAKEN_OVER in away.said(), 20, "the state is taken over")
        self.cell.wait_agree()

    def lose_state(self, damage):
        lame = self.cell.followers()[0]
        numbers = self.cell.write("/w", 300)
        self.assertEqual(lame.stop(), 0)
        damage(lame)
        before = lame.said()
        self.cell.start()
        cell.until(lambda: TAKEN_OVER in lame.said()[len(before):], 20, "the state is taken over")
        self.assertEqual(self.cell.missing("/w", numbers), set())
        self.cell.wait_agree()
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
    cell.main()
