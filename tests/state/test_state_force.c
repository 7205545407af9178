/* test_state_force.c - locks taken by force, sessions killed, leases handed over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/state/lab.h"
#include "tests/support/runner.h"

/* Sessions 1 to 4 and a node /l. */
static void set_up(struct lab *l)
{
    lab_init(l);
    for (uint64_t i = 1; i <= 4; i++)
        CU_ASSERT_EQUAL_FATAL(lab_open(l, i), i);
    CU_ASSERT_EQUAL_FATAL(lab_create(l, 0, "/l", ""), ERR_OK);
}

static void test_force__a_lock_passes_on_when_its_holder_has_let_go(void)
{
    struct lab l;
    struct state_revoked revoked;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 7, "/l"), ERR_OK);
    uint64_t generation = l.answer->granted->generation;
    char *sequencer = lab_sequencer(&l);
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 1, "/l"), LAB_WAITS);
    uint64_t revision = state_revision(l.state);
    CU_ASSERT_EQUAL(lab_force(&l, 0, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_notes(&l, 1, STATE_SESSION_REVOKED), 1);
    CU_ASSERT_EQUAL(state_revision(l.state), revision); /* nobody lost or got anything */
    CU_ASSERT_EQUAL(state_session_hold(l.state, 1), STATE_HOLD_REVOKED);
    CU_ASSERT_EQUAL(state_session_hold(l.state, 2), STATE_HOLD_NONE);
    CU_ASSERT_EQUAL(lab_check(&l, sequencer), ERR_OK);
    CU_ASSERT_TRUE_FATAL(state_revoked_next(l.state, 1, 0, &revoked));
    CU_ASSERT_STRING_EQUAL((const char *)revoked.path.data, "/l");
    CU_ASSERT_EQUAL(revoked.generation, generation);
    CU_ASSERT_EQUAL(revoked.instance, 2);
    CU_ASSERT_EQUAL(revoked.handle, 7);
    CU_ASSERT_FALSE(state_revoked_next(l.state, 1, 7, &revoked));
    CU_ASSERT_EQUAL(lab_force(&l, 3, "/l"), ERR_OK); /* again: nothing more */
    CU_ASSERT_EQUAL(l.out.sessions_count, 0);
    CU_ASSERT_EQUAL(lab_put(&l, 1, "/l", "still alive"), ERR_OK);
    CU_ASSERT_EQUAL(state_session_hold(l.state, 1), STATE_HOLD_REVOKED);

    CU_ASSERT_EQUAL(lab_release_lock(&l, 1, 7, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_answered(&l, 2, l.seq[2]), ERR_OK);
    CU_ASSERT_EQUAL(lab_notes(&l, 1, STATE_SESSION_RESTORED), 1);
    CU_ASSERT_EQUAL(state_session_hold(l.state, 1), STATE_HOLD_NONE);
    CU_ASSERT_EQUAL(lab_check(&l, sequencer), ERR_STALE_SEQUENCER);
    free(sequencer);
    lab_release(&l);
}

static void test_force__a_holder_that_does_not_answer_loses_it_with_its_session(void)
{
    struct lab l;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_force(&l, 0, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_expire(&l, 1, 1), ERR_OK);
    CU_ASSERT_EQUAL(lab_answered(&l, 2, l.seq[2]), ERR_OK);
    CU_ASSERT_EQUAL(l.out.sessions_count, 1); /* expired, not restored */
    CU_ASSERT_EQUAL(state_session_hold(l.state, 1), STATE_HOLD_NONE);
    lab_release(&l);
}

static void test_force__all_who_share_are_asked_and_all_must_let_go(void)
{
    struct lab l;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/m", ""), ERR_OK);
    CU_ASSERT_EQUAL(lab_share(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_share(&l, 1, 2, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_share(&l, 2, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 3, "/m"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 3, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_force(&l, 0, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_notes(&l, 1, STATE_SESSION_REVOKED), 2); /* for each of its claims */
    CU_ASSERT_EQUAL(lab_notes(&l, 2, STATE_SESSION_REVOKED), 1);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(state_session_hold(l.state, 1), STATE_HOLD_REVOKED);
    CU_ASSERT_EQUAL(lab_force(&l, 0, "/m"), ERR_OK); /* another lock of the same session */
    CU_ASSERT_EQUAL(lab_notes(&l, 1, STATE_SESSION_REVOKED), 1);
    CU_ASSERT_EQUAL(lab_cancel(&l, 1, 2), ERR_OK); /* lets go of the second */
    CU_ASSERT_EQUAL(lab_notes(&l, 1, STATE_SESSION_RESTORED), 0);
    CU_ASSERT_EQUAL(lab_delete_as(&l, 1, "/m", 3), ERR_OK);
    CU_ASSERT_EQUAL(lab_notes(&l, 1, STATE_SESSION_RESTORED), 1);
    CU_ASSERT_EQUAL(lab_answered(&l, 3, l.seq[3]), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 2, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_answered(&l, 3, l.seq[3]), ERR_OK);
    lab_release(&l);
}

static void test_force__says_what_it_cannot_take(void)
{
    struct lab l;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_force(&l, 0, "/none"), ERR_NO_NODE);
    CU_ASSERT_EQUAL(lab_force(&l, 0, "/l"), ERR_NOT_HELD);
    CU_ASSERT_EQUAL(lab_force(&l, 0, "l"), ERR_INVALID);
    CU_ASSERT_EQUAL(lab_acquire_as(&l, 1, 1, "/l", COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE, true, 9),
                    ERR_OK);
    CU_ASSERT_EQUAL(lab_expire(&l, 1, 1), ERR_OK);
    CU_ASSERT_EQUAL(lab_force(&l, 0, "/l"), ERR_NOT_HELD); /* a delay is not cut short */
    CU_ASSERT_EQUAL(lab_end_first_delay(&l, "/l", 9), ERR_OK);
    lab_release(&l);
}

/* A second opening with the same nonce must not be taken for a renewed lease. */
static void test_force__opening_again_tells_that_something_was_taken(void)
{
    struct lab l;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_open(&l, 1), 1);
    CU_ASSERT_FALSE(l.answer->opened->held);
    CU_ASSERT_EQUAL(lab_force(&l, 0, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_open(&l, 1), 1);
    CU_ASSERT_TRUE(l.answer->opened->held);
    CU_ASSERT_EQUAL(lab_kill(&l, 0, 2), ERR_OK);
    CU_ASSERT_EQUAL(lab_open(&l, 2), 2);
    CU_ASSERT_TRUE(l.answer->opened->held);
    lab_release(&l);
}

static void test_kill__a_killed_session_may_only_let_go(void)
{
    struct lab l;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/m", ""), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 2, "/m"), ERR_OK);
    uint64_t acquired = l.seq[1];
    CU_ASSERT_EQUAL(lab_kill(&l, 2, 1), ERR_OK);
    CU_ASSERT_EQUAL(lab_notes(&l, 1, STATE_SESSION_KILLED), 1);
    CU_ASSERT_EQUAL(state_session_hold(l.state, 1), STATE_HOLD_KILLED);
    CU_ASSERT_TRUE(state_session_exists(l.state, 1));
    CU_ASSERT_EQUAL(lab_put(&l, 1, "/l", "x"), ERR_CANCELLED);
    CU_ASSERT_EQUAL(lab_create(&l, 1, "/n", "x"), ERR_CANCELLED);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 3, "/m"), ERR_CANCELLED);
    CU_ASSERT_EQUAL(lab_kill(&l, 1, 2), ERR_CANCELLED);
    CU_ASSERT_EQUAL(lab_try(&l, 2, 1, "/l"), ERR_LOCK_HELD);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_try(&l, 2, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_cancel(&l, 1, acquired), ERR_OK);
    CU_ASSERT_EQUAL(lab_try(&l, 2, 2, "/m"), ERR_OK);
    CU_ASSERT_EQUAL(lab_kill(&l, 2, 1), ERR_OK); /* again: nothing more */
    CU_ASSERT_EQUAL(l.out.sessions_count, 0);
    CU_ASSERT_EQUAL(lab_end(&l, 1), ERR_OK);
    CU_ASSERT_EQUAL(lab_notes(&l, 1, STATE_SESSION_ENDED), 1);
    CU_ASSERT_EQUAL(lab_kill(&l, 2, 1), ERR_NO_NODE);
    CU_ASSERT_EQUAL(lab_kill(&l, 2, 0), ERR_INVALID);
    lab_release(&l);
}

static void test_kill__it_leaves_all_lines_at_once(void)
{
    struct lab l;
    char events[128];
    set_up(&l);
    CU_ASSERT_EQUAL(lab_share(&l, 1, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 1, "/l"), LAB_WAITS);
    uint64_t waiting = l.seq[2];
    CU_ASSERT_EQUAL(lab_share(&l, 3, 1, "/l"), LAB_WAITS);
    uint64_t behind = l.seq[3];
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/other", ""), ERR_OK);
    CU_ASSERT_EQUAL(lab_share(&l, 1, 2, "/other"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 2, 2, "/other"), LAB_WAITS);
    uint64_t waiting_too = l.seq[2];
    CU_ASSERT_EQUAL(lab_share(&l, 3, 2, "/other"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_kill(&l, 0, 2), ERR_OK);
    CU_ASSERT_EQUAL(lab_answered(&l, 2, waiting), LAB_WAITS); /* the note tells */
    CU_ASSERT_EQUAL(lab_answered(&l, 2, waiting_too), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_answered(&l, 3, behind), ERR_OK);
    CU_ASSERT_EQUAL(lab_answered(&l, 3, l.seq[3]), ERR_OK);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "held /l, held /other");
    struct slice kept;
    CU_ASSERT_EQUAL(state_session_seq(l.state, 2, waiting, &kept), STATE_SEQ_REFUSED);
    CU_ASSERT_EQUAL(state_session_seq(l.state, 2, waiting_too, &kept), STATE_SEQ_REFUSED);
    lab_release(&l);
}

/* Its library may agree that it is over; what its application did is another
 * matter, and that is what delays are for. */
static void test_kill__its_locks_wait_out_their_delays(void)
{
    struct lab l;
    set_up(&l);
    Coord__V1__LockMode exclusive = COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE;
    CU_ASSERT_EQUAL(lab_acquire_as(&l, 1, 1, "/l", exclusive, true, 50), ERR_OK);
    CU_ASSERT_EQUAL(lab_kill(&l, 0, 1), ERR_OK);
    CU_ASSERT_EQUAL(lab_end(&l, 1), ERR_OK);
    CU_ASSERT_EQUAL(lab_try(&l, 2, 1, "/l"), ERR_LOCK_HELD);
    CU_ASSERT_EQUAL(lab_end_first_delay(&l, "/l", 50), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire_as(&l, 2, 1, "/l", exclusive, true, 50), ERR_OK);
    CU_ASSERT_EQUAL(lab_kill(&l, 0, 2), ERR_OK);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 2, 1, "/l"), ERR_OK); /* what is released is free */
    CU_ASSERT_EQUAL(lab_try(&l, 3, 1, "/l"), ERR_OK);
    lab_release(&l);
}

