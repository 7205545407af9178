#!/usr/bin/env python3
"""As many reads and writes as the cell can serve, and one small session beside them:
KeepAlives are not behind what others ask for."""

import json
import os
import unittest

import cell

BENCH = os.path.join(cell.BIN, "coord-bench")
LOAD_S = 6


class Load(unittest.TestCase):
    def setUp(self):
        self.cell = self.enterContext(cell.Cell())

    def load(self, workload):
        return self.enterContext(
            cell.Running([BENCH, "--endpoints", self.cell.endpoints, "--warmup", "0", "--seconds",
                          str(LOAD_S), workload]))

    def test_the_shortest_lease_lives_under_load(self):
        with self.cell.begin("lock", "--ttl", "2s", "/held") as holder:
            sequencer = holder.line()
            loads = [self.load("write-throughput-1000"), self.load("read-throughput-1000")]
            for load in loads:
                self.assertEqual(load.wait(60), 0, load.complained())
                # It went on through several leases.
                self.assertGreater(json.loads(load.line())["seconds"], 0.9 * LOAD_S)
            self.assertIsNone(holder.process.poll(), holder.complained())
            self.assertEqual(self.cell.ok("check", sequencer), "held\n")
            self.assertEqual(holder.lines(), [sequencer])


if __name__ == "__main__":
    cell.main()
