/* test_store_log.c - commits, reading back, and the -wal's growth. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/storage/fixture.h"
#include "tests/support/runner.h"

enum { MANY = 300 };

/* ---- commit ---- */

static void test_store_log__entries_survive_a_restart(void)
{
    static const uint32_t sizes[] = {0, 1, 200, 4000, 5000, 100000};
    struct fixture f;
    struct store *s;
    uint64_t last;

    fixture_make(&f);
    s = fixture_start(&f);
    for (uint64_t slot = 1; slot <= 6; slot++)
        CU_ASSERT_EQUAL(fixture_commit(s, slot, sizes[slot - 1]), STORE_OK);
    store_close(s);
    s = fixture_open(&f, NULL);
    CU_ASSERT_EQUAL(fixture_read(s, 1, &last), STORE_OK);
    CU_ASSERT_EQUAL(last, 6);
    store_close(s);
    fixture_remove(&f);
}

struct one {
    struct log_entry entry;
    uint8_t value[16];
};

static bool take_one(void *context, const struct log_entry *entry)
{
    struct one *one = context;

    one->entry = *entry;
    if (entry->value->length <= sizeof one->value)
        memcpy(one->value, entry->value->data, entry->value->length);
    return true;
}

/* Phase 2 of a later ballot replaces what the slot held; every field counts, and
 * those that are not numbers of SQLite's (its integers have a sign) too. */
static void test_store_log__an_entry_replaces_what_its_slot_held(void)
{
    struct effect effect = {.kind = EFFECT_PERSIST_ENTRY};
    struct one one;
    struct fixture f;
    struct store *s;

    fixture_make(&f);
    s = fixture_start(&f);
    fixture_fill(s, 1, 5);
    effect.entry = (struct log_entry){.slot = 3,
                                      .ballot = UINT64_MAX,
                                      .kind = UINT32_MAX,
                                      .value = blob_copy(slice_of_string("new")),
                                      .chosen = UINT64_MAX - 1};
    CU_ASSERT_EQUAL(store_commit(s, &effect, 1), STORE_OK);
    store_close(s);
    s = fixture_open(&f, NULL);
    CU_ASSERT_EQUAL(store_read(s, 3, 3, 0, take_one, &one), STORE_OK);
    CU_ASSERT_EQUAL(one.entry.slot, 3);
    CU_ASSERT_EQUAL(one.entry.ballot, UINT64_MAX);
    CU_ASSERT_EQUAL(one.entry.kind, UINT32_MAX);
    CU_ASSERT_EQUAL(one.entry.chosen, UINT64_MAX - 1);
    CU_ASSERT_EQUAL(memcmp(one.value, "new", 3), 0);
    CU_ASSERT_EQUAL(store_read(s, 4, 5, 0, take_one, &one), STORE_OK);
    CU_ASSERT_EQUAL(one.entry.slot, 5);
    blob_unref(effect.entry.value);
    store_close(s);
    fixture_remove(&f);
}

static void test_store_log__an_entry_without_a_value_reads_as_an_empty_one(void)
{
    struct effect effect = {.kind = EFFECT_PERSIST_ENTRY, .entry = {.slot = 1, .kind = 1}};
    struct fixture f;
    struct store *s;
    uint64_t last;

    fixture_make(&f);
    s = fixture_start(&f);
    CU_ASSERT_EQUAL(store_commit(s, &effect, 1), STORE_OK);
    CU_ASSERT_EQUAL(fixture_read(s, 1, &last), STORE_OK);
    CU_ASSERT_EQUAL(last, 1);
    store_close(s);
    fixture_remove(&f);
}

static void test_store_log__promise_and_lease_only_rise(void)
{
    struct effect effects[2] = {
        {.kind = EFFECT_PERSIST_PROMISE, .ballot = UINT64_MAX - 7},
        {.kind = EFFECT_PERSIST_LEASE, .lease_ms = 350},
    };
    struct fixture f;
    struct store *s;

    fixture_make(&f);
    s = fixture_start(&f);
    CU_ASSERT_EQUAL(store_commit(s, effects, 2), STORE_OK);
    effects[0].ballot = 65537;
    effects[1].lease_ms = 20;
    CU_ASSERT_EQUAL(store_commit(s, effects, 2), STORE_OK);
    CU_ASSERT_EQUAL(fixture_durable(s).promised, UINT64_MAX - 7);
    CU_ASSERT_EQUAL(fixture_durable(s).longest_lease_ms, 350);
    store_close(s);
    s = fixture_open(&f, NULL);
    CU_ASSERT_EQUAL(fixture_durable(s).promised, UINT64_MAX - 7);
    CU_ASSERT_EQUAL(fixture_durable(s).longest_lease_ms, 350);
    store_close(s);
    fixture_remove(&f);
}

