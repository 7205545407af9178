#!/usr/bin/env python3
# Runs beside others.
"""The power fails at all five servers at once: whatever was not synced is gone,
and nothing that was acknowledged. Played with a VFS under the real SQLite; and
that a server that does not sync would fail here is shown, too."""

import os
import unittest

import cell


class PowerCut(unittest.TestCase):
    def write_until(self, own, prefix, count):
        """A writer with so many acknowledged; it still runs when the power fails."""
        writer = self.enterContext(cell.Writer(own, prefix))
        writer.line(count, 30)
        return writer

    def test_nothing_acknowledged_is_missing(self):
        with cell.Cell(program=cell.POWERCUT) as own:
            written = {}
            # Seed 0: nothing unsynced survives. Others: some does, and torn.
            for seed in range(6):
                writers = {f"/w{seed}-{i}": None for i in range(3)}
                for prefix in writers:
                    writers[prefix] = self.write_until(own, prefix, 50)
                print(own.cut_power(seed).strip())
                for prefix, writer in writers.items():
                    writer.end()
                    written[prefix] = writer.acknowledged()
                own.start()
                for name, numbers in written.items():
                    self.assertEqual(own.missing(name, numbers), set(),
                                     f"missing after seed {seed}")

    def test_a_server_that_does_not_sync_would_be_caught(self):
        os.environ["COORD_POWERCUT_SYNCHRONOUS_OFF"] = "1"
        self.addCleanup(os.environ.pop, "COORD_POWERCUT_SYNCHRONOUS_OFF")
        with cell.Cell(program=cell.POWERCUT) as own:
            writer = self.write_until(own, "/w", 100)
            own.cut_power(0)
            writer.end()
            written = writer.acknowledged()
            self.assertGreaterEqual(len(written), 100)
            own.start()
            done = own.ctl("ls", "/w")
            there = {int(name) for name in done.stdout.split()} if done.returncode == 0 else set()
            self.assertNotEqual(set(written) - there, set(), "what was never synced is still there")


if __name__ == "__main__":
    cell.main()
