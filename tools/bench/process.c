/* process.c - processes of this machine, from /proc; and one that starts a server. */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/bench/measure.h"

enum { COMMAND_BYTES = 4096 };

extern char **environ;

static FILE *open_proc(int pid, const char *name)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        die("%s cannot be read: does that server run on this machine?", path);
    return f;
}

void process_named(int pid, const char *name)
{
    char found[32] = "";
    FILE *f = open_proc(pid, "comm");
    bool read = fgets(found, sizeof found, f) != NULL;
    (void)fclose(f);
    found[strcspn(found, "\n")] = '\0';
    if (!read || strcmp(found, name) != 0)
        die("process %d is no %s: do the servers run on this machine?", pid, name);
}

double process_cpu_s(int pid)
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
void server_restart(uint32_t id)
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