/* What the core hands out in a step, other effects in between. */
static void test_store_log__one_call_is_one_transaction(void)
{
    struct effect effects[6] = {
        {.kind = EFFECT_SEND_PEER},     {.kind = EFFECT_PERSIST_PROMISE, .ballot = 65538},
        {.kind = EFFECT_PERSIST_ENTRY}, {.kind = EFFECT_NOTE},
        {.kind = EFFECT_PERSIST_ENTRY}, {.kind = EFFECT_PERSIST_LEASE, .lease_ms = 350},
    };
    struct fixture f;
    struct store *s;
    uint64_t last;

    fixture_make(&f);
    s = fixture_start(&f);
    effects[2].entry = (struct log_entry){.slot = 1, .value = fixture_value(1, 10)};
    effects[4].entry = (struct log_entry){.slot = 2, .value = fixture_value(2, 20)};
    CU_ASSERT_EQUAL(store_commit(s, effects, 6), STORE_OK);
    CU_ASSERT_EQUAL(store_commit(s, effects, 1), STORE_OK); /* nothing to persist */
    CU_ASSERT_EQUAL(store_commit(s, NULL, 0), STORE_OK);
    store_close(s);
    s = fixture_open(&f, NULL);
    CU_ASSERT_EQUAL(fixture_durable(s).promised, 65538);
    CU_ASSERT_EQUAL(fixture_durable(s).longest_lease_ms, 350);
    CU_ASSERT_EQUAL(fixture_read(s, 1, &last), STORE_OK);
    CU_ASSERT_EQUAL(last, 2);
    blob_unref(effects[2].entry.value);
    blob_unref(effects[4].entry.value);
    store_close(s);
    fixture_remove(&f);
}

/* ---- read ---- */

struct taken {
    uint64_t count, stop_after;
};

static bool take_some(void *context, const struct log_entry *entry)
{
    struct taken *taken = context;

    (void)entry;
    return ++taken->count != taken->stop_after;
}

static uint64_t count_of(struct store *s, uint64_t first, uint64_t last, uint64_t bytes_max,
                         uint64_t stop_after)
{
    struct taken taken = {.stop_after = stop_after};

    CU_ASSERT_EQUAL(store_read(s, first, last, bytes_max, take_some, &taken), STORE_OK);
    return taken.count;
}

static void test_store_log__reading_stops_where_it_is_told(void)
{
    struct fixture f;
    struct store *s;

    fixture_make(&f);
    s = fixture_start(&f);
    CU_ASSERT_EQUAL(count_of(s, 1, UINT64_MAX, 0, 0), 0);
    fixture_fill(s, 1, 20);
    CU_ASSERT_EQUAL(count_of(s, 1, UINT64_MAX, 0, 0), 20);
    CU_ASSERT_EQUAL(count_of(s, 0, 20, 0, 0), 20);
    CU_ASSERT_EQUAL(count_of(s, 5, 7, 0, 0), 3);
    CU_ASSERT_EQUAL(count_of(s, 20, 20, 0, 0), 1);
    CU_ASSERT_EQUAL(count_of(s, 21, 30, 0, 0), 0);
    CU_ASSERT_EQUAL(count_of(s, 7, 5, 0, 0), 0);
    CU_ASSERT_EQUAL(count_of(s, 1, 20, 0, 4), 4);
    CU_ASSERT_EQUAL(count_of(s, 1, 20, 1, 0), 1); /* the entry that reaches it is the last */
    CU_ASSERT_EQUAL(count_of(s, 1, 20, 200, 0), 1);
    CU_ASSERT_EQUAL(count_of(s, 1, 20, 201, 0), 2);
    store_close(s);
    fixture_remove(&f);
}

/* Opens and reads all; the result and, in why, the text. */
static enum store_result read_all(struct fixture *f)
{
    enum store_result r;
    uint64_t last;
    struct store *s = fixture_open(f, &r);

