/* node_tree.c - tree: all that is below a node. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/coordctl/command.h"
#include "tools/coordctl/memory.h"
#include "tools/coordctl/output.h"

enum { LEVELS_MAX = 64 }; /* of a path, and so of our recursion */

struct page {
    coord_listing *listing; /* owned */
};

/* All pages of one folder. */
struct folder {
    struct page *pages; /* owned */
    size_t count;
};

static void folder_release(struct folder *f)
{
    for (size_t i = 0; i < f->count; i++)
        coord_listing_free(f->pages[i].listing);
    free(f->pages);
    *f = (struct folder){0};
}

static coord_error folder_read(struct cell *cell, const char *path, struct folder *f)
{
    const char *after = NULL; /* in the page before */
    for (bool more = true; more;) {
        coord_listing *page;
        coord_error error = coord_list(cell->session, path, after, 0, cell->deadline_ms, &page);
        if (error != COORD_OK) {
            folder_release(f);
            return error;
        }
        if (page->count == 0 && f->count > 0) { /* what came last is the last */
            coord_listing_free(page);
            break;
        }
        f->pages = memory_resize(f->pages, f->count + 1, sizeof(*f->pages));
        f->pages[f->count++].listing = page;
        more = page->more && page->count > 0;
        after = more ? page->entries[page->count - 1].name : NULL;
    }
    return COORD_OK;
}

struct drawing {
    struct cell *cell;
    const struct arguments *a;
};

static void print_details(const coord_stat *stat)
{
    printf("  (%s%" PRIu32 " bytes, generation %" PRIu64 "%s%s)",
           stat->owner_session != 0 ? "ephemeral, " : "", stat->content_bytes,
           stat->content_generation, stat->lock_holders_count > 0 ? ", locked " : "",
           stat->lock_holders_count > 0 ? lock_word(stat) : "");
}

static int draw_below(const struct drawing *d, const char *path, const char *indent, uint32_t level,
                      cJSON *children);

static int draw_entry(const struct drawing *d, const char *path, const char *indent, bool is_last,
                      uint32_t level, const coord_entry *entry, cJSON *siblings)
{
    char *whole = memory_join(path, strcmp(path, "/") == 0 ? "" : "/", entry->name);
    char *below = memory_join(indent, is_last ? "    " : "│   ", "");
    cJSON *children = NULL;
    if (siblings != NULL) {
        cJSON *object = cJSON_CreateObject();
        children = cJSON_CreateArray();
        json_add_text(object, "name", entry->name);
        json_add_text(object, "path", whole);
        json_add_stat(object, &entry->stat);
        cJSON_AddItemToObject(object, "children", children);
        cJSON_AddItemToArray(siblings, object);
    } else {
        printf("%s%s%s", indent, is_last ? "└── " : "├── ", entry->name);
        if (d->a->details)
            print_details(&entry->stat);
        putchar('\n');
    }
    int code = EXIT_DONE;
    if (entry->stat.children_count > 0 && level < LEVELS_MAX)
        code = draw_below(d, whole, below, level + 1, children);
    free(below);
    free(whole);
    return code;
}

/* What was deleted since its parent was listed is empty. */
static int draw_below(const struct drawing *d, const char *path, const char *indent, uint32_t level,
                      cJSON *children)
{
    struct folder f = {0};
    coord_error error = folder_read(d->cell, path, &f);
    if (error == COORD_ERR_NO_NODE && level > 0)
        return EXIT_DONE;
    if (error != COORD_OK)
        return cell_refused(d->cell, path, error);
    int code = EXIT_DONE;
    for (size_t p = 0; p < f.count && code == EXIT_DONE; p++) {
        const coord_listing *page = f.pages[p].listing;
        for (size_t i = 0; i < page->count && code == EXIT_DONE; i++) {
            bool is_last = p + 1 == f.count && i + 1 == page->count;
            code = draw_entry(d, path, indent, is_last, level, &page->entries[i], children);
        }
    }
    folder_release(&f);
    return code;
}

int node_tree(struct cell *cell, const struct arguments *a)
{
    const char *path = a->operands_count > 0 ? a->operands[0] : "/";
    int code = cell_need_session(cell);
    if (code != EXIT_DONE)
        return code;
    const struct drawing d = {.cell = cell, .a = a};
    coord_stat stat;
    coord_error error = coord_stat_get(cell->session, path, a->deadline_ms, &stat);
    if (error != COORD_OK)
        return cell_refused(cell, path, error);
    if (a->format != OUTPUT_JSON) {
        fputs(path, stdout);
        if (a->details)
            print_details(&stat);
        putchar('\n');
        return draw_below(&d, path, "", 0, NULL);
    }
    cJSON *object = cJSON_CreateObject(), *children = cJSON_CreateArray();
    json_add_text(object, "path", path);
    json_add_stat(object, &stat);
    cJSON_AddItemToObject(object, "children", children);
    code = draw_below(&d, path, "", 0, children);
    if (code == EXIT_DONE)
        json_finish(object, false, stdout);
    else
        cJSON_Delete(object);
    return code;
}
