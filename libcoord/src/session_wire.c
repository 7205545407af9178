/* session_wire.c - the bytes of a session's requests.
 *
 * A call is packed once, when it is submitted, and joined to others by hand: a
 * Request is two fields and a SessionRequest a list of Requests, so that sending
 * and resending copy bytes and nothing more. */
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/session_internal.h"

enum {
    WIRE_VARINT = 0,
    WIRE_BYTES = 2,
    /* coord.v1.SessionRequest */
    FIELD_LOWEST = 3,
    FIELD_REQUESTS = 4,
    /* coord.v1.Request */
    FIELD_SEQ = 5,
};

static size_t varint_length(uint64_t v)
{
    size_t length = 1;
    while (v >= 0x80) {
        v >>= 7;
        length++;
    }
    return length;
}

static uint8_t *varint_put(uint8_t *at, uint64_t v)
{
    while (v >= 0x80) {
        *at++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *at++ = (uint8_t)v;
    return at;
}

static uint8_t tag(unsigned field, unsigned type)
{
    return (uint8_t)(field << 3 | type);
}

static size_t field_length(size_t message_length)
{
    return 1 + varint_length(message_length) + message_length;
}

static void field_put(uint8_t *at, enum client_field field, const ProtobufCMessage *message,
                      size_t message_length)
{
    *at++ = tag(field, WIRE_BYTES);
    at = varint_put(at, message_length);
    protobuf_c_message_pack(message, at);
}

struct client_call *client_call_new(enum client_field field, const ProtobufCMessage *message)
{
    size_t message_length = protobuf_c_message_get_packed_size(message);
    size_t body_length = field_length(message_length);
    struct client_call *c = check_malloc(sizeof *c + body_length);
    *c = (struct client_call){.deadline_ns = NEVER_NS, .body_length = body_length};
    list_init(&c->link);
    field_put(c->body, field, message, message_length);
    return c;
}

static void pack(struct client_session *s, enum client_effect_kind kind,
                 const ProtobufCMessage *message)
{
    struct client_effect *e = client_effect_add(s, kind);
    e->link = s->link_number;
    protobuf_c_message_pack(message,
                            buffer_extend(&e->bytes, protobuf_c_message_get_packed_size(message)));
}

void client_wire_begin(struct client_session *s)
{
    Coord__V1__SessionRequest m = COORD__V1__SESSION_REQUEST__INIT;
    Coord__V1__Open open = COORD__V1__OPEN__INIT;
    Coord__V1__Attach attach = COORD__V1__ATTACH__INIT;
    if (s->id == 0) {
        open.nonce = (ProtobufCBinaryData){sizeof s->nonce, s->nonce};
        open.ttl_ms = s->ttl_ms;
        open.host = s->host;
        open.pid = s->pid;
        m.begin_case = COORD__V1__SESSION_REQUEST__BEGIN_OPEN;
        m.open = &open;
    } else {
        attach.session = s->id;
        attach.secret = (ProtobufCBinaryData){sizeof s->secret, s->secret};
        m.begin_case = COORD__V1__SESSION_REQUEST__BEGIN_ATTACH;
        m.attach = &attach;
    }
    pack(s, CLIENT_EFFECT_SEND, &m.base);
}

void client_wire_beat(struct client_session *s)
{
    Coord__V1__Beat beat = COORD__V1__BEAT__INIT;
    beat.session = s->id;
    beat.secret = (ProtobufCBinaryData){sizeof s->secret, s->secret};
    beat.stamp = (uint64_t)s->now_ns;
    Coord__V1__Beat *beats[] = {&beat};
    Coord__V1__KeepAliveRequest m = COORD__V1__KEEP_ALIVE_REQUEST__INIT;
    m.beats = beats;
    m.n_beats = 1;
    pack(s, CLIENT_EFFECT_KEEPALIVE, &m.base);
}

/* Every SEND says which answers the server may forget. */
static struct buffer *send_open(struct client_session *s, size_t more)
{
    if (s->sending != 0) {
        struct buffer *b = &s->out->list[s->sending - 1].bytes;
        if (b->length + more <= CLIENT_SESSION_SEND_BYTES_MAX)
            return b;
    }
    struct client_effect *e = client_effect_add(s, CLIENT_EFFECT_SEND);
    e->link = s->link_number;
    s->sending = s->out->count;
    struct list *first = list_first(&s->sent);
    uint64_t lowest =
        first == NULL ? s->next_seq : container_of(first, struct client_call, link)->seq;
    uint8_t *at = buffer_extend(&e->bytes, 1 + varint_length(lowest));
    *at++ = tag(FIELD_LOWEST, WIRE_VARINT);
    varint_put(at, lowest);
    return &e->bytes;
}

static uint8_t *request_open(struct client_session *s, size_t body_length, uint64_t seq)
{
    size_t length = body_length + 1 + varint_length(seq);
    size_t whole = field_length(length);
    uint8_t *at = buffer_extend(send_open(s, whole), whole);
    *at++ = tag(FIELD_REQUESTS, WIRE_BYTES);
    return varint_put(at, length);
}

static void request_close(uint8_t *at, uint64_t seq)
{
    *at++ = tag(FIELD_SEQ, WIRE_VARINT);
    varint_put(at, seq);
}

void client_wire_request(struct client_session *s, const uint8_t *body, size_t body_length,
                         uint64_t seq)
{
    uint8_t *at = request_open(s, body_length, seq);
    memcpy(at, body, body_length);
    request_close(at + body_length, seq);
}

void client_wire_message(struct client_session *s, enum client_field field,
                         const ProtobufCMessage *message, uint64_t seq)
{
    size_t message_length = protobuf_c_message_get_packed_size(message);
    size_t body_length = field_length(message_length);
    uint8_t *at = request_open(s, body_length, seq);
    field_put(at, field, message, message_length);
    request_close(at + body_length, seq);
}
