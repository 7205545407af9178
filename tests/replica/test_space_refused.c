/* test_space_refused.c - a leader whose cell has no space: what it refuses before ordering, and
 * what it must not. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "coordd/state/state.h"
#include "tests/replica/bench.h"
#include "tests/support/runner.h"

static const int OK = COORD__V1__STATUS__OK, NO_SPACE = COORD__V1__STATUS__NO_SPACE;

/* The status of the answer that came, -1 if none did. */
static int answer(struct bench *b, uint64_t stream, uint64_t seq)
{
    Coord__V1__SessionReply *reply = bench_replies(b, stream);
    const Coord__V1__Answer *a = bench_answered(reply, seq, false);
    int status = a == NULL ? -1 : (int)a->status;

    coord__v1__session_reply__free_unpacked(reply, NULL);
    return status;
}

static int acquire(struct bench *b, struct bench_session *s, uint64_t seq, const char *path)
{
    bench_acquire(b, s, seq, path, false);
    return answer(b, s->stream, seq);
}

static int release(struct bench *b, const struct bench_session *s, uint64_t seq, const char *path)
{
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    Coord__V1__Release op = COORD__V1__RELEASE__INIT;

    op.path = (char *)(uintptr_t)path;
    op.handle = 1;
    write.op_case = COORD__V1__WRITE__OP_RELEASE;
    write.release = &op;
    bench_write(b, s->stream, seq, &write);
    return answer(b, s->stream, seq);
}

static int delete (struct bench *b, const struct bench_session *s, uint64_t seq, const char *path)
{
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    Coord__V1__Delete op = COORD__V1__DELETE__INIT;

    op.path = (char *)(uintptr_t)path;
    write.op_case = COORD__V1__WRITE__OP_DELETE;
    write.delete_ = &op;
    bench_write(b, s->stream, seq, &write);
    return answer(b, s->stream, seq);
}

/* Deletes one node, and puts another unless its name is NULL. */
static int transaction(struct bench *b, const struct bench_session *s, uint64_t seq,
                       const char *gone, const char *there)
{
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    Coord__V1__Transaction t = COORD__V1__TRANSACTION__INIT;
    Coord__V1__Change first = COORD__V1__CHANGE__INIT, second = COORD__V1__CHANGE__INIT;
    Coord__V1__Change *changes[2] = {&first, &second};
    Coord__V1__Delete delete_ = COORD__V1__DELETE__INIT;
    Coord__V1__Put put = COORD__V1__PUT__INIT;

    delete_.path = (char *)(uintptr_t)gone;
    first.op_case = COORD__V1__CHANGE__OP_DELETE;
    first.delete_ = &delete_;
    put.path = (char *)(uintptr_t)there;
    put.create = 1;
    second.op_case = COORD__V1__CHANGE__OP_PUT;
    second.put = &put;
    t.changes = changes;
    t.n_changes = there == NULL ? 1 : 2;
    write.op_case = COORD__V1__WRITE__OP_TRANSACTION;
    write.transaction = &t;
    bench_write(b, s->stream, seq, &write);
    return answer(b, s->stream, seq);
}

static void test_case_19__what_frees_space_is_ordered_and_the_rest_is_refused(void)
{
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1), other;

    CU_ASSERT_EQUAL(bench_put(b, &s, 1, "/a", "1"), OK);
    CU_ASSERT_EQUAL(bench_put(b, &s, 2, "/b", "1"), OK);
    CU_ASSERT_EQUAL(acquire(b, &s, 3, "/a"), OK);
    bench_space(b, true);
    CU_ASSERT_EQUAL(bench_put(b, &s, 4, "/a", "2"), NO_SPACE);
    CU_ASSERT_EQUAL(bench_put(b, &s, 5, "/c", "2"), NO_SPACE);
    CU_ASSERT_EQUAL(acquire(b, &s, 6, "/b"), NO_SPACE);
    CU_ASSERT_EQUAL(transaction(b, &s, 7, "/b", "/d"), NO_SPACE);
    CU_ASSERT_EQUAL(release(b, &s, 8, "/a"), OK);
    CU_ASSERT_EQUAL(delete (b, &s, 9, "/a"), OK);
    CU_ASSERT_EQUAL(transaction(b, &s, 10, "/b", NULL), OK);
    other = bench_session(b, 2);
    CU_ASSERT_NOT_EQUAL(other.session, 0);
    CU_ASSERT_EQUAL(bench_beat(b, &s), OK);
    CU_ASSERT_EQUAL(bench_beat(b, &other), OK);
    bench_space(b, false);
    /* What was refused was not applied: its number is free. */
    CU_ASSERT_EQUAL(bench_put(b, &s, 11, "/a", "3"), OK);
    CU_ASSERT_EQUAL(state_nodes_count(replica_state(b->replica)), 2); /* and the root */
    bench_free(b);
}

/* Expiry is written even then. */
static void test_case_19__a_session_still_expires_when_the_disks_are_full(void)
{
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1);

    bench_space(b, true);
    CU_ASSERT_TRUE(state_session_exists(replica_state(b->replica), s.session));
    bench_run(b, 3000);
    CU_ASSERT_FALSE(state_session_exists(replica_state(b->replica), s.session));
    bench_free(b);
}

static uint64_t attach(struct bench *b, const struct bench_session *s)
{
    uint64_t stream = bench_open(b, REPLICA_STREAM_SESSION);
    Coord__V1__SessionRequest m = COORD__V1__SESSION_REQUEST__INIT;
    Coord__V1__Attach asked = COORD__V1__ATTACH__INIT;

    asked.session = s->session;
    asked.secret.data = (uint8_t *)(uintptr_t)s->secret;
    asked.secret.len = sizeof s->secret;
    m.begin_case = COORD__V1__SESSION_REQUEST__BEGIN_ATTACH;
    m.attach = &asked;
    bench_send(b, stream, &m.base);
    return stream;
}

/* It was taken through one stream, is not written yet, and comes again through another:
 * "refused" would be wrong. */
static void test_case_19__what_may_be_on_its_way_is_not_refused(void)
{
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1), again;

    b->disk_stuck = true;
    CU_ASSERT_EQUAL(bench_put(b, &s, 1, "/a", "1"), -1);
    bench_space(b, true);
    again = s;
    again.stream = attach(b, &s);
    CU_ASSERT_EQUAL(bench_put(b, &again, 1, "/a", "1"), -1);
    bench_unstick(b);
    CU_ASSERT_EQUAL(answer(b, again.stream, 1), OK);
    CU_ASSERT_EQUAL(bench_put(b, &again, 2, "/a", "2"), NO_SPACE);
    bench_free(b);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_case_19__what_frees_space_is_ordered_and_the_rest_is_refused),
        TEST(test_case_19__a_session_still_expires_when_the_disks_are_full),
        TEST(test_case_19__what_may_be_on_its_way_is_not_refused),
    };
    return run_suite("space refused", cases, sizeof cases / sizeof cases[0], argc, argv);
}
