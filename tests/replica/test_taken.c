/* test_taken.c - what is taken by force from a session that goes on asking for its lease,
 * and does not let go. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "coordd/state/state.h"
#include "tests/replica/bench.h"
#include "tests/support/runner.h"

enum { TTL_MS = 2000, SLACK_MS = 300, BEAT_MS = 500 };

static const Coord__V1__Status OK = COORD__V1__STATUS__OK;

static bool lives(const struct bench *b, const struct bench_session *s)
{
    return state_session_exists(replica_state(b->replica), s->session);
}

static int write_of(struct bench *b, const struct bench_session *s, uint64_t seq,
                    Coord__V1__Write *write)
{
    Coord__V1__SessionReply *reply;
    const Coord__V1__Answer *answer;
    int status = -1;

    bench_write(b, s->stream, seq, write);
    reply = bench_replies(b, s->stream);
    answer = bench_answered(reply, seq, false);
    if (answer != NULL)
        status = (int)answer->status;
    coord__v1__session_reply__free_unpacked(reply, NULL);
    return status;
}

/* It asks for its lease all the time, and is told why it does not get it: it ends one
 * lease after the last that it got, and its lock passes on. */
static void expect_the_end(struct bench *b, const struct bench_session *holder,
                           const struct bench_session *other, Coord__V1__Status told)
{
    for (int ms = 0; ms < TTL_MS - BEAT_MS; ms += BEAT_MS) {
        CU_ASSERT_EQUAL(bench_beat(b, holder), told);
        CU_ASSERT_EQUAL(bench_beat(b, other), OK);
        bench_run(b, BEAT_MS);
        CU_ASSERT_TRUE(lives(b, holder));
    }
    CU_ASSERT_EQUAL(bench_beat(b, holder), told);
    CU_ASSERT_EQUAL(bench_beat(b, other), OK);
    bench_run(b, BEAT_MS + SLACK_MS);
    CU_ASSERT_FALSE(lives(b, holder));
    CU_ASSERT_TRUE(lives(b, other));
}

static bool is_granted(struct bench *b, const struct bench_session *s, uint64_t seq)
{
    Coord__V1__SessionReply *reply = bench_replies(b, s->stream);
    const Coord__V1__Answer *answer = bench_answered(reply, seq, false);
    bool granted = answer != NULL && answer->status == OK;

    coord__v1__session_reply__free_unpacked(reply, NULL);
    return granted;
}

/* The holder has /l, the other waits for it. */
static void take_places(struct bench *b, struct bench_session *holder, struct bench_session *other)
{
    *holder = bench_session(b, 1);
    *other = bench_session(b, 2);
    CU_ASSERT_EQUAL(bench_put(b, holder, 1, "/l", ""), OK);
    bench_acquire(b, holder, 2, "/l", true);
    CU_ASSERT_TRUE(is_granted(b, holder, 2));
    bench_acquire(b, other, 1, "/l", true);
    CU_ASSERT_FALSE(is_granted(b, other, 1));
    CU_ASSERT_EQUAL(bench_beat(b, holder), OK);
}

static void test_taken__a_lock_taken_by_force_ends_the_lease_of_who_keeps_it(void)
{
    struct bench *b = bench_new(1);
    struct bench_session holder, other;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    Coord__V1__ForceUnlock force = COORD__V1__FORCE_UNLOCK__INIT;

    take_places(b, &holder, &other);
    force.path = (char *)(uintptr_t) "/l";
    write.op_case = COORD__V1__WRITE__OP_FORCE_UNLOCK;
    write.force_unlock = &force;
    CU_ASSERT_EQUAL(write_of(b, &other, 2, &write), OK);
    expect_the_end(b, &holder, &other, COORD__V1__STATUS__NOT_HELD);
    CU_ASSERT_TRUE(is_granted(b, &other, 1));
    bench_free(b);
}

static void test_taken__a_killed_session_gets_no_lease_any_more(void)
{
    struct bench *b = bench_new(1);
    struct bench_session holder, other;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    Coord__V1__KillSession kill = COORD__V1__KILL_SESSION__INIT;

    take_places(b, &holder, &other);
    kill.session = holder.session;
    write.op_case = COORD__V1__WRITE__OP_KILL_SESSION;
    write.kill_session = &kill;
    CU_ASSERT_EQUAL(write_of(b, &other, 2, &write), OK);
    expect_the_end(b, &holder, &other, COORD__V1__STATUS__CANCELLED);
    CU_ASSERT_TRUE(is_granted(b, &other, 1));
    bench_free(b);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_taken__a_lock_taken_by_force_ends_the_lease_of_who_keeps_it),
        TEST(test_taken__a_killed_session_gets_no_lease_any_more),
    };

    return run_suite("taken", cases, sizeof cases / sizeof cases[0], argc, argv);
}
