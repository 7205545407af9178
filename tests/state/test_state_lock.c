/* test_state_lock.c - acquire, release, cancel, sequencers, delete under a lock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/state/lab.h"
#include "tests/support/runner.h"

/* Sessions 1, 2, 3 and a node /l. */
static void set_up(struct lab *l)
{
    lab_init(l);
    for (uint64_t i = 1; i <= 3; i++)
        CU_ASSERT_EQUAL_FATAL(lab_open(l, i), i);
    CU_ASSERT_EQUAL_FATAL(lab_create(l, 0, "/l", ""), ERR_OK);
}

static void test_lock__a_free_lock_is_granted_with_a_sequencer(void)
{
    struct lab l;
    char events[128];
    set_up(&l);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 5, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(l.answer->granted->instance, 2);
    CU_ASSERT_EQUAL(l.answer->granted->generation, 3);
    CU_ASSERT_EQUAL(l.answer->granted->mode, COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE);
    CU_ASSERT_STRING_EQUAL(l.answer->granted->path, "/l");
    CU_ASSERT_EQUAL(memcmp(l.answer->granted->cell.data, lab_cell, sizeof lab_cell), 0);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "held /l");
    Coord__V1__Stat *stat = lab_stat(&l, "/l");
    CU_ASSERT_EQUAL(stat->lock_generation, 3);
    CU_ASSERT_EQUAL(stat->content_generation, 2);
    CU_ASSERT_EQUAL(stat->lock_mode, COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE);
    CU_ASSERT_EQUAL(stat->lock_holders_count, 1);
    coord__v1__stat__free_unpacked(stat, NULL);
    lab_release(&l);
}

static void test_lock__the_line_is_served_in_order_without_ever_being_free(void)
{
    struct lab l;
    char events[128];
    set_up(&l);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 1, "/l"), ERR_OK);
    uint64_t generation = l.answer->granted->generation;
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 1, "/l"), LAB_WAITS);
    uint64_t second = l.seq[2];
    CU_ASSERT_EQUAL(lab_acquire(&l, 3, 1, "/l"), LAB_WAITS);
    uint64_t third = l.seq[3];
    CU_ASSERT_EQUAL(state_revision(l.state), generation); /* joining a line is no change */

    CU_ASSERT_EQUAL(lab_release_lock(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(state_revision(l.state), generation + 1);
    CU_ASSERT_EQUAL(l.out.answers_count, 2);
    CU_ASSERT_EQUAL(lab_answered(&l, 2, second), ERR_OK);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "held /l");
    CU_ASSERT_EQUAL(lab_release_lock(&l, 2, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_answered(&l, 3, third), ERR_OK);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 3, 1, "/l"), ERR_OK);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "free /l");
    CU_ASSERT_EQUAL(state_revision(l.state), generation + 3);
    lab_release(&l);
}

static void test_lock__try_does_not_wait(void)
{
    struct lab l;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_try(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_try(&l, 2, 1, "/l"), ERR_LOCK_HELD);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_try(&l, 2, 1, "/l"), ERR_OK);
    lab_release(&l);
}

static void test_lock__one_handle_claims_once(void)
{
    struct lab l;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/m", ""), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 1, "/l"), ERR_INVALID);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 1, "/m"), ERR_INVALID);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 2, "/l"), LAB_WAITS); /* another handle waits */
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 2, "/l"), ERR_INVALID);
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 1, "/m"), ERR_OK); /* handles are the session's own */
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 0, "/m"), ERR_INVALID);
    lab_release(&l);
}

static void test_lock__release_is_idempotent(void)
{
    struct lab l;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 1, 1, "/l"), ERR_NOT_HELD);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 2, 1, "/l"), ERR_NOT_HELD); /* it waits */
    CU_ASSERT_EQUAL(lab_release_lock(&l, 1, 2, "/l"), ERR_NOT_HELD); /* another handle */
    CU_ASSERT_EQUAL(lab_release_lock(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 1, 1, "/l"), ERR_NOT_HELD);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 1, 1, "/none"), ERR_NOT_HELD);
    lab_release(&l);
}

