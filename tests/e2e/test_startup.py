#!/usr/bin/env python3
# Runs beside others.
"""What a server says, and how it ends, when it cannot start; and that it is not
taken in by a directory, a cell or a peer that is not its own."""

import json
import os
import shutil
import signal
import socket
import unittest

import cell
import wire

# coordd/main/exit_codes.h
USAGE, PORT_TAKEN, NOT_INITIALISED, FOREIGN, CORRUPT, LOCKED, MISMATCH, EXISTS, HALTED = (
    2, 10, 11, 12, 13, 14, 15, 18, 19)
OTHER_CELL = "ffffffffffffffffffffffffffffffff"
FAILED_PRECONDITION = 9


class Startup(unittest.TestCase):
    def setUp(self):
        # One member of a cell that the others never join: enough to start.
        self.cell = cell.Cell()
        self.addCleanup(self.cell.close)
        self.server = self.cell.servers[0]
        self.server.init(self.cell.cell_id, self.cell.members)

    def serve(self, *arguments, directory=None):
        return cell.run([cell.COORDD, "serve", "--dir", directory or self.server.directory,
                         *arguments], 20)

    def fails(self, code, *arguments, directory=None, says=""):
        done = self.serve(*arguments, directory=directory)
        self.assertEqual(done.returncode, code, done)
        self.assertNotEqual(done.stderr, "")
        self.assertIn(says, done.stderr)
        return done.stderr

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.server.port), 1).close()
            return True
        except OSError:
            return False

    def start(self):
        self.server.start()
        cell.until(lambda: self.server.is_running() and self.listens(), 10, "it listens")

    def database(self):
        return os.path.join(self.server.directory, "log.db")

    def damage(self, database):
        """One byte of a value, wherever it lies."""
        for path in (database, database + "-wal"):
            if not os.path.exists(path):
                continue
            with open(path, "r+b") as file:
                at = file.read().find(b"x" * 1000)
                if at >= 0:
                    file.seek(at + 500)
                    file.write(b"y")
                    return
        self.fail("the value is nowhere")

    def test_it_starts_and_term_ends_it(self):
        self.start()
        self.assertEqual(self.server.stop(), 0)
        self.assertFalse(self.listens())
        self.start()
        self.server.process.send_signal(signal.SIGINT)
        self.assertEqual(self.server.process.wait(10), 0)

    def test_the_port_is_taken(self):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", self.server.port))
            s.listen()
            self.fails(PORT_TAKEN, says=str(self.server.port))
        self.start()

    def test_nothing_was_initialised(self):
        self.fails(NOT_INITIALISED, directory=self.cell.top + "/none", says="/none")
        os.mkdir(self.cell.top + "/empty")
        self.fails(NOT_INITIALISED, directory=self.cell.top + "/empty", says="/empty")
        self.assertEqual(os.listdir(self.cell.top + "/empty"), [], "it left something there")

    def test_a_directory_is_initialised_once(self):
        done = cell.run([cell.COORDD, "init", "--dir", self.server.directory, "--id", "1", "--cell",
                         self.cell.cell_id, "--members", self.cell.members])
        self.assertEqual(done.returncode, EXISTS, done)
        self.start()

    def test_a_foreign_database(self):
        database = self.database()
        for content in (b"this is no database at all" * 1000, b"SQLite format 3\0" + b"x" * 8000):
            with open(database, "wb") as file:
                file.write(content)
            done = self.serve()
            self.assertIn(done.returncode, (FOREIGN, CORRUPT), done)
            self.assertNotEqual(done.stderr, "")
        os.unlink(database)
        import sqlite3
        with sqlite3.connect(database) as other:
            other.execute("CREATE TABLE theirs (a)")
        self.fails(FOREIGN)

    def test_the_wrong_member_or_cell(self):
        self.fails(MISMATCH, "--id", "2")
        self.fails(MISMATCH, "--cell", OTHER_CELL)
        self.server.start("--id", "1", "--cell", self.cell.cell_id)
        cell.until(self.listens, 10, "it listens")

    def test_a_directory_serves_one_process(self):
        self.start()
        self.fails(LOCKED, says=self.server.directory)
        self.assertTrue(self.server.is_running())
        self.server.kill()
        self.start()

    def test_a_damaged_log_is_not_taken_for_none(self):
        with cell.Cell() as own:
            for number in range(30):
                own.ok("put", f"/n{number}", "x" * 1000)
            for server in own.servers:
                server.stop()
            victim = own.servers[1]
            self.damage(os.path.join(victim.directory, "log.db"))
            done = cell.run([cell.COORDD, "serve", "--dir", victim.directory], 20)
            self.assertEqual(done.returncode, CORRUPT, done)
            # The cell goes on without it.
            for server in own.servers:
                if server is not victim:
                    server.start()
            cell.until(lambda: own.ctl("put", "/ready", "1").returncode == 0, 20, "four serve")
            self.assertEqual(own.ok("get", "/n29", "-o", "raw"), "x" * 1000)

    def test_bad_options(self):
        for arguments in (["--nonsense"], ["--lease-ms", "x"], ["--lease-ms", "0"], ["extra"],
                          ["--config", "/none"], ["--id", "70000"], ["--cell", "xyz"],
                          ["--cell", ""], ["--id", "1", "--id", "2"],
                          ["--lease-ms", "100", "--heartbeat-ms", "100"]):
            with self.subTest(arguments):
                self.fails(USAGE, *arguments)
        self.assertEqual(cell.run([cell.COORDD, "serve"]).returncode, USAGE)
        self.assertEqual(cell.run([cell.COORDD]).returncode, USAGE)
        for arguments in (["nonsense"], ["version", "nonsense"]):
            done = cell.run([cell.COORDD, *arguments])
            self.assertEqual(done.returncode, USAGE)
            self.assertIn("'nonsense'", done.stderr)
        for arguments in (["--id", "9"], ["--cell", "12"], ["--members", "1=nowhere"],
                          ["--members", "1=a:1,1=b:2"], ["--id", "0"]):
            given = {"--dir": self.cell.top + "/x", "--id": "1", "--cell": OTHER_CELL,
                     "--members": "1=a:1,2=b:2"}
            given[arguments[0]] = arguments[1]
            done = cell.run([cell.COORDD, "init", *[w for pair in given.items() for w in pair]])
            self.assertEqual(done.returncode, USAGE, done)
            self.assertFalse(os.path.exists(self.cell.top + "/x"))

    def test_options_from_a_file(self):
        path = self.cell.top + "/coordd.conf"
        with open(path, "w", encoding="utf-8") as file:
            file.write("# a comment\nlease_ms = 500\nid = 2\n")
        self.fails(MISMATCH, "--config", path)
        self.server.start("--config", path, "--id", "1")
        cell.until(self.listens, 10, "it listens")
        with open(path, "a", encoding="utf-8") as file:
            file.write("colour = blue\n")
        self.server.stop()
        self.fails(USAGE, "--config", path, says="colour")


