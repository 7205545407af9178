/* The judge of consensus finds what is wrong on the disks and in messages. */
#include "tests/sim/said.h"
#include "tests/sim/truth.h"
#include "tests/support/runner.h"

#include <string.h>

#include "coord/v1/replica.pb-c.h"

struct court {
    struct journal journal;
    int64_t now_ns;
    struct truth truth;
    struct disk disks[6]; /* by member id */
    uint64_t sequence;
};

static void take(struct court *c, uint32_t id)
{
    struct disk *d = &c->disks[id];
    CU_ASSERT_TRUE_FATAL(disk_begin(d) > 0);
    disk_finish(d);
}

struct seat {
    struct court *court;
    uint32_t id;
};
static struct seat seats[6];

static void on_write(void *context, const struct disk *d, const struct disk_job *job)
{
    const struct seat *seat = context;
    truth_writes(&seat->court->truth, seat->id, d, job);
}

static void begin(struct court *c)
{
    memset(c, 0, sizeof *c);
    journal_init(&c->journal, &c->now_ns, NULL);
    truth_init(&c->truth, &c->journal, 5, 3);
    for (uint32_t id = 1; id <= 5; id++) {
        seats[id] = (struct seat){c, id};
        disk_init(&c->disks[id], on_write, &seats[id]);
    }
}

static void end(struct court *c)
{
    for (uint32_t id = 1; id <= 5; id++)
        disk_release(&c->disks[id]);
    truth_release(&c->truth);
}

static void promise(struct court *c, uint32_t id, uint64_t ballot)
{
    struct effects e;
    effects_init(&e);
    struct effect *p = effects_add(&e, EFFECT_PERSIST_PROMISE);
    p->sequence = ++c->sequence;
    p->ballot = ballot;
    disk_hand_over(&c->disks[id], e.list, e.count);
    effects_release(&e);
    take(c, id);
}

static void accept(struct court *c, uint32_t id, uint64_t ballot, uint64_t slot, const char *value)
{
    struct effects e;
    effects_init(&e);
    struct effect *p = effects_add(&e, EFFECT_PERSIST_ENTRY);
    p->sequence = ++c->sequence;
    p->entry = (struct log_entry){.slot = slot,
                                  .ballot = ballot,
                                  .kind = ENTRY_BATCH,
                                  .value = blob_copy(slice_of_string(value))};
    disk_hand_over(&c->disks[id], e.list, e.count);
    effects_release(&e);
    take(c, id);
}

static bool fails(const struct court *c)
{
    return c->journal.verdict == VERDICT_SAFETY;
}

static void test_truth__a_quorum_in_one_ballot_chooses(void)
{
    static struct court c;
    begin(&c);
    accept(&c, 1, 10, 1, "a");
    accept(&c, 2, 10, 1, "a");
    CU_ASSERT_EQUAL(c.truth.prefix, 0);
    accept(&c, 3, 10, 1, "a");
    CU_ASSERT_EQUAL(c.truth.prefix, 1);
    CU_ASSERT_FALSE(fails(&c));
    end(&c);
}

/* Three have it, but never in one ballot: nothing is chosen (Lamport 2001, 2.2). */
static void test_truth__a_quorum_over_two_ballots_does_not_choose(void)
{
    static struct court c;
    begin(&c);
    accept(&c, 1, 10, 1, "a");
    accept(&c, 2, 10, 1, "a");
    accept(&c, 3, 20, 1, "a");
    CU_ASSERT_EQUAL(c.truth.prefix, 0);
    end(&c);
}

static void test_truth__slots_count_in_order(void)
{
    static struct court c;
    begin(&c);
    for (uint32_t id = 1; id <= 3; id++)
        accept(&c, id, 10, 2, "b");
    CU_ASSERT_EQUAL(c.truth.prefix, 0);
    for (uint32_t id = 3; id <= 5; id++)
        accept(&c, id, 10, 1, "a");
    CU_ASSERT_EQUAL(c.truth.prefix, 2);
    end(&c);
}