static void test_lock__a_handle_is_bound_to_its_instance(void)
{
    struct lab l;
    set_up(&l);
    Coord__V1__Acquire acquire = COORD__V1__ACQUIRE__INIT;
    Coord__V1__Release release = COORD__V1__RELEASE__INIT;
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    acquire.path = release.path = (char *)"/l";
    acquire.handle = release.handle = 1;
    acquire.mode = COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE;
    acquire.instance = release.instance = 1; /* it is 2 */
    c.session = c.seq = 1;
    c.op_case = COORD__V1__COMMAND__OP_ACQUIRE;
    c.acquire = &acquire;
    CU_ASSERT_EQUAL(lab_run(&l, &c), ERR_INSTANCE_GONE);
    c.seq = 2;
    acquire.path = (char *)"/none";
    CU_ASSERT_EQUAL(lab_run(&l, &c), ERR_INSTANCE_GONE);
    c.seq = 3;
    acquire.instance = 0;
    CU_ASSERT_EQUAL(lab_run(&l, &c), ERR_NO_NODE);
    c.seq = 4;
    acquire.path = (char *)"/l";
    acquire.instance = 2;
    CU_ASSERT_EQUAL(lab_run(&l, &c), ERR_OK);
    c.seq = 5;
    c.op_case = COORD__V1__COMMAND__OP_RELEASE;
    c.release = &release;
    CU_ASSERT_EQUAL(lab_run(&l, &c), ERR_INSTANCE_GONE);
    lab_release(&l);
}

static void test_lock__an_election_sets_the_content_in_the_entry_that_grants(void)
{
    struct lab l;
    char events[128];
    set_up(&l);
    CU_ASSERT_EQUAL(lab_campaign(&l, 1, 1, "/l", "one"), ERR_OK);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "content /l, held /l");
    Coord__V1__Stat *stat = lab_stat(&l, "/l");
    CU_ASSERT_EQUAL(stat->content_generation, stat->lock_generation);
    coord__v1__stat__free_unpacked(stat, NULL);
    CU_ASSERT_EQUAL(lab_campaign(&l, 2, 1, "/l", ""), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_campaign(&l, 3, 1, "/l", "three"), LAB_WAITS);
    char *content = lab_content(&l, "/l");
    CU_ASSERT_STRING_EQUAL(content, "one");
    free(content);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 1, 1, "/l"), ERR_OK);
    content = lab_content(&l, "/l");
    CU_ASSERT_STRING_EQUAL(content, ""); /* set to nothing, not left alone */
    free(content);
    CU_ASSERT_EQUAL(lab_end(&l, 2), ERR_OK);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "content /l, held /l");
    content = lab_content(&l, "/l");
    CU_ASSERT_STRING_EQUAL(content, "three");
    free(content);
    lab_release(&l);
}

static void test_lock__who_resigns_may_clear_the_content(void)
{
    struct lab l;
    char events[128];
    set_up(&l);
    CU_ASSERT_EQUAL(lab_campaign(&l, 1, 1, "/l", "one"), ERR_OK);
    Coord__V1__Release release = COORD__V1__RELEASE__INIT;
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    release.path = (char *)"/l";
    release.handle = 1;
    release.clear_content = true;
    c.session = 1;
    c.seq = ++l.seq[1];
    c.op_case = COORD__V1__COMMAND__OP_RELEASE;
    c.release = &release;
    CU_ASSERT_EQUAL(lab_run(&l, &c), ERR_OK);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "content /l, free /l");
    char *content = lab_content(&l, "/l");
    CU_ASSERT_STRING_EQUAL(content, "");
    free(content);
    lab_release(&l);
}

static void test_lock__a_cancel_leaves_the_line_and_answers_the_acquire(void)
{
    struct lab l;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 1, "/l"), LAB_WAITS);
    uint64_t given_up = l.seq[2];
    CU_ASSERT_EQUAL(lab_acquire(&l, 3, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_cancel(&l, 2, given_up), ERR_OK);
    CU_ASSERT_EQUAL(lab_answered(&l, 2, given_up), ERR_CANCELLED);
    struct slice kept;
    CU_ASSERT_EQUAL(state_session_seq(l.state, 2, given_up, &kept), STATE_SEQ_ANSWERED);
    CU_ASSERT_EQUAL(lab_cancel(&l, 2, given_up), ERR_OK); /* again: nothing to do */
    CU_ASSERT_EQUAL(l.out.answers_count, 1);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_answered(&l, 3, l.seq[3]), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 1, "/l"), LAB_WAITS); /* the handle is free again */
    lab_release(&l);
}

