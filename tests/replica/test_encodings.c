/* test_encodings.c - checkpoints that say with which encoding of the state their hash was
 * made, and when that is judged: at a start, and by who is sent the state. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "coordd/state/state.h"
#include "tests/replica/cell.h"
#include "tests/support/runner.h"

enum {
    OTHER = STATE_ENCODING + 1,
    CHANGES = 40,
    SOON_MS = 1000,
    LONG_MS = 8000,
    NEVER_MS = 60 * 60 * 1000,
    ENCODING_AT = 4, /* in what a checkpoint says of itself, behind the version */
    HASH_AT = 16,
};

/* Some changes, which all have saved, and which are not in the logs any more. */
static struct cell *cell_that_saved(void)
{
    struct cell *c = cell_new();
    struct cell_session s;
    uint64_t seq = 0;

    c->config.compare_ms = NEVER_MS; /* no slots but those of the changes */
    c->config.checkpoint_slots = 10;
    c->config.log_keep_slots = 5;
    c->config.log_keep_entries = 4;
    cell_start_all(c);
    s = cell_session(c, cell_leader(c), 1);
    cell_change(c, &s, &seq, CHANGES);
    cell_settle(c);
    for (int i = 0; i < CELL_MEMBERS; i++)
        CU_ASSERT_TRUE_FATAL(c->members[i].saved.durable.slot > 20);
    return c;
}

/* Another encoding would have given another hash. */
static void spoil_hash(struct cell *c, int i)
{
    c->members[i].saved.durable.about.data[HASH_AT] ^= 1;
}

/* What this member saved, loaded by a program of that encoding. */
static enum err loaded_by(struct cell *c, int i, uint32_t encoding)
{
    struct replica_config config = c->config;
    struct replica *r;
    const char *why;
    enum err e;

    config.self = (uint32_t)i + 1;
    config.incarnation = (uint64_t)i + 90; /* as the cell knows it */
    config.state_encoding = encoding;
    CU_ASSERT_EQUAL_FATAL(replica_new(&config, &c->members[i].durable, &r, &why), ERR_OK);
    e = cell_load_saved(&c->members[i].saved.durable, r);
    replica_free(r);
    return e;
}

static void test_encodings__a_hash_is_judged_by_who_has_its_encoding(void)
{
    struct cell *c = cell_that_saved();

    CU_ASSERT_EQUAL(loaded_by(c, 0, STATE_ENCODING), ERR_OK);
    CU_ASSERT_EQUAL(loaded_by(c, 0, OTHER), ERR_OK);
    spoil_hash(c, 0);
    CU_ASSERT_EQUAL(loaded_by(c, 0, STATE_ENCODING), ERR_INVALID);
    CU_ASSERT_EQUAL(loaded_by(c, 0, OTHER), ERR_OK);
    cell_free(c);
}

/* The rest is judged by everybody. */
static void test_encodings__what_fits_nothing_is_refused_by_all(void)
{
    struct cell *c = cell_that_saved();
    struct buffer *about = &c->members[0].saved.durable.about;

    about->length--;
    CU_ASSERT_EQUAL(loaded_by(c, 0, OTHER), ERR_INVALID);
    about->length++;
    c->members[0].saved.durable.slot++;
    CU_ASSERT_EQUAL(loaded_by(c, 0, OTHER), ERR_INVALID);
    c->members[0].saved.durable.slot--;
    memset(about->data + ENCODING_AT, 0, sizeof(uint32_t));
    CU_ASSERT_EQUAL(loaded_by(c, 0, OTHER), ERR_INVALID);
    cell_free(c);
}

/* As it was before the number was there. */
static void take_number_out(struct cell *c, int i)
{
    struct buffer *about = &c->members[i].saved.durable.about;
    size_t behind = ENCODING_AT + sizeof(uint32_t);

    memmove(about->data + ENCODING_AT, about->data + behind, about->length - behind);
    about->length -= sizeof(uint32_t);
    memset(about->data, 0, ENCODING_AT);
    about->data[0] = 1;
}

