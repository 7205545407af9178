#!/usr/bin/env python3
# Runs beside others.
"""What no client of ours would send: garbage on the port, malformed messages on
every method, oversized values, unknown sessions, reused numbers. Every server
lives on, and nothing changes that should not."""

import os
import random
import socket
import unittest

import cell
import wire

OK, INVALID, NO_NODE, STALE_SEQUENCER, EXPIRED, TOO_LARGE = 0, 1, 2, 8, 13, 17
GRPC_OK, GRPC_UNIMPLEMENTED = 0, 12
CONTENT_BYTES_MAX = 256 * 1024

# Fixed: a failure can be repeated.
SEED = 20260101


def broken_from(good, rng, count):
    """Variations on a message: cut off, a byte changed, something put in."""
    for _ in range(count):
        data = bytearray(good)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(data) + 1)
            how = rng.randrange(4)
            if how == 0:
                del data[at:]
            elif how == 1 and at < len(data):
                data[at] = rng.randrange(256)
            elif how == 2:
                data[at:at] = rng.randbytes(rng.randint(1, 9))
            else:
                data[at:at] = wire.message((rng.randint(1, 20), rng.randbytes(rng.randint(0, 5))))
        yield bytes(data)


HANDMADE = [
    b"",
    b"\x00",
    b"\xff" * 20,                              # a varint without an end
    b"\x0a\xff\xff\xff\xff\x0f",               # a length of 4 GiB
    b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x0a\x02\x08",                           # cut off
    b"\x0b" * 1000,                            # groups in groups
    b"\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    wire.message((1, b""), (2, b"")),          # two of a oneof
    wire.message((1, wire.message((99, 1)))),  # an unknown operation
    wire.message((536870911, b"x")),           # the highest field number
    b"\x0a\x00" * 50000,                       # one field, many times
]


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cell = cls.enterClassContext(cell.Cell(options=cell.STEADY))
        cls.cell.ok("put", "/intact", "as it was")

    def setUp(self):
        self.leader = self.cell.leader()
        self.pids = [s.pid for s in self.cell.servers]

    def tearDown(self):
        """Nobody died, nobody was started anew, and the cell serves."""
        for server in self.cell.servers:
            self.assertTrue(server.is_running(), f"member {server.id}: {server.said()[-2000:]}")
        self.assertEqual([s.pid for s in self.cell.servers], self.pids)
        self.assertEqual(self.cell.ok("get", "/intact"), "as it was\n")
        self.cell.ok("put", "/serves", "1")

    def execute(self, data):
        """The status of the answer, or None if the call itself was refused."""
        reply = wire.call(self.leader.address, wire.EXECUTE, data)
        self.assertIsNotNone(reply.status)
        if reply.status != GRPC_OK:
            return None
        self.assertEqual(len(reply.messages), 1)
        return wire.answer_status(reply.messages[0])

    # ---- below gRPC ----

    def test_garbage_on_the_port(self):
        rng = random.Random(SEED)
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        openings = [b"", b"\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(500),
                    rng.randbytes(100000), preface, preface + rng.randbytes(5000),
                    preface + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + rng.randbytes(5000),
                    preface + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01", b"\x00" * 65536]
        sockets = []
        for server in self.cell.servers:
            for opening in openings:
                s = socket.create_connection(("127.0.0.1", server.port), 5)
                sockets.append(s)
                try:
                    s.sendall(opening)
                except OSError:
                    pass  # it hung up, which is its right
        self.cell.ok("put", "/meanwhile", "1")
        for s in sockets:
            s.close()

    def test_connections_that_say_nothing(self):
        sockets = [socket.create_connection(("127.0.0.1", self.leader.port), 5)
                   for _ in range(200)]
        self.cell.ok("put", "/meanwhile", "2")
        for s in sockets:
            s.close()

    # ---- methods ----

    def test_unknown_methods_are_unimplemented(self):
        for method in ("/coord.v1.Coord/Nothing", "/x/y", "/", "/coord.v1.Coord/execute",
                       "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"):
            with self.subTest(method):
                reply = wire.call(self.leader.address, method, b"", deadline_ms=3000)
                self.assertEqual(reply.status, GRPC_UNIMPLEMENTED)

    def test_malformed_messages_on_every_method(self):
        rng = random.Random(SEED)
        nonce = rng.randbytes(16)
        good = {
            wire.EXECUTE: [wire.execute_get("/intact"), wire.execute_status(),
                           wire.execute_check("x")],
            wire.SESSION: [wire.session_open(nonce), wire.session_attach(1, nonce)],
            wire.KEEPALIVE: [wire.beat(1, nonce, 1)],
            wire.LINK: [wire.message((1, bytes.fromhex(cell.CELL_ID)), (2, 1), (3, 5),
                                     (5, wire.message((1, wire.message((1, 1), (2, 1))))))],
        }
        link = (f"coord-cell={cell.CELL_ID}", "coord-member=5", "coord-incarnation=0000000000000001",
                "coord-target=1")
        for method, seeds in good.items():
            cases = HANDMADE + [rng.randbytes(rng.randint(1, 300)) for _ in range(10)]
            for seed in seeds:
                cases += list(broken_from(seed, rng, 25))
            # A stream that nothing is wrong with stays open, hence the short deadline.
            replies = wire.call_many(self.cell.servers[0].address, method, [[c] for c in cases],
                                     deadline_ms=1000, metadata=link if method == wire.LINK else ())
            for case, reply in zip(cases, replies):
                self.assertIsNotNone(reply.status, case[:100].hex())

    def test_malformed_requests_within_a_session(self):
        rng = random.Random(SEED)
        good = [wire.session_put(1, "/session/put", b"x"), wire.session_get(2, "/intact")]
        cases = HANDMADE + [c for g in good for c in broken_from(g, rng, 25)]
        replies = wire.call_many(self.leader.address, wire.SESSION,
                                 [[wire.session_open(os.urandom(16), 2000), c] for c in cases],
                                 deadline_ms=1000)
        for case, reply in zip(cases, replies):
            self.assertIsNotNone(reply.status, case[:100].hex())

    def test_a_method_without_its_message_ends(self):
        for method in (wire.EXECUTE, wire.SESSION, wire.KEEPALIVE):
            reply = wire.call(self.leader.address, method, deadline_ms=1000)
            self.assertIsNotNone(reply.status)

    # ---- values ----

    def test_content_and_messages_have_their_bound(self):
        self.assertEqual(self.execute(wire.execute_put("/b", b"x" * CONTENT_BYTES_MAX)), OK)
        self.assertEqual(self.execute(wire.execute_put("/b", b"x" * (CONTENT_BYTES_MAX + 1))),
                         TOO_LARGE)
        for size in (2, 8, 32):
            self.assertNotEqual(self.execute(wire.execute_put("/b", b"x" * (size << 20))), OK)
        self.assertEqual(self.cell.json("stat", "/b")["content_bytes"], CONTENT_BYTES_MAX)

    def test_bad_paths_change_nothing(self):
        before = self.cell.json("ls", "/")["entries"]
        paths = [b"", b"x", b"//", b"/a/", b"/a//b", b"/..", b"/a/../b", b"/a\x00b", b"/\x1f",
                 b"/\xff\xfe", b"/\xc0\xaf", b"/" + b"x" * 256, b"/x" * 65, b"/" + b"x/" * 600 + b"x",
                 b"/a\n", b"/\x7f"]
        for path in paths:
            with self.subTest(path[:40]):
                self.assertIn(self.execute(wire.execute_put(path, b"1")),
                              (None, INVALID, TOO_LARGE))
                self.assertIn(self.execute(wire.execute_get(path)),
                              (None, INVALID, TOO_LARGE))
        self.assertEqual([e["name"] for e in self.cell.json("ls", "/")["entries"]],
                         [e["name"] for e in before])

    def test_what_needs_a_session_is_refused_without_one(self):
        acquire = wire.message((2, wire.message((4, wire.message((1, "/intact"), (2, 1), (3, 2),
                                                                 (4, 0))))))
        ephemeral = wire.message((2, wire.message((1, wire.message((1, "/eph"), (3, 1))))))
        end = wire.message((2, wire.message((7, b""))))
        for case in (acquire, ephemeral, end):
            self.assertNotEqual(self.execute(case), OK)
        self.assertEqual(self.cell.json("stat", "/intact")["lock"], "free")
        self.assertEqual(self.cell.ctl("stat", "/eph").returncode, 1)

    def test_a_stale_sequencer_guards(self):
        sequencer = self.cell.ok("lock", "/guard", "--", "sh", "-c",
                                 "echo $COORD_LOCK_SEQUENCER").strip()
        self.assertEqual(self.execute(wire.execute_check(sequencer)), STALE_SEQUENCER)
        put = wire.message((1, "/guarded"), (2, b"1"), (3, 1),
                           (5, wire.message((3, sequencer))))
        self.assertEqual(self.execute(wire.message((2, wire.message((2, put))))),
                         STALE_SEQUENCER)
        for text in (b"", b"\x00", b"\xff" * 40, b"a" * 100000, sequencer.encode()[:-3]):
            self.assertNotEqual(self.execute(wire.execute_check(text)), OK)
        self.assertEqual(self.cell.ctl("stat", "/guarded").returncode, 1)

    # ---- sessions ----

    def test_an_unknown_session_is_expired(self):
        for number in (1, 2**63, 2**64 - 1):
            reply = wire.call(self.leader.address, wire.SESSION,
                              wire.session_attach(number, os.urandom(16)))
            self.assertEqual(wire.begun(reply.messages)[0], EXPIRED)
            reply = wire.call(self.leader.address, wire.KEEPALIVE,
                              wire.beat(number, os.urandom(16), 7), deadline_ms=3000)
            answers = [wire.fields(a) for m in reply.messages for a in wire.fields(m).get(1, [])]
            self.assertEqual([(a[1][0], a[3][0]) for a in answers], [(number, EXPIRED)])

    def test_a_session_is_closed_to_whoever_does_not_know_its_secret(self):
        with wire.Stream(self.leader.address, wire.SESSION) as stream:
            number, secret = wire.open_session(stream)
            self.assertEqual(len(secret), 16)
            for wrong in (b"", secret[:-1], secret + b"x", bytes(16), os.urandom(16)):
                reply = wire.call(self.leader.address, wire.SESSION,
                                  wire.session_attach(number, wrong), wire.session_put(1, "/s", b""),
                                  deadline_ms=1000)
                self.assertNotEqual(wire.begun(reply.messages)[0], OK)
                self.assertEqual([k for k, _ in wire.items(reply.messages) if k == 1], [])
                reply = wire.call(self.leader.address, wire.KEEPALIVE, wire.beat(number, wrong, 1),
                                  deadline_ms=1000)
                for message in reply.messages:
                    for answer in wire.fields(message).get(1, []):
                        self.assertNotEqual(wire.fields(answer).get(3, [0])[0], OK)
            self.assertEqual(self.cell.ctl("stat", "/s").returncode, 1)
            # The one who knows it was not disturbed.
            stream.send(wire.session_put(1, "/s", b"mine"))
            cell.until(lambda: self.cell.ctl("stat", "/s").returncode == 0, 10, "it was written")

    def test_leases_stay_within_their_bounds(self):
        for ttl_ms in (0, 1, 1999, 60001, 2**31, 2**32 - 1):
            reply = wire.call(self.leader.address, wire.SESSION,
                              wire.session_open(os.urandom(16), ttl_ms))
            self.assertEqual(wire.begun(reply.messages), (INVALID, {}), ttl_ms)
        for ttl_ms in (2000, 60000):
            with wire.Stream(self.leader.address, wire.SESSION) as stream:
                stream.send(wire.session_open(os.urandom(16), ttl_ms))
                status, opened = wire.begun(stream.wait_messages(1))
                self.assertEqual((status, opened[3][0]), (OK, ttl_ms))

    def test_a_number_is_applied_once_whatever_comes_with_it(self):
        with wire.Stream(self.leader.address, wire.SESSION) as stream:
            wire.open_session(stream)

            def answers():
                found = [wire.fields(body) for kind, body in wire.items(stream.reply().messages)
                         if kind == 1]
                return [(f.get(1, [0])[0], wire.answer_status(f.get(3, [b""])[0])) for f in found]

            stream.send(wire.session_put(1, "/once", b"first"))
            cell.until(lambda: len(answers()) >= 1, 10, "an answer")
            stream.send(wire.session_put(1, "/once", b"second"))
            stream.send(wire.session_put(2, "/twice", b"1"))
            cell.until(lambda: (2, OK) in answers(), 10, "the next answer")
            self.assertEqual(answers()[0], (1, OK))
            self.assertEqual(self.cell.ok("get", "/once"), "first\n")
            # 9 says that everything below 9 was answered; then 3 comes.
            put = wire.message((1, "/below"), (2, b"1"), (3, 1))
            nine = wire.message((3, 9), (4, wire.message((1, wire.message((2, put))), (5, 9))))
            stream.send(nine)
            cell.until(lambda: (9, OK) in answers() or stream.reply().status is not None, 10,
                       "an answer to 9")
            late = wire.message((1, "/late"), (2, b"1"), (3, 1))
            stream.send(wire.message((3, 9), (4, wire.message((1, wire.message((2, late))),
                                                              (5, 3)))))
            self.cell.ok("put", "/serves", "2")
            self.assertEqual(self.cell.ctl("stat", "/late").returncode, 1)


if __name__ == "__main__":
    cell.main()
