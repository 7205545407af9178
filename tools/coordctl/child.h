/* child.h - a command that runs while something is held.
 *
 * The library has threads by then, so nothing is forked: the child is spawned,
 * as the leader of a process group of its own (and of the terminal, if we have
 * it). On the way it runs this program once more, as child_become, which asks
 * the kernel to kill it when we die; for the direct child that closes the gap
 * that a kill -9 of coordctl would leave. */
#ifndef COORDCTL_CHILD_H
#define COORDCTL_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct child {
    pid_t pid; /* also of its group */
    bool has_terminal;
};

/* True if these are the arguments of a child on its way. */
bool child_is_becoming(int argc, char **argv);
/* Becomes the command; does not come back. */
_Noreturn void child_become(char **argv);

/* COORD_LOCK_SEQUENCER and COORD_LOCK_PATH are set for it. 0, or an errno. */
int child_start(struct child *ret, char **argv, const char *sequencer, const char *path);

/* To the whole group. */
void child_signal(const struct child *child, int signal_number);

/* True once it has ended; *ret_code is then what a shell would make of it. Does
 * not block. */
bool child_ended(const struct child *child, int *ret_code);

/* After the child ended: what is left of its group is asked to end, and killed
 * after patience_ms, before anybody else may be given what was held; and the
 * terminal is ours again. */
void child_clear(const struct child *child, int64_t patience_ms);

#endif
