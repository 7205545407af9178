/* test_session_watch.c - watches: no loss, no repetition, never back. */
#include "tests/libcoord/bench.h"
#include "tests/support/runner.h"

static struct bench bench, *const b = &bench;

enum { FOREVER = -1, REVISION = 500 /* of bench_answer to a watch */ };

static void reattach(void)
{
    bench_up(b);
    bench_begun(b, ERR_OK);
    bench_beat(b, ERR_OK);
}

/* Watch 1, answered; returns its token. */
static uint64_t watching(void)
{
    bench_open(b);
    uint64_t token = bench_watch(b, 1, FOREVER);
    bench_answer(b, b->requests[0].seq, ERR_OK);
    return token;
}

static void test_session_watch__starts_from_the_state_answered(void)
{
    uint64_t token = watching();
    CU_ASSERT_EQUAL(bench_status(b, token), ERR_OK);
    CU_ASSERT_EQUAL(b->requests[0].known_revision, 0);
    bench_event(b, 1, REVISION); /* the answer showed that */
    CU_ASSERT_EQUAL(b->watched_count, 0);
    bench_event(b, 1, REVISION + 1);
    bench_event(b, 2, REVISION + 1); /* no watch of ours */
    CU_ASSERT_EQUAL(b->watched_count, 1);
    bench_release(b);
}

static void test_session_watch__a_name_that_does_not_exist_can_be_watched(void)
{
    bench_open(b);
    uint64_t token = bench_watch(b, 1, FOREVER);
    bench_answer(b, b->requests[0].seq, ERR_NO_NODE);
    CU_ASSERT_EQUAL(bench_status(b, token), ERR_OK);
    bench_event(b, 1, REVISION + 1);
    CU_ASSERT_EQUAL(b->watched_count, 1);
    bench_release(b);
}

/* Between the two it may have been made, and a caller may know that. */
static void test_session_watch__a_deletion_is_told_though_it_was_missing_before(void)
{
    bench_open(b);
    bench_watch(b, 1, FOREVER);
    bench_answer(b, b->requests[0].seq, ERR_NO_NODE);
    bench_put(b, FOREVER);
    bench_down(b);
    reattach();
    bench_deleted(b, 1, REVISION + 9);
    CU_ASSERT_EQUAL(b->watched_count, 1);
    bench_deleted(b, 1, REVISION); /* as of what was known */
    CU_ASSERT_EQUAL(b->watched_count, 1);
    bench_release(b);
}

static void test_session_watch__a_refusal_is_told(void)
{
    bench_open(b);
    uint64_t token = bench_watch(b, 1, FOREVER);
    bench_answer(b, b->requests[0].seq, ERR_PERMISSION);
    CU_ASSERT_EQUAL(bench_status(b, token), ERR_PERMISSION);
    bench_event(b, 1, REVISION + 1);
    CU_ASSERT_EQUAL(b->watched_count, 0);
    bench_down(b);
    bench_clear(b);
    reattach();
    CU_ASSERT_EQUAL(b->requests_count, 0);
    bench_release(b);
}

static void test_session_watch__is_registered_anew_with_what_it_knows(void)
{
    watching();
    bench_event(b, 1, REVISION + 7);
    bench_put(b, FOREVER);
    bench_down(b);
    bench_clear(b);
    reattach();
    CU_ASSERT_EQUAL(b->requests_count, 2);
    CU_ASSERT_EQUAL(b->requests[0].watch, 1); /* before what could show more */
    CU_ASSERT_EQUAL(b->requests[0].known_revision, REVISION + 7);
    bench_answer(b, b->requests[0].seq, ERR_OK);
    CU_ASSERT_EQUAL(b->answers_count, 0);
    bench_event(b, 1, REVISION + 7); /* known */
    CU_ASSERT_EQUAL(b->watched_count, 0);
    bench_event(b, 1, REVISION + 9);
    CU_ASSERT_EQUAL(b->watched_count, 1);
    bench_event(b, 1, REVISION + 8); /* back */
    CU_ASSERT_EQUAL(b->watched_count, 1);
    bench_release(b);
}

static void test_session_watch__two_events_of_one_revision_are_both_told(void)
{
    watching();
    bench_event(b, 1, REVISION + 3); /* the lock is held ... */
    bench_event(b, 1, REVISION + 3); /* ... and its holder set the content */
    CU_ASSERT_EQUAL(b->watched_count, 2);
    bench_release(b);
}

static void test_session_watch__is_registered_anew_even_in_jeopardy(void)
{
    watching();
    bench_wait_ms(b, BENCH_TTL_MS);
    bench_clear(b);
    while (b->attaches_count == 0)
        bench_up(b);
    bench_begun(b, ERR_OK);
    CU_ASSERT_EQUAL(b->requests_count, 1);
    bench_event(b, 1, REVISION + 1);
    CU_ASSERT_EQUAL(b->watched_count, 1);
    bench_release(b);
}

