/* status.c - status and hash: what the servers say of themselves. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/coordctl/agreement.h"
#include "tools/coordctl/command.h"
#include "tools/coordctl/memory.h"
#include "tools/coordctl/output.h"
#include "tools/coordctl/signals.h"
#include "tools/coordctl/standing.h"

enum {
    CONNECT_MS_MAX = 2000, /* who shall say how it is answers at once, or not at all */
    HASH_PAUSE_MS = 100,
    NS_PER_MS = 1000000,
};

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
    json_add_u64(member, "compared", m->compared);
    json_add_bool(member, "crowded", m->crowded);
}

static void status_json(const coord_status *status)
{
    cJSON *object = cJSON_CreateObject(), *members = cJSON_CreateArray();
    cJSON *awaited = cJSON_CreateArray();
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
        json_add_text(member, "unreached", m->unreached);
        add_own_words(member, m);
        cJSON_AddItemToArray(members, member);
    }
    for (size_t i = 0; i < status->awaited_count; i++)
        cJSON_AddItemToArray(awaited, cJSON_CreateNumber(status->awaited[i]));
    cJSON_AddItemToObject(object, "awaited", awaited);
    cJSON_AddItemToObject(object, "members", members);
    json_finish(object, false, stdout);
}

static void members_table(const coord_status *status)
{
    static const char *const titles[] = {"ID",      "ADDRESS",  "ROLE",     "PID",  "BALLOT",
                                         "APPLIED", "REVISION", "SESSIONS", "NODES"};
    struct table t;
    table_begin(&t, titles, sizeof(titles) / sizeof(titles[0]));
    for (size_t i = 0; i < status->members_count; i++) {
        const coord_member *m = &status->members[i];
        const uint64_t numbers[] = {
            m->id, m->pid, m->ballot, m->applied, m->revision, m->sessions_count, m->nodes_count};
        table_add_number(&t, numbers[0], numbers[0] != 0);
        table_add(&t, "%s", m->address);
        table_add(&t, "%s", m->role);
        for (size_t n = 1; n < sizeof(numbers) / sizeof(numbers[0]); n++)
            table_add_number(&t, numbers[n], m->pid != 0);
    }
    table_print(&t, stdout);
    table_release(&t);
}

static void status_table(const coord_status *status)
{
    char crowded[STANDING_BYTES];
    printf("cell      %s (%s)\nrevision  %" PRIu64 "\n", status->cell_name, status->cell,
           status->revision);
    if (status->leader != 0)
        printf("leader    %" PRIu32 "\n\n", status->leader);
    else
        printf("leader    none\n\n");
    members_table(status);
    standing_crowded(status, crowded);
    if (crowded[0] != '\0')
        printf("\n%s\n", crowded);
}

/* Nobody said who he is: what is known is where they were looked for. */
static void status_of_nobody(const struct arguments *a)
{
    static char unreachable[] = "unreachable", unknown[] = "";
    char *list = memory_join(a->endpoints, "", ""), *rest = list;
    coord_status status = {.cell_name = unknown};
    for (char *at; (at = strsep(&rest, ",")) != NULL;) {
        status.members =
            memory_resize(status.members, status.members_count + 1, sizeof(*status.members));
        status.members[status.members_count++] =
            (coord_member){.address = at, .role = unreachable, .version = unknown};
    }
    if (a->format == OUTPUT_JSON)
        status_json(&status);
    else
        members_table(&status);
    free(status.members);
    free(list);
}

/* EXIT_DONE, or it was said why not. */
static int ask_all(struct cell *cell, const struct arguments *a, coord_status **ret)
{
    int64_t connect_ms = a->deadline_ms < CONNECT_MS_MAX ? a->deadline_ms : CONNECT_MS_MAX;
    int code = cell_need_client_within(cell, connect_ms);
    if (code != EXIT_DONE)
        return code;
    coord_error error = coord_status_get(cell->client, a->deadline_ms, ret);
    return error == COORD_OK ? EXIT_DONE : cell_refused(cell, "", error);
}

int status_show(struct cell *cell, const struct arguments *a)
{
    coord_status *status;
    int code = ask_all(cell, a, &status);
    if (code == EXIT_UNREACHABLE)
        status_of_nobody(a);
    if (code != EXIT_DONE)
        return code;
    if (a->format == OUTPUT_JSON)
        status_json(status);
    else
        status_table(status);
    if (!standing_serves(status)) {
        char standing[STANDING_BYTES];
        standing_text(status, standing);
        (void)output_flush(); /* where both go to the same place the table is above */
        fprintf(stderr, "coordctl: %s\n", standing);
        code = EXIT_NOT_SERVING;
    }
    coord_status_free(status);
    return code;
}