    if (r != STORE_OK)
        return r;
    r = fixture_read(s, 1, &last);
    snprintf(f->why, sizeof f->why, "%s", store_why(s));
    store_close(s);
    return r;
}

static void test_store_log__a_changed_row_is_found_by_its_slot(void)
{
    static const char *const changes[] = {
        "UPDATE log SET ballot = ballot + 1 WHERE slot = 7",
        "UPDATE log SET kind = kind + 1 WHERE slot = 7",
        "UPDATE log SET chosen = chosen + 1 WHERE slot = 7",
        "UPDATE log SET value = zeroblob(200) WHERE slot = 7",
        "UPDATE log SET value = x'' WHERE slot = 7",
        "UPDATE log SET checksum = 0 WHERE slot = 7",
        "DELETE FROM log WHERE slot = 7",
        /* A row of another slot, whole in itself. */
        "DELETE FROM log WHERE slot = 7; UPDATE log SET slot = 7 WHERE slot = 8",
    };

    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct fixture f;
        struct store *s;

        fixture_make(&f);
        s = fixture_start(&f);
        fixture_fill(s, 1, 12);
        store_close(s);
        fixture_execute(&f, "log.db", changes[i]);
        CU_ASSERT_EQUAL(read_all(&f), STORE_CORRUPT);
        CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "slot 7 "));
        fixture_remove(&f);
    }
}

/* The rows at the end have no neighbour that would miss them. */
static void test_store_log__a_lost_end_of_the_database_is_found(void)
{
    struct fixture f;
    struct store *s;

    fixture_make(&f);
    s = fixture_start(&f);
    fixture_fill(s, 1, 12);
    store_close(s);
    store_close(fixture_open(&f, NULL)); /* the rows leave the -wal */
    fixture_execute(&f, "log.db", "DELETE FROM log WHERE slot > 10");
    CU_ASSERT_EQUAL(read_all(&f), STORE_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "slot 11 is missing"));
    fixture_remove(&f);
}

/* One bit anywhere in a page of rows: found by SQLite or by a checksum. (Unused
 * bytes of a page may change unnoticed: they mean nothing.) */
static void test_store_log__a_flipped_bit_in_a_page_is_never_read_as_data(void)
{
    struct fixture f;
    struct store *s;
    uint64_t size;
    uint32_t found = 0, tried = 0;

    fixture_make(&f);
    s = fixture_start(&f);
    fixture_fill(s, 1, 40);
    store_close(s);
    fixture_execute(&f, "log.db",
                    "PRAGMA journal_mode=DELETE"); /* everything in the database, no -wal */
    size = fixture_size(&f, "log.db");
    for (uint64_t at = 4096; at < size; at += 157) {
        enum store_result r;

        fixture_flip(&f, "log.db", at, (unsigned)(at % 8));
        r = read_all(&f);
        tried++;
        found += r != STORE_OK;
        /* fixture_read compared every value that came back. */
        CU_ASSERT_TRUE(r == STORE_OK || r == STORE_CORRUPT);
        fixture_flip(&f, "log.db", at, (unsigned)(at % 8));
    }
    CU_ASSERT_TRUE(found > tried / 4);
    CU_ASSERT_EQUAL(read_all(&f), STORE_OK);
    fixture_remove(&f);
}

/* ---- the -wal ---- */

static void test_store_log__maintenance_keeps_the_wal_short(void)
{
    struct fixture f;
    struct store *s;
    uint64_t last;

    fixture_make(&f);
    f.options.checkpoint_frames = 20;
    s = fixture_start(&f);
    for (uint64_t slot = 1; slot <= MANY; slot++) {
        fixture_fill(s, slot, slot);
        CU_ASSERT_EQUAL(store_maintain(s), STORE_OK);
    }
    CU_ASSERT_EQUAL(fixture_size(&f, "log.db-wal"), f.options.wal_bytes);
    store_close(s);
    s = fixture_open(&f, NULL);
    CU_ASSERT_EQUAL(fixture_read(s, 1, &last), STORE_OK);
    CU_ASSERT_EQUAL(last, MANY);
    store_close(s);
    fixture_remove(&f);
}

static void test_store_log__without_maintenance_the_wal_grows_and_nothing_else_happens(void)
{
    struct fixture f;
    struct store *s;
    uint64_t last;

    fixture_make(&f);
    s = fixture_start(&f);
    fixture_fill(s, 1, MANY);
    CU_ASSERT_TRUE(fixture_size(&f, "log.db-wal") > MANY * 4096);
    store_close(s);
    s = fixture_open(&f, NULL);
    CU_ASSERT_EQUAL(fixture_read(s, 1, &last), STORE_OK);
    CU_ASSERT_EQUAL(last, MANY);
    store_close(s);
    fixture_remove(&f);
}