class Founding(unittest.TestCase):
    def test_a_cell_that_is_not_founded_says_whom_it_waits_for(self):
        own = cell.Cell()
        self.addCleanup(own.close)
        own.init()
        late = own.servers[3]
        others = [s for s in own.servers if s is not late]
        for server in others:
            server.start()

        waits = f"not founded yet: each server must be up once, and it waits for {late.id} " \
                f"({late.address})\n"

        def told():
            done = own.ctl("status")
            return done if done.stderr.endswith(waits) else None
        done = cell.until(told, 20, "status says whom the cell waits for")
        self.assertEqual(done.returncode, 70)
        self.assertEqual(json.loads(own.ctl("status", "-o", "json").stdout)["awaited"], [late.id])
        self.assertIn(waits, own.ctl("--deadline", "1s", "get", "/a").stderr)
        for server in others:
            cell.until(lambda s=server: f'founding waits_for="{late.id}={late.address}"' in s.said(),
                       30, "the log says it, too")
        late.start()
        own.wait_ready()
        self.assertEqual(own.json("status")["awaited"], [])


class Strangers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cell = cls.enterClassContext(cell.Cell(options=cell.STEADY))

    def tearDown(self):
        for server in self.cell.servers:
            self.assertTrue(server.is_running())
        self.cell.ok("put", "/serves", "1")

    def stranger(self, number, cell_id, members):
        port = cell.free_ports(1)
        server = cell.Server(number, port, os.path.join(self.cell.top, f"stranger-{port}"))
        server.init(cell_id, members.format(address=server.address))
        self.addCleanup(server.kill)
        server.start()
        return server

    def refused(self, server, word):
        """It says that it was refused, and so does somebody of the cell."""
        cell.until(lambda: word in server.said().lower(), 10,
                   f"it was told about the {word}: {server.said()}")
        cell.until(lambda: any(word in s.said().lower() for s in self.cell.servers), 10,
                   f"the cell logs the {word}: {[s.said()[-500:] for s in self.cell.servers]}")
        self.assertTrue(server.is_running())

    def unharmed(self):
        status = self.cell.json("status")
        self.assertEqual(status["cell"], cell.CELL_ID)
        self.assertEqual([m["id"] for m in status["members"]], [1, 2, 3, 4, 5])
        self.assertEqual(sum(m["role"] == "leader" for m in status["members"]), 1)

    def test_a_peer_of_another_cell_is_refused_and_logged(self):
        leader, ballot = self.cell.leader(), self.cell.json("status")["members"][0]["ballot"]
        server = self.stranger(6, OTHER_CELL, self.cell.members + ",6={address}")
        self.refused(server, "cell")
        self.cell.ok("put", "/meanwhile", "1")
        self.unharmed()
        self.assertEqual(self.cell.leader().id, leader.id)
        self.assertEqual(self.cell.json("status")["members"][0]["ballot"], ballot)

    def test_a_peer_that_is_no_member_is_refused_and_logged(self):
        server = self.stranger(6, cell.CELL_ID, self.cell.members + ",6={address}")
        self.refused(server, "member")
        self.unharmed()

    def test_who_calls_the_wrong_one_is_told(self):
        metadata = (f"coord-cell={cell.CELL_ID}", "coord-member=5",
                    "coord-incarnation=0000000000000001", "coord-target=2")
        reply = wire.call(self.cell.servers[0].address, wire.LINK, metadata=metadata)
        self.assertEqual(reply.status, FAILED_PRECONDITION)
        self.assertNotEqual(reply.text, "")
        for broken in ((), metadata[:3], ("coord-cell=x",), metadata[:1] + ("coord-member=0",),
                       metadata[:1] + ("coord-member=-1",), (f"coord-cell={'0' * 4000}",)):
            reply = wire.call(self.cell.servers[0].address, wire.LINK, metadata=broken,
                              deadline_ms=2000)
            self.assertNotIn(reply.status, (None, 0))


class Forgetful(unittest.TestCase):
    def test_case_16__a_directory_made_anew_has_no_vote(self):
        own = self.enterContext(cell.Cell())
        victim = next(s for s in own.servers if s is not own.leader())
        victim.kill()
        shutil.rmtree(victim.directory)
        victim.init(own.cell_id, own.members)
        victim.start()
        others = [s for s in own.servers if s is not victim]
        self.assertEqual(victim.process.wait(60), HALTED)
        self.assertIn("another data directory", victim.said())
        cell.until(lambda: any("data directory" in s.said() for s in others), 10,
                   "the others say so, too")
        own.ok("put", "/four", "1")
        # Two of the four go: with the impostor they would be three, which must not do.
        gone = [s for s in others if s is not own.leader()][:2]
        for server in gone:
            server.kill()
        self.assertEqual(own.ctl("--deadline", "2s", "put", "/two", "1").returncode, 69)
        for server in gone:
            server.start()
        cell.until(lambda: own.ctl("put", "/four", "2").returncode == 0, 20, "four serve")


if __name__ == "__main__":
    cell.main()
