/* test_space_told.c - the step in which a member learns that its log found no space. The log has
 * dropped what it was handed and takes what comes next: were anything handed out in that step,
 * the report that it is durable would pass for what was dropped before it. */
#include <CUnit/CUnit.h>

#include "coordd/paxos/paxos.h"
#include "libcoord/base/check.h"
#include "libcoord/base/units.h"
#include "tests/replica/cell.h"
#include "tests/support/runner.h"

enum { PATIENCE_MS = 5000 };

static bool stands(const struct cell *c, int i)
{
    const struct replica *r = c->members[i].replica;

    return r != NULL && paxos_role(replica_paxos(r)) == PAXOS_CANDIDATE;
}

/* The leader has written something that no follower's disk has taken yet, and is gone. */
static struct cell *leaderless(void)
{
    struct cell *c = cell_new();
    int leader;

    cell_start_all(c);
    leader = cell_leader(c);
    for (int i = 0; i < CELL_MEMBERS; i++)
        c->members[i].disk_stuck = i != leader;
    (void)cell_put(c, leader, "/a", "taken by nobody else");
    cell_run(c, 10);
    cell_crash(c, leader);
    return c;
}

/* Who stands first, and after how many milliseconds: the same each time. */
static int rehearse(int *ret_ms)
{
    struct cell *c = leaderless();
    int first = -1;

    for (*ret_ms = 0; first < 0 && *ret_ms < PATIENCE_MS; (*ret_ms)++) {
        cell_run(c, 1);
        for (int i = 0; i < CELL_MEMBERS; i++)
            first = stands(c, i) ? i : first;
    }
    cell_free(c);
    return first;
}

static void test_case_19__who_learns_that_its_log_is_full_writes_nothing_with_that(void)
{
    struct replica_event full = {.kind = REPLICA_EVENT_PERSIST_FULL};
    struct cell_member *m;
    struct cell *c;
    uint64_t slot;
    int ms, first = rehearse(&ms);

    CU_ASSERT_TRUE_FATAL(first >= 0);
    c = leaderless();
    m = &c->members[first];
    cell_run(c, ms - 1);
    CU_ASSERT_FALSE_FATAL(stands(c, first));
    CU_ASSERT_EQUAL_FATAL(m->waiting_count, 1);
    CU_ASSERT_EQUAL_FATAL(m->waiting[0].kind, EFFECT_PERSIST_ENTRY);
    full.sequence = m->waiting[0].sequence;
    slot = m->waiting[0].entry.slot;
    blob_unref(m->waiting[0].entry.value);
    m->waiting_count = 0;
    c->now_ns += ms_to_ns(1);
    cell_step(c, first, &full);
    CU_ASSERT_EQUAL(m->waiting_count, 0);
    CU_ASSERT_FALSE(stands(c, first));
    /* There is space: it hands out the entry, and only then stands. */
    m->disk_stuck = false;
    cell_run(c, PATIENCE_MS);
    CU_ASSERT_EQUAL(m->durable.last_slot, slot);
    cell_free(c);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_case_19__who_learns_that_its_log_is_full_writes_nothing_with_that),
    };
    return run_suite("space told", cases, sizeof cases / sizeof cases[0], argc, argv);
}
