#!/usr/bin/env python3
# Runs beside others.
"""coord-bench: every workload runs, and says what it measured. The numbers mean
nothing here: each runs for a moment."""

import contextlib
import json
import os
import shlex
import signal
import unittest

import cell

BENCH = os.path.join(cell.BIN, "coord-bench")
TIMED = {"write-throughput-1000": (10, 1000), "write-throughput-100x1": (100, 100),
         "read-throughput-1000": (10, 1000), "read-throughput-100x1": (100, 100),
         "lock-contended": (50, 50)}
COUNTED = {"write-latency": (1, 1), "read-latency": (1, 1), "lock-cycle": (1, 1),
           "election": (10, 10), "election-close": (10, 10)}
COUNT = 10


class Bench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cell = cls.enterClassContext(cell.Cell())

    def bench(self, *arguments):
        return cell.run([BENCH, "--endpoints", self.cell.endpoints, "--warmup", "0", "--seconds",
                         "0.2", "--count", str(COUNT), *arguments])

    def line(self, *arguments):
        done = self.bench(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.stdout.count("\n"), 1)
        result = json.loads(done.stdout)
        self.assertEqual(result["workload"], arguments[-1])
        self.assertEqual(result["peer"], "coord")
        return result

    def check_shape(self, result, shape):
        self.assertEqual((result["clients"], result["inflight"]), shape)
        self.assertGreater(result["server_rss_kib"], 0)
        self.assertLessEqual(result["p50_us"], result["p99_us"])
        self.assertLessEqual(result["p99_us"], result["max_us"])

    def test_workloads_of_a_time(self):
        for name, shape in TIMED.items():
            with self.subTest(name):
                result = self.line(name)
                self.check_shape(result, shape)
                self.assertGreater(result["ops"], 0)
                self.assertAlmostEqual(result["ops_per_s"], result["ops"] / result["seconds"],
                                       delta=0.01 * result["ops_per_s"] + 1)

    def test_workloads_of_a_count(self):
        for name, shape in COUNTED.items():
            with self.subTest(name):
                result = self.line(name)
                self.check_shape(result, shape)
                self.assertEqual(result["ops"], COUNT)

    def test_shapes_that_are_told(self):
        for name in ("write-throughput", "read-throughput"):
            with self.subTest(name):
                result = self.line("--clients", "3", "--inflight", "7", name)
                self.check_shape(result, (3, 7))
                self.assertGreater(result["ops"], 0)
                self.assertNotIn("buckets", result)
        self.assertIn("one operation for each",
                      self.bench("--clients", "3", "--inflight", "2", "write-throughput").stderr)

    def test_how_latencies_are_spread(self):
        result = self.line("--details", "write-latency")
        starts = [start for start, _ in result["buckets"]]
        self.assertEqual(starts, sorted(set(starts)))
        self.assertEqual(sum(count for _, count in result["buckets"]), COUNT)
        self.assertLessEqual(starts[-1], result["max_us"])
        self.assertGreaterEqual(starts[-1] * 17 / 16, result["max_us"] - 1)

    def test_memory_of_each_server(self):
        result = self.line("rss")
        self.assertEqual(len(result["rss_each_kib"]), 5)
        self.assertEqual(sum(result["rss_each_kib"]) // 1024, result["server_rss_kib"] // 1024)

    def test_warm_up_says_nothing(self):
        done = self.bench("--warmup", "0.2", "warmup")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_a_mistake_is_a_usage_error_and_an_absent_cell_a_failure(self):
        self.assertEqual(cell.run([BENCH, "--seconds", "1"]).returncode, 2)
        self.assertNotEqual(self.bench("no-such-workload").returncode, 0)
        self.assertIn("--restart", self.bench("failover").stderr)


class Failover(unittest.TestCase):
    def test_the_leader_is_killed_and_comes_back(self):
        with cell.Cell() as five:
            pids = os.path.join(five.top, "pids")
            command = (f"{shlex.quote(cell.COORDD)} serve --dir {shlex.quote(five.top)}/{{id}} "
                       f">/dev/null 2>&1 </dev/null & echo $! >>{shlex.quote(pids)}")
            self.addCleanup(self.end_all, pids)
            try:
                done = cell.run([BENCH, "--endpoints", five.endpoints, "--warmup", "0", "--count",
                                 "1", "--details", "--restart", command, "failover"])
            finally:
                self.end_all(pids)
            self.assertEqual(done.returncode, 0, done.stderr)
            result = json.loads(done.stdout)
            self.assertEqual(len(result["each_ms"]), 1)
            self.assertAlmostEqual(result["each_ms"][0], result["p50_us"] / 1000, delta=1)
            self.check_timeline(result)
            self.assertEqual(sum(s.is_running() for s in five.servers), 4)

    def check_timeline(self, result):
        """There were writes before the kill, none while nobody led, and then again."""
        step = result["timeline_step_ms"]
        killed = result["timeline_before_ms"] // step
        self.assertEqual(len(result["timelines"]), 1)
        line = result["timelines"][0]
        again = killed + int(result["each_ms"][0] // step)
        self.assertGreater(sum(line[:killed]), 0)
        self.assertEqual(sum(line[killed + 1:again]), 0)
        if again + 1 < len(line):  # the machine may be slow
            self.assertGreater(sum(line[again:again + 2]), 0)

    def end_all(self, pids):
        with contextlib.suppress(FileNotFoundError), open(pids, encoding="ascii") as file:
            for pid in map(int, file.read().split()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    cell.main()
