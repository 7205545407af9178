/* records.c - see records.h. */
#include "tests/fuzz/records.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

const uint8_t records_cell[STATE_CELL_ID_BYTES] = {0xce, 0x11};

static void put(void *context, struct slice key, struct slice value)
{
    struct buffer bytes = BUFFER_INIT;
    struct fuzz_part part = {.arg = (uint8_t)(key.length < UINT8_MAX ? key.length : UINT8_MAX)};

    buffer_put(&bytes, key.data, key.length);
    buffer_put(&bytes, value.data, value.length);
    part.bytes = buffer_slice(&bytes);
    fuzz_put_part(context, &part);
    buffer_release(&bytes);
}

void records_put(const struct state *s, struct buffer *out)
{
    state_records(s, put, out);
}

static enum err load(struct state *s, const struct fuzz_part *part)
{
    size_t length = part->arg < part->bytes.length ? part->arg : part->bytes.length;
    struct slice key = slice_of(part->bytes.data, length);
    struct slice value = slice_of(part->bytes.data + length, part->bytes.length - length);
    uint8_t *key_copy = fuzz_copy(key), *value_copy = fuzz_copy(value);
    enum err e =
        state_load_record(s, slice_of(key_copy, length), slice_of(value_copy, value.length));

    free(key_copy);
    free(value_copy);
    return e;
}

struct state *records_load(struct slice parts)
{
    struct state *s = state_new(records_cell);
    struct fuzz_part part;

    while (fuzz_next(&parts, &part)) {
        if (load(s, &part) != ERR_OK) {
            state_free(s);
            return NULL;
        }
    }
    if (state_loaded(s) != ERR_OK) {
        state_free(s);
        return NULL;
    }
    return s;
}

struct rows {
    struct state *copy;
    bool failed;
};

static void load_row(void *context, struct slice key, struct slice value)
{
    struct rows *rows = context;

    if (!rows->failed)
        rows->failed = state_load_record(rows->copy, key, value) != ERR_OK;
}

void records_judge(const struct state *s)
{
    struct rows rows = {.copy = state_new(records_cell)};
    struct buffer before = BUFFER_INIT, after = BUFFER_INIT;
    uint64_t one[2], other[2];

    DEMAND(state_check(s) == NULL);
    state_records(s, load_row, &rows);
    DEMAND(!rows.failed && state_loaded(rows.copy) == ERR_OK);
    state_hash(s, one);
    state_hash(rows.copy, other);
    DEMAND(memcmp(one, other, sizeof one) == 0);
    records_put(s, &before);
    records_put(rows.copy, &after);
    DEMAND(slice_equal(buffer_slice(&before), buffer_slice(&after)));
    buffer_release(&before);
    buffer_release(&after);
    state_free(rows.copy);
}
