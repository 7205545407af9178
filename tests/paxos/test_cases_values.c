/* test_cases_values.c - cases of docs/testing.md, "Cases that broke others": what
 * counts as accepted, promised and chosen. */
#include "tests/paxos/cluster.h"
#include "tests/support/runner.h"

#include <CUnit/CUnit.h>

#include "libcoord/base/units.h"

enum { PATIENCE_MS = 5000, SETTLE_MS = 1500, CRASH_STEPS = 12 };

static int leader_of(struct cluster *c)
{
    int leader = cluster_leader(c, PATIENCE_MS);

    CU_ASSERT_TRUE_FATAL(leader >= 0);
    return leader;
}

static void hand_over(struct cluster *c, int from, int to)
{
    struct paxos_event e = {.kind = PAXOS_EVENT_HAND_OVER, .from = (uint32_t)to + 1};

    cluster_run(c, 100);
    cluster_step(c, from, &e);
    CU_ASSERT_EQUAL_FATAL(leader_of(c), to);
}

static bool lose_accepts(struct cluster *c, struct letter *l)
{
    (void)c;
    return l->message.kind == MESSAGE_ACCEPT;
}

static void feed_accepted(struct cluster *c, int leader, uint64_t ballot, uint64_t held)
{
    for (int k = 1; k <= 2; k++) {
        struct message m = {.kind = MESSAGE_ACCEPTED, .ballot = ballot, .held = held};

        cluster_feed(c, (leader + k) % 5, leader, &m);
    }
}

/* Two answers of an earlier reign of the same leader arrive in its next. */
static void test_case_06__answers_of_an_earlier_reign_choose_nothing(void)
{
    struct cluster *c = cluster_new(5);
    int leader = leader_of(c);
    uint64_t earlier = paxos_ballot(c->machines[leader].paxos), slot;

    hand_over(c, leader, (leader + 1) % 5);
    hand_over(c, (leader + 1) % 5, leader);
    cluster_run(c, 100);
    CU_ASSERT_TRUE(paxos_ballot(c->machines[leader].paxos) > earlier);
    c->intercept = lose_accepts;
    CU_ASSERT_TRUE(cluster_propose(c, leader, "create /a"));
    cluster_run(c, 5);
    slot = paxos_last_slot(c->machines[leader].paxos);
    feed_accepted(c, leader, earlier, slot);
    CU_ASSERT_FALSE(cluster_applied(c, leader, "create /a"));
    /* The same of this reign do: it is the ballot that is looked at. */
    feed_accepted(c, leader, paxos_ballot(c->machines[leader].paxos), slot);
    CU_ASSERT_TRUE(cluster_applied(c, leader, "create /a"));
    cluster_free(c);
}

static int watched_from;
static int promises;

static bool count_promises(struct cluster *c, struct letter *l)
{
    (void)c;
    promises += l->from == watched_from && l->message.kind == MESSAGE_PROMISE;
    return false;
}

/* A promise that a crash would take back is not given. */
static void test_case_07__a_promise_that_is_not_durable_is_not_given(void)
{
    struct cluster *c = cluster_new(5);
    int leader = leader_of(c), slow = (leader + 1) % 5;
    uint64_t promised = c->machines[slow].promised;

    cluster_run(c, 100);
    watched_from = slow;
    promises = 0;
    c->intercept = count_promises;
    cluster_disk(c, slow, true);
    cluster_crash(c, leader);
    CU_ASSERT_NOT_EQUAL(leader_of(c), slow);
    cluster_run(c, SETTLE_MS);
    CU_ASSERT_EQUAL(promises, 0);
    CU_ASSERT_TRUE(paxos_promised(c->machines[slow].paxos) > promised); /* it was asked */
    cluster_crash(c, slow);
    cluster_disk(c, slow, false);
    cluster_start(c, slow);
    CU_ASSERT_EQUAL(paxos_promised(c->machines[slow].paxos), promised);
    CU_ASSERT_TRUE(cluster_propose(c, leader_of(c), "create /a"));
    cluster_run(c, SETTLE_MS);
    CU_ASSERT_EQUAL(cluster_applied_by(c, "create /a"), 4);
    cluster_free(c);
}

static uint64_t held_said;
static int answers;

static bool note_held(struct cluster *c, struct letter *l)
{
    (void)c;
    if (l->from == watched_from && l->message.kind == MESSAGE_ACCEPTED) {
        answers++;
        held_said = l->message.held > held_said ? l->message.held : held_said;
    }
    return false;
}

