#!/usr/bin/python3
"""A client in another language beside coordctl, on one cell: sessions, locks,
elections and watches go together whoever made the client. And what any gRPC
client may ask: the health service, and methods that are not there.

Debian's own Python, for which there is python3-grpcio."""

import os
import queue
import signal
import sys
import threading
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
import cell
from session import (CALL_S, Session, channel_to, command, coord, execute, grpc, health, printable,
                     status_name, unary)

cell.PORTS = range(7900, 7950)
SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3


class Watching:
    """Health/Watch of one server: what it says, in order."""

    def __init__(self, address, service=""):
        self.said = []
        self.code = None
        self._channel = channel_to(address)
        call = self._channel.unary_stream(
            "/grpc.health.v1.Health/Watch", request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=health.HealthCheckResponse.FromString)
        self._call = call(health.HealthCheckRequest(service=service))
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._call.cancel()
        self._thread.join()
        self._channel.close()

    def _take(self):
        try:
            for answer in self._call:
                self.said.append(answer.status)
        except grpc.RpcError as error:
            self.code = error.code()

    def until_last(self, status, seconds=10):
        cell.until(lambda: self.said[-1:] == [status], seconds, f"{status}, not {self.said}")


def check(address, service=""):
    with channel_to(address) as channel:
        call = unary(channel, "/grpc.health.v1.Health/Check", health.HealthCheckResponse)
        return call(health.HealthCheckRequest(service=service), timeout=CALL_S).status


class InteropCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cell = cls.enterClassContext(cell.Cell())

    def session(self, **options):
        return self.enterContext(Session([s.address for s in self.cell.servers], **options))

    def sessions(self):
        return {s["session"]: s for s in self.cell.json("session", "ls")["sessions"]}

    def locks(self, path):
        found = [lock for lock in self.cell.json("locks", path)["locks"] if lock["path"] == path]
        return found[0] if found else {"holders": [], "waiters": []}

    def event(self, session):
        while True:
            event = session.events.get(timeout=10)
            if event.kind != coord.Event.PROGRESS:
                return event

    def wait_waiters(self, path, count):
        cell.until(lambda: len(self.locks(path)["waiters"]) == count, 10, f"{count} in line")


