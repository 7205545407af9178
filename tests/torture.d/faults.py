"""What is done to the cell. Each function does one thing, looks meanwhile whether the rest
gets on, where it should, mends it, and looks whether all gets on again.

`run` is a Run (run.py): its cell, network, clients, random, say(), hold(), progress().
"""

import itertools

KILLS, CUTS, OTHERS, CLIENTS = [], [], [], []
FAT_BYTES = 24 << 20
FAT_S = 5
EXPIRE_S = 6  # three times the lease of the sessions


def of(kind, name, weight=1):
    def note(function):
        function.title = name
        kind.extend([function] * weight)
        return function
    return note


def names(members):
    return " and ".join(str(m.id) for m in members)


# ---- kills ----


def kill_leader(run):
    leader = run.cell.leader()
    leader.kill()
    run.count("kills of the leader")
    run.say("kill", f"member {leader.id}, which leads in ballot {leader.ballot}")
    return leader


@of(KILLS, "leader", 4)
def the_leader(run):
    leader = kill_leader(run)
    run.progress(f"without {leader.id}")
    run.hold(run.random.uniform(0, 1.0))
    run.start(leader)
    run.progress("with all")


@of(KILLS, "leader at once up")
def the_leader_which_is_back_at_once(run):
    run.start(kill_leader(run))
    run.progress("after that")


@of(KILLS, "two leaders")
def the_leader_and_the_next(run):
    first = kill_leader(run)
    run.progress(f"without {first.id}")
    second = kill_leader(run)
    run.progress(f"without {names([first, second])}")
    run.start(first, second)
    run.progress("with all")


@of(OTHERS, "followers", 2)
def some_followers(run):
    killed = run.some(run.cell.others(run.cell.leader()), run.random.choice((1, 2)))
    for member in killed:
        member.kill()
    run.count("kills of followers", len(killed))
    run.say("kill", f"followers {names(killed)}")
    run.progress("without them")
    run.start(*killed)
    run.progress("with all")


@of(OTHERS, "majority")
def a_majority(run):
    leader = run.cell.leader()
    count = run.random.choice((2, 2, 4))
    killed = [leader, *run.some(run.cell.others(leader), count)]
    for member in killed:
        member.kill()
    run.count("kills of the leader")
    run.count("kills of followers", count)
    run.count("kills of a majority")
    run.say("kill", f"a majority: {names(killed)}")
    run.hold(run.random.uniform(0.1, 2.0))
    run.start(*killed)
    run.progress("with all")


# ---- stops ----


def stopped(run, members, seconds, what):
    for member in members:
        member.pause()
    run.count("stops", len(members))
    run.say("stop", f"{what} {names(members)} for {seconds:.1f} s at least")
    if len(members) < 3:
        run.progress("meanwhile")
    run.hold(seconds)
    for member in members:
        member.resume()
    run.progress("when it goes on")


@of(OTHERS, "stop the leader", 3)
def stop_the_leader(run):
    stopped(run, [run.cell.leader()], run.random.uniform(0.2, 3.0), "leader")


@of(OTHERS, "stop followers")
def stop_followers(run):
    leader = run.cell.leader()
    stopped(run, run.some(run.cell.others(leader), run.random.choice((1, 2))),
            run.random.uniform(0.2, 3.0), "followers")


@of(OTHERS, "stop a majority")
def stop_a_majority(run):
    leader = run.cell.leader()
    stopped(run, [leader, *run.some(run.cell.others(leader), 2)], run.random.uniform(0.2, 2.5),
            "a majority:")


@of(OTHERS, "stop the leader again and again")
def stop_the_leader_again_and_again(run):
    """For about as long as its lease, so that it is just deposed, or just not."""
    for _ in range(4):
        leader = run.cell.leader()
        leader.pause()
        run.count("stops")
        seconds = run.random.uniform(0.25, 0.8)
        run.say("stop", f"leader {leader.id} for {seconds:.2f} s")
        run.hold(seconds)
        leader.resume()
        run.hold(run.random.uniform(0.0, 0.3))
    run.progress("after that")


# ---- cuts ----


def cut(run, what, cuts, seconds, gets_on=True):
    """@cuts: one after the other, each a list of (sources, targets)."""
    before = run.network.stats()["cut"]
    for number, pairs in enumerate(cuts):
        run.network.heal()
        for sources, targets in pairs:
            run.network.cut(sources, targets)
        if number == 0:
            run.say("cut", f"{what}, {seconds:.1f} s at least")
        run.hold(seconds / len(cuts))
    if gets_on:
        run.progress("while it is cut")
    heal(run, before)


