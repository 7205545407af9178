/* test_nodes.c - histories of reads and writes, good ones and above all bad ones: what replay
 * and search each must find, alone, and where values come from. */
#include <stdio.h>

#include "tests/history/lab.h"
#include "tests/support/runner.h"

#define MADE "1 10-20 put /a value=one makes=1 -> OK revision=5 instance=5 content=5"

static void test_judge__calls_one_after_the_other_are_fine(void)
{
    LAB_IS(0, MADE, "2 30-40 get /a -> OK revision=5 content=5 value=one",
           "1 50-60 put /a value=two generation=5 -> OK revision=7 content=7",
           "2 70-80 put /a value=three generation=5 -> BAD_GENERATION revision=7",
           "2 90-100 create /a value=four -> NODE_EXISTS revision=7",
           "1 110-120 delete /a -> OK revision=8", "2 130-140 get /a -> NO_NODE revision=8",
           "2 150-160 create /a value=five -> OK revision=9 instance=9 content=9",
           "2 170-180 stat /a -> OK revision=9 instance=9 content=9 lock=9");
}

static void test_judge__calls_that_overlap_may_stand_in_any_order(void)
{
    LAB_IS(0, MADE, "1 30-90 put /a value=two -> OK revision=6 content=6",
           "2 40-80 put /a value=three -> OK revision=7 content=7",
           "3 35-50 get /a -> OK revision=5 content=5 value=one",
           "3 55-60 get /a -> OK revision=6 content=6 value=two",
           "4 55-100 get /a -> OK revision=7 content=7 value=three");
}

static void test_judge__what_came_to_no_answer_may_have_happened_or_not(void)
{
    /* It did, late. */
    LAB_IS(0, MADE, "1 30 put /a value=two", "2 40-50 get /a -> OK revision=5 content=5 value=one",
           "2 60-70 put /a value=three -> OK revision=8 content=8",
           "2 80-90 get /a -> OK revision=9 content=9 value=two");
    /* It did not. */
    LAB_IS(0, MADE, "1 30-35 put /a value=two -> MAYBE_APPLIED",
           "2 60-70 put /a value=three generation=5 -> OK revision=8 content=8",
           "2 80-90 get /a -> OK revision=9 content=8 value=three");
    /* Two of them did, one on top of the other. */
    LAB_IS(0, MADE, "1 30 delete /a", "3 31 create /a value=two",
           "2 80-90 get /a -> OK revision=9 instance=7 content=7 value=two");
    /* A delete through the interface says no revision. */
    LAB_IS(0, MADE, "1 30-40 delete /a -> OK", "2 50-60 get /a -> NO_NODE revision=9");
}

static void test_judge__a_stale_read_is_allowed_where_it_was_asked_for(void)
{
    LAB_IS(0, MADE, "1 30-40 put /a value=two -> OK revision=6 content=6",
           "2 50-60 get /a freshness=2 -> OK revision=5 content=5 value=one");
}

static void test_judge__finds_a_stale_read(void)
{
    LAB_IS(LAB_REPLAY | LAB_SEARCH, MADE, "1 30-40 put /a value=two -> OK revision=6 content=6",
           "2 50-60 get /a -> OK revision=5 content=5 value=one");
    /* Without revisions. */
    LAB_IS(LAB_REPLAY | LAB_SEARCH, "1 10-20 put /a value=one makes=1 -> OK content=5",
           "1 30-40 put /a value=two -> OK content=6", "2 50-60 get /a -> OK content=5 value=one");
    /* Without generations either: of no use to replay. */
    LAB_IS(LAB_SEARCH, "1 10-20 put /a value=one makes=1 -> OK", "1 30-40 put /a value=two -> OK",
           "2 50-60 get /a -> OK value=one");
    /* Another had read the newer. */
    LAB_IS(LAB_REPLAY | LAB_SEARCH, MADE, "1 30 put /a value=two",
           "2 40-50 get /a -> OK revision=6 content=6 value=two",
           "3 60-70 get /a -> OK revision=5 content=5 value=one");
    /* Of a node that was made meanwhile. */
    LAB_IS(LAB_REPLAY | LAB_SEARCH, MADE, "2 30-40 get /a -> NO_NODE revision=4");
}

