/* words.h - one line of a history, cut into words: a part of parse.c.
 *
 * After the first failure, whose words are kept, all that is read is 0 or empty. */
#ifndef TESTS_HISTORY_WORDS_H
#define TESTS_HISTORY_WORDS_H

#include "tests/history/history.h"

enum { WORDS_MAX = HISTORY_PARTS_MAX + 32 };

struct words {
    char *list[WORDS_MAX]; /* borrowed from the line */
    uint32_t count, next;
    bool failed;
    char problem[160];
};

/* In place. */
void words_cut(struct words *w, char *line);
__attribute__((format(printf, 2, 3))) void words_fail(struct words *w, const char *form, ...);
/* There is a word, and nothing has failed. */
bool words_left(const struct words *w);
char *words_next(struct words *w);
uint64_t words_number(struct words *w, uint64_t max);
/* NULL: `-`. */
const char *words_path(struct words *w);
/* The place of the next word among name(1) ... name(count - 1). */
int words_name(struct words *w, const char *(*name)(int), int count);

uint64_t words_number_of(struct words *w, const char *text, uint64_t max);
/* In place; the lone % is the empty text. */
char *words_unescape(struct words *w, char *text);
/* Cuts KEY=VALUE; NULL: it is none. */
char *words_value(struct words *w, char *word);

#endif
