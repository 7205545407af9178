/* watcher.h - the watches of one session, and what they told.
 *
 * Checked, exactly: a watch is told every event that it asked for behind the
 * revision it began at, once each, revision by revision, across lost links and
 * leaders; what an event shows is what was there; whatever a session is shown of
 * revision r comes behind every event up to r of its watches. RESYNC is the only
 * way around, and only for who reads slowly or asks for more than the history has;
 * what is read after it shows all up to it. */
#ifndef TESTS_SIM_WATCHER_H
#define TESTS_SIM_WATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "coord/v1/coord.pb-c.h"

struct client;

struct watch {
    uint64_t id;
    uint32_t path;
    bool content, lock, subtree, children, value;
    bool from_past, answered;
    uint64_t revision; /* it was told all before, and of it ... */
    uint64_t told;     /* ... those: a bit for each event of the revision */
};

struct watcher {
    struct watch *list; /* owned */
    uint32_t count, capacity;
};

void watcher_init(struct watcher *w);
void watcher_release(struct watcher *w);
void watcher_forget(struct watcher *w);
/* known_revision and what is asked for are as in `asked`. */
void watcher_add(struct watcher *w, uint32_t path, const Coord__V1__Watch *asked);
void watcher_remove(struct watcher *w, uint64_t id);
/* The answer to the call that registered it. */
void watcher_answer(struct client *c, uint64_t id, const Coord__V1__Answer *answer);
void watcher_event(struct client *c, const Coord__V1__Event *event);
/* The client is about to be shown state of `revision`. */
void watcher_shown(struct client *c, uint64_t revision);
/* Whether every watch was told all there is to be told. */
bool watcher_is_told(const struct client *c);
/* All is quiet: was each watch told all? */
void watcher_settled(struct client *c);

#endif
