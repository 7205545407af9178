/* test_checkpoint_powercut.c - whenever the power fails, a checkpoint is there as
 * a whole or not at all, and the log's floor is never above it.
 *
 * A child does what the replica's effects ask for, in their order: a checkpoint is
 * committed; then, on a thread of its own in the server, the floor is raised to
 * it; entries follow. It tells through a pipe what it was told, and kills itself at
 * some write or sync; then powercut_apply takes away what was not synced. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "libcoord/base/prng.h"
#include "tests/storage/power_child.h"
#include "tests/storage/state_fixture.h"
#include "tests/support/powercut_undo.h"
#include "tests/support/powercut_vfs.h"
#include "tests/support/runner.h"

#define HONEST "checkpoint-powercut"
#define LYING  "checkpoint-powercut-ignoring-sync"

enum {
    CUTS = 200,
    ROUNDS = 4,
    ENTRIES = 10,
    OPERATIONS_MAX = 260,
    FIRST_OPERATIONS = 150,
    LARGE_CUTS = 16,
    LARGE_OPERATIONS_MAX = 14000
};

/* What has been acknowledged, ever. */
struct told {
    uint32_t checkpoint; /* its slot is 10 times this */
    uint64_t floor, last;
};

static void register_vfs(void)
{
    static bool done;

    if (!done)
        CU_ASSERT_TRUE_FATAL(powercut_vfs_register(HONEST, false) &&
                             powercut_vfs_register(LYING, true));
    done = true;
}

static void tell(int to, const struct told *told)
{
    if (write(to, told, sizeof *told) != sizeof *told)
        _exit(3);
}

static void do_or_die(enum store_result r)
{
    if (r != STORE_OK)
        _exit(2);
}

static void write_entries(struct store *s, struct told *told, uint64_t last, int to)
{
    while (told->last < last) {
        do_or_die(fixture_commit(s, told->last + 1, 200));
        told->last++;
        tell(to, told);
        do_or_die(store_maintain(s));
    }
}

static void write_checkpoint(struct checkpoint *c, struct checkpoint_reader **reader,
                             struct told *told, struct prng *prng, int to)
{
    bool whole = prng_chance(prng, 1, 3);

    if (*reader == NULL && prng_chance(prng, 1, 4))
        do_or_die(checkpoint_reader_open(c, reader));
    do_or_die(state_put(c, told->checkpoint + 1, whole));
    if (prng_chance(prng, 1, 4)) {
        do_or_die(checkpoint_abort(c));
        do_or_die(state_put(c, told->checkpoint + 1, whole));
    }
    do_or_die(state_commit(c, told->checkpoint + 1));
    told->checkpoint++;
    tell(to, told);
    if (prng_chance(prng, 1, 2)) {
        checkpoint_reader_close(*reader);
        *reader = NULL;
    }
    do_or_die(checkpoint_maintain(c));
}

/* In the child. */
static void work(struct fixture *f, const void *context, uint64_t seed, int to)
{
    struct told told = *(const struct told *)context;
    struct checkpoint_reader *reader = NULL;
    struct checkpoint *c;
    struct store *s = fixture_open(f, NULL);
    struct prng prng;

    if (s == NULL || (c = state_open(f, NULL)) == NULL)
        _exit(4);
    prng_init(&prng, seed);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t slot = (uint64_t)(told.checkpoint + 1) * ENTRIES;
        struct effect floor = {.kind = EFFECT_PERSIST_FLOOR, .last_slot = slot};

        if (prng_chance(&prng, 3, 4)) /* else a transfer brings what the log lacks */
            write_entries(s, &told, slot + ENTRIES / 2, to);
        write_checkpoint(c, &reader, &told, &prng, to);
        do_or_die(store_commit(s, &floor, 1));
        told.floor = slot;
        told.last = told.last > slot ? told.last : slot;
        tell(to, &told);
        do_or_die(store_maintain(s));
    }
    checkpoint_reader_close(reader);
    checkpoint_close(c);
    store_close(s);
    _exit(0);
}

/* One large checkpoint, most of which is in the -wal before the commit. */
static void work_much(struct fixture *f, const void *context, uint64_t seed, int to)
{
    struct told told = *(const struct told *)context;
    struct store *s = fixture_open(f, NULL);
    struct checkpoint *c;

    if (s == NULL || (c = state_open(f, NULL)) == NULL)
        _exit(4);
    do_or_die(state_put(c, told.checkpoint + 1, seed % 3 == 0));
    do_or_die(state_put_much(c));
    do_or_die(state_commit(c, told.checkpoint + 1));
    told.checkpoint++;
    tell(to, &told);
    do_or_die(checkpoint_maintain(c));
    checkpoint_close(c);
    store_close(s);
    _exit(0);
}

/* Opens both, and returns what is there: each thing as a whole. */
static struct told look(struct fixture *f)
{
    struct replica_durable durable;
    struct told found = {0, 0, 0};
    struct store *s = fixture_open(f, NULL);
    struct checkpoint *c = state_open(f, NULL);
    uint64_t last;

    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    found.checkpoint = state_number(c);
    CU_ASSERT_EQUAL(fixture_read(s, 1, &last), STORE_OK);
    store_durable(s, &durable);
    found.floor = durable.floor;
    found.last = durable.last_slot;
    CU_ASSERT_TRUE(last == 0 || last == found.last);
    CU_ASSERT_TRUE(found.floor <= (uint64_t)found.checkpoint * ENTRIES);
    checkpoint_close(c);
    store_close(s);
    return found;
}

