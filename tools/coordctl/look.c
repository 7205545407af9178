/* look.c - what there is to see: status, leader, locks, check, session. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/coordctl/command.h"
#include "tools/coordctl/memory.h"
#include "tools/coordctl/output.h"
#include "tools/coordctl/units.h"

/* ---- status ---- */

/* What a member says of itself. One that says nothing has null: 0 would be a
 * process id that `kill` takes for the caller's own group. */
static void add_own_words(cJSON *member, const coord_member *m)
{
    static const char *const names[] = {"pid",      "ballot",         "applied",    "chosen",
                                        "revision", "sessions_count", "nodes_count"};
    const uint64_t numbers[] = {m->pid,      m->ballot,         m->applied,    m->chosen,
                                m->revision, m->sessions_count, m->nodes_count};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (m->pid == 0)
            cJSON_AddNullToObject(member, names[i]);
        else
            json_add_u64(member, names[i], numbers[i]);
    }
    json_add_text(member, "state_hash", m->state_hash);
    json_add_text(member, "version", m->version);
}

static void status_json(const coord_status *status)
{
    cJSON *object = cJSON_CreateObject(), *members = cJSON_CreateArray();
    json_add_text(object, "cell", status->cell);
    json_add_text(object, "name", status->cell_name);
    json_add_u64(object, "revision", status->revision);
    json_add_u64(object, "leader", status->leader);
    for (size_t i = 0; i < status->members_count; i++) {
        const coord_member *m = &status->members[i];
        cJSON *member = cJSON_CreateObject();
        json_add_u64(member, "id", m->id);
        json_add_text(member, "address", m->address);
        json_add_text(member, "role", m->role);
        add_own_words(member, m);
        cJSON_AddItemToArray(members, member);
    }
    cJSON_AddItemToObject(object, "members", members);
    json_finish(object, false, stdout);
}

static void status_table(const coord_status *status)
{
    static const char *const titles[] = {"ID",      "ADDRESS",  "ROLE",     "PID",  "BALLOT",
                                         "APPLIED", "REVISION", "SESSIONS", "NODES"};
    enum { TITLES_COUNT = sizeof(titles) / sizeof(titles[0]) };
    printf("cell      %s (%s)\nrevision  %" PRIu64 "\n", status->cell_name, status->cell,
           status->revision);
    if (status->leader != 0)
        printf("leader    %" PRIu32 "\n\n", status->leader);
    else
        printf("leader    none\n\n");
    struct table t;
    table_init(&t, TITLES_COUNT);
    for (size_t i = 0; i < TITLES_COUNT; i++)
        table_add(&t, "%s", titles[i]);
    for (size_t i = 0; i < status->members_count; i++) {
        const coord_member *m = &status->members[i];
        table_add(&t, "%" PRIu32, m->id);
        table_add(&t, "%s", m->address);
        table_add(&t, "%s", m->role);
        const uint64_t numbers[] = {m->pid,      m->ballot,         m->applied,
                                    m->revision, m->sessions_count, m->nodes_count};
        bool reached = m->pid != 0;
        for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++) {
            if (reached)
                table_add(&t, "%" PRIu64, numbers[n]);
            else
                table_add(&t, "-");
        }
    }
    table_print(&t, stdout);
    table_release(&t);
}

int look_status(struct cell *cell, const struct arguments *a)
{
    int code = cell_need_client(cell);
    if (code != EXIT_DONE)
        return code;
    coord_status *status;
    coord_error error = coord_status_get(cell->client, a->deadline_ms, &status);
    if (error != COORD_OK)
        return cell_refused(cell, "status", error);
    if (a->format == OUTPUT_JSON)
        status_json(status);
    else
        status_table(status);
    coord_status_free(status);
    return EXIT_DONE;
}

/* ---- leader ---- */

