/* test_crowded.c - one that has lost its state, and cannot get another's: how much it
 * takes of what it cannot apply. */
#include <CUnit/CUnit.h>

#include "coordd/paxos/core.h"
#include "tests/support/runner.h"

enum { FLOOR = 15, BOUND = 8, LEADER = 2 };

struct fixture {
    struct paxos *paxos;
    struct paxos_effects out; /* of the last step */
    int64_t now_ns;
    uint32_t taken; /* entries, in that step */
    bool low, gap, answered;
};

static void note_effects(struct fixture *f)
{
    uint64_t sequence = 0;

    f->taken = 0;
    for (uint32_t i = 0; i < f->out.persists_count; i++) {
        f->taken += f->out.persists[i].kind == PAXOS_PERSIST_ENTRY;
        sequence = f->out.persists[i].sequence;
    }
    for (uint32_t i = 0; i < f->out.sends_count; i++) {
        const struct message *m = &f->out.sends[i].message;

        if (m->kind != MESSAGE_ACCEPTED)
            continue;
        f->answered = true;
        f->low = m->low;
        f->gap = m->gap;
    }
    if (sequence != 0) {
        struct paxos_event e = {
            .kind = PAXOS_EVENT_PERSISTED, .now_ns = f->now_ns, .sequence = sequence};
        uint32_t taken = f->taken;

        paxos_effects_clear(&f->out);
        paxos_step(f->paxos, &e, &f->out);
        note_effects(f);
        f->taken += taken;
    }
}

static bool noted(const struct fixture *f, enum paxos_note_kind kind)
{
    for (uint32_t i = 0; i < f->out.notes_count; i++)
        if (f->out.notes[i].kind == kind)
            return true;
    return false;
}

/* One of three, whose log begins behind a state that is not there. */
static void begin(struct fixture *f)
{
    struct paxos_config config = {.ids = {1, 2, 3},
                                  .members_count = 3,
                                  .self = 1,
                                  .incarnation = 9,
                                  .promised = ballot_make(1, LEADER),
                                  .floor = FLOOR,
                                  .last_slot = FLOOR,
                                  .log_unapplied_entries = BOUND};
    const char *why;

    *f = (struct fixture){0};
    paxos_effects_init(&f->out);
    CU_ASSERT_EQUAL_FATAL(paxos_new(&config, &f->paxos, &why), ERR_OK);
    paxos_loaded(f->paxos, 0);
}

static void end(struct fixture *f)
{
    CU_ASSERT_PTR_NULL(paxos_check(f->paxos));
    paxos_effects_release(&f->out);
    paxos_free(f->paxos);
}

/* The leader of this round sends `count` entries, all of this value. */
static void offer(struct fixture *f, uint32_t round, uint64_t first, uint32_t count,
                  struct blob *value)
{
    struct message m = {.kind = MESSAGE_ACCEPT,
                        .ballot = ballot_make(round, LEADER),
                        .previous_slot = first - 1,
                        .chosen = FLOOR,
                        .round = 1};
    struct paxos_event e = {.kind = PAXOS_EVENT_MESSAGE,
                            .now_ns = ++f->now_ns,
                            .from = LEADER,
                            .incarnation = 8,
                            .message = &m};

    for (uint32_t i = 0; i < count; i++) {
        struct log_entry entry = {.slot = first + i, .kind = ENTRY_BATCH, .value = value};

        entry.ballot = m.ballot;
        CU_ASSERT_TRUE(message_add(&m, &entry));
    }
    f->answered = false;
    paxos_effects_clear(&f->out);
    paxos_step(f->paxos, &e, &f->out);
    note_effects(f);
    message_release(&m);
}

static void install(struct fixture *f, uint64_t slot)
{
    const uint8_t nothing_said[9] = {0}; /* of members: neither open nor founded */
    struct paxos_event e = {.kind = PAXOS_EVENT_INSTALL,
                            .now_ns = ++f->now_ns,
                            .slot = slot,
                            .bytes = slice_of(nothing_said, sizeof nothing_said)};

    CU_ASSERT_TRUE_FATAL(paxos_can_install(f->paxos, slot));
    paxos_effects_clear(&f->out);
    paxos_step(f->paxos, &e, &f->out);
    note_effects(f);
}

