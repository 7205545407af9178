/* test_state_sequencer.c - the printable name of a grant. */
#include "coordd/state/sequencer.h"

#include <stdlib.h>
#include <string.h>

#include "tests/state/lab.h"
#include "tests/support/runner.h"

#define CELL "c00d0102030405060708090a0b0c0d0e"

static bool parse(const char *text, struct sequencer *ret)
{
    return sequencer_parse(slice_of_string(text), ret);
}

static void test_sequencer__parses_what_is_printed(void)
{
    struct sequencer s;
    CU_ASSERT_TRUE_FATAL(parse(CELL ":12:x:18446744073709551615:/a:b/c", &s));
    CU_ASSERT_EQUAL(memcmp(s.cell, lab_cell, sizeof s.cell), 0);
    CU_ASSERT_EQUAL(s.instance, 12);
    CU_ASSERT_EQUAL(s.generation, UINT64_MAX);
    CU_ASSERT_EQUAL(s.mode, COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE);
    CU_ASSERT_TRUE(slice_equal(s.path, slice_of_string("/a:b/c")));
    CU_ASSERT_TRUE_FATAL(parse(CELL ":1:s:0:/", &s));
    CU_ASSERT_EQUAL(s.mode, COORD__V1__LOCK_MODE__LOCK_SHARED);
}

static void test_sequencer__there_is_one_spelling(void)
{
    static const char *const bad[] = {
        "",
        "nonsense",
        CELL,
        CELL ":1:x:2:",
        CELL ":1:x:2:a",
        CELL ":1:x:2:/a/",
        CELL ":01:x:2:/a",
        CELL ":+1:x:2:/a",
        CELL ": 1:x:2:/a",
        CELL "::x:2:/a",
        CELL ":1:X:2:/a",
        CELL ":1:xx:2:/a",
        CELL ":1:x:18446744073709551616:/a",
        CELL ":1:x:99999999999999999999999:/a",
        "C00D0102030405060708090A0B0C0D0E:1:x:2:/a",
        "g00d0102030405060708090a0b0c0d0e:1:x:2:/a",
        "c00d0102030405060708090a0b0c0d:1:x:2:/a",
        "c00d-0102-030405060708090a0b0c0d0e:1:x:2:/a",
    };
    struct sequencer s;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_FALSE(parse(bad[i], &s));
}

/* Each part counts: with any of them wrong it names another grant. */
static void test_sequencer__every_part_must_be_right(void)
{
    struct lab l;
    lab_init(&l);
    CU_ASSERT_EQUAL_FATAL(lab_open(&l, 1), 1);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/l", ""), ERR_OK); /* revision 2 */
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/m", ""), ERR_OK); /* 3 */
    CU_ASSERT_EQUAL(lab_acquire(&l, 1, 1, "/l"), ERR_OK); /* 4 */
    CU_ASSERT_EQUAL(lab_check(&l, CELL ":2:x:4:/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_check(&l, CELL ":2:x:3:/l"), ERR_STALE_SEQUENCER);
    CU_ASSERT_EQUAL(lab_check(&l, CELL ":2:x:5:/l"), ERR_STALE_SEQUENCER);
    CU_ASSERT_EQUAL(lab_check(&l, CELL ":3:x:4:/l"), ERR_STALE_SEQUENCER);
    CU_ASSERT_EQUAL(lab_check(&l, CELL ":2:s:4:/l"), ERR_STALE_SEQUENCER);
    CU_ASSERT_EQUAL(lab_check(&l, CELL ":3:x:4:/m"), ERR_STALE_SEQUENCER);
    CU_ASSERT_EQUAL(lab_check(&l, CELL ":2:x:4:/none"), ERR_STALE_SEQUENCER);
    CU_ASSERT_EQUAL(lab_check(&l, "000d0102030405060708090a0b0c0d0e:2:x:4:/l"),
                    ERR_STALE_SEQUENCER);
    CU_ASSERT_EQUAL(lab_check(&l, CELL ":2:x:4"), ERR_INVALID);
    lab_release(&l);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_sequencer__parses_what_is_printed),
        TEST(test_sequencer__there_is_one_spelling),
        TEST(test_sequencer__every_part_must_be_right),
    };
    return run_suite("state sequencer", cases, sizeof cases / sizeof cases[0], argc, argv);
}
