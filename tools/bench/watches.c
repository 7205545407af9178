/* watches.c - one node, and a thousand watches of it that are told of each write. */
#define _GNU_SOURCE
#include <stdatomic.h>

#include "tools/bench/bench.h"

enum {
    SESSION_WRITES_COUNT = 200,
};

static struct {
    atomic_uint told;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t last_ns; /* when the last of all was told; 0: not yet */
} fanout = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void on_event(void *context, const coord_event *event)
{
    (void)context;
    if (event->kind != COORD_EVENT_CONTENT || atomic_fetch_add(&fanout.told, 1) + 1 != WATCHES)
        return;
    pthread_mutex_lock(&fanout.mutex);
    fanout.last_ns = clock_ns();
    pthread_cond_signal(&fanout.changed);
    pthread_mutex_unlock(&fanout.mutex);
}

static uint64_t wait_for_the_last(uint64_t began_ns)
{
    struct timespec until;
    uint64_t at;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CALL_MS / 1000;
    pthread_mutex_lock(&fanout.mutex);
    while (fanout.last_ns == 0)
        if (pthread_cond_timedwait(&fanout.changed, &fanout.mutex, &until) != 0)
            die("%u of %u watches were told", atomic_load(&fanout.told), (unsigned)WATCHES);
    at = fanout.last_ns;
    fanout.last_ns = 0;
    pthread_mutex_unlock(&fanout.mutex);
    atomic_store(&fanout.told, 0);
    return at - began_ns;
}

/* The connections have the same number of watches each; one more writes. */
static void fan_out(uint32_t clients, uint32_t writes, uint32_t pause_ms)
{
    static coord_watch *watches[WATCHES];
    struct samples issued = {.us = NULL}, acknowledged = {.us = NULL};
    conns_open(clients + 1);
    coord_node *node = node_open(conns[clients].session, "/bench/watched");
    struct memory before = memory_now();
    for (uint32_t i = 0; i < WATCHES; i++)
        check(coord_watch_open(conns[i % clients].session, "/bench/watched", COORD_WATCH_CONTENT,
                               on_event, NULL, CALL_MS, NULL, &watches[i]),
              "watch");
    report_memory("watch", &before, WATCHES);
    meter_start();
    for (uint32_t i = 0; i < writes; i++) {
        uint64_t began = clock_ns();
        check(coord_node_set(node, value, sizeof value, NULL, CALL_MS, NULL), "write");
        uint64_t answered = clock_ns() - began, told = wait_for_the_last(began);
        samples_add(&issued, told);
        samples_add(&acknowledged, told > answered ? told - answered : 0);
        if (pause_ms > 0)
            sleep_ms(pause_ms);
    }
    meter_stop(writes, false);
    report_shape(clients, 1);
    report("\"watchers\":%u,", (unsigned)WATCHES);
    report_latencies("", &issued);
    report_latencies("from_ack_", &acknowledged);
    samples_release(&issued);
    samples_release(&acknowledged);
    for (uint32_t i = 0; i < WATCHES; i++)
        coord_watch_close(watches[i]);
    coord_node_close(node);
    conns_close(clients + 1);
}

void watch_fanout(void)
{
    fan_out(100, count_or(FANOUT_WRITES_COUNT), FANOUT_PAUSE_MS);
}

void watch_fanout_1000conns(void)
{
    fan_out(WATCHES, count_or(FANOUT_WRITES_COUNT), FANOUT_PAUSE_MS);
}

void watch_session(void)
{
    fan_out(1, count_or(SESSION_WRITES_COUNT), 0);
}
