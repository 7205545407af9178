/* bench.c - see bench.h. */
#include "tests/replica/bench.h"

#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/base/units.h"
#include "tests/replica/message.h"

enum { BENCH_PATIENCE_MS = 5000 };

static void step(struct bench *b, struct replica_event *e);

static void carry_out(struct bench *b, const struct effects *out, uint64_t *durable)
{
    for (uint32_t i = 0; i < out->count; i++) {
        const struct effect *e = &out->list[i];

        if (e->kind == EFFECT_PERSIST_PROMISE) {
            b->durable.promised = e->ballot;
            *durable = e->sequence;
        } else if (e->kind == EFFECT_PERSIST_LEASE) {
            b->durable.longest_lease_ms = e->lease_ms;
            *durable = e->sequence;
        } else if (e->kind == EFFECT_PERSIST_ENTRY) {
            CHECK(e->entry.slot <= BENCH_ROWS_MAX);
            blob_unref(b->rows[e->entry.slot - 1].value);
            b->rows[e->entry.slot - 1] = e->entry;
            blob_ref(e->entry.value);
            *durable = e->sequence;
        } else if (e->kind == EFFECT_SEND_STREAM) {
            CHECK(e->stream <= b->last_stream);
            buffer_put(&b->streams[e->stream].out, e->bytes->data, e->bytes->length);
        } else if (e->kind == EFFECT_CLOSE_STREAM) {
            b->streams[e->stream].closed = true;
            b->streams[e->stream].status = e->status;
            memcpy(b->streams[e->stream].text, e->text, sizeof e->text);
        } else {
            CHECK(e->kind != EFFECT_HALT);
        }
    }
}

static void step(struct bench *b, struct replica_event *e)
{
    struct effects out;
    uint64_t durable = 0;

    effects_init(&out);
    e->now_ns = b->now_ns;
    e->wall_ms = b->now_ns / NS_PER_MS;
    replica_step(b->replica, e, &out);
    carry_out(b, &out, &durable);
    b->wake_at_ns = out.wake_at_ns;
    effects_release(&out);
    if (durable != 0 && b->disk_stuck) {
        b->stuck_sequence = durable;
    } else if (durable != 0) {
        struct replica_event persisted = {.kind = REPLICA_EVENT_PERSISTED, .sequence = durable};

        step(b, &persisted);
    }
}

void bench_unstick(struct bench *b)
{
    struct replica_event e = {.kind = REPLICA_EVENT_PERSISTED, .sequence = b->stuck_sequence};

    b->disk_stuck = false;
    step(b, &e);
}

static void start(struct bench *b)
{
    struct replica_config config = {.self = 1, .incarnation = 9, .seed = 5, .pid = 77};
    struct replica_event e = {.kind = REPLICA_EVENT_TIME};
    const char *why = NULL;

    memset(config.cell, 0xce, sizeof config.cell);
    config.members_count = b->members_count;
    config.lease_ms = b->lease_ms;
    for (uint32_t i = 0; i < b->members_count; i++) {
        config.members[i].id = i + 1;
        memcpy(config.members[i].address, "host:1", sizeof "host:1");
    }
    CHECK(replica_new(&config, &b->durable, &b->replica, &why) == ERR_OK);
    for (int i = 0; i < BENCH_ROWS_MAX && b->rows[i].value != NULL; i++)
        CHECK(replica_load_entry(b->replica, &b->rows[i]) == ERR_OK);
    replica_loaded(b->replica, b->now_ns);
    step(b, &e);
}

static void bench_run_until_serving(struct bench *b)
{
    struct replica_view view;

    for (int ms = 0; ms < BENCH_PATIENCE_MS; ms += 10) {
        bench_run(b, 10);
        replica_view(b->replica, b->now_ns, &view);
        if (view.serving)
            return;
    }
    CHECK(!"a cell of one serves");
}

struct bench *bench_new(uint32_t members_count)
{
    return bench_new_with(members_count, 0);
}

void bench_wake(struct bench *b)
{
    struct replica_event e = {.kind = REPLICA_EVENT_TIME};

    b->now_ns = ns_max(b->now_ns, b->wake_at_ns);
    step(b, &e);
}

struct bench *bench_new_with(uint32_t members_count, uint32_t lease_ms)
{
    struct bench *b = check_calloc(1, sizeof *b);

    b->members_count = members_count;
    b->lease_ms = lease_ms;
    b->now_ns = NS_PER_S;
    start(b);
    if (members_count == 1)
        bench_run_until_serving(b);
    return b;
}

void bench_free(struct bench *b)
{
    replica_free(b->replica);
    for (int i = 0; i < BENCH_ROWS_MAX; i++)
        blob_unref(b->rows[i].value);
    for (int i = 0; i < BENCH_STREAMS_MAX; i++)
        buffer_release(&b->streams[i].out);
    free(b);
}

void bench_crash_and_restart(struct bench *b)
{
    replica_free(b->replica);
    start(b);
}

void bench_run(struct bench *b, int ms)
{
    int64_t until_ns = b->now_ns + ms_to_ns(ms);

    while (b->now_ns < until_ns) {
        struct replica_event e = {.kind = REPLICA_EVENT_TIME};

        b->now_ns = ns_min(until_ns, b->now_ns + ms_to_ns(10));
        step(b, &e);
    }
}

/* ---- streams ---- */

uint64_t bench_open(struct bench *b, enum replica_stream_kind kind)
{
    struct replica_event e = {.kind = REPLICA_EVENT_STREAM_OPENED, .stream_kind = kind};

    e.stream = ++b->last_stream;
    CHECK(e.stream < BENCH_STREAMS_MAX);
    e.principal = "tester";
    memset(e.random, (int)e.stream, sizeof e.random);
    step(b, &e);
    return e.stream;
}

