/* test_many_watches.c - a thousand watches on one session, on a cell of one: what a
 * change tells them all at once, and their coming back. */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordd/state/state.h"
#include "tests/replica/bench.h"
#include "tests/support/runner.h"

enum { WATCHES = 1000, CHANGES = 128, NAME_BYTES = 80, ROUNDS_MAX = 200, REVISIONS_MAX = 64 };

static const Coord__V1__Status OK = COORD__V1__STATUS__OK;

/* What each watch was told, of changes that are one revision each with CHANGES nodes. */
struct heard {
    struct {
        uint8_t told[REVISIONS_MAX][CHANGES];
        uint64_t revision; /* of the last event */
        uint64_t resync;   /* what it was told to read anew; 0: nothing */
        bool answered;     /* the asking for it */
    } watch[WATCHES + 1];  /* by id */
    uint64_t first;        /* revision of the first change */
    uint32_t events, resyncs, answers, disorder;
    uint64_t write_seq; /* answered last, with this many watches behind it without answer */
    uint32_t unanswered_then;
};

static struct heard *heard_new(uint64_t first)
{
    struct heard *h = calloc(1, sizeof *h);

    CU_ASSERT_PTR_NOT_NULL_FATAL(h);
    h->first = first;
    return h;
}

static void hear_event(struct heard *h, const Coord__V1__Event *e)
{
    uint64_t at = e->revision - h->first;
    const char *number = strrchr(e->path, '/');

    if (e->kind == COORD__V1__EVENT__KIND__PROGRESS)
        return;
    CU_ASSERT_TRUE_FATAL(e->watch >= 1 && e->watch <= WATCHES);
    if (e->revision < h->watch[e->watch].revision)
        h->disorder++;
    h->watch[e->watch].revision = e->revision;
    if (e->kind == COORD__V1__EVENT__KIND__RESYNC) {
        h->watch[e->watch].resync = e->revision;
        h->resyncs++;
        return;
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(number);
    CU_ASSERT_TRUE_FATAL(at < REVISIONS_MAX);
    h->watch[e->watch].told[at][strtoul(number + 2, NULL, 10) % CHANGES]++;
    h->events++;
}

static void hear(struct heard *h, struct bench *b, uint64_t stream)
{
    Coord__V1__SessionReply *reply = bench_replies(b, stream);

    for (size_t i = 0; i < reply->n_items; i++) {
        const Coord__V1__Item *item = reply->items[i];

        if (item->kind_case == COORD__V1__ITEM__KIND_EVENT) {
            hear_event(h, item->event);
        } else if (item->kind_case == COORD__V1__ITEM__KIND_ANSWERED && item->answered->read) {
            CU_ASSERT_EQUAL(item->answered->answer->status, OK);
            CU_ASSERT_FALSE(h->watch[item->answered->seq].answered);
            h->watch[item->answered->seq].answered = true;
            h->answers++;
        } else if (item->kind_case == COORD__V1__ITEM__KIND_ANSWERED) {
            h->write_seq = item->answered->seq;
            for (uint32_t id = 1; id <= WATCHES; id++)
                if (h->watch[id].resync == 0 && h->watch[id].revision < h->first)
                    h->unanswered_then++;
        }
    }
    coord__v1__session_reply__free_unpacked(reply, NULL);
}

/* As a transport does that can send the reader no more than this at once; the longest
 * that waited. */
static size_t drain(struct heard *h, struct bench *b, uint64_t stream)
{
    size_t most = 0;

    for (int round = 0; round < ROUNDS_MAX; round++) {
        size_t waits = b->streams[stream].out.length;

        most = waits > most ? waits : most;
        if (waits >= STREAM_LAG_BYTES)
            bench_stream_event(b, stream, REPLICA_EVENT_STREAM_LAGS);
        hear(h, b, stream);
        if (waits < STREAM_LAG_BYTES)
            return most;
        bench_stream_event(b, stream, REPLICA_EVENT_STREAM_DRAINED);
    }
    CU_FAIL("it never drains");
    return most;
}

/* Each watch was told each change of these revisions once, or to read anew. */
static void check_all(const struct heard *h, uint32_t revisions)
{
    uint32_t lost = 0, repeated = 0;

    for (uint32_t id = 1; id <= WATCHES; id++)
        for (uint32_t at = 0; at < revisions; at++)
            for (uint32_t i = 0; i < CHANGES; i++) {
                uint8_t times = h->watch[id].told[at][i];

                repeated += times > 1;
                lost += times == 0 && h->watch[id].resync < h->first + at;
            }
    CU_ASSERT_EQUAL(lost, 0);
    CU_ASSERT_EQUAL(repeated, 0);
    CU_ASSERT_EQUAL(h->disorder, 0);
}

static void send_watches(struct bench *b, uint64_t stream, uint64_t known)
{
    static Coord__V1__Request requests[WATCHES];
    static Coord__V1__Watch watches[WATCHES];
    static Coord__V1__Request *pointers[WATCHES];
    Coord__V1__SessionRequest m = COORD__V1__SESSION_REQUEST__INIT;

    for (uint32_t i = 0; i < WATCHES; i++) {
        coord__v1__watch__init(&watches[i]);
        watches[i].id = i + 1;
        watches[i].path = (char *)(uintptr_t) "/t";
        watches[i].content = watches[i].subtree = 1;
        watches[i].known_revision = known;
        coord__v1__request__init(&requests[i]);
        requests[i].kind_case = COORD__V1__REQUEST__KIND_WATCH;
        requests[i].watch = &watches[i];
        requests[i].seq = i + 1;
        pointers[i] = &requests[i];
    }
    m.requests = pointers;
    m.n_requests = WATCHES;
    bench_send(b, stream, &m.base);
}

/* One revision that makes or writes CHANGES nodes below /t. */
static void change_all(struct bench *b, struct bench_session *s, uint64_t seq, uint32_t count)
{
    Coord__V1__Transaction transaction = COORD__V1__TRANSACTION__INIT;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    Coord__V1__Change changes[CHANGES], *pointers[CHANGES];
    Coord__V1__Put puts[CHANGES];
    Coord__V1__SessionReply *reply;
    char paths[CHANGES][NAME_BYTES];

    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(paths[i], NAME_BYTES, "/t/n%060u", i);
        coord__v1__put__init(&puts[i]);
        puts[i].path = paths[i];
        puts[i].create = 1;
        coord__v1__change__init(&changes[i]);
        changes[i].op_case = COORD__V1__CHANGE__OP_PUT;
        changes[i].put = &puts[i];
        pointers[i] = &changes[i];
    }
    transaction.changes = pointers;
    transaction.n_changes = count;
    write.op_case = COORD__V1__WRITE__OP_TRANSACTION;
    write.transaction = &transaction;
    bench_write(b, s->stream, seq, &write);
    reply = bench_replies(b, s->stream);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bench_answered(reply, seq, false));
    CU_ASSERT_EQUAL_FATAL(bench_answered(reply, seq, false)->status, OK);
    coord__v1__session_reply__free_unpacked(reply, NULL);
}

