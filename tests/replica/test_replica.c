/* test_replica.c - what a replica says to clients, on a cell of one. */
#include "coordd/replica/inner.h"
#include "coordd/state/state.h"
#include "tests/replica/bench.h"
#include "tests/support/runner.h"

#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/units.h"

/* A session's lease (2 s), and the slack by which its end comes later. */
enum { TTL_MS = 2000, EXPIRY_MS = 2300 };

static const Coord__V1__Status OK = COORD__V1__STATUS__OK;

static void watch(struct bench *b, uint64_t stream, const char *path, uint64_t known)
{
    Coord__V1__SessionRequest m = COORD__V1__SESSION_REQUEST__INIT;
    Coord__V1__Request request = COORD__V1__REQUEST__INIT, *requests[1] = {&request};
    Coord__V1__Watch w = COORD__V1__WATCH__INIT;

    w.id = 5;
    w.path = (char *)(uintptr_t)path;
    w.content = w.lock = 1;
    w.known_revision = known;
    request.kind_case = COORD__V1__REQUEST__KIND_WATCH;
    request.watch = &w;
    request.seq = 1;
    m.requests = requests;
    m.n_requests = 1;
    bench_send(b, stream, &m.base);
}

static uint64_t get(struct bench *b, enum replica_stream_kind kind, uint64_t stream,
                    const char *path)
{
    Coord__V1__SessionRequest m = COORD__V1__SESSION_REQUEST__INIT;
    Coord__V1__ExecuteRequest execute = COORD__V1__EXECUTE_REQUEST__INIT;
    Coord__V1__Request request = COORD__V1__REQUEST__INIT, *requests[1] = {&request};
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__Get g = COORD__V1__GET__INIT;

    g.path = (char *)(uintptr_t)path;
    read.op_case = COORD__V1__READ__OP_GET;
    read.get = &g;
    request.kind_case = COORD__V1__REQUEST__KIND_READ;
    request.read = &read;
    request.seq = 1;
    m.requests = requests;
    m.n_requests = 1;
    execute.request_case = COORD__V1__EXECUTE_REQUEST__REQUEST_READ;
    execute.read = &read;
    if (stream == 0)
        stream = bench_open(b, kind);
    bench_send(b, stream, kind == REPLICA_STREAM_EXECUTE ? &execute.base : &m.base);
    return stream;
}

/* ---- sessions ---- */

static void test_replica__a_session_opens_and_writes(void)
{
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1);

    CU_ASSERT_NOT_EQUAL(s.session, 0);
    CU_ASSERT_EQUAL(bench_put(b, &s, 1, "/a", "x"), OK);
    bench_free(b);
}

static void test_replica__the_same_nonce_opens_the_same_session(void)
{
    struct bench *b = bench_new(1);
    struct bench_session first = bench_session(b, 1), again = bench_session(b, 1),
                         other = bench_session(b, 2);

    CU_ASSERT_EQUAL(first.session, again.session);
    CU_ASSERT_EQUAL(memcmp(first.secret, again.secret, sizeof first.secret), 0);
    CU_ASSERT_TRUE(b->streams[first.stream].closed);
    CU_ASSERT_NOT_EQUAL(first.session, other.session);
    bench_free(b);
}

static void test_replica__a_write_asked_twice_is_applied_once(void)
{
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1);
    uint64_t revision;

    CU_ASSERT_EQUAL(bench_put(b, &s, 1, "/a", "x"), OK);
    revision = state_revision(replica_state(b->replica));
    CU_ASSERT_EQUAL(bench_put(b, &s, 1, "/a", "x"), OK);
    CU_ASSERT_EQUAL(state_revision(replica_state(b->replica)), revision);
    bench_free(b);
}

static void test_replica__a_session_ends_when_its_lease_runs_out_and_not_before(void)
{
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1);

    bench_run(b, TTL_MS);
    CU_ASSERT_TRUE(state_session_exists(replica_state(b->replica), s.session));
    bench_run(b, EXPIRY_MS - TTL_MS);
    CU_ASSERT_FALSE(state_session_exists(replica_state(b->replica), s.session));
    CU_ASSERT_EQUAL(bench_beat(b, &s), COORD__V1__STATUS__EXPIRED);
    bench_free(b);
}

