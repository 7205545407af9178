/* Settings from a command line and from a file; what is wrong is named. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordd/main/settings.h"
#include "tests/support/runner.h"

static char text[SETTING_TEXT_BYTES_MAX], private_text[SETTING_TEXT_BYTES_MAX];
static uint64_t number;
static char why[SETTINGS_WHY_BYTES];

static const struct setting settings[] = {
    {.key = "listen_on", .kind = SETTING_TEXT, .in_file = true, .value = text},
    {.key = "config", .kind = SETTING_TEXT, .value = private_text},
    {"count", SETTING_NUMBER, true, &number, 5, 500},
};
enum { COUNT = sizeof settings / sizeof settings[0], WORDS_MAX = 8 };

static void reset(void)
{
    text[0] = private_text[0] = why[0] = '\0';
    number = 0;
}

/* Words separated by blanks. */
static enum err take_words(const char *line)
{
    char copy[256], *words[WORDS_MAX];
    int count = 0;
    reset();
    (void)snprintf(copy, sizeof copy, "%s", line);
    char *rest = NULL;
    for (char *w = strtok_r(copy, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest))
        words[count++] = w;
    return settings_take_arguments(settings, COUNT, count, words, why);
}

static enum err take_text(const char *content)
{
    char path[] = "/tmp/coord-settings-XXXXXX";
    reset();
    int fd = mkstemp(path);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    (void)close(fd);
    enum err e = settings_take_file(settings, COUNT, path, why);
    (void)unlink(path);
    return e;
}

static void test_settings__options_take_a_value_in_two_ways(void)
{
    CU_ASSERT_EQUAL(take_words("--listen-on a:1 --count=7"), ERR_OK);
    CU_ASSERT_STRING_EQUAL(text, "a:1");
    CU_ASSERT_EQUAL(number, 7);
    CU_ASSERT_EQUAL(take_words("--listen_on=a=b --count 500"), ERR_OK);
    CU_ASSERT_STRING_EQUAL(text, "a=b");
    CU_ASSERT_EQUAL(take_words(""), ERR_OK);
}

static void expect_words_refused(const char *line, const char *says)
{
    CU_ASSERT_EQUAL(take_words(line), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, says));
}

static void test_settings__wrong_options_are_named(void)
{
    expect_words_refused("--nonsense 1", "--nonsense");
    expect_words_refused("count 7", "count");
    expect_words_refused("--", "--");
    expect_words_refused("--count", "--count: a value is missing");
    expect_words_refused("--count x", "--count: wanted a number from 5 to 500, not 'x'");
    expect_words_refused("--count 4", "--count: wanted a number");
    expect_words_refused("--count 501", "--count: wanted a number");
    expect_words_refused("--count -6", "--count: wanted a number");
    expect_words_refused("--count 6x", "--count: wanted a number");
    expect_words_refused("--count=", "--count: a value is missing");
    expect_words_refused("--listen-on=", "--listen-on: a value is missing");
    expect_words_refused("--listen-on --count 7", "--listen-on: a value is missing");
    expect_words_refused("--count --listen-on", "--count: a value is missing");
    expect_words_refused("--count 7 --count=8", "--count is given twice");
    expect_words_refused("--listen_on a --listen-on b", "--listen-on is given twice");
    expect_words_refused("--count 99999999999999999999999", "--count: wanted a number");
}

static void test_settings__a_file_holds_keys_comments_and_blanks(void)
{
    CU_ASSERT_EQUAL(take_text("# a comment\n\n  listen_on =  [::1]:7  \n\tcount=9"), ERR_OK);
    CU_ASSERT_STRING_EQUAL(text, "[::1]:7");
    CU_ASSERT_EQUAL(number, 9);
    CU_ASSERT_EQUAL(take_text("listen-on = with = signs\r\n"), ERR_OK);
    CU_ASSERT_STRING_EQUAL(text, "with = signs");
    CU_ASSERT_EQUAL(take_text(""), ERR_OK);
}

static void expect_file_refused(const char *content, const char *says)
{
    CU_ASSERT_EQUAL(take_text(content), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, says));
}

static void test_settings__wrong_lines_are_named_with_their_number(void)
{
    expect_file_refused("count = 9\ncolour = blue\n", ":2: unknown key 'colour'");
    expect_file_refused("\n\ncount\n", ":3: wanted key = value");
    expect_file_refused("count = 3\n", ":1: count: wanted a number from 5 to 500, not '3'");
    expect_file_refused("config = x\n", ":1: not a key for a file: 'config'");
    expect_file_refused(" = x\n", ":1: unknown key ''");
    expect_file_refused("count = 7\n\ncount = 7\n", ":3: count is given twice");
    expect_file_refused("listen_on =\n", ":1: listen_on: a value is missing");
    static char large[3 * SETTING_TEXT_BYTES_MAX];
    memset(large, 'a', sizeof large - 1);
    expect_file_refused(large, ":1: line too long");
    memcpy(large, "listen_on = ", 12);
    large[SETTING_TEXT_BYTES_MAX + 12] = '\0';
    expect_file_refused(large, ":1: listen_on: too long");
}

static void test_settings__a_missing_file_is_told_apart(void)
{
    CU_ASSERT_EQUAL(settings_take_file(settings, COUNT, "/nonexistent/x", why), ERR_NO_NODE);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "/nonexistent/x"));
    CU_ASSERT_EQUAL(settings_take_file(settings, COUNT, "/", why), ERR_INVALID);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_settings__options_take_a_value_in_two_ways),
        TEST(test_settings__wrong_options_are_named),
        TEST(test_settings__a_file_holds_keys_comments_and_blanks),
        TEST(test_settings__wrong_lines_are_named_with_their_number),
        TEST(test_settings__a_missing_file_is_told_apart),
    };
    return run_suite("settings", cases, sizeof cases / sizeof cases[0], argc, argv);
}
