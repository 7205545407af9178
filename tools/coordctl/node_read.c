/* node_read.c - get, stat, ls: reading nodes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/coordctl/command.h"
#include "tools/coordctl/memory.h"
#include "tools/coordctl/output.h"
#include "tools/coordctl/units.h"

/* What --stale and --quorum are about. */
struct reading {
    void *content; /* to be freed with coord_free */
    size_t length;
    coord_stat stat;
    uint64_t revision;
};

/* EXIT_DONE, or it was said why not. */
static int read_node(struct cell *cell, const struct arguments *a, struct reading *ret)
{
    const char *path = a->operands[0];
    coord_read_options options = COORD_READ_OPTIONS_INIT;
    options.freshness = a->quorum ? COORD_QUORUM : COORD_LEASE;
    int code = a->stale ? cell_need_client(cell) : cell_need_session(cell);
    if (code != EXIT_DONE)
        return code;
    coord_error error =
        a->stale ? coord_get_stale(cell->client, path, a->deadline_ms, &ret->content, &ret->length,
                                   &ret->stat, &ret->revision)
                 : coord_get_with(cell->session, path, &options, a->deadline_ms, &ret->content,
                                  &ret->length, &ret->stat, &ret->revision);
    return error == COORD_OK ? EXIT_DONE : cell_refused(cell, path, error);
}

/* Of what may be old it is told how old; not on standard output, which is the content's. */
static void say_revision(const struct arguments *a, uint64_t revision)
{
    if (a->stale && a->format != OUTPUT_JSON)
        fprintf(stderr, "coordctl: as of revision %" PRIu64 "\n", revision);
}

static cJSON *reading_json(const struct arguments *a, const struct reading *r, bool with_content)
{
    cJSON *object = cJSON_CreateObject();
    json_add_text(object, "path", a->operands[0]);
    json_add_u64(object, "revision", r->revision);
    json_add_bool(object, "stale", a->stale);
    if (with_content)
        json_add_content(object, "content", r->content, r->length);
    json_add_stat(object, &r->stat);
    return object;
}

int node_get(struct cell *cell, const struct arguments *a)
{
    struct reading r;
    int code = read_node(cell, a, &r);
    if (code != EXIT_DONE)
        return code;
    if (a->format == OUTPUT_JSON) {
        json_finish(reading_json(a, &r, true), false, stdout);
    } else {
        fwrite(r.content, 1, r.length, stdout);
        bool ended = r.length == 0 || ((const char *)r.content)[r.length - 1] == '\n';
        if (a->format == OUTPUT_TABLE && !ended)
            putchar('\n');
        say_revision(a, r.revision);
    }
    coord_free(r.content);
    return EXIT_DONE;
}

static void print_stat(const char *path, const coord_stat *stat)
{
    char created[UNITS_TIME_BYTES], modified[UNITS_TIME_BYTES];
    units_format_time(stat->created_ms, created);
    units_format_time(stat->modified_ms, modified);
    printf("path                 %s\n", path);
    if (stat->owner_session != 0)
        printf("kind                 ephemeral, of session %" PRIu64 "\n", stat->owner_session);
    else
        printf("kind                 permanent\n");
    printf("content              %" PRIu32 " bytes, checksum %016" PRIx64 "\n", stat->content_bytes,
           stat->content_checksum);
    printf("children             %" PRIu32 "\n", stat->children_count);
    printf("lock                 %s, %" PRIu32 " holding, %" PRIu32 " waiting%s\n", lock_word(stat),
           stat->lock_holders_count, stat->lock_waiters_count,
           stat->lock_delayed ? ", delayed" : "");
    printf("instance             %" PRIu64 "\n", stat->instance);
    printf("content generation   %" PRIu64 "\n", stat->content_generation);
    printf("lock generation      %" PRIu64 "\n", stat->lock_generation);
    printf("children generation  %" PRIu64 "\n", stat->children_generation);
    printf("modified revision    %" PRIu64 "\n", stat->modified_revision);
    printf("created              %s\n", created);
    printf("modified             %s\n", modified);
}

int node_stat(struct cell *cell, const struct arguments *a)
{
    struct reading r;
    int code = read_node(cell, a, &r);
    if (code != EXIT_DONE)
        return code;
    if (a->format == OUTPUT_JSON) {
        json_finish(reading_json(a, &r, false), false, stdout);
    } else {
        print_stat(a->operands[0], &r.stat);
        say_revision(a, r.revision);
    }
    coord_free(r.content);
    return EXIT_DONE;
}

/* ---- ls ---- */

/* What a listing goes into, and the folders that are still to be listed. */
struct listing {
    const struct arguments *a;
    struct table table;
    cJSON *entries;
    uint64_t revision;
    char **folders; /* owned, and each of them; used as a stack */
    size_t folders_count, folders_capacity;
};

