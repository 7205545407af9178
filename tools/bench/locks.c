/* locks.c - a lock alone, and a lock that fifty want. */
#define _GNU_SOURCE
#include <stdatomic.h>

#include "tools/bench/bench.h"

void lock_cycle(void)
{
    struct samples all = {.us = NULL};
    uint32_t count = count_or(CYCLES_COUNT);
    conns_open(1);
    coord_node *node = node_open(conns[0].session, "/bench/lock-cycle");
    for (uint32_t i = 0; i < CYCLES_UNCOUNTED + count; i++) {
        coord_lock *lock = NULL;
        if (i == CYCLES_UNCOUNTED)
            meter_start();
        uint64_t began = clock_ns();
        check(coord_lock_acquire(node, CALL_MS, &lock), "acquire");
        check(coord_unlock(lock, CALL_MS), "release");
        if (i >= CYCLES_UNCOUNTED)
            samples_add(&all, clock_ns() - began);
    }
    meter_stop(all.count, true);
    report_shape(1, 1);
    report_latencies("", &all);
    samples_release(&all);
    coord_node_close(node);
    conns_close(1);
}

static struct {
    uint64_t until_ns;
    atomic_int holders;
} contest;

static void *contend(void *argument)
{
    struct conn *c = argument;
    coord_node *node = node_open(c->session, "/bench/lock-contended");
    while (true) {
        coord_lock *lock = NULL;
        uint64_t began = clock_ns();
        if (began > contest.until_ns)
            break;
        check(coord_lock_acquire(node, CALL_MS, &lock), "acquire");
        samples_add(&c->latencies, clock_ns() - began);
        if (atomic_fetch_add(&contest.holders, 1) != 0)
            die("two holders at once");
        atomic_fetch_sub(&contest.holders, 1);
        check(coord_unlock(lock, CALL_MS), "release");
    }
    coord_node_close(node);
    return NULL;
}

void lock_contended(void)
{
    pthread_t threads[CONTENDERS];
    struct samples all = {.us = NULL};
    conns_open(CONTENDERS);
    coord_node_close(node_open(conns[0].session, "/bench/lock-contended"));
    meter_start();
    contest.until_ns = clock_ns() + (uint64_t)(options.seconds * NS_PER_S);
    for (uint32_t i = 0; i < CONTENDERS; i++)
        if (pthread_create(&threads[i], NULL, contend, &conns[i]) != 0)
            die("no thread");
    for (uint32_t i = 0; i < CONTENDERS; i++) {
        pthread_join(threads[i], NULL);
        samples_move(&all, &conns[i].latencies);
    }
    meter_stop(all.count, true);
    report_shape(CONTENDERS, CONTENDERS);
    report_latencies("", &all);
    samples_release(&all);
    conns_close(CONTENDERS);
}
