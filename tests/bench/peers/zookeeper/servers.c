/* servers.c - the servers: their processes, and which of them leads. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/peers/zookeeper/load.h"

uint32_t servers_count(void)
{
    uint32_t count = 1;
    for (const char *at = options.endpoints; *at != '\0'; at++)
        count += *at == ',';
    return count;
}

int server_pid(uint32_t number)
{
    char path[4096];
    int pid = 0;
    (void)snprintf(path, sizeof path, "%s/%u.pid", zookeeper.pids, number);
    FILE *f = fopen(path, "r");
    if (f == NULL || fscanf(f, "%d", &pid) != 1)
        die("%s has no process", path);
    (void)fclose(f);
    return pid;
}

double servers_cpu_s(void)
{
    double total = 0;
    for (uint32_t i = 1; i <= servers_count(); i++)
        total += process_cpu_s(server_pid(i));
    return total;
}

uint64_t servers_rss_kib(void)
{
    uint64_t total = 0;
    for (uint32_t i = 1; i <= servers_count(); i++)
        total += process_rss_kib(server_pid(i));
    return total;
}

void servers_report_rss(void)
{
    report_shape(0, 0);
    report("\"ops\":0,\"server_rss_kib\":%llu,\"rss_each_kib\":[",
           (unsigned long long)servers_rss_kib());
    for (uint32_t i = 1; i <= servers_count(); i++)
        report("%s%llu", i > 1 ? "," : "", (unsigned long long)process_rss_kib(server_pid(i)));
    report("],");
}

/* Servers listen on loopback alone, so the port says all. */
static uint16_t port_of(uint32_t number)
{
    const char *at = options.endpoints;
    for (uint32_t i = 1; i < number; i++)
        at = strchr(at, ',') + 1;
    at = strchr(at, ':');
    return at == NULL ? 0 : (uint16_t)strtoul(at + 1, NULL, 10);
}

static bool leads(uint32_t number)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port_of(number))};
    char answer[4096];
    size_t length = 0;
    ssize_t n = 0;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (s < 0)
        die("no socket");
    if (connect(s, (struct sockaddr *)&to, sizeof to) == 0 && send(s, "srvr", 4, 0) == 4)
        while (length + 1 < sizeof answer &&
               (n = recv(s, answer + length, sizeof answer - 1 - length, 0)) > 0)
            length += (size_t)n;
    (void)close(s);
    answer[length] = '\0';
    return strstr(answer, "Mode: leader") != NULL;
}

uint32_t server_leading(void)
{
    for (uint32_t waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += AGAIN_MS) {
        for (uint32_t i = 1; i <= servers_count(); i++)
            if (leads(i))
                return i;
        sleep_ms(AGAIN_MS);
    }
    die("nobody leads");
}
