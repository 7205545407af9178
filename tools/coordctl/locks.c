/* locks.c - locks, check, session ls: who holds what. */
#include "tools/coordctl/locks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/coordctl/command.h"
#include "tools/coordctl/memory.h"
#include "tools/coordctl/units.h"

/* ---- locks ---- */

static const char *mode_word(const coord_claim *c)
{
    return c->exclusive ? "exclusive" : "shared";
}

void locks_claims_json(cJSON *object, const char *name, const coord_claim *claims, size_t count)
{
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++) {
        const coord_claim *c = &claims[i];
        cJSON *claim = cJSON_CreateObject();
        json_add_u64(claim, "session", c->session);
        json_add_u64(claim, "handle", c->handle);
        json_add_text(claim, "mode", mode_word(c));
        json_add_u64(claim, "since_ms", c->since_ms);
        json_add_text(claim, "host", c->host);
        json_add_u64(claim, "pid", c->pid);
        json_add_u64(claim, "generation", c->generation);
        json_add_u64(claim, "lease_left_ms", c->lease_left_ms);
        json_add_bool(claim, "revoking", c->revoking);
        cJSON_AddItemToArray(array, claim);
    }
    cJSON_AddItemToObject(object, name, array);
}

void locks_print_claimant(const coord_claim *c)
{
    printf("session %" PRIu64 " (%s, pid %" PRIu32 "), %s", c->session, c->host, c->pid,
           mode_word(c));
}

static void claims_table(struct table *t, const coord_lock_info *lock, bool holding)
{
    const coord_claim *claims = holding ? lock->holders : lock->waiters;
    size_t count = holding ? lock->holders_count : lock->waiters_count;
    for (size_t i = 0; i < count; i++) {
        const coord_claim *c = &claims[i];
        char since[UNITS_TIME_BYTES];
        units_format_time(c->since_ms, since);
        table_add(t, "%s", lock->path);
        table_add(t, "%s", holding ? "holds" : "waits");
        table_add(t, "%s", mode_word(c));
        table_add(t, "%s", since);
        table_add(t, "%s", c->host);
        table_add(t, "%" PRIu32, c->pid);
        table_add(t, "%" PRIu64 "ms", c->lease_left_ms);
        table_add(t, "%" PRIu64, c->session);
        table_add_number(t, c->generation, holding);
        table_add(t, "%s", c->revoking ? "revoking" : "");
    }
}

/* Nobody has it, and yet it is not to be had. */
static void delay_table(struct table *t, const coord_lock_info *lock)
{
    enum { EMPTY_COUNT = 7 };
    if (lock->delay_left_ms == 0)
        return;
    table_add(t, "%s", lock->path);
    table_add(t, "delayed");
    for (int i = 0; i < EMPTY_COUNT; i++)
        table_add(t, "-");
    table_add(t, "for %" PRIu64 "ms", lock->delay_left_ms);
}

static void add_lock(struct table *t, cJSON *array, const coord_lock_info *lock)
{
    claims_table(t, lock, true);
    delay_table(t, lock);
    claims_table(t, lock, false);
    cJSON *object = cJSON_CreateObject();
    json_add_text(object, "path", lock->path);
    json_add_text(object, "sequencer", lock->sequencer);
    json_add_u64(object, "delay_left_ms", lock->delay_left_ms);
    locks_claims_json(object, "holders", lock->holders, lock->holders_count);
    locks_claims_json(object, "waiters", lock->waiters, lock->waiters_count);
    cJSON_AddItemToArray(array, object);
}

int locks_show(struct cell *cell, const struct arguments *a)
{
    static const char *const titles[] = {"PATH", "CLAIM", "MODE",    "SINCE",      "HOST",
                                         "PID",  "LEASE", "SESSION", "GENERATION", "NOTE"};
    const char *path = a->operands_count > 0 ? a->operands[0] : "/";
    int code = cell_need_session(cell);
    if (code != EXIT_DONE)
        return code;
    struct table t;
    table_begin(&t, titles, sizeof(titles) / sizeof(titles[0]));
    cJSON *array = cJSON_CreateArray();
    char *after = NULL;
    for (bool more = true; more && code == EXIT_DONE;) {
        coord_lock_listing *page;
        coord_error error = coord_locks(cell->session, path, after, 0, a->deadline_ms, &page);
        if (error != COORD_OK) {
            code = cell_refused(cell, path, error);
            break;
        }
        for (size_t i = 0; i < page->count; i++)
            add_lock(&t, array, &page->locks[i]);
        more = page->more && page->count > 0;
        free(after);
        after = more ? memory_join(page->locks[page->count - 1].path, "", "") : NULL;
        coord_lock_listing_free(page);
    }
    free(after);
    if (code == EXIT_DONE && a->format == OUTPUT_JSON) {
        cJSON *object = cJSON_CreateObject();
        json_add_text(object, "path", path);
        cJSON_AddItemToObject(object, "locks", array);
        array = NULL;
        json_finish(object, false, stdout);
    } else if (code == EXIT_DONE) {
        table_print(&t, stdout);
    }
    cJSON_Delete(array);
    table_release(&t);
    return code;
}

