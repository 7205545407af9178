#!/usr/bin/env python3
# Runs beside others.
"""A log that is damaged in the middle: the server says so, sets it aside, gets the
state from the others, and is as good as before. Where its promise may be gone, it
stays down."""

import contextlib
import os
import sqlite3
import unittest

import cell

SETTINGS = ("--checkpoint-slots", "60", "--log-keep-slots", "30")
TAKEN_OVER = "took the state of another member"
ASIDE = "log.db.damaged"
CORRUPT = 13


class Repair(unittest.TestCase):
    options = SETTINGS

    def setUp(self):
        self.cell = self.enterContext(cell.Cell(options=self.options))

    def execute(self, server, statement):
        with contextlib.closing(sqlite3.connect(server.directory + "/log.db")) as log:
            log.execute(statement)
            log.commit()

    def damage(self, server, change):
        """Of the slot in the middle."""
        with contextlib.closing(sqlite3.connect(server.directory + "/log.db")) as log:
            floor, = log.execute("SELECT coalesce(max(value), 0) FROM number"
                                 " WHERE name = 5").fetchone()
            last, = log.execute("SELECT max(slot) FROM log").fetchone()
            slot = (floor + last) // 2
            log.execute(change, (slot,))
            log.commit()
        return slot

    def repaired(self, change):
        """One member with a damaged log, that has been brought up again."""
        lame = self.cell.followers()[0]
        numbers = self.cell.write("/w", 200)
        self.assertEqual(lame.stop(), 0)
        slot = self.damage(lame, change)
        before = len(lame.said())
        self.cell.start()
        cell.until(lambda: TAKEN_OVER in lame.said()[before:], 20, "the state is taken over")
        self.assertIn(f"slot {slot} ", lame.said()[before:])
        self.assertTrue(os.path.exists(os.path.join(lame.directory, ASIDE)))
        self.cell.wait_agree()
        self.assertEqual(self.cell.missing("/w", numbers), set())
        return lame

    def is_needed(self, lame):
        """With two others gone each write needs it; and its log is as good as any."""
        for other in [s for s in self.cell.servers if s is not lame][:2]:
            other.kill()
        self.cell.write("/u", 20)
        self.assertEqual(lame.stop(), 0)
        before = len(lame.said())
        self.cell.start()
        self.assertNotIn(ASIDE, lame.said()[before:])
        self.cell.wait_agree()

    def test_a_row_whose_value_was_changed_costs_nothing_but_a_transfer(self):
        self.is_needed(self.repaired(
            "UPDATE log SET value = zeroblob(length(value) + 1) WHERE slot = ?"))

    def test_a_row_that_is_gone_is_missed(self):
        self.is_needed(self.repaired("DELETE FROM log WHERE slot = ?"))

    def test_killed_again_and_again_it_has_no_vote_until_it_has_the_state(self):
        lame = self.cell.followers()[0]
        self.cell.write("/w", 100)
        self.assertEqual(lame.stop(), 0)
        self.damage(lame, "DELETE FROM log WHERE slot = ?")
        for _ in range(4):
            before = len(lame.said())
            lame.start(*self.options)
            cell.until(lambda: ' started ' in lame.said()[before:], 20, "it is started")
            lame.kill()
        self.cell.start()
        self.cell.wait_agree()
        self.is_needed(lame)

    def test_a_lost_promise_is_not_made_good(self):
        lame = self.cell.followers()[0]
        self.cell.write("/w", 20)
        self.assertEqual(lame.stop(), 0)
        self.execute(lame, "UPDATE number SET value = value - 65536 WHERE name = 1")
        done = cell.run([cell.COORDD, "serve", "--dir", lame.directory], 20)
        self.assertEqual(done.returncode, CORRUPT, done)
        self.assertIn("leave the member down", done.stderr)
        self.assertFalse(os.path.exists(os.path.join(lame.directory, ASIDE)))
        self.cell.write("/u", 20)


class RepairEarly(Repair):
    """Before there was any checkpoint: the log is all that anybody has."""
    options = ()


if __name__ == "__main__":
    cell.main()