static void test_encodings__one_that_does_not_say_is_judged_by_all(void)
{
    struct cell *c = cell_that_saved();

    for (int i = 0; i < CELL_MEMBERS; i++) {
        cell_crash(c, i);
        take_number_out(c, i);
        CU_ASSERT_EQUAL(loaded_by(c, i, STATE_ENCODING), ERR_OK);
    }
    cell_start_all(c);
    CU_ASSERT_EQUAL(cell_put_done(c, cell_leader(c), "/later", "x"), COORD__V1__STATUS__OK);
    cell_settle(c);
    c->members[0].saved.durable.about.data[HASH_AT - sizeof(uint32_t)] ^= 1;
    CU_ASSERT_EQUAL(loaded_by(c, 0, STATE_ENCODING), ERR_INVALID);
    cell_free(c);
}

/* One was away, and is sent a state whose hash is not what a program of the first encoding
 * computes. */
static void send_to_one_of(uint32_t encoding, bool taken)
{
    struct cell *c = cell_that_saved();
    struct cell_session s = cell_session(c, cell_leader(c), 2);
    int away = (cell_leader(c) + 1) % CELL_MEMBERS;
    struct replica_view view;
    uint64_t seq = 0;

    cell_crash(c, away);
    cell_change(c, &s, &seq, CHANGES);
    cell_run(c, SOON_MS);
    for (int i = 0; i < CELL_MEMBERS; i++)
        if (i != away)
            spoil_hash(c, i);
    c->config.state_encoding = encoding;
    cell_start(c, away);
    cell_run(c, LONG_MS);
    CU_ASSERT_EQUAL(cell_same_state(c, away, cell_leader(c)), taken);
    cell_view(c, away, &view);
    if (taken) {
        CU_ASSERT_TRUE(view.checkpoint > CHANGES);
        CU_ASSERT_EQUAL(loaded_by(c, away, OTHER), ERR_OK); /* it is stored as it was sent */
        CU_ASSERT_EQUAL(loaded_by(c, away, STATE_ENCODING), ERR_INVALID);
    }
    cell_free(c);
}

static void test_encodings__a_state_that_is_sent_is_judged_alike(void)
{
    send_to_one_of(OTHER, true);
    send_to_one_of(STATE_ENCODING, false);
}

/* What it saves next is all its own. */
static void test_encodings__the_next_checkpoint_is_whole_and_says_the_new_number(void)
{
    struct cell *c = cell_that_saved();
    struct cell_session s;
    uint64_t seq = 0;

    for (int i = 0; i < CELL_MEMBERS; i++) {
        cell_crash(c, i);
        spoil_hash(c, i);
    }
    c->config.state_encoding = OTHER;
    cell_start_all(c);
    for (int i = 0; i < CELL_MEMBERS; i++)
        for (uint32_t k = 0; k < c->members[i].saved.durable.count; k++)
            buffer_clear(&c->members[i].saved.durable.records[k].value); /* nothing of it is kept */
    s = cell_session(c, cell_leader(c), 3);
    cell_change(c, &s, &seq, CHANGES);
    cell_settle(c);
    for (int i = 0; i < CELL_MEMBERS; i++) {
        CU_ASSERT_EQUAL(loaded_by(c, i, OTHER), ERR_OK);
        CU_ASSERT_EQUAL(c->members[i].saved.durable.about.data[ENCODING_AT], OTHER);
    }
    cell_free(c);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_encodings__a_hash_is_judged_by_who_has_its_encoding),
        TEST(test_encodings__what_fits_nothing_is_refused_by_all),
        TEST(test_encodings__one_that_does_not_say_is_judged_by_all),
        TEST(test_encodings__a_state_that_is_sent_is_judged_alike),
        TEST(test_encodings__the_next_checkpoint_is_whole_and_says_the_new_number),
    };
    return run_suite("encodings", cases, sizeof cases / sizeof cases[0], argc, argv);
}