/* ---- check ---- */

int locks_check(struct cell *cell, const struct arguments *a)
{
    int code = cell_need_session(cell);
    if (code != EXIT_DONE)
        return code;
    coord_error error = coord_check_sequencer(cell->session, a->operands[0], a->deadline_ms);
    if (error != COORD_OK && error != COORD_ERR_STALE_SEQUENCER)
        return cell_refused(cell, a->operands[0], error);
    bool held = error == COORD_OK;
    if (a->format == OUTPUT_JSON) {
        cJSON *object = cJSON_CreateObject();
        json_add_text(object, "sequencer", a->operands[0]);
        json_add_bool(object, "held", held);
        json_finish(object, false, stdout);
    } else if (held) {
        puts("held");
    }
    return held ? EXIT_DONE : cell_refused(cell, a->operands[0], error);
}

/* ---- session ---- */

static void add_session(struct table *t, cJSON *array, const coord_session_info *s)
{
    char opened[UNITS_TIME_BYTES];
    units_format_time(s->opened_ms, opened);
    table_add(t, "%" PRIu64, s->session);
    table_add(t, "%s", s->host);
    table_add(t, "%" PRIu32, s->pid);
    table_add(t, "%s", opened);
    table_add(t, "%" PRIu32 "ms", s->ttl_ms);
    table_add(t, "%" PRIu64 "ms", s->lease_left_ms);
    table_add(t, "%" PRIu32, s->locks_count);
    table_add(t, "%" PRIu32, s->waits_count);
    table_add(t, "%" PRIu32, s->ephemerals_count);
    table_add(t, "%s", s->killed ? "killed" : "");

    cJSON *object = cJSON_CreateObject();
    json_add_u64(object, "session", s->session);
    json_add_text(object, "host", s->host);
    json_add_u64(object, "pid", s->pid);
    json_add_text(object, "principal", s->principal);
    json_add_u64(object, "opened_ms", s->opened_ms);
    json_add_u64(object, "ttl_ms", s->ttl_ms);
    json_add_u64(object, "lease_left_ms", s->lease_left_ms);
    json_add_u64(object, "locks_count", s->locks_count);
    json_add_u64(object, "waits_count", s->waits_count);
    json_add_u64(object, "ephemerals_count", s->ephemerals_count);
    json_add_bool(object, "killed", s->killed);
    cJSON_AddItemToArray(array, object);
}

int locks_sessions(struct cell *cell, const struct arguments *a)
{
    static const char *const titles[] = {"SESSION", "HOST",  "PID",   "OPENED",     "TTL",
                                         "LEASE",   "LOCKS", "WAITS", "EPHEMERALS", "NOTE"};
    int code = cell_need_session(cell);
    if (code != EXIT_DONE)
        return code;
    struct table t;
    table_begin(&t, titles, sizeof(titles) / sizeof(titles[0]));
    cJSON *array = cJSON_CreateArray();
    uint64_t after = 0;
    for (bool more = true; more && code == EXIT_DONE;) {
        coord_session_listing *page;
        coord_error error = coord_sessions(cell->session, after, 0, a->deadline_ms, &page);
        if (error != COORD_OK) {
            code = cell_refused(cell, "", error);
            break;
        }
        for (size_t i = 0; i < page->count; i++)
            add_session(&t, array, &page->sessions[i]);
        more = page->more && page->count > 0;
        after = more ? page->sessions[page->count - 1].session : 0;
        coord_session_listing_free(page);
    }
    if (code == EXIT_DONE && a->format == OUTPUT_JSON) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddItemToObject(object, "sessions", array);
        array = NULL;
        json_finish(object, false, stdout);
    } else if (code == EXIT_DONE) {
        table_print(&t, stdout);
    }
    cJSON_Delete(array);
    table_release(&t);
    return code;
}
