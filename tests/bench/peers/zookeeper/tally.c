/* tally.c - see load.h. */
#define _GNU_SOURCE
#include <time.h>

#include "tests/bench/peers/zookeeper/load.h"

void tally_reset(struct tally *t)
{
    pthread_mutex_lock(&t->mutex);
    t->count = 0;
    pthread_mutex_unlock(&t->mutex);
}

void tally_add(struct tally *t)
{
    pthread_mutex_lock(&t->mutex);
    t->count++;
    t->last_ns = clock_ns();
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->mutex);
}

void tally_wait(struct tally *t, uint32_t count, uint64_t limit_ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(limit_ms / 1000 + 1);
    pthread_mutex_lock(&t->mutex);
    while (t->count < count)
        if (pthread_cond_timedwait(&t->changed, &t->mutex, &until) != 0)
            die("%u of %u after %llu ms", t->count, count, (unsigned long long)limit_ms);
    pthread_mutex_unlock(&t->mutex);
}
