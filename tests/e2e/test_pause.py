#!/usr/bin/env python3
"""SIGSTOP of the leader: the rest goes on without it, and when it comes back it
answers nothing of its old reign."""

import json
import time
import unittest

import cell
import wire

STATUS_EXPIRED = 13
STATUS_NOT_LEADER = 24


class Pause(unittest.TestCase):
    def setUp(self):
        self.cell = self.enterContext(cell.Cell())

    def new_leader(self, old):
        def look():
            done = self.cell.ctl("--deadline", "1s", "status", "-o", "json")
            if done.returncode != 0:
                return None
            members = json.loads(done.stdout)["members"]
            return [m["id"] for m in members if m["role"] == "leader" and m["id"] != old.id]
        return self.cell.servers[cell.until(look, 10, "another one leads")[0] - 1]

    def test_a_leader_that_wakes_up_answers_nothing_of_its_old_reign(self):
        old = self.cell.leader()
        self.cell.ok("put", "/x", "before")
        with wire.Stream(old.address, wire.SESSION) as session, \
                wire.Stream(old.address, wire.KEEPALIVE) as keepalive:
            number, secret = wire.open_session(session)
            keepalive.send(wire.beat(number, secret, 1))
            keepalive.wait_messages(1)
            before = len(session.reply().messages)

            old.pause()
            new = self.new_leader(old)
            self.cell.ok("put", "/x", "after")
            # These lie in the buffers of the old one until it wakes up.
            session.send(wire.session_get(1001, "/x"))
            session.send(wire.session_put(1, "/from-old", b"1"))
            keepalive.send(wire.beat(number, secret, 2))
            old.resume()

            session.wait_status()
            keepalive.wait_status()
            for kind, body in wire.items(session.reply().messages[before:]):
                self.assertNotEqual(kind, 1, f"answered a request: {body.hex()}")
            for reply in keepalive.reply().messages[1:]:
                for answer in wire.fields(reply).get(1, []):
                    status = wire.fields(answer).get(3, [0])[0]
                    self.assertNotEqual(status, 0, "renewed a lease")

        # It knows its place: reads and writes are sent on to the new one, or show the new state.
        def settled():
            reply = wire.call(old.address, wire.EXECUTE, wire.execute_get("/x"))
            if not reply.messages:
                return False
            answer = wire.fields(reply.messages[0])
            if answer.get(1, [0])[0] == 0:
                content = wire.fields(wire.fields(reply.messages[0])[11][0])[1][0]
                self.assertEqual(content, b"after")
            return answer.get(1, [0])[0] == STATUS_NOT_LEADER
        cell.until(settled, 10, "the old one says that it does not lead")
        self.assertEqual(self.cell.ctl("get", "/from-old").returncode, 1)
        self.assertEqual(self.cell.leader().id, new.id)

    def test_case_04__its_reads_are_never_older_than_what_others_were_told(self):
        for number in range(3):
            old = self.cell.leader()
            self.cell.ok("put", "/r", f"old {number}")
            old.pause()
            self.new_leader(old)
            self.cell.ok("put", "/r", f"new {number}")
            # Asked while it sleeps, so that the question is the first thing it sees.
            with wire.Stream(old.address, wire.EXECUTE) as asked:
                asked.send(wire.execute_get("/r"))
                asked.end()
                old.resume()
                for message in asked.wait_status().messages:
                    self.assertNotIn(f"old {number}".encode(), message)
            self.cell.wait_ready()

    def test_it_ends_no_session_of_its_own_accord(self):
        """Its timers ran out while it slept, those of the sessions did not."""
        old = self.cell.leader()
        with self.cell.begin("lock", "--ttl", "4s", "/held") as holder:
            sequencer = holder.line()
            old.pause()
            self.new_leader(old)
            # Longer than the lease of the session, which its new leader renews.
            end = time.monotonic() + 5
            while time.monotonic() < end:
                self.assertEqual(self.cell.ok("check", sequencer), "held\n")
            old.resume()
            end = time.monotonic() + 1
            while time.monotonic() < end:
                self.assertEqual(self.cell.ok("check", sequencer), "held\n")
            self.assertIsNone(holder.process.poll())

    def test_a_follower_that_slept_catches_up(self):
        follower = self.cell.followers()[0]
        follower.pause()
        for number in range(20):
            self.cell.ok("put", f"/n{number}", "1")
        follower.resume()
        self.cell.wait_agree()


if __name__ == "__main__":
    cell.main()
