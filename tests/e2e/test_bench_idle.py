#!/usr/bin/env python3
# Runs beside others.
"""coord-bench's workloads about those who do nothing, who watch, and about what nodes
take: they run, and say what they measured. The numbers mean nothing here."""

import json
import os
import unittest

import cell

BENCH = os.path.join(cell.BIN, "coord-bench")
SESSIONS = 40
WATCHES = 1000
WRITES = 10
NODES = 500


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
        clients = {"sessions-of-one": 1, "sessions": 2, "sessions-2000conns": SESSIONS}
        running = {name: self.begin(name, SESSIONS) for name in clients}
        for name, count in clients.items():
            result = self.line(running[name], name)
            self.assertEqual((result["ops"], result["clients"]), (SESSIONS, count))
            self.assertIn("server_us_per_session_s", result)
            self.assertIn("leader_bytes_per_session", result)

    def test_servers_alone_are_measured(self):
        result = self.line(self.begin("idle", 0), "idle")
        self.assertEqual(result["clients"], 0)
        self.assertGreaterEqual(result["server_cpu_pct"], 0)

    def test_a_thousand_watches_are_told_of_each_write(self):
        for name, clients in (("watch-session", 1), ("watch-fanout", 100)):
            result = self.line(self.begin(name, WRITES), name)
            self.assertEqual((result["ops"], result["watchers"]), (WRITES, WATCHES))
            self.assertEqual(result["clients"], clients)
            self.assertLessEqual(result["from_ack_p50_us"], result["p50_us"])
            self.assertIn("leader_bytes_per_watch", result)

    def test_nodes_are_made_and_their_memory_is_told(self):
        result = self.line(self.begin("rss-100k", NODES), "rss-100k")
        self.assertEqual((result["ops"], result["nodes"]), (NODES, NODES))
        self.assertIn("servers_bytes_per_node", result)
        found = self.cell.ctl("ls", "/bench/nodes/0")
        self.assertEqual(len(found.stdout.split()), NODES)


if __name__ == "__main__":
    cell.main()
