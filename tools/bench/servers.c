/* servers.c - the servers' processes: what they use, from /proc, by the pids that
 * the cell itself reports. They must run on this machine. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/bench/bench.h"

enum { STATUS_MS = 5000 };

static coord_client *client;
static struct servers found; /* at the start */

bool servers_look(struct servers *ret)
{
    coord_status *status = NULL;
    if (coord_status_get(client, STATUS_MS, &status) != COORD_OK)
        return false;
    *ret = (struct servers){.leader = status->leader};
    bool all = status->members_count <= SERVERS_MAX && status->leader != 0;
    for (size_t i = 0; all && i < status->members_count; i++) {
        const coord_member *m = &status->members[i];
        all = m->pid != 0;
        ret->list[ret->count++] = (struct server){.id = m->id, .pid = (int)m->pid};
    }
    coord_status_free(status);
    return all;
}

void servers_find(void)
{
    check(coord_client_open(options.endpoints, NULL, &client), "the cell is not there");
    for (int i = 0; i < 100 && !servers_look(&found); i++)
        sleep_ms(50);
    if (!servers_look(&found))
        die("not all servers answer, or nobody leads");
    for (uint32_t i = 0; i < found.count; i++)
        process_check(found.list[i].pid);
}

void servers_leave(void)
{
    coord_client_close(client);
}

void process_check(int pid)
{
    process_named(pid, "coordd");
}

double servers_cpu_s(void)
{
    double total = 0;
    for (uint32_t i = 0; i < found.count; i++)
        total += process_cpu_s(found.list[i].pid);
    return total;
}

uint64_t servers_rss_kib(void)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < found.count; i++)
        total += process_rss_kib(found.list[i].pid);
    return total;
}

void servers_report_rss(void)
{
    report_shape(0, 0);
    report("\"ops\":0,\"server_rss_kib\":%llu,\"rss_each_kib\":[",
           (unsigned long long)servers_rss_kib());
    for (uint32_t i = 0; i < found.count; i++)
        report("%s%llu", i > 0 ? "," : "", (unsigned long long)process_rss_kib(found.list[i].pid));
    report("],");
}
