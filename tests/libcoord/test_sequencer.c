/* test_sequencer.c - sequencers without a cell, as a resource server uses them. */
#include <coord/coord.h>
#include <string.h>

#include "tests/support/runner.h"

#define CELL  "00112233445566778899aabbccddeeff"
#define OTHER "ffffffffffffffffffffffffffffffff"

static int compare(const char *a, const char *b, bool *comparable)
{
    coord_sequencer x, y;
    CU_ASSERT_EQUAL_FATAL(coord_sequencer_parse(a, &x), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_sequencer_parse(b, &y), COORD_OK);
    return coord_sequencer_compare(&x, &y, comparable);
}

static void test_sequencer__is_taken_apart(void)
{
    coord_sequencer s = {.size = 0};
    CU_ASSERT_EQUAL(coord_sequencer_parse(CELL ":12:x:345:/a/b:c", &s), COORD_OK);
    CU_ASSERT_EQUAL(s.size, sizeof s);
    CU_ASSERT_STRING_EQUAL(s.cell, CELL);
    CU_ASSERT_EQUAL(s.instance, 12);
    CU_ASSERT_TRUE(s.exclusive);
    CU_ASSERT_EQUAL(s.generation, 345);
    CU_ASSERT_STRING_EQUAL(s.path, "/a/b:c"); /* a colon may be in a name */
    CU_ASSERT_EQUAL(coord_sequencer_parse(CELL ":1:s:18446744073709551615:/", &s), COORD_OK);
    CU_ASSERT_FALSE(s.exclusive);
    CU_ASSERT_EQUAL(s.generation, UINT64_MAX);
}

static void test_sequencer__what_is_none_is_refused(void)
{
    static const char *const wrong[] = {
        "",
        ":",
        CELL,
        CELL ":1:x:2",
        CELL ":1:x:2:",
        CELL ":1:x:2:a",
        CELL ":1:y:2:/a",
        CELL ":1:xx:2:/a",
        CELL ":1::2:/a",
        CELL "::x:2:/a",
        CELL ":1:x::/a",
        CELL ":-1:x:2:/a",
        CELL ":+1:x:2:/a",
        CELL ": 1:x:2:/a",
        CELL ":01:x:2:/a",
        CELL ":1:x:02:/a",
        CELL ":1:x:18446744073709551616:/a",
        CELL ":1:x:99999999999999999999999:/a",
        CELL "0:1:x:2:/a",
        "0011:1:x:2:/a",
        "00112233445566778899AABBCCDDEEFF:1:x:2:/a",
        "0011223344556677889 aabbccddeeff:1:x:2:/a",
    };
    coord_sequencer s = {.size = 77, .path = wrong[0], .instance = 7};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CU_ASSERT_EQUAL(coord_sequencer_parse(wrong[i], &s), COORD_ERR_INVALID);
        CU_ASSERT(strlen(coord_error_detail()) > 0);
    }
    CU_ASSERT(s.size == 77 && s.path == wrong[0] && s.instance == 7); /* untouched */
    CU_ASSERT_EQUAL(coord_sequencer_parse(NULL, &s), COORD_ERR_INVALID);
    CU_ASSERT_EQUAL(coord_sequencer_parse(CELL ":1:x:2:/a", NULL), COORD_ERR_INVALID);
}

static void test_sequencer__newer_is_greater(void)
{
    bool comparable = false;
    CU_ASSERT(compare(CELL ":1:x:5:/a", CELL ":1:x:6:/a", &comparable) < 0);
    CU_ASSERT_TRUE(comparable);
    CU_ASSERT(compare(CELL ":1:x:6:/a", CELL ":1:x:5:/a", &comparable) > 0);
    CU_ASSERT_EQUAL(compare(CELL ":1:x:6:/a", CELL ":1:x:6:/a", &comparable), 0);
    CU_ASSERT_TRUE(comparable);
    /* Of a node that was made again. */
    CU_ASSERT(compare(CELL ":1:x:6:/a", CELL ":7:x:8:/a", &comparable) < 0);
    CU_ASSERT(compare(CELL ":1:x:18446744073709551615:/a", CELL ":1:x:1:/a", &comparable) > 0);
}

static void test_sequencer__of_other_cells_or_paths_cannot_be_compared(void)
{
    bool comparable = true;
    CU_ASSERT_EQUAL(compare(CELL ":1:x:5:/a", OTHER ":1:x:6:/a", &comparable), 0);
    CU_ASSERT_FALSE(comparable);
    comparable = true;
    CU_ASSERT_EQUAL(compare(CELL ":1:x:5:/a", CELL ":1:x:6:/b", &comparable), 0);
    CU_ASSERT_FALSE(comparable);
    comparable = true;
    CU_ASSERT_EQUAL(coord_sequencer_compare(NULL, NULL, &comparable), 0);
    CU_ASSERT_FALSE(comparable);
    CU_ASSERT(compare(CELL ":1:x:5:/a", CELL ":1:x:6:/a", NULL) < 0);
}

static void test_sequencer__errors_have_names_and_words(void)
{
    for (int e = COORD_OK; e <= COORD_ERR_UNSUPPORTED; e++) {
        CU_ASSERT(strlen(coord_error_text((coord_error)e)) > 0);
        CU_ASSERT(strlen(coord_error_name((coord_error)e)) > 0);
    }
    CU_ASSERT_STRING_EQUAL(coord_error_name(COORD_ERR_NO_NODE), "NO_NODE");
    CU_ASSERT_STRING_EQUAL(coord_error_name(COORD_ERR_MAYBE_APPLIED), "MAYBE_APPLIED");
    CU_ASSERT_PTR_NOT_NULL(coord_error_text((coord_error)12345));
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_sequencer__is_taken_apart),
        TEST(test_sequencer__what_is_none_is_refused),
        TEST(test_sequencer__newer_is_greater),
        TEST(test_sequencer__of_other_cells_or_paths_cannot_be_compared),
        TEST(test_sequencer__errors_have_names_and_words),
    };
    return run_suite("sequencer", cases, sizeof cases / sizeof cases[0], argc, argv);
}
