/* test_execute.c - requests without a session: at most once, and said if unknown. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "coordd/state/state.h"
#include "libcoord/base/units.h"
#include "tests/replica/bench.h"
#include "tests/replica/message.h"
#include "tests/support/runner.h"

enum { LONG_MS = 60000 };

static uint64_t revision_of(const struct bench *b)
{
    return state_revision(replica_state(b->replica));
}

static uint64_t put(struct bench *b, const char *path)
{
    uint64_t stream = bench_open(b, REPLICA_STREAM_EXECUTE);
    struct message_execute_put m;

    message_execute_put_init(&m, path, "");
    bench_send(b, stream, &m.request.base);
    return stream;
}

static int answer_of(struct bench *b, uint64_t stream)
{
    Coord__V1__Answer *answer;
    int status;

    if (!b->streams[stream].closed)
        return -1;
    answer = bench_answer(b, stream);
    status = (int)answer->status;
    coord__v1__answer__free_unpacked(answer, NULL);
    return status;
}

static void test_execute__is_applied_once(void)
{
    struct bench *b = bench_new(1);
    uint64_t before = revision_of(b);
    uint64_t stream = put(b, "/a");

    CU_ASSERT_EQUAL(answer_of(b, stream), COORD__V1__STATUS__OK);
    bench_run(b, 1000);
    CU_ASSERT_EQUAL(revision_of(b), before + 1);
    bench_free(b);
}

/* It cannot be taken back, but its leader goes before it is durable. */
static void test_execute__of_a_leader_that_goes_may_have_been_applied(void)
{
    struct bench *b = bench_new(1);
    uint64_t before = revision_of(b), stream;

    b->disk_stuck = true;
    stream = put(b, "/a");
    CU_ASSERT_EQUAL(answer_of(b, stream), -1);
    for (int ms = 0; ms < LONG_MS && !b->streams[stream].closed; ms += 100)
        bench_run(b, 100);
    CU_ASSERT_EQUAL(answer_of(b, stream), COORD__V1__STATUS__MAYBE_APPLIED);
    bench_unstick(b);
    bench_run(b, 10000);
    CU_ASSERT_EQUAL(revision_of(b), before + 1); /* it was, in the end: once */
    bench_free(b);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_execute__is_applied_once),
        TEST(test_execute__of_a_leader_that_goes_may_have_been_applied),
    };

    return run_suite("execute", cases, sizeof cases / sizeof cases[0], argc, argv);
}
