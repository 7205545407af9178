/* test_store_floor.c - the log begins behind its floor, and what lies below is
 * deleted piece by piece. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/storage/fixture.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/runner.h"

enum { PIECE = 4096, BATCH = 500 };

static enum store_result raise_floor(struct store *s, uint64_t floor)
{
    struct effect effect = {.kind = EFFECT_PERSIST_FLOOR, .last_slot = floor};

    return store_commit(s, &effect, 1);
}

struct range {
    uint64_t first, last;
};

static bool take_range(void *context, const struct log_entry *entry)
{
    struct range *range = context;

    if (range->first == 0)
        range->first = entry->slot;
    range->last = entry->slot;
    return true;
}

/* Reading from the beginning yields just these; 0, 0: none. */
static void check_range(struct store *s, uint64_t first, uint64_t last)
{
    struct range range = {0, 0};

    CU_ASSERT_EQUAL(store_read(s, 1, UINT64_MAX, 0, take_range, &range), STORE_OK);
    CU_ASSERT_EQUAL(range.first, first);
    CU_ASSERT_EQUAL(range.last, last);
}

/* Many entries in one transaction. */
static void fill_fast(struct store *s, uint64_t first, uint64_t last)
{
    struct blob *value = fixture_value(1, 100);

    while (first <= last) {
        struct effect batch[BATCH];
        uint32_t count = 0;

        for (; count < BATCH && first <= last; count++)
            batch[count] = (struct effect){
                .kind = EFFECT_PERSIST_ENTRY,
                .entry = {.slot = first++, .ballot = 65538, .kind = 5, .value = value}};
        CU_ASSERT_EQUAL_FATAL(store_commit(s, batch, count), STORE_OK);
    }
    blob_unref(value);
}

/* ---- where it begins ---- */

static void test_store_floor__the_log_begins_behind_it(void)
{
    struct fixture f;
    struct store *s;

    fixture_make(&f);
    s = fixture_start(&f);
    CU_ASSERT_EQUAL(fixture_durable(s).floor, 0);
    fixture_fill(s, 1, 20);
    CU_ASSERT_EQUAL(raise_floor(s, 12), STORE_OK);
    for (int i = 0; i < 3; i++) {
        uint64_t last;

        CU_ASSERT_EQUAL(fixture_durable(s).floor, 12);
        CU_ASSERT_EQUAL(fixture_durable(s).last_slot, 20);
        check_range(s, 13, 20);
        CU_ASSERT_EQUAL(fixture_read(s, 3, &last), STORE_OK);
        CU_ASSERT_EQUAL(last, 20);
        CU_ASSERT_EQUAL(store_read(s, 3, 12, 0, take_range, NULL), STORE_OK); /* nothing */
        s = fixture_reopen(&f, s);
    }
    fixture_fill(s, 21, 25);
    check_range(s, 13, 25);
    store_close(s);
    fixture_remove(&f);
}

static void test_store_floor__it_only_rises(void)
{
    struct fixture f;
    struct store *s;

    fixture_make(&f);
    s = fixture_start(&f);
    fixture_fill(s, 1, 20);
    CU_ASSERT_EQUAL(raise_floor(s, 12), STORE_OK);
    CU_ASSERT_EQUAL(raise_floor(s, 5), STORE_OK);
    CU_ASSERT_EQUAL(fixture_durable(s).floor, 12);
    s = fixture_reopen(&f, s);
    CU_ASSERT_EQUAL(fixture_durable(s).floor, 12);
    CU_ASSERT_EQUAL(raise_floor(s, 20), STORE_OK);
    check_range(s, 0, 0);
    s = fixture_reopen(&f, s);
    check_range(s, 0, 0);
    fixture_fill(s, 21, 22);
    check_range(s, 21, 22);
    store_close(s);
    fixture_remove(&f);
}