static void test_replica__a_keepalive_renews_the_lease(void)
{
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1);

    for (int i = 0; i < 5; i++) {
        bench_run(b, TTL_MS - 100);
        CU_ASSERT_EQUAL(bench_beat(b, &s), OK);
    }
    CU_ASSERT_TRUE(state_session_exists(replica_state(b->replica), s.session));
    bench_free(b);
}

static void test_replica__a_wrong_secret_renews_nothing(void)
{
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1);

    s.secret[0] ^= 1;
    CU_ASSERT_EQUAL(bench_beat(b, &s), COORD__V1__STATUS__EXPIRED);
    bench_free(b);
}

/* Once Expire is proposed no KeepAlive is answered until it is decided: else a
 * client could believe in a session that an entry under way ends. */
static void test_replica__no_keepalive_is_answered_once_expire_is_proposed(void)
{
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1), other = bench_session(b, 2);

    b->disk_stuck = true;
    bench_run(b, EXPIRY_MS / 2);
    CU_ASSERT_EQUAL(bench_beat(b, &other), COORD__V1__STATUS__OK);
    bench_run(b, EXPIRY_MS - EXPIRY_MS / 2);
    CU_ASSERT_TRUE(state_session_exists(replica_state(b->replica), s.session));
    CU_ASSERT_EQUAL(bench_beat(b, &s), -1);
    CU_ASSERT_EQUAL(bench_beat(b, &other), COORD__V1__STATUS__OK); /* it leads, and it answers */
    bench_unstick(b);
    CU_ASSERT_EQUAL(bench_beat(b, &s), COORD__V1__STATUS__EXPIRED);
    bench_free(b);
}

/* A stall of the server's own must cost no session its life. */
static void test_replica__a_stall_of_the_server_extends_every_lease(void)
{
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1);

    b->now_ns += 10 * NS_PER_S; /* no event all the while */
    bench_run(b, 100);
    CU_ASSERT_TRUE(state_session_exists(replica_state(b->replica), s.session));
    CU_ASSERT_EQUAL(bench_beat(b, &s), OK);
    bench_free(b);
}

static void test_replica__sessions_and_answers_survive_a_restart(void)
{
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1);
    Coord__V1__SessionRequest m = COORD__V1__SESSION_REQUEST__INIT;
    Coord__V1__Attach attach = COORD__V1__ATTACH__INIT;
    Coord__V1__SessionReply *reply;
    uint64_t revision;

    CU_ASSERT_EQUAL(bench_put(b, &s, 1, "/a", "x"), OK);
    bench_crash_and_restart(b);
    bench_run(b, 1000);
    revision = state_revision(replica_state(b->replica));
    s.stream = bench_open(b, REPLICA_STREAM_SESSION);
    attach.session = s.session;
    attach.secret.data = s.secret;
    attach.secret.len = sizeof s.secret;
    m.begin_case = COORD__V1__SESSION_REQUEST__BEGIN_ATTACH;
    m.attach = &attach;
    bench_send(b, s.stream, &m.base);
    reply = bench_replies(b, s.stream);
    CU_ASSERT_EQUAL_FATAL(reply->n_items, 1);
    CU_ASSERT_EQUAL(reply->items[0]->begun->status, OK);
    coord__v1__session_reply__free_unpacked(reply, NULL);
    CU_ASSERT_EQUAL(bench_put(b, &s, 1, "/a", "x"), OK);
    CU_ASSERT_EQUAL(state_revision(replica_state(b->replica)), revision);
    bench_free(b);
}

/* ---- answers, events, order ---- */

static void test_replica__nothing_is_answered_before_it_is_durable(void)
{
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1);

    b->disk_stuck = true;
    CU_ASSERT_EQUAL(bench_put(b, &s, 1, "/a", "x"), -1);
    bench_unstick(b);
    CU_ASSERT_TRUE(b->streams[s.stream].out.length > 0);
    bench_free(b);
}

