#!/usr/bin/env python3
# Runs beside others.
"""The shell's watch: subtrees, children, from a revision, with values, and a command
for each event."""

import json
import os
import signal
import unittest

import cell


class ShellWatch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cell = cls.enterClassContext(cell.Cell())

    def begin(self, *arguments):
        return self.enterContext(self.cell.begin("watch", *arguments))

    def events(self, running, first, count):
        lines = [json.loads(running.line(first + i)) for i in range(count)]
        return [(line["event"], line["path"]) for line in lines]

    def test_of_all_below(self):
        self.cell.ok("mkdir", "/sub")
        running = self.begin("-r", "-o", "json", "--value", "/sub")
        self.assertEqual(self.events(running, 0, 1), [("present", "/sub")])
        self.cell.ok("put", "--parents", "/sub/a/b", "v")
        self.cell.ok("put", "/sub", "top")
        self.cell.ok("put", "/subtle", "no")
        self.cell.ok("rm", "-r", "/sub/a")
        self.assertEqual(self.events(running, 1, 5),
                         [("created", "/sub/a"), ("created", "/sub/a/b"), ("content", "/sub"),
                          ("deleted", "/sub/a/b"), ("deleted", "/sub/a")])
        self.assertEqual(json.loads(running.line(2))["content"], "v")
        self.assertEqual(json.loads(running.line(3))["content"], "top")
        revisions = [json.loads(line)["revision"] for line in running.lines()]
        self.assertEqual(revisions, sorted(revisions))

    def test_of_children(self):
        self.cell.ok("mkdir", "/parent")
        running = self.begin("--children", "/parent")
        self.assertTrue(running.line(0).startswith("present "))
        self.cell.ok("put", "/parent/x", "1")
        self.cell.ok("put", "/parent/x", "2")
        self.cell.ok("put", "/parent/x/deeper", "1")
        self.cell.ok("rm", "-r", "/parent/x")
        self.assertRegex(running.line(1), r"^child-added +/parent/x  revision \d+")
        self.assertRegex(running.line(2), r"^child-removed +/parent/x  revision \d+")
        self.assertEqual(len(running.lines()), 3)

    def test_from_a_revision(self):
        self.cell.ok("put", "/from", "0")
        revision = self.cell.json("stat", "/from")["modified_revision"]
        for value in "123":
            self.cell.ok("put", "/from", value)
        running = self.begin("--from", str(revision), "--value", "-o", "json", "/from")
        self.assertEqual(self.events(running, 0, 3), [("content", "/from")] * 3)
        # What has changed again since is not carried.
        self.assertNotIn("content", json.loads(running.line(0)))
        self.assertEqual(json.loads(running.line(2))["content"], "3")
        self.cell.ok("put", "/from", "4")
        self.assertEqual(json.loads(running.line(3))["content"], "4")

    def test_events_survive_a_change_of_leader(self):
        self.cell.ok("put", "/moved", "0")
        running = self.begin("-o", "json", "/moved")
        running.line(0)
        for value in range(1, 6):
            self.cell.ok("put", "/moved", str(value))
            if value in (2, 4):
                self.cell.ok("step-down")
        self.assertEqual(self.events(running, 1, 5), [("content", "/moved")] * 5)

    # ---- --exec ----

    def test_a_command_for_each_event_in_order_one_at_a_time(self):
        trace = os.path.join(self.cell.top, "trace")
        command = (f'echo begin $COORD_EVENT_KIND $COORD_EVENT_PATH $COORD_EVENT_EXISTS >>{trace}; '
                   f'sleep 0.1; echo "value $(cat) end $COORD_EVENT_REVISION" >>{trace}')
        self.cell.ok("put", "/exec", "v0")
        running = self.begin("--value", "/exec", "--exec", command)

        def traced(count):
            def there():
                with open(trace, encoding="utf-8") as file:
                    return file.read().splitlines()
            cell.until(lambda: os.path.exists(trace) and len(there()) >= count, 15,
                       f"{count} lines: {running.complained()}")
            return there()
        traced(2)
        for i in range(1, 4):
            self.cell.ok("put", "/exec", f"v{i}")
        traced(8)
        self.cell.ok("rm", "/exec")
        lines = traced(10)
        self.assertEqual(lines[::2], ["begin present /exec 1"] + ["begin content /exec 1"] * 3 +
                         ["begin deleted /exec 0"])
        self.assertTrue(lines[1].startswith("value v0 end "))
        # What was overtaken while a command ran has no value, the last has.
        self.assertTrue(lines[7].startswith("value v3 end "))
        revisions = [int(line.split()[-1]) for line in lines[1::2]]
        self.assertEqual(revisions, sorted(set(revisions)))
        running.signal(signal.SIGTERM)
        self.assertEqual(running.wait(), 0)
        self.assertEqual(running.lines(), [])

    def test_a_command_that_fails_ends_the_watch(self):
        self.cell.ok("put", "/fails", "1")
        running = self.begin("/fails", "--exec", 'echo $COORD_EVENT_KIND; '
                             'test $COORD_EVENT_KIND != content || exit 7')
        self.assertEqual(running.line(0), "present")
        self.cell.ok("put", "/fails", "2")
        self.assertEqual(running.wait(), 7)
        self.assertIn("CMD ended with 7", running.complained())
        self.assertEqual(running.lines(), ["present", "content"])

    def write_all(self, folder, names, value):
        """One transaction that changes all of them."""
        self.cell.ok("txn", "-f", "-",
                     input="".join(f"put {folder}/{n} {value}\n" for n in names))

    def test_behind_what_is_remembered_it_says_so(self):
        deep = "/history/" + "/".join(["x" * 250] * 3)
        names = [f"{i:03}" + "y" * 200 for i in range(120)]
        self.cell.ok("put", "--parents", deep, "1")
        revision = self.cell.json("stat", "/history")["modified_revision"]
        for i in range(40):  # more than 4 MiB of events
            self.write_all(deep, names, i)
        running = self.begin("-r", "--from", str(revision), "-o", "json", "/history")
        first = json.loads(running.line(0))
        self.assertEqual((first["event"], first["path"]), ("resync", "/history"))
        self.cell.ok("put", "/history/later", "1")
        cell.until(lambda: '"/history/later"' in running.said(), 10, "what is later is told")
        for line in running.lines()[1:]:
            self.assertGreater(json.loads(line)["revision"], first["revision"])

    def test_a_command_that_is_too_slow_is_told_so(self):
        names = [f"n{i}" for i in range(120)]
        gate = os.path.join(self.cell.top, "gate")
        self.cell.ok("mkdir", "/slow")
        running = self.begin("-r", "/slow", "--exec", "echo $COORD_EVENT_KIND $COORD_EVENT_REVISION "
                             f"$COORD_EVENT_PATH; while ! [ -e {gate} ]; do sleep 0.02; done")
        self.assertTrue(running.line(0).startswith("present "))
        for i in range(16):  # more than wait in coordctl and the library together
            self.write_all("/slow", names, i)
        with open(gate, "w", encoding="ascii"):
            pass
        cell.until(lambda: "\nresync " in running.said(), 60, "resync")
        self.cell.ok("put", "/slow/last", "1")
        cell.until(lambda: " /slow/last\n" in running.said(), 60, "what is later is told")
        lines = [line.split() for line in running.lines()[1:]]
        revisions = [int(line[1]) for line in lines]
        self.assertEqual(revisions, sorted(revisions))
        # Up to the resync nothing is left out; behind it only what is later is told.
        told = [tuple(line) for line in lines]
        self.assertEqual(len(told), len(set(told)))
        at = [line[0] for line in lines].index("resync")
        self.assertEqual([line[2] for line in lines[:at]],
                         [f"/slow/{names[i % 120]}" for i in range(at)])
        self.assertTrue(all(r > revisions[at] for r in revisions[at + 1:]))

    def test_told_to_end_it_ends_its_command(self):
        self.cell.ok("put", "/told", "1")
        running = self.begin("/told", "--exec", "echo $$; exec sleep 60")
        child = int(running.line(0))
        running.signal(signal.SIGTERM)
        self.assertEqual(running.wait(5), 0)
        self.assertFalse(cell.is_alive(child))

    def test_nothing_of_ours_is_open_in_the_command(self):
        self.cell.ok("put", "/fds", "1")
        running = self.begin("/fds", "--exec", "ls -l /proc/self/fd; exit 1")
        running.wait()
        for word in ("socket", "eventfd", "eventpoll"):
            self.assertNotIn(word, running.said())


if __name__ == "__main__":
    cell.main()