/* As after a transfer of the state: what comes next is far behind what was there. */
static void test_store_floor__the_log_begins_anew_behind_one_above_its_end(void)
{
    for (int at_once = 0; at_once < 2; at_once++) {
        struct effect effects[] = {{.kind = EFFECT_PERSIST_PROMISE, .ballot = 65538},
                                   {.kind = EFFECT_PERSIST_FLOOR, .last_slot = 1000},
                                   {.kind = EFFECT_PERSIST_ENTRY, .entry = {.slot = 1001}}};
        struct fixture f;
        struct store *s;

        fixture_make(&f);
        f.options.checkpoint_frames = 5;
        s = fixture_start(&f);
        fixture_fill(s, 1, 20);
        CU_ASSERT_EQUAL(store_commit(s, effects, at_once ? 3 : 2), STORE_OK);
        if (!at_once) {
            s = fixture_reopen(&f, s);
            CU_ASSERT_EQUAL(fixture_durable(s).last_slot, 1000);
            check_range(s, 0, 0);
            fixture_fill(s, 1001, 1001);
        }
        fixture_fill(s, 1002, 1010);
        check_range(s, 1001, 1010);
        CU_ASSERT_EQUAL(store_maintain(s), STORE_OK);
        s = fixture_reopen(&f, s);
        check_range(s, 1001, 1010);
        CU_ASSERT_EQUAL(fixture_durable(s).promised, 65538);
        store_close(s);
        CU_ASSERT_EQUAL(fixture_ask(&f, "log.db", "SELECT count(*) FROM log"), 10);
        fixture_remove(&f);
    }
}

static void test_store_floor__an_entry_below_it_is_left_out(void)
{
    struct fixture f;
    struct store *s;

    fixture_make(&f);
    s = fixture_start(&f);
    fixture_fill(s, 1, 10);
    CU_ASSERT_EQUAL(raise_floor(s, 8), STORE_OK);
    s = fixture_reopen(&f, s); /* trimmed */
    fixture_fill(s, 3, 3);
    fixture_fill(s, 8, 8);
    check_range(s, 9, 10);
    store_close(s);
    CU_ASSERT_EQUAL(fixture_ask(&f, "log.db", "SELECT count(*) FROM log"), 2);
    fixture_remove(&f);
}

/* ---- damage ---- */