int look_leader(struct cell *cell, const struct arguments *a)
{
    const char *path = a->operands[0];
    int code = cell_need_session(cell);
    if (code != EXIT_DONE)
        return code;
    void *value;
    size_t length;
    char *sequencer;
    coord_error error =
        coord_leader(cell->session, path, a->deadline_ms, &value, &length, &sequencer);
    if (error != COORD_OK)
        return cell_refused(cell, path, error);

    if (a->format == OUTPUT_JSON) {
        cJSON *object = cJSON_CreateObject();
        json_add_text(object, "path", path);
        json_add_content(object, "value", value, length);
        json_add_text(object, "sequencer", sequencer);
        json_finish(object, false, stdout);
    } else if (a->format == OUTPUT_RAW) {
        fwrite(value, 1, length, stdout);
    } else {
        fputs("value      ", stdout);
        fwrite(value, 1, length, stdout);
        printf("\nsequencer  %s\n", sequencer);
    }
    coord_free(value);
    coord_free(sequencer);
    return EXIT_DONE;
}

/* ---- locks ---- */

static void claims_json(cJSON *lock, const char *name, const coord_claim *claims, size_t count)
{
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++) {
        const coord_claim *c = &claims[i];
        cJSON *object = cJSON_CreateObject();
        json_add_u64(object, "session", c->session);
        json_add_u64(object, "handle", c->handle);
        json_add_text(object, "mode", c->exclusive ? "exclusive" : "shared");
        json_add_u64(object, "since_ms", c->since_ms);
        json_add_text(object, "host", c->host);
        json_add_u64(object, "pid", c->pid);
        json_add_u64(object, "generation", c->generation);
        json_add_u64(object, "lease_left_ms", c->lease_left_ms);
        cJSON_AddItemToArray(array, object);
    }
    cJSON_AddItemToObject(lock, name, array);
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
        table_add(t, "%s", c->exclusive ? "exclusive" : "shared");
        table_add(t, "%s", since);
        table_add(t, "%s", c->host);
        table_add(t, "%" PRIu32, c->pid);
        table_add(t, "%" PRIu64 "ms", c->lease_left_ms);
        table_add(t, "%" PRIu64, c->session);
        if (holding)
            table_add(t, "%" PRIu64, c->generation);
        else
            table_add(t, "-");
    }
}

static void add_lock(struct table *t, cJSON *array, const coord_lock_info *lock)
{
    claims_table(t, lock, true);
    claims_table(t, lock, false);
    cJSON *object = cJSON_CreateObject();
    json_add_text(object, "path", lock->path);
    json_add_text(object, "sequencer", lock->sequencer);
    claims_json(object, "holders", lock->holders, lock->holders_count);
    claims_json(object, "waiters", lock->waiters, lock->waiters_count);
    cJSON_AddItemToArray(array, object);
}

int look_locks(struct cell *cell, const struct arguments *a)
{
    static const char *const titles[] = {"PATH", "CLAIM", "MODE",    "SINCE",     "HOST",
                                         "PID",  "LEASE", "SESSION", "GENERATION"};
    enum { TITLES_COUNT = sizeof(titles) / sizeof(titles[0]) };
    const char *path = a->operands_count > 0 ? a->operands[0] : "/";
    int code = cell_need_session(cell);
    if (code != EXIT_DONE)
        return code;
    struct table t;
    table_init(&t, TITLES_COUNT);
    for (size_t i = 0; i < TITLES_COUNT; i++)
        table_add(&t, "%s", titles[i]);
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

int look_check(struct cell *cell, const struct arguments *a)
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
    cJSON_AddItemToArray(array, object);
}

int look_session(struct cell *cell, const struct arguments *a)
{
    static const char *const titles[] = {"SESSION", "HOST",  "PID",   "OPENED",    "TTL",
                                         "LEASE",   "LOCKS", "WAITS", "EPHEMERALS"};
    enum { TITLES_COUNT = sizeof(titles) / sizeof(titles[0]) };
    if (strcmp(a->operands[0], "ls") != 0) {
        fprintf(stderr, "coordctl: session: '%s' is not 'ls'\n", a->operands[0]);
        return EXIT_USAGE;
    }
    int code = cell_need_session(cell);
    if (code != EXIT_DONE)
        return code;
    struct table t;
    table_init(&t, TITLES_COUNT);
    for (size_t i = 0; i < TITLES_COUNT; i++)
        table_add(&t, "%s", titles[i]);
    cJSON *array = cJSON_CreateArray();
    uint64_t after = 0;
    for (bool more = true; more && code == EXIT_DONE;) {
        coord_session_listing *page;
        coord_error error = coord_sessions(cell->session, after, 0, a->deadline_ms, &page);
        if (error != COORD_OK) {
            code = cell_refused(cell, "session", error);
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
