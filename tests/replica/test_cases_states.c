/* test_cases_states.c - cases of docs/testing.md, "Cases that broke others", in a cell
 * of five whole replicas: states that are saved and sent, watches that come back. */
#include <CUnit/CUnit.h>
#include <stdlib.h>

#include "tests/replica/cell.h"
#include "tests/support/runner.h"

enum { SETTLE_MS = 1500, CHANGES = 12, EARLIER_MAX = 64 };

static const int OK = COORD__V1__STATUS__OK;

/* ---- states that are sent ---- */

static int away = -1;
static uint64_t first_number;
static bool another;
static struct blob *earlier[EARLIER_MAX];
static int earlier_count;

/* Copies of what belongs to the first transfer; and whether there is another. */
static bool copy_first_transfer(struct cell *c, const struct cell_letter *l)
{
    Coord__V1__Message *m;

    (void)c;
    if (l->to != away)
        return false;
    m = cell_message(l);
    if (m->body_case == COORD__V1__MESSAGE__BODY_TRANSFERRED && m->transferred->slot != 0) {
        if (first_number == 0)
            first_number = m->transferred->number;
        another = another || m->transferred->number != first_number;
        if (m->transferred->number == first_number && earlier_count < EARLIER_MAX)
            earlier[earlier_count++] = blob_ref(l->bytes);
    }
    coord__v1__message__free_unpacked(m, NULL);
    return false;
}

static void drop_copies(void)
{
    for (int i = 0; i < earlier_count; i++)
        blob_unref(earlier[i]);
    earlier_count = 0;
    first_number = 0;
    another = false;
}

static struct cell *with_short_logs(void)
{
    struct cell *c = cell_new();

    c->config.log_keep_entries = 4;
    c->config.checkpoint_slots = 20;
    c->config.log_keep_slots = 5;
    cell_start_all(c);
    (void)cell_leader(c);
    return c;
}

static uint64_t change_all(struct cell *c, uint8_t nonce, int count)
{
    struct cell_session s = cell_session(c, cell_leader(c), nonce);
    uint64_t seq = 0;
    struct replica_view view;

    cell_change(c, &s, &seq, count);
    cell_run(c, 50);
    cell_view(c, cell_leader(c), &view);
    return view.applied;
}

static void come_again(struct cell *c, int from)
{
    struct replica_event late = {.kind = REPLICA_EVENT_PEER_MESSAGE, .peer = (uint32_t)from + 1};

    for (int i = 0; i < earlier_count; i++) {
        late.bytes = blob_slice(earlier[i]);
        cell_step(c, away, &late);
        cell_run(c, 1);
    }
}

/* Two states are sent, one soon after the other; what is late of the first one comes
 * after the second. */
static void test_case_09__what_is_late_of_one_state_does_not_disturb_the_next(void)
{
    struct cell *c = with_short_logs();
    int leader = cell_leader(c);

    away = (leader + 1) % CELL_MEMBERS;
    c->members[away].cut = true;
    (void)change_all(c, 1, 150);
    c->intercept = copy_first_transfer;
    c->members[away].cut = false;
    for (int t = 0; t < 2000 && earlier_count < 2; t++)
        cell_run(c, 1);
    CU_ASSERT_TRUE_FATAL(earlier_count >= 2);
    c->members[away].cut = true; /* in the middle of it */
    cell_crash(c, leader);
    (void)change_all(c, 2, 150);
    c->members[away].cut = false;
    for (int t = 0; t < 6000 && !another; t++)
        cell_run(c, 1);
    CU_ASSERT_TRUE_FATAL(another);
    come_again(c, leader); /* in the middle of the second */
    cell_run(c, 2 * SETTLE_MS);
    CU_ASSERT_TRUE(c->members[away].saved.durable.slot > 200);
    CU_ASSERT_TRUE(cell_same_state(c, cell_leader(c), away));
    c->intercept = NULL;
    come_again(c, leader);
    cell_start(c, leader);
    drop_copies();
    (void)change_all(c, 3, 5);
    cell_settle(c);
    cell_free(c);
}

/* While the state that came is being saved, the log gets there by another way. */
static void test_case_09__a_state_is_not_installed_over_a_newer_one(void)
{
    struct cell *c = with_short_logs();
    int leader = cell_leader(c), keeper = (leader + 2) % CELL_MEMBERS;
    struct replica_view view;
    uint64_t saved;

    away = (leader + 1) % CELL_MEMBERS;
    c->members[away].cut = true;
    c->members[keeper].save_stuck = true; /* so it keeps all of its log */
    (void)change_all(c, 1, 100);
    c->members[away].save_stuck = true;
    saved = c->members[away].saved.durable.slot;
    c->members[away].cut = false;
    for (int t = 0; t < 2000 && c->members[away].saved.durable.slot == saved; t++)
        cell_run(c, 1);
    CU_ASSERT_TRUE_FATAL(c->members[away].saved.durable.slot > saved);
    cell_hand_over(c, leader, keeper);
    (void)change_all(c, 2, 10);
    cell_run(c, SETTLE_MS);
    cell_view(c, away, &view);
    CU_ASSERT_TRUE_FATAL(view.applied > c->members[away].saved.durable.slot);
    c->members[away].save_stuck = c->members[keeper].save_stuck = false;
    (void)change_all(c, 3, 5);
    cell_settle(c);
    cell_crash(c, away);
    cell_start(c, away);
    cell_settle(c);
    cell_free(c);
}

