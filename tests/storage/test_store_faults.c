/* test_store_faults.c - a full disk is survived, a failing one ends the work. */
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/storage/fixture.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/runner.h"

static struct fault_plan *plan;

/* Initialised and open on the failing VFS, nothing failing yet. */
static struct store *start(struct fixture *f)
{
    if (plan == NULL)
        plan = fault_vfs_register("fault");
    CHECK(plan != NULL);
    memset(plan, 0, sizeof *plan);
    fixture_make(f);
    f->options.vfs = "fault";
    return fixture_start(f);
}

static void finish(struct fixture *f, struct store *s)
{
    memset(plan, 0, sizeof *plan);
    store_close(s);
    fixture_remove(f);
}

static void check_holds(struct store *s, uint64_t last)
{
    uint64_t found;

    CU_ASSERT_EQUAL(fixture_read(s, 1, &found), STORE_OK);
    CU_ASSERT_EQUAL(found, last);
}

/* ---- no space ---- */

/* At each write of each commit in turn. Entries of different lengths, so that
 * what a failed one left reaches beyond the next one's end. */
static void test_case_19__a_full_disk_at_any_write_changes_nothing(void)
{
    static const uint32_t sizes[] = {200, 9 * 4096, 5 * 4096, 200, 2 * 4096};
    struct fixture f;
    struct store *s = start(&f);
    uint64_t slot = 1, refused = 0;

    for (uint32_t round = 0; round < 15; round++) {
        uint32_t bytes = sizes[round % 5];
        enum store_result r = STORE_FULL;

        for (uint64_t write = 1; r == STORE_FULL; write++) {
            plan->full_in = write;
            r = fixture_commit(s, slot, bytes);
            if (r == STORE_FULL) {
                refused++;
                check_holds(s, slot - 1);
                if (write % 4 == round % 4)
                    s = fixture_reopen(&f, s);
            }
        }
        plan->full_in = 0;
        CU_ASSERT_EQUAL_FATAL(r, STORE_OK);
        check_holds(s, slot++);
        if (round % 3 == 0)
            s = fixture_reopen(&f, s);
    }
    CU_ASSERT_TRUE(refused > 60);
    check_holds(s, 15);
    finish(&f, s);
}

/* More than SQLite's cache holds: frames are written before the commit. */
static void test_store_faults__a_full_disk_in_a_large_transaction_changes_nothing(void)
{
    struct fixture f;
    struct store *s = start(&f);

    fixture_fill(s, 1, 3);
    for (uint64_t write = 1; write < 1700; write = write * 3 + 1) {
        plan->full_in = write;
        CU_ASSERT_EQUAL(fixture_commit(s, 4, 4 << 20), STORE_FULL);
        fixture_fill(s, 3, 3);
        check_holds(s, 3);
        if (write % 2 == 0)
            s = fixture_reopen(&f, s);
    }
    plan->full_in = 0;
    CU_ASSERT_EQUAL(fixture_commit(s, 4, 4 << 20), STORE_OK);
    s = fixture_reopen(&f, s);
    check_holds(s, 4);
    finish(&f, s);
}

/* Two refused transactions, a long one and one that got as far as the header of
 * its commit, then a short one that succeeds: if anything of the two were left
 * behind it, it would look like a damaged frame with later commits behind. Once
 * in a generation that goes on, once in one that the first of them begins. */
static void test_store_faults__what_a_full_disk_left_is_no_damage_later(void)
{
    for (int begins = 0; begins < 2; begins++) {
        struct fixture f;
        struct store *s = start(&f);
        enum store_result r = STORE_FULL;

        f.options.checkpoint_frames = 5;
        fixture_fill(s, 1, 3);
        for (uint64_t write = 1; r == STORE_FULL; write++) {
            s = fixture_reopen(&f, s);
            s = fixture_reopen(&f, s); /* the log's length is known: the next commit begins */
            for (int i = 0; i < 30; i++)
                fixture_fill(s, 3, 3);
            if (begins)
                CU_ASSERT_EQUAL(store_maintain(s), STORE_OK);
            plan->full_in = 45;
            CU_ASSERT_EQUAL(fixture_commit(s, 4, 25 * 4096), STORE_FULL);
            plan->full_in = write;
            r = fixture_commit(s, 4, 8 * 4096);
            plan->full_in = 0;
            fixture_fill(s, 3, 3);
            check_holds(s, r == STORE_OK ? 4 : 3);
        }
        s = fixture_reopen(&f, s);
        check_holds(s, 4);
        CU_ASSERT_TRUE(plan->hits > 30);
        finish(&f, s);
    }
}

