/* test_state_shared.c - locks that are shared, and locks that wait out a delay. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/state/lab.h"
#include "tests/support/runner.h"

#define SHARED    COORD__V1__LOCK_MODE__LOCK_SHARED
#define EXCLUSIVE COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE

/* Sessions 1 to 5 and a node /l. */
static void set_up(struct lab *l)
{
    lab_init(l);
    for (uint64_t i = 1; i <= 5; i++)
        CU_ASSERT_EQUAL_FATAL(lab_open(l, i), i);
    CU_ASSERT_EQUAL_FATAL(lab_create(l, 0, "/l", ""), ERR_OK);
}

static void expect_lock(const struct lab *l, int mode, uint32_t holders, uint32_t waiters,
                        bool delayed)
{
    Coord__V1__Stat *stat = lab_stat(l, "/l");
    CU_ASSERT_EQUAL((int)stat->lock_mode, mode);
    CU_ASSERT_EQUAL(stat->lock_holders_count, holders);
    CU_ASSERT_EQUAL(stat->lock_waiters_count, waiters);
    CU_ASSERT_EQUAL(stat->lock_delayed, delayed);
    coord__v1__stat__free_unpacked(stat, NULL);
}

static void test_shared__who_shares_joins_who_shares(void)
{
    struct lab l;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_share(&l, 1, 1, "/l"), ERR_OK);
    char *first = lab_sequencer(&l);
    CU_ASSERT_EQUAL(lab_share(&l, 2, 1, "/l"), ERR_OK);
    char *second = lab_sequencer(&l);
    CU_ASSERT_EQUAL(lab_acquire_as(&l, 3, 1, "/l", SHARED, false, 0), ERR_OK);
    expect_lock(&l, SHARED, 3, 0, false);
    CU_ASSERT_EQUAL(lab_try(&l, 4, 1, "/l"), ERR_LOCK_HELD);
    CU_ASSERT_STRING_NOT_EQUAL(first, second);
    CU_ASSERT_EQUAL(lab_check(&l, first), ERR_OK);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_check(&l, first), ERR_STALE_SEQUENCER);
    CU_ASSERT_EQUAL(lab_check(&l, second), ERR_OK);
    expect_lock(&l, SHARED, 2, 0, false);
    free(first);
    free(second);
    lab_release(&l);
}

/* Fair: who came later does not overtake, whatever could be granted at once. */
static void test_shared__a_waiting_exclusive_request_is_not_overtaken(void)
{
    struct lab l;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_share(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_acquire_as(&l, 3, 1, "/l", SHARED, false, 0), ERR_LOCK_HELD);
    CU_ASSERT_EQUAL(lab_share(&l, 3, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_answered(&l, 2, l.seq[2]), ERR_OK);
    CU_ASSERT_EQUAL(lab_answered(&l, 3, l.seq[3]), LAB_WAITS);
    expect_lock(&l, EXCLUSIVE, 1, 1, false);
    lab_release(&l);
}

static void test_shared__those_at_the_front_are_let_in_together(void)
{
    struct lab l;
    char events[128];
    set_up(&l);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_share(&l, 2, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_share(&l, 3, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_acquire(&l, 4, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_share(&l, 5, 1, "/l"), LAB_WAITS);
    uint64_t before = state_revision(l.state);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_answered(&l, 2, l.seq[2]), ERR_OK);
    CU_ASSERT_EQUAL(lab_answered(&l, 3, l.seq[3]), ERR_OK);
    CU_ASSERT_EQUAL(l.out.answers_count, 3);
    CU_ASSERT_EQUAL(state_revision(l.state), before + 1);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "held /l");
    expect_lock(&l, SHARED, 2, 2, false);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 2, 1, "/l"), ERR_OK);
    expect_lock(&l, SHARED, 1, 2, false);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 3, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_answered(&l, 4, l.seq[4]), ERR_OK);
    expect_lock(&l, EXCLUSIVE, 1, 1, false);
    lab_release(&l);
}