static void test_lock__a_cancel_that_crosses_the_grant_releases(void)
{
    struct lab l;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 1, "/l"), ERR_OK);
    uint64_t granted = l.seq[1];
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_cancel(&l, 1, granted), ERR_OK);
    CU_ASSERT_EQUAL(lab_answered(&l, 2, l.seq[2]), ERR_OK);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 1, 1, "/l"), ERR_NOT_HELD);
    /* Held anew by the same handle: not what the cancel names. */
    CU_ASSERT_EQUAL(lab_release_lock(&l, 2, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_cancel(&l, 1, granted), ERR_OK);
    CU_ASSERT_EQUAL(lab_try(&l, 2, 1, "/l"), ERR_LOCK_HELD);
    lab_release(&l);
}

/* The acquire was lost on the way, its cancel was not; the acquire comes late. */
static void test_lock__an_acquire_cancelled_before_it_came_is_never_applied(void)
{
    struct lab l;
    set_up(&l);
    l.seq[1] = 1; /* seq 1 is still on its way */
    CU_ASSERT_EQUAL(lab_cancel(&l, 1, 1), ERR_OK);
    l.seq[1] = 0;
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 1, "/l"), ERR_MAYBE_APPLIED);
    CU_ASSERT_EQUAL(lab_try(&l, 2, 1, "/l"), ERR_OK);
    l.seq[1] = 2;
    CU_ASSERT_EQUAL(lab_cancel(&l, 1, 3), ERR_INVALID); /* its own seq */
    CU_ASSERT_EQUAL(lab_cancel(&l, 1, 9), ERR_INVALID); /* one to come */
    CU_ASSERT_EQUAL(lab_cancel(&l, 1, 0), ERR_INVALID);
    lab_release(&l);
}

static void test_lock__a_waiting_acquire_asked_again_stays_where_it_is(void)
{
    struct lab l;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_acquire(&l, 3, 1, "/l"), LAB_WAITS);
    l.seq[2]--;
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(l.out.answers_count, 0);
    struct slice kept;
    CU_ASSERT_EQUAL(state_session_seq(l.state, 2, l.seq[2], &kept), STATE_SEQ_WAITING);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_answered(&l, 2, l.seq[2]), ERR_OK);
    l.seq[2]--;
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 1, "/l"), ERR_OK); /* the grant, as it was kept */
    Coord__V1__Stat *stat = lab_stat(&l, "/l");
    CU_ASSERT_EQUAL(stat->lock_generation, l.answer->granted->generation);
    CU_ASSERT_EQUAL(stat->lock_waiters_count, 1);
    coord__v1__stat__free_unpacked(stat, NULL);
    lab_release(&l);
}

static void test_lock__a_sequencer_is_valid_exactly_while_it_is_held(void)
{
    struct lab l;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/data", ""), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 1, "/l"), ERR_OK);
    char *first = lab_sequencer(&l);
    CU_ASSERT_EQUAL(lab_check(&l, first), ERR_OK);
    CU_ASSERT_EQUAL(lab_put_if(&l, 0, "/data", "x", 0, 0, first), ERR_OK);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_check(&l, first), ERR_STALE_SEQUENCER);
    CU_ASSERT_EQUAL(lab_put_if(&l, 0, "/data", "y", 0, 0, first), ERR_STALE_SEQUENCER);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 1, "/l"), ERR_OK);
    char *second = lab_sequencer(&l);
    CU_ASSERT_EQUAL(lab_check(&l, first), ERR_STALE_SEQUENCER);
    CU_ASSERT_EQUAL(lab_check(&l, second), ERR_OK);
    CU_ASSERT_EQUAL(lab_expire(&l, 1, 1), ERR_OK);
    CU_ASSERT_EQUAL(lab_check(&l, second), ERR_STALE_SEQUENCER);
    CU_ASSERT_EQUAL(lab_put_if(&l, 0, "/data", "y", 0, 0, "nonsense"), ERR_INVALID);
    free(first);
    free(second);
    lab_release(&l);
}

