#!/usr/bin/env python3
"""Leadership that is handed over by request: no write is lost, at most one call of a
client is slow, and what is left of a lease is passed on."""

import time
import unittest

import cell

HAND_OVERS = 3
SLOW_MS = 250
SLOWEST_MS = 8000
TTL_S = 8


class HandOver(unittest.TestCase):
    def setUp(self):
        self.cell = self.enterContext(cell.Cell())

    def hand_over(self):
        before = self.cell.leader().id
        self.cell.ok("step-down")
        cell.until(lambda: self.cell.leader().id != before, 10, "another one leads")

    def test_no_write_is_lost_and_at_most_one_is_slow(self):
        with cell.Writer(self.cell, "/w") as writer:
            writer.line(200)
            usual = len(writer.lines())
            for _ in range(HAND_OVERS):
                self.hand_over()
                writer.line(len(writer.lines()) + 100)
            self.assertIsNone(writer.process.poll(), writer.complained())
            writer.end()
            lines = [line.split() for line in writer.lines()]
        self.assertEqual({line[0] for line in lines}, {"ack"})
        took = [int(ms) for _, _, ms in lines]
        slow_ms = max(SLOW_MS, 2 * max(took[:usual]))  # what is slow on a machine as busy as this
        print(f"slowest before: {max(took[:usual])} ms, afterwards: {sorted(took)[-HAND_OVERS:]}")
        self.assertLessEqual(sum(ms > slow_ms for ms in took), HAND_OVERS)
        self.assertLess(max(took), SLOWEST_MS)
        self.assertEqual(self.cell.missing("/w", [int(number) for _, number, _ in lines]), set())

    def test_what_is_left_of_a_lease_is_passed_on(self):
        with self.cell.begin("lock", "--ttl", f"{TTL_S}s", "/l") as holder:
            holder.line()
            opened = time.monotonic()
            holder.process.kill()
            holder.wait()
        with self.cell.begin("lock", "/l") as waiter:
            time.sleep(max(opened + TTL_S / 2 - time.monotonic(), 0))
            handed = time.monotonic()
            self.hand_over()
            waiter.line(seconds=2 * TTL_S)
            granted = time.monotonic()
        # It did not end with the hand-over, and one that began anew would have lasted longer.
        self.assertGreater(granted - opened, 0.75 * TTL_S)
        self.assertLess(granted - handed, TTL_S)


if __name__ == "__main__":
    cell.main()
