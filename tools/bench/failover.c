/* failover.c - the leader is killed between two writes; how long until the next
 * one is acknowledged. Then it is started again, and serves. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tools/bench/bench.h"

enum {
    WRITING_MS = 1000, /* before a kill */
    PAUSE_MS = 2000,   /* after the restart */
    AGAIN_MS = 10,     /* after a write that failed */
    BACK_MS = 30000,   /* for the restarted server to serve */
    COMMAND_BYTES = 4096,
};

extern char **environ;

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
}

/* The command, with the server's number for each {id}. */
static void command_for(uint32_t id, char command[COMMAND_BYTES])
{
    size_t length = 0;
    for (const char *at = options.restart; *at != '\0';) {
        bool here = strncmp(at, "{id}", 4) == 0;
        int n = here ? snprintf(command + length, COMMAND_BYTES - length, "%u", id)
                     : snprintf(command + length, COMMAND_BYTES - length, "%c", *at);
        length += (size_t)n;
        if (length >= COMMAND_BYTES)
            die("the command to restart a server is too long");
        at += here ? 4 : 1;
    }
}

/* Not system(): gRPC does not bear a fork. */
static void restart(uint32_t id)
{
    char command[COMMAND_BYTES] = "";
    command_for(id, command);
    char shell[] = "/bin/sh", flag[] = "-c";
    char *arguments[] = {shell, flag, command, NULL};
    pid_t pid;
    int status = 0;
    if (posix_spawn(&pid, shell, NULL, NULL, arguments, environ) != 0 ||
        waitpid(pid, &status, 0) != pid || status != 0)
        die("%s: status %d", command, status);
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
    write_once(path);
    uint64_t took = clock_ns() - began;
    restart(now.leader);
    (void)look(BACK_MS);
    sleep_ms(PAUSE_MS);
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
        uint64_t until = clock_ns() + (uint64_t)WRITING_MS * NS_PER_MS;
        while (clock_ns() < until)
            write_once(path);
        uint64_t took = kill_leader(path);
        samples_add(&all, took);
        report("%s%.1f", i == 0 ? "\"each_ms\":[" : ",", (double)took / NS_PER_MS);
    }
    report("],\"ops\":%u,", count);
    report_shape(1, 1);
    report_latencies("", &all);
    samples_release(&all);
    conns_close(1);
}
