/* test_acceptor.c - what may be said before what is durable. */
#include "coordd/paxos/acceptor.h"
#include "tests/support/runner.h"

#include <CUnit/CUnit.h>

static struct acceptor a;
static struct paxos_effects out;

static void begin(void)
{
    acceptor_init(&a, 0, 0);
    paxos_effects_init(&out);
    acceptor_begin(&a);
}

static void end(void)
{
    acceptor_release(&a);
    paxos_effects_release(&out);
}

static void accept_in_step(uint64_t slot, const char *text)
{
    struct blob *value = blob_copy(slice_of_string(text));

    acceptor_begin(&a);
    acceptor_accept(&a, slot, ENTRY_BATCH, value, &out);
    blob_unref(value);
}

static void test_acceptor__a_promise_is_said_only_when_durable(void)
{
    begin();
    acceptor_promise(&a, 10, &out);
    CU_ASSERT_FALSE(acceptor_promise_durable(&a));
    CU_ASSERT_EQUAL(out.persists_count, 1);
    CU_ASSERT_EQUAL(out.persists[0].ballot, 10);
    acceptor_persisted(&a, out.persists[0].sequence);
    CU_ASSERT_TRUE(acceptor_promise_durable(&a));
    end();
}

static void test_acceptor__held_says_no_more_than_the_first_pending_slot(void)
{
    begin();
    acceptor_promise(&a, 10, &out);
    accept_in_step(1, "one");
    accept_in_step(2, "two");
    CU_ASSERT_EQUAL(a.held, 2);
    CU_ASSERT_EQUAL(acceptor_held_durable(&a), 0);
    acceptor_persisted(&a, 2); /* the promise was 1 */
    CU_ASSERT_EQUAL(acceptor_held_durable(&a), 1);
    acceptor_persisted(&a, 3);
    CU_ASSERT_EQUAL(acceptor_held_durable(&a), 2);
    end();
}

/* What a step hands out becomes durable together, so it has one sequence. */
static void test_acceptor__a_step_has_one_sequence(void)
{
    struct blob *value = blob_copy(slice_of_string("x"));

    begin();
    acceptor_promise(&a, 10, &out);
    acceptor_accept(&a, 1, ENTRY_BATCH, value, &out);
    CU_ASSERT_EQUAL(out.persists_count, 2);
    CU_ASSERT_EQUAL(out.persists[0].sequence, out.persists[1].sequence);
    blob_unref(value);
    end();
}

/* A cumulative acknowledgement must not cover rows of an older ballot. */
static void test_acceptor__held_starts_anew_with_a_higher_ballot(void)
{
    begin();
    acceptor_promise(&a, 10, &out);
    accept_in_step(1, "one");
    accept_in_step(2, "two");
    acceptor_chosen(&a, 1);
    acceptor_persisted(&a, 9);
    acceptor_promise(&a, 20, &out);
    CU_ASSERT_EQUAL(a.held, 1);
    accept_in_step(2, "other");
    CU_ASSERT_EQUAL(a.held, 2);
    CU_ASSERT_EQUAL(log_get(&a.log, 2)->ballot, 20);
    CU_ASSERT_EQUAL(acceptor_held_durable(&a), 1);
    end();
}

static void test_acceptor__a_row_says_what_was_chosen_when_it_was_written(void)
{
    begin();
    acceptor_promise(&a, 10, &out);
    accept_in_step(1, "one");
    acceptor_chosen(&a, 1);
    accept_in_step(2, "two");
    CU_ASSERT_EQUAL(out.persists[2].entry.chosen, 1);
    end();
}

static void test_acceptor__a_learned_value_replaces_another_of_its_slot(void)
{
    struct log_entry learned = {.slot = 1, .ballot = 15, .kind = ENTRY_BATCH};

    begin();
    acceptor_promise(&a, 10, &out);
    accept_in_step(1, "mine");
    acceptor_promise(&a, 20, &out);
    learned.value = blob_copy(slice_of_string("chosen"));
    acceptor_learn(&a, &learned, &out);
    CU_ASSERT_EQUAL(a.chosen, 1);
    CU_ASSERT_EQUAL(log_get(&a.log, 1)->value->length, 6);
    CU_ASSERT_EQUAL(acceptor_held_durable(&a), 0); /* its own copy is not durable yet */
    blob_unref(learned.value);
    end();
}

static void test_acceptor__what_found_no_space_is_handed_out_again(void)
{
    uint64_t first;

    begin();
    acceptor_promise(&a, 10, &out);
    acceptor_persisted(&a, 1);
    accept_in_step(1, "one");
    accept_in_step(2, "two");
    first = a.sequence - 1;
    acceptor_full(&a, first);
    CU_ASSERT_TRUE(a.full);
    CU_ASSERT_EQUAL(acceptor_held_durable(&a), 0);
    paxos_effects_clear(&out);
    acceptor_begin(&a);
    acceptor_retry(&a, &out);
    CU_ASSERT_EQUAL(out.persists_count, 2);
    CU_ASSERT_TRUE(out.persists[0].sequence > first + 1);
    CU_ASSERT_EQUAL(acceptor_held_durable(&a), 0);
    acceptor_persisted(&a, out.persists[0].sequence);
    CU_ASSERT_EQUAL(acceptor_held_durable(&a), 2);
    end();
}

