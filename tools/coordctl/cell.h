/* cell.h - the way to the cell: the client and its one session, opened when
 * first needed; and how its errors become messages and exit codes. */
#ifndef COORDCTL_CELL_H
#define COORDCTL_CELL_H

#include <coord/coord.h>
#include <stdatomic.h>

#include "tools/coordctl/arguments.h"

struct cell {
    const char *endpoints;
    int64_t deadline_ms;
    int64_t ttl_ms;
    coord_client *client;   /* owned; NULL until needed */
    coord_session *session; /* owned; NULL until needed */
    /* Set by the library's thread, which then wakes signals_wait. */
    atomic_bool session_lost;
    atomic_bool lock_taken; /* by force; we have one lock at most */
};

void cell_init(struct cell *cell, const struct arguments *a);
/* Ends the session at the servers too, so that nothing of it lingers. */
void cell_release(struct cell *cell);

/* EXIT_DONE, or they have said why not and the code is the command's. */
int cell_need_client(struct cell *cell);
int cell_need_client_within(struct cell *cell, int64_t connect_ms);
int cell_need_session(struct cell *cell);
/* The same; what is taken from it by force is ours to let go. */
int cell_need_holding_session(struct cell *cell);
/* Of such a session that was killed: it need not live until its lease ends. */
void cell_end_killed(struct cell *cell);

/* Say on standard error what went wrong with `subject` (a path, say); the exit
 * code that the error means. */
int cell_refused(const struct cell *cell, const char *subject, coord_error error);
/* The same, with the detail that the library gave to another thread. */
int cell_refused_with(const struct cell *cell, const char *subject, coord_error error,
                      const char *detail);
/* The same, of a write at `path` that may have missed the present generation, which is told
 * then. */
int cell_refused_write(const struct cell *cell, const char *subject, const char *path,
                       coord_error error);
/* The same without saying it. */
int cell_exit_code(coord_error error);

#endif