static void test_kill__a_session_can_end_itself_so(void)
{
    struct lab l;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_kill(&l, 1, 1), ERR_OK);
    CU_ASSERT_EQUAL(lab_put(&l, 1, "/l", "x"), ERR_CANCELLED);
    CU_ASSERT_EQUAL(lab_expire(&l, 1, 1), ERR_OK);
    CU_ASSERT_EQUAL(lab_notes(&l, 1, STATE_SESSION_EXPIRED), 1);
    lab_release(&l);
}

static void test_force__marks_survive_the_records(void)
{
    struct lab l;
    struct state_revoked revoked;
    set_up(&l);
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 4, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_force(&l, 0, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_kill(&l, 0, 2), ERR_OK);
    struct state *copy = lab_reload(l.state);
    CU_ASSERT_EQUAL(state_session_hold(copy, 1), STATE_HOLD_REVOKED);
    CU_ASSERT_EQUAL(state_session_hold(copy, 2), STATE_HOLD_KILLED);
    CU_ASSERT_TRUE(state_revoked_next(copy, 1, 3, &revoked));
    CU_ASSERT_TRUE(lab_same_hash(l.state, copy));
    state_free(copy);
    lab_release(&l);
}

/* ---- handing over ---- */

static int hand_over(struct lab *l, uint64_t ballot, uint64_t generation)
{
    static const uint64_t sessions[] = {1, 3, 4};
    Coord__V1__LeaseLeft leases[3], *lease_list[3];
    Coord__V1__DelayLeft delay = COORD__V1__DELAY_LEFT__INIT, *delay_list[1] = {&delay};
    Coord__V1__HandOver h = COORD__V1__HAND_OVER__INIT;
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    for (size_t i = 0; i < 3; i++) {
        coord__v1__lease_left__init(&leases[i]);
        leases[i].session = sessions[i];
        leases[i].left_ms = 100 * (uint32_t)sessions[i];
        lease_list[i] = &leases[i];
    }
    delay.path = (char *)"/l";
    delay.instance = 2;
    delay.generation = generation;
    delay.left_ms = 77;
    h.ballot = ballot;
    h.leases = lease_list;
    h.n_leases = 3;
    h.delays = delay_list;
    h.n_delays = 1;
    c.op_case = COORD__V1__COMMAND__OP_HAND_OVER;
    c.hand_over = &h;
    return lab_run(l, &c);
}

