/* journal.h - the log thread: it owns the store and everything that waits for
 * the disk.
 *
 *   network thread                          log thread
 *   journal_persist: one step's effects --> all that has gathered becomes one
 *                                           transaction, synced once
 *   journal_take: highest sequence      <-- then the report, a wake-up, and only
 *                                           then the store's own upkeep
 *
 * - Steps become durable in order, each whole: effects of one step enter the
 *   queue together, and the queue is taken whole.
 * - When the disk is full nothing more is written until the network thread has
 *   taken the report; what was queued by then is dropped with it, since the
 *   replica is told that nothing of it will become durable.
 * - The queue is as long as the replica's own windows let it become. */
#ifndef COORD_MAIN_JOURNAL_H
#define COORD_MAIN_JOURNAL_H

#include "coordd/main/worker.h"
#include "coordd/storage/store.h"

struct journal;

struct reserve;

struct journal_options {
    struct store *store;     /* borrowed until journal_free */
    struct reserve *reserve; /* the store's; NULL: none */
    /* From the log thread: there is something to take. */
    void (*wake)(void *context);
    /* From the log thread, the last it does: STORE_FAILED or STORE_CORRUPT. What
     * is durable is not known any more. */
    void (*fail)(void *context, enum store_result result);
    void *context;
};

/* NULL if the system gives no thread. */
struct journal *journal_new(const struct journal_options *options);
/* Finishes what was queued, then ends the thread. Accepts NULL. */
void journal_free(struct journal *j);

/* Queues the persist effects of one step; other kinds are skipped. */
void journal_persist(struct journal *j, const struct effects *step);
/* Queues an EFFECT_READ_LOG. It sees all that was queued before it. */
void journal_read(struct journal *j, const struct effect *read);

/* The checkpoint thread has taken of the reserve, or needs it no more. Any thread. */
void journal_look(struct journal *j);

/* Hands over each report: PERSISTED, SPACE, PERSIST_FULL or LOG_READ. */
void journal_take(struct journal *j, worker_take_event *take, void *context);

#endif