static void test_replica__a_read_waits_for_the_writes_before_it(void)
{
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1);
    Coord__V1__SessionReply *reply;
    const Coord__V1__Answer *answer;

    b->disk_stuck = true;
    CU_ASSERT_EQUAL(bench_put(b, &s, 1, "/a", "x"), -1);
    get(b, REPLICA_STREAM_SESSION, s.stream, "/a");
    CU_ASSERT_EQUAL(b->streams[s.stream].out.length, 0);
    bench_unstick(b);
    reply = bench_replies(b, s.stream);
    answer = bench_answered(reply, 1, true);
    CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
    CU_ASSERT_EQUAL(answer->status, OK);
    CU_ASSERT_EQUAL(answer->content->data.len, 1);
    coord__v1__session_reply__free_unpacked(reply, NULL);
    bench_free(b);
}

static void test_replica__an_event_comes_before_the_answer_that_shows_its_state(void)
{
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1);
    Coord__V1__SessionReply *reply;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    Coord__V1__Put put = COORD__V1__PUT__INIT;

    watch(b, s.stream, "/a", 0);
    coord__v1__session_reply__free_unpacked(bench_replies(b, s.stream), NULL);
    put.path = (char *)(uintptr_t) "/a";
    put.create = 1;
    write.op_case = COORD__V1__WRITE__OP_PUT;
    write.put = &put;
    bench_write(b, s.stream, 1, &write);
    reply = bench_replies(b, s.stream);
    CU_ASSERT_EQUAL_FATAL(reply->n_items, 2);
    CU_ASSERT_EQUAL_FATAL(reply->items[0]->kind_case, COORD__V1__ITEM__KIND_EVENT);
    CU_ASSERT_EQUAL(reply->items[0]->event->kind, COORD__V1__EVENT__KIND__CREATED);
    CU_ASSERT_EQUAL(reply->items[0]->event->watch, 5);
    CU_ASSERT_EQUAL(reply->items[1]->kind_case, COORD__V1__ITEM__KIND_ANSWERED);
    coord__v1__session_reply__free_unpacked(reply, NULL);
    bench_free(b);
}

static void test_replica__a_watcher_that_comes_back_is_told_what_it_missed(void)
{
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1);
    Coord__V1__SessionReply *reply;
    uint64_t known;

    CU_ASSERT_EQUAL(bench_put(b, &s, 1, "/a", "x"), OK);
    known = state_revision(replica_state(b->replica));
    CU_ASSERT_EQUAL(bench_put(b, &s, 2, "/a", "y"), OK);
    watch(b, s.stream, "/a", known);
    reply = bench_replies(b, s.stream);
    CU_ASSERT_EQUAL_FATAL(reply->n_items, 2);
    CU_ASSERT_EQUAL_FATAL(reply->items[0]->kind_case, COORD__V1__ITEM__KIND_EVENT);
    CU_ASSERT_EQUAL(reply->items[0]->event->kind, COORD__V1__EVENT__KIND__CONTENT);
    CU_ASSERT_TRUE(reply->items[0]->event->revision > known);
    coord__v1__session_reply__free_unpacked(reply, NULL);
    bench_free(b);
}

static void test_replica__a_lock_passes_on_when_its_session_expires(void)
{
    struct bench *b = bench_new(1);
    struct bench_session holder = bench_session(b, 1), next = bench_session(b, 2);
    Coord__V1__SessionReply *reply;
    const Coord__V1__Answer *answer;

    CU_ASSERT_EQUAL(bench_put(b, &holder, 1, "/l", ""), OK);
    bench_acquire(b, &holder, 2, "/l", true);
    bench_acquire(b, &next, 1, "/l", true);
    coord__v1__session_reply__free_unpacked(bench_replies(b, next.stream), NULL);
    for (int ms = 0; ms < EXPIRY_MS + 500; ms += 500) {
        bench_run(b, 500);
        CU_ASSERT_EQUAL(bench_beat(b, &next), OK);
    }
    reply = bench_replies(b, next.stream);
    answer = bench_answered(reply, 1, false);
    CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
    CU_ASSERT_EQUAL(answer->status, OK);
    CU_ASSERT_EQUAL(answer->body_case, COORD__V1__ANSWER__BODY_GRANTED);
    coord__v1__session_reply__free_unpacked(reply, NULL);
    bench_free(b);
}

