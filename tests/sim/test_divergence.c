/* test_divergence.c - the members compare their states, and what becomes of one that
 * is wrong. */
#include <string.h>

#include "coordd/state/state.h"
#include "libcoord/base/units.h"
#include "tests/sim/five.h"
#include "tests/sim/limit.h"
#include "tests/support/runner.h"

/* The states are compared each 5 s, and the result comes with the next time. */
enum { COMPARED_MS = 12 * 1000, STOPPED_MS = 20 * 1000, LIMIT = 100000 };

static void flip(struct five *f, uint32_t id)
{
    CU_ASSERT_TRUE(limit_flip(f->members[id - 1].replica));
}

/* Another wrong state than that of flip(). */
static void spoil(struct five *f, uint32_t id)
{
    limit_history(f->members[id - 1].replica, LIMIT);
}

static struct five *five_with_a_node(void)
{
    struct five *f = five_new();

    five_put(f, "one");
    five_run(f, COMPARED_MS);
    return f;
}

/* A member that leads, or one that does not. */
static uint32_t member(const struct five *f, bool leads)
{
    uint32_t leader = five_leader(f);

    return leads ? leader : leader % FIVE + 1;
}

static bool all_alike(const struct five *f)
{
    struct replica_view first = five_view(f, 1);

    for (uint32_t id = 2; id <= FIVE; id++) {
        struct replica_view view = five_view(f, id);

        if (view.applied != first.applied || view.quarantined || view.lost ||
            memcmp(view.state_hash, first.state_hash, sizeof view.state_hash) != 0)
            return false;
    }
    return true;
}

static uint32_t quarantined_count(const struct five *f)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < FIVE; i++)
        count += f->members[i].quarantined_once;
    return count;
}

static uint32_t halted_count(const struct five *f)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < FIVE; i++)
        count += f->members[i].halted != NULL;
    return count;
}

static void test_divergence__equal_states_are_found_equal(void)
{
    struct five *f = five_with_a_node();

    for (uint32_t id = 1; id <= FIVE; id++)
        CU_ASSERT_NOT_EQUAL(five_view(f, id).compared, 0);
    CU_ASSERT_EQUAL(quarantined_count(f), 0);
    CU_ASSERT_TRUE(all_alike(f));
    five_free(f);
}

static void test_divergence__an_idle_cell_compares_nothing(void)
{
    struct five *f = five_with_a_node();
    uint64_t chosen = five_view(f, 1).chosen;

    five_run(f, 5 * COMPARED_MS);
    CU_ASSERT_EQUAL(five_view(f, 1).chosen, chosen);
    five_free(f);
}

static void quarantine_and_heal(bool leader)
{
    struct five *f = five_with_a_node();
    uint32_t wrong = member(f, leader);

    flip(f, wrong);
    five_put(f, "two");
    five_run(f, COMPARED_MS);
    CU_ASSERT_TRUE(f->members[wrong - 1].quarantined_once);
    CU_ASSERT_EQUAL(quarantined_count(f), 1);
    five_put(f, "three");
    five_run(f, COMPARED_MS);
    CU_ASSERT_TRUE(all_alike(f));
    CU_ASSERT_EQUAL(halted_count(f), 0);
    five_free(f);
}

static void test_divergence__a_wrong_follower_is_quarantined_and_healed(void)
{
    quarantine_and_heal(false);
}

static void test_divergence__a_wrong_leader_is_quarantined_and_healed(void)
{
    quarantine_and_heal(true);
}

static void test_divergence__two_that_are_wrong_are_a_minority(void)
{
    struct five *f = five_with_a_node();
    uint32_t leader = five_leader(f);

    flip(f, leader % FIVE + 1);
    spoil(f, leader);
    five_put(f, "two");
    five_run(f, 2 * COMPARED_MS);
    CU_ASSERT_EQUAL(quarantined_count(f), 2);
    CU_ASSERT_TRUE(all_alike(f));
    five_free(f);
}

/* One that cannot be healed, for no state arrives. */
static uint32_t keep_quarantined(struct five *f, bool leader)
{
    uint32_t wrong = member(f, leader);

    f->lost = MESSAGE_TRANSFERRED;
    flip(f, wrong);
    five_put(f, "two");
    five_run(f, COMPARED_MS);
    CU_ASSERT_TRUE(five_view(f, wrong).quarantined);
    return wrong;
}

