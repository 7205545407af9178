/* locks.c - the recipe for locks and elections: each makes a node that ends with its
 * session and has the next number; the lowest has the lock, and each of the others
 * watches the one before its own. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/peers/zookeeper/load.h"

static void on_event(zhandle_t *handle, int type, int state, const char *path, void *context)
{
    (void)handle;
    (void)state;
    (void)path;
    if (type != ZOO_SESSION_EVENT)
        tally_add(context);
}

/* The greatest name below this one; false if there is none. */
static bool name_before(zhandle_t *handle, const char *lock, const char *name,
                        char before[PATH_BYTES])
{
    struct String_vector all = {0, NULL};
    const char *found = NULL;
    must(zoo_get_children(handle, lock, 0, &all), "who is in line");
    for (int32_t i = 0; i < all.count; i++)
        if (strcmp(all.data[i], name) < 0 && (found == NULL || strcmp(all.data[i], found) > 0))
            found = all.data[i];
    if (found != NULL)
        (void)snprintf(before, PATH_BYTES, "%s/%s", lock, found);
    deallocate_String_vector(&all);
    return found != NULL;
}

/* Puts the path of its node into `mine`: to delete it is to release the lock. */
static void acquire(zhandle_t *handle, const char *lock, char mine[PATH_BYTES])
{
    enum { FOR_EVER_MS = 600000 };
    char prefix[PATH_BYTES], before[PATH_BYTES];
    struct tally told = TALLY_INIT;
    (void)snprintf(prefix, sizeof prefix, "%s/", lock);
    must(zoo_create(handle, prefix, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL | ZOO_SEQUENCE, mine,
                    PATH_BYTES),
         "get in line");
    while (name_before(handle, lock, strrchr(mine, '/') + 1, before)) {
        int length = 0;
        tally_reset(&told);
        int code = zoo_wget(handle, before, on_event, &told, NULL, &length, NULL);
        if (code == ZNONODE)
            continue; /* it is gone meanwhile, and no watch is left */
        must(code, "watch");
        tally_wait(&told, 1, FOR_EVER_MS);
    }
}

static void release(zhandle_t *handle, const char *mine)
{
    must(zoo_delete(handle, mine, -1), "release");
}

void lock_cycle(void)
{
    struct samples all = {.us = NULL};
    uint32_t count = CYCLES_UNCOUNTED + count_or(CYCLES_COUNT);
    char mine[PATH_BYTES];
    conns_open(0, 1);
    node_make(conns[0].handle, "/bench/lock-cycle");
    for (uint32_t i = 0; i < count; i++) {
        if (i == CYCLES_UNCOUNTED)
            meter_start();
        uint64_t began = clock_ns();
        acquire(conns[0].handle, "/bench/lock-cycle", mine);
        release(conns[0].handle, mine);
        if (i >= CYCLES_UNCOUNTED)
            samples_add(&all, clock_ns() - began);
    }
    meter_stop(all.count, true);
    report_shape(1, 1);
    report_latencies("", &all);
    samples_release(&all);
    conns_close(1);
}

/* Runs a thread for each of the first connections. */
static void in_threads(void *(*run)(void *), uint32_t count)
{
    pthread_t threads[CONTENDERS];
    for (uint32_t i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, run, &conns[i]) != 0)
            die("no thread");
    for (uint32_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

/* ---- one lock that all want ---- */

static struct {
    uint64_t until_ns;
    atomic_int holders;
} contest;

static void *contend(void *argument)
{
    struct conn *c = argument;
    char mine[PATH_BYTES];
    for (uint64_t began = clock_ns(); began <= contest.until_ns; began = clock_ns()) {
        acquire(c->handle, "/bench/lock-contended", mine);
        samples_add(&c->latencies, clock_ns() - began);
        if (atomic_fetch_add(&contest.holders, 1) != 0)
            die("two holders at once");
        atomic_fetch_sub(&contest.holders, 1);
        release(c->handle, mine);
    }
    return NULL;
}

void lock_contended(void)
{
    struct samples all = {.us = NULL};
    conns_open(0, CONTENDERS);
    node_make(conns[0].handle, "/bench/lock-contended");
    meter_start();
    contest.until_ns = clock_ns() + (uint64_t)(options.seconds * NS_PER_S);
    in_threads(contend, CONTENDERS);
    for (uint32_t i = 0; i < CONTENDERS; i++)
        samples_move(&all, &conns[i].latencies);
    meter_stop(all.count, true);
    report_shape(CONTENDERS, CONTENDERS);
    report_latencies("", &all);
    samples_release(&all);
    conns_close(CONTENDERS);
}

/* ---- elections ---- */

static struct {
    pthread_mutex_t mutex;
    uint64_t left_ns; /* when the last leader decided to go */
    bool closes;
    struct samples all;
} turns = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* False if there were enough of them. */
static bool won(uint64_t now)
{
    uint32_t count = count_or(TRANSFERS_COUNT);
    pthread_mutex_lock(&turns.mutex);
    if (turns.left_ns != 0 && turns.all.count < count)
        samples_add(&turns.all, now - turns.left_ns);
    bool going = turns.all.count < count;
    pthread_mutex_unlock(&turns.mutex);
    return going;
}

static void *stand(void *argument)
{
    struct conn *c = argument;
    for (bool going = true; going;) {
        char mine[PATH_BYTES];
        acquire(c->handle, "/bench/election", mine);
        going = won(clock_ns());
        if (going)
            sleep_ms(LEAD_MS);
        pthread_mutex_lock(&turns.mutex);
        turns.left_ns = clock_ns();
        pthread_mutex_unlock(&turns.mutex);
        if (turns.closes)
            conn_again(c);
        else
            release(c->handle, mine);
    }
    return NULL;
}

void elect(bool closes)
{
    conns_open(0, CANDIDATES);
    node_make(conns[0].handle, "/bench/election");
    turns.closes = closes;
    meter_start();
    in_threads(stand, CANDIDATES);
    meter_stop(turns.all.count, false);
    report_shape(CANDIDATES, CANDIDATES);
    report_latencies("", &turns.all);
    samples_release(&turns.all);
    conns_close(CANDIDATES);
}
