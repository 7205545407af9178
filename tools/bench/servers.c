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

static FILE *open_proc(int pid, const char *name)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        die("%s cannot be read: does that server run on this machine?", path);
    return f;
}

void process_check(int pid)
{
    char name[32] = "";
    FILE *f = open_proc(pid, "comm");
    bool ours = fgets(name, sizeof name, f) != NULL && strcmp(name, "coordd\n") == 0;
    (void)fclose(f);
    if (!ours)
        die("process %d is no coordd: do the servers run on this machine?", pid);
}

static double process_cpu_s(int pid)
{
    enum { USER = 14, SYSTEM = 15 }; /* fields of proc(5) */
    char line[4096];
    FILE *f = open_proc(pid, "stat");
    char *at = fgets(line, sizeof line, f) == NULL ? NULL : strrchr(line, ')');
    (void)fclose(f);
    unsigned long long ticks = 0;
    int field = 2;
    for (; at != NULL && field < SYSTEM; field++) {
        at = strchr(at + 1, ' ');
        if (at != NULL && field + 1 >= USER)
            ticks += strtoull(at + 1, NULL, 10);
    }
    if (at == NULL)
        die("/proc/%d/stat is not as expected", pid);
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

uint64_t process_rss_kib(int pid)
{
    char line[256];
    uint64_t kib = 0;
    FILE *f = open_proc(pid, "status");
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtoull(line + 6, NULL, 10);
    (void)fclose(f);
    return kib;
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
