/* cell_client.c - clients of a played cell: see cell.h. */
#include "tests/replica/cell.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/replica/message.h"

enum { ANSWER_MS = 1000, TTL_MS = 2000, HAND_OVER_MS = 1500 };

uint64_t cell_open(struct cell *c, int i, enum replica_stream_kind kind)
{
    struct replica_event e = {.kind = REPLICA_EVENT_STREAM_OPENED, .stream_kind = kind};

    e.stream = ++c->last_stream;
    CHECK(e.stream < CELL_STREAMS_MAX);
    e.principal = "tester";
    memset(e.random, (int)e.stream, sizeof e.random);
    c->streams[e.stream].member = i;
    cell_step(c, i, &e);
    return e.stream;
}

void cell_send(struct cell *c, uint64_t stream, const ProtobufCMessage *m)
{
    struct replica_event e = {.kind = REPLICA_EVENT_STREAM_MESSAGE, .stream = stream};
    struct buffer bytes = BUFFER_INIT;

    message_pack(m, &bytes);
    e.bytes = buffer_slice(&bytes);
    cell_step(c, c->streams[stream].member, &e);
    buffer_release(&bytes);
}

Coord__V1__SessionReply *cell_replies(struct cell *c, uint64_t stream)
{
    return message_take(&c->streams[stream].out, &coord__v1__session_reply__descriptor);
}

static void wait_for(struct cell *c, uint64_t stream, int ms)
{
    for (int t = 0; t < ms && c->streams[stream].out.length == 0; t++)
        cell_run(c, 1);
}

/* ---- sessions ---- */

/* What the stream begins with; its status, -1 if it is no answer. */
static int begun(struct cell *c, struct cell_session *s)
{
    Coord__V1__SessionReply *reply;
    int status;

    wait_for(c, s->stream, ANSWER_MS);
    reply = cell_replies(c, s->stream);
    status = message_begun(reply, &s->session, s->secret);
    coord__v1__session_reply__free_unpacked(reply, NULL);
    return status;
}

struct cell_session cell_session(struct cell *c, int i, uint8_t nonce)
{
    struct cell_session s = {.stream = cell_open(c, i, REPLICA_STREAM_SESSION)};
    struct message_open m;

    message_open_init(&m, nonce, TTL_MS);
    cell_send(c, s.stream, &m.request.base);
    CHECK(begun(c, &s) == (int)COORD__V1__STATUS__OK);
    return s;
}

void cell_send_attach(struct cell *c, int i, struct cell_session *s)
{
    Coord__V1__SessionRequest request = COORD__V1__SESSION_REQUEST__INIT;
    Coord__V1__Attach attach = COORD__V1__ATTACH__INIT;

    attach.session = s->session;
    attach.secret.data = s->secret;
    attach.secret.len = sizeof s->secret;
    request.begin_case = COORD__V1__SESSION_REQUEST__BEGIN_ATTACH;
    request.attach = &attach;
    s->stream = cell_open(c, i, REPLICA_STREAM_SESSION);
    cell_send(c, s->stream, &request.base);
}

int cell_attach(struct cell *c, int i, struct cell_session *s)
{
    cell_send_attach(c, i, s);
    return begun(c, s);
}

int cell_beat(struct cell *c, int i, const struct cell_session *s, int ms, int *ret_status)
{
    uint64_t stream = cell_open(c, i, REPLICA_STREAM_KEEPALIVE);
    Coord__V1__KeepAliveRequest m = COORD__V1__KEEP_ALIVE_REQUEST__INIT;
    Coord__V1__Beat beat = COORD__V1__BEAT__INIT, *beats[1] = {&beat};
    Coord__V1__KeepAliveReply *reply;
    int count;

    beat.session = s->session;
    beat.secret.data = (uint8_t *)(uintptr_t)s->secret;
    beat.secret.len = sizeof s->secret;
    m.beats = beats;
    m.n_beats = 1;
    cell_send(c, stream, &m.base);
    wait_for(c, stream, ms);
    reply = message_take(&c->streams[stream].out, &coord__v1__keep_alive_reply__descriptor);
    count = (int)reply->n_answers;
    *ret_status = count > 0 ? (int)reply->answers[0]->status : -1;
    coord__v1__keep_alive_reply__free_unpacked(reply, NULL);
    return count;
}

