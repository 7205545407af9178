/* command.h - what every command is, and what it may end with. */
#ifndef COORDCTL_COMMAND_H
#define COORDCTL_COMMAND_H

#include "tools/coordctl/arguments.h"
#include "tools/coordctl/cell.h"

/* Part of the interface: scripts go by them. Otherwise a child's own code. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1,
    EXIT_USAGE = 2,
    EXIT_UNREACHABLE = 69,  /* the cell gave no answer in time */
    EXIT_NOT_ACQUIRED = 75, /* the lock or leadership was not to be had */
    EXIT_LOST = 76,         /* it was lost while we ran */
};

struct command {
    const char *name;
    const char *operands; /* for the usage line */
    const char *summary;  /* one line, for the list of commands */
    const char *details;  /* for the command's own help; may be "" */
    struct arguments_form form;
    /* It goes on until INT, TERM or HUP, which it takes from signals.h; otherwise
     * they end the program at once. */
    bool holds;
    int (*run)(struct cell *cell, const struct arguments *a);
};

extern const struct command commands[]; /* the last has no name */

int node_get(struct cell *cell, const struct arguments *a);
int node_stat(struct cell *cell, const struct arguments *a);
int node_list(struct cell *cell, const struct arguments *a);
int node_put(struct cell *cell, const struct arguments *a);
int node_create(struct cell *cell, const struct arguments *a);
int node_make_directory(struct cell *cell, const struct arguments *a);
int node_remove(struct cell *cell, const struct arguments *a);
int watch_node(struct cell *cell, const struct arguments *a);
int lock_hold(struct cell *cell, const struct arguments *a);
int lock_elect(struct cell *cell, const struct arguments *a);
int look_status(struct cell *cell, const struct arguments *a);
int look_leader(struct cell *cell, const struct arguments *a);
int look_locks(struct cell *cell, const struct arguments *a);
int look_check(struct cell *cell, const struct arguments *a);
int look_session(struct cell *cell, const struct arguments *a);

#endif
