/* test_cases_reigns.c - cases of docs/testing.md, "Cases that broke others", in a cell
 * of five whole replicas: what clients hear of a leader that is none any more. */
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "coordd/replica/inner.h"
#include "tests/replica/cell.h"
#include "tests/support/runner.h"

enum { SETTLE_MS = 1500, TTL_MS = 2000, BEAT_MS = 400 };

static const int OK = COORD__V1__STATUS__OK;

static struct cell *started(void)
{
    struct cell *c = cell_new();

    cell_start_all(c);
    (void)cell_leader(c);
    return c;
}

/* ---- leaders that are none any more ---- */

/* Cut off, with its disk at a stand, it leads on for a while as it thinks. */
static void test_case_02__a_deposed_leader_keeps_no_session_alive(void)
{
    struct cell *c = cell_new();
    struct replica_view view;
    struct cell_session s;
    int old, status;

    c->config.lease_ms = 1000;
    cell_start_all(c);
    old = cell_leader(c);
    s = cell_session(c, old, 1);
    CU_ASSERT_EQUAL(cell_beat(c, old, &s, 10, &status), 1);
    CU_ASSERT_EQUAL(status, OK);
    c->members[old].cut = c->members[old].disk_stuck = true;
    cell_run(c, 1000);
    cell_view(c, old, &view);
    CU_ASSERT_FALSE(view.serving);
    CU_ASSERT_EQUAL(cell_beat(c, old, &s, 300, &status), 0);
    cell_free(c);
}

static void live_on(struct cell *c, int at, const struct cell_session *s, int ms)
{
    for (int t = 0; t < ms; t += BEAT_MS) {
        int status;

        CU_ASSERT_EQUAL_FATAL(cell_beat(c, at, s, 100, &status), 1);
        CU_ASSERT_EQUAL_FATAL(status, OK);
        cell_run(c, BEAT_MS - 100);
    }
}

/* What it found expired while it was cut off is not what the cell finds, also not
 * when it leads again. */
static void test_case_02__a_deposed_leader_ends_no_session(void)
{
    struct cell *c = cell_new();
    struct cell_session s;
    int old, next;

    c->config.lease_ms = 1500;
    cell_start_all(c);
    old = cell_leader(c);
    s = cell_session(c, old, 1);
    c->members[old].cut = true;
    (void)cell_put(c, old, "/in-flight", ""); /* so that what comes next is gathered */
    cell_run(c, 1550);
    while ((next = cell_leader(c)) == old)
        cell_run(c, 1);
    CU_ASSERT_EQUAL_FATAL(cell_attach(c, next, &s), OK);
    live_on(c, next, &s, 1200); /* the other's timer of it runs out meanwhile */
    c->members[old].cut = false;
    live_on(c, next, &s, 400);
    cell_hand_over(c, next, old);
    CU_ASSERT_EQUAL_FATAL(cell_attach(c, old, &s), OK);
    live_on(c, old, &s, TTL_MS + 1000);
    cell_free(c);
}

/* The first thing that it does after its sleep is to read what a client asked. */
static void test_case_04__a_leader_that_slept_shows_nothing_old(void)
{
    for (int more_ms = 0; more_ms < 1000; more_ms += 60) {
        struct cell *c = started();
        int old = cell_leader(c), next;

        CU_ASSERT_EQUAL(cell_put_done(c, old, "/a", "old"), OK);
        c->members[old].paused = true;
        cell_run(c, 10);
        next = cell_leader(c);
        CU_ASSERT_EQUAL(cell_put_done(c, next, "/a", "new"), OK);
        cell_run(c, more_ms);
        c->members[old].paused = false;
        CU_ASSERT_STRING_NOT_EQUAL(cell_get(c, old, "/a", 0), "old");
        CU_ASSERT_STRING_NOT_EQUAL(cell_get(c, old, "/a", 5), "old");
        cell_run(c, SETTLE_MS);
        CU_ASSERT_STRING_EQUAL(cell_get(c, cell_leader(c), "/a", 100), "new");
        cell_free(c);
    }
}

static int speaker = -1, hearer = -1;

static bool only_one_hears(struct cell *c, const struct cell_letter *l)
{
    (void)c;
    return l->from == speaker && l->to != hearer;
}

static char *large_text(void)
{
    char *text = calloc(1, PIPELINE_BYTES_MIN + 2);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memset(text, 'x', PIPELINE_BYTES_MIN + 1);
    return text;
}

