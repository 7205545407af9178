/* test_rounds.c - a leader that is not to trust its clock, with a lease that lasts: what
 * it says to a session that comes back waits for a round. */
#include <CUnit/CUnit.h>

#include "tests/replica/cell.h"
#include "tests/support/runner.h"

/* The rounds that were lost come again with a heartbeat: a seventh of the lease. */
enum { LEASE_MS = 3000, ROUND_MS = 600, HAND_OVER_MS = 1500 };

static const int OK = COORD__V1__STATUS__OK;

static struct cell *started(bool distrusts)
{
    struct cell *c = cell_new();

    c->config.lease_ms = LEASE_MS;
    c->config.distrusts_clocks = distrusts;
    cell_start_all(c);
    return c;
}

static void test_rounds__under_a_lease_a_session_comes_back_at_once(void)
{
    struct cell *c = started(false);
    int leader = cell_leader(c);
    struct cell_session s = cell_session(c, leader, 1);

    c->members[leader].cut = true;
    CU_ASSERT_EQUAL(cell_attach(c, leader, &s), OK);
    cell_free(c);
}

/* Alone it says nothing; with the others it says what they confirm, and what came
 * behind the Attach is done after it. */
static void test_rounds__without_trust_in_clocks_a_session_comes_back_with_a_round(void)
{
    struct cell *c = started(true);
    int leader = cell_leader(c);
    struct cell_session s = cell_session(c, leader, 1);
    Coord__V1__SessionReply *reply;
    uint64_t seq = 0;

    c->members[leader].cut = true;
    CU_ASSERT_EQUAL(cell_attach(c, leader, &s), -1);
    cell_change(c, &s, &seq, 2); /* asked before it is attached */
    c->members[leader].cut = false;
    cell_run(c, ROUND_MS);
    reply = cell_replies(c, s.stream);
    CU_ASSERT_EQUAL_FATAL(reply->n_items, 3);
    CU_ASSERT_EQUAL(reply->items[0]->kind_case, COORD__V1__ITEM__KIND_BEGUN);
    CU_ASSERT_EQUAL(reply->items[0]->begun->status, OK);
    for (int i = 1; i < 3; i++) {
        CU_ASSERT_EQUAL_FATAL(reply->items[i]->kind_case, COORD__V1__ITEM__KIND_ANSWERED);
        CU_ASSERT_EQUAL(reply->items[i]->answered->seq, i);
        CU_ASSERT_EQUAL(reply->items[i]->answered->answer->status, OK);
    }
    coord__v1__session_reply__free_unpacked(reply, NULL);
    cell_free(c);
}

static void stick_others(struct cell *c, int but, bool stuck)
{
    for (int i = 0; i < CELL_MEMBERS; i++)
        c->members[i].disk_stuck = i != but && stuck;
}

/* What is left of its lease has been gathered for the successor by then: a client that
 * was told it has the whole would believe longer than the successor waits. */
static void test_rounds__who_hands_over_renews_nothing_that_waited_for_a_round(void)
{
    struct cell *c = started(true);
    int leader = cell_leader(c), status;
    struct cell_session s = cell_session(c, leader, 1);
    struct cell_stream *beats, *attached;

    c->members[leader].cut = true;
    CU_ASSERT_EQUAL(cell_beat(c, leader, &s, 0, &status), 0);
    beats = &c->streams[c->last_stream];
    CU_ASSERT_EQUAL(cell_attach(c, leader, &s), -1);
    attached = &c->streams[c->last_stream];
    cell_ask_hand_over(c, leader, (leader + 1) % CELL_MEMBERS);
    stick_others(c, leader, true); /* the rounds are answered, the entry is not chosen */
    c->members[leader].cut = false;
    cell_run(c, ROUND_MS);
    CU_ASSERT_EQUAL(cell_leader(c), leader);
    CU_ASSERT_EQUAL(beats->out.length, 0);
    CU_ASSERT_EQUAL(attached->out.length, 0);
    stick_others(c, leader, false);
    for (int t = 0; t < HAND_OVER_MS && cell_leader(c) == leader; t++)
        cell_run(c, 1);
    CU_ASSERT_NOT_EQUAL(cell_leader(c), leader);
    cell_free(c);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_rounds__under_a_lease_a_session_comes_back_at_once),
        TEST(test_rounds__without_trust_in_clocks_a_session_comes_back_with_a_round),
        TEST(test_rounds__who_hands_over_renews_nothing_that_waited_for_a_round),
    };

    return run_suite("rounds", cases, sizeof cases / sizeof cases[0], argc, argv);
}