/* ---- without a session ---- */

uint64_t cell_put(struct cell *c, int i, const char *path, const char *content)
{
    uint64_t stream = cell_open(c, i, REPLICA_STREAM_EXECUTE);
    struct message_execute_put m;

    message_execute_put_init(&m, path, content);
    cell_send(c, stream, &m.request.base);
    return stream;
}

int cell_put_answer(struct cell *c, uint64_t stream)
{
    Coord__V1__Answer *answer;
    int status;

    if (c->streams[stream].out.length == 0)
        return -1;
    answer = message_take(&c->streams[stream].out, &coord__v1__answer__descriptor);
    status = (int)answer->status;
    coord__v1__answer__free_unpacked(answer, NULL);
    return status;
}

int cell_put_done(struct cell *c, int i, const char *path, const char *content)
{
    uint64_t stream = cell_put(c, i, path, content);

    wait_for(c, stream, ANSWER_MS);
    return cell_put_answer(c, stream);
}

const char *cell_get(struct cell *c, int i, const char *path, int ms)
{
    static char content[64];
    uint64_t stream = cell_open(c, i, REPLICA_STREAM_EXECUTE);
    Coord__V1__ExecuteRequest m = COORD__V1__EXECUTE_REQUEST__INIT;
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__Get get = COORD__V1__GET__INIT;
    Coord__V1__Answer *answer;

    get.path = (char *)(uintptr_t)path;
    read.op_case = COORD__V1__READ__OP_GET;
    read.get = &get;
    m.request_case = COORD__V1__EXECUTE_REQUEST__REQUEST_READ;
    m.read = &read;
    cell_send(c, stream, &m.base);
    wait_for(c, stream, ms);
    content[0] = '\0';
    if (c->streams[stream].out.length == 0)
        return content;
    answer = message_take(&c->streams[stream].out, &coord__v1__answer__descriptor);
    if (answer->body_case == COORD__V1__ANSWER__BODY_CONTENT) {
        CHECK(answer->content->data.len < sizeof content);
        memcpy(content, answer->content->data.data, answer->content->data.len);
        content[answer->content->data.len] = '\0';
    }
    coord__v1__answer__free_unpacked(answer, NULL);
    return content;
}

void cell_change(struct cell *c, const struct cell_session *s, uint64_t *seq, int count)
{
    for (int i = 0; i < count; i++) {
        Coord__V1__SessionRequest m = COORD__V1__SESSION_REQUEST__INIT;
        Coord__V1__Request request = COORD__V1__REQUEST__INIT, *requests[1] = {&request};
        struct message_put put;
        char path[32];

        (void)snprintf(path, sizeof path, "/n%llu", (unsigned long long)(*seq % 100));
        message_put_init(&put, path, path);
        request.kind_case = COORD__V1__REQUEST__KIND_WRITE;
        request.write = &put.write;
        request.seq = ++*seq;
        m.lowest = *seq;
        m.requests = requests;
        m.n_requests = 1;
        cell_send(c, s->stream, &m.base);
        cell_run(c, 4);
    }
}

void cell_ask_hand_over(struct cell *c, int from, int to)
{
    uint64_t stream = cell_open(c, from, REPLICA_STREAM_EXECUTE);
    Coord__V1__ExecuteRequest m = COORD__V1__EXECUTE_REQUEST__INIT;
    Coord__V1__StepDown step_down = COORD__V1__STEP_DOWN__INIT;

    step_down.to = (uint32_t)to + 1;
    m.request_case = COORD__V1__EXECUTE_REQUEST__REQUEST_STEP_DOWN;
    m.step_down = &step_down;
    cell_send(c, stream, &m.base);
}

void cell_hand_over(struct cell *c, int from, int to)
{
    cell_ask_hand_over(c, from, to);
    for (int t = 0; t < HAND_OVER_MS && cell_leader(c) != to; t++)
        cell_run(c, 1);
    CU_ASSERT_EQUAL_FATAL(cell_leader(c), to);
}
