/* idle.c - what it costs that somebody is there: servers alone, and sessions that do
 * nothing.
 *
 * Memory is the difference that they make, so the cell should have nothing else to
 * do, and be fresh: what was freed before is used again. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <unistd.h>

#include "tools/bench/bench.h"

enum {
    MANY_COUNT = 20000,
    SHARED_BY = 20,   /* sessions of a connection */
    SETTLE_MS = 5000, /* every session has been kept alive once, and more evenly */
};

/* ---- memory, before and now ---- */

struct memory memory_now(void)
{
    struct servers now;
    struct memory m = {.servers = servers_rss_kib(), .own = process_rss_kib((int)getpid())};
    if (!servers_look(&now))
        die("not all servers answer, or nobody leads");
    for (uint32_t i = 0; i < now.count; i++)
        if (now.list[i].id == now.leader)
            m.leader = process_rss_kib(now.list[i].pid);
    return m;
}

static double bytes_each(uint64_t before_kib, uint64_t now_kib, uint32_t count)
{
    return ((double)now_kib - (double)before_kib) * 1024 / count;
}

void report_memory(const char *of, const struct memory *before, uint32_t count)
{
    struct memory now = memory_now();
    report("\"leader_bytes_per_%s\":%.0f,\"servers_bytes_per_%s\":%.0f,", of,
           bytes_each(before->leader, now.leader, count), of,
           bytes_each(before->servers, now.servers, count));
    report("\"client_bytes_per_%s\":%.0f,", of, bytes_each(before->own, now.own, count));
}

/* ---- sessions ---- */

/* Processor time of the servers in a second, in microseconds. */
static double servers_us_per_s(double seconds)
{
    uint64_t began = clock_ns();
    double before = servers_cpu_s();
    sleep_ms((uint32_t)(seconds * 1000));
    return (servers_cpu_s() - before) * 1e6 * NS_PER_S / (double)(clock_ns() - began);
}

static void idle(uint32_t clients_count, uint32_t count)
{
    coord_client **clients = allocate(clients_count, sizeof *clients);
    coord_session **sessions = allocate(count, sizeof *sessions);
    double alone_us = servers_us_per_s(options.seconds);
    struct memory before = memory_now();
    for (uint32_t i = 0; i < clients_count; i++)
        check(coord_client_open(options.endpoints, NULL, &clients[i]), "connect");
    for (uint32_t i = 0; i < count; i++)
        check(coord_session_open(clients[i % clients_count], NULL, &sessions[i]), "open a session");
    sleep_ms(SETTLE_MS);
    report_memory("session", &before, count);
    meter_start();
    double with_us = servers_us_per_s(options.seconds);
    meter_stop(count, false);
    report_shape(clients_count, 0);
    report("\"sessions\":%u,\"server_cpu_pct\":%.1f,", count, with_us / 1e4);
    report("\"servers_us_per_s\":%.0f,\"server_us_per_session_s\":%.2f,", with_us,
           (with_us - alone_us) / count);
    for (uint32_t i = 0; i < count; i++) {
        if (coord_session_state_now(sessions[i]) != COORD_SESSION_SAFE)
            die("session %u did not live through it", i);
        check(coord_session_close(sessions[i], CALL_MS), "close a session");
    }
    for (uint32_t i = 0; i < clients_count; i++)
        coord_client_close(clients[i]);
    free(sessions);
    free(clients);
}

void servers_alone(void)
{
    meter_start();
    double us = servers_us_per_s(options.seconds);
    meter_stop(0, false);
    report_shape(0, 0);
    report("\"server_cpu_pct\":%.1f,", us / 1e4);
}

void sessions_of_one(void)
{
    idle(1, count_or(SESSIONS_COUNT));
}

static void sessions_shared(uint32_t count)
{
    idle(count < SHARED_BY ? 1 : count / SHARED_BY, count);
}

void sessions(void)
{
    sessions_shared(count_or(SESSIONS_COUNT));
}

void sessions_20000(void)
{
    sessions_shared(count_or(MANY_COUNT));
}

void sessions_2000conns(void)
{
    idle(count_or(SESSIONS_COUNT), count_or(SESSIONS_COUNT));
}
