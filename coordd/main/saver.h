/* saver.h - the checkpoint thread: it owns the checkpoint and its readers.
 *
 *   network thread                        checkpoint thread
 *   saver_write: BEGIN, PUT, COMMIT   --> one after the other, as they came
 *   saver_read: a piece for a peer    --> before the next of them: a transfer does
 *                                         not wait until a checkpoint is written
 *   saver_take: what came of it       <-- the report, a wake-up, and only then the
 *                                         checkpoint's own upkeep
 *
 * - When the disk is full nothing of the checkpoint under way is kept, and nothing
 *   is written until the network thread has taken the report; what was queued by
 *   then is dropped with it, since the replica is told so.
 * - What is not committed when the saver is freed is dropped.
 * - It runs with a lower priority than the threads that clients wait for. */
#ifndef COORD_MAIN_SAVER_H
#define COORD_MAIN_SAVER_H

#include "coordd/main/worker.h"
#include "coordd/storage/checkpoint.h"

struct saver;

struct saver_options {
    struct checkpoint *checkpoint; /* borrowed until saver_free */
    /* From the checkpoint thread: there is something to take. */
    void (*wake)(void *context);
    /* From the checkpoint thread, the last it does: STORE_FAILED or STORE_CORRUPT. */
    void (*fail)(void *context, enum store_result result);
    /* From the checkpoint thread: it has taken of what is kept back for a full disk, or
     * does not need it any more. NULL: of no interest. */
    void (*look)(void *context);
    void *context;
};

/* NULL if the system gives no thread. */
struct saver *saver_new(const struct saver_options *options);
void saver_free(struct saver *s); /* accepts NULL */

/* Queues an EFFECT_CHECKPOINT_BEGIN, _PUT, _COMMIT or _ABORT. */
void saver_write(struct saver *s, const struct effect *e);
/* Queues an EFFECT_READ_CHECKPOINT. */
void saver_read(struct saver *s, const struct effect *e);

/* Hands over each report: CHECKPOINT_TAKEN for every PUT that was written,
 * CHECKPOINTED, CHECKPOINT_LOST and CHECKPOINT_READ. */
void saver_take(struct saver *s, worker_take_event *take, void *context);

#endif
