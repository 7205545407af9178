/* node_write.c - put, create, mkdir, rm. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/coordctl/command.h"
#include "tools/coordctl/memory.h"
#include "tools/coordctl/output.h"
#include "tools/coordctl/signals.h"

/* More than any cell allows, so that a longer input is not read to its end. */
enum {
    CONTENT_BYTES_TAKEN = 256 * 1024, /* by a cell, as servers are built */
    CONTENT_BYTES_MAX = 1024 * 1024,  /* by any; what is longer is not even read */
    READ_BYTES = 64 * 1024,
};

/* All of standard input, to be freed; NULL and a message if it cannot be had. */
static char *read_input(size_t *ret_length)
{
    char *content = NULL;
    size_t length = 0;
    for (;;) {
        content = memory_resize(content, length + READ_BYTES, 1);
        size_t got = fread(content + length, 1, READ_BYTES, stdin);
        length += got;
        if (length > CONTENT_BYTES_MAX) {
            fprintf(stderr, "coordctl: standard input: more than %d bytes, and a cell takes %d\n",
                    CONTENT_BYTES_MAX, CONTENT_BYTES_TAKEN);
            break;
        }
        if (got > 0)
            continue;
        if (ferror(stdin)) {
            fputs("coordctl: standard input: cannot be read\n", stderr);
            break;
        }
        *ret_length = length;
        return content;
    }
    free(content);
    return NULL;
}

/* The second operand, or standard input for "-"; without one, `otherwise` or,
 * where that is NULL, standard input. To be freed; NULL after a message. */
static char *content_of(const struct arguments *a, const char *otherwise, size_t *ret_length)
{
    const char *text = a->operands_count > 1 ? a->operands[1] : otherwise;
    if (text == NULL || (a->operands_count > 1 && strcmp(text, "-") == 0))
        return read_input(ret_length);
    *ret_length = strlen(text);
    return memory_join(text, "", "");
}

static int refused(const struct cell *cell, const char *path, size_t length, coord_error error)
{
    char detail[96];
    if (error != COORD_ERR_TOO_LARGE || length <= CONTENT_BYTES_TAKEN)
        return cell_refused_write(cell, path, path, error);
    snprintf(detail, sizeof(detail), "the content has %zu bytes, and a cell takes %d", length,
             CONTENT_BYTES_TAKEN);
    return cell_refused_with(cell, path, error, detail);
}

static void report(const struct arguments *a, const char *path, const coord_stat *stat)
{
    if (a->format == OUTPUT_JSON) {
        cJSON *object = cJSON_CreateObject();
        json_add_text(object, "path", path);
        json_add_stat(object, stat);
        json_finish(object, a->ephemeral, stdout);
    } else {
        /* Raw is the number alone, for --if-gen of the next write; or the name, where that
         * was not known before. */
        bool is_table = a->format == OUTPUT_TABLE;
        if (is_table || a->sequential)
            printf("%s%s", path, is_table ? "  generation " : "\n");
        if (is_table || !a->sequential)
            printf("%" PRIu64 "\n", stat->content_generation);
    }
}

int node_put(struct cell *cell, const struct arguments *a)
{
    const char *path = a->operands[0];
    size_t length;
    char *content = content_of(a, NULL, &length);
    if (content == NULL)
        return EXIT_REFUSED;
    int code = cell_need_session(cell);
    if (code == EXIT_DONE) {
        coord_write_options options = COORD_WRITE_OPTIONS_INIT;
        options.if_content_generation = a->if_generation;
        options.if_sequencer = a->if_sequencer;
        /* A node that is not there has no generation that could be met. */
        options.flags = a->if_generation == 0 ? COORD_CREATE : 0;
        options.flags |= a->parents ? COORD_PARENTS : 0;
        coord_stat stat;
        coord_error error =
            coord_set(cell->session, path, content, length, &options, a->deadline_ms, &stat);
        if (error == COORD_OK)
            report(a, path, &stat);
        else
            code = refused(cell, path, length, error);
    }
    free(content);
    return code;
}

/* *ret_path is the whole name of what was made, to be freed with coord_free; NULL: as
 * it was given. */
static coord_error create(struct cell *cell, const struct arguments *a, const char *content,
                          size_t length, coord_stat *ret_stat, char **ret_path)
{
    coord_write_options options = COORD_WRITE_OPTIONS_INIT;
    options.if_sequencer = a->if_sequencer;
    options.flags = (a->ephemeral ? COORD_EPHEMERAL : 0) | (a->parents ? COORD_PARENTS : 0);
    *ret_path = NULL;
    if (a->sequential)
        return coord_create_sequential(cell->session, a->operands[0], content, length, &options,
                                       a->deadline_ms, ret_stat, ret_path);
    return coord_create(cell->session, a->operands[0], content, length, &options, a->deadline_ms,
                        ret_stat);
}

