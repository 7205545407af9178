/* test_store.c - making a directory, opening it, and refusing what is not ours. */
#define _GNU_SOURCE
#include "coordd/storage/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/storage/fixture.h"
#include "tests/support/runner.h"

static enum store_result open_result(struct fixture *f)
{
    enum store_result r;

    store_close(fixture_open(f, &r));
    return r;
}

static void test_store__what_init_wrote_is_what_open_reads(void)
{
    struct fixture f;
    struct store_identity expected = fixture_identity();
    const struct store_identity *found;
    struct replica_durable durable;
    struct store *s;

    fixture_make(&f);
    s = fixture_start(&f);
    found = store_identity(s);
    CU_ASSERT_EQUAL(memcmp(found->cell, expected.cell, sizeof expected.cell), 0);
    CU_ASSERT_STRING_EQUAL(found->cell_name, "test");
    CU_ASSERT_EQUAL(found->self, 2);
    CU_ASSERT_EQUAL(found->incarnation, expected.incarnation);
    CU_ASSERT_EQUAL_FATAL(found->members_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(found->members[i].id, i + 1);
        CU_ASSERT_STRING_EQUAL(found->members[i].address, expected.members[i].address);
    }
    store_durable(s, &durable);
    CU_ASSERT_EQUAL(durable.promised, 0);
    CU_ASSERT_EQUAL(durable.longest_lease_ms, 0);
    CU_ASSERT_EQUAL(durable.used, 0);
    store_close(s);
    fixture_remove(&f);
}

static void test_store__init_makes_missing_parents(void)
{
    struct fixture f, below;

    fixture_make(&f);
    below = f;
    fixture_path(&f, "a/b//c/", below.directory);
    CU_ASSERT_EQUAL(fixture_initialise(&below), STORE_OK);
    CU_ASSERT_EQUAL(open_result(&below), STORE_OK);
    fixture_path(&f, "a/b//c", below.directory);
    fixture_remove(&below);
    fixture_path(&f, "a/b", below.directory);
    fixture_remove(&below);
    fixture_path(&f, "a", below.directory);
    fixture_remove(&below);
    fixture_remove(&f);
}

static void test_store__init_twice_changes_nothing(void)
{
    struct fixture f;
    struct store *s;
    uint64_t last;

    fixture_make(&f);
    s = fixture_start(&f);
    fixture_fill(s, 1, 3);
    store_close(s);
    CU_ASSERT_EQUAL(fixture_initialise(&f), STORE_EXISTS);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "log.db"));
    s = fixture_open(&f, NULL);
    CU_ASSERT_EQUAL(fixture_read(s, 1, &last), STORE_OK);
    CU_ASSERT_EQUAL(last, 3);
    store_close(s);
    fixture_remove(&f);
}

/* Power fails in the middle of an init: the next one starts afresh. A -wal whose
 * database was removed must not be replayed into the new one either. */
static void test_store__init_clears_the_rest_of_an_earlier_try(void)
{
    struct fixture f;
    struct store *s;
    uint64_t last;
    char path[FIXTURE_PATH_BYTES];

    fixture_make(&f);
    s = fixture_start(&f);
    fixture_fill(s, 1, 3);
    store_close(s);
    fixture_path(&f, "log.db", path);
    CU_ASSERT_EQUAL(unlink(path), 0);
    fixture_write_bytes(&f, "log.db.new", 0, "half a database", 15);
    s = fixture_start(&f);
    CU_ASSERT_EQUAL(fixture_read(s, 1, &last), STORE_OK);
    CU_ASSERT_EQUAL(last, 0);
    store_close(s);
    fixture_remove(&f);
}

static void test_store__init_refuses_a_member_that_is_not_in_the_cell(void)
{
    struct fixture f;
    struct store_identity identity = fixture_identity();

    fixture_make(&f);
    identity.self = 9;
    CU_ASSERT_EQUAL(store_initialise(f.directory, &identity, NULL, f.why, sizeof f.why),
                    STORE_MISMATCH);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "member 9"));
    fixture_remove(&f);
}

