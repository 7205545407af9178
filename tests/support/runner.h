/* runner.h - runs one CUnit suite and tells the shell how it went.
 *
 * CUnit's own CU_basic_run_tests leaves the exit status to the caller; here a
 * failed assertion, a failed set-up and a filter that matches nothing all end
 * in a non-zero status.
 *
 *     int main(int argc, char **argv)
 *     {
 *         static const struct test_case cases[] = {
 *             TEST(test_avl__an_empty_tree_has_no_first),
 *         };
 *         return run_suite("avl", cases, sizeof cases / sizeof cases[0], argc, argv);
 *     }
 *
 * `test_avl empty` runs only the tests whose name contains "empty"; `test_avl
 * --list` prints the names. */
#ifndef COORD_TESTS_SUPPORT_RUNNER_H
#define COORD_TESTS_SUPPORT_RUNNER_H

#include <CUnit/CUnit.h>
#include <stddef.h>

struct test_case {
    const char *name;
    void (*run)(void);
};

/* clang-format off */
#define TEST(fn) {#fn, fn}
/* clang-format on */

/* Returns what main should return. */
int run_suite(const char *name, const struct test_case *cases, size_t count, int argc, char **argv);

#endif
