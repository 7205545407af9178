/* waiting.c - watches of one node, and those who do nothing. */
#define _GNU_SOURCE
#include "tests/bench/peers/zookeeper/load.h"

enum { TOLD_MS = 10000, SETTLE_MS = 5000 };

static struct tally armed = TALLY_INIT, told = TALLY_INIT;

static void on_armed(int code, const char *data, int length, const struct Stat *stat,
                     const void *context)
{
    (void)data;
    (void)length;
    (void)stat;
    (void)context;
    must(code, "watch");
    tally_add(&armed);
}

static void on_change(zhandle_t *handle, int type, int state, const char *path, void *context)
{
    (void)handle;
    (void)state;
    (void)path;
    (void)context;
    if (type == ZOO_CHANGED_EVENT)
        tally_add(&told);
}

/* A watch is good for one event: all are set anew before each write. The library calls
 * a function once for each context, so these differ. */
static void arm(uint32_t clients)
{
    static char contexts[WATCHES];
    tally_reset(&armed);
    tally_reset(&told);
    for (uint32_t i = 0; i < WATCHES; i++)
        must(zoo_awget(conns[i % clients].handle, "/bench/watched", on_change, &contexts[i],
                       on_armed, NULL),
             "watch");
    tally_wait(&armed, WATCHES, TOLD_MS);
}

void fan_out(uint32_t clients)
{
    struct samples issued = {.us = NULL}, acknowledged = {.us = NULL};
    uint32_t writes = count_or(FANOUT_WRITES_COUNT);
    conns_open(0, clients);
    conns_open(clients, 1);
    zhandle_t *writer = conns[clients].handle;
    node_make(writer, "/bench/watched");
    meter_start();
    for (uint32_t i = 0; i < writes; i++) {
        arm(clients);
        sleep_ms(FANOUT_PAUSE_MS);
        uint64_t began = clock_ns();
        must(zoo_set(writer, "/bench/watched", value, VALUE_BYTES, -1), "write");
        uint64_t answered = clock_ns();
        tally_wait(&told, WATCHES, TOLD_MS);
        samples_add(&issued, told.last_ns - began);
        samples_add(&acknowledged, told.last_ns > answered ? told.last_ns - answered : 0);
    }
    meter_stop(writes, false);
    report_shape(clients, 1);
    report("\"watchers\":%u,", (unsigned)WATCHES);
    report_latencies("", &issued);
    report_latencies("from_ack_", &acknowledged);
    samples_release(&issued);
    samples_release(&acknowledged);
    conns_close(clients + 1);
}

/* ---- nothing is done ---- */

static void stay(uint32_t sessions)
{
    double before_s = servers_cpu_s();
    meter_start();
    sleep_ms((uint32_t)(options.seconds * 1000));
    double used_s = servers_cpu_s() - before_s;
    meter_stop(sessions, false);
    report("\"server_cpu_pct\":%.1f,", 100 * used_s / options.seconds);
}

void servers_alone(void)
{
    stay(0);
    report_shape(0, 0);
}

void idle_sessions(void)
{
    uint32_t count = count_or(SESSIONS_COUNT);
    uint64_t before_kib = servers_rss_kib(), began = clock_ns();
    if (count >= CONNS_MAX)
        die("--count: below %u", (unsigned)CONNS_MAX);
    conns_open(0, count);
    report("\"setup_seconds\":%.3f,", (double)(clock_ns() - began) / NS_PER_S);
    sleep_ms(SETTLE_MS);
    uint64_t after_kib = servers_rss_kib();
    stay(count);
    report_shape(count, 0);
    report("\"sessions\":%u,\"servers_bytes_per_session\":%.0f,", count,
           ((double)after_kib - (double)before_kib) * 1024 / count);
    for (uint32_t i = 0; i < count; i++)
        if (zoo_state(conns[i].handle) != ZOO_CONNECTED_STATE)
            die("session %u did not live through it", i);
    conns_close(count);
}
