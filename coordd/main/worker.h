/* worker.h - a thread that the network thread gives effects to, and takes events
 * from: what the log thread (journal.h) and the checkpoint thread (saver.h) have
 * in common.
 *
 * - What the two threads share stands behind one mutex. The worker sleeps when it
 *   has nothing to do, and is roused by whoever queues something.
 * - A blob's references belong to the network thread: it takes them when it
 *   queues an effect and drops them when it takes the report. So effects go round
 *   (waiting, in work, done, taken) and never lose their references on the way. */
#ifndef COORD_MAIN_WORKER_H
#define COORD_MAIN_WORKER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

#include "coordd/replica/effects.h"

struct worker {
    pthread_t thread;
    sem_t work; /* posted when the thread waits and something came */
    pthread_mutex_t mutex;
    bool idle;     /* guarded: the thread waits on `work` */
    bool stopping; /* guarded */
};

/* Gets one report, as an event without time. It may queue. */
typedef void worker_take_event(void *context, struct replica_event *event);

/* False if the system gives no thread. `name` has at most 15 characters. */
bool worker_start(struct worker *w, const char *name, void *(*run)(void *), void *context);
/* Sets `stopping`, and returns once the thread has ended. */
void worker_end(struct worker *w);

void worker_lock(struct worker *w);
void worker_unlock(struct worker *w);
/* With the mutex held. The thread's: gives the mutex up while it sleeps. */
void worker_wait(struct worker *w);
/* The same, but not longer than so. False if that was all. */
bool worker_wait_ms(struct worker *w, int64_t most_ms);
void worker_rouse(struct worker *w);

/* Moves all of `from` behind `to`; references go along. */
void worker_move(struct effects *to, struct effects *from);
/* A copy of `e` at the end of `to`, with references of its own. */
void worker_keep(struct effects *to, const struct effect *e);

#endif