void bench_stream_event(struct bench *b, uint64_t stream, enum replica_event_kind kind)
{
    struct replica_event e = {.kind = kind, .stream = stream};

    step(b, &e);
}

void bench_space(struct bench *b, bool low)
{
    struct replica_event e = {.kind = REPLICA_EVENT_SPACE, .low = low, .room = UINT64_MAX};

    step(b, &e);
}

void bench_close(struct bench *b, uint64_t stream)
{
    bench_stream_event(b, stream, REPLICA_EVENT_STREAM_CLOSED);
}

void bench_send_bytes(struct bench *b, uint64_t stream, struct slice bytes)
{
    struct replica_event e = {
        .kind = REPLICA_EVENT_STREAM_MESSAGE, .stream = stream, .bytes = bytes};

    step(b, &e);
}

void bench_send(struct bench *b, uint64_t stream, const ProtobufCMessage *m)
{
    struct buffer bytes = BUFFER_INIT;

    message_pack(m, &bytes);
    bench_send_bytes(b, stream, buffer_slice(&bytes));
    buffer_release(&bytes);
}

Coord__V1__SessionReply *bench_replies(struct bench *b, uint64_t stream)
{
    return message_take(&b->streams[stream].out, &coord__v1__session_reply__descriptor);
}

Coord__V1__KeepAliveReply *bench_beats(struct bench *b, uint64_t stream)
{
    return message_take(&b->streams[stream].out, &coord__v1__keep_alive_reply__descriptor);
}

Coord__V1__Answer *bench_answer(struct bench *b, uint64_t stream)
{
    return message_take(&b->streams[stream].out, &coord__v1__answer__descriptor);
}

/* ---- shorthands ---- */

struct bench_session bench_session(struct bench *b, uint8_t nonce)
{
    struct bench_session s = {.stream = bench_open(b, REPLICA_STREAM_SESSION)};
    struct message_open m;
    Coord__V1__SessionReply *reply;

    message_open_init(&m, nonce, 2000);
    bench_send(b, s.stream, &m.request.base);
    reply = bench_replies(b, s.stream);
    (void)message_begun(reply, &s.session, s.secret);
    coord__v1__session_reply__free_unpacked(reply, NULL);
    return s;
}

void bench_write(struct bench *b, uint64_t stream, uint64_t seq, Coord__V1__Write *write)
{
    Coord__V1__SessionRequest m = COORD__V1__SESSION_REQUEST__INIT;
    Coord__V1__Request request = COORD__V1__REQUEST__INIT, *requests[1] = {&request};

    request.kind_case = COORD__V1__REQUEST__KIND_WRITE;
    request.write = write;
    request.seq = seq;
    m.lowest = 1;
    m.requests = requests;
    m.n_requests = 1;
    bench_send(b, stream, &m.base);
}

int bench_put(struct bench *b, struct bench_session *s, uint64_t seq, const char *path,
              const char *content)
{
    struct message_put m;
    Coord__V1__SessionReply *reply;
    const Coord__V1__Answer *answer;
    int status = -1;

    message_put_init(&m, path, content);
    bench_write(b, s->stream, seq, &m.write);
    reply = bench_replies(b, s->stream);
    answer = bench_answered(reply, seq, false);
    if (answer != NULL)
        status = (int)answer->status;
    coord__v1__session_reply__free_unpacked(reply, NULL);
    return status;
}

void bench_acquire(struct bench *b, struct bench_session *s, uint64_t seq, const char *path,
                   bool wait)
{
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    Coord__V1__Acquire acquire = COORD__V1__ACQUIRE__INIT;

    acquire.path = (char *)(uintptr_t)path;
    acquire.handle = 1;
    acquire.mode = COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE;
    acquire.wait = wait;
    write.op_case = COORD__V1__WRITE__OP_ACQUIRE;
    write.acquire = &acquire;
    bench_write(b, s->stream, seq, &write);
}

int bench_beat(struct bench *b, const struct bench_session *s)
{
    uint64_t stream = bench_open(b, REPLICA_STREAM_KEEPALIVE);
    Coord__V1__KeepAliveRequest m = COORD__V1__KEEP_ALIVE_REQUEST__INIT;
    Coord__V1__Beat beat = COORD__V1__BEAT__INIT, *beats[1] = {&beat};
    Coord__V1__KeepAliveReply *reply;
    int status = -1;

    beat.session = s->session;
    beat.secret.data = (uint8_t *)(uintptr_t)s->secret;
    beat.secret.len = sizeof s->secret;
    beat.stamp = 1234;
    m.beats = beats;
    m.n_beats = 1;
    bench_send(b, stream, &m.base);
    reply = bench_beats(b, stream);
    if (reply->n_answers == 1 && reply->answers[0]->stamp == 1234)
        status = (int)reply->answers[0]->status;
    coord__v1__keep_alive_reply__free_unpacked(reply, NULL);
    bench_close(b, stream);
    return status;
}

const Coord__V1__Answer *bench_answered(const Coord__V1__SessionReply *reply, uint64_t seq,
                                        bool read)
{
    for (size_t i = 0; i < reply->n_items; i++)
        if (reply->items[i]->kind_case == COORD__V1__ITEM__KIND_ANSWERED &&
            reply->items[i]->answered->seq == seq && (reply->items[i]->answered->read != 0) == read)
            return reply->items[i]->answered->answer;
    return NULL;
}
