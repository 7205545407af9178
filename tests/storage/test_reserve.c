/* test_reserve.c - what is kept back for a full disk: given a piece at a time, lent to
 * checkpoints, taken back; and when the disk counts as full. What the file system says of
 * itself is played here. */
#define _GNU_SOURCE
#include "coordd/storage/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libcoord/base/check.h"
#include "tests/storage/state_fixture.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/runner.h"

enum { PIECE = 4096, BYTES = RESERVE_PIECES * PIECE, MIB = 1024 * 1024 };

/* ---- the file system ---- */

static uint64_t fs_bytes, fs_free;
static int no_fallocate; /* errno */

int fstatvfs(int fd, struct statvfs *ret)
{
    (void)fd;
    memset(ret, 0, sizeof *ret);
    ret->f_frsize = 1024;
    ret->f_blocks = fs_bytes / ret->f_frsize;
    ret->f_bavail = fs_free / ret->f_frsize;
    return 0;
}

int fallocate(int fd, int mode, off_t from, off_t bytes)
{
    if (no_fallocate == 0)
        return (int)syscall(SYS_fallocate, fd, mode, from, bytes);
    errno = no_fallocate;
    return -1;
}

static struct fault_plan *plan;

static void start(struct fixture *f)
{
    if (plan == NULL)
        plan = fault_vfs_register("fault-reserve");
    CHECK(plan != NULL);
    memset(plan, 0, sizeof *plan);
    fs_bytes = fs_free = UINT64_C(1000) * MIB;
    no_fallocate = 0;
    fixture_make(f);
    f->options.vfs = "fault-reserve";
    f->options.reserve_bytes = BYTES;
}

static const char *path_of(const struct fixture *f)
{
    static char path[FIXTURE_PATH_BYTES];

    fixture_path(f, RESERVE_FILE, path);
    return path;
}

static void test_reserve__is_given_a_piece_at_a_time_and_taken_back(void)
{
    struct fixture f;
    struct reserve *r;

    start(&f);
    r = reserve_open(f.directory, BYTES);
    CU_ASSERT_EQUAL(fixture_size(&f, RESERVE_FILE), BYTES);
    CU_ASSERT_FALSE(reserve_is_low(r));
    for (int i = 1; i <= RESERVE_PIECES; i++) {
        CU_ASSERT_TRUE(reserve_give(r, RESERVE_LOG));
        CU_ASSERT_TRUE(reserve_is_low(r));
        CU_ASSERT_EQUAL(fixture_size(&f, RESERVE_FILE), (uint64_t)(BYTES - i * PIECE));
    }
    CU_ASSERT_FALSE(reserve_give(r, RESERVE_LOG));
    reserve_close(r);
    r = reserve_open(f.directory, BYTES); /* there is space again */
    CU_ASSERT_FALSE(reserve_is_low(r));
    CU_ASSERT_TRUE(reserve_lend(r, 8));
    CU_ASSERT_EQUAL(fixture_size(&f, RESERVE_FILE), BYTES / 2);
    reserve_restore(r); /* not while it is lent */
    CU_ASSERT_EQUAL(fixture_size(&f, RESERVE_FILE), BYTES / 2);
    CU_ASSERT_FALSE(reserve_is_low(r)); /* it comes back */
    CU_ASSERT_FALSE(reserve_lend(r, 8));
    CU_ASSERT_TRUE(reserve_give(r, RESERVE_LOG));
    CU_ASSERT_TRUE(reserve_is_low(r)); /* and this does not by itself */
    reserve_given_back(r);
    CU_ASSERT_EQUAL(fixture_size(&f, RESERVE_FILE), BYTES);
    CU_ASSERT_FALSE(reserve_is_low(r));
    for (int i = 0; i < RESERVE_PIECES_LENT_AGAIN; i++)
        CU_ASSERT_TRUE(reserve_give(r, RESERVE_OTHERS));
    CU_ASSERT_FALSE(reserve_give(r, RESERVE_OTHERS)); /* the rest is the log's */
    CU_ASSERT_TRUE(reserve_give(r, RESERVE_LOG));
    reserve_close(r);
    CU_ASSERT_FALSE(reserve_give(NULL, RESERVE_LOG));
    CU_ASSERT_FALSE(reserve_is_low(NULL));
    CU_ASSERT_TRUE(reserve_has_room(NULL, UINT64_MAX));
    fixture_remove(&f);
}

