/* test_checkpoint.c - checkpoints come back as they were, readers see the one
 * they began with, and no damage is ever taken for data. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "coordd/replica/chunk.h"
#include "tests/storage/state_fixture.h"
#include "tests/support/runner.h"

static struct checkpoint *reopen(struct fixture *f, struct checkpoint *c)
{
    checkpoint_close(c);
    c = state_open(f, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    return c;
}

static void test_checkpoint__a_fresh_one_holds_nothing(void)
{
    struct fixture f;
    struct checkpoint *c;

    fixture_make(&f);
    c = state_open(&f, NULL);
    CU_ASSERT_EQUAL(checkpoint_slot(c), 0);
    CU_ASSERT_EQUAL(checkpoint_about(c).length, 0);
    CU_ASSERT_EQUAL(state_number(c), 0);
    c = reopen(&f, c);
    CU_ASSERT_EQUAL(state_number(c), 0);
    checkpoint_close(c);
    fixture_remove(&f);
}

static void test_checkpoint__what_changed_adds_up(void)
{
    struct fixture f;
    struct checkpoint *c;

    fixture_make(&f);
    c = state_open(&f, NULL);
    for (uint32_t n = 1; n <= 20; n++) {
        CU_ASSERT_EQUAL(state_write(c, n, false), STORE_OK);
        CU_ASSERT_EQUAL(state_number(c), n);
        if (n % 3 == 0)
            CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_OK);
        if (n % 4 == 0)
            c = reopen(&f, c);
    }
    checkpoint_close(c);
    fixture_remove(&f);
}

static void test_checkpoint__a_whole_one_takes_the_place_of_the_last(void)
{
    struct fixture f;
    struct checkpoint *c;

    fixture_make(&f);
    c = state_open(&f, NULL);
    CU_ASSERT_EQUAL(state_write(c, 7, true), STORE_OK);
    CU_ASSERT_EQUAL(state_number(c), 7);
    CU_ASSERT_EQUAL(state_write(c, 30, true), STORE_OK);
    CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_OK);
    CU_ASSERT_EQUAL(state_write(c, 31, false), STORE_OK);
    c = reopen(&f, c);
    CU_ASSERT_EQUAL(state_number(c), 31);
    checkpoint_close(c);
    fixture_remove(&f);
}

static void test_checkpoint__an_aborted_one_was_never_there(void)
{
    struct fixture f;
    struct checkpoint *c;

    fixture_make(&f);
    c = state_open(&f, NULL);
    CU_ASSERT_EQUAL(state_write(c, 4, true), STORE_OK);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(state_put(c, 9, true), STORE_OK);
        CU_ASSERT_EQUAL(checkpoint_abort(c), STORE_OK);
        CU_ASSERT_EQUAL(checkpoint_abort(c), STORE_OK);
        CU_ASSERT_EQUAL(state_number(c), 4);
        if (i == 1)
            c = reopen(&f, c);
        if (i == 2)
            CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_OK);
    }
    /* Ended with the process, so to say. */
    CU_ASSERT_EQUAL(state_put(c, 9, true), STORE_OK);
    c = reopen(&f, c);
    CU_ASSERT_EQUAL(state_number(c), 4);
    CU_ASSERT_EQUAL(state_write(c, 5, false), STORE_OK);
    c = reopen(&f, c);
    CU_ASSERT_EQUAL(state_number(c), 5);
    checkpoint_close(c);
    fixture_remove(&f);
}

static void test_checkpoint__empty_keys_and_values_are_records_too(void)
{
    struct buffer chunk = BUFFER_INIT, read = BUFFER_INIT;
    struct checkpoint_reader *reader;
    struct fixture f;
    struct checkpoint *c;
    bool last = false;

    fixture_make(&f);
    c = state_open(&f, NULL);
    chunk_put(&chunk, slice_of("", 0), slice_of_string("v"));
    chunk_put(&chunk, slice_of("\0", 1), slice_of("", 0));
    CU_ASSERT_EQUAL(checkpoint_begin(c, true), STORE_OK);
    CU_ASSERT_EQUAL(checkpoint_put(c, buffer_slice(&chunk)), STORE_OK);
    CU_ASSERT_EQUAL(checkpoint_commit(c, 1, slice_of(NULL, 0)), STORE_OK);
    c = reopen(&f, c);
    CU_ASSERT_EQUAL(checkpoint_slot(c), 1);
    CU_ASSERT_EQUAL(checkpoint_reader_open(c, &reader), STORE_OK);
    CU_ASSERT_EQUAL(checkpoint_reader_next(reader, 1000, &read, &last), STORE_OK);
    CU_ASSERT_TRUE(last);
    CU_ASSERT_TRUE(slice_equal(buffer_slice(&read), buffer_slice(&chunk)));
    checkpoint_reader_close(reader);
    buffer_release(&chunk);
    buffer_release(&read);
    checkpoint_close(c);
    fixture_remove(&f);
}

