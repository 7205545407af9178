#!/usr/bin/python3
"""Writes the first inputs of every fuzz target: tests/fuzz/make_corpus.py RECORDS_OF

RECORDS_OF is the program fuzz-records-of of any build; fuzz-chunks-of stands beside it. What is there already stays,
so that what the fuzzers found (tests/fuzz/README.md) is kept."""

import os
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CORPUS = os.path.join(HERE, "corpus")
RECORDS_OF = sys.argv[1]

generated = tempfile.TemporaryDirectory(prefix="coord-corpus-")
subprocess.run(["protoc", "-I", os.path.join(ROOT, "proto"), "--python_out", generated.name,
                "coord/v1/command.proto", "coord/v1/coord.proto", "coord/v1/replica.proto"],
               cwd=os.path.join(ROOT, "proto"), check=True)
sys.path.insert(0, generated.name)
from coord.v1 import command_pb2 as c, coord_pb2 as m, replica_pb2 as r  # noqa: E402

S, X = c.LOCK_SHARED, c.LOCK_EXCLUSIVE


def save(target, name, data):
    folder = os.path.join(CORPUS, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def part(op, arg=0, data=b""):
    if not isinstance(data, bytes):
        data = data.SerializeToString()
    return struct.pack("<BBH", op, arg, len(data)) + data


def rows(*parts):
    return b"".join(part(*p) for p in parts)


def write(**op):
    return m.Write(**op)


def acquire(path, mode=X, wait=True, handle=1, **more):
    return c.Acquire(path=path, handle=handle, mode=mode, wait=wait, **more)


def transaction():
    return c.Transaction(
        checks=[c.Check(path="/a", exists=True), c.Check(path="/no", absent=True)],
        changes=[c.Change(put=c.Put(path="/a", content=b"2")),
                 c.Change(create=c.Create(path="/a/t", parents=True)),
                 c.Change(delete=c.Delete(path="/a/t"))])


# ---- what clients say: client_stream ----

def secret(stream):
    return bytes([stream]) * 16


def session(seq, *kinds, **begin):
    """A SessionRequest; kinds are Write, Read, Watch or Unwatch."""
    requests = []
    for kind in kinds:
        field = {m.Write: "write", m.Read: "read", m.Watch: "watch",
                 m.Unwatch: "unwatch"}[type(kind)]
        requests.append(m.Request(**{field: kind}, seq=seq))
        seq += 1
    return m.SessionRequest(requests=requests, lowest=1, **begin)


def opened(nonce, seq=1, *kinds, ttl=2000):
    return session(seq, *kinds, open=m.Open(nonce=bytes([nonce]) * 16, ttl_ms=ttl, host="here",
                                            pid=7))


def beat(number, stream):
    return m.KeepAliveRequest(beats=[m.Beat(session=number, secret=secret(stream), stamp=12)])


PUTS = [write(put=c.Put(path="/a", content=b"1", create=True)),
        write(create=c.Create(path="/a/b", content=b"x")),
        write(create=c.Create(path="/a/e", ephemeral=True)),
        write(create=c.Create(path="/d/", sequential=True, parents=True))]
READS = [m.Read(get=m.Get(path="/a")), m.Read(stat=m.GetStat(path="/a")),
         m.Read(list=m.List(path="/")), m.Read(locks=m.ListLocks(path="/")),
         m.Read(sessions=m.ListSessions()), m.Read(status=m.GetStatus()),
         m.Read(get=m.Get(path="/a"), freshness=m.QUORUM),
         m.Read(get=m.Get(path="/a"), freshness=m.STALE),
         m.Read(check=m.CheckSequencer(sequencer="ce" * 16 + ":2:x:3:/a"))]
WATCHES = [m.Watch(id=1, path="/a", content=True, lock=True, children=True, value=True),
           m.Watch(id=2, path="/", subtree=True, content=True, known_revision=1),
           m.Watch(id=3, path="/none", content=True, known_revision=99)]
SESSION, KEEPALIVE, EXECUTE, CLOSE, WAIT, LAGS, DRAINED, STICK, UNSTICK, FULL, RESTART = range(11)


def client_stream():
    def seed(name, *parts):
        save("client_stream", name, rows(*parts))

    seed("open_write", (SESSION, 0, opened(1, 1, *PUTS)), (SESSION, 0, session(9, *READS)))
    seed("read", *[(SESSION, 0, opened(1, 1, PUTS[0]))],
         *[(SESSION, 0, session(20 + i, read)) for i, read in enumerate(READS)])
    seed("lock_two", (SESSION, 0, opened(1, 1, PUTS[0], write(acquire=acquire("/a")))),
         (SESSION, 1, opened(2, 1, write(acquire=acquire("/a")))),
         (SESSION, 1, session(2, write(cancel=c.Cancel(acquire_seq=1)))),
         (SESSION, 1, session(3, write(acquire=acquire("/a", content=b"me")))),
         (SESSION, 0, session(3, write(release=c.Release(path="/a", handle=1)))))
    seed("shared", (SESSION, 0, opened(1, 1, PUTS[0], write(acquire=acquire("/a", S)))),
         (SESSION, 1, opened(2, 1, write(acquire=acquire("/a", S, lock_delay_ms=900)))),
         (SESSION, 2, opened(3, 1, write(acquire=acquire("/a", X)))),
         (CLOSE, 1), (WAIT, 60), (KEEPALIVE, 3, beat(1, 1)), (WAIT, 60))
    seed("watch", (SESSION, 0, opened(1, 1, PUTS[0], *WATCHES)), (SESSION, 0, session(30, *PUTS)),
         (SESSION, 0, session(40, write(delete=c.Delete(path="/a/b")), m.Unwatch(id=1),
                              write(transaction=transaction()))), (WAIT, 90))
    seed("lag", (SESSION, 0, opened(1, 1, PUTS[0], *WATCHES)), (LAGS, 0),
         (EXECUTE, 1, m.ExecuteRequest(write=write(put=c.Put(path="/a", content=b"2")))),
         (SESSION, 0, session(30, READS[0])), (DRAINED, 0))
    seed("keepalive", (SESSION, 0, opened(1)), (KEEPALIVE, 1, beat(1, 1)), (WAIT, 40),
         (KEEPALIVE, 1, beat(1, 1)), (KEEPALIVE, 1, beat(1, 9)), (WAIT, 70))
    seed("attach", (SESSION, 0, opened(1, 1, PUTS[0])), (CLOSE, 0),
         (SESSION, 0, session(1, PUTS[0], attach=m.Attach(session=1, secret=secret(1)))),
         (SESSION, 0, session(2, write(end_session=c.EndSession()))))
    seed("expire", (SESSION, 0, opened(1, 1, *PUTS[:3], write(acquire=acquire("/a")))),
         (WAIT, 70), (SESSION, 0, session(9, READS[0])))
    seed("execute", *[(EXECUTE, 0, m.ExecuteRequest(write=w)) for w in PUTS],
         *[(EXECUTE, 0, m.ExecuteRequest(read=read)) for read in READS],
         (EXECUTE, 0, m.ExecuteRequest(write=write(transaction=transaction()))),
         (EXECUTE, 0, m.ExecuteRequest(step_down=m.StepDown())))
    seed("force", (SESSION, 0, opened(1, 1, PUTS[0], write(acquire=acquire("/a")))),
         (SESSION, 1, opened(2, 1, write(acquire=acquire("/a")))),
         (EXECUTE, 2, m.ExecuteRequest(write=write(force_unlock=c.ForceUnlock(path="/a")))),
         (KEEPALIVE, 3, beat(1, 1)), (SESSION, 0, session(5, write(
             release=c.Release(path="/a", handle=1)))), (KEEPALIVE, 3, beat(1, 1)),
         (EXECUTE, 2, m.ExecuteRequest(write=write(kill_session=c.KillSession(session=2)))),
         (KEEPALIVE, 3, beat(2, 2)), (SESSION, 1, session(2, write(end_session=c.EndSession()))))
    seed("disk", (SESSION, 0, opened(1)), (STICK,), (SESSION, 0, session(1, *PUTS, READS[0])),
         (FULL,), (WAIT, 40), (UNSTICK,), (SESSION, 0, session(7, *PUTS)), (STICK,),
         (SESSION, 0, session(12, *PUTS)), (RESTART,), (WAIT, 90), (WAIT, 90),
         (SESSION, 0, session(1, *PUTS, attach=m.Attach(session=1, secret=secret(1)))))
    seed("fence", (SESSION, 0, opened(1, 1, PUTS[0], write(acquire=acquire("/a")))),
         (SESSION, 0, session(3, write(put=c.Put(
             path="/a", content=b"3", condition=c.Condition(
                 sequencer="ce" * 16 + ":3:x:4:/a", instance=3))))))


# ---- what replicas say: peer_message, peer_codec ----

def sent_by(seed):
    """The chunks of state that a replica sends in this input of peer_message."""
    ran = subprocess.run([os.path.join(os.path.dirname(RECORDS_OF), "fuzz-chunks-of"), seed],
                         stdout=subprocess.PIPE, check=True, encoding="ascii")
    chunks = []
    for line in ran.stdout.split():
        message = r.Message.FromString(r.Envelope.FromString(bytes.fromhex(line)).body)
        if message.WhichOneof("body") == "transferred":
            message.transferred.number = 0
            if message not in chunks:
                chunks.append(message)
    return chunks


def entry(slot, kind, value=b"", ballot=0):
    return r.Entry(slot=slot, ballot=ballot, kind=kind, value=value)


def batch(*commands):
    return c.Batch(time_ms=1000, commands=commands).SerializeToString()


BALLOT = 1 << 16 | 2
FOUND = struct.pack("<I", 3) + b"".join(struct.pack("<IQ", i, 900 + i) for i in (1, 2, 3)) \
    + struct.pack("<II", 2, 2)
LOG = [entry(1, 2, struct.pack("<Q", BALLOT), BALLOT), entry(2, 3, FOUND, BALLOT),
       entry(3, 4, b"", BALLOT),
       entry(4, 5, batch(c.Command(put=c.Put(path="/a", create=True))), BALLOT),
       entry(5, 1, b"", BALLOT)]


def messages():
    plain = [entry(e.slot, e.kind, e.value) for e in LOG]
    return {
        "prepare": r.Message(prepare=r.Prepare(ballot=BALLOT, first_slot=1)),
        "promise": r.Message(promise=r.Promise(ballot=1 << 16 | 1, done=True, entries=LOG)),
        "promise_empty": r.Message(promise=r.Promise(ballot=1 << 16 | 1, done=True)),
        "accept": r.Message(accept=r.Accept(ballot=BALLOT, entries=plain, round=1, healthy=True,
                                            lease_ms=350)),
        "heartbeat": r.Message(accept=r.Accept(ballot=BALLOT, previous_slot=5, chosen=5, round=2,
                                               healthy=True, lease_ms=350)),
        "accepted": r.Message(accepted=r.Accepted(ballot=1 << 16 | 1, held=1, round=1,
                                                  granted=True)),
        "accepted_more": r.Message(accepted=r.Accepted(ballot=1 << 16 | 1, held=4, round=3,
                                                       granted=True)),
        "refused": r.Message(refused=r.Refused(ballot=5 << 16 | 3)),
        "stranger": r.Message(refused=r.Refused(ballot=1, stranger=True)),
        "probe": r.Message(probe=r.Probe(number=1)),
        "probed": r.Message(probed=r.Probed(number=1, promised=0)),
        "fetch": r.Message(fetch=r.Fetch(first_slot=1, last_slot=5)),
        "fetched": r.Message(fetched=r.Fetched(first_slot=1, entries=LOG)),
        "transfer": r.Message(transfer=r.Transfer(number=1, chunk=0, first_slot=1)),
        "cut": r.Message(fetched=r.Fetched(first_slot=1, checkpoint=9)),
        "nothing": r.Message(transferred=r.Transferred(chunk=0, last=True)),
        "relinquish": r.Message(relinquish=r.Relinquish(ballot=BALLOT, heir=1)),
        "state_hash": r.Message(state_hash=r.StateHash(slot=5, first=1, second=2)),
    }


def envelope(message):
    return r.Envelope(cell=b"\xce" * 16, epoch=1, **{"from": 2}, incarnation=902,
                      body=message.SerializeToString())


P_MESSAGE, P_ENVELOPE, P_LINK, P_WAIT, P_CLIENT, P_STICK, P_UNSTICK, P_FULL, P_RESTART = range(9)


def peer():
    all_messages = messages()
    for name, message in all_messages.items():
        save("peer_codec", name, rows((0, 0, envelope(message)), (1, 0, message)))
        save("peer_message", name, rows((P_LINK, 0), (P_LINK, 1), (P_MESSAGE, 0, message),
                                        (P_WAIT, 30), (P_ENVELOPE, 0, envelope(message))))
    said = lambda name, who=0: (P_MESSAGE, who, all_messages[name])
    follow = [(P_LINK, 0), said("prepare"), said("accept"), said("heartbeat")]
    save("peer_message", "follow", rows(*follow, said("fetch"), (P_WAIT, 10), said("relinquish"),
                                        (P_WAIT, 60), said("probed"), said("promise_empty")))
    save("peer_message", "crash", rows(*follow, (P_RESTART,), (P_STICK,), said("prepare", 1),
                                       said("accept"), (P_FULL,), (P_WAIT, 20), (P_UNSTICK,)))
    more = r.Message(accept=r.Accept(
        ballot=BALLOT, previous_slot=5, chosen=5, round=3, healthy=True, lease_ms=350,
        entries=[entry(6 + i, 5, batch(command(put=c.Put(path=f"/a{i}", create=True)),
                                       open_command(i + 1))) for i in range(6)]))
    chosen = r.Message(accept=r.Accept(ballot=BALLOT, previous_slot=11, chosen=11, round=4,
                                       healthy=True, lease_ms=350))
    # What the members said of slot 6: the last of them, and that is this one, is wrong.
    compared = r.Message(accept=r.Accept(
        ballot=BALLOT, previous_slot=5, chosen=7, round=3, healthy=True, lease_ms=350,
        entries=[entry(6, 5, batch(compare(0))), entry(7, 5, batch(compare(6, 1, 1, 2)))]))
    save("peer_message", "compared", rows(*follow, (P_MESSAGE, 0, compared), (P_WAIT, 10),
                                          said("cut"), (P_WAIT, 255), (P_RESTART,), *follow))
    ask = [(P_MESSAGE, 1, r.Message(transfer=r.Transfer(number=1, chunk=i, first_slot=1)))
           for i in range(6)]
    save("peer_message", "checkpoint", rows(*follow, (P_MESSAGE, 0, more), (P_MESSAGE, 0, chosen),
                                            (P_WAIT, 10), *ask, (P_RESTART,), *ask))
    sent = sent_by(os.path.join(CORPUS, "peer_message", "checkpoint"))
    save("peer_message", "transferred", rows(
        (P_LINK, 0), said("prepare"), said("cut"), (P_WAIT, 10), said("cut"), (P_WAIT, 40),
        *[(P_MESSAGE, 0, message) for message in sent], (P_WAIT, 10), (P_MESSAGE, 0, chosen),
        (P_RESTART,)))
    lead = [(P_LINK, 0), (P_LINK, 1), (P_WAIT, 255), (P_WAIT, 100)]
    for number in (1, 2, 3, 4):
        probed = r.Message(probed=r.Probed(number=number))
        lead += [(P_MESSAGE, 0, probed), (P_MESSAGE, 1, probed)]
    lead += [said("promise_empty"), said("promise_empty", 1), (P_WAIT, 5), said("accepted"),
             said("accepted", 1), (P_WAIT, 5), said("accepted_more"), said("accepted_more", 1)]
    save("peer_message", "lead", rows(*lead))
    save("peer_message", "lead_client", rows(*lead, (P_CLIENT, 0, opened(1, 1, *PUTS)),
                                             said("accepted_more"), (P_WAIT, 20),
                                             said("refused")))


# ---- the state: state_apply, state_load ----

def command(seq=0, number=0, **op):
    return c.Command(session=number, seq=seq, principal="fuzz", **op)


def open_command(number):
    return command(open_session=c.OpenSession(nonce=bytes([number]) * 16, ttl_ms=5000,
                                              secret=secret(number), host="h", pid=3))


def compare(slot, *said):
    """The members, from 1 on, said each that its state's hash is all of this byte."""
    return command(compare_states=c.CompareStates(slot=slot, hashes=[
        c.MemberHash(member=i + 1, hash=bytes([byte]) * 16) for i, byte in enumerate(said)]))


CHECKED, UNCHECKED, READ, CUT, BARRIER = range(5)


def stories():
    one, two = open_command(1), open_command(2)
    nodes = [command(1, 1, create=c.Create(path="/a/b", parents=True, content=b"text")),
             command(1, 2, create=c.Create(path="/a/e", ephemeral=True)),
             command(put=c.Put(path="/", content=b"root"))]
    locks = [command(2, 1, acquire=acquire("/a")),
             command(2, 2, acquire=acquire("/a", content=b"two")),
             command(3, 1, acquire=acquire("/a/b", S, handle=2, lock_delay_ms=800)),
             command(3, 2, acquire=acquire("/a/b", S, handle=3))]
    return {
        "nodes": [one, two, *nodes, command(4, 1, delete=c.Delete(path="/a/b")),
                  command(5, 1, create=c.Create(path="/d/", sequential=True, parents=True)),
                  command(transaction=transaction())],
        "locks": [one, two, *nodes, *locks,
                  command(4, 1, release=c.Release(path="/a", handle=1)),
                  command(4, 2, cancel=c.Cancel(acquire_seq=2))],
        "expire": [one, two, *nodes, *locks, command(expire_session=c.ExpireSession(session=1)),
                   command(end_lock_delay=c.EndLockDelay(path="/a/b", instance=4, generation=12)),
                   command(end_lock_delay=c.EndLockDelay(path="/a/b", instance=4, generation=13))],
        "delay": [one, two, *nodes, *locks, command(expire_session=c.ExpireSession(session=1)),
                  command(4, 2, acquire=acquire("/a/b"))],
        "force": [one, two, *nodes, *locks, command(force_unlock=c.ForceUnlock(path="/a/b")),
                  command(kill_session=c.KillSession(session=2))],
        "hand_over": [one, two, *nodes, *locks,
                      command(expire_session=c.ExpireSession(session=1)),
                      command(hand_over=c.HandOver(
                          leases=[c.LeaseLeft(session=2, left_ms=500)],
                          delays=[c.DelayLeft(path="/a/b", instance=4, generation=12,
                                              left_ms=300)]))],
        "end": [one, two, *nodes, *locks, command(4, 1, end_session=c.EndSession()),
                command(5, 2, put=c.Put(path="/a", condition=c.Condition(
                    content_generation=4, instance=4, sequencer="ce" * 16 + ":4:x:9:/a")))],
        "repeat": [one, *nodes, command(3, 1, acquire=acquire("/a")), nodes[0], nodes[1],
                   c.Command(session=1, seq=2, lowest=2, put=c.Put(path="/a")),
                   c.Command(session=1, seq=9, lowest=3, put=c.Put(path="/a")), nodes[0]],
        "compare": [one, compare(0), *nodes, compare(2, 1, 1, 1, 2)],
        "one": [one],
    }


def state():
    for name, commands in stories().items():
        parts = [(CHECKED, 1, x) for x in commands]
        reads = [(READ, 0, read) for read in READS]
        save("state_apply", name, rows(*parts, *reads))
        save("state_apply", name + "_cut",
             rows(*[y for x in parts for y in (x, (CUT, 1))], (BARRIER, 3)))
        save("state_apply", name + "_unchecked", rows(*[(UNCHECKED, 1, x) for x in commands]))
        os.makedirs(os.path.join(CORPUS, "state_load"), exist_ok=True)
        subprocess.run([RECORDS_OF, os.path.join(CORPUS, "state_apply", name),
                        os.path.join(CORPUS, "state_load", name)], check=True)


# ---- what servers say to the library: session ----

REPLY, UP, DOWN, BEGUN, BEAT, REDIRECT, S_WAIT, CALL, GIVE_UP, UNWATCH, S_CLOSE = range(11)


def replies():
    def answered(seq, read=False, **answer):
        return m.SessionReply(items=[m.Item(answered=m.Answered(
            seq=seq, read=read, answer=c.Answer(revision=9, **answer)))])

    def event(kind, **more):
        return m.SessionReply(items=[m.Item(event=m.Event(kind=kind, revision=12, **more))])

    begin = [(UP,), (BEGUN,), (BEAT,)]
    stat = c.Stat(path="/a", instance=3, modified_revision=9)
    stories_of = {
        "open": begin,
        "write": [*begin, (CALL, 0), (REPLY, 0, answered(1, stat=stat))],
        "lock": [*begin, (CALL, 1), (REPLY, 0, answered(1, granted=c.Sequencer(
            path="/a", instance=3, mode=X, generation=8))),
                 (REPLY, 0, event(m.Event.REVOKED, path="/a", generation=8, handle=1)),
                 (BEAT, 20), (CALL, 2), (REPLY, 0, answered(2)), (S_WAIT, 90)],
        "read": [*begin, (CALL, 3), (REPLY, 0, answered(1, True, content=c.Content(
            data=b"x", stat=stat)))],
        "watch": [*begin, (CALL, 4), (REPLY, 0, answered(1, True, stat=stat)),
                  (REPLY, 0, event(m.Event.CONTENT, watch=1, stat=stat, value=b"v")),
                  (REPLY, 0, event(m.Event.RESYNC, watch=1)), (REPLY, 0, event(m.Event.PROGRESS)),
                  (DOWN,), (S_WAIT, 30), *begin, (UNWATCH, 1)],
        "redirect": [(UP,), (REPLY, 0, m.SessionReply(items=[m.Item(redirect=m.Redirect(
            leader=2, address="c:3"))])), *begin, (REDIRECT, 0, b"d:4"), (S_WAIT, 60), *begin],
        "jeopardy": [*begin, (CALL, 0), (S_WAIT, 120), (UP,), (BEGUN,), (BEAT,)],
        "expired": [*begin, (CALL, 1), (CALL, 132), (BEAT, 13)],
        "killed": [*begin, (CALL, 0), (BEAT, 21), (S_WAIT, 20)],
        "held": [(UP,), (BEGUN, 1), (CALL, 0), (S_WAIT, 50)],
        "refused": [(UP,), (REPLY, 0, m.SessionReply(items=[m.Item(begun=c.Answer(
            status=c.INVALID, message="no"))]))],
        "give_up": [*begin, (CALL, 1), (GIVE_UP, 1), (REPLY, 0, answered(1)), (S_WAIT, 20)],
        "close": [*begin, (CALL, 0), (S_CLOSE,), (REPLY, 0, answered(1)), (REPLY, 0, answered(2))],
    }
    for status in ("NOT_HELD", "THROTTLED", "MAYBE_APPLIED", "EXPIRED", "CANCELLED", "JEOPARDY"):
        no = (REPLY, 0, answered(1, status=c.Status.Value(status)))
        stories_of["no_" + status.lower()] = [*begin, (CALL, 0), no, no, (S_WAIT, 20), (CALL, 1),
                                              (REPLY, 0, answered(2)), no]
    for name, story in stories_of.items():
        save("session", name, rows(*story))


# ---- texts ----

def texts():
    for i, text in enumerate(["/", "/a", "/a/b/c", "/a\0/a-", "/\u00e4/\u20ac\0/\u00e4", "/..",
                              "/a/", "//", "/a/b\0/a", "/a.b:c\0/a.b"]):
        save("path", f"path{i}", text.encode())
    for i, text in enumerate(["x:4:/a", "s:18446744073709551615:/a/b", "x:0:/", "x:1:/a:b", "x:01:/a",
                              "y:1:/a", "x:1:"]):
        save("sequencer", f"text{i}", f"{'0123456789abcdef' * 2}:{i}:{text}".encode())
    for i, text in enumerate(["a:1", "a:1,b:2,[::1]:7400", "127.0.0.1:65535", "unix:/tmp/s",
                              "localhost:07400", "[fe80::1%lo]:1", "a:1,,b:2", "a", ":1", "a:99999",
                              "[::ffff:127.0.0.1]:1", "0.0.0.0:1"]):
        save("endpoints", f"text{i}", text.encode())
    cell = "0123456789abcdef0123456789abcdef"
    save("config", "file", b"\0# all\nlisten = 127.0.0.1:7400\ncell = " + cell.encode() +
         b"\nid = 1\nlease-ms = 500\n heartbeat_ms=50\nrate_ppm = 100\nwal_mib = 8\n"
         b"checkpoint_frames = 400\n")
    save("config", "file_bad", b"\0listen\ndir = /x\nlease_ms = -1\nid = 99999999999999999999\n")
    save("config", "serve", f"\1--dir\n/d\n--listen=[::1]:7400\n--cell={cell}\n--id\n2".encode())
    save("config", "init", f"\2--dir=/d\n--id=2\n--cell={cell}\n--name=n-1.x\n"
         "--members=1=a:1,2=b:2,3=[::1]:3".encode())
    save("config", "members", b"\0031=a:1,5=b:2,3=c:3")
    save("config", "cell", b"\x0401234567-89ab-cdef-0123-456789ABCDEF")
    lines = [["get", "/a", "-l"], ["--endpoints=a:1,b:2", "--deadline", "5s", "put", "/a", "--value", "v"],
             ["lock", "/a", "--try", "--", "sh", "-c", "true"], ["watch", "-r", "/", "--from", "12"],
             ["session", "kill", "7", "--force"], ["txn", "--file", "f"], ["--format=json", "ls", "-R", "/"],
             ["rm", "-r", "/a", "--if-generation", "5"], ["elect", "/a", "--ttl", "20s", "--wait=2m"],
             ["step-down", "--to", "3"], ["--help"], ["locks", "--help"], ["18446744073709551615"],
             ["250ms"]]
    for i, words in enumerate(lines):
        save("arguments", f"line{i}", "\n".join(words).encode())
    save("txn_script", "all", b"""# all of it
check exists /a
check absent '/b c'
check generation /a 12
check sequencer "0123:4:x:5:/a"
put /a "a\\x00b\\n\\t\\"" --parents --if-gen 3 --if-seq s
create /c/ v --sequential
create '/-- x'"y"z
delete /a --if-gen 7
""")
    for i, text in enumerate([b"put /a", b"check", b"put /a 'x", b'put /a "\\xg"', b"put /a b c",
                              b"delete /a --if-gen 99999999999999999999", b"\n\n \t#\n",
                              b"create /a v --ephemeral\n"]):
        save("txn_script", f"text{i}", text)


# ---- the -wal: wal_scan ----

def wal():
    frame, wrong, stranger, header, smear = range(5)
    plain, commit = b"\0content", b"\1content"
    stories_of = {
        "clean": [(frame, 1, plain), (frame, 2, commit), (frame, 1, commit)],
        "torn": [(frame, 1, commit), (frame, 2, plain), (wrong, 3, commit)],
        "older": [(frame, 1, commit), (stranger, 2, commit), (stranger, 3, commit)],
        "corrupt": [(frame, 1, commit), (wrong, 2, plain), (frame, 3, commit), (frame, 1, commit)],
        "commit_gone": [(frame, 1, commit), (frame, 2, commit), (frame, 3, commit),
                        (smear, 0, struct.pack("<I", 32 + 4120 + 7)[:3] + b"\0")],
        "no_header": [(frame, 1, commit), (smear, 0, b"\0\0\0" + b"\0" * 32)],
        "bad_header": [(frame, 1, b"\1\0"), (frame, 2, b"\1\0"), (smear, 0, b"\x18\0\0\xff")],
        "lost": [(frame, 1, commit), (smear, 0, b"\x18\0\0\xff")],
        "new_header": [(frame, 1, commit), (frame, 2, commit), (header, 5)],
        "empty": [(frame, 0, plain)],
    }
    for name, story in stories_of.items():
        save("wal_scan", name, rows(*story))


client_stream()
peer()
state()
replies()
texts()
wal()
