/* test_wal_scan.c - damage in the -wal is told from a write that was cut short. */
#define _GNU_SOURCE
#include "coordd/storage/wal_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordd/storage/internal.h"
#include "libcoord/base/check.h"
#include "libcoord/base/prng.h"
#include "tests/storage/fixture.h"
#include "tests/support/runner.h"

#define WAL "log.db-wal"

enum { FIRST_SLOT = 1, BIG_SLOT = 5, LAST_SLOT = 9, BIG_BYTES = 3 * 4096 };

static uint64_t offset_of(uint32_t frame)
{
    return WAL_HEADER_BYTES + (uint64_t)(frame - 1) * WAL_FRAME_BYTES;
}

static struct wal_report scan(const struct fixture *f)
{
    char path[FIXTURE_PATH_BYTES];
    struct raw_file wal, database;
    struct wal_report report;

    fixture_path(f, "log.db", path);
    CU_ASSERT_EQUAL_FATAL(raw_open(NULL, path, false, &database), SQLITE_OK);
    CU_ASSERT_EQUAL_FATAL(raw_open(NULL, path, true, &wal), SQLITE_OK);
    CU_ASSERT_EQUAL(wal_scan(&wal, &database, &report), SQLITE_OK);
    raw_close(&wal);
    raw_close(&database);
    return report;
}

/* A directory whose -wal holds one transaction for each slot, the one in the
 * middle and, if `big_end`, the last of several frames. It begins a generation. */
static struct wal_report fill(struct fixture *f, bool big_end)
{
    struct store *s;
    struct wal_report report;

    fixture_make(f);
    s = fixture_start(f);
    for (uint64_t slot = FIRST_SLOT; slot <= LAST_SLOT; slot++) {
        bool big = slot == BIG_SLOT || (big_end && slot == LAST_SLOT);

        CU_ASSERT_EQUAL_FATAL(fixture_commit(s, slot, big ? BIG_BYTES : 200), STORE_OK);
    }
    store_close(s);
    report = scan(f);
    CU_ASSERT_EQUAL_FATAL(report.verdict, WAL_CLEAN);
    CU_ASSERT_TRUE_FATAL(report.committed > LAST_SLOT);
    return report;
}

/* What opening says, and the last slot that can be read afterwards. */
static enum store_result open_and_read(struct fixture *f, uint64_t *ret_last)
{
    enum store_result r;
    struct store *s = fixture_open(f, &r);

    *ret_last = 0;
    if (r == STORE_OK)
        r = fixture_read(s, 1, ret_last);
    store_close(s);
    return r;
}

static void overwrite(const struct fixture *f, uint64_t offset, size_t length, uint64_t seed)
{
    uint8_t *noise = check_malloc(length);
    struct prng prng;

    prng_init(&prng, seed);
    prng_fill(&prng, noise, length);
    fixture_write_bytes(f, WAL, offset, noise, length);
    free(noise);
}

static void zero(const struct fixture *f, uint64_t offset, size_t length)
{
    uint8_t *zeros = check_calloc(1, length);

    fixture_write_bytes(f, WAL, offset, zeros, length);
    free(zeros);
}

/* ---- clean ---- */

static void test_wal_scan__an_empty_or_zeroed_wal_is_clean(void)
{
    struct fixture f;
    struct wal_report report;

    fixture_make(&f);
    CU_ASSERT_EQUAL_FATAL(fixture_initialise(&f), STORE_OK);
    report = scan(&f);
    CU_ASSERT_EQUAL(report.verdict, WAL_CLEAN);
    for (size_t length = 1; length < 200000; length = length * 3 + 7) {
        zero(&f, 0, length);
        report = scan(&f);
        CU_ASSERT_EQUAL(report.verdict, WAL_CLEAN);
        CU_ASSERT_EQUAL(report.committed, 0);
    }
    fixture_remove(&f);
}