static void test_acceptor__no_promise_while_a_lease_or_the_restart_wait_is_on(void)
{
    begin();
    a.grant_until_ns = 100;
    a.wait_until_ns = 50;
    CU_ASSERT_FALSE(acceptor_free(&a, 99));
    CU_ASSERT_TRUE(acceptor_free(&a, 100));
    a.wait_until_ns = 150;
    CU_ASSERT_FALSE(acceptor_free(&a, 149));
    CU_ASSERT_TRUE(acceptor_free(&a, 150));
    end();
}

static void choose(uint64_t through)
{
    for (uint64_t slot = 1; slot <= through; slot++)
        accept_in_step(slot, "value");
    acceptor_chosen(&a, through);
    paxos_effects_clear(&out);
}

static void test_acceptor__a_cut_is_handed_out_once_and_rises_only(void)
{
    begin();
    acceptor_promise(&a, 10, &out);
    choose(5);
    acceptor_begin(&a);
    acceptor_cut(&a, 3, &out);
    acceptor_cut(&a, 3, &out);
    acceptor_cut(&a, 2, &out);
    CU_ASSERT_EQUAL_FATAL(out.persists_count, 1);
    CU_ASSERT_EQUAL(out.persists[0].kind, PAXOS_PERSIST_FLOOR);
    CU_ASSERT_EQUAL(out.persists[0].floor, 3);
    CU_ASSERT_EQUAL(a.floor, 3);
    end();
}

static void
test_acceptor__a_state_taken_over_keeps_the_promise_and_what_was_accepted_behind_it(void)
{
    begin();
    acceptor_promise(&a, 10, &out);
    choose(2);
    accept_in_step(3, "three");
    accept_in_step(4, "four");
    acceptor_begin(&a);
    acceptor_install(&a, 3, &out);
    CU_ASSERT_EQUAL(a.promised, 10);
    CU_ASSERT_EQUAL(a.chosen, 3);
    CU_ASSERT_EQUAL(a.held, 4);
    CU_ASSERT_PTR_NULL(log_get(&a.log, 3));
    CU_ASSERT_PTR_NOT_NULL(log_get(&a.log, 4));
    end();
}

static void test_acceptor__a_state_from_far_ahead_restarts_the_log_behind_it(void)
{
    begin();
    acceptor_promise(&a, 10, &out);
    choose(2);
    acceptor_begin(&a);
    acceptor_install(&a, 100, &out);
    CU_ASSERT_EQUAL_FATAL(out.persists_count, 1);
    CU_ASSERT_EQUAL(out.persists[0].floor, 100);
    CU_ASSERT_EQUAL(a.held, 100);
    accept_in_step(101, "next");
    CU_ASSERT_EQUAL(a.held, 101);
    CU_ASSERT_EQUAL(out.persists[1].entry.slot, 101);
    end();
}

/* What found no space is handed out again in an order in which each row joins on. */
static void test_acceptor__handed_out_again_the_floor_comes_before_the_rows_behind_it(void)
{
    begin();
    acceptor_promise(&a, 10, &out);
    choose(2);
    acceptor_persisted(&a, a.sequence);
    acceptor_begin(&a);
    acceptor_install(&a, 100, &out);
    accept_in_step(101, "next");
    acceptor_full(&a, a.sequence - 1);
    paxos_effects_clear(&out);
    acceptor_begin(&a);
    acceptor_chosen(&a, 101);
    acceptor_cut(&a, 101, &out); /* not while what was handed out is not written */
    CU_ASSERT_EQUAL(out.persists_count, 0);
    acceptor_retry(&a, &out);
    CU_ASSERT_EQUAL_FATAL(out.persists_count, 2);
    CU_ASSERT_EQUAL(out.persists[0].kind, PAXOS_PERSIST_FLOOR);
    CU_ASSERT_EQUAL(out.persists[1].entry.slot, 101);
    end();
}

static const struct test_case cases[] = {
    TEST(test_acceptor__a_cut_is_handed_out_once_and_rises_only),
    TEST(test_acceptor__a_state_taken_over_keeps_the_promise_and_what_was_accepted_behind_it),
    TEST(test_acceptor__a_state_from_far_ahead_restarts_the_log_behind_it),
    TEST(test_acceptor__handed_out_again_the_floor_comes_before_the_rows_behind_it),
    TEST(test_acceptor__a_promise_is_said_only_when_durable),
    TEST(test_acceptor__held_says_no_more_than_the_first_pending_slot),
    TEST(test_acceptor__a_step_has_one_sequence),
    TEST(test_acceptor__held_starts_anew_with_a_higher_ballot),
    TEST(test_acceptor__a_row_says_what_was_chosen_when_it_was_written),
    TEST(test_acceptor__a_learned_value_replaces_another_of_its_slot),
    TEST(test_acceptor__what_found_no_space_is_handed_out_again),
    TEST(test_acceptor__no_promise_while_a_lease_or_the_restart_wait_is_on),
};

int main(int argc, char **argv)
{
    return run_suite("acceptor", cases, sizeof cases / sizeof *cases, argc, argv);
}