/* Heartbeats come while rows are still being written. */
static void test_case_08__a_heartbeat_is_not_answered_with_what_is_not_durable(void)
{
    struct cluster *c = cluster_new(5);
    int leader = leader_of(c), slow = (leader + 1) % 5;
    uint64_t durable;

    cluster_run(c, 200);
    durable = paxos_last_slot(c->machines[slow].paxos);
    watched_from = slow;
    held_said = 0;
    answers = 0;
    c->intercept = note_held;
    cluster_disk(c, slow, true);
    CU_ASSERT_TRUE(cluster_propose(c, leader, "create /a"));
    CU_ASSERT_TRUE(cluster_propose(c, leader, "create /b"));
    cluster_run(c, 300);
    CU_ASSERT_TRUE(cluster_applied(c, leader, "create /b"));
    CU_ASSERT_TRUE(paxos_last_slot(c->machines[slow].paxos) > durable); /* it was sent them */
    CU_ASSERT_TRUE(answers > 2);
    CU_ASSERT_EQUAL(held_said, durable);
    cluster_disk(c, slow, false);
    cluster_run(c, 300);
    CU_ASSERT_TRUE(held_said > durable);
    cluster_free(c);
}

static int left_out[2];

static bool lose_accepts_to_those_left_out(struct cluster *c, struct letter *l)
{
    (void)c;
    return l->message.kind == MESSAGE_ACCEPT && l->message.entries_count > 0 &&
           (l->to == left_out[0] || l->to == left_out[1]);
}

/* Three hold the value, two of them go in the same moment, and one is left to tell. */
static void lose_two_of_three_holders(int after_ms)
{
    struct cluster *c = cluster_new(5);
    int leader = leader_of(c), holder = (leader + 1) % 5;
    bool told;

    cluster_run(c, 200);
    left_out[0] = (leader + 3) % 5;
    left_out[1] = (leader + 4) % 5;
    c->intercept = lose_accepts_to_those_left_out;
    CU_ASSERT_TRUE_FATAL(cluster_propose(c, leader, "create /a"));
    cluster_run(c, after_ms);
    told = cluster_applied(c, leader, "create /a");
    cluster_crash(c, leader);
    cluster_crash(c, holder);
    c->intercept = NULL;
    CU_ASSERT_TRUE(cluster_propose(c, leader_of(c), "create /b"));
    cluster_run(c, 100);
    cluster_start(c, leader);
    cluster_start(c, holder);
    cluster_run(c, SETTLE_MS);
    CU_ASSERT_EQUAL(cluster_applied_by(c, "create /b"), 5);
    if (told)
        CU_ASSERT_EQUAL(cluster_applied_by(c, "create /a"), 5);
    if (!told)
        CU_ASSERT_TRUE(cluster_applied_by(c, "create /a") % 5 == 0);
    cluster_free(c);
}

static void test_case_10__nothing_that_was_told_is_taken_back(void)
{
    for (int after_ms = 0; after_ms < CRASH_STEPS; after_ms++)
        lose_two_of_three_holders(after_ms);
}

/* A leader that is cut off writes rows that the others know nothing of, more than
 * they choose meanwhile; then it starts again, and leads again. */
static void test_case_11__rows_of_a_deposed_leader_are_replaced_or_chosen_by_all(void)
{
    struct cluster *c = cluster_new(5);
    int old = leader_of(c), next;

    cluster_run(c, 200);
    cluster_isolate(c, old);
    CU_ASSERT_TRUE(cluster_propose(c, old, "create /lost-1"));
    CU_ASSERT_TRUE(cluster_propose(c, old, "create /lost-2"));
    CU_ASSERT_TRUE(cluster_propose(c, old, "create /left-over"));
    cluster_run(c, 3000);
    next = leader_of(c);
    CU_ASSERT_TRUE(cluster_propose(c, next, "create /kept"));
    cluster_run(c, 100);
    CU_ASSERT_TRUE(paxos_last_slot(c->machines[old].paxos) >
                   paxos_last_slot(c->machines[next].paxos));
    cluster_crash(c, old);
    cluster_heal(c);
    cluster_start(c, old);
    cluster_run(c, SETTLE_MS);
    hand_over(c, leader_of(c), old);
    CU_ASSERT_TRUE(cluster_propose(c, old, "create /later"));
    cluster_run(c, SETTLE_MS);
    CU_ASSERT_EQUAL(cluster_applied_by(c, "create /kept"), 5);
    CU_ASSERT_EQUAL(cluster_applied_by(c, "create /later"), 5);
    CU_ASSERT_EQUAL(cluster_applied_by(c, "create /lost-1"), 0);
    CU_ASSERT_EQUAL(cluster_applied_by(c, "create /lost-2"), 0);
    CU_ASSERT_TRUE(cluster_applied_by(c, "create /left-over") % 5 == 0);
    cluster_free(c);
}

