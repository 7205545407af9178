/* timer.c - the thread that keeps the time of all sessions of a client: deadlines,
 * KeepAlives, jeopardy.
 *
 * A timerfd on CLOCK_BOOTTIME and not a timed wait: after a suspend it fires at
 * once, and sessions learn without delay that they may be dead. A session's entry
 * moves to an earlier time only: that is one comparison at each step, and a
 * thread woken too early asks the session again. */
#define _GNU_SOURCE
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

int64_t now_ns(void)
{
    struct timespec t;
    CHECK(clock_gettime(CLOCK_BOOTTIME, &t) == 0);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int by_time(const void *key, const struct avl_node *node)
{
    const struct coord_session *a = key;
    const struct coord_session *b = container_of(node, struct coord_session, by_time);
    if (a->timer_ns != b->timer_ns)
        return a->timer_ns < b->timer_ns ? -1 : 1;
    /* Any order does, among those of one nanosecond. */
    return (uintptr_t)a < (uintptr_t)b ? -1 : (uintptr_t)a > (uintptr_t)b;
}

static struct coord_session *first_of(const struct timers *t)
{
    return container_of_or_null(avl_first(&t->by_time), struct coord_session, by_time);
}

static void arm(struct timers *t, int64_t at_ns)
{
    at_ns = ns_max(at_ns, 1); /* 0 would disarm it */
    struct itimerspec when = {
        .it_value = {.tv_sec = at_ns / NS_PER_S, .tv_nsec = at_ns % NS_PER_S},
    };
    CHECK(timerfd_settime(t->fd, TFD_TIMER_ABSTIME, &when, NULL) == 0);
}

static void take_out(struct timers *t, struct coord_session *s)
{
    avl_remove(&t->by_time, &s->by_time);
    s->timed = false;
}

void timers_set(struct timers *t, struct coord_session *s, int64_t at_ns)
{
    pthread_mutex_lock(&t->mutex);
    if (at_ns != NEVER_NS && (!s->timed || at_ns < s->timer_ns)) {
        if (s->timed)
            take_out(t, s);
        s->timer_ns = at_ns;
        s->timed = true;
        avl_insert(&t->by_time, &s->by_time, s, by_time);
        if (first_of(t) == s)
            arm(t, at_ns);
    }
    pthread_mutex_unlock(&t->mutex);
}

void timers_remove(struct timers *t, struct coord_session *s)
{
    pthread_mutex_lock(&t->mutex);
    if (s->timed)
        take_out(t, s);
    pthread_mutex_unlock(&t->mutex);
}

/* With a reference; NULL if none is due, and then the timer is armed. */
static struct coord_session *take_due(struct timers *t)
{
    pthread_mutex_lock(&t->mutex);
    struct coord_session *s = first_of(t);
    if (s != NULL && s->timer_ns <= now_ns()) {
        take_out(t, s);
        session_ref(s);
    } else {
        if (s != NULL)
            arm(t, s->timer_ns);
        s = NULL;
    }
    pthread_mutex_unlock(&t->mutex);
    return s;
}

static bool stopped(struct timers *t)
{
    pthread_mutex_lock(&t->mutex);
    bool stop = t->stop;
    pthread_mutex_unlock(&t->mutex);
    return stop;
}

static void *run(void *argument)
{
    struct timers *t = argument;
    while (!stopped(t)) {
        struct coord_session *s = take_due(t);
        if (s == NULL) {
            uint64_t expirations;
            (void)!read(t->fd, &expirations, sizeof expirations);
            continue;
        }
        pthread_mutex_lock(&s->mutex);
        session_time(s);
        pthread_mutex_unlock(&s->mutex);
        session_unref(s);
    }
    return NULL;
}

void timers_start(struct timers *t)
{
    CHECK(pthread_mutex_init(&t->mutex, NULL) == 0);
    t->by_time = (struct avl)AVL_INIT;
    t->stop = false;
    t->fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);
    CHECK(t->fd >= 0);
    CHECK(pthread_create(&t->thread, NULL, run, t) == 0);
}

void timers_stop(struct timers *t)
{
    pthread_mutex_lock(&t->mutex);
    t->stop = true;
    arm(t, 1);
    pthread_mutex_unlock(&t->mutex);
    pthread_join(t->thread, NULL);
    (void)close(t->fd);
    pthread_mutex_destroy(&t->mutex);
}
