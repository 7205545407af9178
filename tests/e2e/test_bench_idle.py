#!/usr/bin/env python3
"""coord-bench's workloads about those who do nothing: they run, and say what they
measured. The numbers mean nothing here."""

import json
import os
import unittest

import cell

BENCH = os.path.join(cell.BIN, "coord-bench")
SESSIONS = 50
WATCHES = 1000
WRITES = 10


class Idle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cell = cls.enterClassContext(cell.Cell())

    def begin(self, workload, count):
        return self.enterContext(
            cell.Running([BENCH, "--endpoints", self.cell.endpoints, "--warmup", "0", "--seconds",
                          "0.5", "--count", str(count), workload]))

    def line(self, running, workload):
        self.assertEqual(running.wait(60), 0, running.complained())
        self.assertEqual(len(running.lines()), 1)
        result = json.loads(running.line())
        self.assertEqual(result["workload"], workload)
        return result

    def test_idle_sessions_live_and_are_measured(self):
        clients = {"idle-sessions": 1, "idle-connections": SESSIONS}
        running = {name: self.begin(name, SESSIONS) for name in clients}
        for name, count in clients.items():
            result = self.line(running[name], name)
            self.assertEqual((result["ops"], result["clients"]), (SESSIONS, count))
            self.assertIn("server_us_per_session_s", result)
            self.assertIn("leader_bytes_per_session", result)

    def test_a_thousand_watches_are_told_of_each_write(self):
        result = self.line(self.begin("watch-fanout", WRITES), "watch-fanout")
        self.assertEqual(result["ops"], WRITES * WATCHES)
        self.assertLessEqual(result["p50_us"], result["max_us"])
        self.assertIn("leader_bytes_per_watch", result)


if __name__ == "__main__":
    cell.main()
