/* locks.c - workers that contend for a few locks, others that keep one for as long as they
 * can, and others that stand for election.
 *
 * Whoever holds asks the library again and again for how long it may be sure of it, and
 * notes the answer; writes under its sequencer meanwhile, and sometimes also behind its
 * time; and asks the cell about sequencers that are old. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "tests/history/format.h"
#include "tests/torture.d/worker.h"

enum {
    LOCKS = 4,
    LOCKS_SHARED = 2, /* of them, those that are shared at times */
    KEPT = 5,
    KEPT_FOR_LONG = 2, /* of them, those whose keepers have longer leases */
    ELECTIONS = 2,
    SEQUENCER_BYTES = 256,
    THINK_MS_MAX = 60,
    HOLD_MS_MAX = 40,
    HOLD_LONG_MS_MAX = 900,
    KEEP_MS_MIN = 1000,
    KEEP_MS_MAX = 12000,
    ASK_MS = 7,
    KEEPERS_ASK_MS = 20,
    DELAY_MS_MAX = 300,
};

struct holding {
    struct worker *worker; /* borrowed, as are the next */
    const char *path, *sequencer;
    coord_lock *lock; /* owned, by whoever releases it; or, if this is NULL, */
    coord_election *election;
    uint64_t generation;
    bool exclusive;
};

static int64_t safe_ms(const struct holding *h)
{
    return h->lock != NULL ? coord_lock_safe_ms(h->lock) : coord_election_safe_ms(h->election);
}

/* Notes for how long it is ours; false: it may not be any more. */
static bool believe(const struct holding *h)
{
    int64_t before_ns = worker_now_ns(), ms = safe_ms(h);
    struct history_belief b = {.client = h->worker->client,
                               .path = h->path,
                               .exclusive = h->exclusive,
                               .generation = h->generation,
                               .from_ns = worker_now_ns(),
                               .until_ns = before_ns + ms * 1000000};
    if (ms <= 0)
        return false;
    if (b.until_ns > b.from_ns && !history_write_belief(h->worker->run->file, &b))
        return false;
    return true;
}

static bool generation_of(const char *sequencer, uint64_t *ret)
{
    coord_sequencer parsed;
    if (coord_sequencer_parse(sequencer, &parsed) != COORD_OK)
        return false;
    *ret = parsed.generation;
    return true;
}

static void write_guarded(const struct holding *h)
{
    struct worker *w = h->worker;
    char path[WORKER_PATH_BYTES], value[WORKER_VALUE_BYTES];
    coord_stat stat;
    worker_path(w, 'g', worker_below(w, LOCKS), path);
    worker_value(w, value);
    struct history_ask ask = {.op = HISTORY_PUT,
                              .path = path,
                              .value = value,
                              .makes = true,
                              .parents = true,
                              .guard = {h->path, h->generation, h->exclusive}};
    (void)worker_put(w, &ask, h->sequencer, &stat);
}

static void hold(const struct holding *h)
{
    struct worker *w = h->worker;
    uint32_t ms = worker_below(w, worker_chance(w, 8) ? HOLD_LONG_MS_MAX : HOLD_MS_MAX);
    int64_t end_ns = worker_now_ns() + (int64_t)ms * 1000000;
    bool sure = believe(h), writes = worker_chance(w, 25);
    while (sure && worker_now_ns() < end_ns) {
        if (writes)
            write_guarded(h);
        worker_sleep_ms(1 + worker_below(w, ASK_MS));
        writes = worker_chance(w, 5);
        sure = believe(h);
    }
    if (!sure && worker_chance(w, 50))
        write_guarded(h); /* the cell must refuse it if it is not ours any more */
}

static void check(struct worker *w, const char *sequencer, const char *path, uint64_t generation,
                  bool exclusive)
{
    struct history_call call = {
        .ask = {
            .op = HISTORY_CHECK, .path = path, .generation = generation, .exclusive = exclusive}};
    worker_begins(w, &call);
    worker_ended(w, &call, coord_check_sequencer(w->session, sequencer, WORKER_CALL_MS));
}

/* Ends the holding, and sometimes asks what is left of it. */
static void release(struct holding *h)
{
    struct worker *w = h->worker;
    char sequencer[SEQUENCER_BYTES];
    struct history_call call = {.ask = {.op = HISTORY_RELEASE,
                                        .path = h->path,
                                        .generation = h->generation,
                                        .exclusive = h->exclusive,
                                        .clears = h->lock == NULL}};
    (void)snprintf(sequencer, sizeof sequencer, "%s", h->sequencer);
    if (worker_chance(w, 10))
        check(w, sequencer, h->path, h->generation, h->exclusive);
    worker_begins(w, &call);
    coord_error error = h->lock != NULL ? coord_unlock(h->lock, WORKER_CALL_MS)
                                        : coord_resign(h->election, WORKER_CALL_MS);
    worker_ended(w, &call, error);
    /* Those who were let in together share a sequencer, and one of them may have given up
     * by then, and hold it until its Cancel has come: of them nothing is certain. */
    if (h->exclusive && worker_chance(w, 10))
        check(w, sequencer, h->path, h->generation, h->exclusive);
}

/* ---- locks ---- */