static void test_store_faults__a_refused_promise_is_not_remembered(void)
{
    struct effect effects[2] = {
        {.kind = EFFECT_PERSIST_PROMISE, .ballot = 65537},
        {.kind = EFFECT_PERSIST_LEASE, .lease_ms = 350},
    };
    struct replica_durable durable;
    struct fixture f;
    struct store *s = start(&f);

    plan->full_in = 1;
    CU_ASSERT_EQUAL(store_commit(s, effects, 2), STORE_FULL);
    plan->full_in = 1;
    CU_ASSERT_EQUAL(store_mark_used(s), STORE_FULL);
    store_durable(s, &durable);
    CU_ASSERT_EQUAL(durable.promised, 0);
    CU_ASSERT_EQUAL(durable.longest_lease_ms, 0);
    CU_ASSERT_EQUAL(durable.used, 0);
    CU_ASSERT_EQUAL(store_commit(s, effects, 2), STORE_OK);
    s = fixture_reopen(&f, s);
    store_durable(s, &durable);
    CU_ASSERT_EQUAL(durable.promised, 65537);
    CU_ASSERT_EQUAL(durable.longest_lease_ms, 350);
    finish(&f, s);
}

/* Files cannot grow: commits go on while the -wal has room, then are refused;
 * nothing can be moved into the database; a restart works; with space again all
 * goes on by itself. */
static void test_store_faults__a_full_disk_is_outlived(void)
{
    struct fixture f;
    struct store *s = start(&f);
    uint64_t slot = 1;
    enum store_result r;

    f.options.checkpoint_frames = 10;
    s = fixture_reopen(&f, s);
    plan->no_space = true;
    for (; (r = fixture_commit(s, slot, 200)) == STORE_OK; slot++)
        CU_ASSERT_TRUE_FATAL(slot < 1000);
    CU_ASSERT_EQUAL(r, STORE_FULL);
    CU_ASSERT_TRUE(slot > 30);
    CU_ASSERT_EQUAL(fixture_size(&f, "log.db-wal"), f.options.wal_bytes);
    CU_ASSERT_EQUAL(store_maintain(s), STORE_FULL);
    check_holds(s, slot - 1);

    f.options.wal_bytes *= 2; /* not to be had now, and no reason not to open */
    s = fixture_reopen(&f, s);
    check_holds(s, slot - 1);
    CU_ASSERT_EQUAL(fixture_commit(s, slot, 200), STORE_FULL);
    CU_ASSERT_EQUAL(store_maintain(s), STORE_FULL);

    plan->no_space = false;
    CU_ASSERT_EQUAL(store_maintain(s), STORE_OK);
    fixture_fill(s, slot, slot + 20);
    CU_ASSERT_EQUAL(store_maintain(s), STORE_OK);
    s = fixture_reopen(&f, s);
    CU_ASSERT_EQUAL(fixture_size(&f, "log.db-wal"), f.options.wal_bytes);
    check_holds(s, slot + 20);
    finish(&f, s);
}

static void test_store_faults__maintenance_without_space_leaves_everything_as_it_was(void)
{
    struct fixture f;
    struct store *s = start(&f);
    uint64_t slot = 1;
    enum store_result r = STORE_FULL;

    f.options.checkpoint_frames = 5;
    s = fixture_reopen(&f, s);
    for (uint64_t write = 1; r == STORE_FULL; write++) {
        fixture_fill(s, slot, slot + 39);
        slot += 40;
        plan->full_in = write;
        r = store_maintain(s);
        check_holds(s, slot - 1);
        /* Commits go on: in the old generation or in a new one. */
        plan->full_in = 0;
        fixture_fill(s, slot, slot);
        slot++;
        if (write % 3 == 0)
            s = fixture_reopen(&f, s);
    }
    CU_ASSERT_EQUAL(r, STORE_OK);
    CU_ASSERT_TRUE(plan->hits >= 5);
    s = fixture_reopen(&f, s);
    check_holds(s, slot - 1);
    finish(&f, s);
}

static void test_store_faults__init_without_space_can_be_tried_again(void)
{
    struct fixture f;
    struct store *s = start(&f);
    enum store_result r = STORE_FULL;

    for (uint64_t write = 1; r == STORE_FULL; write++) {
        finish(&f, s);
        s = NULL;
        fixture_make(&f);
        f.options.vfs = "fault";
        plan->full_in = write;
        r = fixture_initialise(&f);
        if (r == STORE_FULL) {
            enum store_result opened;

            plan->full_in = 0;
            CU_ASSERT_PTR_NULL(fixture_open(&f, &opened));
            CU_ASSERT_EQUAL(opened, STORE_NOT_INITIALISED);
            CU_ASSERT_EQUAL(fixture_initialise(&f), STORE_OK);
        }
        CU_ASSERT_TRUE_FATAL(write < 100);
    }
    CU_ASSERT_EQUAL(r, STORE_OK);
    s = fixture_open(&f, NULL);
    check_holds(s, 0);
    finish(&f, s);
}

/* ---- errors ---- */

/* It must never be believed again, even if it says yes. */
static void check_given_up(struct store *s)
{
    struct effect promise = {.kind = EFFECT_PERSIST_PROMISE, .ballot = 65537};
    uint64_t last;

    CU_ASSERT_EQUAL(store_commit(s, &promise, 1), STORE_FAILED);
    CU_ASSERT_EQUAL(fixture_read(s, 1, &last), STORE_FAILED);
    CU_ASSERT_EQUAL(store_maintain(s), STORE_FAILED);
    CU_ASSERT_EQUAL(store_mark_used(s), STORE_FAILED);
}

