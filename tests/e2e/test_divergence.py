#!/usr/bin/env python3
# Runs beside others.
"""A member whose saved state is wrong although every checksum of it is right, as if a
command had been applied wrongly: the servers find it by comparing their states through
the log, quarantine it, and it gets the state of another. Without a majority that agrees
all of them stop."""

import contextlib
import ctypes
import ctypes.util
import json
import sqlite3
import struct
import unittest

import cell

SETTINGS = ("--checkpoint-slots", "60", "--log-keep-slots", "30")
QUARANTINED = "quarantined until it has got the state of another"
WELL = "has the state of the majority again"
FOUND_S = 60  # the states are compared each few seconds
HALTED = 19
LANES = (0x243f6a8885a308d3, 0x13198a2e03707344)  # of the state's hash
CONTENT = 4  # the kind of a record
MASK = 2**64 - 1

_xxh = ctypes.CDLL(ctypes.util.find_library("xxhash") or "libxxhash.so.0").XXH3_64bits_withSeed
_xxh.restype = ctypes.c_uint64
_xxh.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64)


def checksum(seed, data):
    return _xxh(data, len(data), seed)


def signed(number):
    return number - 2**64 if number >= 2**63 else number


def record_hash(lane, key, value):
    return checksum(LANES[lane], struct.pack("<I", len(key)) + key + value)


def forge(directory, old, new):
    """In the saved state a node's content is another, and all that proves the state is made
    to fit: the record's checksum, the state's hash, and the checksum of that."""
    with contextlib.closing(sqlite3.connect(directory + "/state.db")) as state:
        key, = state.execute("SELECT key FROM record WHERE value = ? AND substr(key, 1, 1) = ?",
                             (old, bytes([CONTENT]))).fetchone()
        state.execute("UPDATE record SET value = ?, checksum = ? WHERE key = ?",
                      (new, signed(checksum(checksum(0, key), new)), key))
        of, self_id, incarnation, slot, about = state.execute(
            "SELECT cell, self, incarnation, slot, about FROM about").fetchone()
        version, encoding, about_slot, *lanes = struct.unpack_from("<IIQQQ", about)
        for lane in (0, 1):
            lanes[lane] += record_hash(lane, key, new) - record_hash(lane, key, old)
            lanes[lane] &= MASK
        rest = about[struct.calcsize("<IIQQQ"):]
        about = struct.pack("<IIQQQ", version, encoding, about_slot, *lanes) + rest
        proof = of + struct.pack("<IQQI", self_id, incarnation & MASK, slot, len(about)) + about
        state.execute("UPDATE about SET about = ?, checksum = ?",
                      (about, signed(checksum(0, proof))))
        state.commit()


