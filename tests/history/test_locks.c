/* test_locks.c - histories of locks: grants, beliefs, sequencers. */
#include "tests/history/lab.h"
#include "tests/support/runner.h"

#define MADE    "1 1-2 put /l value=one makes=1 -> OK revision=5 instance=5 content=5"
#define GRANTED "1 10-20 acquire /l exclusive=1 session=7 -> OK revision=10 grant=10"

static void test_locks__one_after_the_other_is_fine(void)
{
    LAB_IS(0, MADE, GRANTED, "belief 21 1 100 /l exclusive 10", "belief 60 1 140 /l exclusive 10",
           "3 30-40 check /l generation=10 exclusive=1 -> OK revision=11",
           "2 15-130 acquire /l exclusive=1 -> OK revision=12 grant=12",
           "1 110-129 release /l generation=10 -> OK revision=12",
           "belief 131 2 200 /l exclusive 12",
           "3 150-160 check /l generation=10 exclusive=1 -> STALE_SEQUENCER revision=12",
           "3 150-160 check /l generation=12 exclusive=1 -> OK revision=12");
}

static void test_locks__those_who_share_it_are_fine_together(void)
{
    LAB_IS(0, MADE, "1 10-20 acquire /l -> OK revision=10 grant=10",
           "2 10-21 acquire /l -> OK revision=10 grant=10", "belief 21 1 100 /l shared 10",
           "belief 22 2 100 /l shared 10", "2 50-60 release /l generation=10 -> OK revision=11",
           "1 70-80 release /l generation=10 -> OK revision=12");
    /* Who was told of his release last was not the last to give it back. */
    LAB_IS(0, MADE, "1 10-20 acquire /l -> OK revision=10 grant=10",
           "2 10-21 acquire /l -> OK revision=10 grant=10",
           "1 30-90 release /l generation=10 -> OK revision=11",
           "3 40-50 check /l generation=10 -> OK revision=11",
           "2 60-70 release /l generation=10 -> OK revision=12");
    /* Who shares it with himself, by two handles, has it until he gave both back. */
    LAB_IS(0, MADE, "1 10-20 acquire /l -> OK revision=10 grant=10",
           "1 11-20 acquire /l -> OK revision=10 grant=10",
           "1 30-40 release /l generation=10 -> OK revision=11",
           "3 50-60 check /l generation=10 -> OK revision=11");
}

static void test_locks__a_session_that_ends_gives_way(void)
{
    LAB_IS(0, MADE, GRANTED, "belief 21 1 100 /l exclusive 10",
           "2 30-120 acquire /l exclusive=1 -> OK revision=14 grant=14",
           "belief 121 2 200 /l exclusive 14", "1 130-140 release /l generation=10 -> EXPIRED");
}

static void test_locks__force_ends_a_belief_early(void)
{
    LAB_IS(0, MADE, GRANTED, "belief 21 1 100 /l exclusive 10",
           "3 30-40 force /l -> OK revision=11", "loss 45 1 /l 10",
           "2 30-50 acquire /l exclusive=1 -> OK revision=12 grant=12",
           "belief 51 2 200 /l exclusive 12", "1 60-70 release /l generation=10 -> NOT_HELD");
}

static void test_locks__finds_two_believers(void)
{
    /* The first holder's session may have ended, but not before it said. */
    LAB_IS(LAB_BELIEFS, MADE, GRANTED, "belief 21 1 100 /l exclusive 10",
           "2 30-50 acquire /l exclusive=1 -> OK revision=12 grant=12",
           "belief 51 2 90 /l exclusive 12");
    /* Beside a shared one. */
    LAB_IS(LAB_BELIEFS, MADE, "1 10-20 acquire /l -> OK revision=10 grant=10",
           "belief 21 1 100 /l shared 10",
           "2 30-50 acquire /l exclusive=1 -> OK revision=12 grant=12",
           "belief 99 2 120 /l exclusive 12");
    /* Two threads of one client. */
    LAB_IS(LAB_BELIEFS, MADE, GRANTED, "belief 21 1 100 /l exclusive 10",
           "1 30-50 acquire /l exclusive=1 -> OK revision=12 grant=12",
           "belief 51 1 90 /l exclusive 12");
    /* It believed again later, and so had never lost it. */
    LAB_IS(LAB_BELIEFS, MADE, GRANTED, "belief 21 1 40 /l exclusive 10",
           "belief 80 1 90 /l exclusive 10",
           "2 30-50 acquire /l exclusive=1 -> OK revision=12 grant=12",
           "belief 51 2 70 /l exclusive 12");
    /* Nobody used force that would excuse it. */
    LAB_IS(LAB_BELIEFS, MADE, GRANTED, "belief 21 1 100 /l exclusive 10",
           "3 60-70 force /l -> OK revision=13",
           "2 30-50 acquire /l exclusive=1 -> OK revision=12 grant=12",
           "belief 51 2 59 /l exclusive 12", "loss 71 1 /l 10");
    /* To the moment is no overlap. */
    LAB_IS(0, MADE, GRANTED, "belief 21 1 51 /l exclusive 10",
           "2 30-50 acquire /l exclusive=1 -> OK revision=12 grant=12",
           "belief 51 2 90 /l exclusive 12");
}

