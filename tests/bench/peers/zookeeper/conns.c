/* conns.c - connections. Each is to one server, which the placement says. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/peers/zookeeper/load.h"

enum { OPENED_AT_ONCE = 100, CLOSERS = 16 };

struct conn conns[CONNS_MAX];

void must(int code, const char *doing)
{
    if (code != ZOK)
        die("%s: %s", doing, zerror(code));
}

static void wait_for(zhandle_t *handle)
{
    uint64_t began = clock_ns();
    while (zoo_state(handle) != ZOO_CONNECTED_STATE) {
        if (clock_ns() - began > (uint64_t)PATIENCE_MS * NS_PER_MS)
            die("not connected after %u ms", (unsigned)PATIENCE_MS);
        sleep_ms(1);
    }
}

static zhandle_t *dial(const char *endpoints)
{
    zhandle_t *handle = zookeeper_init(endpoints, NULL, LEASE_MS, NULL, NULL, 0);
    if (handle == NULL)
        die("connect: %s", strerror(errno));
    return handle;
}

zhandle_t *connect_to(const char *endpoints)
{
    zhandle_t *handle = dial(endpoints);
    wait_for(handle);
    return handle;
}

static void endpoint_of(uint32_t server, char endpoint[PATH_BYTES])
{
    const char *at = options.endpoints;
    for (uint32_t i = 1; i < server; i++)
        at = strchr(at, ',') + 1;
    (void)snprintf(endpoint, PATH_BYTES, "%.*s", (int)strcspn(at, ","), at);
}

void conns_open(uint32_t first, uint32_t count)
{
    bool spread = strcmp(zookeeper.placement, "spread") == 0;
    uint32_t leader = spread ? 0 : server_leading();
    uint32_t one =
        strcmp(zookeeper.placement, "leader") == 0 ? leader : leader % servers_count() + 1;
    for (uint32_t i = 0; i < count; i++) {
        struct conn *c = &conns[first + i];
        char endpoint[PATH_BYTES];
        c->server = spread ? i % servers_count() + 1 : one;
        endpoint_of(c->server, endpoint);
        c->handle = dial(endpoint);
        if (i >= OPENED_AT_ONCE)
            wait_for(conns[first + i - OPENED_AT_ONCE].handle);
    }
    for (uint32_t i = count > OPENED_AT_ONCE ? count - OPENED_AT_ONCE : 0; i < count; i++)
        wait_for(conns[first + i].handle);
}

/* A close waits for the server's answer: several at a time. */
struct closing {
    uint32_t first, count;
};

static void *close_some(void *argument)
{
    const struct closing *c = argument;
    for (uint32_t i = c->first; i < c->count; i += CLOSERS) {
        (void)zookeeper_close(conns[i].handle);
        samples_release(&conns[i].latencies);
        conns[i] = (struct conn){.handle = NULL};
    }
    return NULL;
}

void conns_close(uint32_t count)
{
    pthread_t threads[CLOSERS];
    struct closing each[CLOSERS];
    for (uint32_t i = 0; i < CLOSERS; i++) {
        each[i] = (struct closing){.first = i, .count = count};
        if (pthread_create(&threads[i], NULL, close_some, &each[i]) != 0)
            die("no thread");
    }
    for (uint32_t i = 0; i < CLOSERS; i++)
        pthread_join(threads[i], NULL);
}

void conn_again(struct conn *c)
{
    char endpoint[PATH_BYTES];
    endpoint_of(c->server, endpoint);
    must(zookeeper_close(c->handle), "close a session");
    c->handle = connect_to(endpoint);
}

void node_make(zhandle_t *handle, const char *path)
{
    char above[PATH_BYTES];
    (void)snprintf(above, sizeof above, "%s", path);
    for (char *at = strchr(above + 1, '/');; at = strchr(at + 1, '/')) {
        if (at != NULL)
            *at = '\0';
        int code = zoo_create(handle, above, value, VALUE_BYTES, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
        if (code != ZNODEEXISTS)
            must(code, above);
        if (at == NULL)
            return;
        *at = '/';
    }
}

void keys_make(void)
{
    zhandle_t *handle = connect_to(options.endpoints);
    char path[32];
    key_path(KEYS - 1, path);
    if (zoo_exists(handle, path, 0, NULL) != ZOK)
        for (uint32_t i = 0; i < KEYS; i++) {
            key_path(i, path);
            node_make(handle, path);
        }
    (void)zookeeper_close(handle);
}