/* An ephemeral node lives as long as its session, so we stay. */
static int stay(const struct cell *cell, const char *path)
{
    (void)output_flush();
    for (;;) {
        if (signals_is_end(signals_wait(-1)))
            return EXIT_DONE;
        if (atomic_load(&cell->session_lost)) {
            fprintf(stderr, "coordctl: %s: lost: the session expired\n", path);
            return EXIT_LOST;
        }
    }
}

int node_create(struct cell *cell, const struct arguments *a)
{
    size_t length;
    char *content = content_of(a, "", &length);
    if (content == NULL)
        return EXIT_REFUSED;
    if (a->ephemeral)
        signals_hold();
    int code = cell_need_session(cell);
    if (code == EXIT_DONE) {
        coord_stat stat;
        char *made;
        coord_error error = create(cell, a, content, length, &stat, &made);
        const char *path = made != NULL ? made : a->operands[0];
        if (error == COORD_OK)
            report(a, path, &stat);
        code = error == COORD_OK ? EXIT_DONE : refused(cell, path, length, error);
        if (error == COORD_OK && a->ephemeral)
            code = stay(cell, path);
        coord_free(made);
    }
    free(content);
    return code;
}

int node_make_directory(struct cell *cell, const struct arguments *a)
{
    const char *path = a->operands[0];
    int code = cell_need_session(cell);
    if (code != EXIT_DONE)
        return code;
    coord_stat stat;
    char *none;
    coord_error error = create(cell, a, "", 0, &stat, &none);
    if (error == COORD_ERR_NODE_EXISTS && a->parents)
        error = coord_stat_get(cell->session, path, a->deadline_ms, &stat);
    if (error != COORD_OK)
        return cell_refused(cell, path, error);
    if (a->format == OUTPUT_JSON)
        report(a, path, &stat);
    return EXIT_DONE;
}

/* ---- rm ---- */

/* Paths still to be deleted. A node whose children have been pushed is met again
 * after them. */
struct removal {
    struct cell *cell;
    const struct arguments *a;
    char **paths; /* owned, and each of them; a stack */
    size_t count, capacity;
};

static void push(struct removal *r, char *path)
{
    if (r->count == r->capacity) {
        r->capacity = r->capacity > 0 ? 2 * r->capacity : 16;
        r->paths = memory_resize(r->paths, r->capacity, sizeof(*r->paths));
    }
    r->paths[r->count++] = path;
}

static coord_error push_children(struct removal *r, const char *path)
{
    /* One page at a time: when these are gone the node is met again. */
    coord_listing *page;
    coord_error error = coord_list(r->cell->session, path, NULL, 0, r->a->deadline_ms, &page);
    if (error != COORD_OK)
        return error;
    for (size_t i = 0; i < page->count; i++)
        push(r, memory_join(path, strcmp(path, "/") == 0 ? "" : "/", page->entries[i].name));
    coord_listing_free(page);
    return COORD_OK;
}

static int remove_all(struct removal *r)
{
    while (r->count > 0) {
        size_t top = r->count - 1;
        bool is_first = top == 0;
        char *path = r->paths[top];
        coord_write_options options = COORD_WRITE_OPTIONS_INIT;
        options.if_content_generation = is_first ? r->a->if_generation : 0;
        coord_error error = coord_delete(r->cell->session, path, &options, r->a->deadline_ms);
        if (error == COORD_ERR_NOT_EMPTY && r->a->recursive) {
            error = push_children(r, path);
        } else if (error == COORD_OK || (error == COORD_ERR_NO_NODE && !is_first)) {
            error = COORD_OK; /* below the first, it may have been somebody else's doing */
            r->count--;
            free(path);
        }
        if (error != COORD_OK)
            return cell_refused_write(r->cell, path, path, error);
    }
    return EXIT_DONE;
}

int node_remove(struct cell *cell, const struct arguments *a)
{
    int code = cell_need_session(cell);
    if (code != EXIT_DONE)
        return code;
    struct removal r = {.cell = cell, .a = a};
    push(&r, memory_join(a->operands[0], "", ""));
    code = remove_all(&r);
    while (r.count > 0)
        free(r.paths[--r.count]);
    free(r.paths);
    return code;
}