/* ---- hash ---- */

static bool any_quarantined(const coord_status *status)
{
    for (size_t i = 0; i < status->members_count; i++)
        if (agreement_quarantined(&status->members[i]))
            return true;
    return false;
}

static const char *compared_text(const struct agreement *c, const coord_status *status,
                                 const coord_member *m)
{
    if (m->state_hash[0] == '\0')
        return "not reached";
    if (agreement_quarantined(m))
        return "quarantined";
    if (agreement_is_odd(c, m->id, status->members_count))
        return "DIFFERS";
    return agreement_compared(c, m->id) ? "yes" : "no";
}

static void hash_table(const coord_status *status, const struct agreement *c)
{
    static const char *const titles[] = {"ID", "ADDRESS", "APPLIED", "HASH", "COMPARED", "BY-LOG"};
    struct table t;
    table_begin(&t, titles, sizeof(titles) / sizeof(titles[0]));
    for (size_t i = 0; i < status->members_count; i++) {
        const coord_member *m = &status->members[i];
        bool reached = m->state_hash[0] != '\0';
        table_add(&t, "%" PRIu32, m->id);
        table_add(&t, "%s", m->address);
        table_add_number(&t, m->applied, reached);
        table_add(&t, "%s", reached ? m->state_hash : "-");
        table_add(&t, "%s", compared_text(c, status, m));
        table_add_number(&t, m->compared, m->compared != 0);
    }
    table_print(&t, stdout);
    table_release(&t);
    if (c->differs)
        printf("DIFFER  at %" PRIu64 ": member %" PRIu32 " said %s, member %" PRIu32 " %s\n",
               c->one.applied, c->one.id, c->one.hash, c->other.id, c->other.hash);
    else if (any_quarantined(status))
        puts("DIFFER");
    else
        puts(c->compared != 0 ? "AGREE" : "UNDECIDED");
}

static void hash_json(const coord_status *status, const struct agreement *c)
{
    cJSON *object = cJSON_CreateObject(), *members = cJSON_CreateArray();
    json_add_text(object, "result",
                  c->differs || any_quarantined(status) ? "differ"
                  : c->compared != 0                    ? "agree"
                                                        : "undecided");
    if (c->differs)
        json_add_u64(object, "differ_at", c->one.applied);
    for (size_t i = 0; i < status->members_count; i++) {
        const coord_member *m = &status->members[i];
        cJSON *member = cJSON_CreateObject();
        json_add_u64(member, "id", m->id);
        json_add_text(member, "address", m->address);
        json_add_bool(member, "reached", m->state_hash[0] != '\0');
        json_add_bool(member, "compared", agreement_compared(c, m->id));
        json_add_bool(member, "differs",
                      agreement_quarantined(m) ||
                          agreement_is_odd(c, m->id, status->members_count));
        json_add_bool(member, "quarantined", agreement_quarantined(m));
        json_add_u64(member, "applied", m->applied);
        json_add_text(member, "state_hash", m->state_hash);
        json_add_u64(member, "compared_by_log", m->compared);
        cJSON_AddItemToArray(members, member);
    }
    cJSON_AddItemToObject(object, "members", members);
    json_finish(object, false, stdout);
}

int status_hash(struct cell *cell, const struct arguments *a)
{
    const int64_t end_ms = signals_now_ms() + a->deadline_ms;
    const struct timespec pause = {.tv_nsec = HASH_PAUSE_MS * NS_PER_MS};
    struct agreement *c = memory_resize(NULL, 1, sizeof(*c));
    memset(c, 0, sizeof(*c));
    coord_status *status = NULL;
    int code;
    for (;;) {
        coord_status_free(status);
        status = NULL;
        code = ask_all(cell, a, &status);
        if (code != EXIT_DONE || agreement_add(c, status) == 0 || c->differs ||
            signals_now_ms() + HASH_PAUSE_MS > end_ms)
            break;
        nanosleep(&pause, NULL);
    }
    if (code == EXIT_DONE) {
        if (a->format == OUTPUT_JSON)
            hash_json(status, c);
        else
            hash_table(status, c);
        code = c->differs || any_quarantined(status) ? EXIT_REFUSED
               : c->compared == 0                    ? EXIT_UNREACHABLE
                                                     : EXIT_DONE;
    }
    if (code == EXIT_UNREACHABLE && status != NULL)
        fputs("coordctl: no two servers could be compared in time\n", stderr);
    coord_status_free(status);
    free(c);
    return code;
}
