/* event_run.h - a command for each event of a watch. */
#ifndef COORDCTL_EVENT_RUN_H
#define COORDCTL_EVENT_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_words {
    const char *kind, *path;
    uint64_t revision, generation;
    bool exists;
    const void *value; /* what it finds on its standard input; NULL: nothing */
    size_t value_length;
};

/* Runs `sh -c command` to its end, in a group of its own; needs signals_hold. INT, TERM
 * and HUP are passed on, and *told says that there was one. Returns what a shell would
 * make of its end; what went wrong before that was said. */
int event_run(const char *command, const struct event_words *event, bool *told);

#endif