static void test_crowded__without_a_state_so_many_entries_are_taken_and_no_more(void)
{
    struct blob *value = blob_new(10);
    struct fixture f;

    begin(&f);
    offer(&f, 1, FLOOR + 1, BOUND / 2 - 1, value);
    CU_ASSERT_EQUAL(f.taken, BOUND / 2 - 1);
    CU_ASSERT_FALSE(f.low);
    offer(&f, 1, FLOOR + BOUND / 2, 1, value);
    CU_ASSERT_TRUE(f.low); /* the leader hears of it while there is room for what is small */
    CU_ASSERT_FALSE(paxos_crowded(f.paxos));
    offer(&f, 1, FLOOR + BOUND / 2 + 1, BOUND, value);
    CU_ASSERT_EQUAL(f.taken, BOUND - BOUND / 2);
    CU_ASSERT_TRUE(paxos_crowded(f.paxos));
    CU_ASSERT_EQUAL(paxos_last_slot(f.paxos), FLOOR + BOUND);
    offer(&f, 1, FLOOR + BOUND + 1, BOUND, value);
    CU_ASSERT_EQUAL(f.taken, 0);
    CU_ASSERT_FALSE(noted(&f, PAXOS_NOTE_CROWDED)); /* once was enough */
    CU_ASSERT_TRUE(f.answered);
    CU_ASSERT_TRUE(f.low);
    offer(&f, 1, FLOOR + 2 * BOUND, 1, value);
    CU_ASSERT_FALSE(f.gap); /* else the leader would fill it again and again */
    end(&f);
    blob_unref(value);
}

static void test_crowded__it_says_so_once(void)
{
    struct blob *value = blob_new(10);
    struct fixture f;
    struct message m = {.kind = MESSAGE_ACCEPT, .ballot = ballot_make(1, LEADER)};
    struct paxos_event e = {
        .kind = PAXOS_EVENT_MESSAGE, .from = LEADER, .incarnation = 8, .message = &m};

    begin(&f);
    offer(&f, 1, FLOOR + 1, BOUND - 1, value);
    m.previous_slot = FLOOR + BOUND - 1;
    m.chosen = FLOOR;
    CU_ASSERT_TRUE(message_add(
        &m, &(struct log_entry){
                .slot = FLOOR + BOUND, .ballot = m.ballot, .kind = ENTRY_BATCH, .value = value}));
    paxos_effects_clear(&f.out);
    paxos_step(f.paxos, &e, &f.out);
    CU_ASSERT_TRUE(noted(&f, PAXOS_NOTE_CROWDED));
    message_release(&m);
    end(&f);
    blob_unref(value);
}

static void test_crowded__what_is_large_counts_by_its_bytes(void)
{
    struct blob *value = blob_new(MIB);
    struct fixture f;
    uint32_t taken = 0;

    begin(&f);
    f.paxos->config.log_unapplied_entries = LOG_UNAPPLIED_ENTRIES_DEFAULT;
    for (uint64_t slot = FLOOR + 1; slot <= FLOOR + 200; slot++) {
        offer(&f, 1, slot, 1, value);
        taken += f.taken;
    }
    CU_ASSERT_EQUAL(taken, LOG_UNAPPLIED_BYTES_MAX / MIB);
    CU_ASSERT_TRUE(paxos_crowded(f.paxos));
    end(&f);
    blob_unref(value);
}

/* A later leader's values for the same slots are none more. */
static void test_crowded__what_it_holds_is_replaced_all_the_same(void)
{
    struct blob *value = blob_new(10), *other = blob_new(20);
    struct fixture f;

    begin(&f);
    offer(&f, 1, FLOOR + 1, BOUND + 3, value);
    CU_ASSERT_EQUAL(f.taken, BOUND);
    offer(&f, 2, FLOOR + 1, BOUND + 3, other);
    CU_ASSERT_EQUAL(f.taken, BOUND);
    CU_ASSERT_EQUAL(paxos_last_slot(f.paxos), FLOOR + BOUND);
    end(&f);
    blob_unref(value);
    blob_unref(other);
}

/* Behind the state that it got at last it goes on, whether that is of a slot that it holds
 * or of a later one. */
static void test_crowded__with_a_state_it_goes_on(void)
{
    for (int later = 0; later < 2; later++) {
        struct blob *value = blob_new(10);
        uint64_t slot = FLOOR + (later ? 3 * BOUND : BOUND / 2), last;
        struct fixture f;

        begin(&f);
        offer(&f, 1, FLOOR + 1, BOUND + 3, value);
        CU_ASSERT_TRUE(paxos_crowded(f.paxos));
        install(&f, slot);
        CU_ASSERT_FALSE(paxos_crowded(f.paxos));
        last = paxos_last_slot(f.paxos);
        CU_ASSERT_EQUAL(last, later ? slot : FLOOR + BOUND); /* nothing accepted was dropped */
        offer(&f, 1, last + 1, 2 * BOUND, value);
        CU_ASSERT_EQUAL(f.taken, 2 * BOUND);
        CU_ASSERT_FALSE(f.low);
        end(&f);
        blob_unref(value);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_crowded__without_a_state_so_many_entries_are_taken_and_no_more),
        TEST(test_crowded__it_says_so_once),
        TEST(test_crowded__what_is_large_counts_by_its_bytes),
        TEST(test_crowded__what_it_holds_is_replaced_all_the_same),
        TEST(test_crowded__with_a_state_it_goes_on),
    };
    return run_suite("crowded", cases, sizeof cases / sizeof cases[0], argc, argv);
}
