/* test_cases_leaders.c - cases of docs/testing.md, "Cases that broke others": who
 * leads, for how long, and over which links. */
#include "tests/paxos/cluster.h"
#include "tests/support/runner.h"

#include <CUnit/CUnit.h>

#include "libcoord/base/units.h"

enum { PATIENCE_MS = 5000, SETTLE_MS = 1500, FLAP_MS = 40 };

static int leader_of(struct cluster *c)
{
    int leader = cluster_leader(c, PATIENCE_MS);

    CU_ASSERT_TRUE_FATAL(leader >= 0);
    return leader;
}

/* Also one who sleeps may believe in a lease. */
static void check_leases(const struct cluster *c)
{
    int valid = 0;

    for (int i = 0; i < c->count; i++)
        valid += c->machines[i].paxos != NULL && paxos_lease_valid(c->machines[i].paxos, c->now_ns);
    CU_ASSERT_TRUE_FATAL(valid <= 1);
}

/* Before each letter, too: who wakes up reads what came meanwhile one by one. */
static bool check_before_letter(struct cluster *c, struct letter *l)
{
    (void)l;
    check_leases(c);
    return false;
}

/* Lets time pass; at no moment two leases are valid. */
static void run_under_one_lease(struct cluster *c, int ms)
{
    if (c->intercept == NULL)
        c->intercept = check_before_letter;
    for (int t = 0; t < ms; t++) {
        cluster_run(c, 1);
        check_leases(c);
    }
    if (c->intercept == check_before_letter)
        c->intercept = NULL;
}

static int hand_over(struct cluster *c)
{
    int old = leader_of(c), next = (old + 2) % 5;
    struct paxos_event e = {.kind = PAXOS_EVENT_HAND_OVER, .from = (uint32_t)next + 1};

    cluster_run(c, 100);
    cluster_step(c, old, &e);
    CU_ASSERT_FALSE(paxos_lease_valid(c->machines[old].paxos, c->now_ns));
    return next;
}

static void test_case_05__who_hands_over_keeps_no_lease(void)
{
    struct cluster *c = cluster_new(5);
    int next = hand_over(c);

    run_under_one_lease(c, PAXOS_LEASE_MS_DEFAULT);
    CU_ASSERT_EQUAL(leader_of(c), next);
    cluster_free(c);
}

static bool lose_relinquish(struct cluster *c, struct letter *l)
{
    (void)c;
    return l->message.kind == MESSAGE_RELINQUISH && l->to % 2 == 0;
}

static void test_case_05__also_if_only_some_hear_of_it(void)
{
    struct cluster *c = cluster_new(5);

    c->intercept = lose_relinquish;
    hand_over(c);
    run_under_one_lease(c, SETTLE_MS);
    leader_of(c);
    cluster_free(c);
}

static bool lose_accepted(struct cluster *c, struct letter *l)
{
    (void)c;
    return l->message.kind == MESSAGE_ACCEPTED;
}

/* What was chosen before is the present only once an entry of its own reign is
 * chosen behind it. */
static void test_case_13__nobody_leads_before_an_entry_of_its_own_ballot(void)
{
    struct cluster *c = cluster_new(5);
    int old = leader_of(c);
    bool led = false;

    cluster_run(c, 100);
    c->intercept = lose_accepted;
    cluster_crash(c, old);
    for (int t = 0; t < SETTLE_MS; t++) {
        cluster_run(c, 1);
        for (int i = 0; i < 5; i++) {
            if (c->machines[i].paxos == NULL)
                continue;
            led = led || paxos_role(c->machines[i].paxos) == PAXOS_LEADER;
            CU_ASSERT_FALSE_FATAL(paxos_established(c->machines[i].paxos));
            CU_ASSERT_FALSE_FATAL(paxos_can_propose(c->machines[i].paxos));
        }
    }
    CU_ASSERT_TRUE(led); /* it had the promises */
    c->intercept = NULL;
    leader_of(c);
    cluster_free(c);
}

/* ---- links ---- */

static int deaf = -1, mute = -1;

static bool lose_one_way(struct cluster *c, struct letter *l)
{
    (void)c;
    return l->to == deaf || l->from == mute;
}

static void a_leader_loses_one_way(int old, struct cluster *c)
{
    c->intercept = lose_one_way;
    if (mute == old) /* one that has nothing to do finds out as well */
        cluster_propose(c, old, "create /asked");
    run_under_one_lease(c, SETTLE_MS);
    CU_ASSERT_NOT_EQUAL(leader_of(c), old);
    CU_ASSERT_TRUE(cluster_propose(c, leader_of(c), "create /a"));
    cluster_run(c, 300);
    CU_ASSERT_TRUE(cluster_applied_by(c, "create /a") >= 4);
    c->intercept = NULL;
    deaf = mute = -1;
    run_under_one_lease(c, SETTLE_MS);
    CU_ASSERT_EQUAL(cluster_applied_by(c, "create /a"), 5);
    CU_ASSERT_TRUE(cluster_applied_by(c, "create /asked") % 5 == 0);
    cluster_free(c);
}