static void test_divergence__the_quarantined_serve_lead_and_give_nothing(void)
{
    struct five *f = five_with_a_node();
    uint32_t wrong = keep_quarantined(f, true), other = wrong % FIVE + 1;
    struct message ask = {.kind = MESSAGE_TRANSFER, .number = 77, .first_slot = 1};

    CU_ASSERT_STRING_EQUAL(five_view(f, wrong).role, "quarantined");
    CU_ASSERT_EQUAL(five_stale(f, wrong), -1);
    CU_ASSERT_EQUAL(five_stale(f, other), COORD__V1__STATUS__OK);
    five_say(f, other, wrong, &ask);
    five_run(f, 5);
    CU_ASSERT_EQUAL(f->seen.number, 77);
    CU_ASSERT_EQUAL(f->seen.first_slot, 0); /* there is none to send */
    /* With two of the others gone it is needed for a majority: its vote counts. */
    five_down(f, other);
    five_down(f, other % FIVE + 1);
    five_run(f, 3000);
    CU_ASSERT_NOT_EQUAL(five_leader(f), 0);
    CU_ASSERT_NOT_EQUAL(five_leader(f), wrong);
    f->lost = 0;
    five_run(f, COMPARED_MS); /* those that are down are asked in vain */
    CU_ASSERT_FALSE(five_view(f, wrong).quarantined);
    five_free(f);
}

static void test_divergence__a_wrong_state_that_was_saved_is_found_after_a_start(void)
{
    struct five *f = five_with_a_node();
    uint32_t wrong = member(f, false);

    f->lost = MESSAGE_TRANSFERRED;
    flip(f, wrong);
    for (int i = 0; i < 20; i++) /* it saves its state meanwhile */
        five_put(f, "two");
    five_run(f, COMPARED_MS);
    CU_ASSERT_TRUE(five_view(f, wrong).quarantined);
    five_down(f, wrong);
    five_up(f, wrong);
    five_run(f, 1000);
    CU_ASSERT_TRUE(five_view(f, wrong).quarantined);
    f->lost = 0;
    five_run(f, COMPARED_MS);
    CU_ASSERT_TRUE(all_alike(f));
    five_free(f);
}

/* No state arrives. Four others carry the cell, and the one without a state keeps of the
 * log what it may; with two of them gone nothing is chosen once it has all that. */
static void test_divergence__the_quarantined_keep_a_bounded_log(void)
{
    struct five *f = five_with_a_node();
    uint32_t wrong = keep_quarantined(f, false), other = wrong % FIVE + 1;
    struct replica_view view;
    uint64_t applied;

    for (int i = 0; i < 2 * FIVE_UNAPPLIED_MAX; i++)
        five_put(f, "three");
    view = five_view(f, wrong);
    CU_ASSERT_TRUE(view.crowded);
    CU_ASSERT_EQUAL(view.last_slot, view.applied + FIVE_UNAPPLIED_MAX);
    applied = five_view(f, five_leader(f)).applied;
    CU_ASSERT_TRUE(applied > view.last_slot);
    five_down(f, other);
    five_down(f, other % FIVE + 1);
    five_run(f, COMPARED_MS);
    CU_ASSERT_EQUAL(five_leader(f), 0);
    f->lost = 0;
    five_run(f, COMPARED_MS);
    CU_ASSERT_FALSE(five_view(f, wrong).lost);
    CU_ASSERT_NOT_EQUAL(five_leader(f), 0);
    five_put(f, "four");
    CU_ASSERT_TRUE(five_view(f, wrong).applied > applied);
    five_free(f);
}

static void test_divergence__without_a_majority_all_stop(void)
{
    struct five *f = five_with_a_node();

    flip(f, 1);
    flip(f, 2);
    spoil(f, 3);
    five_put(f, "two");
    five_run(f, STOPPED_MS);
    CU_ASSERT_EQUAL(halted_count(f), FIVE);
    for (uint32_t i = 0; i < FIVE; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(f->members[i].text, "no majority of them agrees"));
    five_free(f);
}

static void test_divergence__silence_is_no_disagreement(void)
{
    struct five *f = five_with_a_node();
    uint32_t leader = five_leader(f), wrong = leader % FIVE + 1, silent = wrong % FIVE + 1;

    five_down(f, silent);
    five_down(f, silent % FIVE + 1);
    flip(f, wrong);
    five_put(f, "two");
    five_run(f, 2 * COMPARED_MS);
    CU_ASSERT_EQUAL(halted_count(f), 0);
    CU_ASSERT_EQUAL(quarantined_count(f), 0);
    CU_ASSERT_TRUE(f->members[leader - 1].warnings > 0);
    five_up(f, silent);
    five_run(f, 2 * COMPARED_MS);
    CU_ASSERT_TRUE(f->members[wrong - 1].quarantined_once);
    CU_ASSERT_EQUAL(quarantined_count(f), 1);
    five_free(f);
}