static void test_wal_scan__frames_of_earlier_generations_are_no_damage(void)
{
    struct fixture f;
    struct store *s;
    struct wal_report report = fill(&f, false);
    uint32_t before = report.committed;

    s = fixture_open(&f, NULL); /* moves them away and begins anew */
    fixture_fill(s, LAST_SLOT + 1, LAST_SLOT + 2);
    store_close(s);
    report = scan(&f);
    CU_ASSERT_EQUAL(report.verdict, WAL_CLEAN);
    CU_ASSERT_EQUAL(report.committed, 3); /* the log's length, two slots */
    /* Nor is it any if they are damaged. */
    overwrite(&f, offset_of(6), 1000, 1);
    CU_ASSERT_EQUAL(scan(&f).verdict, WAL_CLEAN);
    CU_ASSERT_TRUE(before > 6);
    fixture_remove(&f);
}

/* ---- damage ---- */

static void flip_and_scan(const struct fixture *f, uint64_t offset, unsigned bit, bool may_be_torn)
{
    enum wal_verdict verdict;

    fixture_flip(f, WAL, offset, bit);
    verdict = scan(f).verdict;
    if (verdict != WAL_CORRUPT && (verdict != WAL_TORN || !may_be_torn)) {
        fprintf(stderr, "bit %u of byte %llu\n", bit, (unsigned long long)offset);
        CU_FAIL("a flipped bit was judged wrongly");
    }
    fixture_flip(f, WAL, offset, bit);
}

static bool commits(const struct fixture *f, uint32_t frame)
{
    uint8_t size[4];

    fixture_read_bytes(f, WAL, offset_of(frame) + 4, size, sizeof size);
    return (size[0] | size[1] | size[2] | size[3]) != 0;
}

/* Every bit of the header and of each frame's header, and one in each few bytes
 * of the pages. The last transaction may have been torn as well. */
static void test_case_28__every_flipped_bit_in_a_wal_is_found(void)
{
    struct fixture f;
    struct wal_report report = fill(&f, true);
    uint32_t last_transaction = report.committed;

    while (!commits(&f, last_transaction - 1))
        last_transaction--;
    CU_ASSERT_TRUE(last_transaction < report.committed);
    for (uint64_t at = 0; at < WAL_HEADER_BYTES; at++)
        for (unsigned bit = 0; bit < 8; bit++)
            flip_and_scan(&f, at, bit, false);
    for (uint32_t frame = 1; frame <= report.committed; frame++) {
        uint64_t start = offset_of(frame);
        bool last = frame >= last_transaction;

        for (uint64_t at = 0; at < WAL_FRAME_HEADER_BYTES; at++)
            for (unsigned bit = 0; bit < 8; bit++)
                flip_and_scan(&f, start + at, bit, last);
        for (uint64_t at = WAL_FRAME_HEADER_BYTES; at < WAL_FRAME_BYTES; at += 61)
            flip_and_scan(&f, start + at, (unsigned)(at % 8), last);
    }
    CU_ASSERT_EQUAL(scan(&f).verdict, WAL_CLEAN);
    fixture_remove(&f);
}

static void test_case_28__a_directory_with_a_flipped_bit_does_not_open(void)
{
    struct fixture f;
    struct wal_report report = fill(&f, false);
    uint64_t last;

    fixture_flip(&f, WAL, offset_of(report.committed / 2) + 2000, 3);
    CU_ASSERT_EQUAL(open_and_read(&f, &last), STORE_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "frame"));
    CU_ASSERT_PTR_NOT_NULL(strstr(f.why, "log.db-wal"));
    /* And nothing was changed by trying. */
    fixture_flip(&f, WAL, offset_of(report.committed / 2) + 2000, 3);
    CU_ASSERT_EQUAL(open_and_read(&f, &last), STORE_OK);
    CU_ASSERT_EQUAL(last, LAST_SLOT);
    fixture_remove(&f);
}