static void test_lock__a_locked_node_is_deleted_by_its_sole_holder_only(void)
{
    struct lab l;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 7, "/l"), ERR_OK);
    char *sequencer = lab_sequencer(&l);
    CU_ASSERT_EQUAL(lab_delete(&l, 0, "/l"), ERR_LOCK_HELD);
    CU_ASSERT_EQUAL(lab_delete_as(&l, 0, "/l", 7), ERR_LOCK_HELD);
    CU_ASSERT_EQUAL(lab_delete_as(&l, 2, "/l", 7), ERR_LOCK_HELD); /* another's handle 7 */
    CU_ASSERT_EQUAL(lab_delete_as(&l, 1, "/l", 8), ERR_LOCK_HELD);
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_delete_as(&l, 1, "/l", 7), ERR_LOCK_HELD); /* somebody waits */
    CU_ASSERT_EQUAL(lab_cancel(&l, 2, l.seq[2]), ERR_OK);
    CU_ASSERT_EQUAL(lab_delete_as(&l, 1, "/l", 7), ERR_OK);
    CU_ASSERT_EQUAL(lab_check(&l, sequencer), ERR_STALE_SEQUENCER);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/l", ""), ERR_OK);
    CU_ASSERT_EQUAL(lab_check(&l, sequencer), ERR_STALE_SEQUENCER);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 7, "/l"), ERR_OK); /* the handle is free again */
    free(sequencer);
    lab_release(&l);
}

static void test_lock__only_its_own_session_locks_an_ephemeral_node(void)
{
    struct lab l;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_create_ephemeral(&l, 1, "/e"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 1, "/e"), ERR_EPHEMERAL);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 1, "/e"), ERR_OK);
    lab_release(&l);
}

static void test_lock__the_terms_of_an_acquire_are_looked_at(void)
{
    struct lab l;
    set_up(&l);
    Coord__V1__LockMode exclusive = COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE;
    CU_ASSERT_EQUAL(lab_acquire_as(&l, 1, 9, "/l", exclusive, true, 60001), ERR_INVALID);
    CU_ASSERT_EQUAL(lab_acquire_as(&l, 1, 9, "/l", COORD__V1__LOCK_MODE__LOCK_NONE, true, 0),
                    ERR_INVALID);
    CU_ASSERT_EQUAL(lab_acquire_as(&l, 1, 9, "/l", (Coord__V1__LockMode)77, true, 0), ERR_INVALID);
    CU_ASSERT_EQUAL(lab_acquire_as(&l, 1, 9, "/l", exclusive, true, 60000), ERR_OK);
    lab_release(&l);
}

static void test_lock__a_session_holds_and_waits_for_a_bounded_number(void)
{
    struct lab l;
    char path[32];
    set_up(&l);
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 100000, "/l"), LAB_WAITS);
    for (uint64_t i = 1; i < LIMIT_SESSION_LOCKS; i++) {
        snprintf(path, sizeof path, "/n%d", (int)i);
        CU_ASSERT_EQUAL(lab_create(&l, 0, path, ""), ERR_OK);
        CU_ASSERT_EQUAL(lab_acquire(&l, 1, i, path), ERR_OK);
    }
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/more", ""), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 5000, "/more"), ERR_QUOTA);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 5000, "/l"), ERR_QUOTA);
    /* The grant that was waited for has its place. */
    CU_ASSERT_EQUAL(lab_release_lock(&l, 2, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(l.out.answers_count, 2);
    CU_ASSERT_EQUAL(lab_expire(&l, 1, 1), ERR_OK);
    CU_ASSERT_EQUAL(l.out.events_count, LIMIT_SESSION_LOCKS);
    lab_release(&l);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_lock__a_free_lock_is_granted_with_a_sequencer),
        TEST(test_lock__the_line_is_served_in_order_without_ever_being_free),
        TEST(test_lock__try_does_not_wait),
        TEST(test_lock__one_handle_claims_once),
        TEST(test_lock__release_is_idempotent),
        TEST(test_lock__a_handle_is_bound_to_its_instance),
        TEST(test_lock__an_election_sets_the_content_in_the_entry_that_grants),
        TEST(test_lock__who_resigns_may_clear_the_content),
        TEST(test_lock__a_cancel_leaves_the_line_and_answers_the_acquire),
        TEST(test_lock__a_cancel_that_crosses_the_grant_releases),
        TEST(test_lock__an_acquire_cancelled_before_it_came_is_never_applied),
        TEST(test_lock__a_waiting_acquire_asked_again_stays_where_it_is),
        TEST(test_lock__a_sequencer_is_valid_exactly_while_it_is_held),
        TEST(test_lock__a_locked_node_is_deleted_by_its_sole_holder_only),
        TEST(test_lock__only_its_own_session_locks_an_ephemeral_node),
        TEST(test_lock__the_terms_of_an_acquire_are_looked_at),
        TEST(test_lock__a_session_holds_and_waits_for_a_bounded_number),
    };
    return run_suite("state lock", cases, sizeof cases / sizeof cases[0], argc, argv);
}
