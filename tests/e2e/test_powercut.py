#!/usr/bin/env python3
# Runs beside others.
"""The power fails at all five servers at once: whatever was not synced is gone,
and nothing that was acknowledged. Played with a VFS under the real SQLite; and
that a server that does not sync would fail here is shown, too."""

import os
import unittest

import cell

POWERCUT = os.path.join(cell.HELPERS, "coordd-powercut")
APPLY = os.path.join(cell.HELPERS, "powercut-apply")
WRITER = os.path.join(cell.HELPERS, "writer")


class PowerCut(unittest.TestCase):
    def cut(self, own, seed):
        """All processes die, then the power does."""
        for server in own.servers:
            server.process.kill()
        for server in own.servers:
            server.kill()
        done = cell.run([APPLY, "--seed", str(seed), *[s.directory for s in own.servers]])
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def write_until(self, own, prefix, count):
        """The numbers that were acknowledged; the writer still runs when the power fails."""
        writer = self.enterContext(cell.Running([WRITER, prefix, "300"],
                                                env=own.environment()))
        writer.line(count, 30)
        return writer

    def acknowledged(self, writer):
        writer.process.kill()
        writer.wait()
        return {line.split()[1] for line in writer.lines() if line.startswith("ack ")}

    def test_nothing_acknowledged_is_missing(self):
        with cell.Cell(program=POWERCUT) as own:
            written = {}
            # Seed 0: nothing unsynced survives. Others: some does, and torn.
            for seed in range(6):
                writers = {f"/w{seed}-{i}": None for i in range(3)}
                for prefix in writers:
                    writers[prefix] = self.write_until(own, prefix, 50)
                print(self.cut(own, seed).strip())
                for prefix, writer in writers.items():
                    written[prefix] = self.acknowledged(writer)
                own.start()
                for name, numbers in written.items():
                    there = set(own.ok("ls", name).split())
                    self.assertEqual(numbers - there, set(), f"missing after seed {seed}")

    def test_a_server_that_does_not_sync_would_be_caught(self):
        os.environ["COORD_POWERCUT_SYNCHRONOUS_OFF"] = "1"
        self.addCleanup(os.environ.pop, "COORD_POWERCUT_SYNCHRONOUS_OFF")
        with cell.Cell(program=POWERCUT) as own:
            writer = self.write_until(own, "/w", 100)
            self.cut(own, 0)
            written = self.acknowledged(writer)
            self.assertGreaterEqual(len(written), 100)
            own.start()
            done = own.ctl("ls", "/w")
            there = set(done.stdout.split()) if done.returncode == 0 else set()
            self.assertNotEqual(written - there, set(), "what was never synced is still there")


if __name__ == "__main__":
    cell.main()