static void lock_once(struct worker *w, coord_node *node, const char *path,
                      const coord_lock_options *options, bool tries,
                      void (*while_held)(const struct holding *))
{
    struct holding h = {.worker = w, .path = path, .exclusive = !options->shared};
    struct history_call call = {.ask = {.op = tries ? HISTORY_TRY : HISTORY_ACQUIRE,
                                        .path = path,
                                        .exclusive = h.exclusive}};
    worker_begins(w, &call);
    coord_error error = tries ? coord_trylock_with(node, options, WORKER_CALL_MS, &h.lock)
                              : coord_lock_acquire_with(
                                    node, options, 200 + worker_below(w, WORKER_CALL_MS), &h.lock);
    if (error == COORD_OK) {
        h.sequencer = coord_lock_sequencer(h.lock);
        if (generation_of(h.sequencer, &h.generation))
            call.told.grant = h.generation;
    }
    worker_ended(w, &call, error);
    if (error != COORD_OK)
        return;
    while_held(&h);
    release(&h);
}

static void lock_somehow(struct worker *w, coord_node *node, const char *path, uint32_t number)
{
    coord_lock_options options = COORD_LOCK_OPTIONS_INIT;
    options.shared = number < LOCKS_SHARED && worker_chance(w, 50);
    if (worker_chance(w, 10))
        options.delay_ms = worker_below(w, DELAY_MS_MAX);
    lock_once(w, node, path, &options, worker_chance(w, 20), hold);
}

/* A handle for each lock, of the session that there is. */
static void nodes_close(coord_node *nodes[LOCKS])
{
    for (int i = 0; i < LOCKS; i++) {
        coord_node_close(nodes[i]);
        nodes[i] = NULL;
    }
}

static bool node_open(struct worker *w, const char *path, coord_node **node)
{
    if (*node != NULL)
        return true;
    (void)worker_make(w, path);
    return coord_open(w->session, path, 0, WORKER_CALL_MS, node) == COORD_OK;
}

void locks_work(struct worker *w)
{
    coord_node *nodes[LOCKS] = {NULL};
    char path[WORKER_PATH_BYTES];
    while (!worker_stops(w)) {
        uint32_t number = worker_below(w, LOCKS);
        bool is_new = false;
        if (worker_session(w, &is_new)) {
            if (is_new)
                nodes_close(nodes);
            worker_path(w, 'l', number, path);
            if (node_open(w, path, &nodes[number]))
                lock_somehow(w, nodes[number], path, number);
        }
        worker_sleep_ms(worker_below(w, THINK_MS_MAX));
    }
    nodes_close(nodes);
}

/* ---- locks that are kept ---- */

/* Whoever is cut off while it keeps one must have stopped believing in it before the next
 * does. Reads that get no answer have the library ask for its lease. */
static void keep(const struct holding *h)
{
    struct worker *w = h->worker;
    int64_t ms = KEEP_MS_MIN + worker_below(w, KEEP_MS_MAX - KEEP_MS_MIN);
    int64_t end_ns = worker_now_ns() + ms * 1000000;
    while (believe(h) && worker_now_ns() < end_ns && !worker_stops(w)) {
        registers_glance(w);
        worker_sleep_ms(1 + worker_below(w, KEEPERS_ASK_MS));
    }
}

/* Each stays with one lock, and one of each process is behind each. */
void keepers_work(struct worker *w)
{
    static const coord_lock_options options = COORD_LOCK_OPTIONS_INIT;
    coord_node *node = NULL;
    char path[WORKER_PATH_BYTES];
    uint32_t number = w->client % KEPT;
    w->ttl_ms = number < KEPT_FOR_LONG ? WORKER_TTL_LONG_MS : WORKER_TTL_MS;
    worker_path(w, 'k', number, path);
    while (!worker_stops(w)) {
        bool is_new = false;
        if (worker_session(w, &is_new)) {
            if (is_new) {
                coord_node_close(node);
                node = NULL;
            }
            if (node_open(w, path, &node))
                lock_once(w, node, path, &options, false, keep);
        }
        worker_sleep_ms(worker_below(w, THINK_MS_MAX));
    }
    coord_node_close(node);
}

/* ---- elections ---- */

static void campaign_once(struct worker *w, const char *path)
{
    struct holding h = {.worker = w, .path = path, .exclusive = true};
    char value[WORKER_VALUE_BYTES];
    worker_value(w, value);
    struct history_call call = {
        .ask = {.op = HISTORY_ACQUIRE, .path = path, .value = value, .exclusive = true}};
    worker_begins(w, &call);
    coord_error error = coord_campaign(w->session, path, value, strlen(value),
                                       200 + worker_below(w, WORKER_CALL_MS), &h.election);
    if (error == COORD_OK) {
        h.sequencer = coord_election_sequencer(h.election);
        if (generation_of(h.sequencer, &h.generation))
            call.told.grant = h.generation;
    }
    worker_ended(w, &call, error);
    if (error != COORD_OK)
        return;
    hold(&h);
    release(&h);
}

void elections_work(struct worker *w)
{
    bool made[ELECTIONS] = {false};
    char path[WORKER_PATH_BYTES];
    coord_stat stat;
    while (!worker_stops(w)) {
        uint32_t number = worker_below(w, ELECTIONS);
        worker_path(w, 'e', number, path);
        if (worker_session(w, NULL)) {
            /* A campaign would make it, too, and nobody would have noted that. */
            if (!made[number]) {
                coord_error error = worker_make(w, path);
                made[number] = error == COORD_OK || error == COORD_ERR_NODE_EXISTS;
            }
            if (!made[number] || worker_chance(w, 40))
                (void)worker_read(w, path, true, COORD_LEASE, &stat);
            else
                campaign_once(w, path);
        }
        worker_sleep_ms(worker_below(w, THINK_MS_MAX));
    }
}
