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
    EXIT_NOT_SERVING = 70,  /* status: servers answer, but nobody leads */
    EXIT_NOT_ACQUIRED = 75, /* the lock or leadership was not to be had */
    EXIT_LOST = 76,         /* it was lost while we ran */
};

struct command {
    const char *name;    /* one word, or two with a space between */
    const char *summary; /* one line, for the list of commands */
    const char *details; /* for the command's own help; may be "" */
    const char *example; /* a line for a shell, behind "coordctl " */
    struct arguments_form form;
    /* It goes on until INT, TERM or HUP, which it takes from signals.h; otherwise
     * they end the program at once. */
    bool holds;
    int (*run)(struct cell *cell, const struct arguments *a);
};

extern const struct command commands[]; /* the last has no name */

/* The command that these words begin with, or NULL; how many of them name it. */
const struct command *command_find(int argc, char **argv, int *ret_words);
/* The name that was likely meant, or NULL. */
const char *command_nearest(const char *word);

int node_get(struct cell *cell, const struct arguments *a);
int node_stat(struct cell *cell, const struct arguments *a);
int node_list(struct cell *cell, const struct arguments *a);
int node_put(struct cell *cell, const struct arguments *a);
int node_create(struct cell *cell, const struct arguments *a);
int node_make_directory(struct cell *cell, const struct arguments *a);
int node_remove(struct cell *cell, const struct arguments *a);
int node_tree(struct cell *cell, const struct arguments *a);
int txn_run(struct cell *cell, const struct arguments *a);
int watch_node(struct cell *cell, const struct arguments *a);
int lock_hold(struct cell *cell, const struct arguments *a);
int lock_elect(struct cell *cell, const struct arguments *a);
int force_unlock(struct cell *cell, const struct arguments *a);
int force_resign(struct cell *cell, const struct arguments *a);
int force_session_kill(struct cell *cell, const struct arguments *a);
int force_step_down(struct cell *cell, const struct arguments *a);
int leader_show(struct cell *cell, const struct arguments *a);
int locks_show(struct cell *cell, const struct arguments *a);
int locks_check(struct cell *cell, const struct arguments *a);
int locks_sessions(struct cell *cell, const struct arguments *a);
int status_show(struct cell *cell, const struct arguments *a);
int status_hash(struct cell *cell, const struct arguments *a);

#endif