static void test_truth__two_values_in_one_ballot_are_found(void)
{
    static struct court c;
    begin(&c);
    accept(&c, 1, 10, 1, "a");
    accept(&c, 2, 10, 1, "b");
    CU_ASSERT_TRUE(fails(&c));
    end(&c);
}

static void test_truth__a_second_chosen_value_is_found(void)
{
    static struct court c;
    begin(&c);
    for (uint32_t id = 1; id <= 3; id++)
        accept(&c, id, 10, 1, "a");
    for (uint32_t id = 3; id <= 5; id++)
        accept(&c, id, 20, 1, "b");
    CU_ASSERT_TRUE(fails(&c));
    end(&c);
}

static void test_truth__an_accept_below_the_promise_is_found(void)
{
    static struct court c;
    begin(&c);
    promise(&c, 1, 20);
    accept(&c, 1, 10, 1, "a");
    CU_ASSERT_TRUE(fails(&c));
    end(&c);
}

/* What is chosen may be learned from a lower ballot. */
static void test_truth__a_chosen_value_may_be_written_below_the_promise(void)
{
    static struct court c;
    begin(&c);
    promise(&c, 4, 20);
    for (uint32_t id = 1; id <= 3; id++)
        accept(&c, id, 10, 1, "a");
    accept(&c, 4, 10, 1, "a");
    CU_ASSERT_FALSE(fails(&c));
    end(&c);
}

static void test_truth__a_promise_taken_back_is_found(void)
{
    static struct court c;
    begin(&c);
    promise(&c, 1, 20);
    promise(&c, 1, 10);
    CU_ASSERT_TRUE(fails(&c));
    end(&c);
}

static void test_truth__applying_what_is_not_chosen_is_found(void)
{
    static struct court c;
    begin(&c);
    accept(&c, 1, 10, 1, "a");
    truth_view(&c.truth, 1, &(struct replica_view){.chosen = 1, .applied = 1});
    CU_ASSERT_TRUE(fails(&c));
    end(&c);
}

static void test_truth__counting_what_is_of_another_ballot_is_found(void)
{
    static struct court c;
    begin(&c);
    accept(&c, 1, 10, 1, "a");
    truth_counted(&c.truth, 2, 10, 1, 1);
    CU_ASSERT_FALSE(fails(&c));
    truth_counted(&c.truth, 2, 20, 1, 1);
    CU_ASSERT_TRUE(fails(&c));
    end(&c);
}

static void test_truth__counting_what_is_chosen_is_right_in_any_ballot(void)
{
    static struct court c;
    begin(&c);
    for (uint32_t id = 1; id <= 3; id++)
        accept(&c, id, 10, 1, "a");
    truth_counted(&c.truth, 2, 20, 4, 1);
    CU_ASSERT_FALSE(fails(&c));
    truth_counted(&c.truth, 2, 20, 4, 2);
    CU_ASSERT_TRUE(fails(&c));
    end(&c);
}

static void test_truth__states_that_differ_after_one_slot_are_found(void)
{
    static struct court c;
    begin(&c);
    for (uint32_t id = 1; id <= 3; id++)
        accept(&c, id, 10, 1, "a");
    truth_view(&c.truth, 1,
               &(struct replica_view){.chosen = 1, .applied = 1, .state_hash = {1, 2}});
    CU_ASSERT_FALSE(fails(&c));
    truth_view(&c.truth, 2,
               &(struct replica_view){.chosen = 1, .applied = 1, .state_hash = {1, 3}});
    CU_ASSERT_TRUE(fails(&c));
    end(&c);
}

/* ---- messages ---- */

static void say(struct court *c, uint32_t id, Coord__V1__Message *m)
{
    uint8_t body[256], bytes[512];
    Coord__V1__Envelope e = COORD__V1__ENVELOPE__INIT;
    e.body.data = body;
    e.body.len = coord__v1__message__pack(m, body);
    said_check(&c->truth, id, 1, &c->disks[id], 0,
               slice_of(bytes, coord__v1__envelope__pack(&e, bytes)));
}

