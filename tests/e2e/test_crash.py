#!/usr/bin/env python3
# Runs beside others.
"""kill -9 of followers, of leaders again and again, and of all five: no write that
was acknowledged is ever missing, and a new leader serves soon."""

import json
import unittest

import cell

ACKNOWLEDGED_AGAIN_MS = 8000  # half a second on an idle machine


def parse(lines):
    """(acknowledged numbers, the longest wait for one in ms, numbers of unknown outcome)"""
    acknowledged, longest, maybe = [], 0, []
    for line in lines:
        kind, number, rest = line.split()
        if kind == "ack":
            acknowledged.append(int(number))
            longest = max(longest, int(rest))
        else:
            maybe.append(int(number))
    return acknowledged, longest, maybe


class Crash(unittest.TestCase):
    def setUp(self):
        self.cell = self.enterContext(cell.Cell())

    def begin_writer(self, prefix):
        running = self.enterContext(cell.Writer(self.cell, prefix))
        running.line(20)
        return running

    def goes_on(self, writer, more=10, seconds=15):
        count = len(writer.lines())
        writer.line(count + more, seconds)

    def end_writer(self, writer):
        """Everything acknowledged is there, whatever happened."""
        self.assertIsNone(writer.process.poll(), writer.complained())
        writer.end()
        return parse(writer.lines())

    def all_there(self, prefix, acknowledged):
        self.assertEqual(self.cell.missing(prefix, acknowledged), set())
        for number in acknowledged[:3] + acknowledged[-3:]:
            self.assertEqual(self.cell.ok("get", f"{prefix}/{number}"), f"{number}\n")

    def test_a_killed_follower_is_not_noticed_and_catches_up(self):
        writer = self.begin_writer("/w")
        for follower in self.cell.followers()[:2]:
            follower.kill()
            self.goes_on(writer)
        self.cell.start()
        self.goes_on(writer)
        acknowledged, longest, maybe = self.end_writer(writer)
        self.assertEqual(maybe, [])
        self.assertLess(longest, ACKNOWLEDGED_AGAIN_MS)
        self.all_there("/w", acknowledged)
        self.cell.wait_agree()

    def test_writes_go_on_after_each_killed_leader(self):
        writer = self.begin_writer("/w")
        ballots = []
        for _ in range(4):
            leader = self.cell.leader()
            # Of those that can be reached: who was just started may not listen yet.
            ballots.append(max(m["ballot"] or 0 for m in self.cell.json("status")["members"]))
            leader.kill()
            self.goes_on(writer)
            self.cell.start()
        acknowledged, longest, maybe = self.end_writer(writer)
        print(f"longest wait for an acknowledgement: {longest} ms over 4 killed leaders")
        self.assertEqual(maybe, [], "the session applies exactly once, so every outcome is known")
        self.assertLess(longest, ACKNOWLEDGED_AGAIN_MS)
        self.assertEqual(acknowledged, list(range(1, len(acknowledged) + 1)))
        self.assertEqual(ballots, sorted(set(ballots)))
        self.all_there("/w", acknowledged)

    def test_a_lock_outlives_its_leader(self):
        with self.cell.begin("lock", "/kept", "--", "sh", "-c",
                             "echo $COORD_LOCK_SEQUENCER; exec sleep 300") as holder:
            sequencer = holder.line()
            with self.cell.begin("lock", "/kept", "--", "true") as waiter:
                self.cell.wait_in_line("/kept")
                self.cell.leader().kill()
                self.assertEqual(self.cell.ok("check", sequencer), "held\n")
                self.assertEqual(self.cell.ctl("lock", "--try", "/kept").returncode, 75)
                self.assertIsNone(holder.process.poll())
                self.assertIsNone(waiter.process.poll())
                holder.process.terminate()
                holder.wait()
                self.assertEqual(waiter.wait(), 0)

    def test_a_watcher_misses_nothing_that_lasts(self):
        self.cell.ok("put", "/seen", "0")
        with self.cell.begin("watch", "/seen", "-o", "json", "--value") as watcher:
            watcher.line()
            for number in range(1, 4):
                self.cell.leader().kill()
                self.cell.ok("put", "/seen", f"<{number}>")
                cell.until(lambda n=number: f"<{n}>" in watcher.said(), 15, f"{number} was seen")
                self.cell.start()

    def test_nothing_acknowledged_is_missing_after_all_five_were_killed(self):
        acknowledged = []
        for number in range(3):
            prefix = f"/w{number}"
            writer = self.begin_writer(prefix)
            self.cell.kill_all()
            acknowledged.append((prefix, self.end_writer(writer)[0]))
            self.cell.start()
            for prefix, numbers in acknowledged:
                self.all_there(prefix, numbers)

    def test_two_of_five_decide_nothing(self):
        for server in self.cell.servers[:3]:
            server.kill()
        for arguments in (["put", "/minority", "1"], ["get", "/ready"]):
            self.assertEqual(self.cell.ctl("--deadline", "1s", *arguments).returncode, 69)
        done = self.cell.ctl("status", "-o", "json")
        roles = [m["role"] for m in json.loads(done.stdout)["members"]]
        self.assertEqual(done.returncode, 70)
        self.assertEqual(roles.count("unreachable"), 3)
        self.assertEqual(roles.count("leader"), 0)
        self.cell.servers[0].start()
        cell.until(lambda: self.cell.ctl("put", "/majority", "1").returncode == 0, 15,
                   "three of five serve")


if __name__ == "__main__":
    cell.main()
