/* test_marks.c - what watches are told besides changes: that there was none, and that
 * they must read anew. */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "coordd/state/state.h"
#include "tests/replica/bench.h"
#include "tests/support/runner.h"

enum { MARK_MS = 5000, BEAT_MS = 500, PART = 250, CHANGES = 100, PATH_BYTES = 1000 };

static const Coord__V1__Status OK = COORD__V1__STATUS__OK;

static void watch(struct bench *b, const struct bench_session *s, const char *path, uint64_t known)
{
    Coord__V1__SessionRequest m = COORD__V1__SESSION_REQUEST__INIT;
    Coord__V1__Request request = COORD__V1__REQUEST__INIT, *requests[1] = {&request};
    Coord__V1__Watch w = COORD__V1__WATCH__INIT;

    w.id = 5;
    w.path = (char *)(uintptr_t)path;
    w.content = 1;
    w.known_revision = known;
    request.kind_case = COORD__V1__REQUEST__KIND_WATCH;
    request.watch = &w;
    request.seq = 1;
    m.requests = requests;
    m.n_requests = 1;
    bench_send(b, s->stream, &m.base);
}

static uint64_t revision_of(const struct bench *b)
{
    return state_revision(replica_state(b->replica));
}

/* The only event that came since the last call, to be freed with the reply; NULL: none
 * or several. */
static const Coord__V1__Event *only_event(const Coord__V1__SessionReply *reply)
{
    const Coord__V1__Event *found = NULL;

    for (size_t i = 0; i < reply->n_items; i++) {
        if (reply->items[i]->kind_case != COORD__V1__ITEM__KIND_EVENT)
            continue;
        if (found != NULL)
            return NULL;
        found = reply->items[i]->event;
    }
    return found;
}

static void test_marks__an_idle_watch_is_told_how_far_it_was_told(void)
{
    struct bench *b = bench_new(1);
    struct bench_session watcher = bench_session(b, 1), writer = bench_session(b, 2);
    Coord__V1__SessionReply *reply;
    const Coord__V1__Event *event;

    watch(b, &watcher, "/quiet", 0);
    CU_ASSERT_EQUAL(bench_put(b, &writer, 1, "/elsewhere", ""), OK);
    coord__v1__session_reply__free_unpacked(bench_replies(b, watcher.stream), NULL);
    for (int ms = 0; ms < MARK_MS; ms += BEAT_MS) {
        bench_run(b, BEAT_MS);
        CU_ASSERT_EQUAL(bench_beat(b, &watcher), OK);
    }
    reply = bench_replies(b, watcher.stream);
    event = only_event(reply);
    CU_ASSERT_PTR_NOT_NULL_FATAL(event);
    CU_ASSERT_EQUAL(event->kind, COORD__V1__EVENT__KIND__PROGRESS);
    CU_ASSERT_EQUAL(event->watch, 0);
    CU_ASSERT_EQUAL(event->revision, revision_of(b));
    coord__v1__session_reply__free_unpacked(reply, NULL);
    bench_free(b);
}

/* Changes that fill the history: each of them remembers a long name. */
static void change_much(struct bench *b, struct bench_session *s, uint64_t seq, const char *parent)
{
    Coord__V1__Transaction transaction = COORD__V1__TRANSACTION__INIT;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    Coord__V1__Change changes[CHANGES], *pointers[CHANGES];
    Coord__V1__Put puts[CHANGES];
    char paths[CHANGES][PATH_BYTES];

    for (uint32_t i = 0; i < CHANGES; i++) {
        (void)snprintf(paths[i], PATH_BYTES, "%s/%u", parent, i);
        coord__v1__put__init(&puts[i]);
        puts[i].path = paths[i];
        puts[i].create = puts[i].parents = 1;
        coord__v1__change__init(&changes[i]);
        changes[i].op_case = COORD__V1__CHANGE__OP_PUT;
        changes[i].put = &puts[i];
        pointers[i] = &changes[i];
    }
    transaction.changes = pointers;
    transaction.n_changes = CHANGES;
    write.op_case = COORD__V1__WRITE__OP_TRANSACTION;
    write.transaction = &transaction;
    bench_write(b, s->stream, seq, &write);
    coord__v1__session_reply__free_unpacked(bench_replies(b, s->stream), NULL);
}

static void fill_history(struct bench *b, struct bench_session *s, uint64_t known)
{
    char parent[3 * PART + 4] = "";

    for (int i = 0; i < 3; i++) {
        size_t at = strlen(parent);

        memset(parent + at, 'p', PART);
        parent[at] = '/';
        parent[at + PART] = '\0';
    }
    for (uint64_t seq = 2; state_history_floor(replica_state(b->replica)) <= known; seq++) {
        CU_ASSERT_TRUE_FATAL(seq < 200);
        change_much(b, s, seq, parent);
        CU_ASSERT_EQUAL(bench_beat(b, s), OK);
    }
}

static void test_marks__who_asks_for_more_than_the_history_has_reads_anew_once(void)
{
    struct bench *b = bench_new(1);
    struct bench_session writer = bench_session(b, 1), watcher;
    Coord__V1__SessionReply *reply;
    const Coord__V1__Event *event;
    uint64_t known;

    CU_ASSERT_EQUAL(bench_put(b, &writer, 1, "/a", "x"), OK);
    known = revision_of(b);
    fill_history(b, &writer, known);
    watcher = bench_session(b, 2);
    watch(b, &watcher, "/a", known);
    reply = bench_replies(b, watcher.stream);
    event = only_event(reply);
    CU_ASSERT_PTR_NOT_NULL_FATAL(event);
    CU_ASSERT_EQUAL(event->kind, COORD__V1__EVENT__KIND__RESYNC);
    CU_ASSERT_EQUAL(event->watch, 5);
    CU_ASSERT_EQUAL(event->revision, revision_of(b));
    CU_ASSERT_PTR_NOT_NULL(bench_answered(reply, 1, true));
    coord__v1__session_reply__free_unpacked(reply, NULL);

    /* What is later is told. */
    CU_ASSERT_EQUAL(bench_put(b, &writer, 1000, "/a", "y"), OK);
    reply = bench_replies(b, watcher.stream);
    event = only_event(reply);
    CU_ASSERT_PTR_NOT_NULL_FATAL(event);
    CU_ASSERT_EQUAL(event->kind, COORD__V1__EVENT__KIND__CONTENT);
    CU_ASSERT_EQUAL(event->revision, revision_of(b));
    coord__v1__session_reply__free_unpacked(reply, NULL);
    bench_free(b);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_marks__an_idle_watch_is_told_how_far_it_was_told),
        TEST(test_marks__who_asks_for_more_than_the_history_has_reads_anew_once),
    };

    return run_suite("marks", cases, sizeof cases / sizeof cases[0], argc, argv);
}