class Divergence(unittest.TestCase):
    def setUp(self):
        self.cell = self.enterContext(cell.Cell(options=SETTINGS))
        self.cell.ok("put", "/said", "the truth")
        self.cell.write("/w", 150)  # so that there is a checkpoint with it

    def lie(self, servers):
        """Each is stopped, gets a wrong state of its own, and is started again."""
        for i, server in enumerate(servers):
            self.assertEqual(server.stop(), 0)
            forge(server.directory, b"the truth", b"not that %d" % i)
        for server in servers:
            server.start(*SETTINGS)

    def said_since(self, server, before):
        return server.said()[before:]

    def found_and_healed(self, servers):
        before = {s: len(s.said()) for s in servers}
        self.lie(servers)
        for server in servers:
            self.cell.ctl("put", "/after", str(server.id))  # something to compare
            cell.until(lambda s=server: QUARANTINED in self.said_since(s, before[s]), FOUND_S,
                       f"member {server.id} is quarantined")
            cell.until(lambda s=server: WELL in self.said_since(s, before[s]), FOUND_S,
                       f"member {server.id} is well again")
        self.agree()

    def agree(self):
        """All have the same state, and found so themselves."""
        def look():
            done = self.cell.ctl("--deadline", "2s", "hash", "-o", "json")
            return done.returncode == 0 and json.loads(done.stdout)["result"] == "agree"
        cell.until(look, 20, "all members agree")

    def test_a_member_with_a_wrong_state_is_quarantined_and_healed(self):
        lame = self.cell.followers()[0]
        self.found_and_healed([lame])
        for server in self.cell.servers:
            self.assertTrue(server.is_running())
            if server is not lame:
                self.assertNotIn(QUARANTINED, server.said())
                cell.until(lambda s=server: "has not the state that the majority has" in s.said(),
                           FOUND_S, f"member {server.id} says so, too")
        # What is right is there, in it too: with two others gone it is needed.
        for other in [s for s in self.cell.followers() if s is not lame][:2]:
            other.kill()
        self.assertEqual(self.cell.ok("get", "/said"), "the truth\n")
        self.cell.write("/u", 5)
        # And it is durable: no start brings the wrong one back.
        before = len(lame.said())
        lame.kill()
        self.cell.start()
        self.agree()
        self.assertNotIn(QUARANTINED, self.said_since(lame, before))

    def test_two_that_are_wrong_are_a_minority(self):
        self.found_and_healed(self.cell.followers()[:2])
        self.assertEqual(self.cell.ok("get", "/said"), "the truth\n")

    def test_a_leader_with_a_wrong_state_leads_no_longer(self):
        lame = self.cell.followers()[0]
        before = len(lame.said())
        self.lie([lame])
        self.cell.wait_ready()
        cell.until(lambda: QUARANTINED in self.said_since(lame, before) or
                   self.cell.ctl("step-down", "--to", str(lame.id)).returncode == 0, 20,
                   "it leads, or was found before")
        self.cell.ctl("put", "/after", "1")
        cell.until(lambda: WELL in self.said_since(lame, before), FOUND_S, "it is well again")
        self.assertEqual(self.cell.ok("get", "/said"), "the truth\n")
        self.agree()

    def test_without_a_majority_all_stop_and_stay_down(self):
        for server in self.cell.servers:
            self.assertEqual(server.stop(), 0)
        for i, server in enumerate(self.cell.servers[:3]):
            forge(server.directory, b"the truth", b"not that %d" % i)
        for _ in range(2):
            for server in self.cell.servers:
                server.start(*SETTINGS)
            def gone():
                self.cell.ctl("--deadline", "1s", "put", "/after", "1")
                return not any(server.is_running() for server in self.cell.servers)
            cell.until(gone, FOUND_S, "all have stopped")
            for server in self.cell.servers:
                self.assertEqual(server.process.returncode, HALTED)
                self.assertIn("no majority of them agrees", server.said())


class Hash(unittest.TestCase):
    def test_hash_says_who_differs(self):
        with cell.Cell(members=3, options=SETTINGS) as own:
            own.ok("put", "/said", "the truth")
            for i in range(100):
                own.ok("put", "/w", str(i))
            # Of three that run, nobody can say so through the log before something happens.
            def agreed():
                return own.json("hash")["result"] == "agree"
            cell.until(agreed, 20, "all agree")
            members = own.json("hash")["members"]
            self.assertFalse(any(m["differs"] or m["quarantined"] for m in members))
            lame = own.followers()[0]
            self.assertEqual(lame.stop(), 0)
            forge(lame.directory, b"the truth", b"a falsehood")
            lame.start(*SETTINGS)

            def differs():
                done = own.ctl("--deadline", "1s", "hash")
                if QUARANTINED in lame.said():
                    return "found by themselves"
                return done.returncode == 1 and done.stdout
            said = cell.until(differs, 20, "it differs")
            if said != "found by themselves":
                self.assertRegex(said, rf"(?m)^{lame.id} .*  DIFFERS ")
                self.assertIn("DIFFER  at ", said)


if __name__ == "__main__":
    cell.main()
