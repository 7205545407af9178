/* registers.c - workers that read and write a few nodes that all of them share: by name,
 * on conditions, several at once; and make and delete them; and readers. */
#define _GNU_SOURCE
#include <string.h>

#include "tests/torture.d/worker.h"

enum {
    REGISTERS = 16,
    GUARDED = 4, /* what holders of locks write, under their sequencers */
    EPHEMERALS = 3,
    THINK_MS_MAX = 60,
    READERS_THINK_MS_MAX = 10,
    /* Of a hundred calls. */
    GETS = 34,
    STATS = 6,
    PUTS = 20,
    CONDITIONAL_PUTS = 14,
    CREATES = 5,
    DELETES = 5,
    TRANSACTIONS = 8,
    GUARDED_GETS = 5, /* the rest: ephemeral nodes */
};

/* What this worker has seen of a node last. */
struct known {
    uint64_t generation, instance;
};

static void learn(struct known *k, const coord_stat *stat)
{
    if (stat->size > 0)
        *k = (struct known){stat->content_generation, stat->instance};
}

static coord_freshness some_freshness(struct worker *w)
{
    uint32_t drawn = worker_below(w, 100);
    return drawn < 70 ? COORD_LEASE : drawn < 90 ? COORD_QUORUM : COORD_STALE;
}

static void do_read(struct worker *w, const char *path, bool content, struct known *k)
{
    coord_stat stat;
    (void)worker_read(w, path, content, some_freshness(w), &stat);
    learn(k, &stat);
}

static void do_put(struct worker *w, const char *path, bool conditional, struct known *k)
{
    char value[WORKER_VALUE_BYTES];
    coord_stat stat;
    worker_value(w, value);
    struct history_ask ask = {.op = HISTORY_PUT, .path = path, .value = value};
    if (conditional && worker_chance(w, 80))
        ask.generation = k->generation;
    else if (conditional)
        ask.instance = k->instance;
    else
        ask.makes = ask.parents = true;
    if (worker_put(w, &ask, NULL, &stat) == COORD_OK)
        learn(k, &stat);
}

static void do_create(struct worker *w, const char *path, bool ephemeral, struct known *k)
{
    char value[WORKER_VALUE_BYTES];
    coord_write_options options = COORD_WRITE_OPTIONS_INIT;
    coord_stat stat;
    worker_value(w, value);
    options.flags = COORD_PARENTS | (ephemeral ? COORD_EPHEMERAL : 0);
    struct history_call call = {.ask = {.op = HISTORY_CREATE,
                                        .path = path,
                                        .value = value,
                                        .parents = true,
                                        .ephemeral = ephemeral}};
    worker_begins(w, &call);
    coord_error error =
        coord_create(w->session, path, value, strlen(value), &options, WORKER_CALL_MS, &stat);
    if (error == COORD_OK) {
        call.told = (struct history_told){.revision = stat.content_generation,
                                          .instance = stat.instance,
                                          .content_generation = stat.content_generation};
        learn(k, &stat);
    }
    worker_ended(w, &call, error);
}

static void do_delete(struct worker *w, const char *path, const struct known *k)
{
    coord_write_options options = COORD_WRITE_OPTIONS_INIT;
    struct history_call call = {.ask = {.op = HISTORY_DELETE, .path = path}};
    if (worker_chance(w, 50))
        call.ask.generation = options.if_content_generation = k->generation;
    worker_begins(w, &call);
    worker_ended(w, &call, coord_delete(w->session, path, &options, WORKER_CALL_MS));
}

/* If one is as it was seen, two others become this. */
static coord_error build(coord_txn *txn, struct history_ask *parts)
{
    coord_write_options options = COORD_WRITE_OPTIONS_INIT;
    coord_error error = coord_txn_check_generation(txn, parts[0].path, parts[0].generation);
    options.flags = COORD_CREATE | COORD_PARENTS;
    for (int i = 1; i < 3 && error == COORD_OK; i++)
        error = coord_txn_set(txn, parts[i].path, parts[i].value, strlen(parts[i].value), &options);
    return error;
}

