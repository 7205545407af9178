/* flow.c - writes and reads, one by one and many under way; and new nodes.
 *
 * The read that others have, which sees what was written before it, is here a sync
 * and a get behind it on the same connection, the two of them sent at once. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/peers/zookeeper/load.h"

struct slot {
    struct conn *conn;
    uint64_t began_ns;
    unsigned random;
};

static struct {
    enum operation what;
    uint64_t until_ns;
    uint32_t nodes_count; /* to make */
    atomic_uint nodes_begun;
    struct tally over; /* slots */
} flow = {.over = TALLY_INIT};

static void begin(struct slot *slot);

/* All callbacks of a connection run in one thread. */
static void done(int code, const void *context)
{
    struct slot *slot = (struct slot *)(uintptr_t)context;
    must(code, "call");
    samples_add(&slot->conn->latencies, clock_ns() - slot->began_ns);
    begin(slot);
}

static void on_written(int code, const struct Stat *stat, const void *context)
{
    (void)stat;
    done(code, context);
}

static void on_made(int code, const char *path, const void *context)
{
    (void)path;
    done(code, context);
}

static void on_synced(int code, const char *path, const void *context)
{
    (void)path;
    (void)context;
    must(code, "sync");
}

static void on_read(int code, const char *data, int length, const struct Stat *stat,
                    const void *context)
{
    (void)data;
    (void)stat;
    must(code, "read");
    if (length != VALUE_BYTES)
        die("read %d bytes", length);
    done(code, context);
}

/* False if there is nothing more to do. */
static bool next_path(struct slot *slot, char path[64])
{
    if (flow.what == MAKE) {
        unsigned number = atomic_fetch_add(&flow.nodes_begun, 1);
        (void)snprintf(path, 64, "/bench/nodes/%u", number);
        return number < flow.nodes_count;
    }
    key_path((uint32_t)rand_r(&slot->random) % KEYS, path);
    return slot->began_ns <= flow.until_ns;
}

static void begin(struct slot *slot)
{
    zhandle_t *handle = slot->conn->handle;
    char path[64];
    int code = ZOK;
    slot->began_ns = clock_ns();
    if (!next_path(slot, path)) {
        tally_add(&flow.over);
        return;
    }
    if (flow.what == WRITE)
        code = zoo_aset(handle, path, value, VALUE_BYTES, -1, on_written, slot);
    if (flow.what == MAKE)
        code =
            zoo_acreate(handle, path, value, VALUE_BYTES, &ZOO_OPEN_ACL_UNSAFE, 0, on_made, slot);
    if (flow.what == READ)
        code = zoo_async(handle, path, on_synced, NULL);
    must(code, path);
    if (flow.what == READ || flow.what == READ_STALE)
        must(zoo_aget(handle, path, 0, on_read, slot), path);
}

static void drive(enum operation what, uint32_t clients, uint32_t inflight, double seconds,
                  uint64_t limit_ms)
{
    struct slot *slots = allocate(inflight, sizeof *slots);
    flow.what = what;
    tally_reset(&flow.over);
    flow.until_ns = clock_ns() + (uint64_t)(seconds * NS_PER_S);
    for (uint32_t i = 0; i < inflight; i++) {
        slots[i] = (struct slot){.conn = &conns[i % clients], .random = i + 1};
        begin(&slots[i]);
    }
    tally_wait(&flow.over, inflight, (uint64_t)(seconds * 1000) + limit_ms);
    free(slots);
}

static void collect(struct samples *all, uint32_t clients)
{
    for (uint32_t i = 0; i < clients; i++)
        samples_move(all, &conns[i].latencies);
}

void many(enum operation what, uint32_t clients, uint32_t inflight)
{
    struct samples all = {.us = NULL};
    keys_make();
    conns_open(0, clients);
    meter_start();
    drive(what, clients, inflight, options.seconds, PATIENCE_MS);
    collect(&all, clients);
    meter_stop(all.count, true);
    report_shape(clients, inflight);
    report_latencies("", &all);
    samples_release(&all);
    conns_close(clients);
}

void warm_up(void)
{
    keys_make();
    conns_open(0, 10);
    drive(WRITE, 10, 1000, options.warmup_s * 4 / 7, PATIENCE_MS);
    drive(READ, 10, 1000, options.warmup_s * 3 / 7, PATIENCE_MS);
    conns_close(10);
}

void make_nodes(uint32_t count)
{
    enum { INFLIGHT = MAKERS * MADE_AT_ONCE, MAKING_MS = 600000 };
    struct samples all = {.us = NULL};
    conns_open(0, MAKERS);
    node_make(conns[0].handle, "/bench/nodes");
    uint64_t before_kib = servers_rss_kib();
    flow.nodes_count = count;
    meter_start();
    drive(MAKE, MAKERS, INFLIGHT, 0, MAKING_MS);
    collect(&all, MAKERS);
    sleep_ms(REST_MS);
    meter_stop(all.count, false);
    report_shape(MAKERS, INFLIGHT);
    report("\"nodes\":%u,\"servers_bytes_per_node\":%.0f,", count,
           ((double)servers_rss_kib() - (double)before_kib) * 1024 / count);
    samples_release(&all);
    conns_close(MAKERS);
}

/* ---- one by one ---- */

static void on_one(int code, const char *data, int length, const struct Stat *stat,
                   const void *context)
{
    (void)data;
    (void)length;
    (void)stat;
    must(code, "read");
    tally_add((struct tally *)(uintptr_t)context);
}

static void once(enum operation what, zhandle_t *handle, const char *path)
{
    static struct tally answers = TALLY_INIT;
    char found[VALUE_BYTES];
    int length = sizeof found;
    switch (what) {
    case WRITE:
        must(zoo_set(handle, path, value, VALUE_BYTES, -1), path);
        break;
    case READ_STALE:
        must(zoo_get(handle, path, 0, found, &length, NULL), path);
        break;
    default: /* there is no sync that blocks */
        tally_reset(&answers);
        must(zoo_async(handle, path, on_synced, NULL), path);
        must(zoo_aget(handle, path, 0, on_one, &answers), path);
        tally_wait(&answers, 1, PATIENCE_MS);
    }
}

void one_by_one(enum operation what)
{
    struct samples all = {.us = NULL};
    char path[32];
    keys_make();
    key_path(0, path);
    conns_open(0, 1);
    for (uint32_t i = 0; i < LATENCY_UNCOUNTED; i++)
        once(what, conns[0].handle, path);
    meter_start();
    for (uint32_t i = 0; i < count_or(LATENCY_COUNT); i++) {
        uint64_t began = clock_ns();
        once(what, conns[0].handle, path);
        samples_add(&all, clock_ns() - began);
    }
    meter_stop(all.count, true);
    report_shape(1, 1);
    report_latencies("", &all);
    samples_release(&all);
    conns_close(1);
}