def heal(run, before):
    """@before: frames that were lost at cuts before."""
    lost = run.network.stats()["cut"] - before
    run.network.heal()
    run.say("heal", f"{lost} frames were lost")
    run.count("cuts" if lost > 0 else "cuts without effect")
    run.progress("when it is healed")


def ways(run, some, others):
    """(words, cuts): both ways, one way, the other way, or one after the other."""
    there, back = (some, others), (others, some)
    return run.random.choice((
        ("both ways", [[there, back]]),
        ("both ways", [[there, back]]),
        ("one way", [[there]]),
        ("the other way", [[back]]),
        ("one way, then the other", [[there], [back]]),
        ("the other way, then the one", [[back], [there]]),
    ))


def numbers(members):
    return [m.id for m in members]


@of(CUTS, "leader from members", 3)
def the_leader_from_the_members(run):
    """Clients still reach it."""
    leader = run.cell.leader()
    words, cuts = ways(run, [leader.id], numbers(run.cell.others(leader)))
    cut(run, f"leader {leader.id} from the other members, {words}", cuts,
        run.random.uniform(0.5, 3.0))


@of(CUTS, "leader from all", 2)
def the_leader_from_all(run):
    leader = run.cell.leader()
    words, cuts = ways(run, [leader.id], numbers(run.cell.others(leader)) + run.client_hosts)
    cut(run, f"leader {leader.id} from members and clients, {words}", cuts,
        run.random.uniform(0.5, 3.0))


@of(CUTS, "leader and another")
def the_leader_and_another(run):
    leader = run.cell.leader()
    some = [leader, *run.some(run.cell.others(leader), 1)]
    words, cuts = ways(run, numbers(some), numbers(run.cell.others(*some)))
    cut(run, f"members {names(some)}, the leader among them, from the rest, {words}", cuts,
        run.random.uniform(0.5, 3.0))


@of(CUTS, "two followers")
def two_followers(run):
    some = run.some(run.cell.others(run.cell.leader()), 2)
    words, cuts = ways(run, numbers(some), numbers(run.cell.others(*some)))
    cut(run, f"followers {names(some)} from the rest, {words}", cuts, run.random.uniform(0.3, 2.0))


@of(CUTS, "one link")
def one_link_of_the_leader(run):
    leader = run.cell.leader()
    other = run.some(run.cell.others(leader), 1)[0]
    words, cuts = ways(run, [leader.id], [other.id])
    cut(run, f"the link from leader {leader.id} to {other.id}, {words}", cuts,
        run.random.uniform(0.5, 2.0))


@of(CUTS, "all from all")
def all_from_all(run):
    everybody = numbers(run.cell.servers)
    cut(run, "every member from every other", [[(everybody, everybody)]],
        run.random.uniform(0.5, 2.5), gets_on=False)


@of(CUTS, "clients from the leader", 2)
def clients_from_the_leader(run):
    leader = run.cell.leader()
    hosts = run.some(run.client_hosts, run.random.choice((1, len(run.client_hosts))))
    words, cuts = ways(run, hosts, [leader.id])
    cut(run, f"clients at {' and '.join(map(str, hosts))} from leader {leader.id}, {words}", cuts,
        run.random.uniform(1.0, 4.0))


@of(CUTS, "clients from all", 2)
def clients_from_the_cell(run):
    """For longer than their lease, at times."""
    hosts = run.some(run.client_hosts, 1)
    words, cuts = ways(run, hosts, numbers(run.cell.servers))
    cut(run, f"clients at {hosts[0]} from all members, {words}", cuts,
        run.random.uniform(1.0, 4.5))


@of(CUTS, "flapping")
def the_leader_flapping(run):
    leader = run.cell.leader()
    others = numbers(run.cell.others(leader))
    both = [([leader.id], others), (others, [leader.id])]
    cut(run, f"leader {leader.id} from the other members, four times", [both, []] * 4,
        run.random.uniform(2.0, 4.0), gets_on=False)


@of(CUTS, "kill behind a cut")
def kill_the_leader_while_another_is_cut_off(run):
    leader = run.cell.leader()
    other = run.some(run.cell.others(leader), 1)[0]
    rest = numbers(run.cell.others(other))
    before = run.network.stats()["cut"]
    run.network.cut_both([other.id], rest)
    run.say("cut", f"follower {other.id} from the other members")
    run.hold(run.random.uniform(0.2, 0.8))
    killed = kill_leader(run)
    run.progress("without both")
    run.count("cuts" if run.network.stats()["cut"] > before else "cuts without effect")
    run.network.heal()
    run.progress(f"without {killed.id}")
    run.start(killed)
    run.progress("with all")


