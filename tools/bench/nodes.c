/* nodes.c - many new nodes, and the memory of the servers that hold them. */
#include <stdio.h>

#include "tools/bench/bench.h"

enum {
    NODES_1M = 1000000,
    FOLDER_NODES = 1000,
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint32_t begun, done, count;
} making = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void make_next(struct conn *c);

static void on_made(void *context, const coord_result *result)
{
    if (result->error != COORD_OK)
        die("make a node: %s: %s", coord_error_name(result->error), result->detail);
    pthread_mutex_lock(&making.mutex);
    if (++making.done == making.count)
        pthread_cond_signal(&making.changed);
    pthread_mutex_unlock(&making.mutex);
    make_next(context);
}

static void make_next(struct conn *c)
{
    coord_write_options create = COORD_WRITE_OPTIONS_INIT;
    char path[64];
    pthread_mutex_lock(&making.mutex);
    uint32_t number = making.begun;
    making.begun += number < making.count;
    pthread_mutex_unlock(&making.mutex);
    if (number == making.count)
        return;
    create.flags = COORD_CREATE | COORD_PARENTS;
    (void)snprintf(path, sizeof path, "/bench/nodes/%u/%u", (unsigned)(number / FOLDER_NODES),
                   (unsigned)(number % FOLDER_NODES));
    check(coord_set_async(c->session, path, value, sizeof value, &create, CALL_MS, on_made, c),
          path);
}

static void make(uint32_t count)
{
    uint64_t before_kib = servers_rss_kib();
    making.count = count;
    conns_open(MAKERS);
    meter_start();
    for (uint32_t i = 0; i < MAKERS * MADE_AT_ONCE; i++)
        make_next(&conns[i % MAKERS]);
    pthread_mutex_lock(&making.mutex);
    while (making.done < count)
        pthread_cond_wait(&making.changed, &making.mutex);
    pthread_mutex_unlock(&making.mutex);
    sleep_ms(REST_MS);
    meter_stop(count, false);
    report_shape(MAKERS, MAKERS * MADE_AT_ONCE);
    report("\"nodes\":%u,\"servers_bytes_per_node\":%.0f,", (unsigned)count,
           ((double)servers_rss_kib() - (double)before_kib) * 1024 / count);
    conns_close(MAKERS);
}

void nodes_100k(void)
{
    make(count_or(NODES_100K));
}

void nodes_1m(void)
{
    make(count_or(NODES_1M));
}
