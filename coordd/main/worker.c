/* worker.c - see worker.h. */
#define _GNU_SOURCE
#include "coordd/main/worker.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "libcoord/base/check.h"
#include "libcoord/base/units.h"

bool worker_start(struct worker *w, const char *name, void *(*run)(void *), void *context)
{
    w->idle = w->stopping = false;
    CHECK(pthread_mutex_init(&w->mutex, NULL) == 0);
    CHECK(sem_init(&w->work, 0, 0) == 0);

    /* Signals are for the other thread. */
    sigset_t all, before;
    (void)sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int failure = pthread_create(&w->thread, NULL, run, context);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (failure != 0) {
        (void)pthread_mutex_destroy(&w->mutex);
        (void)sem_destroy(&w->work);
        return false;
    }
    (void)pthread_setname_np(w->thread, name);
    return true;
}

void worker_end(struct worker *w)
{
    worker_lock(w);
    w->stopping = true;
    worker_rouse(w);
    worker_unlock(w);
    CHECK(pthread_join(w->thread, NULL) == 0);
    (void)pthread_mutex_destroy(&w->mutex);
    (void)sem_destroy(&w->work);
}

void worker_lock(struct worker *w)
{
    CHECK(pthread_mutex_lock(&w->mutex) == 0);
}

void worker_unlock(struct worker *w)
{
    CHECK(pthread_mutex_unlock(&w->mutex) == 0);
}

/* A semaphore, not a condition: who rouses it does not make it wait for the mutex
 * at once. */
void worker_wait(struct worker *w)
{
    w->idle = true;
    worker_unlock(w);
    while (sem_wait(&w->work) != 0)
        CHECK(errno == EINTR);
    worker_lock(w);
}

bool worker_wait_ms(struct worker *w, int64_t most_ms)
{
    struct timespec until;
    bool roused = true;

    CHECK(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    until.tv_sec += most_ms / 1000;
    until.tv_nsec += most_ms % 1000 * NS_PER_MS;
    if (until.tv_nsec >= NS_PER_S) {
        until.tv_sec++;
        until.tv_nsec -= NS_PER_S;
    }
    w->idle = true;
    worker_unlock(w);
    while (roused && sem_clockwait(&w->work, CLOCK_MONOTONIC, &until) != 0) {
        CHECK(errno == EINTR || errno == ETIMEDOUT);
        roused = errno == EINTR;
    }
    worker_lock(w);
    if (!roused && !w->idle) { /* roused in between */
        while (sem_wait(&w->work) != 0)
            CHECK(errno == EINTR);
        roused = true;
    }
    w->idle = false;
    return roused;
}

void worker_rouse(struct worker *w)
{
    if (!w->idle)
        return;
    w->idle = false;
    CHECK(sem_post(&w->work) == 0);
}

void worker_move(struct effects *to, struct effects *from)
{
    if (to->count == 0) {
        struct effects empty = *to;
        *to = *from;
        *from = empty;
        return;
    }
    for (uint32_t i = 0; i < from->count; i++)
        *effects_add(to, from->list[i].kind) = from->list[i];
    from->count = 0;
}

void worker_keep(struct effects *to, const struct effect *e)
{
    *effects_add(to, e->kind) = *e;
    if (e->bytes != NULL)
        (void)blob_ref(e->bytes);
    if (e->entry.value != NULL)
        (void)blob_ref(e->entry.value);
}