static void test_locks__finds_grants_beside_one_that_was_given_back_later(void)
{
    LAB_IS(LAB_SEARCH, MADE, GRANTED, "2 30-50 acquire /l exclusive=1 -> OK revision=12 grant=12",
           "1 110-120 release /l generation=10 -> OK revision=14");
    LAB_IS(LAB_SEARCH, MADE, "1 10-20 acquire /l -> OK revision=10 grant=10",
           "2 30-50 acquire /l exclusive=1 -> OK revision=12 grant=12",
           "1 110-120 release /l generation=10 -> OK revision=14",
           "2 130-140 release /l generation=12 -> OK revision=15");
}

static void test_locks__finds_generations_that_fall(void)
{
    LAB_IS(LAB_LOCKS, MADE, GRANTED, "1 30-40 release /l generation=10 -> OK revision=11",
           "2 50-60 acquire /l exclusive=1 -> OK revision=12 grant=9");
    LAB_IS(LAB_LOCKS, MADE, "1 10-20 acquire /l exclusive=1 -> OK grant=10",
           "1 30-40 release /l generation=10 -> OK",
           "2 50-60 acquire /l exclusive=1 -> OK grant=9");
    /* The same twice. */
    LAB_IS(LAB_LOCKS, MADE, "1 10-20 acquire /l exclusive=1 -> OK grant=10",
           "1 30-40 release /l generation=10 -> OK",
           "2 50-60 acquire /l exclusive=1 -> OK grant=10");
}

static void test_locks__finds_sequencers_that_count_too_long(void)
{
    /* After a newer grant. */
    LAB_IS(LAB_LOCKS | LAB_SEARCH, MADE, GRANTED,
           "1 30-40 release /l generation=10 -> OK revision=11",
           "2 50-60 acquire /l exclusive=1 -> OK revision=12 grant=12",
           "3 70-80 check /l generation=10 exclusive=1 -> OK revision=12");
    /* The first holder's session has ended, and nobody knows when. */
    LAB_IS(LAB_LOCKS | LAB_SEARCH, MADE, GRANTED,
           "2 50-60 acquire /l exclusive=1 -> OK revision=12 grant=12",
           "3 70-80 check /l generation=10 exclusive=1 -> OK revision=12");
    /* After it was given back. */
    LAB_IS(LAB_LOCKS | LAB_SEARCH, MADE, GRANTED,
           "1 30-40 release /l generation=10 -> OK revision=11",
           "3 70-80 check /l generation=10 exclusive=1 -> OK revision=11");
    /* After all who shared it gave it back. */
    LAB_IS(LAB_LOCKS | LAB_SEARCH, MADE, "1 10-20 acquire /l -> OK revision=10 grant=10",
           "2 10-21 acquire /l -> OK revision=10 grant=10",
           "1 30-40 release /l generation=10 -> OK revision=11",
           "2 30-40 release /l generation=10 -> OK revision=12",
           "3 70-80 check /l generation=10 -> OK revision=12");
    LAB_IS(LAB_LOCKS | LAB_SEARCH, MADE, "1 10-20 acquire /l -> OK revision=10 grant=10",
           "1 11-20 acquire /l -> OK revision=10 grant=10",
           "1 30-40 release /l generation=10 -> OK revision=11",
           "1 50-60 release /l generation=10 -> OK revision=12",
           "3 70-80 check /l generation=10 -> OK revision=12");
    /* It let a write through, alone or in a transaction. */
    LAB_IS(LAB_LOCKS | LAB_SEARCH, MADE, GRANTED,
           "2 50-60 acquire /l exclusive=1 -> OK revision=12 grant=12",
           "1 70-80 put /a value=late makes=1 guard=/l guard-generation=10 guard-exclusive=1 -> OK "
           "revision=13 content=13");
    LAB_IS(LAB_LOCKS | LAB_SEARCH, MADE, GRANTED,
           "2 50-60 acquire /l exclusive=1 -> OK revision=12 grant=12",
           "1 70-80 transaction - part=check,/l,generation=10,exclusive=1 "
           "part=put,/a,value=late,makes=1 -> OK revision=13");
    /* Nobody was ever given it. */
    LAB_IS(LAB_LOCKS, MADE, GRANTED,
           "3 70-80 check /l generation=11 exclusive=1 -> OK revision=12");
    LAB_IS(0, MADE, GRANTED, "4 11 acquire /l exclusive=1",
           "3 70-80 check /l generation=11 exclusive=1 -> OK revision=12");
}

static void test_locks__finds_sequencers_that_do_not_count_though_held(void)
{
    LAB_IS(LAB_LOCKS | LAB_SEARCH, MADE, GRANTED,
           "3 30-40 check /l generation=10 exclusive=1 -> STALE_SEQUENCER revision=11",
           "1 50-60 release /l generation=10 -> OK revision=12");
    LAB_IS(LAB_SEARCH, MADE, GRANTED,
           "1 30-40 put /l value=x guard=/l guard-generation=10 guard-exclusive=1 -> "
           "STALE_SEQUENCER revision=10",
           "1 50-60 release /l generation=10 -> OK revision=12");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_locks__one_after_the_other_is_fine),
        TEST(test_locks__those_who_share_it_are_fine_together),
        TEST(test_locks__a_session_that_ends_gives_way),
        TEST(test_locks__force_ends_a_belief_early),
        TEST(test_locks__finds_two_believers),
        TEST(test_locks__finds_grants_beside_one_that_was_given_back_later),
        TEST(test_locks__finds_generations_that_fall),
        TEST(test_locks__finds_sequencers_that_count_too_long),
        TEST(test_locks__finds_sequencers_that_do_not_count_though_held),
    };
    return run_suite("locks", cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