static void test_hand_over__counts_for_the_next_leader_alone(void)
{
    struct lab l;
    uint32_t left_ms = 5;
    set_up(&l);
    state_apply_leader_start(l.state, 10);
    CU_ASSERT_FALSE(state_handed_over(l.state));
    CU_ASSERT_EQUAL(hand_over(&l, 10, 9), ERR_OK);
    CU_ASSERT_FALSE(state_handed_over(l.state)); /* nobody has taken over yet */
    CU_ASSERT_FALSE(state_lease_handed_over(l.state, 1, &left_ms));
    state_apply_leader_start(l.state, 12);
    CU_ASSERT_TRUE(state_handed_over(l.state));
    struct state *copy = lab_reload(l.state);
    CU_ASSERT_TRUE(lab_same_hash(l.state, copy));
    for (int i = 0; i < 2; i++) {
        const struct state *s = i == 0 ? l.state : copy;
        CU_ASSERT_TRUE(state_lease_handed_over(s, 1, &left_ms));
        CU_ASSERT_EQUAL(left_ms, 100);
        CU_ASSERT_TRUE(state_lease_handed_over(s, 4, &left_ms));
        CU_ASSERT_EQUAL(left_ms, 400);
        CU_ASSERT_FALSE(state_lease_handed_over(s, 2, &left_ms));
        CU_ASSERT_FALSE(state_lease_handed_over(s, 5, &left_ms));
        CU_ASSERT_TRUE(state_delay_handed_over(s, slice_of_string("/l"), 9, &left_ms));
        CU_ASSERT_EQUAL(left_ms, 77);
        left_ms = 5;
        CU_ASSERT_FALSE(state_delay_handed_over(s, slice_of_string("/l"), 8, &left_ms));
        CU_ASSERT_FALSE(state_delay_handed_over(s, slice_of_string("/k"), 9, &left_ms));
        CU_ASSERT_EQUAL(left_ms, 5);
    }
    state_free(copy);
    CU_ASSERT_EQUAL(lab_put(&l, 0, "/l", "x"), ERR_OK); /* what comes later changes nothing */
    CU_ASSERT_TRUE(state_handed_over(l.state));
    state_apply_leader_start(l.state, 11); /* late: this leader's time is over */
    CU_ASSERT_TRUE(state_handed_over(l.state));
    state_apply_leader_start(l.state, 13);
    CU_ASSERT_FALSE(state_handed_over(l.state));
    lab_release(&l);
}