/* ---- not leading, bad input ---- */

static void test_replica__one_that_does_not_lead_redirects(void)
{
    struct bench *b = bench_new(5);
    struct bench_session s = bench_session(b, 1);
    uint64_t execute = get(b, REPLICA_STREAM_EXECUTE, 0, "/a");
    Coord__V1__Answer *answer = bench_answer(b, execute);

    CU_ASSERT_EQUAL(s.session, 0);
    CU_ASSERT_TRUE(b->streams[s.stream].closed);
    CU_ASSERT_EQUAL(answer->status, COORD__V1__STATUS__NOT_LEADER);
    CU_ASSERT_TRUE(b->streams[execute].closed);
    CU_ASSERT_EQUAL(bench_beat(b, &s), -1);
    coord__v1__answer__free_unpacked(answer, NULL);
    bench_free(b);
}

static void test_replica__anyone_tells_its_own_status(void)
{
    struct bench *b = bench_new(5);
    uint64_t stream = bench_open(b, REPLICA_STREAM_EXECUTE);
    Coord__V1__ExecuteRequest m = COORD__V1__EXECUTE_REQUEST__INIT;
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__GetStatus status = COORD__V1__GET_STATUS__INIT;
    Coord__V1__Answer *answer;

    read.op_case = COORD__V1__READ__OP_STATUS;
    read.status = &status;
    m.request_case = COORD__V1__EXECUTE_REQUEST__REQUEST_READ;
    m.read = &read;
    bench_send(b, stream, &m.base);
    answer = bench_answer(b, stream);
    CU_ASSERT_EQUAL_FATAL(answer->body_case, COORD__V1__ANSWER__BODY_MEMBER);
    CU_ASSERT_EQUAL(answer->member->id, 1);
    CU_ASSERT_EQUAL(answer->member->pid, 77);
    CU_ASSERT_EQUAL(answer->member->n_members, 5);
    coord__v1__answer__free_unpacked(answer, NULL);
    bench_free(b);
}

static void test_replica__bytes_that_are_no_message_end_the_stream_with_a_reason(void)
{
    static const enum replica_stream_kind kinds[] = {
        REPLICA_STREAM_SESSION, REPLICA_STREAM_KEEPALIVE, REPLICA_STREAM_EXECUTE};
    struct bench *b = bench_new(1);

    for (int i = 0; i < 3; i++) {
        uint64_t stream = bench_open(b, kinds[i]);

        bench_send_bytes(b, stream, slice_of("\xff\xff\xff", 3));
        CU_ASSERT_TRUE(b->streams[stream].closed);
        CU_ASSERT_EQUAL(b->streams[stream].status, STREAM_STATUS_INVALID_ARGUMENT);
        CU_ASSERT_TRUE(strlen(b->streams[stream].text) > 0);
        bench_send_bytes(b, stream, slice_of("\xff", 1)); /* late input is ignored */
    }
    bench_free(b);
}

static void test_replica__a_peers_bytes_that_are_no_envelope_are_dropped(void)
{
    struct bench *b = bench_new(5);
    struct replica_event e = {.kind = REPLICA_EVENT_PEER_MESSAGE, .peer = 2};
    struct effects out;

    effects_init(&out);
    e.now_ns = b->now_ns;
    e.bytes = slice_of("\x0a\xff\xff", 3);
    replica_step(b->replica, &e, &out);
    CU_ASSERT_EQUAL_FATAL(out.count, 1);
    CU_ASSERT_EQUAL(out.list[0].kind, EFFECT_NOTE);
    CU_ASSERT_EQUAL(out.list[0].note, NOTE_PEER);
    effects_release(&out);
    bench_free(b);
}

