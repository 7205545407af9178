/* test_units.c - numbers, durations and endpoints as people write them. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/runner.h"
#include "tools/coordctl/units.h"

static void test_units__durations_have_a_unit(void)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"0", 0},       {"0s", 0},           {"1ms", 1},     {"250ms", 250},      {"5s", 5000},
        {"2m", 120000}, {"1440m", 86400000}, {"007s", 7000}, {"86400s", 86400000}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t ms = -1;
        CU_ASSERT_TRUE(units_parse_duration_ms(good[i].text, &ms));
        CU_ASSERT_EQUAL(ms, good[i].ms);
    }
}

static void test_units__what_is_no_duration_leaves_the_result_alone(void)
{
    static const char *const bad[] = {"",
                                      "5",
                                      "s",
                                      "-1s",
                                      "+1s",
                                      " 1s",
                                      "1s ",
                                      "1.5s",
                                      "1h",
                                      "1S",
                                      "0x1s",
                                      "1ss",
                                      "1 s",
                                      "ms",
                                      "1441m",
                                      "86401s",
                                      "86400001ms",
                                      "99999999999999999999s",
                                      "18446744073709551615m"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t ms = 42;
        CU_ASSERT_FALSE(units_parse_duration_ms(bad[i], &ms));
        CU_ASSERT_EQUAL(ms, 42);
    }
}

static void test_units__numbers_go_up_to_the_last(void)
{
    uint64_t n = 0;
    CU_ASSERT_TRUE(units_parse_u64("0", &n));
    CU_ASSERT_EQUAL(n, 0);
    CU_ASSERT_TRUE(units_parse_u64("18446744073709551615", &n));
    CU_ASSERT_EQUAL(n, UINT64_MAX);

    static const char *const bad[] = {"", "18446744073709551616", "-1", "1 ", " 1", "0x10", "1e3"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_FALSE(units_parse_u64(bad[i], &n));
    CU_ASSERT_EQUAL(n, UINT64_MAX);
}

static void test_units__endpoints_are_host_and_port_or_a_socket(void)
{
    static const char *const good[] = {"127.0.0.1:7400", "localhost:1,localhost:65535",
                                       "[::1]:7400", "unix:/run/coord.sock", "a:1,[::1]:2,unix:/x"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        CU_ASSERT_PTR_NULL(units_check_endpoints(good[i]));

    static const char *const bad[] = {
        "",     ",",        "a",        "a:",   ":1",     "a:0",  "a:65536", "a:b", "a:1,",
        ",a:1", "a:1,,b:2", "::1:7400", "[]:1", "unix:x", "a:1 ", "a:1 b:2", "a:-1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_PTR_NOT_NULL(units_check_endpoints(bad[i]));
}

static void test_units__times_are_told_in_utc(void)
{
    char text[UNITS_TIME_BYTES];
    units_format_time(0, text);
    CU_ASSERT_STRING_EQUAL(text, "-");
    units_format_time(1136214245678, text);
    CU_ASSERT_STRING_EQUAL(text, "2006-01-02T15:04:05.678Z");
    units_format_time(UINT64_MAX, text);
    CU_ASSERT_TRUE(strlen(text) < UNITS_TIME_BYTES);
}

static void test_units__text_is_utf8_without_a_nul(void)
{
    CU_ASSERT_TRUE(units_is_text("", 0));
    CU_ASSERT_TRUE(units_is_text("abc\n", 4));
    CU_ASSERT_TRUE(units_is_text("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9));
    CU_ASSERT_FALSE(units_is_text("a\0b", 3));
    CU_ASSERT_FALSE(units_is_text("\xc3", 1));         /* cut off */
    CU_ASSERT_FALSE(units_is_text("\xc0\x80", 2));     /* overlong */
    CU_ASSERT_FALSE(units_is_text("\xe0\x80\xaf", 3)); /* overlong */
    CU_ASSERT_FALSE(units_is_text("\xed\xa0\x80", 3)); /* surrogate */
    CU_ASSERT_FALSE(units_is_text("\xf4\x90\x80\x80", 4));
    CU_ASSERT_FALSE(units_is_text("\xff", 1));
    CU_ASSERT_FALSE(units_is_text("\x80", 1));
}

static void test_units__columns_count_characters(void)
{
    CU_ASSERT_EQUAL(units_columns(""), 0);
    CU_ASSERT_EQUAL(units_columns("a\xc3\xa9z"), 3);
}

static void test_units__base64_pads(void)
{
    static const char *const pairs[][2] = {
        {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
        {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe\xfd", "//79"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char *text = units_base64(pairs[i][0], strlen(pairs[i][0]));
        CU_ASSERT_STRING_EQUAL(text, pairs[i][1]);
        free(text);
    }
}

static void test_units__distance_counts_slips(void)
{
    CU_ASSERT_EQUAL(units_distance("lock", "lock"), 0);
    CU_ASSERT_EQUAL(units_distance("lok", "lock"), 1);
    CU_ASSERT_EQUAL(units_distance("lockk", "lock"), 1);
    CU_ASSERT_EQUAL(units_distance("luck", "lock"), 1);
    CU_ASSERT_EQUAL(units_distance("olck", "lock"), 1);
    CU_ASSERT_EQUAL(units_distance("", "lock"), 4);
    CU_ASSERT_EQUAL(units_distance("tree", "lock"), 4);
    CU_ASSERT_EQUAL(units_distance("lock", "123456789012345678901234567890123"), SIZE_MAX);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_units__durations_have_a_unit),
        TEST(test_units__what_is_no_duration_leaves_the_result_alone),
        TEST(test_units__numbers_go_up_to_the_last),
        TEST(test_units__endpoints_are_host_and_port_or_a_socket),
        TEST(test_units__times_are_told_in_utc),
        TEST(test_units__text_is_utf8_without_a_nul),
        TEST(test_units__columns_count_characters),
        TEST(test_units__base64_pads),
        TEST(test_units__distance_counts_slips),
    };
    return run_suite("units", cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
