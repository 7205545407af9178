/* Watches, judged on histories that are bad on purpose: each must be found, and the
 * good one beside it must pass. */
#include "coordd/state/state.h"
#include "tests/sim/bench.h"
#include "tests/sim/paths.h"
#include "tests/support/runner.h"

static struct sim sim;

static void two_writes(void)
{
    bench_begin(&sim);
    bench_put(&sim, 0, 0, "/d0", "content 1");
    bench_put(&sim, 0, 0, "/d0", "content 2");
}

static void event(enum state_event_kind kind, uint64_t revision)
{
    Coord__V1__Event e = COORD__V1__EVENT__INIT;
    Coord__V1__Stat stat = COORD__V1__STAT__INIT;
    const struct model_version *v = model_at(&sim.model, model_find(&sim.model, "/d0"), revision);
    e.watch = 1;
    e.kind = (Coord__V1__Event__Kind)kind;
    e.revision = revision;
    if (kind != STATE_EVENT_DELETED) {
        e.stat = &stat;
        stat.instance = v->instance;
        stat.content_generation = v->content_generation;
        stat.lock_generation = v->lock_generation;
    }
    watcher_event(&sim.clients[0], &e);
}

/* A watch that knows revision 2, of two writes. */
static void watched_writes(void)
{
    Coord__V1__Watch asked = COORD__V1__WATCH__INIT;
    Coord__V1__Answer a = COORD__V1__ANSWER__INIT;
    Coord__V1__Stat stat = COORD__V1__STAT__INIT;
    two_writes();
    a.revision = 2;
    a.body_case = COORD__V1__ANSWER__BODY_STAT;
    a.stat = &stat;
    asked.id = 1;
    asked.content = true;
    watcher_add(&sim.clients[0].watcher, path_index("/d0"), &asked);
    watcher_answer(&sim.clients[0], 1, &a);
}

static void test_watch__who_is_told_all_is_settled(void)
{
    watched_writes();
    event(STATE_EVENT_CONTENT, 3);
    watcher_settled(&sim.clients[0]);
    CU_ASSERT_FALSE(bench_failed(&sim));
    bench_end(&sim);
}

static void test_watch__a_missed_change_is_found_in_the_end(void)
{
    watched_writes();
    watcher_settled(&sim.clients[0]);
    CU_ASSERT_TRUE(bench_failed(&sim));
    bench_end(&sim);
}

static void test_watch__an_event_twice_is_found(void)
{
    watched_writes();
    event(STATE_EVENT_CONTENT, 3);
    event(STATE_EVENT_CONTENT, 3);
    CU_ASSERT_TRUE(bench_failed(&sim));
    bench_end(&sim);
}

static void test_watch__going_back_is_found(void)
{
    watched_writes();
    bench_put(&sim, 0, 0, "/d0", "content 3");
    event(STATE_EVENT_CONTENT, 3);
    event(STATE_EVENT_CONTENT, 4);
    CU_ASSERT_FALSE(bench_failed(&sim));
    event(STATE_EVENT_CONTENT, 3);
    CU_ASSERT_TRUE(bench_failed(&sim));
    bench_end(&sim);
}

static void test_watch__a_gap_is_found_at_once(void)
{
    watched_writes();
    bench_put(&sim, 0, 0, "/d0", "content 3");
    event(STATE_EVENT_CONTENT, 4);
    CU_ASSERT_TRUE(bench_failed(&sim));
    bench_end(&sim);
}

static void resync(uint64_t revision)
{
    Coord__V1__Event e = COORD__V1__EVENT__INIT;
    e.watch = 1;
    e.kind = COORD__V1__EVENT__KIND__RESYNC;
    e.revision = revision;
    watcher_event(&sim.clients[0], &e);
}

static void test_watch__who_reads_slowly_may_read_anew_instead(void)
{
    watched_writes();
    sim.clients[0].resync = 3;
    resync(3);
    watcher_settled(&sim.clients[0]);
    CU_ASSERT_FALSE(bench_failed(&sim));
    bench_end(&sim);
}

static void test_watch__who_reads_in_time_need_not_read_anew(void)
{
    watched_writes();
    resync(3);
    CU_ASSERT_TRUE(bench_failed(&sim));
    bench_end(&sim);
}

/* What is kept has room for the last revision only. */
static void test_watch__whose_history_is_gone_may_read_anew(void)
{
    watched_writes();
    bench_put(&sim, 0, 0, "/d0", "content 3");
    bench_forget(&sim, 3);
    resync(4);
    watcher_settled(&sim.clients[0]);
    CU_ASSERT_FALSE(bench_failed(&sim));
    bench_end(&sim);
}

static void test_watch__whose_history_is_there_need_not_read_anew(void)
{
    watched_writes();
    bench_put(&sim, 0, 0, "/d0", "content 3");
    bench_forget(&sim, 2); /* just what it knows */
    resync(4);
    CU_ASSERT_TRUE(bench_failed(&sim));
    bench_end(&sim);
}

static void test_watch__an_event_up_to_where_it_read_anew_is_found(void)
{
    watched_writes();
    sim.clients[0].resync = 3;
    resync(3);
    event(STATE_EVENT_CONTENT, 3);
    CU_ASSERT_TRUE(bench_failed(&sim));
    bench_end(&sim);
}

/* Whoever reads after it is shown at least that. */
static void test_watch__reading_anew_raises_what_must_be_shown(void)
{
    watched_writes();
    sim.clients[0].resync = 3;
    resync(3);
    CU_ASSERT_EQUAL(sim.acknowledged_revision, 3);
    bench_end(&sim);
}

static void test_watch__a_deletion_that_was_none_is_found(void)
{
    watched_writes();
    event(STATE_EVENT_DELETED, 3);
    CU_ASSERT_TRUE(bench_failed(&sim));
    bench_end(&sim);
}

/* The client is shown revision 3 and was not told of it. */
static void test_watch__an_answer_before_its_event_is_found(void)
{
    watched_writes();
    watcher_shown(&sim.clients[0], 3);
    CU_ASSERT_TRUE(bench_failed(&sim));
    bench_end(&sim);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_watch__who_is_told_all_is_settled),
        TEST(test_watch__a_missed_change_is_found_in_the_end),
        TEST(test_watch__an_event_twice_is_found),
        TEST(test_watch__going_back_is_found),
        TEST(test_watch__a_gap_is_found_at_once),
        TEST(test_watch__who_reads_slowly_may_read_anew_instead),
        TEST(test_watch__who_reads_in_time_need_not_read_anew),
        TEST(test_watch__whose_history_is_gone_may_read_anew),
        TEST(test_watch__whose_history_is_there_need_not_read_anew),
        TEST(test_watch__an_event_up_to_where_it_read_anew_is_found),
        TEST(test_watch__reading_anew_raises_what_must_be_shown),
        TEST(test_watch__a_deletion_that_was_none_is_found),
        TEST(test_watch__an_answer_before_its_event_is_found),
    };
    return run_suite("sim_watcher", cases, sizeof cases / sizeof cases[0], argc, argv);
}
