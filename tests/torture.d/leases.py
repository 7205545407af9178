"""Cuts that put leases to the test: some are left alone with what they believe, for longer
than anything that was granted lasts, while the rest of the cell, and other clients, go on.

Clients keep locks all the time and read all the time (keepers and readers of
tests/torture.d), so whoever believes for too long is seen to.
"""

import time

from faults import CUTS, heal, numbers, of

# From the cut until the last of them has expired: a new leader, a lease, what servers add, and some.
EXPIRED_S, LONG_EXPIRED_S = 3.3, 4.7
WORDS = {1: "client", 2: "clients"}


def alone(run, before, seconds):
    end = time.monotonic() + seconds
    run.progress("while it is cut")
    run.hold(end - time.monotonic())
    heal(run, before)


@of(CUTS, "old leader", 5)
def an_old_leader_with_clients(run):
    """The leader and some clients reach each other and nobody else. For a moment the next
    leader serves others while it does not know of its end, for that takes two leases; what
    it shows then, to whom it answers KeepAlives, must be nothing of its old reign. The others
    are cut off from it a little earlier, so that they look for a leader already. A client
    asks for its lease when it has heard nothing for a while: what delays the last answers
    lets that come at some time between the end of the lease and that of the reign."""
    leader = run.cell.leader()
    others = numbers(run.cell.others(leader))
    near = run.some(run.client_hosts, run.random.choice((1, 2)))
    far = [host for host in run.client_hosts if host not in near]
    before = run.network.stats()["cut"]
    late = run.random.choice((0, 0, run.random.randrange(100, 250)))
    if late > 0:
        run.network.wire(others, [leader.id], delay=late)
        run.hold(1.0)
    run.network.cut_both(far, [leader.id])
    run.hold(run.random.uniform(0.1, 0.5))
    run.network.wire([leader.id], near, delay=run.random.randrange(45))
    run.network.cut_both([leader.id, *near], others)
    run.say("cut", f"leader {leader.id}, with the {WORDS[len(near)]} at "
                   f"{' and '.join(map(str, near))}, from all others"
                   f"{f'; it heard the members {late} ms late' if late else ''}")
    alone(run, before, EXPIRED_S)


@of(CUTS, "clients that hear late", 2)
def clients_that_hear_late(run):
    """And then nothing: what they believe counts from when they asked. Those who keep a lock with
    the longer lease wait for 0.6 s for an answer before they look elsewhere; all others are
    without a link for much of the time."""
    everybody = numbers(run.cell.servers)
    near = run.some(run.client_hosts, run.random.choice((1, 2)))
    late = run.random.randrange(350, 580)
    before = run.network.stats()["cut"]
    run.network.wire(everybody, near, delay=late)
    run.hold(run.random.uniform(2.0, 3.0))
    run.network.cut_both(near, everybody)
    run.say("cut", f"{WORDS[len(near)]} at {' and '.join(map(str, near))}, who heard all members "
                   f"{late} ms late, from them")
    alone(run, before, LONG_EXPIRED_S)