static void test_session_watch__a_refused_registration_is_tried_again(void)
{
    watching();
    bench_down(b);
    reattach();
    bench_clear(b);
    bench_down(b);
    reattach();
    bench_answer(b, b->requests[0].seq, ERR_THROTTLED);
    bench_beating_ms(b, CLIENT_SESSION_THROTTLED_MS);
    CU_ASSERT_EQUAL(b->requests_count, 2);
    CU_ASSERT_EQUAL(b->requests[1].watch, 1);
    bench_release(b);
}

static void test_session_watch__a_new_one_waits_in_jeopardy(void)
{
    bench_open(b);
    bench_wait_ms(b, BENCH_TTL_MS);
    uint64_t token = bench_watch(b, 1, FOREVER);
    while (b->attaches_count == 0)
        bench_up(b);
    bench_begun(b, ERR_OK);
    CU_ASSERT_EQUAL(b->requests_count, 0);
    bench_beat(b, ERR_OK);
    CU_ASSERT_EQUAL(b->requests_count, 1);
    bench_answer(b, b->requests[0].seq, ERR_OK);
    CU_ASSERT_EQUAL(bench_status(b, token), ERR_OK);
    bench_release(b);
}

/* Seed 51864 of the simulator: a kept answer was told behind newer events. */
static void test_session_watch__answered_in_jeopardy_it_is_asked_for_again_when_safe(void)
{
    bench_open(b);
    uint64_t token = bench_watch(b, 1, FOREVER);
    b->now_ns += ms_to_ns(BENCH_TTL_MS);
    bench_answer(b, b->requests[0].seq, ERR_OK);
    CU_ASSERT_EQUAL(bench_status(b, token), -1);
    bench_event(b, 1, REVISION + 1);
    CU_ASSERT_EQUAL(b->watched_count, 0);
    bench_clear(b);
    bench_wait_ms(b, 0);
    bench_beat(b, ERR_OK);
    if (b->requests_count == 0) { /* it gave the silent server up */
        while (b->attaches_count == 0)
            bench_up(b);
        bench_begun(b, ERR_OK);
        bench_beat(b, ERR_OK);
    }
    CU_ASSERT_EQUAL_FATAL(b->requests_count, 1);
    CU_ASSERT_EQUAL(b->requests[0].known_revision, 0);
    bench_answer(b, b->requests[0].seq, ERR_OK);
    CU_ASSERT_EQUAL(bench_status(b, token), ERR_OK);
    bench_event(b, 1, REVISION + 1);
    CU_ASSERT_EQUAL(b->watched_count, 1);
    bench_release(b);
}

static void test_session_watch__from_a_revision_its_answer_in_jeopardy_is_told_when_safe(void)
{
    bench_open(b);
    uint64_t token = bench_watch_from(b, 1, REVISION - 100);
    b->now_ns += ms_to_ns(BENCH_TTL_MS);
    bench_answer(b, b->requests[0].seq, ERR_OK);
    CU_ASSERT_EQUAL(bench_status(b, token), -1);
    bench_wait_ms(b, 0);
    bench_beat(b, ERR_OK);
    if (bench_status(b, token) == -1) { /* it gave the silent server up */
        while (b->attaches_count == 0)
            bench_up(b);
        bench_begun(b, ERR_OK);
        bench_beat(b, ERR_OK);
    }
    CU_ASSERT_EQUAL(bench_status(b, token), ERR_OK);
    bench_release(b);
}

static void test_session_watch__unwatched_it_is_silent(void)
{
    watching();
    bench_unwatch(b, 1);
    CU_ASSERT_EQUAL(b->requests[b->requests_count - 1].unwatch, 1);
    bench_event(b, 1, REVISION + 1);
    CU_ASSERT_EQUAL(b->watched_count, 0);
    bench_unwatch(b, 1);
    CU_ASSERT_EQUAL(b->requests_count, 2);
    uint64_t again = bench_watch(b, 1, FOREVER);
    bench_answer(b, b->requests[b->requests_count - 1].seq, ERR_OK);
    CU_ASSERT_EQUAL(bench_status(b, again), ERR_OK);
    bench_release(b);
}

static void test_session_watch__a_deadline_withdraws_it(void)
{
    bench_open(b);
    uint64_t token = bench_watch(b, 1, 100);
    bench_beating_ms(b, 100);
    CU_ASSERT_EQUAL(bench_status(b, token), ERR_TIMEOUT);
    CU_ASSERT_EQUAL(b->requests[b->requests_count - 1].unwatch, 1);
    bench_release(b);
}

static void test_session_watch__an_id_is_used_once(void)
{
    watching();
    CU_ASSERT_EQUAL(bench_status(b, bench_watch(b, 1, FOREVER)), ERR_INVALID);
    bench_release(b);
}

static void test_session_watch__one_more_than_the_bound_is_refused(void)
{
    bench_open(b);
    for (uint64_t id = 1; id <= CLIENT_SESSION_WATCHES_MAX; id++) {
        bench_watch(b, id, FOREVER);
        bench_clear(b);
    }
    CU_ASSERT_EQUAL(bench_status(b, bench_watch(b, 99999, FOREVER)), ERR_QUOTA);
    bench_release(b);
}