static void test_store__an_empty_directory_is_not_initialised(void)
{
    struct fixture f, none;

    fixture_make(&f);
    CU_ASSERT_EQUAL(open_result(&f), STORE_NOT_INITIALISED);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "coordd init"));
    none = f;
    fixture_path(&f, "none", none.directory);
    CU_ASSERT_EQUAL(open_result(&none), STORE_NOT_INITIALISED);
    fixture_remove(&f);
}

static void test_store__another_cell_or_member_is_a_mismatch(void)
{
    struct fixture f;
    struct store_identity identity = fixture_identity();
    struct store *s;

    fixture_make(&f);
    s = fixture_start(&f);
    CU_ASSERT_EQUAL(store_expect(s, identity.cell, 2), STORE_OK);
    CU_ASSERT_EQUAL(store_expect(s, NULL, 0), STORE_OK);
    CU_ASSERT_EQUAL(store_expect(s, NULL, 3), STORE_MISMATCH);
    CU_ASSERT_PTR_NOT_NULL(strstr(store_why(s), "member 2, not 3"));
    identity.cell[0] ^= 1;
    CU_ASSERT_EQUAL(store_expect(s, identity.cell, 2), STORE_MISMATCH);
    CU_ASSERT_PTR_NOT_NULL(strstr(store_why(s), "cell c5c5"));
    store_close(s);
    fixture_remove(&f);
}

static void test_store__a_database_of_another_program_is_left_alone(void)
{
    struct fixture f;
    uint8_t before[8192], after[8192];
    uint64_t size;

    fixture_make(&f);
    fixture_execute(&f, "log.db", "CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)");
    size = fixture_size(&f, "log.db");
    CU_ASSERT_EQUAL_FATAL(size, sizeof before);
    fixture_read_bytes(&f, "log.db", 0, before, sizeof before);
    CU_ASSERT_EQUAL(open_result(&f), STORE_FOREIGN);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "another program"));
    CU_ASSERT_EQUAL(fixture_initialise(&f), STORE_EXISTS);
    CU_ASSERT_EQUAL(fixture_size(&f, "log.db"), size);
    fixture_read_bytes(&f, "log.db", 0, after, sizeof after);
    CU_ASSERT_EQUAL(memcmp(before, after, sizeof before), 0);
    CU_ASSERT_EQUAL(fixture_size(&f, "log.db-wal"), 0);
    fixture_remove(&f);
}

/* A start would put it in the place of the new log, with the promise of the one before. */
static void test_store__nothing_is_initialised_beside_a_repaired_log(void)
{
    struct fixture f;

    fixture_make(&f);
    fixture_execute(&f, "log.db.repaired", "CREATE TABLE anything (x)");
    CU_ASSERT_EQUAL(fixture_initialise(&f), STORE_EXISTS);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "log.db.repaired"));
    CU_ASSERT_EQUAL(fixture_size(&f, "log.db"), 0);
    fixture_remove(&f);
}

static void test_store__a_later_format_is_left_alone(void)
{
    struct fixture f;

    fixture_make(&f);
    store_close(fixture_start(&f));
    fixture_execute(&f, "log.db", "PRAGMA user_version=2");
    CU_ASSERT_EQUAL(open_result(&f), STORE_FOREIGN);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "format 2"));
    fixture_remove(&f);
}

static void test_store__something_else_than_a_database_is_foreign(void)
{
    static const char text[] = "These are the notes of somebody, and by no means a database. "
                               "They happen to be long enough to fill the header of one.";
    struct fixture f;

    fixture_make(&f);
    fixture_write_bytes(&f, "log.db", 0, text, sizeof text);
    CU_ASSERT_EQUAL(open_result(&f), STORE_FOREIGN);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "not an SQLite database"));
    fixture_remove(&f);
    fixture_make(&f);
    fixture_write_bytes(&f, "log.db", 0, text, 0); /* an empty file */
    CU_ASSERT_EQUAL(open_result(&f), STORE_FOREIGN);
    fixture_remove(&f);
}

