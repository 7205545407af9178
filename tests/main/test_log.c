/* What a log line looks like, whatever is put into it. */
#include <string.h>

#include "coordd/main/log.h"
#include "tests/support/runner.h"

static void test_log__a_line_is_time_level_event_and_fields(void)
{
    char line[LOG_LINE_BYTES_MAX];
    const struct log_field fields[] = {log_number("member", 2), log_text("role", "leader")};
    size_t length = log_format(line, 1767225600007, LOG_LEVEL_INFO, "serving", fields, 2);
    CU_ASSERT_STRING_EQUAL(line, "2026-01-01T00:00:00.007Z info serving member=2 role=leader\n");
    CU_ASSERT_EQUAL(length, strlen(line));
    (void)log_format(line, 0, LOG_LEVEL_ERROR, "listen", fields, 0);
    CU_ASSERT_STRING_EQUAL(line, "1970-01-01T00:00:00.000Z error listen\n");
    (void)log_format(line, 0, LOG_LEVEL_WARNING, "peer", fields, 0);
    CU_ASSERT_STRING_EQUAL(line, "1970-01-01T00:00:00.000Z warning peer\n");
}

static void expect_value(const char *value, const char *written)
{
    char line[LOG_LINE_BYTES_MAX];
    const struct log_field field = log_text("k", value);
    (void)log_format(line, 0, LOG_LEVEL_INFO, "e", &field, 1);
    const char *found = strstr(line, " k=");
    CU_ASSERT_PTR_NOT_NULL(found);
    if (found != NULL)
        CU_ASSERT_STRING_EQUAL(found + 3, written);
}

/* A stranger's text must not look like another line or another field. */
static void test_log__values_stay_one_word(void)
{
    expect_value("plain-1.2:3/x", "plain-1.2:3/x\n");
    expect_value("", "\"\"\n");
    expect_value(NULL, "\"\"\n");
    expect_value("two words", "\"two words\"\n");
    expect_value("a=b", "\"a=b\"\n");
    expect_value("say \"x\" \\ y", "\"say \\\"x\\\" \\\\ y\"\n");
    expect_value("line\nbreak\ttab\x7f", "\"line\\x0abreak\\x09tab\\x7f\"\n");
    expect_value("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f\n");
}

static void test_log__a_long_line_is_cut_and_stays_a_line(void)
{
    char line[LOG_LINE_BYTES_MAX], value[2 * LOG_LINE_BYTES_MAX];
    memset(value, 'x', sizeof value);
    value[sizeof value - 1] = '\0';
    const struct log_field fields[] = {log_text("k", value), log_text("l", "after")};
    size_t length = log_format(line, 0, LOG_LEVEL_INFO, "e", fields, 2);
    CU_ASSERT_EQUAL(length, LOG_LINE_BYTES_MAX - 1);
    CU_ASSERT_EQUAL(line[length - 1], '\n');
    CU_ASSERT_EQUAL(line[length], '\0');
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_log__a_line_is_time_level_event_and_fields),
        TEST(test_log__values_stay_one_word),
        TEST(test_log__a_long_line_is_cut_and_stays_a_line),
    };
    return run_suite("log", cases, sizeof cases / sizeof cases[0], argc, argv);
}
