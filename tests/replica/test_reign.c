/* test_reign.c - what a new leader grants to those it finds: on a cell of one that
 * crashes, every start is a new reign. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "coordd/state/state.h"
#include "tests/replica/bench.h"
#include "tests/support/runner.h"

/* A session's lease (2 s), the slack by which its end comes later; a lock's delay. */
enum { TTL_MS = 2000, SLACK_MS = 300, DELAY_MS = 3000 };

static const Coord__V1__Status OK = COORD__V1__STATUS__OK;

static bool lives(const struct bench *b, const struct bench_session *s)
{
    return state_session_exists(replica_state(b->replica), s->session);
}

/* Another reign, from the moment in which it serves. */
static void crash_and_lead_again(struct bench *b)
{
    struct replica_view view = {.serving = false};

    bench_crash_and_restart(b);
    for (int ms = 0; ms < 10000 && !view.serving; ms++) {
        bench_run(b, 1);
        replica_view(b->replica, b->now_ns, &view);
    }
    CU_ASSERT_TRUE_FATAL(view.serving);
}

/* However little was left of it; and not a moment more, for who died before. */
static void test_case_23__a_new_leader_gives_each_session_its_full_lease_once(void)
{
    struct bench *b = bench_new(1);
    struct bench_session s = bench_session(b, 1);

    bench_run(b, TTL_MS - 100);
    crash_and_lead_again(b);
    CU_ASSERT_TRUE_FATAL(lives(b, &s));
    bench_run(b, TTL_MS - 10);
    CU_ASSERT_TRUE(lives(b, &s));
    bench_run(b, SLACK_MS);
    CU_ASSERT_FALSE(lives(b, &s));
    bench_free(b);
}

static void acquire_with_delay(struct bench *b, const struct bench_session *s, uint64_t seq,
                               const char *path)
{
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    Coord__V1__Acquire acquire = COORD__V1__ACQUIRE__INIT;
    Coord__V1__SessionReply *reply;

    acquire.path = (char *)(uintptr_t)path;
    acquire.handle = 1;
    acquire.mode = COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE;
    acquire.lock_delay_ms = DELAY_MS;
    write.op_case = COORD__V1__WRITE__OP_ACQUIRE;
    write.acquire = &acquire;
    bench_write(b, s->stream, seq, &write);
    reply = bench_replies(b, s->stream);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bench_answered(reply, seq, false));
    CU_ASSERT_EQUAL(bench_answered(reply, seq, false)->status, OK);
    coord__v1__session_reply__free_unpacked(reply, NULL);
}

static bool is_delayed(const struct bench *b)
{
    struct state_delay delay;

    return state_delay_next(replica_state(b->replica), slice_of(NULL, 0), &delay);
}

static void begin_delay(struct bench *b)
{
    struct bench_session holder = bench_session(b, 1);

    CU_ASSERT_EQUAL(bench_put(b, &holder, 1, "/l", ""), OK);
    acquire_with_delay(b, &holder, 2, "/l");
    bench_run(b, TTL_MS);
    CU_ASSERT_FALSE(is_delayed(b));
    bench_run(b, SLACK_MS);
    CU_ASSERT_FALSE(lives(b, &holder));
    CU_ASSERT_TRUE_FATAL(is_delayed(b));
}

static void test_reign__a_delay_ends_when_it_is_over(void)
{
    struct bench *b = bench_new(1);

    begin_delay(b);
    bench_run(b, DELAY_MS - SLACK_MS);
    CU_ASSERT_TRUE(is_delayed(b));
    bench_run(b, SLACK_MS + 50);
    CU_ASSERT_FALSE(is_delayed(b));
    bench_free(b);
}

/* How long it ran under the leader before is not known: all of it counts again. */
static void test_reign__a_delay_begins_anew(void)
{
    struct bench *b = bench_new(1);

    begin_delay(b);
    bench_run(b, DELAY_MS - 500);
    crash_and_lead_again(b);
    CU_ASSERT_TRUE(is_delayed(b));
    bench_run(b, DELAY_MS - 50);
    CU_ASSERT_TRUE(is_delayed(b));
    bench_run(b, 100);
    CU_ASSERT_FALSE(is_delayed(b));
    bench_free(b);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_case_23__a_new_leader_gives_each_session_its_full_lease_once),
        TEST(test_reign__a_delay_ends_when_it_is_over),
        TEST(test_reign__a_delay_begins_anew),
    };

    return run_suite("reign", cases, sizeof cases / sizeof cases[0], argc, argv);
}