static void test_judge__finds_a_lost_write(void)
{
    /* Acknowledged, and nobody sees it though the revision goes on. */
    LAB_IS(LAB_REPLAY | LAB_SEARCH, MADE, "1 30-40 put /a value=two -> OK revision=6 content=6",
           "2 50-60 get /a -> OK revision=9 content=5 value=one");
    LAB_IS(LAB_REPLAY | LAB_SEARCH, MADE, "2 50-60 get /a -> NO_NODE revision=9");
    /* Two with the same condition both succeed. */
    LAB_IS(LAB_REPLAY | LAB_SEARCH, MADE,
           "1 30-90 put /a value=two generation=5 -> OK revision=6 content=6",
           "2 30-90 put /a value=three generation=5 -> OK revision=7 content=7");
    /* Two make it. */
    LAB_IS(LAB_REPLAY | LAB_SEARCH, "1 10-50 create /a value=one -> OK revision=5 content=5",
           "2 10-50 create /a value=two -> OK revision=6 content=6");
    /* A delete that is undone. */
    LAB_IS(LAB_REPLAY | LAB_SEARCH, MADE, "1 30-40 delete /a -> OK revision=6",
           "2 50-60 get /a -> OK revision=7 content=5 value=one");
}

static void test_judge__finds_a_write_that_was_applied_twice(void)
{
    LAB_IS(LAB_REPLAY | LAB_SEARCH | LAB_ONCE, MADE, "1 30 put /a value=two",
           "2 40-50 get /a -> OK revision=6 content=6 value=two",
           "2 60-70 put /a value=three -> OK revision=7 content=7",
           "2 80-90 get /a -> OK revision=8 content=8 value=two");
    /* Its author was told. */
    LAB_IS(LAB_REPLAY | LAB_SEARCH | LAB_ONCE, MADE,
           "2 60-70 put /a value=three -> OK revision=7 content=7",
           "2 80-90 get /a -> OK revision=8 content=8 value=one");
    /* In an event. */
    LAB_IS(LAB_ONCE | LAB_WATCHES, MADE, "2 30-31 watch /a watch=1 watches=17 -> OK revision=5",
           "event 40 2 1 content /a 8 value=one content=8");
}

static void test_judge__finds_values_out_of_thin_air(void)
{
    LAB_IS(LAB_REPLAY | LAB_SEARCH | LAB_ONCE, MADE,
           "2 30-40 get /a -> OK revision=5 content=5 value=two");
    LAB_IS(LAB_REPLAY | LAB_SEARCH | LAB_ONCE, MADE,
           "2 30-40 get /a -> OK revision=6 content=6 value=two");
    /* A generation without a writer. */
    LAB_IS(LAB_REPLAY | LAB_SEARCH, MADE, "2 30-40 stat /a -> OK revision=6 content=6");
    /* Written elsewhere. */
    LAB_IS(LAB_REPLAY | LAB_SEARCH | LAB_ONCE, MADE,
           "1 30-40 put /b value=two makes=1 -> OK revision=6 content=6",
           "2 50-60 get /a -> OK revision=7 content=6 value=two");
}

static void test_judge__finds_what_was_said_not_to_have_happened(void)
{
    LAB_IS(LAB_REPLAY | LAB_SEARCH | LAB_ONCE, MADE, "1 30-40 put /a value=two -> TIMEOUT",
           "2 50-60 get /a -> OK revision=6 content=6 value=two");
    LAB_IS(LAB_REPLAY | LAB_SEARCH | LAB_ONCE, MADE,
           "1 30-40 put /a value=two -> EXPIRED not-applied=1",
           "2 50-60 get /a -> OK revision=6 content=6 value=two");
    LAB_IS(0, MADE, "1 30-40 put /a value=two -> EXPIRED",
           "2 50-60 get /a -> OK revision=6 content=6 value=two");
}

