/* failover.c - the leader is killed between two writes; how long until the next
 * one is acknowledged. Then it is started again, and serves. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "tools/bench/bench.h"

enum { BACK_MS = 30000 }; /* for the restarted server to serve */

static void write_once(const char *path)
{
    coord_error e;
    uint64_t began = clock_ns();
    while ((e = coord_set(conns[0].session, path, value, sizeof value, NULL, CALL_MS, NULL)) !=
           COORD_OK) {
        if (e == COORD_ERR_EXPIRED || clock_ns() - began > (uint64_t)CALL_MS * NS_PER_MS)
            die("no write after a kill: %s", coord_error_name(e));
        sleep_ms(AGAIN_MS);
    }
    timeline_add(clock_ns());
}

static void write_on(const char *path)
{
    uint64_t until = clock_ns() + (uint64_t)WRITING_MS * NS_PER_MS;
    while (clock_ns() < until)
        write_once(path);
}

static struct servers look(uint32_t ms)
{
    struct servers now;
    uint64_t until = clock_ns() + (uint64_t)ms * NS_PER_MS;
    while (!servers_look(&now)) {
        if (clock_ns() > until)
            die("not all servers answer after %u ms", ms);
        sleep_ms(AGAIN_MS);
    }
    return now;
}

static uint64_t kill_leader(const char *path)
{
    struct servers now = look(BACK_MS);
    uint32_t at = 0;
    while (now.list[at].id != now.leader)
        at++;
    int pid = now.list[at].pid;
    process_check(pid);
    uint64_t began = clock_ns();
    if (kill(pid, SIGKILL) != 0)
        die("kill: %s", strerror(errno));
    timeline_kill(began);
    write_once(path);
    uint64_t took = clock_ns() - began;
    if (options.details)
        write_on(path);
    server_restart(now.leader);
    (void)look(BACK_MS);
    sleep_ms(RESTARTED_MS);
    return took;
}

void failover(void)
{
    struct samples all = {.us = NULL};
    uint32_t count = count_or(KILLS_COUNT);
    char path[32];
    if (options.restart == NULL)
        die("--restart says how a killed server is started again");
    keys_make();
    key_path(0, path);
    conns_open(1);
    for (uint32_t i = 0; i < count; i++) {
        timeline_start();
        write_on(path);
        uint64_t took = kill_leader(path);
        samples_add(&all, took);
        report("%s%.1f", i == 0 ? "\"each_ms\":[" : ",", (double)took / NS_PER_MS);
    }
    report("],\"ops\":%u,", count);
    if (options.details)
        report_timelines();
    report_shape(1, 1);
    report_latencies("", &all);
    samples_release(&all);
    conns_close(1);
}