/* Commits until it is killed; writes a byte for each that was acknowledged. */
static void commit_for_ever(struct fixture *f, int acknowledge)
{
    struct store *s = fixture_open(f, NULL);

    for (uint64_t slot = 1; s != NULL; slot++) {
        if (fixture_commit(s, slot, 200) != STORE_OK || store_maintain(s) != STORE_OK ||
            write(acknowledge, "+", 1) != 1)
            break;
    }
    _exit(1);
}

static void test_store_log__the_presized_wal_survives_a_kill(void)
{
    struct fixture f;
    struct store *s;
    uint64_t last, acknowledged = 0;
    int ends[2], status;
    pid_t child;
    char byte;

    fixture_make(&f);
    f.options.wal_bytes = 1024 * 1024;
    f.options.checkpoint_frames = 50;
    CU_ASSERT_EQUAL_FATAL(fixture_initialise(&f), STORE_OK);
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    child = fork();
    if (child == 0)
        commit_for_ever(&f, ends[1]);
    close(ends[1]);
    while (acknowledged < 170 && read(ends[0], &byte, 1) == 1)
        acknowledged++;
    kill(child, SIGKILL);
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_TRUE(WIFSIGNALED(status));
    while (read(ends[0], &byte, 1) == 1)
        acknowledged++;
    close(ends[0]);
    CU_ASSERT_EQUAL(fixture_size(&f, "log.db-wal"), f.options.wal_bytes);
    s = fixture_open(&f, NULL);
    CU_ASSERT_EQUAL(fixture_size(&f, "log.db-wal"), f.options.wal_bytes);
    CU_ASSERT_EQUAL(fixture_read(s, 1, &last), STORE_OK);
    CU_ASSERT_TRUE(last == acknowledged || last == acknowledged + 1);
    store_close(s);
    CU_ASSERT_EQUAL(fixture_size(&f, "log.db-wal"), f.options.wal_bytes);
    fixture_remove(&f);
}

static void test_store_log__members_do_not_all_maintain_at_the_same_time(void)
{
    uint64_t lengths[2];

    for (uint32_t i = 0; i < 2; i++) {
        struct store_identity identity = fixture_identity();
        struct fixture f;
        struct store *s;
        uint64_t before = 0;

        fixture_make(&f);
        identity.self = i + 1;
        CU_ASSERT_EQUAL_FATAL(
            store_initialise(f.directory, &identity, &f.options, f.why, sizeof f.why), STORE_OK);
        s = fixture_open(&f, NULL);
        /* The database grows where the -wal is moved into it. */
        before = fixture_size(&f, "log.db");
        for (lengths[i] = 1; fixture_size(&f, "log.db") == before; lengths[i]++) {
            fixture_fill(s, lengths[i], lengths[i]);
            CU_ASSERT_EQUAL_FATAL(store_maintain(s), STORE_OK);
        }
        store_close(s);
        fixture_remove(&f);
    }
    CU_ASSERT_TRUE(lengths[0] + 50 < lengths[1]);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_store_log__entries_survive_a_restart),
        TEST(test_store_log__an_entry_replaces_what_its_slot_held),
        TEST(test_store_log__an_entry_without_a_value_reads_as_an_empty_one),
        TEST(test_store_log__promise_and_lease_only_rise),
        TEST(test_store_log__one_call_is_one_transaction),
        TEST(test_store_log__reading_stops_where_it_is_told),
        TEST(test_store_log__a_changed_row_is_found_by_its_slot),
        TEST(test_store_log__a_lost_end_of_the_database_is_found),
        TEST(test_store_log__a_flipped_bit_in_a_page_is_never_read_as_data),
        TEST(test_store_log__maintenance_keeps_the_wal_short),
        TEST(test_store_log__without_maintenance_the_wal_grows_and_nothing_else_happens),
        TEST(test_store_log__the_presized_wal_survives_a_kill),
        TEST(test_store_log__members_do_not_all_maintain_at_the_same_time),
    };
    return run_suite("store_log", cases, sizeof cases / sizeof cases[0], argc, argv);
}
