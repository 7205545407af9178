#!/usr/bin/env python3
# Runs beside others.
"""What README.md shows is compiled and run as it stands there; and no link in
the documentation leads nowhere."""

import glob
import os
import re
import shutil
import tempfile
import unittest

import cell

DOCS = ["README.md", "CONTRIBUTING.md", "coordd/README.md"]


def read(path):
    with open(os.path.join(cell.ROOT, path), encoding="utf-8") as file:
        return file.read()


def blocks(language):
    """The fenced blocks of README.md in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", read("README.md"), re.M | re.S)


class Readme(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cell = cls.enterClassContext(cell.Cell())
        cls.top = tempfile.mkdtemp(prefix="coord-readme-")
        cls.addClassCleanup(shutil.rmtree, cls.top)

    def build(self, index, name):
        """The program of that block, compiled as a user would."""
        source = blocks("c")[index]
        self.assertEqual(source, read(f"docs/examples/{name}.c"))
        path = os.path.join(self.top, name)
        with open(path + ".c", "w", encoding="utf-8") as file:
            file.write(source)
        libraries = os.path.join(os.path.dirname(cell.BIN), "lib")
        done = cell.run(["cc", "-Wall", "-Wextra", "-Werror", path + ".c", "-o", path,
                         "-I" + os.path.join(cell.ROOT, "libcoord/include"), "-L" + libraries,
                         "-Wl,-rpath," + libraries, "-lcoord"], 60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return path

    def test_there_are_two_programs(self):
        self.assertEqual(len(blocks("c")), 2)

    def test_the_lock(self):
        program = self.build(0, "lock")
        target = os.path.join(self.top, "lines")
        running = [self.enterContext(cell.Running([program, self.cell.endpoints, target, f"line {i}"]))
                   for i in range(4)]
        for r in running:
            self.assertEqual(r.wait(30), 0, r.complained())
            self.assertRegex(r.said(), r"^we hold [0-9a-f]{32}:\d+:x:\d+:/demo/lock, for \d+ ms")
        with open(target, encoding="utf-8") as file:
            self.assertEqual(sorted(file.read().splitlines()), [f"line {i}" for i in range(4)])

    def test_the_election(self):
        program = self.build(1, "election")
        running = [self.enterContext(cell.Running([program, self.cell.endpoints, f"host-{i}:80"]))
                   for i in range(3)]
        generations = set()
        for i, r in enumerate(running):
            self.assertEqual(r.wait(30), 0, r.complained())
            said = re.fullmatch(r"(\S+) leads as [0-9a-f]{32}:\d+:x:(\d+):/demo/leader\n", r.said())
            self.assertEqual(said[1], f"host-{i}:80")
            generations.add(said[2])
        self.assertEqual(len(generations), 3)
        self.assertEqual(self.cell.ctl("leader", "/demo/leader").returncode, 1)

    def test_they_say_so_if_there_is_no_cell(self):
        program = self.build(1, "election")
        done = cell.run([program, "nowhere", "me"])
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr.startswith("not elected: "))

    def run_shell(self, index):
        """The block of that number, as it stands there; what it said."""
        script = blocks("sh")[index]
        self.assertLessEqual(len(script.splitlines()), 20)
        environment = {**self.cell.environment(), "PATH": cell.BIN + ":" + os.environ["PATH"]}
        done = cell.run(["bash", "-e", "-u", "-o", "pipefail", "-c", script], 60,
                        env=environment, cwd=self.top)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_there_are_two_runs_of_the_shell(self):
        self.assertEqual(len(blocks("sh")), 2)

    def test_the_shell_in_twenty_lines(self):
        stdout = self.run_shell(0)
        for said in ("colour=blue\n", "somebody was faster\n", "we are alone, by ",
                     "that lock was given back\n", "value      10.0.0.1:80\n", "nobody leads now\n",
                     "present        /app/config", "colour=green\n"):
            self.assertIn(said, stdout)
        self.assertNotIn("too late\n", stdout)
        self.assertEqual(self.cell.ctl("stat", "/app").returncode, 1)

    def test_more_of_the_shell(self):
        stdout = self.run_shell(1)
        for said in ("/shop/sold  generation ", "├── sold  (9 bytes, ", "\n9\n", " shared ",
                     "/shop/till  was held by  session ", "the till was taken from us\n", "leader  ",
                     "AGREE\n", "present /shop \n", "content /shop/stock 9\n",
                     "created /shop/sold one chair\n", "created /shop/order-00"):
            self.assertIn(said, stdout)
        self.assertEqual(self.cell.ctl("stat", "/shop").returncode, 1)


class Links(unittest.TestCase):
    def test_no_link_leads_nowhere(self):
        pages = DOCS + [os.path.relpath(p, cell.ROOT) for p in
                        glob.glob(os.path.join(cell.ROOT, "docs/**/*.md"), recursive=True)]
        for page in pages:
            for target in re.findall(r"\]\(([^)#:]+)\)", read(page)):
                path = os.path.join(cell.ROOT, os.path.dirname(page), target)
                self.assertTrue(os.path.exists(path), f"{page} -> {target}")


if __name__ == "__main__":
    cell.main()