/* Of what the others say to this one nothing gets there but new values. */
static bool only_values(struct cell *c, const struct cell_letter *l)
{
    Coord__V1__Message *m;
    bool lost;

    (void)c;
    if (l->to != hearer)
        return false;
    m = cell_message(l);
    lost = m->body_case != COORD__V1__MESSAGE__BODY_ACCEPT || m->accept->n_entries == 0;
    coord__v1__message__free_unpacked(m, NULL);
    return lost;
}

/* One leader proposes for two slots, and one follower alone hears of it. The next
 * leader hears nothing of that; it proposes for the second slot, and is cut off. The
 * third finds the first one's entry there, and has it chosen: the answer is not that
 * to the second one's client. */
static void test_case_12__an_entry_of_another_answers_nobody_here(void)
{
    struct cell *c = cell_new();
    char *text = large_text();
    struct replica_view view;
    uint64_t slot, stream;
    int first, second;

    c->config.lease_ms = 1000; /* whoever lost it leads for as long again */
    cell_start_all(c);
    first = cell_leader(c);
    cell_run(c, 300);
    speaker = first;
    hearer = (first + 1) % CELL_MEMBERS;
    c->intercept = only_one_hears;
    (void)cell_put(c, first, "/first-1", text);
    (void)cell_put(c, first, "/first-2", text);
    cell_run(c, 3);
    cell_view(c, hearer, &view);
    slot = view.last_slot;
    cell_view(c, first, &view);
    CU_ASSERT_EQUAL_FATAL(slot, view.last_slot);
    CU_ASSERT_EQUAL_FATAL(slot, view.chosen + 2);
    cell_crash(c, first);
    c->intercept = NULL;
    c->members[hearer].cut = true;
    second = cell_leader(c);
    c->members[second].cut = true;
    stream = cell_put(c, second, "/second", "mine");
    cell_run(c, 1);
    cell_view(c, second, &view);
    CU_ASSERT_EQUAL_FATAL(view.last_slot, slot);
    c->members[hearer].cut = false;
    while (cell_leader(c) == second)
        cell_run(c, 1);
    cell_run(c, 10);
    cell_view(c, second, &view);
    CU_ASSERT_STRING_EQUAL(view.role, "leader"); /* still, as it thinks */
    hearer = second;
    c->intercept = only_values;
    c->members[second].cut = false;
    cell_run(c, 600);
    c->intercept = NULL;
    cell_view(c, second, &view);
    CU_ASSERT_TRUE(view.applied > slot);
    CU_ASSERT_NOT_EQUAL(cell_put_answer(c, stream), OK);
    CU_ASSERT_STRING_EQUAL(cell_get(c, cell_leader(c), "/second", 100), "");
    free(text);
    cell_free(c);
}

/* ---- clocks ---- */

/* Unix time jumps by a year, to and fro, at all servers or at one. */
static void test_case_21__a_wall_clock_that_jumps_ends_no_session(void)
{
    static const int64_t year_ms = 365LL * 24 * 3600 * 1000;
    struct cell *c = started();
    int leader = cell_leader(c);
    struct cell_session s = cell_session(c, leader, 1);
    uint64_t ballot, seq = 0;
    struct replica_view view;

    cell_view(c, leader, &view);
    ballot = view.ballot;
    for (int turn = 0; turn < 6; turn++) {
        c->wall_offset_ms = turn % 2 == 0 ? year_ms : -year_ms;
        cell_change(c, &s, &seq, 2);
        live_on(c, leader, &s, BEAT_MS);
    }
    cell_view(c, leader, &view);
    CU_ASSERT_EQUAL(view.ballot, ballot);
    cell_settle(c);
    cell_free(c);
}

static const struct test_case cases[] = {
    TEST(test_case_02__a_deposed_leader_keeps_no_session_alive),
    TEST(test_case_02__a_deposed_leader_ends_no_session),
    TEST(test_case_04__a_leader_that_slept_shows_nothing_old),
    TEST(test_case_12__an_entry_of_another_answers_nobody_here),
    TEST(test_case_21__a_wall_clock_that_jumps_ends_no_session),
};

int main(int argc, char **argv)
{
    return run_suite("cases_reigns", cases, sizeof cases / sizeof *cases, argc, argv);
}