static void test_store_floor__a_gap_behind_it_is_damage_one_below_is_none(void)
{
    static const struct {
        const char *change;
        const char *because; /* NULL: none */
    } cases[] = {
        {"DELETE FROM log WHERE slot = 5", NULL},
        {"DELETE FROM log WHERE slot <= 12", NULL},
        {"DELETE FROM log WHERE slot = 13", "slot 13 is missing"},
        {"DELETE FROM log WHERE slot > 15", "slot 16 is missing"},
        {"DELETE FROM log", "slot 13 is missing"},
        {"UPDATE number SET value = 14 WHERE name = 5", "floor"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum store_result r;
        struct fixture f;
        struct store *s;
        uint64_t last;

        fixture_make(&f);
        s = fixture_start(&f);
        fixture_fill(s, 1, 20);
        s = fixture_reopen(&f, s); /* the log's length is noted */
        CU_ASSERT_EQUAL(raise_floor(s, 12), STORE_OK);
        store_close(s);
        fixture_execute(&f, "log.db", cases[i].change);
        s = fixture_open(&f, &r);
        if (s != NULL) {
            r = fixture_read(s, 1, &last);
            snprintf(f.why, sizeof f.why, "%s", store_why(s));
        }
        CU_ASSERT_EQUAL(r, cases[i].because == NULL ? STORE_OK : STORE_CORRUPT);
        if (cases[i].because != NULL)
            CU_ASSERT_PTR_NOT_NULL(strstr(f.why, cases[i].because));
        store_close(s);
        fixture_remove(&f);
    }
}

/* ---- deleting ---- */

static void test_store_floor__what_lies_below_is_deleted_in_bounded_pieces(void)
{
    struct fixture f;
    struct store *s;
    uint64_t left = 3 * PIECE + 100;

    fixture_make(&f);
    s = fixture_start(&f);
    fill_fast(s, 1, left + 10);
    CU_ASSERT_EQUAL(raise_floor(s, left), STORE_OK);
    store_close(s);
    for (int i = 0; i < 5; i++) { /* opening is one of the occasions */
        s = fixture_open(&f, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(s);
        check_range(s, 3 * PIECE + 101, 3 * PIECE + 110);
        store_close(s);
        left = left > PIECE ? left - PIECE : 0;
        CU_ASSERT_EQUAL(fixture_ask(&f, "log.db", "SELECT count(*) FROM log"), left + 10);
    }
    fixture_remove(&f);
}

/* Large values: the bound is in bytes. */
static void test_store_floor__a_piece_is_bounded_in_bytes_too(void)
{
    struct fixture f;
    struct store *s;

    fixture_make(&f);
    s = fixture_start(&f);
    for (uint64_t slot = 1; slot <= 12; slot++)
        CU_ASSERT_EQUAL_FATAL(fixture_commit(s, slot, 2 << 20), STORE_OK);
    CU_ASSERT_EQUAL(raise_floor(s, 11), STORE_OK);
    s = fixture_reopen(&f, s);
    store_close(s);
    CU_ASSERT_EQUAL(fixture_ask(&f, "log.db", "SELECT count(*) FROM log"),
                    8); /* four made the bound full */
    fixture_remove(&f);
}

/* A floor that follows keeps the file short. */
static void test_store_floor__the_file_stops_growing(void)
{
    struct fixture f;
    struct store *s;
    uint64_t size = 0;

    fixture_make(&f);
    f.options.checkpoint_frames = 50;
    s = fixture_start(&f);
    for (uint64_t slot = 1; slot < 20000; slot += BATCH) {
        fill_fast(s, slot, slot + BATCH - 1);
        CU_ASSERT_EQUAL(raise_floor(s, slot), STORE_OK);
        CU_ASSERT_EQUAL(store_maintain(s), STORE_OK);
        CU_ASSERT_EQUAL(store_maintain(s), STORE_OK);
        if (slot == 4 * BATCH + 1)
            size = fixture_size(&f, "log.db");
    }
    CU_ASSERT_TRUE(size > 50000);
    CU_ASSERT_TRUE(fixture_size(&f, "log.db") < 3 * size);
    store_close(s);
    fixture_remove(&f);
}

/* ---- no space ---- */

static void test_store_floor__without_space_it_is_as_it_was(void)
{
    static struct fault_plan *plan;
    struct fixture f;
    struct store *s;
    enum store_result r = STORE_FULL;
    uint64_t last = 3000, floor = 0, refused = 0;

    if (plan == NULL)
        plan = fault_vfs_register("floor-fault");
    CHECK(plan != NULL);
    fixture_make(&f);
    f.options.vfs = "floor-fault";
    f.options.checkpoint_frames = 5;
    s = fixture_start(&f);
    fill_fast(s, 1, last);
    for (uint64_t write = 1; r != STORE_OK; write++) {
        floor += 100;
        plan->full_in = write;
        r = raise_floor(s, floor);
        if (r == STORE_FULL) {
            CU_ASSERT_EQUAL(fixture_durable(s).floor, floor - 100);
            check_range(s, floor - 99, last);
            plan->full_in = 0;
            CU_ASSERT_EQUAL(raise_floor(s, floor), STORE_OK);
            refused++;
        }
        plan->full_in = write;
        r = store_maintain(s); /* moves, notes and deletes */
        plan->full_in = 0;
        CU_ASSERT_TRUE_FATAL(r == STORE_OK || r == STORE_FULL);
        refused += r == STORE_FULL;
        fill_fast(s, last + 1, last + 50);
        last += 50;
        check_range(s, floor + 1, last);
        if (write % 3 == 0) {
            s = fixture_reopen(&f, s);
            check_range(s, floor + 1, last);
        }
    }
    CU_ASSERT_TRUE(refused > 10);
    store_close(s);
    fixture_remove(&f);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_store_floor__the_log_begins_behind_it),
        TEST(test_store_floor__it_only_rises),
        TEST(test_store_floor__the_log_begins_anew_behind_one_above_its_end),
        TEST(test_store_floor__an_entry_below_it_is_left_out),
        TEST(test_store_floor__a_gap_behind_it_is_damage_one_below_is_none),
        TEST(test_store_floor__what_lies_below_is_deleted_in_bounded_pieces),
        TEST(test_store_floor__a_piece_is_bounded_in_bytes_too),
        TEST(test_store_floor__the_file_stops_growing),
        TEST(test_store_floor__without_space_it_is_as_it_was),
    };
    return run_suite("store_floor", cases, sizeof cases / sizeof cases[0], argc, argv);
}