static void test_judge__finds_what_is_of_the_future(void)
{
    LAB_IS(LAB_REPLAY | LAB_SEARCH | LAB_ONCE, MADE,
           "2 30-40 get /a -> OK revision=6 content=6 value=two",
           "1 50-60 put /a value=two -> OK revision=6 content=6");
    LAB_IS(LAB_REPLAY | LAB_SEARCH | LAB_ONCE, MADE,
           "2 30-40 get /a -> OK revision=6 content=6 value=two", "1 50 put /a value=two");
}

static void test_judge__finds_refusals_that_nothing_explains(void)
{
    LAB_IS(LAB_REPLAY | LAB_SEARCH, MADE,
           "1 30-40 put /a value=two generation=5 -> BAD_GENERATION revision=5");
    LAB_IS(LAB_REPLAY | LAB_SEARCH, MADE, "1 30-40 delete /a -> OK revision=6",
           "1 50-60 create /a value=two -> NODE_EXISTS revision=6");
    LAB_IS(LAB_REPLAY | LAB_SEARCH, MADE, "1 30-40 put /a value=two -> NO_NODE revision=5");
    LAB_IS(LAB_REPLAY | LAB_SEARCH, MADE,
           "1 30-40 transaction - part=exists,/a part=absent,/a -> NODE_EXISTS revision=5 "
           "failed=2",
           "1 50-60 transaction - part=generation,/a,generation=5 part=put,/a,value=x -> "
           "BAD_GENERATION revision=5 failed=1");
}

static void test_judge__transactions_stand_on_each_path(void)
{
    LAB_IS(0, MADE,
           "1 30-40 transaction - part=generation,/a,generation=5 part=delete,/a "
           "part=create,/a,value=two part=put,/b,value=x,makes=1 -> OK revision=6",
           "2 50-60 get /a -> OK revision=6 instance=6 content=6 value=two",
           "2 50-60 get /b -> OK revision=6 content=6 value=x");
    /* One half of it. */
    LAB_IS(LAB_REPLAY | LAB_SEARCH, MADE,
           "1 30-40 transaction - part=put,/a,value=two part=put,/b,value=x,makes=1 -> OK "
           "revision=6",
           "2 50-60 get /a -> OK revision=6 content=6 value=two",
           "2 50-60 get /b -> NO_NODE revision=6");
    /* It was refused, and yet. */
    LAB_IS(LAB_REPLAY | LAB_SEARCH | LAB_ONCE, MADE,
           "1 30-40 transaction - part=put,/a,value=two part=delete,/b -> NO_NODE revision=5 "
           "failed=2",
           "2 50-60 get /a -> OK revision=6 content=6 value=two");
}

static void test_judge__ephemeral_nodes_end_by_themselves_and_others_do_not(void)
{
    LAB_IS(0, "1 10-20 create /e value=one ephemeral=1 session=3 -> OK revision=5 content=5",
           "2 30-40 get /e -> OK revision=5 content=5 value=one",
           "2 50-60 get /e -> NO_NODE revision=7",
           "2 70-80 create /e value=two -> OK revision=8 content=8");
    /* Ended, and back again. */
    LAB_IS(LAB_REPLAY | LAB_SEARCH,
           "1 10-20 create /e value=one ephemeral=1 session=3 -> OK revision=5 content=5",
           "2 50-60 get /e -> NO_NODE revision=7",
           "2 70-80 get /e -> OK revision=8 content=5 value=one");
    /* Made anew and ended once more, by a session that had ended. */
    LAB_IS(LAB_REPLAY | LAB_SEARCH,
           "1 10-20 create /e value=one ephemeral=1 session=3 -> OK revision=5 content=5",
           "2 50-60 get /e -> NO_NODE revision=7",
           "2 70-80 create /e value=two -> OK revision=8 content=8",
           "2 90-100 get /e -> NO_NODE revision=9");
}

