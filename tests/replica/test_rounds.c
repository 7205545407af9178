/* test_rounds.c - a leader that is not to trust its clock, with a lease that lasts: what
 * it says to a session that comes back waits for a round. */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "tests/replica/cell.h"
#include "tests/support/runner.h"

/* The rounds that were lost come again with a heartbeat: a seventh of the lease. */
enum { LEASE_MS = 3000, ROUND_MS = 600, HAND_OVER_MS = 1500 };

static const int OK = COORD__V1__STATUS__OK;
static const int NO_NODE = COORD__V1__STATUS__NO_NODE, THROTTLED = COORD__V1__STATUS__THROTTLED;

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

/* As many of the longest names as a session may watch, behind an Attach that waits: as
 * its client asks for them, in messages of less than one MiB. */
enum { WATCHES = 4096, MESSAGES = 5, PART_BYTES = 250, PARTS = 4, NAME_BYTES = 1025 };

static void name(char path[NAME_BYTES], int number)
{
    memset(path, 'a', NAME_BYTES);
    for (int i = 0; i <= PARTS; i++)
        path[i * PART_BYTES] = '/';
    (void)snprintf(path + PARTS * PART_BYTES, NAME_BYTES - PARTS * PART_BYTES, "/%d", number);
}

static void send_watches(struct cell *c, const struct cell_session *s, int first, int end)
{
    static Coord__V1__Request requests[WATCHES], *pointers[WATCHES];
    static Coord__V1__Watch watches[WATCHES];
    static char paths[WATCHES][NAME_BYTES];
    Coord__V1__SessionRequest m = COORD__V1__SESSION_REQUEST__INIT;

    for (int i = first; i < end; i++) {
        name(paths[i], i);
        coord__v1__watch__init(&watches[i]);
        watches[i].id = (uint64_t)i + 1;
        watches[i].path = paths[i];
        watches[i].content = 1;
        watches[i].known_revision = 1;
        coord__v1__request__init(&requests[i]);
        requests[i].kind_case = COORD__V1__REQUEST__KIND_WATCH;
        requests[i].watch = &watches[i];
        requests[i].seq = (uint64_t)i + 1;
        pointers[i] = &requests[i];
    }
    m.requests = pointers + first;
    m.n_requests = (size_t)(end - first);
    cell_send(c, s->stream, &m.base);
}

static void send_all_watches(struct cell *c, const struct cell_session *s)
{
    for (int i = 0; i < MESSAGES; i++)
        send_watches(c, s, i * WATCHES / MESSAGES, (i + 1) * WATCHES / MESSAGES);
}

/* How many were answered so; all have an answer by then. */
static int watches_answered(struct cell *c, const struct cell_session *s, int all, int status)
{
    int answers = 0, so = 0;

    for (int t = 0; t < ROUND_MS && answers < all; t++) {
        Coord__V1__SessionReply *reply = cell_replies(c, s->stream);

        for (size_t i = 0; i < reply->n_items; i++) {
            const Coord__V1__Item *item = reply->items[i];

            if (item->kind_case != COORD__V1__ITEM__KIND_ANSWERED)
                continue;
            answers++;
            so += (int)item->answered->answer->status == status;
        }
        coord__v1__session_reply__free_unpacked(reply, NULL);
        cell_run(c, 1);
    }
    CU_ASSERT_EQUAL(answers, all);
    return so;
}

static void test_rounds__a_session_comes_back_with_all_the_watches_it_may_have(void)
{
    struct cell *c = started(true);
    int leader = cell_leader(c);
    struct cell_session s = cell_session(c, leader, 1);

    c->members[leader].cut = true;
    CU_ASSERT_EQUAL(cell_attach(c, leader, &s), -1);
    send_all_watches(c, &s);
    CU_ASSERT_FALSE(c->streams[s.stream].closed);
    c->members[leader].cut = false;
    CU_ASSERT_EQUAL(watches_answered(c, &s, WATCHES, NO_NODE), WATCHES);
    cell_free(c);
}

/* It is attached, and what it sent right behind waits for a second round. */
static void test_rounds__who_sends_more_than_may_wait_is_to_ask_again(void)
{
    struct cell *c = started(true);
    int leader = cell_leader(c);
    struct cell_session s = cell_session(c, leader, 1);

    cell_send_attach(c, leader, &s);
    send_all_watches(c, &s);
    for (int t = 0; t < ROUND_MS && c->streams[s.stream].out.length == 0; t++)
        cell_run(c, 1);
    c->members[leader].cut = true;
    CU_ASSERT_EQUAL(watches_answered(c, &s, 0, NO_NODE), 0);
    send_watches(c, &s, 0, WATCHES / MESSAGES);
    CU_ASSERT_EQUAL(watches_answered(c, &s, WATCHES / MESSAGES, THROTTLED), WATCHES / MESSAGES);
    CU_ASSERT_FALSE(c->streams[s.stream].closed);
    cell_free(c);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_rounds__under_a_lease_a_session_comes_back_at_once),
        TEST(test_rounds__without_trust_in_clocks_a_session_comes_back_with_a_round),
        TEST(test_rounds__a_session_comes_back_with_all_the_watches_it_may_have),
        TEST(test_rounds__who_sends_more_than_may_wait_is_to_ask_again),
        TEST(test_rounds__who_hands_over_renews_nothing_that_waited_for_a_round),
    };

    return run_suite("rounds", cases, sizeof cases / sizeof cases[0], argc, argv);
}