/* ---- a value of a dead ballot ---- */

static int only_to;
static uint64_t dead_slot, held_of_dead;

static bool deliver_entries_to_one(struct cluster *c, struct letter *l)
{
    (void)c;
    return l->message.kind == MESSAGE_ACCEPT && l->message.entries_count > 0 && l->to != only_to;
}

/* The one hears what is chosen, and gets no value of it. */
static bool deliver_no_entries_to_it(struct cluster *c, struct letter *l)
{
    (void)c;
    if (l->from == only_to && l->message.kind == MESSAGE_ACCEPTED && l->message.held > held_of_dead)
        held_of_dead = l->message.held;
    return l->to == only_to && l->message.entries_count > 0;
}

/* A leader gets one row to one follower, and dies. The others choose something else
 * in its slot; then the follower hears of their leader. */
static struct cluster *leave_a_dead_value(void)
{
    struct cluster *c = cluster_new(5);
    int old = leader_of(c);

    cluster_run(c, 200);
    only_to = (old + 1) % 5;
    c->intercept = deliver_entries_to_one;
    CU_ASSERT_TRUE_FATAL(cluster_propose(c, old, "create /dead"));
    cluster_run(c, 5);
    dead_slot = paxos_last_slot(c->machines[only_to].paxos);
    CU_ASSERT_EQUAL_FATAL(dead_slot, paxos_last_slot(c->machines[old].paxos));
    cluster_crash(c, old);
    c->intercept = NULL;
    cluster_isolate(c, only_to);
    leader_of(c);
    CU_ASSERT_TRUE(cluster_propose(c, leader_of(c), "create /chosen"));
    cluster_run(c, 200);
    held_of_dead = 0;
    c->intercept = deliver_no_entries_to_it;
    cluster_heal(c);
    cluster_run(c, SETTLE_MS);
    return c;
}

static void end_of_a_dead_value(struct cluster *c)
{
    c->intercept = NULL;
    cluster_run(c, SETTLE_MS);
    CU_ASSERT_EQUAL(cluster_applied_by(c, "create /dead"), 0);
    CU_ASSERT_EQUAL(cluster_applied_by(c, "create /chosen"), 4);
    cluster_free(c);
}

static void test_case_25__a_value_of_a_dead_ballot_is_not_applied(void)
{
    struct cluster *c = leave_a_dead_value();

    CU_ASSERT_FALSE(cluster_applied(c, only_to, "create /dead"));
    CU_ASSERT_TRUE(paxos_applied(c->machines[only_to].paxos) < dead_slot);
    end_of_a_dead_value(c);
}

static void test_case_26__an_acknowledgement_covers_no_row_of_an_older_ballot(void)
{
    struct cluster *c = leave_a_dead_value();

    CU_ASSERT_TRUE(held_of_dead > 0); /* it answered */
    CU_ASSERT_TRUE(held_of_dead < dead_slot);
    end_of_a_dead_value(c);
}

static const struct test_case cases[] = {
    TEST(test_case_06__answers_of_an_earlier_reign_choose_nothing),
    TEST(test_case_07__a_promise_that_is_not_durable_is_not_given),
    TEST(test_case_08__a_heartbeat_is_not_answered_with_what_is_not_durable),
    TEST(test_case_10__nothing_that_was_told_is_taken_back),
    TEST(test_case_11__rows_of_a_deposed_leader_are_replaced_or_chosen_by_all),
    TEST(test_case_25__a_value_of_a_dead_ballot_is_not_applied),
    TEST(test_case_26__an_acknowledgement_covers_no_row_of_an_older_ballot),
};

int main(int argc, char **argv)
{
    return run_suite("cases_values", cases, sizeof cases / sizeof *cases, argc, argv);
}