static void say_accepted(struct court *c, uint32_t id, uint64_t ballot, uint64_t held)
{
    Coord__V1__Message m = COORD__V1__MESSAGE__INIT;
    Coord__V1__Accepted accepted = COORD__V1__ACCEPTED__INIT;
    accepted.ballot = ballot;
    accepted.held = held;
    m.body_case = COORD__V1__MESSAGE__BODY_ACCEPTED;
    m.accepted = &accepted;
    say(c, id, &m);
}

/* Rows 1 and 2 are chosen; member 4 has something older in the second. */
static void two_are_chosen(struct court *c)
{
    begin(c);
    accept(c, 4, 5, 2, "older");
    for (uint32_t id = 1; id <= 3; id++) {
        accept(c, id, 10, 1, "one");
        accept(c, id, 10, 2, "two");
    }
    accept(c, 4, 10, 1, "one");
}

static void test_truth__an_older_row_that_is_offered_as_chosen_is_found(void)
{
    static struct court c;
    struct replica_view view = {.chosen = 2, .applied = 2};
    uint64_t judged = 0;
    two_are_chosen(&c);
    truth_rows(&c.truth, 1, &c.disks[1], &view, &judged);
    CU_ASSERT_FALSE(fails(&c));
    CU_ASSERT_EQUAL(judged, 2);
    judged = 0;
    truth_rows(&c.truth, 4, &c.disks[4], &view, &judged);
    CU_ASSERT_TRUE(fails(&c));
    end(&c);
}

static void test_truth__a_row_below_the_floor_or_about_to_be_replaced_is_nobodys(void)
{
    static struct court c;
    struct replica_view view = {.chosen = 2, .applied = 2, .floor = 2};
    struct effect again = {.kind = EFFECT_PERSIST_ENTRY, .sequence = 1000};
    uint64_t judged = 0;
    two_are_chosen(&c);
    truth_rows(&c.truth, 4, &c.disks[4], &view, &judged);
    CU_ASSERT_FALSE(fails(&c));
    view.floor = judged = 0;
    again.entry = (struct log_entry){
        .slot = 2, .ballot = 10, .kind = ENTRY_BATCH, .value = blob_copy(slice_of_string("two"))};
    CU_ASSERT_TRUE(disk_hand_over(&c.disks[4], &again, 1));
    blob_unref(again.entry.value);
    truth_rows(&c.truth, 4, &c.disks[4], &view, &judged);
    CU_ASSERT_FALSE(fails(&c));
    take(&c, 4);
    truth_rows(&c.truth, 4, &c.disks[4], &view, &judged);
    CU_ASSERT_FALSE(fails(&c));
    CU_ASSERT_EQUAL(judged, 2);
    end(&c);
}

static void test_said__accepted_needs_rows_of_its_ballot(void)
{
    static struct court c;
    begin(&c);
    promise(&c, 1, 10);
    accept(&c, 1, 10, 1, "a");
    say_accepted(&c, 1, 10, 1);
    CU_ASSERT_FALSE(fails(&c));
    say_accepted(&c, 1, 10, 2);
    CU_ASSERT_TRUE(fails(&c));
    end(&c);
}

/* The trap of a cumulative acknowledgement: the row is there, of a dead ballot. */
static void test_said__a_row_of_an_older_ballot_does_not_count(void)
{
    static struct court c;
    begin(&c);
    promise(&c, 1, 10);
    accept(&c, 1, 10, 1, "a");
    promise(&c, 1, 20);
    say_accepted(&c, 1, 20, 1);
    CU_ASSERT_TRUE(fails(&c));
    end(&c);
}

static void test_said__a_promise_before_it_is_durable_is_found(void)
{
    static struct court c;
    Coord__V1__Message m = COORD__V1__MESSAGE__INIT;
    Coord__V1__Promise p = COORD__V1__PROMISE__INIT;
    begin(&c);
    promise(&c, 1, 10);
    p.ballot = 20;
    m.body_case = COORD__V1__MESSAGE__BODY_PROMISE;
    m.promise = &p;
    say(&c, 1, &m);
    CU_ASSERT_TRUE(fails(&c));
    end(&c);
}