static void test_case_17__a_leader_that_hears_all_and_reaches_none_is_replaced(void)
{
    struct cluster *c = cluster_new(5);

    mute = leader_of(c);
    a_leader_loses_one_way(mute, c);
}

static void test_case_17__a_leader_that_reaches_all_and_hears_none_is_replaced(void)
{
    struct cluster *c = cluster_new(5);

    deaf = leader_of(c);
    a_leader_loses_one_way(deaf, c);
}

/* Who hears nobody thinks that nobody leads, and says so to all. */
static void test_case_17__a_follower_that_hears_none_deposes_nobody(void)
{
    struct cluster *c = cluster_new(5);
    int leader = leader_of(c);
    uint64_t ballot = paxos_ballot(c->machines[leader].paxos);

    deaf = (leader + 1) % 5;
    c->intercept = lose_one_way;
    run_under_one_lease(c, PATIENCE_MS);
    CU_ASSERT_EQUAL(leader_of(c), leader);
    CU_ASSERT_EQUAL(paxos_ballot(c->machines[leader].paxos), ballot);
    deaf = -1;
    cluster_free(c);
}

/* The link between the leader and one follower comes and goes. */
static void test_case_17__a_link_that_flaps_changes_no_leader(void)
{
    struct cluster *c = cluster_new(5);
    int leader = leader_of(c), other = (leader + 1) % 5;
    uint64_t ballot = paxos_ballot(c->machines[leader].paxos);

    for (int t = 0; t < 2 * PATIENCE_MS; t += FLAP_MS) {
        c->machines[other].cut_mask ^= 1u << leader;
        run_under_one_lease(c, FLAP_MS);
    }
    cluster_heal(c);
    CU_ASSERT_EQUAL(paxos_ballot(c->machines[leader].paxos), ballot);
    CU_ASSERT_TRUE(cluster_propose(c, leader, "create /a"));
    cluster_run(c, SETTLE_MS);
    CU_ASSERT_EQUAL(cluster_applied_by(c, "create /a"), 5);
    cluster_free(c);
}

/* ---- pauses ---- */

/* `who` sleeps until another leads, and a little longer; then it goes on with all that
 * was sent to it. */
static void sleep_through(struct cluster *c, int who, int longer_ms)
{
    int next = -1;

    c->machines[who].paused = true;
    run_under_one_lease(c, PAXOS_LEASE_MS_DEFAULT);
    for (int t = 0; t < PATIENCE_MS && (next < 0 || next == who); t++) {
        run_under_one_lease(c, 1);
        next = cluster_leader(c, 1);
    }
    CU_ASSERT_TRUE_FATAL(next >= 0 && next != who);
    CU_ASSERT_TRUE(cluster_propose(c, next, "create /meanwhile"));
    run_under_one_lease(c, longer_ms);
    c->machines[who].paused = false;
    run_under_one_lease(c, SETTLE_MS);
    leader_of(c);
}

static void test_case_21__a_leader_may_sleep_at_any_point_of_a_proposal(void)
{
    for (int at = 0; at < 10; at++) {
        struct cluster *c = cluster_new(5);
        int old = leader_of(c);

        cluster_run(c, 100);
        CU_ASSERT_TRUE(cluster_propose(c, old, "create /a"));
        cluster_run(c, at);
        sleep_through(c, old, at * at * at);
        CU_ASSERT_EQUAL(cluster_applied_by(c, "create /meanwhile"), 5);
        CU_ASSERT_TRUE(cluster_applied_by(c, "create /a") % 5 == 0);
        cluster_free(c);
    }
}

static void test_case_21__a_candidate_may_sleep_at_any_point_of_an_election(void)
{
    for (int at = 0; at < 2 * PAXOS_LEASE_MS_DEFAULT; at += 7) {
        struct cluster *c = cluster_new(5);
        int old = leader_of(c), who = -1;

        cluster_run(c, 100);
        cluster_crash(c, old);
        run_under_one_lease(c, at);
        for (int i = 0; i < 5; i++)
            if (i != old && (who < 0 || paxos_role(c->machines[i].paxos) >= PAXOS_CANDIDATE))
                who = i;
        sleep_through(c, who, 20);
        CU_ASSERT_EQUAL(cluster_applied_by(c, "create /meanwhile"), 4);
        cluster_free(c);
    }
}

static const struct test_case cases[] = {
    TEST(test_case_05__who_hands_over_keeps_no_lease),
    TEST(test_case_05__also_if_only_some_hear_of_it),
    TEST(test_case_13__nobody_leads_before_an_entry_of_its_own_ballot),
    TEST(test_case_17__a_leader_that_hears_all_and_reaches_none_is_replaced),
    TEST(test_case_17__a_leader_that_reaches_all_and_hears_none_is_replaced),
    TEST(test_case_17__a_follower_that_hears_none_deposes_nobody),
    TEST(test_case_17__a_link_that_flaps_changes_no_leader),
    TEST(test_case_21__a_leader_may_sleep_at_any_point_of_a_proposal),
    TEST(test_case_21__a_candidate_may_sleep_at_any_point_of_an_election),
};

int main(int argc, char **argv)
{
    return run_suite("cases_leaders", cases, sizeof cases / sizeof *cases, argc, argv);
}
