/* test_checkpoint_faults.c - on a full disk a checkpoint is lost and the last one
 * stands; a failing disk ends the work. */
#include <stdio.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/storage/state_fixture.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/runner.h"

static struct fault_plan *plan;

/* With checkpoint 1 in it, nothing failing yet. */
static struct checkpoint *start(struct fixture *f)
{
    struct checkpoint *c;

    if (plan == NULL)
        plan = fault_vfs_register("fault");
    CHECK(plan != NULL);
    memset(plan, 0, sizeof *plan);
    fixture_make(f);
    f->options.vfs = "fault";
    c = state_open(f, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    CU_ASSERT_EQUAL_FATAL(state_write(c, 1, true), STORE_OK);
    return c;
}

static void finish(struct fixture *f, struct checkpoint *c)
{
    memset(plan, 0, sizeof *plan);
    checkpoint_close(c);
    fixture_remove(f);
}

static struct checkpoint *reopen(struct fixture *f, struct checkpoint *c)
{
    checkpoint_close(c);
    c = state_open(f, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    return c;
}

/* ---- no space ---- */

/* At each write of each checkpoint in turn, some of them with a reader in the way. */
static void test_case_19__a_full_disk_at_any_write_keeps_the_last_checkpoint(void)
{
    struct fixture f;
    struct checkpoint *c = start(&f);
    uint64_t refused = 0;

    for (uint32_t n = 2; n <= 13; n++) {
        struct checkpoint_reader *reader = NULL;
        enum store_result r = STORE_FULL;

        if (n % 3 == 0)
            CU_ASSERT_EQUAL(checkpoint_reader_open(c, &reader), STORE_OK);
        for (uint64_t write = 1; r == STORE_FULL; write++) {
            plan->full_in = write;
            r = state_write(c, n, n % 4 == 0);
            plan->full_in = 0;
            CU_ASSERT_TRUE_FATAL(r == STORE_OK || r == STORE_FULL);
            if (r == STORE_OK)
                break;
            refused++;
            CU_ASSERT_EQUAL(state_number(c), n - 1);
            if (reader == NULL && write % 5 == n % 5)
                c = reopen(&f, c);
        }
        CU_ASSERT_EQUAL(state_number(c), n);
        if (reader != NULL)
            state_check_reader(reader, n - 1, 1000);
        checkpoint_reader_close(reader);
        if (n % 2 == 0)
            CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_OK);
    }
    CU_ASSERT_TRUE(refused > 100);
    c = reopen(&f, c);
    CU_ASSERT_EQUAL(state_number(c), 13);
    finish(&f, c);
}

/* One that does not fit into memory: much of it is in the -wal before the commit. */
static void test_checkpoint_faults__a_full_disk_in_a_large_checkpoint_keeps_the_last_one(void)
{
    struct fixture f;
    struct checkpoint *c = start(&f);
    enum store_result r = STORE_FULL;
    uint64_t refused = 0;
    uint32_t n = 1;

    for (uint64_t write = 1; r == STORE_FULL; write = write * 2 + 1) {
        plan->full_in = write;
        r = state_put(c, n + 1, false);
        if (r == STORE_OK)
            r = state_put_much(c);
        if (r == STORE_OK)
            r = state_commit(c, n + 1);
        plan->full_in = 0;
        CU_ASSERT_TRUE_FATAL(r == STORE_OK || r == STORE_FULL);
        refused += r == STORE_FULL;
        n += r == STORE_OK;
        CU_ASSERT_EQUAL(state_number(c), n);
        if (refused % 2 == 0)
            c = reopen(&f, c);
        CU_ASSERT_EQUAL(state_write(c, ++n, false), STORE_OK);
        if (refused % 3 == 0)
            CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_OK);
        CU_ASSERT_EQUAL(state_number(c), n);
    }
    CU_ASSERT_TRUE(refused > 10); /* more than 2,000 writes */
    c = reopen(&f, c);
    CU_ASSERT_EQUAL(state_number(c), n);
    finish(&f, c);
}

/* What a refused transaction left would look like damage behind later ones. */
static void test_checkpoint_faults__what_a_full_disk_left_is_no_damage_later(void)
{
    struct fixture f;
    struct checkpoint *c = start(&f);
    uint32_t n = 1;

    for (uint64_t write = 1; write < 60; write++) {
        if (write % 2 == 0)
            CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_OK);
        plan->full_in = write;
        if (state_write(c, n + 1, true) == STORE_OK)
            n++;
        plan->full_in = 0;
        CU_ASSERT_EQUAL(state_write(c, n + 1, false), STORE_OK);
        CU_ASSERT_EQUAL(state_write(c, n + 2, false), STORE_OK);
        n += 2;
        c = reopen(&f, c);
        CU_ASSERT_EQUAL(state_number(c), n);
    }
    CU_ASSERT_TRUE(plan->hits > 20);
    finish(&f, c);
}

/* Files cannot grow. With space again all goes on, without a restart. */
static void test_checkpoint_faults__a_full_disk_is_outlived(void)
{
    struct fixture f;
    struct checkpoint *c = start(&f);

    plan->no_space = true;
    CU_ASSERT_EQUAL(state_write(c, 2, true), STORE_FULL);
    CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_FULL);
    CU_ASSERT_EQUAL(state_number(c), 1);
    c = reopen(&f, c);
    CU_ASSERT_EQUAL(state_number(c), 1);
    CU_ASSERT_EQUAL(state_write(c, 2, true), STORE_FULL);
    plan->no_space = false;
    CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_OK);
    CU_ASSERT_EQUAL(state_write(c, 2, false), STORE_OK);
    CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_OK);
    c = reopen(&f, c);
    CU_ASSERT_EQUAL(state_number(c), 2);
    finish(&f, c);
}