/* Wider damage anywhere before the last transaction; whole frames of it too. */
static void test_wal_scan__wide_damage_before_the_last_commit_is_found(void)
{
    struct fixture f;
    struct wal_report report = fill(&f, false);
    size_t length = offset_of(report.committed + 1);
    uint8_t *whole = check_malloc(length);

    fixture_read_bytes(&f, WAL, 0, whole, length);
    /* The last two frames are single-frame transactions. */
    for (uint32_t frame = 1; frame + 2 <= report.committed; frame++) {
        overwrite(&f, offset_of(frame) + 100, 2000, frame);
        CU_ASSERT_EQUAL(scan(&f).verdict, WAL_CORRUPT);
        fixture_write_bytes(&f, WAL, 0, whole, length);
        zero(&f, offset_of(frame), WAL_FRAME_BYTES);
        CU_ASSERT_EQUAL(scan(&f).verdict, WAL_CORRUPT);
        fixture_write_bytes(&f, WAL, 0, whole, length);
    }
    /* The commit before the last one: found as long as its header is there. */
    overwrite(&f, offset_of(report.committed - 1) + 100, 2000, 7);
    CU_ASSERT_EQUAL(scan(&f).verdict, WAL_CORRUPT);
    free(whole);
    fixture_remove(&f);
}

static void test_wal_scan__a_destroyed_header_is_found(void)
{
    struct fixture f;

    fill(&f, false);
    overwrite(&f, 0, WAL_HEADER_BYTES, 1);
    CU_ASSERT_EQUAL(scan(&f).verdict, WAL_CORRUPT);
    zero(&f, 0, WAL_FRAME_BYTES); /* the first frame, too */
    CU_ASSERT_EQUAL(scan(&f).verdict, WAL_CORRUPT);
    fixture_remove(&f);
}

/* ---- cut short ---- */

/* The header is rewritten when a generation begins, and its write may be torn:
 * by then everything is in the database. */
static void test_wal_scan__a_torn_header_of_a_moved_wal_is_no_damage(void)
{
    struct fixture f;
    uint64_t last;

    fill(&f, false);
    store_close(fixture_open(&f, NULL));
    store_close(fixture_open(&f, NULL)); /* the log's length is in the database, too */
    overwrite(&f, 0, 20, 1);
    CU_ASSERT_EQUAL(scan(&f).verdict, WAL_TORN);
    CU_ASSERT_EQUAL(open_and_read(&f, &last), STORE_OK);
    CU_ASSERT_EQUAL(last, LAST_SLOT);
    fixture_remove(&f);
}

static void test_wal_scan__a_torn_last_commit_is_dropped(void)
{
    struct fixture f;
    struct wal_report report = fill(&f, true), torn;
    uint32_t first = report.committed;
    uint64_t last;

    overwrite(&f, offset_of(first) + 100, 1000, 1);
    torn = scan(&f);
    CU_ASSERT_EQUAL(torn.verdict, WAL_TORN);
    CU_ASSERT_EQUAL(torn.last, report.committed);
    CU_ASSERT_TRUE(torn.committed < report.committed - 2);
    CU_ASSERT_EQUAL(open_and_read(&f, &last), STORE_OK);
    CU_ASSERT_EQUAL(last, LAST_SLOT - 1);
    fixture_remove(&f);
}

/* A -wal that grew, cut at any length. */
static void test_wal_scan__any_shorter_wal_opens_with_what_it_holds(void)
{
    struct fixture f;
    struct wal_report report = fill(&f, true);
    size_t length = offset_of(report.committed + 1), database = fixture_size(&f, "log.db");
    uint8_t *whole = check_malloc(length), *before = check_malloc(database);
    char path[FIXTURE_PATH_BYTES];
    uint64_t last, previous = LAST_SLOT;

    fixture_path(&f, WAL, path);
    fixture_read_bytes(&f, WAL, 0, whole, length);
    fixture_read_bytes(&f, "log.db", 0, before, database);
    for (size_t shorter = length; shorter > 1500; shorter -= 1500) {
        CU_ASSERT_EQUAL_FATAL(truncate(path, 0), 0);
        fixture_write_bytes(&f, WAL, 0, whole, shorter);
        CU_ASSERT_EQUAL(open_and_read(&f, &last), STORE_OK);
        CU_ASSERT_TRUE(last <= previous);
        previous = last;
        fixture_path(&f, "log.db", path);
        CU_ASSERT_EQUAL_FATAL(truncate(path, (off_t)database), 0);
        fixture_write_bytes(&f, "log.db", 0, before, database);
        fixture_path(&f, WAL, path);
    }
    CU_ASSERT_EQUAL(previous, 0);
    free(whole);
    free(before);
    fixture_remove(&f);
}