/* More than a stream may be sent in one step: it lags, and is told the rest or to read
 * anew; nobody is cut off, and nothing of it is told twice. */
static void test_many_watches__one_change_for_all_of_them_ends_no_stream(void)
{
    struct bench *b = bench_new(1);
    struct bench_session writer = bench_session(b, 1), reader = bench_session(b, 2);
    struct heard *h;

    CU_ASSERT_EQUAL_FATAL(bench_put(b, &writer, 1, "/t", ""), OK);
    h = heard_new(state_revision(replica_state(b->replica)) + 1);
    send_watches(b, reader.stream, 0);
    drain(h, b, reader.stream);
    CU_ASSERT_EQUAL(h->answers, WATCHES);
    for (uint32_t i = 0; i < 3; i++)
        change_all(b, &writer, 2 + i, CHANGES);
    CU_ASSERT_FALSE_FATAL(b->streams[reader.stream].closed);
    CU_ASSERT_TRUE(drain(h, b, reader.stream) < 8 * 1024 * 1024);
    check_all(h, 3);
    CU_ASSERT_TRUE(h->events > 0);
    free(h);
    bench_free(b);
}

/* No more than makes a reader slow, and one revision, leaves at once; nobody has to
 * read anew, and the askings are answered behind what was missed. */
static void test_many_watches__those_that_come_back_are_told_in_parts(void)
{
    enum { REVISIONS = 40, EACH = 2 };
    struct bench *b = bench_new(1);
    struct bench_session writer = bench_session(b, 1), reader = bench_session(b, 2);
    struct heard *h;
    uint64_t known;

    CU_ASSERT_EQUAL_FATAL(bench_put(b, &writer, 1, "/t", ""), OK);
    known = state_revision(replica_state(b->replica));
    for (uint32_t i = 0; i < REVISIONS; i++)
        change_all(b, &writer, 2 + i, EACH);
    h = heard_new(known + 1);
    send_watches(b, reader.stream, known);
    hear(h, b, reader.stream);
    CU_ASSERT_TRUE(h->events > 0);
    CU_ASSERT_TRUE(h->events < WATCHES * REVISIONS * EACH);
    CU_ASSERT_EQUAL(h->answers, 0);
    bench_stream_event(b, reader.stream, REPLICA_EVENT_STREAM_LAGS);
    bench_stream_event(b, reader.stream, REPLICA_EVENT_STREAM_DRAINED);
    CU_ASSERT_TRUE(drain(h, b, reader.stream) < STREAM_LAG_BYTES + STREAM_LAG_BYTES / 2);
    CU_ASSERT_EQUAL(h->events, WATCHES * REVISIONS * EACH);
    CU_ASSERT_EQUAL(h->resyncs, 0);
    CU_ASSERT_EQUAL(h->answers, WATCHES);
    CU_ASSERT_EQUAL(h->disorder, 0);
    free(h);
    bench_free(b);
}