static void say_promise(struct court *c, uint32_t id, uint64_t ballot, uint64_t entry_ballot)
{
    Coord__V1__Message m = COORD__V1__MESSAGE__INIT;
    Coord__V1__Promise p = COORD__V1__PROMISE__INIT;
    Coord__V1__Entry entry = COORD__V1__ENTRY__INIT, *entries[1] = {&entry};
    p.ballot = ballot;
    p.done = true;
    entry.slot = 1;
    entry.ballot = entry_ballot;
    p.entries = entries;
    p.n_entries = entry_ballot != 0;
    m.body_case = COORD__V1__MESSAGE__BODY_PROMISE;
    m.promise = &p;
    say(c, id, &m);
}

static void test_said__a_promise_that_leaves_a_row_out_is_found(void)
{
    static struct court c;
    begin(&c);
    promise(&c, 1, 10);
    accept(&c, 1, 10, 1, "a");
    promise(&c, 1, 20);
    say_promise(&c, 1, 20, 10);
    CU_ASSERT_FALSE(fails(&c));
    say_promise(&c, 1, 20, 0);
    CU_ASSERT_TRUE(fails(&c));
    end(&c);
}

static void test_said__a_promise_that_tells_an_older_row_is_found(void)
{
    static struct court c;
    begin(&c);
    promise(&c, 1, 10);
    accept(&c, 1, 10, 1, "a");
    promise(&c, 1, 20);
    say_promise(&c, 1, 20, 5);
    CU_ASSERT_TRUE(fails(&c));
    end(&c);
}

static void test_said__a_chosen_index_above_the_truth_is_found(void)
{
    static struct court c;
    Coord__V1__Message m = COORD__V1__MESSAGE__INIT;
    Coord__V1__Accept a = COORD__V1__ACCEPT__INIT;
    begin(&c);
    promise(&c, 1, 10);
    a.ballot = 10;
    a.chosen = 1;
    m.body_case = COORD__V1__MESSAGE__BODY_ACCEPT;
    m.accept = &a;
    say(&c, 1, &m);
    CU_ASSERT_TRUE(fails(&c));
    end(&c);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_truth__a_quorum_in_one_ballot_chooses),
        TEST(test_truth__a_quorum_over_two_ballots_does_not_choose),
        TEST(test_truth__slots_count_in_order),
        TEST(test_truth__two_values_in_one_ballot_are_found),
        TEST(test_truth__a_second_chosen_value_is_found),
        TEST(test_truth__an_accept_below_the_promise_is_found),
        TEST(test_truth__a_chosen_value_may_be_written_below_the_promise),
        TEST(test_truth__a_promise_taken_back_is_found),
        TEST(test_truth__applying_what_is_not_chosen_is_found),
        TEST(test_truth__counting_what_is_of_another_ballot_is_found),
        TEST(test_truth__counting_what_is_chosen_is_right_in_any_ballot),
        TEST(test_truth__states_that_differ_after_one_slot_are_found),
        TEST(test_truth__an_older_row_that_is_offered_as_chosen_is_found),
        TEST(test_truth__a_row_below_the_floor_or_about_to_be_replaced_is_nobodys),
        TEST(test_said__accepted_needs_rows_of_its_ballot),
        TEST(test_said__a_row_of_an_older_ballot_does_not_count),
        TEST(test_said__a_promise_before_it_is_durable_is_found),
        TEST(test_said__a_promise_that_leaves_a_row_out_is_found),
        TEST(test_said__a_promise_that_tells_an_older_row_is_found),
        TEST(test_said__a_chosen_index_above_the_truth_is_found),
    };
    return run_suite("sim_truth", cases, sizeof cases / sizeof cases[0], argc, argv);
}
