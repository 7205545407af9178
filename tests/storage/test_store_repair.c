/* test_store_repair.c - a log that is damaged gives way to an empty one that knows
 * how far it reached, and what was promised stands; where that is not sure, nothing
 * is changed. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcoord/base/check.h"
#include "tests/storage/fixture.h"
#include "tests/support/runner.h"

enum { PAGE_BYTES = 4096, SLOTS = 60, PROMISED = 131074 };

static void commit(struct store *s, enum effect_kind kind, uint64_t number)
{
    struct effect e = {.kind = kind};

    e.ballot = kind == EFFECT_PERSIST_PROMISE ? number : 0;
    e.lease_ms = kind == EFFECT_PERSIST_LEASE ? (uint32_t)number : 0;
    e.last_slot = kind == EFFECT_PERSIST_FLOOR ? number : 0;
    CU_ASSERT_EQUAL_FATAL(store_commit(s, &e, 1), STORE_OK);
}

/* Floor 10, slots up to SLOTS, all of them in the database or the last 20 in the
 * -wal only; a promise, a lease, in use. */
static void make(struct fixture *f, bool all_moved)
{
    struct store *s;

    fixture_make(f);
    s = fixture_start(f);
    CU_ASSERT_EQUAL(store_mark_used(s), STORE_OK);
    commit(s, EFFECT_PERSIST_PROMISE, PROMISED);
    commit(s, EFFECT_PERSIST_LEASE, 350);
    fixture_fill(s, 1, SLOTS - 20);
    commit(s, EFFECT_PERSIST_FLOOR, 10);
    store_close(s);
    s = fixture_open(f, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    fixture_fill(s, SLOTS - 19, SLOTS);
    store_close(s);
    if (all_moved)
        store_close(fixture_open(f, NULL));
}

/* As a server does at its start. */
static enum store_result start(struct fixture *f)
{
    enum store_result r;
    uint64_t last;
    struct store *s = fixture_open(f, &r);

    if (s != NULL) {
        r = fixture_read(s, 1, &last);
        snprintf(f->why, sizeof f->why, "%s", store_why(s));
    }
    store_close(s);
    return r;
}

static enum store_result repair(struct fixture *f)
{
    f->why[0] = '\0';
    return store_repair(f->directory, &f->options, f->why, sizeof f->why);
}

static struct replica_durable check_head(struct store *s)
{
    struct replica_durable durable = fixture_durable(s);

    CU_ASSERT_EQUAL(durable.promised, PROMISED);
    CU_ASSERT_EQUAL(durable.longest_lease_ms, 350);
    CU_ASSERT_EQUAL(durable.used, 1);
    return durable;
}

/* Damaged up to `last`, at this start and the next, until the floor is there. */
static void check_repaired(struct fixture *f, uint64_t last)
{
    struct replica_durable durable;
    struct store *s;
    uint64_t found;

    for (int i = 0; i < 3; i++) {
        s = fixture_open(f, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(s);
        durable = check_head(s);
        CU_ASSERT_TRUE(durable.log_damaged);
        CU_ASSERT_EQUAL(durable.last_slot, last);
        CU_ASSERT_EQUAL(durable.floor, 10);
        CU_ASSERT_EQUAL(fixture_read(s, 1, &found), STORE_OK);
        CU_ASSERT_EQUAL(found, 0);
        if (i == 1) /* below it, that is not enough */
            commit(s, EFFECT_PERSIST_FLOOR, 10);
        if (i == 2)
            commit(s, EFFECT_PERSIST_FLOOR, last + 5);
        store_close(s);
    }
    for (int i = 0; i < 2; i++) {
        s = fixture_open(f, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(s);
        durable = check_head(s);
        CU_ASSERT_FALSE(durable.log_damaged);
        CU_ASSERT_EQUAL(durable.floor, last + 5);
        if (i == 0)
            fixture_fill(s, last + 6, last + 9);
        CU_ASSERT_EQUAL(fixture_read(s, 1, &found), STORE_OK);
        CU_ASSERT_EQUAL(found, last + 9);
        store_close(s);
    }
}

static uint64_t root_of_log(struct fixture *f)
{
    return (fixture_ask(f, "log.db", "SELECT rootpage FROM sqlite_schema WHERE name = 'log'") - 1) *
           PAGE_BYTES;
}

/* The -wal holds pages that a damaged database would be given back. A start later it
 * holds but the log's length, and one more commit. */
static void drop_healing(struct fixture *f)
{
    struct store *s = fixture_open(f, NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    commit(s, EFFECT_PERSIST_LEASE, 350);
    store_close(s);
}

/* ---- rows ---- */

static void test_store_repair__a_damaged_row_costs_the_log_and_nothing_else(void)
{
    static const char *const changes[] = {
        "UPDATE log SET value = zeroblob(200) WHERE slot = 11",
        "UPDATE log SET value = zeroblob(200) WHERE slot = 35",
        "UPDATE log SET value = zeroblob(200) WHERE slot = 60",
        "UPDATE log SET ballot = ballot + 1 WHERE slot = 35",
        "UPDATE log SET checksum = 0 WHERE slot > 10",
        "DELETE FROM log WHERE slot = 11",
        "DELETE FROM log WHERE slot = 35",
        "DELETE FROM log WHERE slot > 50",
        "DELETE FROM log",
        /* The last one claims another slot. */
        "UPDATE log SET slot = 1000000 WHERE slot = 60",
        "DELETE FROM log WHERE slot = 5; UPDATE log SET slot = 5 WHERE slot = 60",
    };

    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct fixture f;

        make(&f, true);
        fixture_execute(&f, "log.db", changes[i]);
        CU_ASSERT_EQUAL(start(&f), STORE_CORRUPT);
        CU_ASSERT_EQUAL(repair(&f), STORE_OK);
        CU_ASSERT_TRUE(fixture_size(&f, STORE_LOG_DAMAGED) > 0);
        check_repaired(&f, SLOTS);
        fixture_remove(&f);
    }
}

static void test_store_repair__a_flipped_bit_in_a_row_is_repaired(void)
{
    static const uint64_t slots[] = {11, 37, SLOTS};

    for (size_t i = 0; i < 3; i++) {
        struct blob *value = fixture_value(slots[i], 200);
        static uint8_t page[PAGE_BYTES];
        struct fixture f;
        uint32_t found = 0; /* copies: some may lie where a page was split */

        make(&f, true);
        fixture_empty_wal(&f, "log.db");
        for (uint64_t at = 0; at < fixture_size(&f, "log.db"); at += PAGE_BYTES) {
            fixture_read_bytes(&f, "log.db", at, page, sizeof page);
            for (size_t b = 0; b + 200 <= PAGE_BYTES; b++) {
                if (memcmp(page + b, value->data, 200) != 0)
                    continue;
                fixture_flip(&f, "log.db", at + b + 100, 3);
                found++;
            }
        }
        CU_ASSERT_TRUE(found > 0);
        CU_ASSERT_EQUAL(start(&f), STORE_CORRUPT);
        CU_ASSERT_EQUAL(repair(&f), STORE_OK);
        check_repaired(&f, SLOTS);
        blob_unref(value);
        fixture_remove(&f);
    }
}

/* ---- pages ---- */

/* The root leads to all rows. */
static void test_store_repair__a_destroyed_inner_page_is_repaired(void)
{
    static const uint8_t rubbish[PAGE_BYTES] = {0xa7};
    uint64_t root;
    struct fixture f;

    make(&f, true);
    root = root_of_log(&f); /* asking empties the -wal */
    fixture_remove(&f);
    make(&f, true);
    drop_healing(&f);
    fixture_write_bytes(&f, "log.db", root, rubbish, sizeof rubbish);
    CU_ASSERT_EQUAL(start(&f), STORE_CORRUPT);
    CU_ASSERT_EQUAL(repair(&f), STORE_OK);
    check_repaired(&f, SLOTS);
    fixture_remove(&f);
}

/* Any page but the first three, in any way: the log is repaired, or it was no damage. */
static void test_store_repair__any_page_of_the_log_may_be_destroyed(void)
{
    static const uint8_t rubbish[PAGE_BYTES] = {0x0d, 0xff, 0xff};
    struct fixture f;
    uint64_t size;
    uint32_t repaired = 0;

    make(&f, true);
    size = fixture_size(&f, "log.db");
    fixture_remove(&f);
    for (uint64_t at = 4 * PAGE_BYTES; at < size; at += PAGE_BYTES) {
        make(&f, true);
        fixture_write_bytes(&f, "log.db", at, rubbish, sizeof rubbish);
        if (start(&f) == STORE_CORRUPT) {
            CU_ASSERT_EQUAL(repair(&f), STORE_OK);
            check_repaired(&f, SLOTS);
            repaired++;
        }
        fixture_remove(&f);
    }
    CU_ASSERT_TRUE(repaired >= 3);
}

/* Neither the table, nor a -wal: rows behind number 4 may have been there. */
static void test_store_repair__an_end_that_nobody_knows_is_not_guessed(void)
{
    static const uint8_t rubbish[PAGE_BYTES] = {0xa7};
    struct fixture f;
    uint64_t root;

    make(&f, true);
    root = root_of_log(&f);
    fixture_empty_wal(&f, "log.db");
    fixture_write_bytes(&f, "log.db", root, rubbish, sizeof rubbish);
    CU_ASSERT_EQUAL(start(&f), STORE_CORRUPT);
    /* Opening has begun the -wal anew, if at all: nothing is in it. */
    CU_ASSERT_EQUAL(repair(&f), STORE_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "end"));
    CU_ASSERT_EQUAL(fixture_size(&f, STORE_LOG_DAMAGED), 0);
    fixture_remove(&f);
}

/* ---- what nobody can make good ---- */

static void test_store_repair__a_lost_promise_or_identity_is_not_repaired(void)
{
    static const char *const changes[] = {
        "UPDATE number SET value = 1 WHERE name = 1",
        "UPDATE number SET checksum = 1 WHERE name = 2",
        "UPDATE identity SET incarnation = incarnation + 1",
        "UPDATE member SET id = 9 WHERE id = 1",
    };

    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct fixture f;

        make(&f, true);
        fixture_execute(&f, "log.db", "DELETE FROM log WHERE slot = 35");
        fixture_execute(&f, "log.db", changes[i]);
        CU_ASSERT_EQUAL(start(&f), STORE_CORRUPT);
        CU_ASSERT_EQUAL(repair(&f), STORE_CORRUPT);
        CU_ASSERT_TRUE(strstr(f.why, "identity") != NULL || strstr(f.why, "number") != NULL);
        CU_ASSERT_EQUAL(fixture_size(&f, STORE_LOG_DAMAGED), 0);
        fixture_remove(&f);
    }
}

/* A bit of the page's count of rows: those that are left have right checksums. */
static void test_store_repair__a_number_that_a_page_has_lost_is_missed(void)
{
    uint64_t root;
    struct fixture f;
    uint8_t count;

    make(&f, true);
    root = (fixture_ask(&f, "log.db", "SELECT rootpage FROM sqlite_schema WHERE name = 'number'") -
            1) *
           PAGE_BYTES;
    fixture_empty_wal(&f, "log.db");
    fixture_read_bytes(&f, "log.db", root + 4, &count, 1);
    CU_ASSERT_EQUAL(count, 5);
    for (count = 0; count < 5; count++) {
        fixture_write_bytes(&f, "log.db", root + 4, &count, 1);
        CU_ASSERT_EQUAL(start(&f), STORE_CORRUPT);
        CU_ASSERT_EQUAL(repair(&f), STORE_CORRUPT);
    }
    fixture_remove(&f);
}

static void test_store_repair__a_damaged_wal_is_not_repaired(void)
{
    struct fixture f;

    make(&f, false);
    fixture_flip(&f, "log.db-wal", 32 + 5 * (PAGE_BYTES + 24) + 1000, 2);
    CU_ASSERT_EQUAL(start(&f), STORE_CORRUPT);
    CU_ASSERT_EQUAL(repair(&f), STORE_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "frame"));
    fixture_remove(&f);
}

