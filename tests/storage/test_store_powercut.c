/* test_store_powercut.c - what store_commit said yes to is there after a power cut.
 *
 * A child commits, tells through a pipe what was acknowledged, and kills itself
 * at some write or sync; then powercut_apply takes away what was not synced, and
 * the directory must open with everything acknowledged in it. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "libcoord/base/prng.h"
#include "tests/storage/fixture.h"
#include "tests/storage/power_child.h"
#include "tests/support/powercut_undo.h"
#include "tests/support/powercut_vfs.h"
#include "tests/support/runner.h"

#define HONEST "powercut"
#define LYING  "powercut-ignoring-sync"

enum { CUTS = 250, COMMITS = 12, OPERATIONS_MAX = 90 };

/* What has been acknowledged, ever. */
struct told {
    uint64_t slot, ballot;
};

static void register_vfs(void)
{
    static bool done;

    if (!done)
        CU_ASSERT_TRUE_FATAL(powercut_vfs_register(HONEST, false) &&
                             powercut_vfs_register(LYING, true));
    done = true;
}

static enum store_result commit_both(struct store *s, uint64_t slot, uint64_t ballot,
                                     uint32_t bytes)
{
    struct effect effects[2] = {
        {.kind = EFFECT_PERSIST_PROMISE, .ballot = ballot},
        {.kind = EFFECT_PERSIST_ENTRY, .entry = {.slot = slot, .ballot = ballot}},
    };
    enum store_result r;

    effects[1].entry.value = fixture_value(slot, bytes);
    r = store_commit(s, effects, 2);
    blob_unref(effects[1].entry.value);
    return r;
}

/* In the child. Now and then it writes an older slot anew, as a later ballot does. */
static void work(struct fixture *f, const void *context, uint64_t seed, int tell)
{
    struct told told = *(const struct told *)context;
    struct prng prng;
    struct store *s = fixture_open(f, NULL);

    prng_init(&prng, seed);
    for (int i = 0; s != NULL && i < COMMITS; i++) {
        uint32_t bytes = prng_chance(&prng, 1, 4) ? (uint32_t)prng_below(&prng, 30000) : 200;
        bool again = told.slot > 0 && prng_chance(&prng, 1, 4);
        uint64_t slot = again ? told.slot : told.slot + 1;

        if (commit_both(s, slot, told.ballot + 1, bytes) != STORE_OK)
            _exit(2);
        told.slot = slot;
        told.ballot++;
        if (write(tell, &told, sizeof told) != sizeof told || store_maintain(s) != STORE_OK)
            _exit(3);
    }
    store_close(s);
    _exit(s == NULL ? 4 : 0);
}