static void test_replica__a_bad_argument_is_named_and_nothing_changes(void)
{
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1);
    uint64_t revision = state_revision(replica_state(b->replica));

    CU_ASSERT_EQUAL(bench_put(b, &s, 1, "no/slash", "x"), COORD__V1__STATUS__INVALID);
    CU_ASSERT_EQUAL(bench_put(b, &s, 2, "/a/../b", "x"), COORD__V1__STATUS__INVALID);
    CU_ASSERT_EQUAL(state_revision(replica_state(b->replica)), revision);
    CU_ASSERT_EQUAL(bench_put(b, &s, 3, "/a", "x"), OK);
    bench_free(b);
}

/* ---- what a review found ---- */

/* One that lost its lease while it stood still must not answer from what it knew. */
static void test_replica__a_watch_waits_for_the_writes_before_it(void)
{
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1);
    Coord__V1__SessionReply *reply;
    const Coord__V1__Answer *answer;

    b->disk_stuck = true;
    CU_ASSERT_EQUAL(bench_put(b, &s, 1, "/a", "x"), -1);
    watch(b, s.stream, "/a", 0);
    CU_ASSERT_EQUAL(b->streams[s.stream].out.length, 0);
    bench_unstick(b);
    reply = bench_replies(b, s.stream);
    answer = bench_answered(reply, 1, true);
    CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
    CU_ASSERT_EQUAL(answer->status, OK);
    coord__v1__session_reply__free_unpacked(reply, NULL);
    bench_free(b);
}

static void test_replica__what_one_message_asks_for_is_bounded(void)
{
    enum { READS = 200, CONTENT_BYTES = 200 * 1024 };
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1);
    Coord__V1__SessionRequest m = COORD__V1__SESSION_REQUEST__INIT;
    Coord__V1__Request requests[READS], *pointers[READS];
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__Get g = COORD__V1__GET__INIT;
    Coord__V1__SessionReply *reply;
    char *content = malloc(CONTENT_BYTES + 1);
    size_t got = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(content);
    memset(content, 'x', CONTENT_BYTES);
    content[CONTENT_BYTES] = '\0';
    CU_ASSERT_EQUAL(bench_put(b, &s, 1, "/a", content), OK);
    free(content);
    g.path = (char *)(uintptr_t) "/a";
    read.op_case = COORD__V1__READ__OP_GET;
    read.get = &g;
    for (size_t i = 0; i < READS; i++) {
        coord__v1__request__init(&requests[i]);
        requests[i].kind_case = COORD__V1__REQUEST__KIND_READ;
        requests[i].read = &read;
        requests[i].seq = i + 1;
        pointers[i] = &requests[i];
    }
    m.requests = pointers;
    m.n_requests = READS;
    bench_send(b, s.stream, &m.base);
    /* The reader is given so much, and the rest when it has read that. */
    for (int round = 0; got < READS && round < READS; round++) {
        CU_ASSERT_TRUE(b->streams[s.stream].out.length < 2 * STREAM_LAG_BYTES);
        bench_stream_event(b, s.stream, REPLICA_EVENT_STREAM_LAGS);
        CU_ASSERT_TRUE(b->streams[s.stream].out.length < 2 * STREAM_LAG_BYTES);
        reply = bench_replies(b, s.stream);
        got += reply->n_items;
        coord__v1__session_reply__free_unpacked(reply, NULL);
        bench_stream_event(b, s.stream, REPLICA_EVENT_STREAM_DRAINED);
    }
    CU_ASSERT_EQUAL(got, READS);
    bench_free(b);
}

/* An idle leader with a long lease wakes seldom; that is no stall. */
static void test_replica__sessions_expire_under_a_long_leaders_lease(void)
{
    struct bench *b = bench_new_with(1, /* lease_ms */ 3000);
    struct bench_session s = bench_session(b, 1);

    for (int i = 0; i < 60; i++)
        bench_wake(b);
    CU_ASSERT_FALSE(state_session_exists(replica_state(b->replica), s.session));
    bench_free(b);
}

/* Input that arrived is read before a lease is called over: only TIME, which the
 * driver sends when nothing is left to read, may end one. */