/* Whatever was ordered after it shows that the leader went on. */
static void test_hand_over__is_void_if_a_batch_comes_in_between(void)
{
    struct lab l;
    set_up(&l);
    state_apply_leader_start(l.state, 10);
    CU_ASSERT_EQUAL(hand_over(&l, 10, 9), ERR_OK);
    struct buffer empty = lab_batch(l.time_ms, NULL, 0);
    state_apply(l.state, buffer_slice(&empty), &l.out);
    buffer_release(&empty);
    CU_ASSERT_PTR_NULL(state_check(l.state));
    state_apply_leader_start(l.state, 11);
    CU_ASSERT_FALSE(state_handed_over(l.state));

    /* Within its own batch it must be the last. */
    Coord__V1__HandOver h = COORD__V1__HAND_OVER__INIT;
    Coord__V1__KillSession kill = COORD__V1__KILL_SESSION__INIT;
    Coord__V1__Command first = COORD__V1__COMMAND__INIT, second = COORD__V1__COMMAND__INIT;
    Coord__V1__Command *list[2] = {&first, &second};
    h.ballot = 11;
    first.op_case = COORD__V1__COMMAND__OP_HAND_OVER;
    first.hand_over = &h;
    kill.session = 4;
    second.op_case = COORD__V1__COMMAND__OP_KILL_SESSION;
    second.kill_session = &kill;
    struct buffer batch = lab_batch(l.time_ms, list, 2);
    state_apply(l.state, buffer_slice(&batch), &l.out);
    buffer_release(&batch);
    state_apply_leader_start(l.state, 12);
    CU_ASSERT_FALSE(state_handed_over(l.state));
    CU_ASSERT_EQUAL(hand_over(&l, 12, 9), ERR_OK);
    CU_ASSERT_EQUAL(hand_over(&l, 12, 9), ERR_OK); /* the second is the last batch */
    state_apply_leader_start(l.state, 13);
    CU_ASSERT_TRUE(state_handed_over(l.state));
    lab_release(&l);
}

