#!/usr/bin/env python3
# Runs beside others.
"""The shell on nodes: put, get, stat, ls, create, mkdir, rm, watch, status; and
its exit codes."""

import json
import re
import signal
import time
import unittest

import cell


class ShellNodes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cell = cls.enterClassContext(cell.Cell())

    def refused(self, *arguments, code=1, **options):
        done = self.cell.ctl(*arguments, **options)
        self.assertEqual(done.returncode, code, done)
        self.assertTrue(done.stderr.startswith("coordctl: "), done.stderr)
        return done.stderr

    def test_what_was_put_is_got(self):
        self.cell.ok("put", "/get", "hello")
        self.assertEqual(self.cell.ok("get", "/get"), "hello\n")
        self.assertEqual(self.cell.ok("get", "/get", "-o", "raw"), "hello")
        got = self.cell.json("get", "/get")
        self.assertEqual((got["path"], got["content"]), ("/get", "hello"))

    def test_content_from_standard_input_is_kept_to_the_byte(self):
        content = bytes(range(256)) * 5
        self.cell.ok("put", "/bytes", "-", input=content, text=False)
        self.assertEqual(self.cell.ok("get", "-o", "raw", "/bytes", text=False), content)
        self.assertNotIn("content", self.cell.json("get", "/bytes"))
        self.assertIn("content_base64", self.cell.json("get", "/bytes"))
        self.cell.ok("put", "/bytes", input="no dash\n")
        self.assertEqual(self.cell.ok("get", "/bytes"), "no dash\n")

    def test_the_largest_content_goes_through_and_one_byte_more_does_not(self):
        largest = "x" * (256 * 1024)
        self.cell.ok("put", "/large", "-", input=largest)
        self.assertEqual(self.cell.ok("get", "/large", "-o", "raw"), largest)
        self.assertIn("/large: too large (the content has 262145 bytes, and a cell takes 262144)",
                      self.refused("put", "/large", "-", input=largest + "x"))
        self.refused("put", "/large", "-", input="x" * (2 * 1024 * 1024))
        self.assertEqual(self.cell.json("stat", "/large")["content_bytes"], 256 * 1024)

    def test_a_write_can_be_conditional_on_the_generation(self):
        self.cell.ok("put", "/cas", "1")
        generation = self.cell.json("stat", "/cas")["content_generation"]
        self.cell.ok("put", "/cas", "2", "--if-gen", str(generation))
        message = self.refused("put", "/cas", "3", "--if-gen", str(generation))
        self.assertIn("/cas", message)
        self.assertEqual(self.cell.ok("get", "/cas"), "2\n")
        self.refused("put", "/cas-missing", "3", "--if-gen", "1")
        self.refused("rm", "/cas", "--if-gen", str(generation))
        self.cell.ok("rm", "/cas", "--if-gen",
                     str(self.cell.json("stat", "/cas")["content_generation"]))
        self.refused("get", "/cas")

    def test_generations_rise_through_deletion_and_making_anew(self):
        self.cell.ok("put", "/again", "1")
        before = self.cell.json("stat", "/again")
        self.cell.ok("rm", "/again")
        self.cell.ok("put", "/again", "1")
        after = self.cell.json("stat", "/again")
        self.assertGreater(after["instance"], before["content_generation"])
        self.assertGreater(after["content_generation"], before["content_generation"])

    def test_stat_tells_all(self):
        self.cell.ok("put", "/stat", "abc")
        self.cell.ok("mkdir", "/stat/child")
        stat = self.cell.json("stat", "/stat")
        self.assertEqual(stat["content_bytes"], 3)
        self.assertEqual(stat["children_count"], 1)
        self.assertEqual(stat["lock"], "free")
        self.assertFalse(stat["ephemeral"])
        self.assertGreaterEqual(stat["modified_revision"], stat["instance"])
        table = self.cell.ok("stat", "/stat")
        self.assertRegex(table, r"(?m)^children +1$")
        self.assertRegex(table, r"(?m)^kind +permanent$")

    def test_create_makes_and_never_replaces(self):
        self.cell.ok("create", "/create", "1")
        self.refused("create", "/create", "2")
        self.assertEqual(self.cell.ok("get", "/create"), "1\n")
        self.refused("create", "/no/parent", "1")
        self.cell.ok("create", "/no/parent", "1", "--parents")
        self.assertEqual(self.cell.ok("get", "/no/parent"), "1\n")

    def test_put_makes_parents_only_when_told(self):
        self.refused("put", "/deep/er/st", "1")
        self.cell.ok("put", "--parents", "/deep/er/st", "1")
        self.assertEqual(self.cell.ok("get", "/deep/er/st"), "1\n")

    def test_mkdir_and_ls(self):
        self.cell.ok("mkdir", "-p", "/list/b/c")
        self.cell.ok("mkdir", "-p", "/list/b/c")
        self.refused("mkdir", "/list/b")
        self.cell.ok("put", "/list/a", "12345")
        self.assertEqual(self.cell.ok("ls", "/list"), "a\nb\n")
        self.assertEqual(sorted(self.cell.ok("ls", "-R", "/list").split()),
                         ["/list/a", "/list/b", "/list/b/c"])
        self.assertRegex(self.cell.ok("ls", "-l", "/list"), r"(?m)^permanent +5 +0 .* a$")
        listing = self.cell.json("ls", "-R", "/list")
        self.assertEqual(sorted(e["path"] for e in listing["entries"]),
                         ["/list/a", "/list/b", "/list/b/c"])
        self.assertGreater(listing["revision"], 0)
        self.refused("ls", "/list/none")

    def test_a_long_listing_names_everything_once(self):
        script = " ".join(f"n{i:04}" for i in range(40))
        self.cell.ok("mkdir", "/many")
        for name in script.split():
            self.cell.ok("put", f"/many/{name}", "x" * 20000)
        self.assertEqual(self.cell.ok("ls", "/many").split(), script.split())

    def test_rm_takes_a_tree_only_when_told(self):
        self.cell.ok("put", "--parents", "/tree/a/b", "1")
        self.cell.ok("put", "/tree/c", "1")
        self.refused("rm", "/tree")
        self.cell.ok("rm", "-r", "/tree")
        self.refused("stat", "/tree")
        self.refused("rm", "/tree")

    def test_an_ephemeral_node_lives_as_long_as_its_command(self):
        with self.cell.begin("create", "--ephemeral", "/mortal", "v") as running:
            running.line()
            stat = self.cell.json("stat", "/mortal")
            self.assertTrue(stat["ephemeral"])
            self.assertNotEqual(stat["owner_session"], 0)
            self.refused("put", "/mortal/child", "1")
            running.signal(signal.SIGTERM)
            self.assertEqual(running.wait(), 0)
        self.refused("stat", "/mortal")

    def test_an_ephemeral_node_dies_with_a_killed_client(self):
        with self.cell.begin("create", "-e", "--ttl", "2s", "/killed") as running:
            running.line()
            running.signal(signal.SIGKILL)
            running.wait()
        cell.until(lambda: self.cell.ctl("stat", "/killed").returncode == 1, 10, "the node is gone")

    def test_watch_shows_the_present_and_then_each_event(self):
        self.cell.ok("put", "/watched", "one")
        with self.cell.begin("watch", "/watched", "-o", "json", "--value") as running:
            first = json.loads(running.line(0))
            self.assertEqual((first["event"], first["content"]), ("present", "one"))
            self.cell.ok("put", "/watched", "two")
            second = json.loads(running.line(1))
            self.assertEqual((second["event"], second["content"]), ("content", "two"))
            self.assertGreater(second["revision"], first["revision"])
            with self.cell.begin("lock", "/watched") as lock:
                self.assertEqual(json.loads(running.line(2))["event"], "lock-held")
                lock.signal(signal.SIGTERM)
                lock.wait()
            self.assertEqual(json.loads(running.line(3))["event"], "lock-free")
            self.cell.ok("rm", "/watched")
            self.assertEqual(json.loads(running.line(4))["event"], "deleted")
            self.cell.ok("put", "/watched", "anew")
            self.assertEqual(json.loads(running.line(5))["event"], "created")
            running.signal(signal.SIGINT)
            self.assertEqual(running.wait(), 0)
            self.assertEqual(len(running.lines()), 6)

    def test_watch_of_what_is_not_there_waits_for_it(self):
        with self.cell.begin("watch", "/to-come") as running:
            self.assertTrue(running.line(0).startswith("absent "))
            self.cell.ok("put", "/to-come", "1")
            self.assertTrue(running.line(1).startswith("created "))

    def test_status_shows_five_members_and_one_leader(self):
        status = self.cell.json("status")
        self.assertEqual(status["cell"], cell.CELL_ID)
        self.assertEqual(status["name"], "test")
        self.assertEqual([m["id"] for m in status["members"]], [1, 2, 3, 4, 5])
        self.assertEqual([m["pid"] for m in status["members"]],
                         [s.pid for s in self.cell.servers])
        self.assertEqual([m["address"] for m in status["members"]],
                         [s.address for s in self.cell.servers])
        leading = [m for m in status["members"] if m["role"] == "leader"]
        self.assertEqual(len(leading), 1)
        self.assertEqual(leading[0]["id"], status["leader"])
        self.assertEqual(leading[0]["ballot"] % 65536, status["leader"])
        for member in status["members"]:
            for name in ("ballot", "applied", "revision"):
                self.assertIsInstance(member[name], int)
        before = status["revision"]
        self.cell.ok("put", "/ready", "again")
        self.assertGreater(self.cell.json("status")["revision"], before)
        self.assertIn("ROLE", self.cell.ok("status"))

    def test_all_members_agree_on_the_state(self):
        self.cell.ok("put", "/agree", "1")
        self.cell.wait_agree()

    def test_usage_is_2(self):
        for arguments in (["nonsense"], [], ["get"], ["put", "/a", "b", "c"],
                          ["lock", "/a", "--wait", "5"], ["elect", "/a"], ["session", "kill"],
                          ["session"], ["session", "nonsense"], ["unlock", "/a"], ["txn"],
                          ["--endpoints", "nowhere", "status"], ["status", "-o", "xml"]):
            with self.subTest(arguments):
                self.assertEqual(self.cell.ctl(*arguments).returncode, 2)
        for word, said in (("lok", ", the nearest is 'lock'"), ("nonsense", "")):
            self.assertEqual(self.cell.ctl(word).stderr, f"coordctl: there is no command '{word}'"
                             f"{said}; 'coordctl --help' tells more\n")
        self.assertIn("--endpoints 'nowhere': an endpoint has no port",
                      self.cell.ctl("--endpoints", "nowhere", "status").stderr)
        done = cell.run([cell.COORDCTL, "status"], env={"PATH": "/usr/bin:/bin"})
        self.assertEqual(done.returncode, 2)
        self.assertIn("COORD_ENDPOINTS", done.stderr)

    def test_an_unreachable_cell_is_69(self):
        port = cell.free_ports(1)
        for arguments in (["status"], ["hash"], ["get", "/a"], ["get", "--stale", "/a"],
                          ["put", "/a", "b"], ["lock", "/a"], ["step-down"]):
            with self.subTest(arguments):
                message = self.refused("--endpoints", f"127.0.0.1:{port}", "--deadline", "300ms",
                                       *arguments, code=69)
                self.assertIn(f"127.0.0.1:{port}: connection refused", message)
                self.assertNotIn("ipv4", message)

    def test_what_is_wrong_is_said_once_and_in_the_words_of_the_command(self):
        self.cell.ok("mkdir", "-p", "/words/a")
        generation = self.cell.json("stat", "/words")["content_generation"]
        below = self.cell.json("stat", "/words/a")["content_generation"]
        for arguments, said in (
                (["get", "/words/none"], "/words/none: no such node"),
                (["put", "/words/b/c", "x"], "/words/b/c: no such node (no such parent)"),
                (["mkdir", "/words"], "/words: node exists already"),
                (["rm", "/words"], "/words: the node has children"),
                (["get", "words"], "words: invalid argument (does not begin with /)"),
                (["get", ""], "invalid argument (path: does not begin with /)"),
                (["put", "/words", "x", "--if-gen", "1"],
                 f"/words: generation is not the expected one (it is {generation} now)"),
                (["rm", "/words/a", "--if-gen", str(2 ** 63)],
                 f"/words/a: generation is not the expected one (it is {below} now)"),
                (["watch", "/words", "--from", "9999999"],
                 "/words: invalid argument (--from: is still to come)"),
                (["step-down", "--to", "9"],
                 "step-down: invalid argument (--to: is not another member)")):
            with self.subTest(arguments):
                self.assertEqual(self.cell.ctl(*arguments).stderr, f"coordctl: {said}\n")

    def test_status_does_not_wait_long_for_nobody(self):
        port = cell.free_ports(2)
        addresses = [f"127.0.0.1:{port}", f"127.0.0.1:{port + 1}"]
        began = time.monotonic()
        done = self.cell.ctl("--endpoints", ",".join(addresses), "status", "-o", "json")
        self.assertLess(time.monotonic() - began, 5)  # the deadline is 10 s
        self.assertEqual(done.returncode, 69)
        self.assertEqual([(m["address"], m["role"], m["pid"])
                          for m in json.loads(done.stdout)["members"]],
                         [(a, "unreachable", None) for a in addresses])
        table = self.cell.ctl("--endpoints", addresses[0], "--deadline", "300ms", "status").stdout
        self.assertRegex(table, rf"(?m)^- +{addresses[0]} +unreachable +-")

    def test_help_is_there_for_every_command(self):
        overview = cell.run([cell.COORDCTL, "--help"])
        self.assertEqual(overview.returncode, 0)
        names = re.findall(r"(?m)^  ([a-z-]+(?: [a-z]+)?)  +\S", overview.stdout)
        for name in ("status hash ls tree get stat put create mkdir rm txn watch lock elect leader "
                     "resign locks check unlock step-down").split() + ["session ls", "session kill"]:
            self.assertIn(name, names)
            done = cell.run([cell.COORDCTL, *name.split(), "--help"])
            self.assertEqual(done.returncode, 0)
            self.assertTrue(done.stdout.startswith(f"Usage: coordctl {name} "))
            self.assertRegex(done.stdout, rf"(?m)^Example:\n  coordctl {name}")
            self.assertEqual(done.stderr, "")
            self.assertEqual(cell.run([cell.COORDCTL, "help", *name.split()]).stdout, done.stdout)
        self.assertEqual(cell.run([cell.COORDCTL, "help"]).stdout, overview.stdout)
        done = cell.run([cell.COORDCTL, "session", "--help"])
        self.assertEqual((done.returncode, done.stdout.count("Usage: coordctl session ")), (0, 2))

    def test_the_examples_of_all_helps_run(self):
        overview = cell.run([cell.COORDCTL, "--help"]).stdout
        names = re.findall(r"(?m)^  ([a-z-]+(?: [a-z]+)?)  +\S", overview)
        first = ["put", "mkdir", "create", "txn"]  # they make what the others are about
        names = first + [n for n in names if n not in first + ["rm"]] + ["rm"]
        # Nobody leads, holds or is to be killed; and no lock set the variable.
        codes = {"leader": 1, "resign": 1, "unlock": 1, "session kill": 1, "check": 2}
        environment = self.cell.environment()
        environment["PATH"] = cell.BIN + ":" + environment["PATH"]
        for name in names:
            said = cell.run([cell.COORDCTL, *name.split(), "--help"]).stdout
            example = said[said.index("\nExample:\n") + len("\nExample:\n"):].lstrip()
            if name == "watch":  # which has no end
                example = "timeout -s INT 1 " + example.strip() + "; test $? = 124"
            with self.subTest(name):
                done = cell.run(["sh", "-c", example], env=environment)
                self.assertEqual(done.returncode, codes.get(name, 0), example + done.stderr)

    def test_bash_completes_commands_options_and_paths(self):
        def completed(*words):
            script = (f"source {cell.ROOT}/tools/coordctl/completion.bash; COMP_WORDS=(\"$@\"); "
                      'COMP_CWORD=$(($# - 1)); _coordctl; printf "%s\\n" "${COMPREPLY[@]}"')
            environment = self.cell.environment()
            environment["PATH"] = cell.BIN + ":" + environment["PATH"]
            done = cell.run(["bash", "-c", script, "bash", *words], env=environment)
            self.assertEqual(done.stderr, "")
            return done.stdout.split()
        self.cell.ok("put", "--parents", "/completed/one", "1")
        self.assertEqual(completed("coordctl", "st"), ["stat", "status", "step-down"])
        self.assertEqual(completed("coordctl", "session", ""), ["ls", "kill"])
        self.assertEqual(completed("coordctl", "lock", "--s"), ["--shared"])
        self.assertEqual(completed("coordctl", "session", "kill", "--w"), ["--wait"])
        self.assertEqual(completed("coordctl", "--dead"), ["--deadline"])
        self.assertEqual(completed("coordctl", "get", "/comp"), ["/completed"])
        self.assertEqual(completed("coordctl", "get", "-o", "raw", "/completed/o"),
                         ["/completed/one"])

    def test_bad_paths_are_refused_and_named(self):
        for path in ("a", "", "//", "/a/", "/a//b", "/a/../b", "/./a", "/a\x01b", "/a\nb",
                     "/" + "x" * 256, "/x" * 65, "/" + "/".join(["y" * 200] * 6)):
            with self.subTest(path):
                for arguments in (["put", "--parents", path, "1"], ["get", path], ["rm", path],
                                  ["watch", path], ["lock", "--try", path], ["tree", path],
                                  ["unlock", "--force", path], ["leader", path]):
                    self.refused(*arguments, code=2)
        self.refused("put", b"/\xff\xfe".decode("utf-8", "surrogateescape"), "1", code=2)
        self.refused("rm", "/", code=2)

    def test_paths_in_the_local_cell_may_say_so(self):
        self.cell.ok("put", "/ls/local/named", "1")
        self.assertEqual(self.cell.ok("get", "/named"), "1\n")
        self.assertEqual(self.cell.ok("get", "/ls/test/named"), "1\n")
        self.refused("get", "/ls/elsewhere/named", code=2)


if __name__ == "__main__":
    cell.main()