static void test_reserve__a_commit_that_finds_no_space_goes_through_with_it(void)
{
    struct fixture f;
    struct store *s;
    uint64_t last;

    start(&f);
    s = fixture_start(&f);
    fixture_fill(s, 1, 5);
    CU_ASSERT_FALSE(reserve_is_low(store_reserve(s)));
    plan->full_in = 2;
    CU_ASSERT_EQUAL(fixture_commit(s, 6, 9000), STORE_OK);
    CU_ASSERT_EQUAL(plan->hits, 1);
    CU_ASSERT_TRUE(reserve_is_low(store_reserve(s)));
    CU_ASSERT_EQUAL(fixture_size(&f, RESERVE_FILE), BYTES - PIECE);
    plan->full_in = 1;
    plan->stays = true; /* and now all of it is of no use */
    CU_ASSERT_EQUAL(fixture_commit(s, 7, 9000), STORE_FULL);
    CU_ASSERT_EQUAL(fixture_size(&f, RESERVE_FILE), 0);
    plan->full_in = 0;
    plan->stays = false;
    CU_ASSERT_EQUAL(fixture_commit(s, 7, 9000), STORE_OK);
    reserve_restore(store_reserve(s));
    CU_ASSERT_FALSE(reserve_is_low(store_reserve(s)));
    store_close(s);
    s = fixture_open(&f, NULL);
    CU_ASSERT_EQUAL(fixture_read(s, 1, &last), STORE_OK);
    CU_ASSERT_EQUAL(last, 7);
    store_close(s);
    fixture_remove(&f);
}

static void test_reserve__a_file_system_that_cannot_keep_anything_back_is_not_full(void)
{
    static const int errors[] = {EOPNOTSUPP, EFBIG, EPERM};
    struct fixture f;
    struct reserve *r;

    start(&f);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        no_fallocate = errors[i];
        r = reserve_open(f.directory, BYTES);
        CU_ASSERT_EQUAL(reserve_problem(r), errors[i]);
        CU_ASSERT_FALSE(reserve_is_low(r));
        CU_ASSERT_TRUE(reserve_is_whole(r));
        CU_ASSERT_FALSE(reserve_give(r, RESERVE_LOG));
        CU_ASSERT_FALSE(reserve_lend(r, 8));
        fs_free = BYTES / 2; /* this is */
        CU_ASSERT_TRUE(reserve_is_low(r));
        fs_free = fs_bytes;
        CU_ASSERT_FALSE(reserve_is_low(r));
        reserve_close(r);
    }
    /* Nor can it where no file can be made. */
    (void)unlink(path_of(&f));
    CU_ASSERT_EQUAL(mkdir(path_of(&f), 0700), 0);
    r = reserve_open(f.directory, BYTES);
    CU_ASSERT_EQUAL(reserve_problem(r), EISDIR);
    CU_ASSERT_FALSE(reserve_is_low(r));
    reserve_close(r);
    (void)rmdir(path_of(&f));
    fixture_remove(&f);
}

static void test_reserve__no_space_for_it_is_a_full_disk(void)
{
    static const int errors[] = {ENOSPC, EDQUOT};
    struct fixture f;

    start(&f);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        no_fallocate = errors[i];
        struct reserve *r = reserve_open(f.directory, BYTES);
        CU_ASSERT_EQUAL(reserve_problem(r), 0);
        CU_ASSERT_TRUE(reserve_is_low(r));
        no_fallocate = 0;
        reserve_restore(r);
        CU_ASSERT_FALSE(reserve_is_low(r));
        reserve_close(r);
        (void)reserve_open(f.directory, 0); /* gives it away */
        CU_ASSERT_EQUAL(access(path_of(&f), F_OK), -1);
    }
    fixture_remove(&f);
}

/* It is low before nothing is left, and until there is a little more; the -wal of
 * checkpoints, which the next one writes over, counts in part. */
static void test_reserve__little_free_beside_it_is_a_full_disk(void)
{
    struct fixture f;
    struct reserve *r;

    start(&f);
    r = reserve_open(f.directory, BYTES);
    fs_free = BYTES - PIECE;
    CU_ASSERT_TRUE(reserve_is_low(r));
    fs_free = BYTES + PIECE;
    CU_ASSERT_TRUE(reserve_is_low(r));
    fs_free = BYTES + 2 * PIECE;
    CU_ASSERT_FALSE(reserve_is_low(r));
    fs_free = BYTES - PIECE;
    reserve_note_wal(r, PIECE);
    CU_ASSERT_FALSE(reserve_is_low(r));
    fs_free = BYTES / 2 - PIECE;
    reserve_note_wal(r, 100 * BYTES);
    CU_ASSERT_TRUE(reserve_is_low(r));
    CU_ASSERT_EQUAL(reserve_room(r), fs_free + 100 * BYTES + BYTES / 2);
    reserve_close(r);
    fixture_remove(&f);
}

static void test_reserve__by_default_it_fits_the_file_system(void)
{
    struct fixture f;
    struct reserve *r;

    start(&f);
    fs_bytes = fs_free = UINT64_C(8) * MIB;
    r = reserve_open(f.directory, RESERVE_BYTES_AUTO);
    CU_ASSERT_EQUAL(fixture_size(&f, RESERVE_FILE), MIB / 2);
    CU_ASSERT_FALSE(reserve_is_low(r));
    reserve_close(r);
    fixture_remove(&f);
}

