#!/usr/bin/env python3
"""What a leader answers under its lease alone, and what it answers when it is told not to
trust clocks: nothing that no majority has confirmed."""

import unittest

import cell
import wire

LEASE = ("--lease-ms", "20000")


def begin(cell_, leader):
    """A session stream and a KeepAlive stream of one session: what to read and beat with."""
    session = wire.Stream(leader.address, wire.SESSION)
    return session, wire.Stream(leader.address, wire.KEEPALIVE), *wire.open_session(session)


class Rounds(unittest.TestCase):
    def ask_alone(self, options, seconds):
        """Reads, beats, and a session that comes back, at a leader whose followers all stand
        still: what came of each before they went on, and that all come afterwards."""
        with cell.Cell(members=3, options=options) as cell_:
            leader = cell_.leader()
            followers = cell_.followers()
            session, keepalive, number, secret = begin(cell_, leader)
            other, unused, other_number, other_secret = begin(cell_, leader)
            back = wire.Stream(leader.address, wire.SESSION)
            with session, keepalive, other, unused, back:
                keepalive.send(wire.beat(number, secret, 1))
                keepalive.wait_messages(1)
                read_before = len(session.reply().messages)
                for follower in followers:
                    follower.pause()
                session.send(wire.session_get(1001, "/ready"))
                keepalive.send(wire.beat(number, secret, 2))
                back.send(wire.session_attach(other_number, other_secret))
                try:
                    session.wait_messages(read_before + 1, seconds)
                    keepalive.wait_messages(2, seconds)
                    back.wait_messages(1, seconds)
                except AssertionError:
                    pass
                alone = (len(session.reply().messages) - read_before,
                         len(keepalive.reply().messages) - 1, len(back.reply().messages))
                for follower in followers:
                    follower.resume()
                session.wait_messages(read_before + 1)
                keepalive.wait_messages(2)
                self.assertEqual(wire.begun(back.wait_messages(1))[0], 0)
                return alone

    def test_under_a_lease_it_answers_alone(self):
        self.assertEqual(self.ask_alone(LEASE, seconds=10), (1, 1, 1))

    def test_without_trust_in_clocks_it_answers_nothing_alone(self):
        self.assertEqual(self.ask_alone((*LEASE, "--trust-clocks", "0"), seconds=1),
                         (0, 0, 0))  # a second is long enough for what waits for nothing


if __name__ == "__main__":
    cell.main()
