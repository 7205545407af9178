"""Whether one of our servers serves, asked of its health service as cheaply as can be.

A cold start is looked at every few milliseconds while the servers need the processor, so
that neither a process nor a client library may be started for each question. The few
bytes of HTTP/2 that a call of grpc.health.v1.Health/Check takes are written by hand."""

import socket
import struct

SERVING = b"\x08\x01"  # HealthCheckResponse{status: SERVING}
ANSWER_S = 0.5
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, END_HEADERS = 1, 4
STREAM = 1
PREFIX_BYTES = 5  # of a gRPC message: whether it is compressed, and its length


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(text):
    return bytes([len(text)]) + text


def headers(authority):
    """HPACK (RFC 7541): names by their number in the static table where they have one."""
    return (b"\x83\x86"                                       # :method POST, :scheme http
            + b"\x04" + literal(b"/grpc.health.v1.Health/Check")
            + b"\x01" + literal(authority)
            + b"\x0f\x10" + literal(b"application/grpc")      # content-type
            + b"\x00" + literal(b"te") + literal(b"trailers"))


def request(authority):
    """A whole call: its message names no service, and so means the server."""
    return (PREFACE + frame(SETTINGS, 0, 0)
            + frame(HEADERS, END_HEADERS, STREAM, headers(authority))
            + frame(DATA, END_STREAM, STREAM, bytes(PREFIX_BYTES)))


def read(s, count):
    data = b""
    while len(data) < count:
        part = s.recv(count - len(data))
        if not part:
            raise ConnectionError("closed")
        data += part
    return data


def answer(s):
    """The message that is answered; nothing if the stream ends without one."""
    while True:
        head = read(s, 9)
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        payload = read(s, int.from_bytes(head[:3], "big"))
        if kind == DATA and stream == STREAM and len(payload) >= PREFIX_BYTES:
            return payload[PREFIX_BYTES:]
        if kind in (RST_STREAM, GOAWAY) or (stream == STREAM and flags & END_STREAM):
            return b""


def serves(host, port):
    try:
        with socket.create_connection((host, port), ANSWER_S) as s:
            s.settimeout(ANSWER_S)
            s.sendall(request(f"{host}:{port}".encode()))
            return answer(s) == SERVING
    except OSError:
        return False
