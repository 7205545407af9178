"""Just enough of protobuf's encoding to say what no client would say, and
rawcall to say it."""

import os
import subprocess

import cell

EXECUTE = "/coord.v1.Coord/Execute"
SESSION = "/coord.v1.Coord/Session"
KEEPALIVE = "/coord.v1.Coord/KeepAlive"
LINK = "/coord.v1.Replica/Link"
RAWCALL = os.path.join(cell.HELPERS, "rawcall")


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def message(*fields):
    """Of (number, value): an int is a varint, bytes and str are length-delimited."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def _read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    """{number: [value, ...]}; nested messages stay bytes."""
    found = {}
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        if key & 7 == 0:
            value, at = _read_varint(data, at)
        else:
            length, at = {1: (8, at), 5: (4, at)}.get(key & 7) or _read_varint(data, at)
            value = data[at:at + length]
            at += length
        found.setdefault(key >> 3, []).append(value)
    return found


class Reply:
    """What came back of a call."""

    def __init__(self, text):
        self.messages = []
        self.status = None
        self.text = ""
        for line in text.splitlines():
            kind, _, rest = line.partition(" ")
            if kind == "message":
                self.messages.append(bytes.fromhex(rest))
            elif kind == "status":
                code, _, self.text = rest.partition(" ")
                self.status = int(code)


def call(address, method, *messages, deadline_ms=5000, metadata=()):
    """Sends the messages, ends our side, and returns the Reply."""
    done = cell.run([RAWCALL, f"ipv4:{address}", method, "--deadline-ms", str(deadline_ms),
                     *metadata],
                    input="".join(m.hex() + "\n" for m in messages), seconds=60)
    return Reply(done.stdout)


def call_many(address, method, cases, deadline_ms, metadata=(), at_once=8):
    """A call for each case, a list of messages; the Replies in their order."""
    arguments = [RAWCALL, f"ipv4:{address}", method, "--deadline-ms", str(deadline_ms), *metadata]
    replies = []
    for start in range(0, len(cases), at_once):
        running = []
        for messages in cases[start:start + at_once]:
            process = cell.spawn(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, text=True)
            try:
                process.stdin.write("".join(m.hex() + "\n" for m in messages))
                process.stdin.close()
            except BrokenPipeError:
                pass  # the server ended the call before it had heard all
            running.append(process)
        for process in running:
            with process.stdout:
                replies.append(Reply(process.stdout.read()))
            process.wait()
    return replies


class Stream:
    """A call whose messages are sent one by one."""

    def __init__(self, address, method, deadline_ms=60000, metadata=()):
        self.running = cell.Running(
            [RAWCALL, f"ipv4:{address}", method, "--deadline-ms", str(deadline_ms), *metadata],
            stdin=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.running.__exit__()

    def send(self, data):
        self.running.process.stdin.write((data.hex() + "\n").encode())
        self.running.process.stdin.flush()

    def end(self):
        self.running.process.stdin.close()
        self.running.process.stdin = None

    def reply(self):
        """Of what is there of it: its last line may still be being written."""
        return Reply("\n".join(self.running.lines()))

    def wait_messages(self, count, seconds=10):
        cell.until(lambda: len(self.reply().messages) >= count, seconds, f"{count} messages")
        return self.reply().messages

    def wait_status(self, seconds=10):
        cell.until(lambda: self.reply().status is not None, seconds, "the call ended")
        return self.reply()


# ---- what clients say (proto/coord/v1/coord.proto) ----

def execute_get(path):
    return message((1, message((1, message((1, path))))))


def execute_put(path, content, create=True):
    return message((2, message((2, message((1, path), (2, content), (3, int(create)),
                                           (4, 1))))))


def execute_status():
    return message((1, message((7, b""))))


def execute_check(sequencer):
    return message((1, message((4, message((1, sequencer))))))


def session_open(nonce, ttl_ms=12000):
    return message((1, message((1, nonce), (2, ttl_ms), (3, "raw"), (4, 1))))


def session_attach(session, secret):
    return message((2, message((1, session), (2, secret))))


def session_put(seq, path, content):
    put = message((1, path), (2, content), (3, 1), (4, 1))
    return message((3, 1), (4, message((1, message((2, put))), (5, seq))))


def session_get(seq, path):
    return message((4, message((2, message((1, message((1, path))))), (5, seq))))


def beat(session, secret, stamp):
    return message((1, message((1, session), (2, secret), (3, stamp))))


def answer_status(answer):
    return fields(answer).get(1, [0])[0]


def items(reply_messages):
    """The Items of all SessionReplies, as (kind, body): answered 1, event 2,
    redirect 3, begun 4."""
    found = []
    for reply in reply_messages:
        for item in fields(reply).get(1, []):
            for kind, bodies in fields(item).items():
                found.append((kind, bodies[0]))
    return found


def begun(reply_messages):
    """How the session began: the status, and what was opened, by field number: 1 the
    session, 2 its secret, 3 its lease in ms."""
    body = next(body for kind, body in items(reply_messages) if kind == 4)
    return answer_status(body), fields(fields(body).get(14, [b""])[0])


def open_session(stream, ttl_ms=12000):
    """On a stream that nothing was said on yet; its id and secret."""
    stream.send(session_open(os.urandom(16), ttl_ms))
    status, opened = begun(stream.wait_messages(1))
    if status != 0:
        raise AssertionError(f"no session: {status}")
    return opened[1][0], opened[2][0]