static void test_store_repair__a_member_without_others_is_not_repaired(void)
{
    struct store_identity alone = fixture_identity();
    struct fixture f;

    fixture_make(&f);
    alone.members[0] = alone.members[1];
    alone.members_count = 1;
    CU_ASSERT_EQUAL_FATAL(store_initialise(f.directory, &alone, &f.options, f.why, sizeof f.why),
                          STORE_OK);
    CU_ASSERT_EQUAL(repair(&f), STORE_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "no other member"));
    fixture_remove(&f);
}

static void test_store_repair__a_directory_in_use_is_left_alone(void)
{
    struct fixture f;
    struct store *s;

    fixture_make(&f);
    s = fixture_start(&f);
    CU_ASSERT_NOT_EQUAL(repair(&f), STORE_OK);
    store_close(s);
    fixture_remove(&f);
}

/* ---- again ---- */

static void test_store_repair__the_next_damage_forgets_nothing_of_the_last(void)
{
    struct fixture f;

    make(&f, true);
    fixture_execute(&f, "log.db", "DELETE FROM log WHERE slot = 35");
    CU_ASSERT_EQUAL(repair(&f), STORE_OK);
    CU_ASSERT_EQUAL(fixture_ask(&f, STORE_LOG_DAMAGED, "SELECT max(slot) FROM log"), SLOTS);
    CU_ASSERT_EQUAL(repair(&f), STORE_OK);
    CU_ASSERT_EQUAL(fixture_ask(&f, STORE_LOG_DAMAGED, "SELECT max(slot) FROM log"), 0);
    check_repaired(&f, SLOTS);
    fixture_remove(&f);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_store_repair__a_damaged_row_costs_the_log_and_nothing_else),
        TEST(test_store_repair__a_flipped_bit_in_a_row_is_repaired),
        TEST(test_store_repair__a_destroyed_inner_page_is_repaired),
        TEST(test_store_repair__any_page_of_the_log_may_be_destroyed),
        TEST(test_store_repair__an_end_that_nobody_knows_is_not_guessed),
        TEST(test_store_repair__a_lost_promise_or_identity_is_not_repaired),
        TEST(test_store_repair__a_number_that_a_page_has_lost_is_missed),
        TEST(test_store_repair__a_damaged_wal_is_not_repaired),
        TEST(test_store_repair__a_member_without_others_is_not_repaired),
        TEST(test_store_repair__a_directory_in_use_is_left_alone),
        TEST(test_store_repair__the_next_damage_forgets_nothing_of_the_last),
    };
    return run_suite("store_repair", cases, sizeof cases / sizeof cases[0], argc, argv);
}