static void push_folder(struct listing *l, char *path)
{
    if (l->folders_count == l->folders_capacity) {
        l->folders_capacity = l->folders_capacity > 0 ? 2 * l->folders_capacity : 16;
        l->folders = memory_resize(l->folders, l->folders_capacity, sizeof(*l->folders));
    }
    l->folders[l->folders_count++] = path;
}

static void add_details(struct table *t, const char *name, const coord_stat *stat)
{
    char modified[UNITS_TIME_BYTES];
    units_format_time(stat->modified_ms, modified);
    table_add(t, "%s", stat->owner_session != 0 ? "ephemeral" : "permanent");
    table_add(t, "%" PRIu32, stat->content_bytes);
    table_add(t, "%" PRIu32, stat->children_count);
    table_add(t, "%" PRIu64, stat->content_generation);
    table_add(t, "%s", lock_word(stat));
    table_add(t, "%s", modified);
    table_add(t, "%s", name);
}

static void add_entry(struct listing *l, const char *folder, const coord_entry *entry)
{
    const char *slash = strcmp(folder, "/") == 0 ? "" : "/";
    char *path = memory_join(folder, slash, entry->name);
    /* A recursive listing names paths, for names alone would not tell where. */
    const char *shown = l->a->recursive ? path : entry->name;
    if (l->a->format == OUTPUT_JSON) {
        cJSON *object = cJSON_CreateObject();
        json_add_text(object, "name", entry->name);
        json_add_text(object, "path", path);
        json_add_stat(object, &entry->stat);
        cJSON_AddItemToArray(l->entries, object);
    } else if (l->a->details) {
        add_details(&l->table, shown, &entry->stat);
    } else {
        table_add(&l->table, "%s", shown);
    }
    if (l->a->recursive && entry->stat.children_count > 0)
        push_folder(l, path);
    else
        free(path);
}

static coord_error list_page(struct cell *cell, const struct arguments *a, const char *folder,
                             const char *after, coord_listing **ret)
{
    coord_read_options options = COORD_READ_OPTIONS_INIT;
    options.freshness = a->quorum ? COORD_QUORUM : COORD_LEASE;
    if (a->stale)
        return coord_list_stale(cell->client, folder, after, 0, a->deadline_ms, ret);
    return coord_list_with(cell->session, folder, after, 0, &options, a->deadline_ms, ret);
}

static coord_error list_folder(struct cell *cell, struct listing *l, const char *folder)
{
    char *after = NULL;
    coord_error error;
    for (bool more = true; more;) {
        coord_listing *page;
        error = list_page(cell, l->a, folder, after, &page);
        if (error != COORD_OK)
            break;
        for (size_t i = 0; i < page->count; i++)
            add_entry(l, folder, &page->entries[i]);
        l->revision = page->revision;
        more = page->more && page->count > 0;
        free(after);
        after = more ? memory_join(page->entries[page->count - 1].name, "", "") : NULL;
        coord_listing_free(page);
    }
    free(after);
    return error;
}

static int list_all(struct cell *cell, struct listing *l, const char *path)
{
    push_folder(l, memory_join(path, "", ""));
    while (l->folders_count > 0) {
        char *folder = l->folders[--l->folders_count];
        bool is_first = strcmp(folder, path) == 0;
        coord_error error = list_folder(cell, l, folder);
        /* A folder below that was deleted meanwhile is simply not there. */
        bool vanished = error == COORD_ERR_NO_NODE && !is_first;
        int code = error == COORD_OK || vanished ? EXIT_DONE : cell_refused(cell, folder, error);
        free(folder);
        if (code != EXIT_DONE)
            return code;
    }
    return EXIT_DONE;
}

int node_list(struct cell *cell, const struct arguments *a)
{
    static const char *const titles[] = {"KIND", "BYTES",    "CHILDREN", "GENERATION",
                                         "LOCK", "MODIFIED", "NAME"};
    enum { TITLES_COUNT = sizeof(titles) / sizeof(titles[0]) };

    const char *path = a->operands[0];
    int code = a->stale ? cell_need_client(cell) : cell_need_session(cell);
    if (code != EXIT_DONE)
        return code;
    struct listing l = {.a = a, .entries = cJSON_CreateArray()};
    table_init(&l.table, a->details ? TITLES_COUNT : 1);
    for (size_t i = 0; a->details && i < TITLES_COUNT; i++)
        table_add(&l.table, "%s", titles[i]);

    code = list_all(cell, &l, path);
    if (code == EXIT_DONE && a->format == OUTPUT_JSON) {
        cJSON *object = cJSON_CreateObject();
        json_add_text(object, "path", path);
        json_add_u64(object, "revision", l.revision);
        json_add_bool(object, "stale", a->stale);
        cJSON_AddItemToObject(object, "entries", l.entries);
        l.entries = NULL;
        json_finish(object, false, stdout);
    } else if (code == EXIT_DONE) {
        table_print(&l.table, stdout);
        say_revision(a, l.revision);
    }
    cJSON_Delete(l.entries);
    table_release(&l.table);
    while (l.folders_count > 0)
        free(l.folders[--l.folders_count]);
    free(l.folders);
    return code;
}