class Python(InteropCase):
    # ---- sessions ----

    def test_a_session_lives_by_its_keepalives(self):
        mine = self.session(ttl_ms=2000)
        mine.create("/live", ephemeral=True)
        seen = self.sessions()[mine.id]
        self.assertEqual((seen["ttl_ms"], seen["pid"]), (2000, os.getpid()))
        # More than two leases long, on nothing but beats.
        cell.until(lambda: mine.beats >= 8, 15, "eight beats")
        self.assertTrue(mine.is_safe())
        self.assertIn(mine.id, self.sessions())
        mine.lose()
        cell.until(lambda: self.cell.ctl("stat", "/live").returncode == 1, 10, "it expired")
        self.assertNotIn(mine.id, self.sessions())
        self.assertFalse(mine.is_safe())  # our belief ended first

    def test_a_session_goes_on_over_a_new_stream(self):
        mine = self.session()
        mine.create("/again")
        granted = mine.acquire("/again").ok().granted
        mine.watch("/again", children=True)
        mine.cut()
        self.assertEqual(self.cell.ok("check", printable(granted)), "held\n")
        mine.create("/again/child", b"1")  # its numbers go on, and its watch
        self.assertEqual(self.cell.ok("get", "/again/child"), "1\n")
        self.assertEqual(self.event(mine).path, "/again/child")
        mine.release("/again")
        self.assertEqual(self.cell.ctl("check", printable(granted)).returncode, 1)

    def test_a_session_survives_its_leader(self):
        mine = self.session()
        mine.create("/survives")
        granted = mine.acquire("/survives").ok().granted
        mine.watch("/survives", content=True)
        put = command.Put(path="/survives", content=b"1")
        self.cell.leader().kill()
        under_way = [mine.write(put=put) for _ in range(20)]
        self.assertEqual({status_name(p.answer(20).status) for p in under_way}, {"OK"})
        # Each was done once: a put is told once, in its turn.
        generations = [p.answer().stat.content_generation for p in under_way]
        self.assertEqual([self.event(mine).revision for _ in under_way], generations)
        self.assertEqual(self.cell.ok("check", printable(granted)), "held\n")
        self.cell.start()

    def test_one_that_does_not_lead_says_who_does(self):
        follower, leader = self.cell.followers()[0], self.cell.leader()
        put = coord.Write(put=command.Put(path="/x", content=b"1", create=True))
        answer = execute(follower.address, write=put)
        self.assertEqual((status_name(answer.status), answer.message),
                         ("NOT_LEADER", leader.address))
        self.assertEqual(execute(answer.message, write=put).status, command.OK)
        self.assertEqual(self.cell.ok("get", "/x"), "1\n")

    # ---- locks ----

    def test_a_lock_passes_between_python_and_the_shell(self):
        mine = self.session()
        mine.create("/l")
        first = mine.acquire("/l").ok().granted
        self.assertEqual(self.locks("/l")["holders"][0]["pid"], os.getpid())
        self.assertEqual(self.cell.ok("check", printable(first)), "held\n")
        self.assertEqual(self.cell.ctl("lock", "--try", "/l").returncode, 75)
        with self.cell.begin("lock", "/l") as shell:
            self.wait_waiters("/l", 1)
            mine.release("/l")
            second = shell.line()
            # Behind the shell, and then ours again.
            waiting = mine.acquire("/l")
            self.wait_waiters("/l", 1)
            refused = mine.read(check=coord.CheckSequencer(sequencer=printable(first))).answer()
            self.assertEqual(status_name(refused.status), "STALE_SEQUENCER")
            mine.read(check=coord.CheckSequencer(sequencer=second)).ok()
            self.assertFalse(waiting.is_answered())
            shell.signal(signal.SIGTERM)
            third = waiting.ok().granted
            self.assertEqual(shell.wait(), 0)
        generations = [int(s.split(":")[3]) for s in (printable(first), second, printable(third))]
        self.assertEqual(generations, sorted(set(generations)))
        mine.release("/l")

    def test_one_that_dies_loses_its_lock_when_its_lease_is_over(self):
        mine = self.session(ttl_ms=2000)
        mine.create("/dead")
        mine.acquire("/dead").ok()
        with self.cell.begin("lock", "/dead") as shell:
            self.wait_waiters("/dead", 1)
            mine.lose()
            shell.line(seconds=10)
            self.assertFalse(mine.is_safe())
            shell.signal(signal.SIGTERM)
            self.assertEqual(shell.wait(), 0)

    def test_a_write_is_guarded_by_the_lock(self):
        mine = self.session()
        mine.create("/guard")
        sequencer = printable(mine.acquire("/guard").ok().granted)
        self.cell.ok("put", "/guarded", "1", "--if-seq", sequencer)
        mine.release("/guard")
        self.assertEqual(self.cell.ctl("put", "/guarded", "2", "--if-seq", sequencer).returncode, 1)
        put = command.Put(path="/guarded", content=b"3", create=True,
                          condition=command.Condition(sequencer=sequencer))
        self.assertEqual(status_name(mine.write(put=put).answer().status), "STALE_SEQUENCER")
        self.assertEqual(self.cell.ok("get", "/guarded"), "1\n")

    # ---- elections ----

    def test_python_and_the_shell_stand_in_one_election(self):
        mine = self.session()
        mine.create("/e")
        with self.cell.begin("elect", "/e", "--value", "shell-1") as before:
            before.line()
            mine_next = mine.acquire("/e", content=b"python")
            self.wait_waiters("/e", 1)
            self.assertEqual(mine.read(get=coord.Get(path="/e")).ok().content.data, b"shell-1")
            before.signal(signal.SIGTERM)
            granted = mine_next.ok().granted
        # The value came with the lock: nobody sees a leader without it.
        leader = self.cell.json("leader", "/e")
        self.assertEqual((leader["value"], leader["sequencer"]), ("python", printable(granted)))
        with self.cell.begin("elect", "/e", "--value", "shell-2") as after:
            self.wait_waiters("/e", 1)
            mine.release("/e", clear_content=True)
            after.line()
            self.assertEqual(self.cell.json("leader", "/e")["value"], "shell-2")
            after.signal(signal.SIGTERM)
            self.assertEqual(after.wait(), 0)
        self.assertEqual(mine.read(get=coord.Get(path="/e")).ok().content.data, b"")

    # ---- watches ----

    def test_python_sees_what_the_shell_does(self):
        mine = self.session()
        watch, present = mine.watch("/w", content=True, lock=True, value=True)
        self.assertEqual(status_name(present.status), "NO_NODE")  # which is no hindrance
        last = 0

        def expect(kind, value=b""):
            nonlocal last
            event = self.event(mine)
            self.assertEqual((event.watch, coord.Event.Kind.Name(event.kind), event.value),
                             (watch, kind, value))
            self.assertGreater(event.revision, last)
            last = event.revision

        self.cell.ok("create", "/w", "one")
        expect("CREATED", b"one")
        self.cell.ok("put", "/w", "two")
        expect("CONTENT", b"two")
        self.cell.ok("lock", "/w", "--", "true")
        expect("LOCK_HELD")
        expect("LOCK_FREE")
        self.cell.ok("rm", "/w")
        expect("DELETED")
        mine.unwatch(watch)
        self.cell.ok("put", "/w", "three")
        # Had it been told, then before the answer that shows it.
        mine.read(stat=coord.GetStat(path="/w")).ok()
        self.assertRaises(queue.Empty, mine.events.get_nowait)

    def test_python_watches_a_subtree_from_a_revision(self):
        mine = self.session()
        self.cell.ok("put", "-p", "/tree/a", "1")
        known = mine.read(stat=coord.GetStat(path="/tree")).ok().revision
        for path in ("/tree/a", "/tree/b/c", "/elsewhere", "/tree/a"):
            self.cell.ok("put", "-p", path, "2")
        mine.watch("/tree", content=True, subtree=True, known_revision=known)
        seen = [self.event(mine) for _ in range(4)]
        self.assertEqual([(coord.Event.Kind.Name(e.kind), e.path or "/tree") for e in seen],
                         [("CONTENT", "/tree/a"), ("CREATED", "/tree/b"), ("CREATED", "/tree/b/c"),
                          ("CONTENT", "/tree/a")])

    def test_a_watcher_that_does_not_read_costs_only_itself(self):
        slow, other = self.session(ttl_ms=2000), self.session()
        other.create("/flood")
        slow.watch("/flood", content=True, value=True)
        other.watch("/flood", content=True)
        slow.reads.clear()
        size, rounds = 200 << 10, 80  # 16 MB, far more than may wait for one reader
        for number in range(1, rounds + 1):
            content = b"%d" % number + bytes(size)
            other.write(put=command.Put(path="/flood", content=content)).ok()
        self.assertEqual(len([self.event(other) for _ in range(rounds)]), rounds)
        # Its session lives on: KeepAlives have a stream of their own.
        beats = slow.beats
        cell.until(lambda: slow.beats >= beats + 4, 10, "beats go on")
        last = other.read(stat=coord.GetStat(path="/flood")).ok().stat
        slow.reads.set()
        told = []
        while not told or told[-1].revision < last.content_generation:
            told.append(self.event(slow))
        revisions = [event.revision for event in told]
        self.assertEqual(revisions, sorted(set(revisions)))
        self.assertTrue(slow.is_safe())
        # In full, or with a word about what is missing: never silence.
        if coord.Event.RESYNC not in [event.kind for event in told]:
            self.assertEqual(len(told), rounds)
        self.assertEqual(slow.read(get=coord.Get(path="/flood")).ok().content.stat.modified_revision,
                         last.modified_revision)

    def test_the_shell_sees_what_python_does(self):
        mine = self.session()
        mine.create("/seen", b"0")
        with self.cell.begin("watch", "--value", "-o", "json", "/seen") as shell:
            shell.line()
            for number in range(1, 4):
                put = command.Put(path="/seen", content=str(number).encode())
                mine.write(put=put).ok()
                line = cell.json.loads(shell.line(number))
                self.assertEqual(line["content"], str(number), line)

    # ---- what is not there ----

    def test_unknown_methods_are_unimplemented(self):
        with channel_to(self.cell.servers[0].address) as channel:
            for method in ("/coord.v1.Coord/Nothing", "/coord.v2.Coord/Execute", "/no.Such/Method",
                           "/grpc.health.v1.Health/List"):
                with self.subTest(method), self.assertRaises(grpc.RpcError) as caught:
                    unary(channel, method, command.Answer)(coord.ExecuteRequest(), timeout=CALL_S)
                self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)


