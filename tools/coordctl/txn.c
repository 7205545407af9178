/* txn.c - txn: checks and changes from a file, all or none. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/coordctl/command.h"
#include "tools/coordctl/memory.h"
#include "tools/coordctl/output.h"
#include "tools/coordctl/txn_script.h"

_Static_assert((int)TXN_PARTS_MAX == (int)COORD_TXN_PARTS_MAX, "as many as the library takes");

/* Four times what a transaction can hold: each byte may be written as \xHH. */
enum { FILE_BYTES_MAX = 20 * 1024 * 1024, READ_BYTES = 64 * 1024 };

/* All of the file, to be freed; NULL after a message. */
static char *read_file(const char *name, size_t *ret_length)
{
    bool is_input = strcmp(name, "-") == 0;
    FILE *file = is_input ? stdin : fopen(name, "rb");
    if (file == NULL) {
        fprintf(stderr, "coordctl: %s: %s\n", name, strerror(errno));
        return NULL;
    }
    char *text = NULL;
    size_t length = 0, got;
    do {
        text = memory_resize(text, length + READ_BYTES, 1);
        got = fread(text + length, 1, READ_BYTES, file);
        length += got;
    } while (got > 0 && length <= FILE_BYTES_MAX);
    const char *wrong = NULL;
    if (ferror(file))
        wrong = "cannot be read";
    else if (length > FILE_BYTES_MAX)
        wrong = "is too large";
    if (!is_input)
        fclose(file);
    if (wrong == NULL) {
        *ret_length = length;
        return text;
    }
    fprintf(stderr, "coordctl: %s: %s\n", name, wrong);
    free(text);
    return NULL;
}

static coord_error add_change(coord_txn *txn, const struct txn_part *p)
{
    coord_write_options options = COORD_WRITE_OPTIONS_INIT;
    options.if_content_generation = p->generation;
    options.if_sequencer = p->sequencer;
    options.flags = (p->parents ? COORD_PARENTS : 0) | (p->sequential ? COORD_SEQUENTIAL : 0);
    switch (p->verb) {
    case TXN_PUT: /* a node that is not there has no generation that could be met */
        options.flags |= p->generation == 0 ? COORD_CREATE : 0;
        return coord_txn_set(txn, p->path, p->value, p->value_length, &options);
    case TXN_CREATE:
        return coord_txn_create(txn, p->path, p->value, p->value_length, &options);
    default:
        return coord_txn_delete(txn, p->path, &options);
    }
}

static coord_error add(coord_txn *txn, const struct txn_part *p)
{
    switch (p->verb) {
    case TXN_CHECK_EXISTS:
        return coord_txn_check_exists(txn, p->path, 0);
    case TXN_CHECK_ABSENT:
        return coord_txn_check_absent(txn, p->path);
    case TXN_CHECK_GENERATION:
        return coord_txn_check_generation(txn, p->path, p->generation);
    case TXN_CHECK_SEQUENCER:
        return coord_txn_check_sequencer(txn, p->sequencer);
    default:
        return add_change(txn, p);
    }
}

/* "FILE:LINE: put /a: why". */
static int refused_at(const struct cell *cell, const char *name, const struct txn_part *p,
                      coord_error error)
{
    char line[32];
    snprintf(line, sizeof(line), ":%" PRIu32 ": ", p->line);
    char *place = memory_join(name, line, txn_verb_words(p->verb));
    char *subject = memory_join(place, " ", p->path != NULL ? p->path : p->sequencer);
    int code = cell_refused_write(cell, subject, p->path, error);
    free(subject);
    free(place);
    return code;
}

/* The part of that place: from 1, checks first. */
static const struct txn_part *part_at(const struct txn_script *s, uint32_t place)
{
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < s->count; i++)
            if (txn_is_check(s->parts[i].verb) == (pass == 0) && --place == 0)
                return &s->parts[i];
    return NULL;
}

static uint32_t checks_count(const struct txn_script *s)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->count; i++)
        count += txn_is_check(s->parts[i].verb);
    return count;
}

static void report_json(const struct txn_script *s, const coord_txn_result *result)
{
    cJSON *object = cJSON_CreateObject(), *nodes = cJSON_CreateArray();
    json_add_u64(object, "revision", result->revision);
    for (size_t i = 0; i < result->count; i++) {
        const coord_txn_node *n = &result->nodes[i];
        const struct txn_part *p = part_at(s, checks_count(s) + (uint32_t)i + 1);
        cJSON *node = cJSON_CreateObject();
        json_add_text(node, "path", n->path);
        json_add_u64(node, "line", p != NULL ? p->line : 0);
        json_add_text(node, "change", p != NULL ? txn_verb_words(p->verb) : "");
        if (n->stat.size != 0)
            json_add_stat(node, &n->stat);
        cJSON_AddItemToArray(nodes, node);
    }
    cJSON_AddItemToObject(object, "nodes", nodes);
    json_finish(object, false, stdout);
}

static void report(const struct arguments *a, const struct txn_script *s,
                   const coord_txn_result *result)
{
    if (a->format == OUTPUT_JSON) {
        report_json(s, result);
        return;
    }
    printf("%s%" PRIu64 "\n", a->format == OUTPUT_RAW ? "" : "revision  ", result->revision);
    for (size_t i = 0; i < result->count && a->format == OUTPUT_TABLE; i++) {
        const coord_txn_node *n = &result->nodes[i];
        if (n->stat.size != 0)
            printf("%s  generation %" PRIu64 "\n", n->path, n->stat.content_generation);
        else
            printf("%s  deleted\n", n->path);
    }
}

static int commit(struct cell *cell, const struct arguments *a, const struct txn_script *s,
                  coord_txn *txn)
{
    for (uint32_t i = 0; i < s->count; i++) {
        coord_error error = add(txn, &s->parts[i]);
        if (error != COORD_OK)
            return refused_at(cell, a->file, &s->parts[i], error);
    }
    coord_txn_result *result = NULL;
    coord_error error = coord_txn_commit(txn, a->deadline_ms, &result);
    const struct txn_part *failed =
        result != NULL && result->failed != 0 ? part_at(s, result->failed) : NULL;
    int code = EXIT_DONE;
    if (failed != NULL)
        code = refused_at(cell, a->file, failed, error);
    else if (error != COORD_OK)
        code = cell_refused(cell, a->file, error);
    else if (result != NULL) /* which it always is then */
        report(a, s, result);
    coord_txn_result_free(result);
    return code;
}

static int run(struct cell *cell, const struct arguments *a, const struct txn_script *s)
{
    coord_txn *txn;
    int code = cell_need_session(cell);
    if (code != EXIT_DONE)
        return code;
    coord_error error = coord_txn_new(cell->session, &txn);
    if (error != COORD_OK)
        return cell_refused(cell, a->file, error);
    code = commit(cell, a, s, txn);
    coord_txn_free(txn);
    return code;
}

int txn_run(struct cell *cell, const struct arguments *a)
{
    struct txn_script script;
    char why[TXN_WHY_BYTES];
    uint32_t line;
    size_t length;
    char *text = read_file(a->file, &length);
    if (text == NULL)
        return EXIT_REFUSED;
    int code = EXIT_USAGE;
    if (txn_script_parse(&script, text, length, &line, why))
        code = run(cell, a, &script);
    else
        fprintf(stderr, "coordctl: %s:%" PRIu32 ": %s\n", a->file, line, why);
    txn_script_release(&script);
    free(text);
    return code;
}