/* ---- readers ---- */

static void test_checkpoint__a_reader_sees_the_one_it_began_with(void)
{
    struct checkpoint_reader *early, *late;
    struct buffer some = BUFFER_INIT;
    struct fixture f;
    struct checkpoint *c;
    bool last = false;

    fixture_make(&f);
    c = state_open(&f, NULL);
    CU_ASSERT_EQUAL(state_write(c, 1, true), STORE_OK);
    CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_OK);
    CU_ASSERT_EQUAL(state_write(c, 2, false), STORE_OK);
    CU_ASSERT_EQUAL(checkpoint_reader_open(c, &early), STORE_OK);
    CU_ASSERT_EQUAL(state_write(c, 3, false), STORE_OK);
    CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_OK);
    CU_ASSERT_EQUAL(state_put(c, 4, true), STORE_OK);
    CU_ASSERT_EQUAL(checkpoint_reader_open(c, &late), STORE_OK); /* nothing half done */
    CU_ASSERT_EQUAL(state_commit(c, 4), STORE_OK);
    CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_OK);
    CU_ASSERT_EQUAL(state_write(c, 5, false), STORE_OK);
    CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_OK);
    state_check_reader(early, 2, 300);
    CU_ASSERT_EQUAL(checkpoint_reader_next(early, 300, &some, &last), STORE_OK);
    CU_ASSERT_TRUE(last && some.length == 0);
    state_check_reader(late, 3, 1 << 20);
    CU_ASSERT_EQUAL(state_number(c), 5);
    checkpoint_reader_close(early);
    checkpoint_reader_close(late);
    CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_OK);
    CU_ASSERT_EQUAL(state_write(c, 6, false), STORE_OK);
    c = reopen(&f, c);
    CU_ASSERT_EQUAL(state_number(c), 6);
    checkpoint_close(c);
    fixture_remove(&f);
}

static void test_checkpoint__an_aborted_one_leaves_nothing_while_readers_look_on(void)
{
    struct checkpoint_reader *reader;
    struct fixture f;
    struct checkpoint *c;

    fixture_make(&f);
    c = state_open(&f, NULL);
    CU_ASSERT_EQUAL(state_write(c, 1, true), STORE_OK);
    for (uint32_t n = 2; n < 12; n++) {
        CU_ASSERT_EQUAL(checkpoint_reader_open(c, &reader), STORE_OK);
        CU_ASSERT_EQUAL(state_put(c, 20, true), STORE_OK);
        CU_ASSERT_EQUAL(checkpoint_abort(c), STORE_OK);
        CU_ASSERT_EQUAL(state_write(c, n, false), STORE_OK);
        CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_OK);
        CU_ASSERT_EQUAL(state_put(c, 20, true), STORE_OK);
        CU_ASSERT_EQUAL(checkpoint_abort(c), STORE_OK);
        state_check_reader(reader, n - 1, 2000);
        checkpoint_reader_close(reader);
        if (n % 2 == 0)
            CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_OK);
        if (n % 3 == 0)
            c = reopen(&f, c);
        CU_ASSERT_EQUAL(state_number(c), n);
    }
    checkpoint_close(c);
    fixture_remove(&f);
}

/* ---- damage ---- */

/* Opens and loads all. */
static enum store_result read_all(struct fixture *f)
{
    enum store_result r;
    struct checkpoint *c = state_open(f, &r);

    if (r != STORE_OK)
        return r;
    r = state_check(c);
    snprintf(f->why, sizeof f->why, "%s", checkpoint_why(c));
    checkpoint_close(c);
    return r;
}

