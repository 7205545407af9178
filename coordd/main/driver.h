/* driver.h - the network thread's loop: events go into the replica one by one,
 * its effects are executed in their order.
 *
 * Time is read after each event is taken, never once per round: a lease judged
 * by an old clock is no lease. The replica's own deadline (effects.wake_at_ns)
 * is served after whatever input had arrived by then, so that nobody is declared
 * dead whose message was already here. */
#ifndef COORD_MAIN_DRIVER_H
#define COORD_MAIN_DRIVER_H

#include "coordd/main/journal.h"
#include "coordd/main/saver.h"
#include "coordd/replica/replica.h"
#include "coordd/rpc/rpc.h"

struct driver {
    struct replica *replica; /* borrowed */
    struct rpc *rpc;         /* borrowed; set after driver_init, before driver_run */
    struct journal *journal; /* borrowed; likewise */
    struct saver *saver;     /* borrowed; likewise */
    struct effects effects;
    int64_t wake_at_ns;                   /* as the last step said */
    bool led;                             /* what rpc was told */
    const struct replica_member *members; /* borrowed; set like rpc */
    uint32_t members_count;
    int64_t founding_said_ns; /* since when, or when last, members were awaited; 0: none are */
};

void driver_init(struct driver *d, struct replica *replica);
void driver_release(struct driver *d);

/* Gives one event to the replica, with the time of now, and executes what comes
 * of it. Fits rpc_take_event and worker_take_event; the context is the driver. */
void driver_take_event(void *driver, struct replica_event *event);
/* Fits rpc_take_note. */
void driver_take_note(void *driver, enum rpc_note note, uint32_t peer, const char *text);

/* The first event of all: the time. To be called once, before the first round. */
void driver_begin(struct driver *d);

/* One round: waits for input until until_ns at most, serves it, then the
 * replica's deadline if it has come. */
void driver_round(struct driver *d, int64_t until_ns);

#endif
