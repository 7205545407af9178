#!/usr/bin/env python3
# Runs beside others.
"""With checkpoints every few slots: what they save is there after kills and power
cuts; a member that was away for too long, or whose checkpoint is damaged, or gone,
gets the state from the others."""

import contextlib
import glob
import os
import re
import unittest

import cell

OPTIONS = ("--checkpoint-slots", "40", "--log-keep-slots", "20")


class Checkpoint(unittest.TestCase):
    def write(self, own, count):
        """So many slots at least, from several writers."""
        prefix = f"/w{len(self.written)}"
        self.written[prefix] = own.write(prefix, count)

    def setUp(self):
        self.written = {}

    def check_written(self, own):
        for name, numbers in self.written.items():
            self.assertEqual(own.missing(name, numbers), set(), f"missing of {name}")

    def started(self, server):
        """What the last start found: the numbers of its line."""
        line = [l for l in server.said().splitlines() if " started " in l][-1]
        return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)\b", line)}

    def test_a_start_goes_on_from_the_checkpoint(self):
        with cell.Cell(members=3, options=OPTIONS) as own:
            self.write(own, 300)
            for server in own.servers:
                server.kill()
            own.start()
            self.check_written(own)
            own.wait_agree()
            for server in own.servers:
                found = self.started(server)
                # How far behind the last write it is depends on how fast the disk is.
                self.assertGreaterEqual(found["checkpoint"], 40)
                self.assertGreater(found["records"], 30)
                self.assertLess(found["entries"], 300)

    def test_who_was_away_for_too_long_gets_the_state(self):
        with cell.Cell(members=3, options=OPTIONS) as own:
            self.write(own, 50)
            away = own.followers()[0]
            away.kill()
            self.write(own, 300)
            away.start(*OPTIONS)
            own.wait_agree()
            self.assertIn("took the state of another member", away.said())
            self.check_written(own)
            # It has a checkpoint of its own now.
            away.kill()
            away.start(*OPTIONS)
            own.wait_agree()
            self.assertGreater(self.started(away)["checkpoint"], 100)

    def test_a_damaged_or_missing_checkpoint_is_no_end(self):
        with cell.Cell(members=3, options=OPTIONS) as own:
            self.write(own, 300)
            for damage in (self.overwrite, self.remove):
                victim = own.servers[1]
                victim.stop()
                damage(victim.directory + "/state.db")
                victim.start(*OPTIONS)
                own.wait_agree()
                self.assertEqual(self.started(victim)["checkpoint"], 0)
                self.write(own, 60)
                self.check_written(own)
                own.wait_agree()
            self.assertTrue(os.path.exists(victim.directory + "/state.db.damaged"))
            self.assertRegex(victim.said(), r"error checkpoint problem=.*state\.db\.damaged")

    def overwrite(self, path):
        with contextlib.suppress(FileNotFoundError):  # it is gone if all was moved at the end
            os.unlink(path + "-wal")
        with open(path, "r+b") as file:
            file.seek(2 * 4096)
            file.write(os.urandom(2 * 4096))

    def remove(self, path):
        for name in glob.glob(path + "*"):
            if not name.endswith((".damaged", ".damaged-wal")):
                os.unlink(name)

    def test_power_cuts_lose_nothing(self):
        with cell.Cell(members=3, program=cell.POWERCUT, options=OPTIONS) as own:
            for seed in range(5):
                with cell.Writer(own, f"/p{seed}") as writer:
                    writer.line(120 + 10 * seed, 60)
                    own.cut_power(seed)
                    writer.end()
                    self.written[f"/p{seed}"] = writer.acknowledged()
                own.start()
                self.check_written(own)
            own.wait_agree()
            for server in own.servers:
                self.assertGreater(self.started(server)["checkpoint"], 100)
                self.assertEqual(glob.glob(server.directory + "/*.damaged"), [])


if __name__ == "__main__":
    cell.main()
