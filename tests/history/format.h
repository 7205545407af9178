/* format.h - histories as lines of text, one file for each client process.
 *
 * A line is complete with its newline and is appended by one write(2) to a file
 * that was opened with O_APPEND, so that threads of one process may share it and the
 * process may be killed at any time: a last half line is dropped when it is read, and
 * so loses nothing but what had not been said. Each line is
 *
 *     WORD NS CLIENT ... [KEY=VALUE ...]
 *
 * README.md has them all. Texts are escaped as %XX where they have a byte that is not
 * printable, or one of % = , and the space. */
#ifndef TESTS_HISTORY_FORMAT_H
#define TESTS_HISTORY_FORMAT_H

#include "libcoord/base/bytes.h"
#include "tests/history/history.h"

enum { HISTORY_LINE_BYTES_MAX = 1 << 20 };

/* Each appends one line to `out`. An invocation takes what is asked and invoked_ns from the
 * call, a return client, number, returned_ns and what was told. */
void history_format_head(struct buffer *out);
void history_format_invoke(struct buffer *out, const struct history_call *call);
void history_format_return(struct buffer *out, const struct history_call *call);
void history_format_belief(struct buffer *out, const struct history_belief *belief);
void history_format_loss(struct buffer *out, const struct history_loss *loss);
void history_format_session(struct buffer *out, const struct history_session *session);
void history_format_event(struct buffer *out, const struct history_event *event);
/* A whole history, with a head. */
void history_format(struct buffer *out, const struct history *h);

/* The same, as one write(2). False: see errno; nothing or a part of it was written. An
 * invocation must be written before the call is made, all else soon after. */
bool history_write_head(int fd);
bool history_write_invoke(int fd, const struct history_call *call);
bool history_write_return(int fd, const struct history_call *call);
bool history_write_belief(int fd, const struct history_belief *belief);
bool history_write_loss(int fd, const struct history_loss *loss);
bool history_write_session(int fd, const struct history_session *session);
bool history_write_event(int fd, const struct history_event *event);

struct history_problem {
    size_t line; /* from 1; 0: none */
    char text[160];
};
/* Add what is in a file to `h`. False, with *ret_problem: a line that is none (not the last
 * half line), a return without its invocation, or a number that was used before. */
bool history_read(struct history *h, struct slice file, struct history_problem *ret_problem);

#endif
