/* test_runner.c - a failure must reach the shell.
 *
 * CUnit's state is global, so each inner suite runs in a process of its own:
 * this program again, with the suite's name as its first argument. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/runner.h"

static void passes(void)
{
    CU_ASSERT_TRUE(1);
}

static void fails(void)
{
    CU_ASSERT_TRUE(0);
}

static void fails_fatally(void)
{
    CU_ASSERT_TRUE_FATAL(0);
}

static const struct test_case inner_cases[] = {TEST(passes), TEST(fails), TEST(fails_fatally)};

/* How this program ends when told to run the inner suite with `filter`. */
static int status_of_inner(const char *filter)
{
    pid_t child = fork();
    CU_ASSERT_FATAL(child >= 0);
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
        execl("/proc/self/exe", "test_runner", "--inner", filter, (char *)NULL);
        _exit(99);
    }
    int status = -1;
    CU_ASSERT_EQUAL_FATAL(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_runner__a_passing_suite_is_a_success(void)
{
    CU_ASSERT_EQUAL(status_of_inner("passes"), EXIT_SUCCESS);
}

static void test_runner__a_failed_assertion_is_a_failure(void)
{
    CU_ASSERT_EQUAL(status_of_inner("fails"), EXIT_FAILURE);
    CU_ASSERT_EQUAL(status_of_inner("fails_fatally"), EXIT_FAILURE);
    CU_ASSERT_EQUAL(status_of_inner(NULL), EXIT_FAILURE);
}

static void test_runner__a_filter_that_matches_nothing_is_a_failure(void)
{
    CU_ASSERT_EQUAL(status_of_inner("no such test"), EXIT_FAILURE);
}

static void test_runner__the_names_can_be_listed(void)
{
    CU_ASSERT_EQUAL(status_of_inner("--list"), EXIT_SUCCESS);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_runner__a_passing_suite_is_a_success),
        TEST(test_runner__a_failed_assertion_is_a_failure),
        TEST(test_runner__a_filter_that_matches_nothing_is_a_failure),
        TEST(test_runner__the_names_can_be_listed),
    };
    if (argc > 1 && strcmp(argv[1], "--inner") == 0)
        return run_suite("inner", inner_cases, 3, argc - 1, argv + 1);
    return run_suite("runner", cases, sizeof cases / sizeof cases[0], argc, argv);
}