static void check_kept(uint64_t life, struct told told, struct told found)
{
    if (found.checkpoint >= told.checkpoint && found.checkpoint <= told.checkpoint + 1 &&
        found.floor >= told.floor && found.last >= told.last)
        return;
    fprintf(stderr, "life %llu: told %u %llu %llu, found %u %llu %llu\n", (unsigned long long)life,
            told.checkpoint, (unsigned long long)told.floor, (unsigned long long)told.last,
            found.checkpoint, (unsigned long long)found.floor, (unsigned long long)found.last);
    CU_FAIL_FATAL("what was acknowledged is lost");
}

static void cut(struct fixture *f, uint64_t seed, struct powercut_report *report)
{
    CU_ASSERT_EQUAL_FATAL(powercut_apply(f->directory, seed, report), 0);
}

static void prepare(struct fixture *f, const char *vfs)
{
    register_vfs();
    fixture_make(f);
    f->options.vfs = vfs;
    f->options.wal_bytes = 64 * 1024;
    f->options.checkpoint_frames = 15;
    CU_ASSERT_EQUAL_FATAL(fixture_initialise(f), STORE_OK);
}

/* One directory, many lives: each ends at another point, and each in another way. */
static void test_case_01__a_state_and_its_slot_are_saved_as_one_or_not_at_all(void)
{
    struct powercut_report report;
    struct told told = {0, 0, 0}, found;
    struct fixture f;
    struct prng prng;
    uint64_t undone = 0, between = 0;

    prepare(&f, HONEST);
    prng_init(&prng, 1);
    for (uint64_t i = 1; i <= CUTS; i++) {
        power_child_run(&f, work, i, prng_between(&prng, 1, OPERATIONS_MAX), &told, sizeof told);
        cut(&f, i % 3 == 0 ? 0 : i, &report);
        undone += report.undone;
        if (i % 4 == 0) { /* it dies again, and again while it opens */
            power_child_run(&f, work, i, prng_between(&prng, 1, 12), &told, sizeof told);
            cut(&f, i, &report);
        }
        found = look(&f);
        check_kept(i, told, found);
        between += found.floor < (uint64_t)found.checkpoint * ENTRIES;
        told = found;
    }
    CU_ASSERT_TRUE(told.checkpoint > 50);
    CU_ASSERT_TRUE(undone > CUTS);
    CU_ASSERT_TRUE(between > 5); /* the checkpoint was durable, its floor was not yet */
    fixture_remove(&f);
}

static void test_checkpoint_powercut__a_large_one_is_there_as_a_whole_or_not_at_all(void)
{
    struct powercut_report report;
    struct told told = {0, 0, 0}, found;
    struct fixture f;
    struct prng prng;

    prepare(&f, HONEST);
    prng_init(&prng, 2);
    for (uint64_t i = 1; i <= LARGE_CUTS; i++) {
        uint64_t kill_at = prng_between(&prng, 1, i % 2 == 0 ? LARGE_OPERATIONS_MAX : 200);

        power_child_run(&f, work_much, i, kill_at, &told, sizeof told);
        cut(&f, i % 3 == 0 ? 0 : i, &report);
        found = look(&f);
        check_kept(i, told, found);
        told = found;
        power_child_run(&f, work, i, prng_between(&prng, 1, OPERATIONS_MAX), &told, sizeof told);
        found = look(&f);
        check_kept(i, told, found);
        told = found;
    }
    CU_ASSERT_TRUE(told.checkpoint > 10);
    fixture_remove(&f);
}

/* At every write and sync of the first checkpoint and its floor, one after the other. What opening
 * found is durable from then on. */
static void test_checkpoint_powercut__what_opening_found_is_durable(void)
{
    struct powercut_report report;
    struct told told, found;
    struct fixture f;

    for (uint64_t kill_at = 1; kill_at <= FIRST_OPERATIONS; kill_at++) {
        prepare(&f, HONEST);
        told = (struct told){0, 0, 0};
        power_child_run(&f, work, kill_at, kill_at, &told, sizeof told);
        found = look(&f);
        check_kept(kill_at, told, found);
        cut(&f, kill_at % 2 == 0 ? 0 : kill_at, &report);
        told = look(&f);
        CU_ASSERT_EQUAL(found.checkpoint, told.checkpoint);
        CU_ASSERT_EQUAL(found.floor, told.floor);
        CU_ASSERT_EQUAL(found.last, told.last);
        fixture_remove(&f);
    }
    CU_ASSERT_TRUE(told.floor > 0); /* it came as far */
}

/* The test of the test: a disk that ignores sync loses it. */
static void test_checkpoint_powercut__without_sync_it_is_lost(void)
{
    struct powercut_report report;
    struct told told;
    struct fixture f;
    struct checkpoint *c;

    prepare(&f, HONEST);
    checkpoint_close(state_open(&f, NULL)); /* the file itself is durable */
    f.options.vfs = LYING;
    told = (struct told){0, 0, 0};
    power_child_run(&f, work, 1, 0, &told, sizeof told);
    CU_ASSERT_EQUAL(told.checkpoint, ROUNDS);
    cut(&f, 0, &report);
    c = state_open(&f, NULL);
    CU_ASSERT_EQUAL(state_number(c), 0);
    checkpoint_close(c);
    fixture_remove(&f);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_case_01__a_state_and_its_slot_are_saved_as_one_or_not_at_all),
        TEST(test_checkpoint_powercut__a_large_one_is_there_as_a_whole_or_not_at_all),
        TEST(test_checkpoint_powercut__what_opening_found_is_durable),
        TEST(test_checkpoint_powercut__without_sync_it_is_lost),
    };
    return run_suite("checkpoint_powercut", cases, sizeof cases / sizeof cases[0], argc, argv);
}
