/* test_check.c - a bug ends the process, and says where. */
#define _GNU_SOURCE
#include "libcoord/base/check.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/runner.h"

/* Runs `act` in a child; returns how it ended, and the start of its stderr. */
static int run_in_child(void (*act)(void), char *said, size_t said_bytes)
{
    int ends[2];
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    CU_ASSERT_FATAL(child >= 0);
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        act();
        _exit(0);
    }
    close(ends[1]);
    size_t got = 0;
    for (;;) {
        ssize_t n = read(ends[0], said + got, said_bytes - 1 - got);
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    said[got] = '\0';
    close(ends[0]);
    int status = 0;
    CU_ASSERT_EQUAL_FATAL(waitpid(child, &status, 0), child);
    return status;
}

static void check_a_falsehood(void)
{
    int apples = 2;
    CHECK(apples == 3);
}

static void check_a_truth(void)
{
    int apples = 3;
    CHECK(apples == 3);
}

static void calloc_more_than_there_can_be(void)
{
    volatile size_t half = SIZE_MAX / 2 + 2;
    free(check_calloc(half, 2));
}

static void test_check__a_false_condition_aborts_and_names_itself(void)
{
    char said[512];
    int status = run_in_child(check_a_falsehood, said, sizeof said);
    CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "apples == 3"));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "test_check.c:"));
}

static void test_check__a_true_condition_does_nothing(void)
{
    char said[512];
    int status = run_in_child(check_a_truth, said, sizeof said);
    CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CU_ASSERT_STRING_EQUAL(said, "");
}

static void test_check__a_size_that_overflows_aborts(void)
{
    char said[512];
    int status = run_in_child(calloc_more_than_there_can_be, said, sizeof said);
    CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_check__nothing_can_be_allocated_and_freed(void)
{
    void *a = check_malloc(0);
    void *b = check_calloc(0, 8);
    void *c = check_realloc(check_malloc(8), 0);
    CU_ASSERT_PTR_NOT_NULL(a);
    CU_ASSERT_PTR_NOT_NULL(b);
    CU_ASSERT_PTR_NOT_NULL(c);
    free(a);
    free(b);
    free(c);
}

static void test_check__calloc_zeroes_and_realloc_keeps(void)
{
    uint8_t *a = check_calloc(3, 5);
    for (int i = 0; i < 15; i++)
        CU_ASSERT_EQUAL(a[i], 0);
    a[14] = 9;
    a = check_realloc(a, 4000);
    CU_ASSERT_EQUAL(a[14], 9);
    free(a);
}

static void test_check__strndup_ends_its_copy(void)
{
    char *a = check_strndup("abcdef", 3);
    CU_ASSERT_STRING_EQUAL(a, "abc");
    free(a);
    a = check_strndup(NULL, 0);
    CU_ASSERT_STRING_EQUAL(a, "");
    free(a);
    a = check_strdup("whole");
    CU_ASSERT_STRING_EQUAL(a, "whole");
    free(a);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_check__a_false_condition_aborts_and_names_itself),
        TEST(test_check__a_true_condition_does_nothing),
        TEST(test_check__a_size_that_overflows_aborts),
        TEST(test_check__nothing_can_be_allocated_and_freed),
        TEST(test_check__calloc_zeroes_and_realloc_keeps),
        TEST(test_check__strndup_ends_its_copy),
    };
    return run_suite("check", cases, sizeof cases / sizeof cases[0], argc, argv);
}