/* Whoever stood between those who share was all that kept them apart. */
static void test_shared__a_cancel_may_let_in_those_behind_it(void)
{
    struct lab l;
    char events[128];
    set_up(&l);
    CU_ASSERT_EQUAL(lab_share(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_share(&l, 3, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_cancel(&l, 2, l.seq[2]), ERR_OK);
    CU_ASSERT_EQUAL(lab_answered(&l, 3, l.seq[3]), ERR_OK);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "held /l");
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_share(&l, 4, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_end(&l, 2), ERR_OK);
    CU_ASSERT_EQUAL(lab_answered(&l, 4, l.seq[4]), ERR_OK);
    expect_lock(&l, SHARED, 3, 0, false);
    lab_release(&l);
}

static void test_shared__a_handle_is_refused_a_second_claim_and_an_upgrade(void)
{
    struct lab l;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_share(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_share(&l, 1, 1, "/l"), ERR_INVALID);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 1, "/l"), ERR_INVALID);
    CU_ASSERT_EQUAL(lab_share(&l, 1, 2, "/l"), ERR_OK); /* another handle shares */
    expect_lock(&l, SHARED, 2, 0, false);
    lab_release(&l);
}

static void test_shared__only_who_is_alone_sets_the_content(void)
{
    struct lab l;
    Coord__V1__Acquire acquire = COORD__V1__ACQUIRE__INIT;
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    set_up(&l);
    acquire.path = (char *)"/l";
    acquire.handle = 1;
    acquire.mode = COORD__V1__LOCK_MODE__LOCK_SHARED;
    acquire.on_grant_case = COORD__V1__ACQUIRE__ON_GRANT_CONTENT;
    c.session = c.seq = 1;
    c.op_case = COORD__V1__COMMAND__OP_ACQUIRE;
    c.acquire = &acquire;
    CU_ASSERT_EQUAL(lab_run(&l, &c), ERR_INVALID);
    lab_release(&l);
}

static void test_shared__a_node_with_several_holders_is_not_deleted(void)
{
    struct lab l;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_share(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_share(&l, 2, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_delete_as(&l, 1, "/l", 1), ERR_LOCK_HELD);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 2, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_delete_as(&l, 1, "/l", 1), ERR_OK);
    lab_release(&l);
}

/* All that a session claims of one lock goes at once: one event, no grant in
 * between. */
static void test_shared__an_end_with_several_claims_on_a_lock_is_one_change(void)
{
    struct lab l;
    char events[128];
    set_up(&l);
    CU_ASSERT_EQUAL(lab_share(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_share(&l, 1, 2, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 3, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_share(&l, 2, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_expire(&l, 1, 1), ERR_OK);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "held /l");
    CU_ASSERT_EQUAL(lab_answered(&l, 2, l.seq[2]), ERR_OK);
    expect_lock(&l, SHARED, 1, 0, false);
    lab_release(&l);
}

/* ---- delays ---- */

static bool is_delayed(const struct lab *l)
{
    struct state_delay delay;
    return state_delay_next(l->state, slice_of(NULL, 0), &delay);
}

static void test_delay__a_dead_holders_lock_waits(void)
{
    struct lab l;
    char events[128];
    set_up(&l);
    CU_ASSERT_EQUAL(lab_acquire_as(&l, 1, 1, "/l", EXCLUSIVE, true, 7000), ERR_OK);
    char *sequencer = lab_sequencer(&l);
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 1, "/l"), LAB_WAITS);
    uint64_t waiting = l.seq[2];
    CU_ASSERT_EQUAL(lab_expire(&l, 1, 1), ERR_OK);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "free /l");
    CU_ASSERT_EQUAL(l.out.answers_count, 1);
    expect_lock(&l, COORD__V1__LOCK_MODE__LOCK_NONE, 0, 1, true);
    CU_ASSERT_EQUAL(lab_check(&l, sequencer), ERR_STALE_SEQUENCER);
    CU_ASSERT_EQUAL(lab_try(&l, 3, 1, "/l"), ERR_LOCK_HELD);
    CU_ASSERT_EQUAL(lab_delete(&l, 0, "/l"), ERR_LOCK_HELD);

    CU_ASSERT_EQUAL(lab_end_first_delay(&l, "/l", 7000), ERR_OK);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "held /l");
    CU_ASSERT_EQUAL(lab_answered(&l, 2, waiting), ERR_OK);
    expect_lock(&l, EXCLUSIVE, 1, 0, false);
    CU_ASSERT_FALSE(is_delayed(&l));
    free(sequencer);
    lab_release(&l);
}