static void test_judge__leaders_write_as_they_are_elected(void)
{
    LAB_IS(0, MADE, "1 30-40 acquire /a value=me exclusive=1 -> OK revision=6 grant=6",
           "2 50-60 get /a -> OK revision=6 content=6 value=me",
           "1 70-80 release /a generation=6 clears=1 -> OK revision=7",
           "2 90-95 get /a -> OK revision=7 content=7 value=%");
    /* Not cleared, though it was said to be. */
    LAB_IS(LAB_REPLAY | LAB_SEARCH, MADE,
           "1 30-40 acquire /a value=me exclusive=1 -> OK revision=6 grant=6",
           "1 70-80 release /a generation=6 clears=1 -> OK revision=7",
           "2 90-95 get /a -> OK revision=7 content=6 value=me");
    /* Another was elected in the entry in which the first resigned. */
    LAB_IS(0, MADE, "1 30-40 acquire /a value=me exclusive=1 -> OK revision=6 grant=6",
           "2 50-85 acquire /a value=you exclusive=1 -> OK revision=7 grant=7",
           "1 70-80 release /a generation=6 clears=1 -> OK revision=7",
           "3 90-95 get /a -> OK revision=7 content=7 value=you");
}

static void test_judge__finds_revisions_that_do_not_agree_with_time(void)
{
    /* On different paths, where no search looks. */
    LAB_IS(LAB_REPLAY, MADE, "2 30-40 put /b value=two makes=1 -> OK revision=4 content=4");
    LAB_IS(LAB_REPLAY, MADE, "1 30-40 put /b value=x makes=1 -> OK revision=9 content=9",
           "2 50-60 get /a -> OK revision=8 content=5 value=one");
    /* Behind what an event had told. */
    LAB_IS(LAB_REPLAY, MADE, "2 21-25 watch / watch=1 watches=1 -> OK revision=5",
           "event 30 2 1 told - 9", "2 50-60 get /a -> OK revision=8 content=5 value=one");
    /* Two changes of one revision. */
    LAB_IS(LAB_REPLAY, MADE, "1 30-60 put /a value=two -> OK revision=6 content=6",
           "2 30-60 put /a value=three -> OK revision=6 content=6");
}

static void test_judge__paths_that_are_made_on_the_way_are_left_out(void)
{
    struct history_report r;
    lab_judge(LAB("1 10-20 put /d/a value=one makes=1 parents=1 -> OK revision=5 content=5",
                  "1 30-40 put /d value=two -> OK revision=6 content=6",
                  "1 50-60 delete /d -> NOT_EMPTY revision=6"),
              &r);
    CU_ASSERT_EQUAL(history_verdict(&r), HISTORY_FINE);
    CU_ASSERT_EQUAL(r.left_out, 1);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_judge__calls_one_after_the_other_are_fine),
        TEST(test_judge__calls_that_overlap_may_stand_in_any_order),
        TEST(test_judge__what_came_to_no_answer_may_have_happened_or_not),
        TEST(test_judge__a_stale_read_is_allowed_where_it_was_asked_for),
        TEST(test_judge__finds_a_stale_read),
        TEST(test_judge__finds_a_lost_write),
        TEST(test_judge__finds_a_write_that_was_applied_twice),
        TEST(test_judge__finds_values_out_of_thin_air),
        TEST(test_judge__finds_what_was_said_not_to_have_happened),
        TEST(test_judge__finds_what_is_of_the_future),
        TEST(test_judge__finds_refusals_that_nothing_explains),
        TEST(test_judge__transactions_stand_on_each_path),
        TEST(test_judge__ephemeral_nodes_end_by_themselves_and_others_do_not),
        TEST(test_judge__leaders_write_as_they_are_elected),
        TEST(test_judge__finds_revisions_that_do_not_agree_with_time),
        TEST(test_judge__paths_that_are_made_on_the_way_are_left_out),
    };
    return run_suite("nodes", cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
