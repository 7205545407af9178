/* test_candidates.c - who stands, and whom it disturbs by that. */
#include "tests/paxos/cluster.h"
#include "tests/support/runner.h"

#include <CUnit/CUnit.h>

#include "coordd/paxos/ballot.h"
#include "libcoord/base/units.h"

enum { PATIENCE_MS = 20 * 1000, SETTLE_MS = 1000 };

static bool stands(const struct cluster *c, int i)
{
    const struct paxos *p = c->machines[i].paxos;

    return p != NULL && paxos_role(p) == PAXOS_CANDIDATE;
}

/* Lets 1 ms pass; the machines that became candidates in it. */
static uint32_t new_candidates(struct cluster *c)
{
    uint32_t mask = 0;

    for (int i = 0; i < c->count; i++)
        mask |= stands(c, i) ? 0 : 1u << i;
    cluster_run(c, 1);
    for (int i = 0; i < c->count; i++)
        mask &= stands(c, i) ? ~0u : ~(1u << i);
    return mask;
}

static bool led(const struct cluster *c)
{
    for (int i = 0; i < c->count; i++)
        if (c->machines[i].paxos != NULL && paxos_can_propose(c->machines[i].paxos))
            return true;
    return false;
}

static int stuck; /* the machine whose disk stands still */
static int refused_by_stuck;

static bool count_refusals(struct cluster *c, struct letter *l)
{
    (void)c;
    refused_by_stuck += l->message.kind == MESSAGE_REFUSED && l->from == stuck &&
                        ballot_member(l->message.ballot) == (uint32_t)stuck + 1;
    return l->message.kind == MESSAGE_PROBED && l->from == stuck; /* which tells its ballot */
}

static bool lose_prepare(struct cluster *c, struct letter *l)
{
    (void)c;
    return l->message.kind == MESSAGE_PREPARE;
}

/* A leader names as its heir one whose disk stands still. */
static struct cluster *with_a_stuck_heir(bool (*intercept)(struct cluster *, struct letter *))
{
    struct cluster *c = cluster_new(5);
    int old = cluster_leader(c, PATIENCE_MS);
    struct paxos_event e = {.kind = PAXOS_EVENT_HAND_OVER};

    CU_ASSERT_TRUE_FATAL(old >= 0);
    cluster_run(c, SETTLE_MS);
    stuck = old == 4 ? 3 : 4;
    refused_by_stuck = 0;
    cluster_disk(c, stuck, true);
    c->intercept = intercept;
    e.from = (uint32_t)stuck + 1;
    cluster_step(c, old, &e);
    return c;
}

static void test_who_cannot_write_its_ballot_stands_but_once(void)
{
    struct cluster *c = with_a_stuck_heir(lose_prepare);
    int count = stands(c, stuck);

    for (int t = 0; t < PATIENCE_MS; t++)
        count += new_candidates(c) >> stuck & 1;
    CU_ASSERT_EQUAL(count, 1);
    cluster_disk(c, stuck, false);
    c->intercept = NULL;
    CU_ASSERT_TRUE(cluster_leader(c, PATIENCE_MS) >= 0);
    cluster_free(c);
}

static void test_who_cannot_write_its_ballot_is_named_in_vain(void)
{
    struct cluster *c = with_a_stuck_heir(NULL);
    struct paxos_event e = {.kind = PAXOS_EVENT_HAND_OVER, .from = (uint32_t)stuck + 1};
    int next = cluster_leader(c, PATIENCE_MS);

    CU_ASSERT_TRUE_FATAL(next >= 0 && next != stuck);
    cluster_run(c, SETTLE_MS);
    cluster_step(c, next, &e);
    for (int t = 0; t < SETTLE_MS; t++)
        CU_ASSERT_FALSE_FATAL((new_candidates(c) >> stuck & 1) != 0);
    CU_ASSERT_TRUE(cluster_leader(c, PATIENCE_MS) >= 0);
    cluster_free(c);
}

static void test_a_ballot_that_nobody_heard_of_refuses_nobody(void)
{
    struct cluster *c = with_a_stuck_heir(count_refusals);
    int next = cluster_leader(c, PATIENCE_MS);

    CU_ASSERT_TRUE_FATAL(next >= 0);
    CU_ASSERT_TRUE(cluster_propose(c, next, "create /a"));
    cluster_run(c, SETTLE_MS);
    CU_ASSERT_TRUE(cluster_applied_by(c, "create /a") >= 4);
    CU_ASSERT_EQUAL(refused_by_stuck, 0);
    cluster_free(c);
}

/* All that promised the same candidate wait the same time for it. If it fails they
 * ask at the same time too, and must not all stand within one delay. */
static void test_slow_links_do_not_make_candidates_collide_for_ever(void)
{
    enum { ELECTIONS = 24, EACH_MAX = 3 };
    int sum = 0;

    for (int k = 0; k < ELECTIONS; k++) {
        struct cluster *c = cluster_new(5);
        int old = cluster_leader(c, PATIENCE_MS);

        CU_ASSERT_TRUE_FATAL(old >= 0);
        cluster_run(c, k);
        c->delay_ms = 11;
        cluster_run(c, SETTLE_MS);
        cluster_crash(c, old);
        for (int t = 0; t < PATIENCE_MS && !led(c); t++)
            sum += __builtin_popcount(new_candidates(c));
        CU_ASSERT_TRUE(led(c));
        cluster_free(c);
    }
    CU_ASSERT_TRUE(sum <= ELECTIONS * EACH_MAX);
}

static const struct test_case cases[] = {
    TEST(test_who_cannot_write_its_ballot_stands_but_once),
    TEST(test_who_cannot_write_its_ballot_is_named_in_vain),
    TEST(test_a_ballot_that_nobody_heard_of_refuses_nobody),
    TEST(test_slow_links_do_not_make_candidates_collide_for_ever),
};

int main(int argc, char **argv)
{
    return run_suite("candidates", cases, sizeof cases / sizeof *cases, argc, argv);
}