static void test_delay__who_comes_while_it_lasts_stands_in_line(void)
{
    struct lab l;
    char events[128];
    set_up(&l);
    CU_ASSERT_EQUAL(lab_acquire_as(&l, 1, 1, "/l", EXCLUSIVE, true, 1), ERR_OK);
    CU_ASSERT_EQUAL(lab_expire(&l, 1, 1), ERR_OK);
    CU_ASSERT_EQUAL(lab_share(&l, 2, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_share(&l, 3, 1, "/l"), LAB_WAITS);
    uint64_t third = l.seq[3];
    CU_ASSERT_EQUAL(lab_cancel(&l, 2, l.seq[2]), ERR_OK);
    expect_lock(&l, COORD__V1__LOCK_MODE__LOCK_NONE, 0, 1, true);
    CU_ASSERT_EQUAL(lab_end_first_delay(&l, "/l", 1), ERR_OK);
    CU_ASSERT_EQUAL(lab_answered(&l, 3, third), ERR_OK);

    /* Nobody waits: free again, and watchers hear it. */
    CU_ASSERT_EQUAL(lab_release_lock(&l, 3, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire_as(&l, 2, 1, "/l", EXCLUSIVE, true, 5), ERR_OK);
    CU_ASSERT_EQUAL(lab_expire(&l, 2, 1), ERR_OK);
    CU_ASSERT_EQUAL(lab_end_first_delay(&l, "/l", 5), ERR_OK);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "free /l");
    CU_ASSERT_EQUAL(lab_delete(&l, 0, "/l"), ERR_OK);
    lab_release(&l);
}

static void test_delay__who_leaves_by_itself_leaves_none(void)
{
    struct lab l;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_acquire_as(&l, 1, 1, "/l", EXCLUSIVE, true, 60000), ERR_OK);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_FALSE(is_delayed(&l));
    CU_ASSERT_EQUAL(lab_acquire_as(&l, 1, 1, "/l", EXCLUSIVE, true, 60000), ERR_OK);
    CU_ASSERT_EQUAL(lab_cancel(&l, 1, l.seq[1]), ERR_OK);
    CU_ASSERT_FALSE(is_delayed(&l));
    CU_ASSERT_EQUAL(lab_acquire_as(&l, 1, 1, "/l", EXCLUSIVE, true, 60000), ERR_OK);
    CU_ASSERT_EQUAL(lab_end(&l, 1), ERR_OK);
    CU_ASSERT_FALSE(is_delayed(&l));
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire_as(&l, 3, 1, "/l", EXCLUSIVE, true, 60000), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_expire(&l, 3, 1), ERR_OK); /* it only waited */
    CU_ASSERT_FALSE(is_delayed(&l));
    lab_release(&l);
}

static void test_delay__is_ended_only_by_the_present_leader_and_by_its_name(void)
{
    struct lab l;
    struct state_delay delay;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_acquire_as(&l, 1, 1, "/l", EXCLUSIVE, true, 9), ERR_OK);
    uint64_t grant = l.answer->granted->generation;
    CU_ASSERT_EQUAL(lab_expire(&l, 1, 1), ERR_OK);
    CU_ASSERT_TRUE_FATAL(state_delay_next(l.state, slice_of(NULL, 0), &delay));
    uint64_t instance = delay.instance, generation = delay.generation;
    state_apply_leader_start(l.state, 10);
    CU_ASSERT_EQUAL(lab_end_delay(&l, "/l", instance, generation, 9), ERR_NOT_LEADER);
    CU_ASSERT_EQUAL(lab_end_delay(&l, "/l", instance, grant, 10), ERR_BAD_GENERATION);
    CU_ASSERT_EQUAL(lab_end_delay(&l, "/l", instance + 1, generation, 10), ERR_INSTANCE_GONE);
    CU_ASSERT_EQUAL(lab_end_delay(&l, "/m", instance, generation, 10), ERR_INSTANCE_GONE);
    CU_ASSERT_EQUAL(lab_end_delay(&l, "/l", 0, generation, 10), ERR_INVALID);
    CU_ASSERT_TRUE(is_delayed(&l));
    CU_ASSERT_EQUAL(lab_end_delay(&l, "/l", instance, generation, 10), ERR_OK);
    CU_ASSERT_EQUAL(lab_end_delay(&l, "/l", instance, generation, 10), ERR_BAD_GENERATION);
    lab_release(&l);
}

