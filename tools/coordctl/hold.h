/* hold.h - get something that is lost with the session, keep it while a command
 * runs or until we are told to end, and give it back.
 *
 * The promise: by the time another client can be granted it, the command has
 * been killed, also if this program was killed or stopped meanwhile (guardian.h), and
 * if it is taken from us by force: then we let go of it when the command has ended.
 * What was lost is never held again by the same run: a lease that ran low has
 * ended the command, even if it recovers. What this does not reach is told in
 * docs/guardian.md. For that there is the sequencer.
 */
#ifndef COORDCTL_HOLD_H
#define COORDCTL_HOLD_H

#include "tools/coordctl/cell.h"

/* A lock or a leadership. `self` is passed to each. */
struct holding {
    void *self;
    const char *path;
    coord_error (*acquire)(void *self, int64_t timeout_ms); /* blocks; in a thread of its own */
    const char *(*sequencer)(void *self);
    coord_error (*release)(void *self, int64_t deadline_ms);
};

/* The whole life of it; the session is open, by cell_need_holding_session. Returns the
 * exit code. */
int hold_run(struct cell *cell, const struct arguments *a, const struct holding *holding);

#endif
