/* test_watches.c - histories of watches. */
#include "tests/history/lab.h"
#include "tests/support/runner.h"

#define WATCHED "2 5-9 watch /a watch=1 watches=17 -> OK revision=4"
#define WRITES                                                     \
    "1 10-20 put /a value=one makes=1 -> OK revision=5 content=5", \
        "1 30-40 put /a value=two -> OK revision=6 content=6",     \
        "1 50-60 delete /a -> OK revision=7",                      \
        "1 70-80 create /a value=three -> OK revision=9 content=9"

static void test_watches__all_of_it_in_order_is_fine(void)
{
    LAB_IS(0, WATCHED, WRITES, "event 21 2 1 created /a 5 value=one content=5",
           "event 41 2 1 content /a 6", "event 61 2 1 deleted /a 7",
           "event 81 2 1 created /a 9 value=three", "event 90 2 1 told - 9");
    /* What is not told yet is not missed yet. */
    LAB_IS(0, WATCHED, WRITES, "event 21 2 1 created /a 5");
}

static void test_watches__what_a_resync_stands_for_need_not_be_told(void)
{
    LAB_IS(0, WATCHED, WRITES, "event 21 2 1 created /a 5", "event 65 2 1 resync - 7",
           "event 81 2 1 created /a 9", "event 90 2 1 told - 9");
    LAB_IS(LAB_WATCHES, WATCHED, WRITES, "event 21 2 1 created /a 5", "event 65 2 1 resync - 6",
           "event 81 2 1 created /a 9", "event 90 2 1 told - 9");
}

static void test_watches__finds_an_event_that_is_lost(void)
{
    LAB_IS(LAB_WATCHES, WATCHED, WRITES, "event 21 2 1 created /a 5", "event 61 2 1 deleted /a 7");
    LAB_IS(LAB_WATCHES, WATCHED, WRITES, "event 21 2 1 created /a 5", "event 41 2 1 content /a 6",
           "event 61 2 1 deleted /a 7", "event 90 2 1 told - 9");
    /* Of a lock. */
    LAB_IS(LAB_WATCHES, "2 5-9 watch /a watch=1 watches=18 -> OK revision=5",
           "1 10-20 acquire /a exclusive=1 -> OK revision=6 grant=6", "event 30 2 1 told - 8");
    /* Below it. */
    LAB_IS(LAB_WATCHES, "2 5-9 watch /d watch=1 watches=25 -> OK revision=4",
           "1 10-20 put /d/a value=one makes=1 -> OK revision=5", "event 30 2 1 told - 5");
}

static void test_watches__who_is_promised_the_last_state_may_miss_others(void)
{
    LAB_IS(0, "2 5-9 watch /a watch=1 watches=1 -> OK revision=4", WRITES,
           "event 81 2 1 created /a 9", "event 90 2 1 told - 9");
    LAB_IS(LAB_WATCHES, "2 5-9 watch /a watch=1 watches=1 -> OK revision=4", WRITES,
           "event 41 2 1 content /a 6", "event 90 2 1 told - 9");
}

static void test_watches__finds_an_event_that_is_repeated(void)
{
    LAB_IS(LAB_WATCHES, WATCHED, WRITES, "event 21 2 1 created /a 5", "event 22 2 1 created /a 5");
    LAB_IS(LAB_WATCHES, WATCHED, WRITES, "event 21 2 1 created /a 5", "event 22 2 1 content /a 5");
    /* A transaction may change it twice. */
    LAB_IS(0, WATCHED,
           "1 10-20 transaction - part=create,/a,value=one part=put,/a,value=two -> OK revision=5",
           "event 21 2 1 created /a 5", "event 22 2 1 content /a 5");
}

static void test_watches__finds_events_out_of_order(void)
{
    LAB_IS(LAB_WATCHES, WATCHED, WRITES, "event 21 2 1 created /a 5", "event 61 2 1 deleted /a 7",
           "event 62 2 1 content /a 6");
    /* Before the state that it began with; what was told behind a RESYNC. */
    LAB_IS(LAB_WATCHES, "2 45-49 watch /a watch=1 watches=17 -> OK revision=6", WRITES,
           "event 50 2 1 content /a 6");
    LAB_IS(LAB_WATCHES, WATCHED, WRITES, "event 65 2 1 resync - 7", "event 66 2 1 deleted /a 7");
}

static void test_watches__finds_events_that_did_not_happen(void)
{
    LAB_IS(LAB_WATCHES, WATCHED, "1 10-20 put /a value=one makes=1 -> OK revision=5 content=5",
           "event 21 2 1 created /a 5", "event 22 2 1 content /a 6");
    LAB_IS(LAB_WATCHES, WATCHED, "1 10-20 put /a value=one makes=1 -> OK revision=5 content=5",
           "event 21 2 1 deleted /a 5");
    /* Told before its cause was called. */
    LAB_IS(LAB_WATCHES | LAB_REPLAY, WATCHED,
           "1 30-40 put /a value=one makes=1 -> OK revision=5 content=5",
           "event 21 2 1 created /a 5");
    /* Another value. */
    LAB_IS(LAB_WATCHES | LAB_ONCE, WATCHED, WRITES, "event 21 2 1 created /a 5 value=five");
    /* By a call of unknown outcome: that may be. */
    LAB_IS(0, WATCHED, "1 10 put /a value=one makes=1", "event 21 2 1 created /a 5 value=one");
}

static void test_watches__finds_events_that_nobody_asked_for(void)
{
    LAB_IS(LAB_WATCHES, WATCHED, "1 10-20 put /b value=one makes=1 -> OK revision=5 content=5",
           "event 21 2 1 created /b 5");
    LAB_IS(LAB_WATCHES, WATCHED, WRITES, "event 21 2 1 created /a 5",
           "event 22 2 1 lock-held /a 5");
    LAB_IS(LAB_WATCHES, WRITES, "event 21 2 1 created /a 5");
    LAB_IS(LAB_WATCHES, WATCHED, WRITES, "event 21 2 2 created /a 5");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_watches__all_of_it_in_order_is_fine),
        TEST(test_watches__what_a_resync_stands_for_need_not_be_told),
        TEST(test_watches__finds_an_event_that_is_lost),
        TEST(test_watches__who_is_promised_the_last_state_may_miss_others),
        TEST(test_watches__finds_an_event_that_is_repeated),
        TEST(test_watches__finds_events_out_of_order),
        TEST(test_watches__finds_events_that_did_not_happen),
        TEST(test_watches__finds_events_that_nobody_asked_for),
    };
    return run_suite("watches", cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