static void test_checkpoint_faults__moving_the_wal_without_space_changes_nothing(void)
{
    struct fixture f;
    struct checkpoint *c = start(&f);
    uint32_t n = 1;
    enum store_result r = STORE_FULL;

    for (uint64_t write = 1; r == STORE_FULL; write++) {
        n++;
        CU_ASSERT_EQUAL(state_write(c, n, write % 2 == 0), STORE_OK);
        plan->full_in = write;
        r = checkpoint_maintain(c);
        plan->full_in = 0;
        CU_ASSERT_EQUAL(state_number(c), n);
        if (write % 3 == 0)
            c = reopen(&f, c);
    }
    CU_ASSERT_EQUAL(r, STORE_OK);
    CU_ASSERT_TRUE(plan->hits >= 5);
    finish(&f, c);
}

static void test_checkpoint_faults__making_the_file_without_space_can_be_tried_again(void)
{
    struct fixture f;
    struct checkpoint *c = start(&f);
    enum store_result r = STORE_FULL;

    for (uint64_t write = 1; r == STORE_FULL; write++) {
        finish(&f, c);
        fixture_make(&f);
        f.options.vfs = "fault";
        plan->full_in = write;
        c = state_open(&f, &r);
        if (r == STORE_FULL) {
            plan->full_in = 0;
            c = state_open(&f, NULL);
            CU_ASSERT_EQUAL(state_number(c), 0);
        }
        CU_ASSERT_TRUE_FATAL(write < 100);
    }
    CU_ASSERT_EQUAL(r, STORE_OK);
    finish(&f, c);
}

/* ---- errors ---- */

static void check_given_up(struct checkpoint *c)
{
    struct checkpoint_reader *reader;

    CU_ASSERT_EQUAL(checkpoint_begin(c, false), STORE_FAILED);
    CU_ASSERT_EQUAL(checkpoint_abort(c), STORE_FAILED);
    CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_FAILED);
    CU_ASSERT_EQUAL(state_check(c), STORE_FAILED);
    CU_ASSERT_EQUAL(checkpoint_reader_open(c, &reader), STORE_FAILED);
}

/* Whatever fails, at any point of writing one: it is there as a whole, or not. */
static void test_checkpoint_faults__a_failing_write_or_sync_is_final(void)
{
    struct fixture f;
    struct checkpoint *c = start(&f);
    uint32_t n = 1, failures = 0;

    for (int kind = 0; kind < 2; kind++) {
        uint64_t *countdown = kind == 0 ? &plan->write_error_in : &plan->sync_error_in;
        enum store_result r = STORE_FAILED;

        for (uint64_t at = 1; r != STORE_OK; at++) {
            uint32_t found;

            *countdown = at;
            r = state_write(c, n + 1, at % 2 == 0);
            if (r == STORE_OK)
                r = checkpoint_maintain(c);
            *countdown = 0;
            if (r != STORE_OK) {
                CU_ASSERT_EQUAL(r, STORE_FAILED);
                CU_ASSERT_PTR_NOT_NULL(strstr(checkpoint_why(c), "state.db"));
                check_given_up(c);
                failures++;
            }
            c = reopen(&f, c);
            found = state_number(c);
            CU_ASSERT_TRUE(found == n || found == n + 1);
            CU_ASSERT_TRUE(r != STORE_OK || found == n + 1);
            n = found;
        }
    }
    CU_ASSERT_TRUE(failures > 10);
    finish(&f, c);
}

static void test_checkpoint_faults__a_failing_open_does_no_harm(void)
{
    struct fixture f;
    struct checkpoint *c = start(&f);
    enum store_result r = STORE_FAILED;
    uint32_t n = 1;

    for (int kind = 0; kind < 3; kind++) {
        uint64_t *countdown = kind == 0   ? &plan->sync_error_in
                              : kind == 1 ? &plan->write_error_in
                                          : &plan->read_error_in;
        uint64_t at = 1;

        CU_ASSERT_EQUAL(state_write(c, ++n, false), STORE_OK);
        checkpoint_close(c);
        for (*countdown = at; (c = state_open(&f, &r)) == NULL; *countdown = ++at) {
            CU_ASSERT_TRUE(r == STORE_FAILED);
            CU_ASSERT_TRUE_FATAL(at < 1000);
        }
        *countdown = 0;
        c = reopen(&f, c);
        CU_ASSERT_EQUAL(state_number(c), n);
    }
    finish(&f, c);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_case_19__a_full_disk_at_any_write_keeps_the_last_checkpoint),
        TEST(test_checkpoint_faults__a_full_disk_in_a_large_checkpoint_keeps_the_last_one),
        TEST(test_checkpoint_faults__what_a_full_disk_left_is_no_damage_later),
        TEST(test_checkpoint_faults__a_full_disk_is_outlived),
        TEST(test_checkpoint_faults__moving_the_wal_without_space_changes_nothing),
        TEST(test_checkpoint_faults__making_the_file_without_space_can_be_tried_again),
        TEST(test_checkpoint_faults__a_failing_write_or_sync_is_final),
        TEST(test_checkpoint_faults__a_failing_open_does_no_harm),
    };
    return run_suite("checkpoint_faults", cases, sizeof cases / sizeof cases[0], argc, argv);
}
