"""A client of Coord from nothing but its proto files: Debian's python3-grpcio and
protoc, no library of ours. Small on purpose; it shows what the wire asks of a
client in any language.

A session is three things: a stream of requests and answers, a KeepAlive on a
stream of its own, and the client's own belief in how long it lasts.
"""

import os
import queue
import subprocess
import sys
import tempfile
import threading
import time

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # what we fork only execs
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
import grpc

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DRIFT = 0.005  # by which two clocks may differ in rate
CALL_S = 10


def _generate():
    """The modules that protoc makes of the proto files. Those of gRPC's health
    service would hide below the package grpc, hence a root of their own."""
    proto = os.path.join(ROOT, "proto")
    folder = tempfile.TemporaryDirectory(prefix="coord-interop-")
    for root, files in ((proto, ["coord/v1/command.proto", "coord/v1/coord.proto"]),
                        (os.path.join(proto, "grpc/health/v1"), ["health.proto"])):
        subprocess.run(["protoc", "-I", root, f"--python_out={folder.name}", *files], check=True,
                       cwd=root)
    sys.path.insert(0, folder.name)
    from coord.v1 import command_pb2, coord_pb2
    import health_pb2
    sys.path.remove(folder.name)
    folder.cleanup()
    return command_pb2, coord_pb2, health_pb2


command, coord, health = _generate()


def channel_to(address):
    # A channel of its own each time, and no proxy in between.
    return grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1),
                                                   ("grpc.enable_http_proxy", 0)])


def unary(channel, method, answer_type):
    return channel.unary_unary(method, request_serializer=lambda m: m.SerializeToString(),
                               response_deserializer=answer_type.FromString)


def execute(address, seconds=CALL_S, **request):
    """One request without a session, to one server: its Answer."""
    with channel_to(address) as channel:
        call = unary(channel, "/coord.v1.Coord/Execute", command.Answer)
        return call(coord.ExecuteRequest(**request), timeout=seconds)


def status_name(status):
    return command.Status.Name(status)


def printable(sequencer):
    """As coordctl shows and takes it."""
    mode = {command.LOCK_EXCLUSIVE: "x", command.LOCK_SHARED: "s"}[sequencer.mode]
    return (f"{sequencer.cell.hex()}:{sequencer.instance}:{mode}:{sequencer.generation}:"
            f"{sequencer.path}")


def _now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Refused(Exception):
    def __init__(self, answer):
        super().__init__(f"{status_name(answer.status)}: {answer.message}")
        self.status = answer.status


class _Redirected(Exception):
    """Asked one that does not lead; the argument is the leader's address or ""."""


class _Stream:
    """A bidirectional stream: messages to send go into a queue."""

    def __init__(self, channel, method, reply_type):
        self._out = queue.Queue()
        call = channel.stream_stream(method, request_serializer=lambda m: m.SerializeToString(),
                                     response_deserializer=reply_type.FromString)
        self._call = call(iter(self._out.get, None))

    def send(self, message):
        self._out.put(message)

    def __iter__(self):
        """What comes, until the stream ends, however it does."""
        try:
            yield from self._call
        except grpc.RpcError:
            return

    def cancel(self):
        self._out.put(None)
        self._call.cancel()


class Pending:
    """A request under way, kept until it is answered: a new stream gets it again."""

    def __init__(self, request):
        self.request = request
        self._done = threading.Event()
        self._answer = None

    def _set(self, answer):
        self._answer = answer
        self._done.set()

    def is_answered(self):
        return self._done.is_set()

    def answer(self, seconds=CALL_S):
        if not self._done.wait(seconds):
            raise TimeoutError("no answer")
        return self._answer

    def ok(self, seconds=CALL_S):
        answer = self.answer(seconds)
        if answer.status != command.OK:
            raise Refused(answer)
        return answer


