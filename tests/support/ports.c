/* ports.c - see ports.h. */
#define _GNU_SOURCE
#include "tests/support/ports.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    /* Below those that the kernel gives to whoever connects. */
    PORT_MIN = 10000,
    PORT_MAX = 32000,
    PROBES_MAX = 1000,
};

static bool is_free(int port)
{
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    /* As the servers bind: a port in TIME_WAIT is free. */
    bool free = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
                bind(fd, (const struct sockaddr *)&at, sizeof at) == 0;
    if (fd >= 0)
        (void)close(fd);
    return free;
}

int ports_free(int count)
{
    const int rows = (PORT_MAX - PORT_MIN) / count;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    int row = (int)((now_ms + getpid() * INT64_C(7919)) % rows);
    for (int probe = 0; probe < PROBES_MAX; probe++, row = (row + 1) % rows) {
        int port = PORT_MIN + row * count, i = 0;
        while (i < count && is_free(port + i))
            i++;
        if (i == count)
            return port;
    }
    return 0;
}
