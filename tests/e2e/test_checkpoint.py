#!/usr/bin/env python3
# Runs beside others.
"""With checkpoints every few slots: what they save is there after kills and power
cuts; a member that was away for too long, or whose checkpoint is damaged, or gone,
gets the state from the others."""

import glob
import os
import re
import unittest

import cell

OPTIONS = ("--checkpoint-slots", "40", "--log-keep-slots", "20")
POWERCUT = os.path.join(cell.HELPERS, "coordd-powercut")
APPLY = os.path.join(cell.HELPERS, "powercut-apply")
WRITER = os.path.join(cell.HELPERS, "writer")


class Checkpoint(unittest.TestCase):
    def write(self, own, count):
        """So many slots at least, from several writers."""
        with cell.Running([WRITER, f"/w{self.number}", "300"], env=own.environment()) as writer:
            writer.line(count, 30)
            writer.process.kill()
            writer.wait()
            self.written[f"/w{self.number}"] = {
                line.split()[1] for line in writer.lines() if line.startswith("ack ")}
        self.number += 1

    def setUp(self):
        self.number = 0
        self.written = {}

    def check_written(self, own):
        for name, numbers in self.written.items():
            there = set(own.ok("ls", name).split())
            self.assertEqual(numbers - there, set(), f"missing of {name}")

    def started(self, server):
        """What the last start found: the numbers of its line."""
        line = [l for l in server.said().splitlines() if " started " in l][-1]
        return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)\b", line)}

    def check_same_state(self, own):
        """All that are up have applied the same, and have the same state."""
        def same():
            members = [m for m in own.json("status")["members"] if m.get("role")]
            return (len(members) == len(own.servers)
                    and len({(m["applied"], m["state_hash"]) for m in members}) == 1)
        cell.until(same, 20, "all members have the same state")

    def test_a_start_goes_on_from_the_checkpoint(self):
        with cell.Cell(members=3, options=OPTIONS) as own:
            self.write(own, 300)
            for server in own.servers:
                server.kill()
            own.start()
            self.check_written(own)
            self.check_same_state(own)
            for server in own.servers:
                found = self.started(server)
                self.assertGreater(found["checkpoint"], 100)
                self.assertGreater(found["records"], 100)
                self.assertLess(found["entries"], 300)

    def test_who_was_away_for_too_long_gets_the_state(self):
        with cell.Cell(members=3, options=OPTIONS) as own:
            self.write(own, 50)
            away = own.followers()[0]
            away.kill()
            self.write(own, 300)
            away.start(*OPTIONS)
            self.check_same_state(own)
            self.assertIn("took the state of another member", away.said())
            self.check_written(own)
            # It has a checkpoint of its own now.
            away.kill()
            away.start(*OPTIONS)
            self.check_same_state(own)
            self.assertGreater(self.started(away)["checkpoint"], 100)

    def test_a_damaged_or_missing_checkpoint_is_no_end(self):
        with cell.Cell(members=3, options=OPTIONS) as own:
            self.write(own, 300)
            for damage in (self.overwrite, self.remove):
                victim = own.servers[1]
                victim.stop()
                damage(victim.directory + "/state.db")
                victim.start(*OPTIONS)
                self.check_same_state(own)
                self.assertEqual(self.started(victim)["checkpoint"], 0)
                self.write(own, 60)
                self.check_written(own)
                self.check_same_state(own)
            self.assertTrue(os.path.exists(victim.directory + "/state.db.damaged"))
            self.assertRegex(victim.said(), r"error checkpoint problem=.*state\.db\.damaged")

    def overwrite(self, path):
        os.unlink(path + "-wal")
        with open(path, "r+b") as file:
            file.seek(2 * 4096)
            file.write(os.urandom(2 * 4096))

    def remove(self, path):
        for name in glob.glob(path + "*"):
            if not name.endswith((".damaged", ".damaged-wal")):
                os.unlink(name)

    def test_power_cuts_lose_nothing(self):
        with cell.Cell(members=3, program=POWERCUT, options=OPTIONS) as own:
            for seed in range(5):
                with cell.Running([WRITER, f"/p{seed}", "300"], env=own.environment()) as writer:
                    writer.line(120 + 10 * seed, 60)
                    for server in own.servers:
                        server.process.kill()
                    for server in own.servers:
                        server.kill()
                    done = cell.run([APPLY, "--seed", str(seed),
                                     *[s.directory for s in own.servers]])
                    self.assertEqual(done.returncode, 0, done.stderr)
                    writer.process.kill()
                    writer.wait()
                    self.written[f"/p{seed}"] = {
                        line.split()[1] for line in writer.lines() if line.startswith("ack ")}
                own.start()
                self.check_written(own)
            self.check_same_state(own)
            for server in own.servers:
                self.assertGreater(self.started(server)["checkpoint"], 100)
                self.assertEqual(glob.glob(server.directory + "/*.damaged"), [])


if __name__ == "__main__":
    cell.main()
