/* lab.h - for the checkers' own tests: histories in words.
 *
 * A call is "CLIENT FROM-TO OP PATH [KEY=VALUE ...] -> ERROR [KEY=VALUE ...]", in the words of
 * the lines of a file; "CLIENT FROM OP PATH ..." is one that never came back. Anything else
 * that begins with a letter is a line of a file itself. */
#ifndef TESTS_HISTORY_LAB_H
#define TESTS_HISTORY_LAB_H

#include "tests/history/judge.h"

/* What the checkers say of a history; lines end with a newline each. The last of @lines is NULL. */
void lab_judge(const char *const *lines, struct history_report *ret);

/* As bits, of the checkers that found something. */
uint32_t lab_found(const char *const *lines);
enum {
    LAB_REPLAY = 1 << HISTORY_BY_REPLAY,
    LAB_SEARCH = 1 << HISTORY_BY_SEARCH,
    LAB_ONCE = 1 << HISTORY_BY_ONCE,
    LAB_BELIEFS = 1 << HISTORY_BY_BELIEFS,
    LAB_LOCKS = 1 << HISTORY_BY_LOCKS,
    LAB_WATCHES = 1 << HISTORY_BY_WATCHES,
};

#define LAB(...) ((const char *const[]){__VA_ARGS__, NULL})
/* Exactly these checkers find it. */
#define LAB_IS(found, ...) lab_is((found), LAB(__VA_ARGS__), __FILE__, __LINE__)
void lab_is(uint32_t found, const char *const *lines, const char *file, int line);

#endif
