/* `coordd dev`: its options, and commands that a shell takes as they are. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "coordd/main/dev.h"
#include "tests/support/runner.h"

static char why[SETTINGS_WHY_BYTES];
static struct dev_config config;

/* Words separated by blanks. */
static enum err take(const char *line)
{
    char copy[256], *words[8], *rest = NULL;
    int count = 0;
    (void)snprintf(copy, sizeof copy, "%s", line);
    for (char *w = strtok_r(copy, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest))
        words[count++] = w;
    why[0] = '\0';
    return dev_configure(count, words, &config, why);
}

static void test_dev__takes_a_directory_and_a_port(void)
{
    CU_ASSERT_EQUAL_FATAL(take("--dir /d --port 7400"), ERR_OK);
    CU_ASSERT_STRING_EQUAL(config.dir, "/d");
    CU_ASSERT_EQUAL(config.port, 7400);
    CU_ASSERT_EQUAL(config.members_count, DEV_MEMBERS_DEFAULT);
    CU_ASSERT_EQUAL_FATAL(take("--dir=/d --port=7400 --members=3"), ERR_OK);
    CU_ASSERT_EQUAL(config.members_count, 3);
}

static void test_dev__refuses_what_cannot_be(void)
{
    static const char *const wrong[] = {
        "",
        "--port 7400",
        "--dir /d",
        "--dir /d --port 0",
        "--dir /d --port 65533",
        "--dir /d --port 1 --members 0",
        "--dir /d --port 1 --members 17",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CU_ASSERT_EQUAL(take(wrong[i]), ERR_INVALID);
        CU_ASSERT_NOT_EQUAL(why[0], '\0');
    }
}

static void expect_quoted(const char *word, const char *quoted)
{
    char out[64];
    CU_ASSERT_TRUE_FATAL(dev_quote(word, out, sizeof out));
    CU_ASSERT_STRING_EQUAL(out, quoted);
    /* It fits exactly, and not into one byte less. */
    CU_ASSERT_TRUE(dev_quote(word, out, strlen(quoted) + 1));
    CU_ASSERT_FALSE(dev_quote(word, out, strlen(quoted)));
}

static void test_dev__a_shell_takes_quoted_words_as_they_are(void)
{
    expect_quoted("/tmp/plain-1_2.3", "/tmp/plain-1_2.3");
    expect_quoted("", "''");
    expect_quoted("two words", "'two words'");
    expect_quoted("$HOME;`x`", "'$HOME;`x`'");
    expect_quoted("it's", "'it'\\''s'");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_dev__takes_a_directory_and_a_port),
        TEST(test_dev__refuses_what_cannot_be),
        TEST(test_dev__a_shell_takes_quoted_words_as_they_are),
    };
    return run_suite("dev", cases, sizeof cases / sizeof cases[0], argc, argv);
}
