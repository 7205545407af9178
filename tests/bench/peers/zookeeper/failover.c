/* failover.c - the leader is killed between two writes; how long until the next one
 * is acknowledged to a client that knows all servers. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "tests/bench/peers/zookeeper/load.h"

enum { WRITTEN_MS = 60000 };

/* A session that has ended is opened anew. */
static void write_once(zhandle_t **handle, const char *path)
{
    uint64_t began = clock_ns();
    int code;
    while ((code = zoo_set(*handle, path, value, VALUE_BYTES, -1)) != ZOK) {
        if (clock_ns() - began > (uint64_t)WRITTEN_MS * NS_PER_MS)
            die("no write after a kill: %s", zerror(code));
        if (code == ZSESSIONEXPIRED || code == ZINVALIDSTATE) {
            (void)zookeeper_close(*handle);
            *handle = connect_to(options.endpoints);
        }
        sleep_ms(AGAIN_MS);
    }
    timeline_add(clock_ns());
}

static void write_on(zhandle_t **handle, const char *path)
{
    uint64_t until = clock_ns() + (uint64_t)WRITING_MS * NS_PER_MS;
    while (clock_ns() < until)
        write_once(handle, path);
}

static uint64_t kill_leader(zhandle_t **handle, const char *path)
{
    uint32_t leader = server_leading();
    int pid = server_pid(leader);
    process_named(pid, "java");
    timeline_start();
    write_on(handle, path);
    uint64_t began = clock_ns();
    if (kill(pid, SIGKILL) != 0)
        die("kill: %s", strerror(errno));
    timeline_kill(began);
    write_once(handle, path);
    uint64_t took = clock_ns() - began;
    if (options.details)
        write_on(handle, path);
    server_restart(leader);
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
    zhandle_t *handle = connect_to(options.endpoints);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t took = kill_leader(&handle, path);
        samples_add(&all, took);
        report("%s%.1f", i == 0 ? "\"each_ms\":[" : ",", (double)took / NS_PER_MS);
    }
    report("],\"ops\":%u,", count);
    if (options.details)
        report_timelines();
    report_shape(1, 1);
    report_latencies("", &all);
    samples_release(&all);
    (void)zookeeper_close(handle);
}