class Session:
    """Opened at once, and kept alive until close() or lose(). Use as a context.

    events is a queue of coord.Event. When the stream is lost, be it that the leader
    changed, the session goes on over a new one: writes keep their numbers, so none
    is done twice; watches say what they know, so none misses anything."""

    def __init__(self, endpoints, ttl_ms=12000):
        self.endpoints = list(endpoints)
        self.events = queue.Queue()
        self.beats = 0
        self.expired = threading.Event()
        self.reads = threading.Event()  # clear it to be a reader that does not read
        self.reads.set()
        self._quiet = threading.Event()
        self._lock = threading.Lock()
        # All below is the lock's.
        self._seq = self._asked = self._watch = 0
        self._pending = {}  # by (is a read, seq)
        self._watches = {}  # coord.Watch, by id
        asked_at = _now()
        begun = self._begin(open=coord.Open(nonce=os.urandom(16), ttl_ms=ttl_ms,
                                            host=os.uname().nodename, pid=os.getpid()))
        self.id, self.secret = begun.opened.session, begun.opened.secret
        self.ttl_s = begun.opened.ttl_ms / 1000
        self._believe(asked_at)
        self._keeper = threading.Thread(target=self._keep_alive, daemon=True)
        self._keeper.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- the stream ----

    def _begin(self, **first):
        """Opens or attaches, wherever the leader is. The answer."""
        end = _now() + CALL_S
        addresses = list(self.endpoints)
        while _now() < end and not self._quiet.is_set():
            address = addresses.pop(0) if addresses else ""
            if not address:
                addresses = list(self.endpoints)
                time.sleep(0.05)  # nobody knows a leader yet
                continue
            try:
                return self._begin_at(address, first)
            except _Redirected as redirected:
                addresses.insert(0, redirected.args[0])
            except (grpc.RpcError, ConnectionError):
                pass
        raise TimeoutError("no leader")

    def _begin_at(self, address, first):
        channel = channel_to(address)
        stream = _Stream(channel, "/coord.v1.Coord/Session", coord.SessionReply)
        stream.send(coord.SessionRequest(**first))
        items = (item for reply in stream for item in reply.items)
        item = next(items, None)
        kind = item.WhichOneof("kind") if item is not None else None
        if kind == "begun" and item.begun.status == command.OK:
            with self._lock:
                self.leader, self._channel, self._stream = address, channel, stream
                for watch in self._watches.values():
                    self._asked += 1
                    self._send(coord.Request(seq=self._asked, watch=watch))
                for number in sorted(self._pending):
                    self._send(self._pending[number].request)
            threading.Thread(target=self._take, args=(items, stream), daemon=True).start()
            return item.begun
        stream.cancel()
        channel.close()
        if kind == "begun":
            raise Refused(item.begun)
        if kind == "redirect":
            raise _Redirected(item.redirect.address)
        raise ConnectionError(address)

    def _take(self, items, stream):
        for item in items:
            self.reads.wait()
            kind = item.WhichOneof("kind")
            if kind == "answered":
                with self._lock:
                    pending = self._pending.pop((item.answered.read, item.answered.seq), None)
                    if pending is not None and pending.request.HasField("watch"):
                        watch = pending.request.watch
                        watch.known_revision = max(watch.known_revision,
                                                   item.answered.answer.revision)
                        self._watches[watch.id] = watch
                if pending is not None:
                    pending._set(item.answered.answer)
            elif kind == "event":
                self._take_event(item.event)
        stream.cancel()
        self._channel.close()
        while not self._quiet.is_set() and not self.expired.is_set():
            try:
                self._begin(attach=coord.Attach(session=self.id, secret=self.secret))
                return
            except TimeoutError:
                pass
            except Refused:
                self.expired.set()

    def _take_event(self, event):
        with self._lock:
            # A progress mark is about all of them.
            for watch in self._watches.values():
                if event.watch == watch.id or event.kind == coord.Event.PROGRESS:
                    watch.known_revision = max(watch.known_revision, event.revision)
        self.events.put(event)

    def _send(self, request):
        """Under the lock: the order on the stream is that of the numbers."""
        lowest = min((seq for is_read, seq in self._pending if not is_read), default=self._seq + 1)
        self._stream.send(coord.SessionRequest(lowest=lowest, requests=[request]))

    def _request(self, is_read, **request):
        with self._lock:
            if is_read:
                self._asked = number = self._asked + 1
            else:
                self._seq = number = self._seq + 1
            pending = Pending(coord.Request(seq=number, **request))
            self._pending[(is_read, number)] = pending
            self._send(pending.request)
        return pending

    def cut(self):
        """As if the network had ended the stream."""
        self._stream.cancel()

    # ---- the lease ----

    def _believe(self, asked_at):
        """Counted from before it was asked for, and shortened: ours ends first."""
        self.safe_until = asked_at + self.ttl_s * (1 - DRIFT) / (1 + DRIFT)

    def is_safe(self):
        return not self.expired.is_set() and _now() < self.safe_until

    def _keep_alive(self):
        """A stream per leader; a beat each third of the lease, sooner if that failed."""
        while not self._quiet.is_set() and not self.expired.is_set():
            with channel_to(self.leader) as channel:
                stream = _Stream(channel, "/coord.v1.Coord/KeepAlive", coord.KeepAliveReply)
                replies = iter(stream)
                while self._beat(stream, replies):
                    self._quiet.wait(self.ttl_s / 3)
                stream.cancel()
            self._quiet.wait(0.1)

    def _beat(self, stream, replies):
        if self._quiet.is_set():
            return False
        asked_at = _now()
        stream.send(coord.KeepAliveRequest(beats=[coord.Beat(session=self.id, secret=self.secret,
                                                             stamp=int(asked_at * 1e9))]))
        reply = next(replies, None)
        if reply is None or reply.HasField("redirect"):
            return False
        if reply.answers[0].status == command.EXPIRED:
            self.expired.set()
            return False
        if reply.answers[0].status == command.OK:
            self._believe(reply.answers[0].stamp / 1e9)
            self.beats += 1
        return True

    # ---- what an application asks ----

    def write(self, **op):
        return self._request(False, write=coord.Write(**op))

    def read(self, **op):
        return self._request(True, read=coord.Read(**op))

    def watch(self, path, **options):
        """The watch's id, and the answer: the present state, NO_NODE if there is none."""
        with self._lock:
            self._watch = number = self._watch + 1
        asked = coord.Watch(id=number, path=path, **options)
        return number, self._request(True, watch=asked).answer()

    def unwatch(self, number):
        """Has no answer; none of its events is behind the next answer."""
        with self._lock:
            del self._watches[number]
            self._send(coord.Request(unwatch=coord.Unwatch(id=number)))

    def create(self, path, content=b"", **options):
        return self.write(create=command.Create(path=path, content=content, **options)).ok()

    def acquire(self, path, wait=True, **options):
        """Under way: the answer comes with the lock."""
        return self.write(acquire=command.Acquire(path=path, handle=1, wait=wait,
                                                  mode=command.LOCK_EXCLUSIVE, **options))

    def release(self, path, **options):
        return self.write(release=command.Release(path=path, handle=1, **options)).ok()

    # ---- ends ----

    def lose(self):
        """As a client that dies: not a word more."""
        self.reads.set()
        self._quiet.set()
        self._keeper.join()
        self._stream.cancel()
        self._channel.close()

    def close(self):
        if not self._quiet.is_set():
            try:
                self.write(end_session=command.EndSession()).answer()
            except TimeoutError:
                pass  # the lease will end it
            self.lose()