class Health(InteropCase):
    def test_1_every_replica_of_a_cell_that_serves_is_serving(self):
        for server in self.cell.servers:
            for service in ("", "coord.v1.Coord"):
                cell.until(lambda: check(server.address, service) == SERVING, 5, "it serves")

    def test_2_an_unknown_service_is_not_found(self):
        address = self.cell.servers[0].address
        with self.assertRaises(grpc.RpcError) as caught:
            check(address, "coord.v1.Chord")
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)
        with Watching(address, "coord.v1.Chord") as watching:
            watching.until_last(SERVICE_UNKNOWN)
            self.assertIsNone(watching.code)

    def test_3_no_replica_serves_without_a_quorum_and_all_do_with_one(self):
        leader, others = self.cell.leader(), self.cell.followers()
        with Watching(leader.address) as led, Watching(others[0].address, "coord.v1.Coord") as one:
            led.until_last(SERVING)
            one.until_last(SERVING)
            for server in others[1:]:
                server.pause()
            led.until_last(NOT_SERVING)
            one.until_last(NOT_SERVING)
            self.assertEqual(check(leader.address), NOT_SERVING)
            for server in others[1:]:
                server.resume()
            led.until_last(SERVING)
            one.until_last(SERVING)
            for watching in (led, one):
                # Only changes were told.
                self.assertTrue(all(a != b for a, b in zip(watching.said, watching.said[1:])))

    def test_4_one_that_stops_says_so_first(self):
        for server in (self.cell.followers()[0], self.cell.leader()):
            with Watching(server.address) as watching:
                watching.until_last(SERVING)
                server.stop()
                cell.until(lambda: watching.code is not None, 10, "the watch ends")
                self.assertEqual(watching.said[-1], NOT_SERVING)
                self.assertEqual(watching.code, grpc.StatusCode.UNAVAILABLE)
            server.start()
            cell.until(server.is_running, 10, "it runs")
            self.cell.leader()
            cell.until(lambda: self.serves(server), 15, "it serves again")

    @staticmethod
    def serves(server):
        try:
            return check(server.address) == SERVING
        except grpc.RpcError:
            return False


if __name__ == "__main__":
    cell.main()
