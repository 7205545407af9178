/* txn_script.h - what a file for `txn` says. Pure.
 *
 *   check exists PATH             put PATH VALUE [--parents] [--if-gen N] [--if-seq S]
 *   check absent PATH             create PATH [VALUE] [--parents] [--sequential] [--if-seq S]
 *   check generation PATH N       delete PATH [--if-gen N] [--if-seq S]
 *   check sequencer SEQUENCER
 *
 * One on each line; empty lines are skipped. Words have blanks (spaces, tabs) between.
 * A word is a row of pieces: plain characters, 'as it is', "with \\ \" \n \t \r \xHH".
 * A # at the start of a word begins a comment. What is quoted is never an option. A
 * byte 0 can stand in a VALUE alone, as "\x00". */
#ifndef COORDCTL_TXN_SCRIPT_H
#define COORDCTL_TXN_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TXN_PARTS_MAX = 128,
    TXN_WORDS_MAX = 16, /* on one line */
    TXN_WHY_BYTES = 256,
};

enum txn_verb {
    TXN_CHECK_EXISTS,
    TXN_CHECK_ABSENT,
    TXN_CHECK_GENERATION,
    TXN_CHECK_SEQUENCER,
    TXN_PUT,
    TXN_CREATE,
    TXN_DELETE,
};

struct txn_part {
    enum txn_verb verb;
    uint32_t line;     /* from 1 */
    const char *path;  /* into the script's text; NULL of a check of a sequencer */
    const char *value; /* likewise; "" if there is none */
    size_t value_length;
    uint64_t generation;   /* to be met; 0: any */
    const char *sequencer; /* to be valid; NULL: none */
    bool parents, sequential;
};

struct txn_script {
    char *text; /* owned; the words in it have been unquoted in place */
    struct txn_part parts[TXN_PARTS_MAX];
    uint32_t count;
};

/* Takes a copy. False if it cannot be understood: then *ret_line is where, and `why`
 * names the argument. To be released in both cases. */
bool txn_script_parse(struct txn_script *ret, const char *text, size_t length, uint32_t *ret_line,
                      char why[TXN_WHY_BYTES]);
void txn_script_release(struct txn_script *script);

bool txn_is_check(enum txn_verb verb);
/* "check exists" and so on. */
const char *txn_verb_words(enum txn_verb verb);

#endif