static void write_two(struct fixture *f)
{
    struct checkpoint *c;

    fixture_make(f);
    c = state_open(f, NULL);
    CU_ASSERT_EQUAL(state_write(c, 6, true), STORE_OK);
    CU_ASSERT_EQUAL(state_write(c, 7, false), STORE_OK);
    checkpoint_close(c);
}

static void test_checkpoint__a_changed_row_is_found(void)
{
    static const char *const changes[] = {
        "UPDATE record SET value = zeroblob(5) WHERE key = CAST('key-000040' AS BLOB)",
        "UPDATE record SET checksum = 0 WHERE key = CAST('key-000040' AS BLOB)",
        "UPDATE record SET key = x'00' WHERE key = CAST('key-000040' AS BLOB)",
        "UPDATE about SET slot = slot + 1",
        "UPDATE about SET about = x''",
        "DELETE FROM about",
        "DROP TABLE about",
        "DROP TABLE record",
    };

    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct fixture f;

        write_two(&f);
        CU_ASSERT_EQUAL(read_all(&f), STORE_OK);
        fixture_execute(&f, "state.db", changes[i]);
        CU_ASSERT_EQUAL(read_all(&f), STORE_CORRUPT);
        CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "state.db"));
        fixture_remove(&f);
    }
}

static void test_checkpoint__a_flipped_bit_in_a_page_is_never_read_as_data(void)
{
    struct fixture f;
    uint32_t found = 0, tried = 0;
    uint64_t size;

    write_two(&f);
    fixture_execute(&f, "state.db", "PRAGMA journal_mode=DELETE");
    size = fixture_size(&f, "state.db");
    for (uint64_t at = 0; at < size; at += at < 200 ? 1 : 157) {
        enum store_result r;

        fixture_flip(&f, "state.db", at, (unsigned)(at % 8));
        r = read_all(&f);
        tried++;
        found += r != STORE_OK;
        CU_ASSERT_TRUE(r == STORE_OK || r == STORE_CORRUPT || (r == STORE_FOREIGN && at < 100));
        fixture_execute(&f, "state.db", "SELECT 1");
        fixture_flip(&f, "state.db", at, (unsigned)(at % 8));
    }
    CU_ASSERT_TRUE(found > tried / 4);
    CU_ASSERT_EQUAL(read_all(&f), STORE_OK);
    fixture_remove(&f);
}

/* In the middle of what was acknowledged: of two checkpoints, the first. */
static void test_checkpoint__a_flipped_bit_in_the_wal_is_found(void)
{
    for (uint64_t at = 40; at < 20000; at += 977) {
        struct fixture f;

        write_two(&f);
        CU_ASSERT_TRUE_FATAL(fixture_size(&f, "state.db-wal") > 40000);
        fixture_flip(&f, "state.db-wal", at, (unsigned)(at % 8));
        CU_ASSERT_EQUAL(read_all(&f), STORE_CORRUPT);
        CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "state.db-wal: frame"));
        fixture_remove(&f);
    }
}

static void test_checkpoint__damage_is_found_by_a_reader(void)
{
    struct checkpoint_reader *reader;
    struct buffer chunk = BUFFER_INIT;
    struct fixture f;
    struct checkpoint *c;
    bool last = false;

    write_two(&f);
    fixture_execute(&f, "state.db",
                    "UPDATE record SET checksum = 0 WHERE key = CAST('key-000040' AS BLOB)");
    c = state_open(&f, NULL);
    CU_ASSERT_EQUAL(checkpoint_reader_open(c, &reader), STORE_OK);
    CU_ASSERT_EQUAL(checkpoint_reader_next(reader, 1 << 20, &chunk, &last), STORE_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(checkpoint_why(c), "wrong checksum"));
    CU_ASSERT_EQUAL(checkpoint_reader_next(reader, 1 << 20, &chunk, &last), STORE_FAILED);
    CU_ASSERT_EQUAL(checkpoint_begin(c, true), STORE_FAILED);
    checkpoint_reader_close(reader);
    checkpoint_close(c);
    buffer_release(&chunk);
    fixture_remove(&f);
}