/* Opens, and returns what is there; at most one commit more than was told. */
static struct told look(struct fixture *f)
{
    struct replica_durable durable;
    struct told found = {0, 0};
    struct store *s = fixture_open(f, NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    CU_ASSERT_EQUAL(fixture_read(s, 1, &found.slot), STORE_OK);
    store_durable(s, &durable);
    found.ballot = durable.promised;
    store_close(s);
    return found;
}

static void cut(struct fixture *f, uint64_t seed, struct powercut_report *report)
{
    CU_ASSERT_EQUAL_FATAL(powercut_apply(f->directory, seed, report), 0);
}

/* One directory, many lives: each ends at another point, and each in another way. */
static void test_store_powercut__nothing_acknowledged_is_lost(void)
{
    struct powercut_report report;
    struct told told = {0, 0}, found;
    struct fixture f;
    struct prng prng;
    uint64_t undone = 0, torn_open = 0;

    register_vfs();
    fixture_make(&f);
    f.options.vfs = HONEST;
    f.options.wal_bytes = 64 * 1024;
    f.options.checkpoint_frames = 15;
    CU_ASSERT_EQUAL_FATAL(fixture_initialise(&f), STORE_OK);
    prng_init(&prng, 1);
    for (uint64_t i = 1; i <= CUTS; i++) {
        power_child_run(&f, work, i, prng_between(&prng, 1, OPERATIONS_MAX), &told, sizeof told);
        cut(&f, i % 3 == 0 ? 0 : i, &report);
        undone += report.undone;
        if (i % 4 == 0) { /* it dies again, and again while it opens */
            torn_open++;
            power_child_run(&f, work, i, prng_between(&prng, 1, 8), &told, sizeof told);
            cut(&f, i, &report);
        }
        found = look(&f);
        if (found.slot < told.slot || found.ballot < told.ballot ||
            found.ballot > told.ballot + 1) {
            fprintf(stderr, "life %llu: told %llu %llu, found %llu %llu\n", (unsigned long long)i,
                    (unsigned long long)told.slot, (unsigned long long)told.ballot,
                    (unsigned long long)found.slot, (unsigned long long)found.ballot);
            CU_FAIL_FATAL("an acknowledged commit is lost");
        }
        told = found;
    }
    CU_ASSERT_TRUE(told.slot > 100);
    CU_ASSERT_TRUE(undone > CUTS);
    CU_ASSERT_TRUE(torn_open > 0);
    fixture_remove(&f);
}

/* A kill alone loses nothing: the kernel has it all. */
static void test_store_powercut__a_kill_without_one_loses_nothing(void)
{
    struct told told = {0, 0}, found;
    struct fixture f;

    register_vfs();
    fixture_make(&f);
    f.options.vfs = HONEST;
    f.options.checkpoint_frames = 15;
    CU_ASSERT_EQUAL_FATAL(fixture_initialise(&f), STORE_OK);
    for (uint64_t i = 1; i <= 40; i++) {
        power_child_run(&f, work, i, 3 * i, &told, sizeof told);
        found = look(&f);
        CU_ASSERT_TRUE_FATAL(found.slot >= told.slot && found.ballot >= told.ballot);
        told = found;
    }
    fixture_remove(&f);
}

/* The power fails while a store that a kill left behind is in use again: what the
 * kernel had kept must have been synced before anyone was told of it. */
static void test_store_powercut__what_opening_found_is_durable(void)
{
    struct powercut_report report;
    struct told told, found;
    struct fixture f;

    register_vfs();
    for (uint64_t kill_at = 10; kill_at < 60; kill_at++) {
        fixture_make(&f);
        f.options.vfs = HONEST;
        CU_ASSERT_EQUAL_FATAL(fixture_initialise(&f), STORE_OK);
        told = (struct told){0, 0};
        power_child_run(&f, work, kill_at, kill_at, &told, sizeof told);
        told = look(&f);
        cut(&f, kill_at % 2 == 0 ? 0 : kill_at, &report);
        found = look(&f);
        CU_ASSERT_EQUAL(found.slot, told.slot);
        CU_ASSERT_EQUAL(found.ballot, told.ballot);
        fixture_remove(&f);
    }
}

/* ---- the test of the test ---- */

/* Commits without any sync are acknowledged, and gone. */
static void check_loses(const char *vfs, bool synchronous_off)
{
    struct powercut_report report;
    struct told told, found;
    struct fixture f;

    register_vfs();
    fixture_make(&f);
    f.options.vfs = HONEST;
    CU_ASSERT_EQUAL_FATAL(fixture_initialise(&f), STORE_OK);
    f.options.vfs = vfs;
    f.options.synchronous_off = synchronous_off;
    told = (struct told){0, 0};
    power_child_run(&f, work, 1, 0, &told, sizeof told);
    CU_ASSERT_TRUE(told.slot > 3);
    cut(&f, 0, &report);
    CU_ASSERT_TRUE(report.files > 0 && report.undone == report.changes);
    found = look(&f);
    CU_ASSERT_EQUAL(found.slot, 0);
    CU_ASSERT_EQUAL(found.ballot, 0);
    fixture_remove(&f);
}

static void test_store_powercut__without_sync_everything_acknowledged_is_lost(void)
{
    check_loses(HONEST, true);
}

static void test_store_powercut__a_disk_that_ignores_sync_loses_everything(void)
{
    check_loses(LYING, false);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_store_powercut__nothing_acknowledged_is_lost),
        TEST(test_store_powercut__a_kill_without_one_loses_nothing),
        TEST(test_store_powercut__what_opening_found_is_durable),
        TEST(test_store_powercut__without_sync_everything_acknowledged_is_lost),
        TEST(test_store_powercut__a_disk_that_ignores_sync_loses_everything),
    };
    return run_suite("store_powercut", cases, sizeof cases / sizeof cases[0], argc, argv);
}
