/* watcher.h - the watches of one session, and what they told.
 *
 * Checked: revisions of one watch rise; each event shows what the model has at
 * its revision; whatever a session is shown of revision r comes behind every
 * event up to r of its watches; and in the end each watch knows its node's
 * present state. */
#ifndef TESTS_SIM_WATCHER_H
#define TESTS_SIM_WATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "coord/v1/coord.pb-c.h"

struct client;

struct watch {
    uint64_t id;
    uint32_t path;
    bool content, lock;
    bool answered;
    uint64_t revision; /* of what it knows */
    uint64_t link;     /* of the session, when it heard last */
    int last_kind;
    bool absent; /* knows that there is no such node */
};

struct watcher {
    struct watch *list; /* owned */
    uint32_t count, capacity;
};

void watcher_init(struct watcher *w);
void watcher_release(struct watcher *w);
void watcher_forget(struct watcher *w);
void watcher_add(struct watcher *w, uint64_t id, uint32_t path, bool content, bool lock);
void watcher_remove(struct watcher *w, uint64_t id);
/* The answer to the call that registered it. */
void watcher_answer(struct client *c, uint64_t id, const Coord__V1__Answer *answer);
void watcher_event(struct client *c, const Coord__V1__Event *event);
/* The client is about to be shown state of `revision`. */
void watcher_shown(struct client *c, uint64_t revision);
/* All is quiet: does each watch know the present? */
void watcher_settled(struct client *c);

#endif
