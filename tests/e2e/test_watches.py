#!/usr/bin/env python3
"""Many watches, and watches of much: of 100,000 nodes that all change, a thousand on
one session, through the death of the leader; and a reader that does not read. Who
is told what is checked event by event, in watching.c."""

import os
import signal
import unittest

import cell
import wire

WATCHING = os.path.join(cell.HELPERS, "watching")
FOLDERS = 1000
NODES = 100  # in each of them
RSS_GROWTH_KIB_MAX = 64 * 1024
OTHER_P99_US_MAX = 250_000
OTHER_MAX_US_MAX = 2_000_000
FAILOVER_US_MAX = 5_000_000

EVENT, RESYNC = 2, 9


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


class Watches(unittest.TestCase):
    def setUp(self):
        self.cell = self.enterContext(cell.Cell())

    def begin(self, folders, nodes, rounds):
        running = self.enterContext(
            cell.Running([WATCHING, str(folders), str(nodes), str(rounds)],
                         env=self.cell.environment()))
        self.wait_line(running, "watching")
        return running

    def wait_line(self, running, line):
        def there():
            if running.process.poll() not in (None, 0):
                self.fail(f"it ended: {running.said()} {running.complained()}")
            return line in running.lines()
        cell.until(there, 60, line)

    def rss_all(self):
        return [rss_kib(server.pid) for server in self.cell.servers if server.is_running()]

    def end(self, running):
        """What it counted; and the most memory that a server had meanwhile."""
        most = 0

        def ended():
            nonlocal most
            most = max(most, *self.rss_all())
            return running.process.poll() is not None
        cell.until(ended, 120, "all is told")
        said = running.said()
        print(said, f"rss_most_kib {most}")
        self.assertEqual(running.process.returncode, 0, said + running.complained())
        counted = dict(line.split() for line in running.lines() if line.count(" ") == 1)
        self.assertEqual(counted["wrong"], "0")
        return {name: int(value) for name, value in counted.items()}, most

    def check_others(self, counted, max_us):
        self.assertGreater(counted["other_writes"], 20)
        self.assertLess(counted["other_p99_us"], OTHER_P99_US_MAX)
        self.assertLess(counted["other_max_us"], max_us)

    def test_a_hundred_thousand_nodes_change_and_all_is_told(self):
        running = self.begin(FOLDERS, NODES, 1)
        before = max(self.rss_all())
        counted, most = self.end(running)
        self.assertEqual(counted["written"], FOLDERS * NODES)
        self.check_others(counted, OTHER_MAX_US_MAX)
        self.assertLess(most - before, RSS_GROWTH_KIB_MAX)
        # All but what had to be read anew, which a reader that keeps up has not.
        for watcher in ("tree", "folders"):
            if counted[watcher + "_resyncs"] == 0:
                self.assertEqual(counted[watcher], counted["written"])

    def test_case_14__a_thousand_watches_outlive_the_leader(self):
        nodes, rounds = 4, 4
        leader = self.cell.leader()
        running = self.begin(FOLDERS, nodes, rounds)
        self.wait_line(running, "round 2")
        leader.kill()
        counted, _ = self.end(running)
        self.assertEqual(counted["written"], FOLDERS * nodes * rounds)
        self.check_others(counted, FAILOVER_US_MAX)
        # Not more than is looked at for who comes back: nothing is lost, and nothing of the
        # thousand read anew. What the one of the tree missed may be more than its application
        # takes at once.
        self.assertEqual(counted["folders_resyncs"], 0)
        self.assertEqual(counted["folders"], counted["written"])

    def watch_tree(self, stream):
        wire.open_session(stream, ttl_ms=60000)
        watch = wire.message((1, 1), (2, "/w"), (3, 1), (6, 1))
        stream.send(wire.message((4, wire.message((3, watch), (5, 1)))))
        stream.wait_messages(2)

    def test_case_22__a_reader_that_does_not_read_costs_only_itself(self):
        with wire.Stream(self.cell.leader().address, wire.SESSION) as stream:
            self.watch_tree(stream)
            stream.running.signal(signal.SIGSTOP)
            running = self.begin(FOLDERS, NODES, 1)
            before = max(self.rss_all())
            counted, most = self.end(running)
            self.check_others(counted, OTHER_MAX_US_MAX)
            self.assertLess(most - before, RSS_GROWTH_KIB_MAX)
            stream.running.signal(signal.SIGCONT)
            last = self.cell.json("put", "/w", "last")["modified_revision"]

            def events():
                bodies = (body for kind, body in wire.items(stream.reply().messages)
                          if kind == EVENT)
                found = [wire.fields(body) for body in bodies]
                return [(e.get(2, [0])[0], e[3][0]) for e in found if 1 in e]

            def all_events():
                found = events()
                return found if found and found[-1][1] >= last else None
            told = cell.until(all_events, 90, "it is told the last of them")
            revisions = [revision for _, revision in told]
            self.assertEqual(revisions, sorted(revisions))
            self.assertIn(RESYNC, [kind for kind, _ in told])
            self.assertLess(len(told), 2 * counted["written"])


if __name__ == "__main__":
    cell.main()
