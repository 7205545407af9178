/* test_store_repair_powercut.c - whenever the power fails while a damaged log is
 * replaced, the promise stands, and it is known how far the log reached.
 *
 * A child opens, repairs, opens again and takes the floor that ends it, and kills
 * itself at each of its writes and syncs in turn, or before each change of the
 * directory (directory_cut.h); then what was not synced is taken away. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/storage/directory_cut.h"
#include "tests/storage/fixture.h"
#include "tests/support/powercut_undo.h"
#include "tests/support/powercut_vfs.h"
#include "tests/support/runner.h"

#define VFS "repair-powercut"

enum { SLOTS = 46, DAMAGED = 17, PROMISED = 131074, OPERATIONS_MAX = 400, ROOT_OF_LOG = 5 };

static void persist(struct store *s, enum effect_kind kind, uint64_t number)
{
    struct effect e = {.kind = kind, .ballot = number, .last_slot = number};

    CU_ASSERT_EQUAL_FATAL(store_commit(s, &e, 1), STORE_OK);
}

/* The last slots and the promise are in the -wal only. */
static void make(struct fixture *f)
{
    struct store *s;

    fixture_make(f);
    f->options.vfs = VFS;
    f->options.wal_bytes = 64 * 1024;
    s = fixture_start(f);
    fixture_fill(s, 1, DAMAGED + 3);
    store_close(s);
    fixture_execute(f, "log.db", "UPDATE log SET value = x'00' WHERE slot = 17");
    s = fixture_open(f, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    fixture_fill(s, DAMAGED + 4, SLOTS);
    persist(s, EFFECT_PERSIST_PROMISE, PROMISED);
    store_close(s);
}

/* Nothing but the -wal tells how far the log reached: the table leads nowhere. */
static void make_unreadable(struct fixture *f)
{
    static const uint8_t rubbish[4096] = {0xa7};
    uint64_t at = (ROOT_OF_LOG - 1) * sizeof rubbish;
    struct store *s;
    uint8_t kind;

    fixture_make(f);
    f->options.vfs = VFS;
    f->options.wal_bytes = 64 * 1024;
    s = fixture_start(f);
    fixture_fill(s, 1, SLOTS - 4);
    persist(s, EFFECT_PERSIST_PROMISE, PROMISED);
    store_close(s);
    s = fixture_open(f, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    fixture_fill(s, SLOTS - 3, SLOTS);
    store_close(s);
    fixture_read_bytes(f, "log.db", at, &kind, 1);
    CU_ASSERT_EQUAL(kind, 5); /* an inner page */
    fixture_write_bytes(f, "log.db", at, rubbish, sizeof rubbish);
}

/* As a server does at its start. NULL: there is damage. */
static struct store *start(struct fixture *f)
{
    enum store_result opened; /* asked for: else each is printed */
    uint64_t last;
    struct store *s = fixture_open(f, &opened);

    if (s != NULL && fixture_read(s, 1, &last) != STORE_OK) {
        store_close(s);
        s = NULL;
    }
    return s;
}

static struct store *start_and_repair(struct fixture *f)
{
    struct store *s = start(f);

    if (s == NULL && store_repair(f->directory, &f->options, f->why, sizeof f->why) == STORE_OK)
        s = start(f);
    return s;
}

/* In the child. */
static void work(struct fixture *f)
{
    struct store *s = start_and_repair(f);

    if (s == NULL)
        _exit(2);
    persist(s, EFFECT_PERSIST_FLOOR, SLOTS + 2);
    store_close(s);
    _exit(0);
}

/* True if it died. */
static bool run_child(struct fixture *f, uint64_t kill_at, uint64_t kill_at_name)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        if (kill_at != 0)
            powercut_vfs_kill_at(VFS, powercut_vfs_operations(VFS) + kill_at);
        directory_cut_at(kill_at_name);
        work(f);
    }
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_TRUE(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

static void check(struct fixture *f)
{
    struct replica_durable durable;
    struct store *s = start_and_repair(f);

    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    durable = fixture_durable(s);
    CU_ASSERT_EQUAL(durable.promised, PROMISED);
    CU_ASSERT_EQUAL(durable.last_slot, durable.log_damaged ? SLOTS : SLOTS + 2);
    CU_ASSERT_EQUAL(durable.floor, durable.log_damaged ? 0 : SLOTS + 2);
    store_close(s);
    CU_ASSERT_TRUE(fixture_size(f, STORE_LOG_DAMAGED) > 0);
}

static void test_store_repair_powercut__the_promise_outlives_a_cut_at_any_write(void)
{
    uint64_t kill_at = 1, undone = 0;
    bool died = true;

    CU_ASSERT_TRUE_FATAL(powercut_vfs_register(VFS, false));
    for (; died && kill_at < OPERATIONS_MAX; kill_at++) {
        for (uint64_t seed = 0; seed < 3; seed++) {
            struct powercut_report report;
            struct fixture f;

            make(&f);
            died = run_child(&f, kill_at, 0);
            CU_ASSERT_EQUAL_FATAL(powercut_apply(f.directory, seed * kill_at, &report), 0);
            undone += report.undone;
            if (seed == 2 && run_child(&f, kill_at / 2 + 1, 0)) /* and once more */
                CU_ASSERT_EQUAL_FATAL(powercut_apply(f.directory, kill_at, &report), 0);
            check(&f);
            fixture_remove(&f);
        }
    }
    CU_ASSERT_TRUE(!died && kill_at > 30);
    CU_ASSERT_TRUE(undone > 30);
}

/* Names: each of them in turn, with what was not synced by then taken back or kept;
 * and the next process dies as well. */
static void test_store_repair_powercut__the_reach_outlives_a_cut_between_any_two_names(void)
{
    uint64_t kill_at = 1;
    bool died = true;

    for (; died && kill_at < OPERATIONS_MAX; kill_at++) {
        for (uint64_t again = 0; again < 4 * kill_at; again++) {
            struct powercut_report report;
            struct fixture f;

            if (again % 4 < 2)
                make_unreadable(&f);
            else
                make(&f);
            directory_cut_forgets(again % 2 == 0);
            died = run_child(&f, 0, kill_at);
            CU_ASSERT_EQUAL_FATAL(powercut_apply(f.directory, again, &report), 0);
            if (died && again >= 4) {
                (void)run_child(&f, 0, again / 4);
                CU_ASSERT_EQUAL_FATAL(powercut_apply(f.directory, again, &report), 0);
            }
            check(&f);
            fixture_remove(&f);
        }
    }
    CU_ASSERT_TRUE(!died && kill_at > 6);
}

/* One made before is damaged in its turn: the old one tells all again, as long as its
 * -wal is there; later, nothing is guessed. */
static void test_store_repair_powercut__a_damaged_new_log_is_made_again_or_refused(void)
{
    static uint8_t bytes[16 * 4096];
    char wal[FIXTURE_PATH_BYTES];
    uint64_t size;
    struct fixture f, g;

    make(&g); /* its whole new log is damaged, and lies beside another's old one */
    CU_ASSERT_PTR_NULL(start(&g));
    CU_ASSERT_EQUAL_FATAL(store_repair(g.directory, &g.options, g.why, sizeof g.why), STORE_OK);
    fixture_flip(&g, "log.db", 2 * 4096 - 20, 3);
    CU_ASSERT_PTR_NULL(start(&g));
    size = fixture_size(&g, "log.db");
    CU_ASSERT_FATAL(size <= sizeof bytes);
    fixture_read_bytes(&g, "log.db", 0, bytes, (size_t)size);
    for (int gone = 0; gone < 2; gone++) {
        make(&f);
        fixture_write_bytes(&f, "log.db.repaired", 0, bytes, (size_t)size);
        fixture_path(&f, "log.db-wal", wal);
        if (gone == 0) {
            check(&f);
        } else {
            CU_ASSERT_EQUAL(unlink(wal), 0);
            CU_ASSERT_PTR_NULL(start_and_repair(&f));
            CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "log.db.repaired"));
        }
        fixture_remove(&f);
    }
    fixture_remove(&g);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_store_repair_powercut__the_promise_outlives_a_cut_at_any_write),
        TEST(test_store_repair_powercut__the_reach_outlives_a_cut_between_any_two_names),
        TEST(test_store_repair_powercut__a_damaged_new_log_is_made_again_or_refused),
    };
    return run_suite("store_repair_powercut", cases, sizeof cases / sizeof cases[0], argc, argv);
}