static void test_hand_over__of_an_earlier_leader_is_refused(void)
{
    struct lab l;
    set_up(&l);
    state_apply_leader_start(l.state, 10);
    CU_ASSERT_EQUAL(hand_over(&l, 9, 9), ERR_NOT_LEADER);
    state_apply_leader_start(l.state, 11);
    CU_ASSERT_FALSE(state_handed_over(l.state));
    lab_release(&l);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_force__a_lock_passes_on_when_its_holder_has_let_go),
        TEST(test_force__a_holder_that_does_not_answer_loses_it_with_its_session),
        TEST(test_force__all_who_share_are_asked_and_all_must_let_go),
        TEST(test_force__says_what_it_cannot_take),
        TEST(test_force__opening_again_tells_that_something_was_taken),
        TEST(test_kill__a_killed_session_may_only_let_go),
        TEST(test_kill__it_leaves_all_lines_at_once),
        TEST(test_kill__its_locks_wait_out_their_delays),
        TEST(test_kill__a_session_can_end_itself_so),
        TEST(test_force__marks_survive_the_records),
        TEST(test_hand_over__counts_for_the_next_leader_alone),
        TEST(test_hand_over__is_void_if_a_batch_comes_in_between),
        TEST(test_hand_over__of_an_earlier_leader_is_refused),
    };
    return run_suite("state force", cases, sizeof cases / sizeof cases[0], argc, argv);
}
