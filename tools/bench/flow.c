/* flow.c - writes and reads: one after the other, and many under way.
 *
 * A slot has one call under way: its callback begins the next, until the time is
 * up. The clock stops when the last slot has its answer. */
#define _GNU_SOURCE
#include <stdlib.h>

#include "tools/bench/bench.h"

enum kind { WRITE, READ };

struct slot {
    struct conn *conn;
    uint64_t began_ns;
    unsigned random;
};

static struct {
    enum kind kind;
    uint64_t until_ns;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint32_t slots_left;
} flow = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void begin(struct slot *slot);

static void on_done(void *context, const coord_result *result)
{
    struct slot *slot = context;
    if (result->error != COORD_OK)
        die("%s: %s: %s", flow.kind == WRITE ? "write" : "read", coord_error_name(result->error),
            result->detail);
    if (flow.kind == READ && result->length != VALUE_BYTES)
        die("read %zu bytes", result->length);
    /* All callbacks of a connection run in one thread. */
    samples_add(&slot->conn->latencies, clock_ns() - slot->began_ns);
    begin(slot);
}

static void slot_over(void)
{
    pthread_mutex_lock(&flow.mutex);
    if (--flow.slots_left == 0)
        pthread_cond_signal(&flow.changed);
    pthread_mutex_unlock(&flow.mutex);
}

static void begin(struct slot *slot)
{
    coord_session *s = slot->conn->session;
    char path[32];
    coord_error e;
    slot->began_ns = clock_ns();
    if (slot->began_ns > flow.until_ns) {
        slot_over();
        return;
    }
    key_path((uint32_t)rand_r(&slot->random) % KEYS, path);
    if (flow.kind == WRITE)
        e = coord_set_async(s, path, value, sizeof value, NULL, CALL_MS, on_done, slot);
    else
        e = coord_get_async(s, path, CALL_MS, on_done, slot);
    check(e, path);
}

static void drive(enum kind kind, uint32_t clients, uint32_t count, double seconds)
{
    struct slot *slots = allocate(count, sizeof *slots);
    flow.kind = kind;
    flow.slots_left = count;
    flow.until_ns = clock_ns() + (uint64_t)(seconds * NS_PER_S);
    for (uint32_t i = 0; i < count; i++) {
        slots[i].conn = &conns[i % clients];
        slots[i].random = i + 1;
        begin(&slots[i]);
    }
    pthread_mutex_lock(&flow.mutex);
    while (flow.slots_left > 0)
        pthread_cond_wait(&flow.changed, &flow.mutex);
    pthread_mutex_unlock(&flow.mutex);
    free(slots);
}

static void many(enum kind kind, uint32_t clients, uint32_t inflight)
{
    struct samples all = {.us = NULL};
    keys_make();
    conns_open(clients);
    meter_start();
    drive(kind, clients, inflight, options.seconds);
    for (uint32_t i = 0; i < clients; i++)
        samples_move(&all, &conns[i].latencies);
    meter_stop(all.count, true);
    report_shape(clients, inflight);
    report_latencies("", &all);
    samples_release(&all);
    conns_close(clients);
}

void warm_up(double seconds)
{
    if (seconds <= 0)
        return;
    keys_make();
    conns_open(10);
    drive(WRITE, 10, 1000, seconds * 4 / 7);
    drive(READ, 10, 1000, seconds * 3 / 7);
    conns_close(10);
}

static void once(enum kind kind, coord_session *s, const char *path)
{
    void *content = NULL;
    size_t length;
    if (kind == WRITE) {
        check(coord_set(s, path, value, sizeof value, NULL, CALL_MS, NULL), path);
    } else {
        check(coord_get(s, path, CALL_MS, &content, &length, NULL), path);
        coord_free(content);
    }
}

static void one_by_one(enum kind kind)
{
    struct samples all = {.us = NULL};
    uint32_t count = count_or(LATENCY_COUNT);
    char path[32];
    keys_make();
    key_path(0, path);
    conns_open(1);
    for (uint32_t i = 0; i < LATENCY_UNCOUNTED; i++)
        once(kind, conns[0].session, path);
    meter_start();
    for (uint32_t i = 0; i < count; i++) {
        uint64_t began = clock_ns();
        once(kind, conns[0].session, path);
        samples_add(&all, clock_ns() - began);
    }
    meter_stop(all.count, true);
    report_shape(1, 1);
    report_latencies("", &all);
    samples_release(&all);
    conns_close(1);
}

void write_latency(void)
{
    one_by_one(WRITE);
}

void read_latency(void)
{
    one_by_one(READ);
}

void write_throughput_1000(void)
{
    many(WRITE, 10, 1000);
}

void write_throughput_100x1(void)
{
    many(WRITE, 100, 100);
}

/* As told; as many as the connections, at least. */
static void many_as_told(enum kind kind)
{
    many(kind, options.clients, options.inflight);
}

void write_throughput(void)
{
    many_as_told(WRITE);
}

void read_throughput(void)
{
    many_as_told(READ);
}

void read_throughput_1000(void)
{
    many(READ, 10, 1000);
}

void read_throughput_100x1(void)
{
    many(READ, 100, 100);
}
