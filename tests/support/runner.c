/* runner.c - see runner.h. */
#include "tests/support/runner.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t add_matching(CU_pSuite suite, const struct test_case *cases, size_t count,
                           const char *filter)
{
    size_t added_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (filter != NULL && strstr(cases[i].name, filter) == NULL)
            continue;
        if (CU_add_test(suite, cases[i].name, cases[i].run) == NULL) {
            fprintf(stderr, "cannot add %s: %s\n", cases[i].name, CU_get_error_msg());
            return 0;
        }
        added_count++;
    }
    return added_count;
}

static int run_registered(const char *name, const struct test_case *cases, size_t count,
                          const char *filter)
{
    CU_pSuite suite = CU_add_suite(name, NULL, NULL);
    if (suite == NULL) {
        fprintf(stderr, "cannot add suite %s: %s\n", name, CU_get_error_msg());
        return EXIT_FAILURE;
    }
    size_t added_count = add_matching(suite, cases, count, filter);
    if (added_count == 0) {
        fprintf(stderr, "%s: no test to run\n", name);
        return EXIT_FAILURE;
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    if (CU_basic_run_tests() != CUE_SUCCESS)
        return EXIT_FAILURE;
    /* A test that was never reached is a failure too. */
    if (CU_get_number_of_tests_run() != added_count)
        return EXIT_FAILURE;
    return CU_get_number_of_failures() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int run_suite(const char *name, const struct test_case *cases, size_t count, int argc, char **argv)
{
    const char *filter = argc > 1 ? argv[1] : NULL;
    if (filter != NULL && strcmp(filter, "--list") == 0) {
        for (size_t i = 0; i < count; i++)
            puts(cases[i].name);
        return EXIT_SUCCESS;
    }
    /* A crash must not swallow the lines before it. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (CU_initialize_registry() != CUE_SUCCESS) {
        fprintf(stderr, "cannot start CUnit: %s\n", CU_get_error_msg());
        return EXIT_FAILURE;
    }
    int status = run_registered(name, cases, count, filter);
    CU_cleanup_registry();
    return status;
}
