/* pool.c - connections with a session each, and the nodes that are written. */
#define _GNU_SOURCE
#include "tools/bench/bench.h"

/* A client of its own each, for sessions of one client would share a connection. */
struct conn conns[CONNECTIONS_MAX];

void check(coord_error e, const char *what)
{
    if (e != COORD_OK)
        die("%s: %s: %s", what, coord_error_name(e), coord_error_detail());
}

void conns_open(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        check(coord_client_open(options.endpoints, NULL, &conns[i].client), "connect");
        check(coord_session_open(conns[i].client, NULL, &conns[i].session), "open a session");
    }
}

void conns_close(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        check(coord_session_close(conns[i].session, CALL_MS), "close a session");
        coord_client_close(conns[i].client);
        samples_release(&conns[i].latencies);
        conns[i] = (struct conn){.client = NULL};
    }
}

coord_node *node_open(coord_session *session, const char *path)
{
    coord_node *node = NULL;
    check(coord_open(session, path, COORD_CREATE | COORD_PARENTS, CALL_MS, &node), path);
    return node;
}

struct making {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint32_t left;
};

static void one_made(void *context, const coord_result *result)
{
    struct making *m = context;
    if (result->error != COORD_OK)
        die("make a key: %s: %s", coord_error_name(result->error), result->detail);
    pthread_mutex_lock(&m->mutex);
    if (--m->left == 0)
        pthread_cond_signal(&m->changed);
    pthread_mutex_unlock(&m->mutex);
}

void keys_make(void)
{
    struct making m = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, KEYS};
    coord_write_options create = COORD_WRITE_OPTIONS_INIT;
    coord_stat stat;
    char path[32];
    _Static_assert((int)KEYS <= (int)COORD_ASYNC_MAX, "all under way at once");
    conns_open(1);
    coord_session *s = conns[0].session;
    create.flags = COORD_CREATE | COORD_PARENTS;
    key_path(KEYS - 1, path);
    if (coord_stat_get(s, path, CALL_MS, &stat) != COORD_OK) {
        for (uint32_t i = 0; i < KEYS; i++) {
            key_path(i, path);
            check(coord_set_async(s, path, value, sizeof value, &create, CALL_MS, one_made, &m),
                  path);
        }
        pthread_mutex_lock(&m.mutex);
        while (m.left > 0)
            pthread_cond_wait(&m.changed, &m.mutex);
        pthread_mutex_unlock(&m.mutex);
    }
    conns_close(1);
}