/* The rest of a torn transaction is wiped. Were it not, a shorter one that is
 * written over its beginning would leave a commit of this generation behind
 * itself, which at the next opening would look like damage. */
static void test_wal_scan__what_a_torn_commit_left_is_no_damage_later(void)
{
    struct fixture f;
    struct store *s;
    struct wal_report report;
    uint64_t last;

    fixture_make(&f);
    s = fixture_start(&f);
    fixture_fill(s, 1, 3);
    store_close(s);
    store_close(fixture_open(&f, NULL)); /* notes the length */
    s = fixture_open(&f, NULL);          /* and now the next commit begins a generation */
    CU_ASSERT_EQUAL(fixture_commit(s, 4, 8 * 4096), STORE_OK);
    store_close(s);
    report = scan(&f);
    CU_ASSERT_TRUE_FATAL(report.committed > 8);
    overwrite(&f, offset_of(1) + 100, 1000, 1);
    CU_ASSERT_EQUAL(scan(&f).verdict, WAL_TORN);

    s = fixture_open(&f, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    CU_ASSERT_EQUAL(fixture_read(s, 1, &last), STORE_OK);
    CU_ASSERT_EQUAL(last, 3);
    fixture_fill(s, 4, 4);
    store_close(s);
    report = scan(&f);
    CU_ASSERT_EQUAL(report.verdict, WAL_CLEAN);
    CU_ASSERT_EQUAL(open_and_read(&f, &last), STORE_OK);
    CU_ASSERT_EQUAL(last, 4);
    fixture_remove(&f);
}

/* The limit, which docs/storage-format.md names: without its last frames a -wal
 * looks like one to which they were never written. */
static void test_wal_scan__a_wiped_last_commit_cannot_be_told_from_none(void)
{
    struct fixture f;
    struct wal_report report = fill(&f, false);
    uint64_t last;

    zero(&f, offset_of(report.committed), WAL_FRAME_BYTES);
    CU_ASSERT_EQUAL(scan(&f).verdict, WAL_CLEAN);
    CU_ASSERT_EQUAL(open_and_read(&f, &last), STORE_OK);
    CU_ASSERT_EQUAL(last, LAST_SLOT - 1);
    fixture_remove(&f);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_wal_scan__an_empty_or_zeroed_wal_is_clean),
        TEST(test_wal_scan__frames_of_earlier_generations_are_no_damage),
        TEST(test_case_28__every_flipped_bit_in_a_wal_is_found),
        TEST(test_case_28__a_directory_with_a_flipped_bit_does_not_open),
        TEST(test_wal_scan__wide_damage_before_the_last_commit_is_found),
        TEST(test_wal_scan__a_destroyed_header_is_found),
        TEST(test_wal_scan__a_torn_header_of_a_moved_wal_is_no_damage),
        TEST(test_wal_scan__a_torn_last_commit_is_dropped),
        TEST(test_wal_scan__any_shorter_wal_opens_with_what_it_holds),
        TEST(test_wal_scan__what_a_torn_commit_left_is_no_damage_later),
        TEST(test_wal_scan__a_wiped_last_commit_cannot_be_told_from_none),
    };
    return run_suite("wal_scan", cases, sizeof cases / sizeof cases[0], argc, argv);
}