/* Members die while they save, and go on from what was saved and the log behind it:
 * the slot that a saved state names is the one that it is of. */
static void test_case_01__a_start_goes_on_from_the_slot_that_was_saved(void)
{
    struct cell *c = with_short_logs();
    int leader = cell_leader(c), restarts = 0;
    struct cell_session s = cell_session(c, leader, 1);
    uint64_t seq = 0;

    for (int turn = 0; turn < 40; turn++) {
        int who = (leader + 1 + turn % (CELL_MEMBERS - 1)) % CELL_MEMBERS;

        cell_change(c, &s, &seq, 3);
        restarts += c->members[who].saved.durable.slot > 0;
        cell_crash(c, who);
        cell_start(c, who);
        cell_run(c, 60);
        CU_ASSERT_TRUE(cell_same_state(c, leader, who));
    }
    CU_ASSERT_TRUE(restarts > 20);
    cell_settle(c);
    cell_free(c);
}

/* ---- watches ---- */

static Coord__V1__SessionReply *watch_from(struct cell *c, const struct cell_session *s,
                                           uint64_t id, uint64_t known)
{
    Coord__V1__SessionRequest m = COORD__V1__SESSION_REQUEST__INIT;
    Coord__V1__Request request = COORD__V1__REQUEST__INIT, *requests[1] = {&request};
    Coord__V1__Watch w = COORD__V1__WATCH__INIT;

    w.id = id;
    w.path = (char *)(uintptr_t) "/";
    w.subtree = w.content = 1;
    w.known_revision = known;
    request.kind_case = COORD__V1__REQUEST__KIND_WATCH;
    request.watch = &w;
    request.seq = id;
    m.requests = requests;
    m.n_requests = 1;
    cell_send(c, s->stream, &m.base);
    cell_run(c, 10);
    return cell_replies(c, s->stream);
}

/* Each revision behind `known` once, and in order: one change makes one event here. */
static void expect_all_behind(const Coord__V1__SessionReply *reply, uint64_t known, uint64_t last)
{
    uint64_t next = known + 1;

    for (size_t i = 0; i < reply->n_items; i++) {
        const Coord__V1__Event *e = reply->items[i]->event;

        if (reply->items[i]->kind_case != COORD__V1__ITEM__KIND_EVENT)
            continue;
        CU_ASSERT_NOT_EQUAL(e->kind, COORD__V1__EVENT__KIND__RESYNC);
        CU_ASSERT_EQUAL(e->revision, next);
        next = e->revision + 1;
    }
    CU_ASSERT_EQUAL(next, last + 1);
}

/* Watches come back with every revision that they may know, to a leader that began
 * with a checkpoint and the rest of a log that was cut. */
static void test_case_14__watches_that_come_back_miss_and_repeat_nothing(void)
{
    struct cell *c = with_short_logs();
    struct cell_session s = cell_session(c, cell_leader(c), 1);
    struct replica_view view;
    uint64_t seq = 0, first, last;
    int next = (cell_leader(c) + 1) % CELL_MEMBERS;

    cell_view(c, cell_leader(c), &view);
    first = view.revision;
    cell_change(c, &s, &seq, 45);
    cell_run(c, 100);
    CU_ASSERT_TRUE_FATAL(c->members[next].saved.durable.slot > 0);
    cell_crash(c, next);
    cell_start(c, next);
    cell_run(c, 500);
    cell_hand_over(c, cell_leader(c), next);
    CU_ASSERT_EQUAL_FATAL(cell_attach(c, next, &s), OK);
    cell_change(c, &s, &seq, CHANGES);
    coord__v1__session_reply__free_unpacked(cell_replies(c, s.stream), NULL);
    cell_view(c, next, &view);
    last = view.revision;
    CU_ASSERT_EQUAL(last, first + seq);
    for (uint64_t known = first; known <= last; known++) {
        Coord__V1__SessionReply *reply = watch_from(c, &s, 1000 + known, known);

        expect_all_behind(reply, known, last);
        coord__v1__session_reply__free_unpacked(reply, NULL);
    }
    cell_free(c);
}

static const struct test_case cases[] = {
    TEST(test_case_09__what_is_late_of_one_state_does_not_disturb_the_next),
    TEST(test_case_09__a_state_is_not_installed_over_a_newer_one),
    TEST(test_case_01__a_start_goes_on_from_the_slot_that_was_saved),
    TEST(test_case_14__watches_that_come_back_miss_and_repeat_nothing),
};

int main(int argc, char **argv)
{
    return run_suite("cases_states", cases, sizeof cases / sizeof *cases, argc, argv);
}