static void test_store__a_second_process_is_refused_by_name(void)
{
    struct fixture f;
    struct store *s;
    int status;
    pid_t child;

    fixture_make(&f);
    s = fixture_start(&f);
    child = fork();
    if (child == 0) {
        char expected[32];
        enum store_result r = open_result(&f);

        snprintf(expected, sizeof expected, "(pid %ld)", (long)getppid());
        _exit(r == STORE_LOCKED && strstr(f.why, expected) != NULL ? 0 : 1);
    }
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);
    CU_ASSERT_EQUAL(fixture_initialise(&f), STORE_LOCKED);
    store_close(s);
    CU_ASSERT_EQUAL(open_result(&f), STORE_OK);
    fixture_remove(&f);
}

static void test_store__a_use_is_noted_for_ever(void)
{
    struct fixture f;
    struct replica_durable durable;
    struct store *s;

    fixture_make(&f);
    s = fixture_start(&f);
    CU_ASSERT_EQUAL(store_mark_used(s), STORE_OK);
    CU_ASSERT_EQUAL(store_mark_used(s), STORE_OK);
    store_close(s);
    s = fixture_open(&f, NULL);
    store_durable(s, &durable);
    CU_ASSERT_NOT_EQUAL(durable.used, 0);
    store_close(s);
    fixture_remove(&f);
}

static void test_store__a_changed_identity_is_found(void)
{
    static const char *const changes[] = {
        "UPDATE identity SET self = 3",
        "UPDATE identity SET incarnation = incarnation + 1",
        "UPDATE identity SET cell_name = 'tests'",
        "UPDATE member SET address = 'localhost:4' WHERE id = 1",
        "DELETE FROM member WHERE id = 3",
        "DELETE FROM identity",
    };

    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct fixture f;

        fixture_make(&f);
        store_close(fixture_start(&f));
        fixture_execute(&f, "log.db", changes[i]);
        CU_ASSERT_EQUAL(open_result(&f), STORE_CORRUPT);
        CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "identity"));
        fixture_remove(&f);
    }
}

static void test_store__a_changed_promise_is_found(void)
{
    struct effect promise = {.kind = EFFECT_PERSIST_PROMISE, .ballot = 131073};
    struct fixture f;
    struct store *s;

    fixture_make(&f);
    s = fixture_start(&f);
    CU_ASSERT_EQUAL(store_commit(s, &promise, 1), STORE_OK);
    store_close(s);
    fixture_execute(&f, "log.db", "UPDATE number SET value = 65537 WHERE value = 131073");
    CU_ASSERT_EQUAL(open_result(&f), STORE_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "number"));
    fixture_remove(&f);
}

static void test_store__every_result_has_a_text(void)
{
    for (int r = STORE_OK; r <= STORE_MISMATCH; r++)
        CU_ASSERT_STRING_NOT_EQUAL(store_result_text((enum store_result)r), "unknown result");
    CU_ASSERT_STRING_EQUAL(store_result_text((enum store_result)99), "unknown result");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_store__what_init_wrote_is_what_open_reads),
        TEST(test_store__init_makes_missing_parents),
        TEST(test_store__init_twice_changes_nothing),
        TEST(test_store__init_clears_the_rest_of_an_earlier_try),
        TEST(test_store__init_refuses_a_member_that_is_not_in_the_cell),
        TEST(test_store__an_empty_directory_is_not_initialised),
        TEST(test_store__another_cell_or_member_is_a_mismatch),
        TEST(test_store__a_database_of_another_program_is_left_alone),
        TEST(test_store__nothing_is_initialised_beside_a_repaired_log),
        TEST(test_store__a_later_format_is_left_alone),
        TEST(test_store__something_else_than_a_database_is_foreign),
        TEST(test_store__a_second_process_is_refused_by_name),
        TEST(test_store__a_use_is_noted_for_ever),
        TEST(test_store__a_changed_identity_is_found),
        TEST(test_store__a_changed_promise_is_found),
        TEST(test_store__every_result_has_a_text),
    };
    return run_suite("store", cases, sizeof cases / sizeof cases[0], argc, argv);
}