static void test_session_watch__from_a_revision_it_is_told_what_came_before_the_answer(void)
{
    bench_open(b);
    uint64_t token = bench_watch_from(b, 1, REVISION - 100);
    CU_ASSERT_EQUAL(b->requests[0].known_revision, REVISION - 100);
    bench_event(b, 1, REVISION - 100); /* known */
    bench_event(b, 1, REVISION - 50);
    bench_resync(b, 1, REVISION);
    CU_ASSERT_EQUAL(b->watched_count, 2);
    bench_answer(b, b->requests[0].seq, ERR_OK);
    CU_ASSERT_EQUAL(bench_status(b, token), ERR_OK);
    bench_event(b, 1, REVISION); /* was told */
    CU_ASSERT_EQUAL(b->watched_count, 2);
    bench_down(b);
    bench_clear(b);
    reattach();
    CU_ASSERT_EQUAL(b->requests[0].known_revision, REVISION);
    bench_release(b);
}

static void test_session_watch__lost_before_the_answer_it_asks_on_from_what_was_told(void)
{
    bench_open(b);
    bench_watch_from(b, 1, REVISION - 100);
    bench_event(b, 1, REVISION - 50);
    bench_down(b);
    bench_clear(b);
    reattach();
    CU_ASSERT_EQUAL_FATAL(b->requests_count, 1);
    CU_ASSERT_EQUAL(b->requests[0].known_revision, REVISION - 50);
    bench_release(b);
}

static void test_session_watch__asks_for_the_same_again(void)
{
    bench_open(b);
    bench_watch_from(b, 1, 3);
    bench_answer(b, b->requests[0].seq, ERR_OK);
    bench_down(b);
    bench_clear(b);
    reattach();
    CU_ASSERT(b->requests[0].subtree && b->requests[0].children && b->requests[0].value);
    bench_release(b);
}

static void test_session_watch__progress_counts_for_what_is_registered(void)
{
    watching();
    bench_watch(b, 2, FOREVER); /* not answered yet */
    bench_progress(b, REVISION + 40);
    CU_ASSERT_EQUAL(b->watched_count, 0);
    bench_answer(b, b->requests[1].seq, ERR_OK);
    bench_down(b);
    bench_clear(b);
    reattach();
    CU_ASSERT_EQUAL(b->requests[0].watch, 1);
    CU_ASSERT_EQUAL(b->requests[0].known_revision, REVISION + 40);
    CU_ASSERT_EQUAL(b->requests[1].known_revision, REVISION);
    bench_progress(b, REVISION + 90); /* neither is registered on this link */
    bench_down(b);
    bench_clear(b);
    reattach();
    CU_ASSERT_EQUAL(b->requests[0].known_revision, REVISION + 40);
    bench_release(b);
}

static void test_session_watch__a_resync_is_told_and_moves_on(void)
{
    watching();
    bench_resync(b, 1, REVISION + 70);
    CU_ASSERT_EQUAL(b->watched_count, 1);
    CU_ASSERT_EQUAL(b->watched[0], REVISION + 70);
    bench_event(b, 1, REVISION + 60);
    CU_ASSERT_EQUAL(b->watched_count, 1);
    bench_down(b);
    bench_clear(b);
    reattach();
    CU_ASSERT_EQUAL(b->requests[0].known_revision, REVISION + 70);
    bench_release(b);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_session_watch__starts_from_the_state_answered),
        TEST(test_session_watch__a_name_that_does_not_exist_can_be_watched),
        TEST(test_session_watch__a_deletion_is_told_though_it_was_missing_before),
        TEST(test_session_watch__a_refusal_is_told),
        TEST(test_session_watch__is_registered_anew_with_what_it_knows),
        TEST(test_session_watch__two_events_of_one_revision_are_both_told),
        TEST(test_session_watch__is_registered_anew_even_in_jeopardy),
        TEST(test_session_watch__a_refused_registration_is_tried_again),
        TEST(test_session_watch__a_new_one_waits_in_jeopardy),
        TEST(test_session_watch__answered_in_jeopardy_it_is_asked_for_again_when_safe),
        TEST(test_session_watch__from_a_revision_its_answer_in_jeopardy_is_told_when_safe),
        TEST(test_session_watch__unwatched_it_is_silent),
        TEST(test_session_watch__a_deadline_withdraws_it),
        TEST(test_session_watch__an_id_is_used_once),
        TEST(test_session_watch__from_a_revision_it_is_told_what_came_before_the_answer),
        TEST(test_session_watch__lost_before_the_answer_it_asks_on_from_what_was_told),
        TEST(test_session_watch__asks_for_the_same_again),
        TEST(test_session_watch__progress_counts_for_what_is_registered),
        TEST(test_session_watch__a_resync_is_told_and_moves_on),
        TEST(test_session_watch__one_more_than_the_bound_is_refused),
    };
    return run_suite("session_watch", cases, sizeof cases / sizeof cases[0], argc, argv);
}