/* Of those who shared and died the longest delay counts, in full from the last
 * death; who still shares keeps it, but nobody joins. */
static void test_delay__of_several_who_shared_the_longest_counts(void)
{
    struct lab l;
    struct state_delay first, second;
    char events[128];
    set_up(&l);
    CU_ASSERT_EQUAL(lab_acquire_as(&l, 1, 1, "/l", SHARED, true, 900), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire_as(&l, 2, 1, "/l", SHARED, true, 200), ERR_OK);
    CU_ASSERT_EQUAL(lab_share(&l, 3, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_expire(&l, 1, 1), ERR_OK);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "held /l");
    expect_lock(&l, SHARED, 2, 0, true);
    CU_ASSERT_TRUE_FATAL(state_delay_next(l.state, slice_of(NULL, 0), &first));
    CU_ASSERT_EQUAL(lab_acquire_as(&l, 4, 1, "/l", SHARED, false, 0), ERR_LOCK_HELD);
    CU_ASSERT_EQUAL(lab_share(&l, 4, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_expire(&l, 2, 1), ERR_OK);
    CU_ASSERT_TRUE_FATAL(state_delay_next(l.state, slice_of(NULL, 0), &second));
    CU_ASSERT_TRUE(second.generation > first.generation);
    CU_ASSERT_EQUAL(second.delay_ms, 900);
    CU_ASSERT_EQUAL(lab_end_delay(&l, "/l", first.instance, first.generation, 1),
                    ERR_BAD_GENERATION);
    CU_ASSERT_EQUAL(lab_delete_as(&l, 3, "/l", 1), ERR_LOCK_HELD);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 3, 1, "/l"), ERR_OK);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "free /l");
    expect_lock(&l, COORD__V1__LOCK_MODE__LOCK_NONE, 0, 1, true);
    CU_ASSERT_EQUAL(lab_end_first_delay(&l, "/l", 900), ERR_OK);
    expect_lock(&l, SHARED, 1, 0, false);
    lab_release(&l);
}

static void test_delay__are_walked_in_the_order_of_the_tree(void)
{
    static const char *const paths[] = {"/", "/a", "/a/b", "/a-"};
    struct lab l;
    struct state_delay delay;
    struct slice after = slice_of(NULL, 0);
    set_up(&l);
    CU_ASSERT_EQUAL(lab_create_parents(&l, 0, "/a/b"), ERR_OK);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/a-", ""), ERR_OK);
    for (uint64_t i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(lab_acquire_as(&l, 1, i + 1, paths[3 - i], EXCLUSIVE, true, 8), ERR_OK);
    CU_ASSERT_EQUAL(lab_expire(&l, 1, 1), ERR_OK);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_TRUE_FATAL(state_delay_next(l.state, after, &delay));
        CU_ASSERT_TRUE(slice_equal(delay.path, slice_of_string(paths[i])));
        after = delay.path;
    }
    CU_ASSERT_FALSE(state_delay_next(l.state, after, &delay));
    lab_release(&l);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_shared__who_shares_joins_who_shares),
        TEST(test_shared__a_waiting_exclusive_request_is_not_overtaken),
        TEST(test_shared__those_at_the_front_are_let_in_together),
        TEST(test_shared__a_cancel_may_let_in_those_behind_it),
        TEST(test_shared__a_handle_is_refused_a_second_claim_and_an_upgrade),
        TEST(test_shared__only_who_is_alone_sets_the_content),
        TEST(test_shared__a_node_with_several_holders_is_not_deleted),
        TEST(test_shared__an_end_with_several_claims_on_a_lock_is_one_change),
        TEST(test_delay__a_dead_holders_lock_waits),
        TEST(test_delay__who_comes_while_it_lasts_stands_in_line),
        TEST(test_delay__who_leaves_by_itself_leaves_none),
        TEST(test_delay__is_ended_only_by_the_present_leader_and_by_its_name),
        TEST(test_delay__of_several_who_shared_the_longest_counts),
        TEST(test_delay__are_walked_in_the_order_of_the_tree),
    };
    return run_suite("state shared", cases, sizeof cases / sizeof cases[0], argc, argv);
}