static void do_transaction(struct worker *w, uint32_t checked, const struct known *k)
{
    char paths[3][WORKER_PATH_BYTES], value[WORKER_VALUE_BYTES];
    struct history_ask parts[3];
    coord_txn *txn;
    coord_txn_result *result = NULL;
    uint32_t first = worker_below(w, REGISTERS);
    if (k->generation == 0 || coord_txn_new(w->session, &txn) != COORD_OK)
        return;
    worker_path(w, 'r', checked, paths[0]);
    worker_path(w, 'r', first, paths[1]);
    worker_path(w, 'r', (first + 1) % REGISTERS, paths[2]);
    worker_value(w, value);
    parts[0] = (struct history_ask){
        .op = HISTORY_GENERATION, .path = paths[0], .generation = k->generation};
    for (int i = 1; i < 3; i++)
        parts[i] = (struct history_ask){
            .op = HISTORY_PUT, .path = paths[i], .value = value, .makes = true, .parents = true};
    if (build(txn, parts) == COORD_OK) {
        struct history_call call = {
            .ask = {.op = HISTORY_TRANSACTION}, .parts = parts, .parts_count = 3};
        worker_begins(w, &call);
        coord_error error = coord_txn_commit(txn, WORKER_CALL_MS, &result);
        if (result != NULL) {
            call.told.revision = error == COORD_OK ? result->revision : 0;
            call.told.failed = result->failed;
        }
        worker_ended(w, &call, error);
    }
    coord_txn_result_free(result);
    coord_txn_free(txn);
}

/* A node that goes with its session, or is deleted, or is looked at. */
static void do_ephemeral(struct worker *w)
{
    static const struct known nothing;
    struct known k = nothing;
    char path[WORKER_PATH_BYTES];
    worker_path(w, 'm', worker_below(w, EPHEMERALS), path);
    uint32_t drawn = worker_below(w, 100);
    if (drawn < 50)
        do_read(w, path, true, &k);
    else if (drawn < 85)
        do_create(w, path, true, &k);
    else
        do_delete(w, path, &nothing);
}

static void do_guarded_read(struct worker *w)
{
    char path[WORKER_PATH_BYTES];
    coord_stat stat;
    worker_path(w, 'g', worker_below(w, GUARDED), path);
    (void)worker_read(w, path, true, some_freshness(w), &stat);
}

static void do_one(struct worker *w, struct known known[REGISTERS])
{
    char path[WORKER_PATH_BYTES];
    uint32_t number = worker_below(w, REGISTERS), drawn = worker_below(w, 100);
    struct known *k = &known[number];
    worker_path(w, 'r', number, path);
    if (drawn < GETS)
        do_read(w, path, true, k);
    else if ((drawn -= GETS) < STATS)
        do_read(w, path, false, k);
    else if ((drawn -= STATS) < PUTS)
        do_put(w, path, false, k);
    else if ((drawn -= PUTS) < CONDITIONAL_PUTS)
        do_put(w, path, true, k);
    else if ((drawn -= CONDITIONAL_PUTS) < CREATES)
        do_create(w, path, false, k);
    else if ((drawn -= CREATES) < DELETES)
        do_delete(w, path, k);
    else if ((drawn -= DELETES) < TRANSACTIONS)
        do_transaction(w, number, k);
    else if (drawn - TRANSACTIONS < GUARDED_GETS)
        do_guarded_read(w);
    else
        do_ephemeral(w);
}

void registers_work(struct worker *w)
{
    struct known known[REGISTERS] = {{0, 0}};
    while (!worker_stops(w)) {
        if (worker_session(w, NULL))
            do_one(w, known);
        worker_sleep_ms(worker_below(w, THINK_MS_MAX));
    }
}

/* ---- who only reads, and fast: so somebody reads whatever a leader shows, at any time ---- */

void registers_glance(struct worker *w)
{
    char path[WORKER_PATH_BYTES];
    worker_path(w, 'r', worker_below(w, REGISTERS), path);
    worker_glance(w, path);
}

void readers_work(struct worker *w)
{
    while (!worker_stops(w)) {
        if (worker_session(w, NULL))
            registers_glance(w);
        worker_sleep_ms(worker_below(w, READERS_THINK_MS_MAX));
    }
}
