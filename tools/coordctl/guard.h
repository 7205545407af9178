/* guard.h - coordctl's side of the guardian: start it, tell it until when it is
 * safe to go on, learn how the command ended. The library has threads by then, so
 * nothing is forked here: the guardian is this program, spawned once more. */
#ifndef COORDCTL_GUARD_H
#define COORDCTL_GUARD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tools/coordctl/guardian.h"

struct guard {
    pid_t pid;
    int orders, report;
    bool has_terminal;
};

struct guard_end {
    bool lost; /* the command was ended because time ran low, or so was the guardian */
    int code;  /* otherwise: what a shell would make of the command's end */
};

/* The command finds COORD_LOCK_SEQUENCER and COORD_LOCK_PATH in its environment.
 * 0, or an errno. */
int guard_start(struct guard *ret, char **argv, bool contain, const struct guard_order *first,
                const char *sequencer, const char *path);

/* Never blocks: a guardian that does not read goes without. */
void guard_order(const struct guard *guard, const struct guard_order *order);

/* True once all is over, and then *guard is no more. Does not block, unless the
 * guardian was killed: then the command's group is, and is waited for. */
bool guard_ended(struct guard *guard, struct guard_end *ret);

#endif
