/* worker.c - see worker.h. */
#define _GNU_SOURCE
#include "tests/torture.d/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/history/format.h"

int64_t worker_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* xorshift64* (Marsaglia 2003, Vigna 2016). */
uint32_t worker_below(struct worker *w, uint32_t bound)
{
    w->random ^= w->random >> 12;
    w->random ^= w->random << 25;
    w->random ^= w->random >> 27;
    return (uint32_t)((w->random * UINT64_C(2685821657736338717)) >> 32) % bound;
}

bool worker_chance(struct worker *w, uint32_t percent)
{
    return worker_below(w, 100) < percent;
}

void worker_sleep_ms(uint32_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

bool worker_stops(const struct worker *w)
{
    return atomic_load(&w->run->stops);
}

void worker_path(const struct worker *w, char kind, uint32_t number, char ret[WORKER_PATH_BYTES])
{
    (void)snprintf(ret, WORKER_PATH_BYTES, "%s/%c%u", w->run->folder, kind, number);
}

void worker_value(struct worker *w, char ret[WORKER_VALUE_BYTES])
{
    (void)snprintf(ret, WORKER_VALUE_BYTES, "%u.%llu", w->client,
                   (unsigned long long)w->number + 1);
}

/* A history that cannot be written is none. */
static void need(bool written)
{
    if (!written) {
        perror("torture-client: history");
        exit(1);
    }
}

/* ---- calls ---- */

void worker_begins(struct worker *w, struct history_call *call)
{
    call->client = w->client;
    call->number = ++w->number;
    if (call->ask.op != HISTORY_OPEN)
        call->session = atomic_load(&w->session_id);
    call->invoked_ns = worker_now_ns();
    need(history_write_invoke(w->run->file, call));
}

void worker_ended(struct worker *w, struct history_call *call, coord_error error)
{
    call->returned_ns = worker_now_ns();
    call->error = (enum err)error;
    call->not_applied =
        error == COORD_ERR_EXPIRED && strstr(coord_error_detail(), "was not applied") != NULL;
    need(history_write_return(w->run->file, call));
}

/* ---- the session ---- */

static void note_state(struct worker *w, uint64_t session, enum history_session_state state)
{
    struct history_session s = {
        .client = w->client, .session = session, .state = state, .at_ns = worker_now_ns()};
    need(history_write_session(w->run->file, &s));
}

static void on_state(void *context, coord_session *session, coord_session_state state)
{
    static const enum history_session_state states[] = {
        [COORD_SESSION_SAFE] = HISTORY_SESSION_SAFE,
        [COORD_SESSION_JEOPARDY] = HISTORY_SESSION_JEOPARDY,
        [COORD_SESSION_EXPIRED] = HISTORY_SESSION_EXPIRED,
        [COORD_SESSION_ENDED] = HISTORY_SESSION_CLOSED,
    };
    note_state(context, coord_session_id(session), states[state]);
}

static void on_loss(void *context, coord_session *session, const coord_loss *loss)
{
    struct worker *w = context;
    struct history_loss l = {.client = w->client,
                             .path = loss->path,
                             .generation = loss->generation,
                             .at_ns = worker_now_ns()};
    (void)session;
    need(history_write_loss(w->run->file, &l));
}

bool worker_session(struct worker *w, bool *ret_new)
{
    if (ret_new != NULL)
        *ret_new = false;
    if (w->session != NULL && coord_session_state_now(w->session) < COORD_SESSION_EXPIRED)
        return true;
    worker_session_end(w);
    coord_session_options options = COORD_SESSION_OPTIONS_INIT;
    options.ttl_ms = w->ttl_ms > 0 ? w->ttl_ms : WORKER_TTL_MS;
    options.grace_ms = WORKER_GRACE_MS;
    options.callback = on_state;
    options.on_loss = on_loss;
    options.context = w;
    options.deadline_ms = WORKER_CALL_MS;
    struct history_call call = {.ask = {.op = HISTORY_OPEN}};
    worker_begins(w, &call);
    coord_error error = coord_session_open(w->run->client, &options, &w->session);
    if (error == COORD_OK) {
        call.told.session = coord_session_id(w->session);
        atomic_store(&w->session_id, call.told.session);
    }
    worker_ended(w, &call, error);
    if (error != COORD_OK) {
        worker_sleep_ms(20 + worker_below(w, 80));
        return false;
    }
    if (ret_new != NULL)
        *ret_new = true;
    return true;
}

void worker_session_end(struct worker *w)
{
    if (w->session == NULL)
        return;
    struct history_call call = {.ask = {.op = HISTORY_CLOSE}};
    worker_begins(w, &call);
    coord_error error = coord_session_close(w->session, WORKER_CALL_MS);
    worker_ended(w, &call, error);
    w->session = NULL;
    atomic_store(&w->session_id, 0);
}

/* ---- what several kinds of workers do ---- */

coord_error worker_make(struct worker *w, const char *path)
{
    coord_write_options options = COORD_WRITE_OPTIONS_INIT;
    coord_stat stat;
    options.flags = COORD_PARENTS;
    struct history_call call = {
        .ask = {.op = HISTORY_CREATE, .path = path, .value = "", .parents = true}};
    worker_begins(w, &call);
    coord_error error = coord_create(w->session, path, NULL, 0, &options, WORKER_CALL_MS, &stat);
    if (error == COORD_OK)
        call.told = (struct history_told){.revision = stat.content_generation,
                                          .instance = stat.instance,
                                          .content_generation = stat.content_generation};
    worker_ended(w, &call, error);
    return error;
}

static coord_error read_within(struct worker *w, const char *path, bool content,
                               coord_freshness freshness, int64_t ms, coord_stat *ret_stat)
{
    coord_read_options options = COORD_READ_OPTIONS_INIT;
    void *bytes = NULL;
    size_t length = 0;
    char value[HISTORY_VALUE_BYTES + 1];
    struct history_call call = {.ask = {.op = content ? HISTORY_GET : HISTORY_STAT, .path = path},
                                .freshness = (enum history_freshness)freshness};
    options.freshness = freshness;
    *ret_stat = (coord_stat){.size = 0};
    worker_begins(w, &call);
    coord_error error = content ? coord_get_with(w->session, path, &options, ms, &bytes, &length,
                                                 ret_stat, &call.told.revision)
                                : coord_stat_get_with(w->session, path, &options, ms, ret_stat,
                                                      &call.told.revision);
    if (error == COORD_OK) {
        call.told.instance = ret_stat->instance;
        call.told.content_generation = ret_stat->content_generation;
        call.told.lock_generation = ret_stat->lock_generation;
        if (content) {
            history_value(bytes, length, value);
            call.told.value = value;
        }
    }
    worker_ended(w, &call, error);
    coord_free(bytes);
    return error;
}

coord_error worker_read(struct worker *w, const char *path, bool content, coord_freshness freshness,
                        coord_stat *ret_stat)
{
    return read_within(w, path, content, freshness, WORKER_CALL_MS, ret_stat);
}

void worker_glance(struct worker *w, const char *path)
{
    coord_stat stat;
    (void)read_within(w, path, true, COORD_LEASE, WORKER_GLANCE_MS, &stat);
}

coord_error worker_put(struct worker *w, const struct history_ask *ask, const char *sequencer,
                       coord_stat *ret_stat)
{
    coord_write_options options = COORD_WRITE_OPTIONS_INIT;
    struct history_call call = {.ask = *ask};
    options.if_content_generation = ask->generation;
    options.if_instance = ask->instance;
    options.if_sequencer = sequencer;
    options.flags = (ask->makes ? COORD_CREATE : 0) | (ask->parents ? COORD_PARENTS : 0);
    *ret_stat = (coord_stat){.size = 0};
    worker_begins(w, &call);
    coord_error error = coord_set(w->session, ask->path, ask->value, strlen(ask->value), &options,
                                  WORKER_CALL_MS, ret_stat);
    if (error == COORD_OK)
        call.told = (struct history_told){.revision = ret_stat->content_generation,
                                          .instance = ret_stat->instance,
                                          .content_generation = ret_stat->content_generation};
    worker_ended(w, &call, error);
    return error;
}