static void test_reserve__a_copy_with_holes_is_filled(void)
{
    struct fixture f;
    struct reserve *r;
    struct stat found;

    start(&f);
    int fd = open(path_of(&f), O_RDWR | O_CREAT, 0600);
    CU_ASSERT_EQUAL(ftruncate(fd, BYTES), 0);
    r = reserve_open(f.directory, BYTES);
    CU_ASSERT_EQUAL(fstat(fd, &found), 0);
    CU_ASSERT_EQUAL(found.st_size, BYTES);
    CU_ASSERT_TRUE(found.st_blocks * 512 >= BYTES);
    close(fd);
    reserve_close(r);
    fixture_remove(&f);
}

/* While there is enough it borrows nothing; on a full disk half, and more if its
 * forerunner was lost. */
static void test_reserve__a_checkpoint_borrows_when_the_disk_is_full(void)
{
    struct fixture f;
    struct reserve *r;
    struct checkpoint *c;

    start(&f);
    r = reserve_open(f.directory, BYTES);
    c = state_open(&f, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    checkpoint_use_reserve(c, r);
    CU_ASSERT_EQUAL(state_put(c, 1, true), STORE_OK);
    CU_ASSERT_EQUAL(fixture_size(&f, RESERVE_FILE), BYTES);
    fs_free = BYTES / 4;
    CU_ASSERT_EQUAL(state_commit(c, 1), STORE_OK);
    CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_OK);
    CU_ASSERT_EQUAL(state_put(c, 2, false), STORE_OK);
    CU_ASSERT_EQUAL(fixture_size(&f, RESERVE_FILE), BYTES / 2);
    plan->full_in = 1;
    CU_ASSERT_EQUAL(state_commit(c, 2), STORE_FULL);
    CU_ASSERT_EQUAL(fixture_size(&f, RESERVE_FILE), BYTES); /* it is given back */
    CU_ASSERT_EQUAL(state_put(c, 2, false), STORE_OK);
    CU_ASSERT_EQUAL(fixture_size(&f, RESERVE_FILE),
                    (RESERVE_PIECES - RESERVE_PIECES_LENT_AGAIN) * PIECE);
    CU_ASSERT_EQUAL(state_commit(c, 2), STORE_OK);
    CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_OK);
    CU_ASSERT_EQUAL(fixture_size(&f, RESERVE_FILE), BYTES);
    CU_ASSERT_EQUAL(fixture_size(&f, "state.db-wal"), 0); /* a full disk has it back */
    CU_ASSERT_EQUAL(state_number(c), 2);
    checkpoint_close(c);
    reserve_close(r);
    fixture_remove(&f);
}

/* At any write: it is lost as a whole, and takes no more of the disk than before. */
static void test_reserve__a_lost_checkpoint_leaves_the_file_as_long_as_it_was(void)
{
    struct fixture f;
    struct reserve *r;
    struct checkpoint *c;
    enum store_result result = STORE_FULL;
    uint64_t before;

    start(&f);
    r = reserve_open(f.directory, BYTES);
    c = state_open(&f, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    checkpoint_use_reserve(c, r);
    before = fixture_size(&f, "state.db");
    fs_free = 0; /* it makes room before it commits */
    for (uint64_t write = 1; result == STORE_FULL; write++) {
        plan->full_in = write;
        result = state_write(c, 1, true);
        plan->full_in = 0;
        if (result == STORE_FULL)
            CU_ASSERT_EQUAL(fixture_size(&f, "state.db"), before);
    }
    CU_ASSERT_EQUAL(result, STORE_OK);
    CU_ASSERT_TRUE(fixture_size(&f, "state.db") > before);
    CU_ASSERT_TRUE(plan->hits > 3);
    CU_ASSERT_EQUAL(state_number(c), 1);
    checkpoint_close(c);
    reserve_close(r);
    fixture_remove(&f);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_reserve__is_given_a_piece_at_a_time_and_taken_back),
        TEST(test_reserve__a_commit_that_finds_no_space_goes_through_with_it),
        TEST(test_reserve__a_file_system_that_cannot_keep_anything_back_is_not_full),
        TEST(test_reserve__no_space_for_it_is_a_full_disk),
        TEST(test_reserve__little_free_beside_it_is_a_full_disk),
        TEST(test_reserve__by_default_it_fits_the_file_system),
        TEST(test_reserve__a_copy_with_holes_is_filled),
        TEST(test_reserve__a_checkpoint_borrows_when_the_disk_is_full),
        TEST(test_reserve__a_lost_checkpoint_leaves_the_file_as_long_as_it_was),
    };
    return run_suite("reserve", cases, sizeof cases / sizeof cases[0], argc, argv);
}