static void test_case_18__a_sync_that_failed_once_is_final(void)
{
    struct fixture f;
    struct store *s = start(&f);
    uint64_t last;

    fixture_fill(s, 1, 5);
    plan->sync_error_in = 1;
    CU_ASSERT_EQUAL(fixture_commit(s, 6, 200), STORE_FAILED);
    CU_ASSERT_PTR_NOT_NULL(strstr(store_why(s), "commit"));
    check_given_up(s);
    CU_ASSERT_PTR_NOT_NULL(strstr(store_why(s), "commit"));
    s = fixture_reopen(&f, s);
    CU_ASSERT_EQUAL(fixture_read(s, 1, &last), STORE_OK);
    CU_ASSERT_TRUE(last == 5 || last == 6); /* nobody knows: not acknowledged */
    finish(&f, s);
}

static void test_store_faults__a_failing_write_is_final(void)
{
    struct fixture f;
    struct store *s = start(&f);
    uint64_t slot = 1;

    for (uint64_t write = 1; write <= 4; write++) {
        fixture_fill(s, slot, slot + 2);
        slot += 3;
        plan->write_error_in = write;
        CU_ASSERT_EQUAL(fixture_commit(s, slot, 2 * 4096), STORE_FAILED);
        check_given_up(s);
        s = fixture_reopen(&f, s);
        check_holds(s, slot - 1);
    }
    finish(&f, s);
}

/* The database's own sync, or its header's in the -wal, or a write. */
static void test_store_faults__failing_maintenance_is_final(void)
{
    struct fixture f;
    struct store *s = start(&f);
    uint64_t slot = 1;
    enum store_result r = STORE_FAILED;

    f.options.checkpoint_frames = 5;
    s = fixture_reopen(&f, s);
    for (uint64_t sync = 1; r == STORE_FAILED; sync++) {
        fixture_fill(s, slot, slot + 5);
        slot += 6;
        plan->sync_error_in = sync;
        r = store_maintain(s);
        plan->sync_error_in = 0;
        if (r != STORE_OK)
            check_given_up(s);
        s = fixture_reopen(&f, s);
        check_holds(s, slot - 1);
    }
    CU_ASSERT_EQUAL(r, STORE_OK);
    CU_ASSERT_TRUE(plan->hits >= 3);
    finish(&f, s);
}

static void test_store_faults__a_failing_read_is_final(void)
{
    struct fixture f;
    struct store *s = start(&f);
    uint64_t last;

    CU_ASSERT_EQUAL(fixture_commit(s, 1, 3 << 20), STORE_OK); /* more than the cache holds */
    fixture_fill(s, 2, 3);
    plan->read_error_in = 20;
    CU_ASSERT_EQUAL(fixture_read(s, 1, &last), STORE_FAILED);
    check_given_up(s);
    s = fixture_reopen(&f, s);
    check_holds(s, 3);
    finish(&f, s);
}

/* Whatever fails while it opens: no crash, no harm. */
static void test_store_faults__a_failing_open_does_no_harm(void)
{
    struct fixture f;
    struct store *s = start(&f);
    enum store_result r = STORE_FAILED;

    fixture_fill(s, 1, 5);
    store_close(s);
    f.options.wal_bytes *= 4; /* so that it is presized */
    for (int kind = 0; kind < 3; kind++) {
        uint64_t *countdown = kind == 0   ? &plan->sync_error_in
                              : kind == 1 ? &plan->write_error_in
                                          : &plan->read_error_in;
        uint64_t at = 1;

        for (*countdown = at; (s = fixture_open(&f, &r)) == NULL; *countdown = ++at) {
            CU_ASSERT_TRUE(r == STORE_FAILED);
            CU_ASSERT_TRUE_FATAL(at < 1000);
        }
        *countdown = 0;
        s = fixture_reopen(&f, s);
        check_holds(s, 5);
        store_close(s);
    }
    finish(&f, NULL);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_case_19__a_full_disk_at_any_write_changes_nothing),
        TEST(test_store_faults__a_full_disk_in_a_large_transaction_changes_nothing),
        TEST(test_store_faults__what_a_full_disk_left_is_no_damage_later),
        TEST(test_store_faults__a_refused_promise_is_not_remembered),
        TEST(test_store_faults__a_full_disk_is_outlived),
        TEST(test_store_faults__maintenance_without_space_leaves_everything_as_it_was),
        TEST(test_store_faults__init_without_space_can_be_tried_again),
        TEST(test_case_18__a_sync_that_failed_once_is_final),
        TEST(test_store_faults__a_failing_write_is_final),
        TEST(test_store_faults__failing_maintenance_is_final),
        TEST(test_store_faults__a_failing_read_is_final),
        TEST(test_store_faults__a_failing_open_does_no_harm),
    };
    return run_suite("store_faults", cases, sizeof cases / sizeof cases[0], argc, argv);
}