static void test_checkpoint__another_members_is_refused(void)
{
    for (int i = 0; i < 3; i++) {
        struct store_identity identity = fixture_identity();
        struct checkpoint *c;
        struct fixture f;

        write_two(&f);
        identity.self += i == 0;
        identity.incarnation += i == 1;
        identity.cell[3] ^= i == 2;
        CU_ASSERT_EQUAL(
            checkpoint_open(f.directory, &identity, NULL, &c, NULL, f.why, sizeof f.why),
            STORE_MISMATCH);
        CU_ASSERT_EQUAL(read_all(&f), STORE_OK);
        fixture_remove(&f);
    }
}

static void test_checkpoint__one_of_a_later_version_is_left_alone(void)
{
    struct fixture f;

    write_two(&f);
    fixture_execute(&f, "state.db", "PRAGMA user_version=2");
    CU_ASSERT_EQUAL(read_all(&f), STORE_FOREIGN);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "format 2"));
    fixture_remove(&f);
}

static void test_checkpoint__damaged_files_are_set_aside(void)
{
    struct store_identity identity = fixture_identity();
    struct fixture f;
    struct checkpoint *c;
    uint64_t size;
    bool made = false;

    write_two(&f);
    for (int i = 0; i < 2; i++) { /* the second time in place of the first */
        fixture_flip(&f, "state.db-wal", 5000, 3);
        CU_ASSERT_EQUAL(read_all(&f), STORE_CORRUPT);
        size = fixture_size(&f, "state.db-wal");
        CU_ASSERT_EQUAL(checkpoint_set_aside(f.directory, f.why, sizeof f.why), STORE_OK);
        CU_ASSERT_EQUAL(fixture_size(&f, "state.db"), 0);
        CU_ASSERT_EQUAL(fixture_size(&f, "state.db.damaged-wal"), size);
        CU_ASSERT_TRUE(fixture_size(&f, "state.db.damaged") > 0);
        CU_ASSERT_EQUAL(
            checkpoint_open(f.directory, &identity, NULL, &c, &made, f.why, sizeof f.why),
            STORE_OK);
        CU_ASSERT_TRUE(made);
        CU_ASSERT_EQUAL(state_number(c), 0);
        CU_ASSERT_EQUAL(state_write(c, 7, true), STORE_OK);
        CU_ASSERT_EQUAL(state_write(c, 8, false), STORE_OK);
        checkpoint_close(c);
    }
    fixture_remove(&f);
}

/* The -wal of a database that is gone must not come into a new one. */
static void test_checkpoint__a_missing_file_is_made_anew(void)
{
    char path[FIXTURE_PATH_BYTES];
    struct fixture f;
    struct checkpoint *c;

    write_two(&f);
    fixture_path(&f, "state.db", path);
    CU_ASSERT_EQUAL(unlink(path), 0);
    c = state_open(&f, NULL);
    CU_ASSERT_EQUAL(state_number(c), 0);
    checkpoint_close(c);
    fixture_remove(&f);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_checkpoint__a_fresh_one_holds_nothing),
        TEST(test_checkpoint__what_changed_adds_up),
        TEST(test_checkpoint__a_whole_one_takes_the_place_of_the_last),
        TEST(test_checkpoint__an_aborted_one_was_never_there),
        TEST(test_checkpoint__empty_keys_and_values_are_records_too),
        TEST(test_checkpoint__a_reader_sees_the_one_it_began_with),
        TEST(test_checkpoint__an_aborted_one_leaves_nothing_while_readers_look_on),
        TEST(test_checkpoint__a_changed_row_is_found),
        TEST(test_checkpoint__a_flipped_bit_in_a_page_is_never_read_as_data),
        TEST(test_checkpoint__a_flipped_bit_in_the_wal_is_found),
        TEST(test_checkpoint__damage_is_found_by_a_reader),
        TEST(test_checkpoint__another_members_is_refused),
        TEST(test_checkpoint__one_of_a_later_version_is_left_alone),
        TEST(test_checkpoint__damaged_files_are_set_aside),
        TEST(test_checkpoint__a_missing_file_is_made_anew),
    };
    return run_suite("checkpoint", cases, sizeof cases / sizeof cases[0], argc, argv);
}