static void test_many_watches__an_answer_does_not_overtake_what_they_missed(void)
{
    enum { REVISIONS = 40, EACH = 2 };
    struct bench *b = bench_new(1);
    struct bench_session writer = bench_session(b, 1), reader = bench_session(b, 2);
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    Coord__V1__Put put = COORD__V1__PUT__INIT;
    struct heard *h;
    uint64_t known;

    CU_ASSERT_EQUAL_FATAL(bench_put(b, &writer, 1, "/t", ""), OK);
    known = state_revision(replica_state(b->replica));
    for (uint32_t i = 0; i < REVISIONS; i++)
        change_all(b, &writer, 2 + i, EACH);
    h = heard_new(known + 1);
    send_watches(b, reader.stream, known);
    put.path = (char *)(uintptr_t) "/elsewhere";
    put.create = 1;
    write.op_case = COORD__V1__WRITE__OP_PUT;
    write.put = &put;
    bench_write(b, reader.stream, 1, &write);
    hear(h, b, reader.stream);
    CU_ASSERT_EQUAL(h->write_seq, 1);
    CU_ASSERT_EQUAL(h->unanswered_then, 0);
    CU_ASSERT_EQUAL(h->resyncs, WATCHES);
    bench_stream_event(b, reader.stream, REPLICA_EVENT_STREAM_LAGS);
    bench_stream_event(b, reader.stream, REPLICA_EVENT_STREAM_DRAINED);
    drain(h, b, reader.stream);
    CU_ASSERT_EQUAL(h->answers, WATCHES);
    CU_ASSERT_EQUAL(h->disorder, 0);
    free(h);
    bench_free(b);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_many_watches__one_change_for_all_of_them_ends_no_stream),
        TEST(test_many_watches__those_that_come_back_are_told_in_parts),
        TEST(test_many_watches__an_answer_does_not_overtake_what_they_missed),
    };

    return run_suite("many_watches", cases, sizeof cases / sizeof cases[0], argc, argv);
}
