/* child.h - the command, as the guardian starts it.
 *
 * It leads a process group of its own, and the kernel kills it when the guardian
 * dies. Contained, it is the second process of a PID namespace; the first is a
 * small init of ours, with which the kernel ends everything in there, and which
 * is what the guardian then sees as its child and as the group. */
#ifndef COORDCTL_CHILD_H
#define COORDCTL_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/* Codes that shells use. */
enum { CODE_NOT_EXECUTABLE = 126, CODE_NOT_FOUND = 127, CODE_SIGNAL = 128 };

enum { CHILD_REST_MS = 1000 }; /* for what the command left behind to end by itself */

/* Where the next process that we start shall begin a PID namespace: 0, or an errno.
 * Tries it as we are, then with a user namespace in which we are who we were. */
int child_contain(void);

/* Forks: only for a process with a single thread. With has_terminal the child's
 * group gets the foreground, and Ctrl-Z does nothing to it. Returns its pid, which is also its
 * group's, or minus an errno. */
pid_t child_start(char **argv, bool is_contained, bool has_terminal);

/* What a shell makes of a status of waitpid. */
int child_code(int status);

#endif