# ---- links that are slow, or lose frames ----


@of(OTHERS, "slow links")
def slow_links(run):
    if not run.network.can_cut:
        return
    everybody = numbers(run.cell.servers)
    delay, jitter = run.random.randrange(2, 30), run.random.randrange(0, 20)
    run.network.wire(everybody, everybody, delay=delay, jitter=jitter)
    far = run.random.randrange(20, 300)
    for one, other in itertools.permutations((everybody, run.client_hosts)):
        run.network.wire(one, other, delay=far, jitter=far)
    run.count("slow links")
    run.say("slow", f"between members {delay} to {delay + jitter} ms, to clients {far} to "
                    f"{2 * far} ms, each way")
    run.hold(run.random.uniform(1.0, 3.0))
    run.progress("while it is slow")
    run.network.heal()
    run.progress("when it is healed")


@of(OTHERS, "lossy links")
def lossy_links(run):
    if not run.network.can_cut:
        return
    everybody = numbers(run.cell.servers) + run.client_hosts
    loss = run.random.choice((5, 20, 50))
    run.network.wire(everybody, everybody, loss=loss)
    run.count("lossy links")
    run.say("lossy", f"all links lose {loss / 10:g} % of the frames")
    run.hold(run.random.uniform(1.0, 3.0))
    run.progress("while it is lossy")
    run.network.heal()
    run.progress("when it is healed")


# ---- disks, and what is asked for ----


@of(OTHERS, "full disk", 2)
def full_disk(run):
    some = [m for m in run.cell.servers if m.small_disk]
    if not some:
        return
    member = run.some(some, 1)[0]
    if run.random.random() < 0.7:
        step_down_to(run, member)
    complaints = len(member.notices)
    leads = run.cell.leading() is member
    filled = member.fill_disk()
    run.count("full disks")
    run.say("full", f"the disk of {'leader' if leads else 'member'} {member.id}, "
                    f"by {filled >> 20} MiB")
    # What is reserved for the log lasts for a while: large contents use it up.
    run.hold(run.random.uniform(0.2, 1.0))
    written = run.write_much(FAT_BYTES, FAT_S)
    run.say("written", f"{written} large contents meanwhile")
    run.progress("while it is full")
    run.cell.listen()
    felt = len(member.notices) > complaints
    run.count("full disks that were felt", felt)
    member.empty_disk()
    run.say("emptied", f"that disk; the member {'had said so' if felt else 'had not said so'}")
    run.progress("when there is space")


def step_down_to(run, member):
    if run.cell.leading() is member:
        return
    arguments = ["step-down"] if member is None else ["step-down", "--to", str(member.id)]
    done = run.cell.ctl("--deadline", "3s", *arguments)
    run.count("hand-overs" if done.returncode == 0 else "hand-overs refused")
    run.say("hand over", f"to {member.id if member else 'any'}: "
                         f"{'done' if done.returncode == 0 else done.stderr.strip()}")


@of(OTHERS, "hand-over", 2)
def hand_over(run):
    run.cell.leader()
    some = run.cell.others(run.cell.leading()) if run.random.random() < 0.5 else [None]
    step_down_to(run, run.some(some, 1)[0])
    run.progress("after that")


# ---- clients ----


@of(CLIENTS, "stop a client", 3)
def stop_a_client(run, client):
    """Its leases run out, and others get what it held; it goes on as if nothing had been."""
    seconds = run.random.choice((0.5, 2.5, 3.5, 5.0))
    client.pause()
    run.count("stops of clients")
    run.say("stop", f"client at {client.host} for {seconds} s")

    def go_on():
        if client.is_running() and client.is_paused:
            client.resume()
            run.say("go on", f"client at {client.host}")
    run.later(seconds, go_on)


@of(OTHERS, "expire a client")
def expire_a_client(run):
    """With nothing else done to the cell: each change of its leader gives every session a
    whole lease, so that else few would expire."""
    client = run.random.choice([c for c in run.clients.running if not c.is_paused])
    client.pause()
    run.count("stops of clients")
    run.say("stop", f"client at {client.host}, until its sessions have expired")
    before = len(run.cell.expired())
    run.hold_until(lambda: len(run.cell.expired()) > before, EXPIRE_S)
    client.resume()
    run.say("go on", f"client at {client.host}; "
                     f"{len(run.cell.expired()) - before} sessions had expired")
    run.progress("after that")


@of(CLIENTS, "kill a client")
def kill_a_client(run, client):
    run.clients.replace(client)
    run.count("kills of clients")
    run.say("kill", f"client at {client.host}; another takes its place")
