/* greeting.c - who calls, and may they?
 *
 *   coord-cell         32 hexadecimal digits; from a client too, if it knows
 *   coord-member       who speaks, decimal
 *   coord-incarnation  of the speaker's data directory, 16 hexadecimal digits
 *   coord-target       whom the dialler thinks it reached, decimal
 *
 * All that arrives is a stranger's until it is judged. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordd/rpc/link.h"

enum {
    CELL_TEXT_BYTES = 2 * REPLICA_CELL_ID_BYTES + 1,
    NUMBER_TEXT_BYTES = 24,
};

static void add(struct greeting *g, const char *key, const char *value)
{
    grpc_metadata *m = &g->list[g->count++];
    memset(m, 0, sizeof *m);
    m->key = grpc_slice_from_static_string(key);
    m->value = grpc_slice_from_copied_string(value);
}

void greeting_init(struct greeting *g, const struct rpc *rpc, uint32_t target)
{
    char cell[CELL_TEXT_BYTES], number[NUMBER_TEXT_BYTES];
    g->count = 0;
    hex_encode(rpc->cell, sizeof rpc->cell, cell);
    add(g, "coord-cell", cell);
    (void)snprintf(number, sizeof number, "%" PRIu32, rpc->self);
    add(g, "coord-member", number);
    (void)snprintf(number, sizeof number, "%016" PRIx64, rpc->incarnation);
    add(g, "coord-incarnation", number);
    (void)snprintf(number, sizeof number, "%" PRIu32, target);
    if (target != 0)
        add(g, "coord-target", number);
}

void greeting_release(struct greeting *g)
{
    for (size_t i = 0; i < g->count; i++)
        grpc_slice_unref(g->list[i].value);
}

/* The value of `key` as a string; false if it is missing or too long. */
static bool metadata_text(const grpc_metadata_array *metadata, const char *key, char *out,
                          size_t out_bytes)
{
    for (size_t i = 0; i < metadata->count; i++) {
        const grpc_metadata *m = &metadata->metadata[i];
        if (!rpc_slice_is(m->key, key))
            continue;
        size_t length = GRPC_SLICE_LENGTH(m->value);
        if (length >= out_bytes)
            return false;
        memcpy(out, GRPC_SLICE_START_PTR(m->value), length);
        out[length] = '\0';
        return true;
    }
    return false;
}

/* 0 if it is missing or no member id. */
static uint32_t metadata_member(const grpc_metadata_array *metadata, const char *key)
{
    char text[NUMBER_TEXT_BYTES];
    if (!metadata_text(metadata, key, text, sizeof text) || text[0] == '\0' ||
        text[strspn(text, "0123456789")] != '\0')
        return 0;
    unsigned long id = strtoul(text, NULL, 10);
    return id <= UINT16_MAX ? (uint32_t)id : 0;
}

static bool is_cell(const char *text)
{
    return strspn(text, "0123456789abcdef") == CELL_TEXT_BYTES - 1;
}

bool rpc_greeting_allows(const struct rpc *rpc, const grpc_metadata_array *metadata, char *why,
                         size_t why_bytes)
{
    char ours[CELL_TEXT_BYTES];
    bool member = false, wrong = false;
    hex_encode(rpc->cell, sizeof rpc->cell, ours);
    for (size_t i = 0; i < metadata->count; i++) {
        const grpc_metadata *m = &metadata->metadata[i];
        member |= rpc_slice_is(m->key, "coord-member"); /* which is judged more strictly */
        wrong |= rpc_slice_is(m->key, "coord-cell") && !rpc_slice_is(m->value, ours);
    }
    if (member || !wrong)
        return true;
    (void)snprintf(why, why_bytes, "wrong cell: this server is of %s", ours);
    return false;
}

uint32_t greeting_judge_caller(const struct rpc *rpc, const grpc_metadata_array *metadata,
                               char *why, size_t why_bytes)
{
    char theirs[CELL_TEXT_BYTES], ours[CELL_TEXT_BYTES], incarnation[NUMBER_TEXT_BYTES];
    uint8_t number[8];
    hex_encode(rpc->cell, sizeof rpc->cell, ours);
    uint32_t id = metadata_member(metadata, "coord-member");
    uint32_t target = metadata_member(metadata, "coord-target");
    if (id == 0 || target == 0 || !metadata_text(metadata, "coord-cell", theirs, sizeof theirs) ||
        !is_cell(theirs) ||
        !metadata_text(metadata, "coord-incarnation", incarnation, sizeof incarnation) ||
        !hex_decode(incarnation, number, sizeof number)) {
        (void)snprintf(why, why_bytes, "not a member of any cell: greeting incomplete");
        return 0;
    }
    if (strcmp(theirs, ours) != 0) {
        (void)snprintf(why, why_bytes, "wrong cell: member %" PRIu32 " of %s called %s", id, theirs,
                       ours);
        return 0;
    }
    if (target != rpc->self) {
        (void)snprintf(why, why_bytes,
                       "wrong member: member %" PRIu32 " called %" PRIu32 ", this is %" PRIu32, id,
                       target, rpc->self);
        return 0;
    }
    return id;
}

bool greeting_is_from(const struct rpc *rpc, const grpc_metadata_array *metadata, uint32_t id)
{
    char theirs[CELL_TEXT_BYTES], ours[CELL_TEXT_BYTES];
    hex_encode(rpc->cell, sizeof rpc->cell, ours);
    return metadata_member(metadata, "coord-member") == id &&
           metadata_text(metadata, "coord-cell", theirs, sizeof theirs) &&
           strcmp(theirs, ours) == 0;
}