static bool same_state(const struct five *f, uint32_t id, uint32_t other)
{
    struct replica_view a = five_view(f, id), b = five_view(f, other);

    return memcmp(a.state_hash, b.state_hash, sizeof a.state_hash) == 0;
}

/* Two were away and have got the state of the leader, which is wrong: three of five have
 * it, but it is the opinion of one. */
static void test_divergence__copies_of_a_state_make_no_majority(void)
{
    struct five *f = five_with_a_node();
    uint32_t wrong = five_leader(f), away[] = {wrong % FIVE + 1, (wrong + 1) % FIVE + 1};
    uint32_t right = (wrong + 2) % FIVE + 1;

    for (int i = 0; i < 2; i++)
        five_down(f, away[i]);
    flip(f, wrong);
    for (int i = 0; i < 40; i++) /* it is saved, and the logs are cut */
        five_put(f, "two");
    for (int i = 0; i < 2; i++)
        five_up(f, away[i]);
    five_put(f, "three");
    five_run(f, 2 * COMPARED_MS);
    for (int i = 0; i < 2; i++)
        CU_ASSERT_TRUE(same_state(f, away[i], wrong));
    CU_ASSERT_FALSE(same_state(f, right, wrong));
    CU_ASSERT_EQUAL(quarantined_count(f), 0);
    CU_ASSERT_EQUAL(halted_count(f), 0);
    CU_ASSERT_TRUE(f->members[right - 1].warnings > 0);
    five_free(f);
}

/* What is seen to be the majority's counts from then on. */
static void test_divergence__a_copy_counts_once_it_was_compared(void)
{
    struct five *f = five_with_a_node();
    uint32_t leader = five_leader(f), away = leader % FIVE + 1, wrong = away % FIVE + 1;

    five_down(f, away);
    for (int i = 0; i < 40; i++)
        five_put(f, "two");
    five_up(f, away);
    five_put(f, "three");
    five_run(f, 2 * COMPARED_MS);
    CU_ASSERT_TRUE(five_view(f, away).compared > 40);
    five_down(f, wrong % FIVE + 1);
    flip(f, wrong);
    five_put(f, "four");
    five_run(f, 2 * COMPARED_MS); /* without its word nobody would be a majority */
    CU_ASSERT_TRUE(f->members[wrong - 1].quarantined_once);
    CU_ASSERT_EQUAL(quarantined_count(f), 1);
    five_free(f);
}

static void test_divergence__who_is_wrong_again_stops(void)
{
    struct five *f = five_with_a_node();
    uint32_t wrong = member(f, false);

    for (int i = 0; i < 2; i++) {
        flip(f, wrong);
        five_put(f, "two");
        five_run(f, COMPARED_MS);
    }
    five_run(f, STOPPED_MS);
    CU_ASSERT_EQUAL(halted_count(f), 1);
    CU_ASSERT_PTR_NOT_NULL(f->members[wrong - 1].halted);
    five_put(f, "three");
    CU_ASSERT_NOT_EQUAL(five_leader(f), 0);
    five_free(f);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_divergence__equal_states_are_found_equal),
        TEST(test_divergence__an_idle_cell_compares_nothing),
        TEST(test_divergence__a_wrong_follower_is_quarantined_and_healed),
        TEST(test_divergence__a_wrong_leader_is_quarantined_and_healed),
        TEST(test_divergence__two_that_are_wrong_are_a_minority),
        TEST(test_divergence__the_quarantined_serve_lead_and_give_nothing),
        TEST(test_divergence__the_quarantined_keep_a_bounded_log),
        TEST(test_divergence__a_wrong_state_that_was_saved_is_found_after_a_start),
        TEST(test_divergence__without_a_majority_all_stop),
        TEST(test_divergence__silence_is_no_disagreement),
        TEST(test_divergence__copies_of_a_state_make_no_majority),
        TEST(test_divergence__a_copy_counts_once_it_was_compared),
        TEST(test_divergence__who_is_wrong_again_stops),
    };
    return run_suite("divergence", cases, sizeof cases / sizeof cases[0], argc, argv);
}
