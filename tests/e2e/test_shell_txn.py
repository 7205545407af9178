#!/usr/bin/env python3
# Runs beside others.
"""The shell on transactions, trees, sequential names, and reads as fresh as is asked
for; and whether all servers have the same state."""

import json
import os
import re
import unittest

import cell


class ShellTransactions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cell = cls.enterClassContext(cell.Cell())

    def txn(self, script, *arguments):
        return self.cell.ctl("txn", "-f", "-", *arguments, input=script)

    def done(self, script, *arguments):
        result = self.txn(script, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def refused(self, script, code, *said):
        result = self.txn(script)
        self.assertEqual((result.returncode, result.stdout), (code, ""), result)
        for words in said:
            self.assertIn(words, result.stderr)

    def generation(self, path):
        return self.cell.json("stat", path)["content_generation"]

    def test_all_of_it_is_done_in_one_revision(self):
        self.cell.ok("put", "--parents", "/t/a", "1")
        said = self.done(f"""# moves what is in /t/a
check exists /t/a
check generation /t/a {self.generation('/t/a')}
check absent /t/b
delete /t/a
create /t/b 'it''s "here"'   # two pieces of one word
put /t/deep/er "line\\nline" --parents
create --sequential /t/n-
""")
        revision = int(re.match(r"revision  (\d+)\n", said)[1])
        self.assertIn("/t/a  deleted\n", said)
        self.assertIn(f"/t/b  generation {revision}\n", said)
        self.assertEqual(self.cell.ok("get", "/t/b", "-o", "raw"), 'its "here"')
        self.assertEqual(self.cell.ok("get", "/t/deep/er", "-o", "raw"), "line\nline")
        self.assertEqual(self.cell.ctl("stat", "/t/a").returncode, 1)
        self.assertEqual(self.generation("/t/deep/er"), revision)
        made = re.search(r"(?m)^(/t/n-\d{20})  generation", said)[1]
        self.assertEqual(self.generation(made), revision)

    def test_each_sees_what_those_before_it_did(self):
        self.done("create /see 1\nput /see 2 \ncreate /see/child x\ndelete /see/child\nput /see 3")
        self.assertEqual(self.cell.ok("get", "/see"), "3\n")

    def test_if_one_does_not_hold_nothing_is_done_and_its_line_is_named(self):
        self.cell.ok("put", "/none", "1")
        generation = self.generation("/none")
        self.refused("put /none 2\n\ncheck absent /none", 1, "-:3: check absent /none")
        self.refused(f"put /none 2\ncheck generation /none {generation + 1}", 1, "-:2: check gen")
        self.refused("put /none 2\ncreate /none/child x\ndelete /none", 1, "-:3: delete /none")
        self.refused("put /none 2\ncheck exists /nowhere", 1, "-:2: check exists /nowhere")
        self.refused(f"put /none 2 --if-gen {generation + 1}", 1, "-:1: put /none")
        self.assertEqual(self.cell.ok("get", "/none"), "1\n")
        self.assertEqual(self.generation("/none"), generation)

    def test_it_can_depend_on_a_lock(self):
        with self.cell.begin("lock", "/txn-lock") as lock:
            sequencer = lock.line()
            self.done(f"check sequencer {sequencer}\nput /under 1")
            self.done(f"put /under 2 --if-seq {sequencer}")
            lock.signal(15)
            lock.wait()
        self.refused(f"check sequencer {sequencer}\nput /under 3", 1, "-:1: check sequencer")
        self.refused(f"put /under 3 --if-seq {sequencer}", 1, "-:1: put /under")
        self.assertEqual(self.cell.ok("get", "/under"), "2\n")

    def test_what_cannot_be_understood_is_refused_before_anything_is_sent(self):
        for script, *said in (
                ("put /q 1\nput /q", "-:2", "VALUE"), ("put /q 1\nfrob /q", "-:2", "'frob'"),
                ("put /q 1\n\nput q 2", "-:3", "put q"), ("put /q 1\nput /a//b 2", "-:2", "/a//b"),
                ("put /q 'x", "-:1", "quote"), ("put /q 1 --if-gen x", "-:1", "--if-gen"),
                ("put /q 1\ncheck sequencer x", "-:2", "sequencer"), ("", "-:1", "nothing"),
                ("put /q 1\n" * 129, "-:129", "128")):
            with self.subTest(script[:40]):
                self.refused(script, 2, *said)
        self.assertEqual(self.cell.ctl("stat", "/q").returncode, 1)
        done = self.cell.ctl("txn", "-f", "/no/such/file")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/no/such/file", done.stderr)

    def test_from_a_file_and_as_json(self):
        path = os.path.join(self.cell.top, "script")
        with open(path, "wb") as file:
            file.write(b'put /file "\\x00\\xff"\r\ndelete /file')
        result = self.cell.json("txn", "-f", path)
        self.assertGreater(result["revision"], 0)
        self.assertEqual([(n["path"], n["line"], n["change"]) for n in result["nodes"]],
                         [("/file", 1, "put"), ("/file", 2, "delete")])
        self.assertNotIn("instance", result["nodes"][1])
        raw = self.done("put /raw 1", "-o", "raw")
        self.assertEqual(int(raw), self.generation("/raw"))

    # ---- tree, sequential names ----

    def test_a_tree(self):
        for path in ("/tree/a/b", "/tree/a/c", "/tree/d"):
            self.cell.ok("put", "--parents", path, "xyz")
        self.assertEqual(self.cell.ok("tree", "/tree"),
                         "/tree\n├── a\n│   ├── b\n│   └── c\n└── d\n")
        self.assertRegex(self.cell.ok("tree", "-l", "/tree"),
                         r"(?m)^└── d  \(3 bytes, generation \d+\)$")
        tree = self.cell.json("tree", "/tree")
        self.assertEqual([c["name"] for c in tree["children"]], ["a", "d"])
        self.assertEqual([c["path"] for c in tree["children"][0]["children"]],
                         ["/tree/a/b", "/tree/a/c"])
        self.assertTrue(self.cell.ok("tree").startswith("/\n"))
        self.assertEqual(self.cell.ctl("tree", "/tree/none").returncode, 1)

    def test_sequential_names_rise(self):
        names = [self.cell.ok("create", "-s", "-p", "-o", "raw", "/queue/job-", str(i)).strip()
                 for i in range(3)]
        self.assertEqual(names, sorted(names))
        for i, name in enumerate(names):
            self.assertRegex(name, r"^/queue/job-\d{20}$")
            self.assertEqual(self.cell.ok("get", name), f"{i}\n")
        self.assertEqual(self.cell.json("create", "-s", "/queue/job-")["path"][:11], "/queue/job-")

    # ---- freshness, hash ----

    def test_reads_say_how_fresh_they_are(self):
        self.cell.ok("put", "/fresh", "v")
        revision = self.generation("/fresh")
        quorum = self.cell.json("get", "--quorum", "/fresh")
        self.assertEqual((quorum["content"], quorum["stale"]), ("v", False))
        self.assertGreaterEqual(quorum["revision"], revision)
        self.cell.wait_agree()  # whichever of them is asked
        stale = self.cell.json("get", "--stale", "/fresh")
        self.assertEqual((stale["content"], stale["stale"]), ("v", True))
        self.assertGreaterEqual(stale["revision"], revision)
        done = self.cell.ctl("get", "--stale", "/fresh")
        self.assertEqual(done.stdout, "v\n")
        self.assertRegex(done.stderr, r"^coordctl: as of revision \d+\n$")
        self.assertGreaterEqual(self.cell.json("stat", "--stale", "/fresh")["revision"], revision)
        self.assertEqual(self.cell.ctl("get", "--stale", "--quorum", "/fresh").returncode, 2)
        self.cell.ok("put", "/fresh/child", "w")
        self.assertEqual(self.cell.ok("ls", "--quorum", "/fresh"), "child\n")
        self.cell.wait_agree()
        self.assertEqual(self.cell.ok("ls", "--stale", "-R", "/fresh"), "/fresh/child\n")
        self.assertTrue(self.cell.json("ls", "--stale", "-l", "/fresh")["stale"])
        self.assertEqual(self.cell.ctl("get", "--stale", "/not-there").returncode, 1)

    def test_all_servers_agree(self):
        self.cell.ok("put", "/agree", "1")
        said = self.cell.ok("hash")
        self.assertTrue(said.endswith("AGREE\n"), said)
        self.assertEqual(len(re.findall(r"[0-9a-f]{32}  yes", said)), 5)
        result = self.cell.json("hash")
        self.assertEqual(result["result"], "agree")
        self.assertEqual([m["compared"] for m in result["members"]], [True] * 5)


class Minority(unittest.TestCase):
    """Two of five servers are left."""

    def leaderless(self, own):
        done = own.ctl("status", "-o", "json")
        return done if done.returncode == 70 else None

    def said_of(self, own):
        gone = ", ".join(s.address for s in own.servers[:3])
        return (f"coordctl: 3 of 5 servers cannot be reached (connection refused: {gone}); "
                "2 answered, and nobody leads: that takes 3, a majority\n")

    def test_what_is_stale_can_still_be_read(self):
        with cell.Cell() as own:
            own.ok("put", "/left", "v")
            own.wait_agree()
            for server in own.servers[:3]:
                server.kill()
            shown = cell.until(lambda: self.leaderless(own), 10, "nobody leads")
            self.assertIn(self.said_of(own), shown.stderr)
            status = json.loads(shown.stdout)
            self.assertEqual([m["role"] for m in status["members"]].count("unreachable"), 3)
            self.assertEqual([m["unreached"] for m in status["members"]],
                             ["connection refused"] * 3 + [""] * 2)
            self.assertEqual([m["pid"] for m in status["members"]][:3], [None] * 3)
            done = own.ctl("get", "--deadline", "1s", "/left")
            self.assertEqual(done.returncode, 69)
            self.assertRegex(done.stderr, r"no leader answered in time"
                             r"(: 127\.0\.0\.1:\d+: (connection refused|it does not lead))?\)")
            self.assertNotIn("gRPC", done.stderr)
            self.assertTrue(done.stderr.endswith(self.said_of(own)), done.stderr)
            self.assertEqual(own.ok("get", "--stale", "/left"), "v\n")
            self.assertIn("left\n", own.ok("ls", "--stale", "/"))
            said = own.ok("hash")
            self.assertEqual(said.count("not reached"), 3)
            self.assertTrue(said.endswith("AGREE\n"))
            done = own.ctl("step-down", "--deadline", "1s")
            self.assertEqual(done.returncode, 69, done.stderr)
            own.servers[3].kill()
            done = own.ctl("hash", "--deadline", "1s", "-o", "json")
            self.assertEqual(done.returncode, 69)
            self.assertEqual(json.loads(done.stdout)["result"], "undecided")


if __name__ == "__main__":
    cell.main()
