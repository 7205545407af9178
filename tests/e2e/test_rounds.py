#!/usr/bin/env python3
"""What a leader answers under its lease alone, and what it answers when it is told not to
trust clocks: nothing that no majority has confirmed."""

import os
import unittest

import cell
import wire

LEASE = ("--lease-ms", "20000")


def begin(cell_, leader):
    """A session stream and a KeepAlive stream of one session: what to read and beat with."""
    session = wire.Stream(leader.address, wire.SESSION)
    session.send(wire.session_open(os.urandom(16)))
    begun = [body for kind, body in wire.items(session.wait_messages(1)) if kind == 4]
    opened = wire.fields(wire.fields(begun[0])[14][0])
    return session, wire.Stream(leader.address, wire.KEEPALIVE), opened[1][0], opened[2][0]


class Rounds(unittest.TestCase):
    def ask_alone(self, options):
        """Reads and beats at a leader whose followers all stand still: what came of each
        before they went on, and that both come afterwards."""
        with cell.Cell(members=3, options=options) as cell_:
            leader = cell_.leader()
            followers = cell_.followers()
            session, keepalive, number, secret = begin(cell_, leader)
            with session, keepalive:
                keepalive.send(wire.beat(number, secret, 1))
                keepalive.wait_messages(1)
                read_before = len(session.reply().messages)
                for follower in followers:
                    follower.pause()
                session.send(wire.session_get(1001, "/ready"))
                keepalive.send(wire.beat(number, secret, 2))
                # Long enough for an answer that waits for nothing.
                try:
                    session.wait_messages(read_before + 1, seconds=1)
                except AssertionError:
                    pass
                alone = (len(session.reply().messages) - read_before,
                         len(keepalive.reply().messages) - 1)
                for follower in followers:
                    follower.resume()
                session.wait_messages(read_before + 1)
                keepalive.wait_messages(2)
                return alone

    def test_under_a_lease_it_answers_alone(self):
        self.assertEqual(self.ask_alone(LEASE), (1, 1))

    def test_without_trust_in_clocks_it_answers_nothing_alone(self):
        self.assertEqual(self.ask_alone((*LEASE, "--trust-clocks", "0")), (0, 0))


if __name__ == "__main__":
    unittest.main()