static void test_replica__other_clients_input_ends_no_lease(void)
{
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1);

    bench_run(b, TTL_MS - 40);
    b->now_ns += 190 * NS_PER_MS; /* a short stall, with a KeepAlive in the queue */
    (void)bench_open(b, REPLICA_STREAM_EXECUTE);
    CU_ASSERT_EQUAL(bench_beat(b, &s), OK);
    bench_free(b);
}

static void test_replica__a_session_that_is_over_ends_its_stream(void)
{
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1);

    bench_run(b, EXPIRY_MS);
    CU_ASSERT_TRUE(b->streams[s.stream].closed);
    bench_free(b);
}

/* Of sessions that are not there. Returns how many were answered. */
static size_t send_beats(struct bench *b, uint64_t stream, int count)
{
    struct buffer bytes = BUFFER_INIT;
    Coord__V1__KeepAliveReply *reply;
    size_t answered;

    for (int i = 0; i < count; i++)
        buffer_put(&bytes, "\x0a\x00", 2); /* an empty Beat */
    bench_send_bytes(b, stream, buffer_slice(&bytes));
    buffer_release(&bytes);
    reply = bench_beats(b, stream);
    answered = reply->n_answers;
    coord__v1__keep_alive_reply__free_unpacked(reply, NULL);
    return answered;
}

static void test_replica__too_many_beats_in_one_message_end_the_stream(void)
{
    struct bench *b = bench_new(1);
    uint64_t stream = bench_open(b, REPLICA_STREAM_KEEPALIVE);

    CU_ASSERT_EQUAL(send_beats(b, stream, KEEPALIVE_BEATS_MAX), KEEPALIVE_BEATS_MAX);
    CU_ASSERT_FALSE(b->streams[stream].closed);
    CU_ASSERT_EQUAL(send_beats(b, stream, KEEPALIVE_BEATS_MAX + 1), 0);
    CU_ASSERT_TRUE(b->streams[stream].closed);
    CU_ASSERT_EQUAL(b->streams[stream].status, STREAM_STATUS_INVALID_ARGUMENT);
    bench_free(b);
}

static const struct test_case cases[] = {
    TEST(test_replica__a_session_opens_and_writes),
    TEST(test_replica__the_same_nonce_opens_the_same_session),
    TEST(test_replica__a_write_asked_twice_is_applied_once),
    TEST(test_replica__a_session_ends_when_its_lease_runs_out_and_not_before),
    TEST(test_replica__a_keepalive_renews_the_lease),
    TEST(test_replica__a_wrong_secret_renews_nothing),
    TEST(test_replica__no_keepalive_is_answered_once_expire_is_proposed),
    TEST(test_replica__a_stall_of_the_server_extends_every_lease),
    TEST(test_replica__sessions_and_answers_survive_a_restart),
    TEST(test_replica__nothing_is_answered_before_it_is_durable),
    TEST(test_replica__a_read_waits_for_the_writes_before_it),
    TEST(test_replica__an_event_comes_before_the_answer_that_shows_its_state),
    TEST(test_replica__a_watcher_that_comes_back_is_told_what_it_missed),
    TEST(test_replica__a_lock_passes_on_when_its_session_expires),
    TEST(test_replica__one_that_does_not_lead_redirects),
    TEST(test_replica__anyone_tells_its_own_status),
    TEST(test_replica__bytes_that_are_no_message_end_the_stream_with_a_reason),
    TEST(test_replica__a_peers_bytes_that_are_no_envelope_are_dropped),
    TEST(test_replica__a_bad_argument_is_named_and_nothing_changes),
    TEST(test_replica__a_watch_waits_for_the_writes_before_it),
    TEST(test_replica__what_one_message_asks_for_is_bounded),
    TEST(test_replica__sessions_expire_under_a_long_leaders_lease),
    TEST(test_replica__other_clients_input_ends_no_lease),
    TEST(test_replica__a_session_that_is_over_ends_its_stream),
    TEST(test_replica__too_many_beats_in_one_message_end_the_stream),
};

int main(int argc, char **argv)
{
    return run_suite("replica", cases, sizeof cases / sizeof *cases, argc, argv);
}
