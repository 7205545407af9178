/* test_space.c - whose disks are full, as a leader sees it: when it must refuse, and when
 * another should lead. */
#include <CUnit/CUnit.h>

#include "tests/paxos/cluster.h"
#include "tests/support/runner.h"

enum { LONG_MS = 5000, YIELD_MS = 7000, AGAIN_MS = 70 * 1000 };

static int leader_of(struct cluster *c)
{
    int leader = cluster_leader(c, LONG_MS);

    CU_ASSERT_TRUE_FATAL(leader >= 0);
    return leader;
}

static void set_low(struct cluster *c, int i, bool low)
{
    struct paxos_event e = {.kind = PAXOS_EVENT_SPACE, .low = low};

    cluster_step(c, i, &e);
}

static bool is_short(const struct cluster *c, int i)
{
    return paxos_short_of_space(c->machines[i].paxos);
}

static bool should_yield(const struct cluster *c, int i)
{
    return paxos_should_yield(c->machines[i].paxos);
}

static void test_space__a_majority_that_is_low_is_short_and_one_is_not(void)
{
    struct cluster *c = cluster_new(3);
    int leader = leader_of(c);

    set_low(c, (leader + 1) % 3, true);
    cluster_run(c, LONG_MS);
    CU_ASSERT_FALSE(is_short(c, leader));
    set_low(c, (leader + 2) % 3, true);
    cluster_run(c, 500);
    CU_ASSERT_EQUAL(leader_of(c), leader);
    CU_ASSERT_TRUE(is_short(c, leader));
    set_low(c, (leader + 1) % 3, false);
    cluster_run(c, 500);
    CU_ASSERT_FALSE(is_short(c, leader));
    cluster_free(c);
}

/* One that was away before the leader's reign began: it has no space either. */
static void test_space__one_that_is_away_has_no_space(void)
{
    for (int count = 3; count <= 5; count += 2) {
        struct cluster *c = cluster_new(count);
        int leader = leader_of(c), low = -1;

        cluster_crash(c, leader);
        for (int more = count / 2 - 1; more > 0; more--)
            cluster_crash(c, (leader + more) % count);
        leader = leader_of(c);
        cluster_run(c, LONG_MS);
        CU_ASSERT_FALSE(is_short(c, leader)); /* nobody's disk is full */
        for (int i = 0; i < count; i++)
            if (i != leader && c->machines[i].paxos != NULL)
                low = i;
        set_low(c, low, true);
        cluster_run(c, 500);
        CU_ASSERT_EQUAL(leader_of(c), leader);
        CU_ASSERT_TRUE(is_short(c, leader));
        cluster_free(c);
    }
}

/* Those that have not answered a new leader yet are given the time for it. */
static void test_space__a_new_leader_does_not_refuse_on_a_guess(void)
{
    struct cluster *c = cluster_new(3);
    int old = leader_of(c), leader = -1;

    for (int i = 0; i < 3; i++)
        if (i != old)
            set_low(c, i, true);
    cluster_crash(c, old);
    for (int ms = 0; ms < LONG_MS && leader < 0; ms++) {
        cluster_run(c, 1);
        for (int i = 0; i < 3; i++)
            if (c->machines[i].paxos != NULL && paxos_role(c->machines[i].paxos) == PAXOS_LEADER)
                leader = i;
    }
    CU_ASSERT_TRUE_FATAL(leader >= 0);
    set_low(c, leader, false);
    CU_ASSERT_FALSE(is_short(c, leader));
    cluster_free(c);
}

/* Neither at once, nor to one that is no better, nor again and again. */
static void test_space__leadership_is_not_passed_round(void)
{
    struct cluster *c = cluster_new(3);
    int leader = leader_of(c);

    CU_ASSERT_FALSE(should_yield(c, leader));
    set_low(c, leader, true);
    cluster_run(c, 1000);
    CU_ASSERT_FALSE(should_yield(c, leader));
    set_low(c, leader, false); /* it was short: a checkpoint */
    cluster_run(c, 100);
    set_low(c, leader, true);
    cluster_run(c, YIELD_MS / 2);
    CU_ASSERT_FALSE(should_yield(c, leader));
    cluster_run(c, YIELD_MS / 2);
    CU_ASSERT_TRUE(should_yield(c, leader));
    set_low(c, (leader + 1) % 3, true);
    cluster_run(c, YIELD_MS);
    CU_ASSERT_FALSE(should_yield(c, leader)); /* without it there is no quorum */
    set_low(c, (leader + 1) % 3, false);
    cluster_run(c, 500);
    CU_ASSERT_TRUE(should_yield(c, leader));
    paxos_yields(c->machines[leader].paxos);
    cluster_run(c, YIELD_MS);
    CU_ASSERT_FALSE(should_yield(c, leader));
    cluster_run(c, AGAIN_MS);
    CU_ASSERT_TRUE(should_yield(c, leader));
    CU_ASSERT_EQUAL(leader_of(c), leader);
    cluster_free(c);
}

static int who;
static uint64_t entries_sent;

static bool count_entries(struct cluster *c, struct letter *l)
{
    (void)c;
    if (l->to == who && l->message.kind == MESSAGE_ACCEPT)
        entries_sent += l->message.entries_count;
    return false;
}

/* It answers, and holds no more than before: all that it lacks, sent again and again, would
 * fill the links. */
static void test_space__who_takes_nothing_is_sent_little(void)
{
    enum { ENTRIES = 140, IDLE_MS = 10 * 1000, AGAIN_LEAST_MS = 100 };

    for (int stuck = 0; stuck < 2; stuck++) {
        struct cluster *c = cluster_new(3);
        int leader = leader_of(c);

        who = (leader + 1) % 3;
        if (stuck)
            cluster_disk(c, who, true);
        else
            cluster_full(c, who, true);
        for (int i = 0; i < ENTRIES; i++) {
            CU_ASSERT_TRUE(cluster_propose(c, leader, "create /a"));
            cluster_run(c, 2);
        }
        cluster_run(c, 1000);
        entries_sent = 0;
        c->intercept = count_entries;
        cluster_run(c, IDLE_MS);
        CU_ASSERT_TRUE(entries_sent > 0); /* that it has space again is seen by that */
        CU_ASSERT_TRUE(entries_sent <= IDLE_MS / AGAIN_LEAST_MS);
        c->intercept = NULL;
        cluster_full(c, who, false);
        cluster_disk(c, who, false);
        cluster_run(c, LONG_MS);
        CU_ASSERT_EQUAL(c->machines[who].applied_count, c->machines[leader].applied_count);
        cluster_free(c);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_space__a_majority_that_is_low_is_short_and_one_is_not),
        TEST(test_space__one_that_is_away_has_no_space),
        TEST(test_space__a_new_leader_does_not_refuse_on_a_guess),
        TEST(test_space__leadership_is_not_passed_round),
        TEST(test_space__who_takes_nothing_is_sent_little),
    };
    return run_suite("paxos space", cases, sizeof cases / sizeof cases[0], argc, argv);
}
