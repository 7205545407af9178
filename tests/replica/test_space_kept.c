/* test_space_kept.c - what the log keeps while the disks are full: who restarts must not
 * need a whole state at once, for which there may be no space. */
#include <CUnit/CUnit.h>

#include "tests/replica/cell.h"
#include "tests/support/runner.h"

enum { SETTLE_MS = 200, AWAY_SECONDS = 12, BACK_MS = 5000 };

static int states_sent;

static bool count_states(struct cell *c, const struct cell_letter *l)
{
    Coord__V1__Message *m = cell_message(l);

    (void)c;
    states_sent +=
        m->body_case == COORD__V1__MESSAGE__BODY_TRANSFERRED && m->transferred->slot != 0;
    coord__v1__message__free_unpacked(m, NULL);
    return false;
}

static void fill_disks(struct cell *c)
{
    for (int i = 0; i < CELL_MEMBERS; i++) {
        struct replica_event e = {.kind = REPLICA_EVENT_SPACE, .low = true, .room = 1u << 30};

        cell_step(c, i, &e);
    }
    cell_run(c, SETTLE_MS);
}

/* Checkpoints are made every few seconds then; it was away for more than two. */
static void test_case_19__who_was_away_for_a_moment_gets_the_log(void)
{
    struct cell *c = cell_new();
    struct replica_view v;
    uint64_t missed;
    int away;

    c->config.log_keep_entries = 4;
    cell_start_all(c);
    away = (cell_leader(c) + 1) % CELL_MEMBERS;
    fill_disks(c);
    for (int k = 0; k < 20; k++)
        (void)cell_session(c, cell_leader(c), (uint8_t)(k + 1));
    cell_run(c, SETTLE_MS);
    cell_view(c, cell_leader(c), &v);
    missed = v.applied;
    c->members[away].cut = true;
    for (int k = 0; k < AWAY_SECONDS; k++) {
        (void)cell_session(c, cell_leader(c), (uint8_t)(k + 50));
        cell_run(c, 1000);
    }
    cell_view(c, cell_leader(c), &v);
    CU_ASSERT_TRUE(v.checkpoint > missed); /* else nothing could have been cut */
    CU_ASSERT_TRUE(v.floor <= missed);
    states_sent = 0;
    c->intercept = count_states;
    c->members[away].cut = false;
    cell_run(c, BACK_MS);
    c->intercept = NULL;
    CU_ASSERT_EQUAL(states_sent, 0);
    missed = v.applied;
    cell_view(c, away, &v);
    CU_ASSERT_TRUE(v.applied >= missed);
    cell_free(c);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_case_19__who_was_away_for_a_moment_gets_the_log),
    };
    return run_suite("space kept", cases, sizeof cases / sizeof cases[0], argc, argv);
}
