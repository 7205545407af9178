/* records.c - see records.h. */
#include "tests/fuzz/records.h"

#include <stdlib.h>
#include <string.h>

#include "coord/v1/replica.pb-c.h"
#include "tests/fuzz/fuzz.h"

const uint8_t records_cell[STATE_CELL_ID_BYTES] = {0xce, 0x11};

static void put(void *context, struct slice key, struct slice value)
{
    Coord__V1__Envelope record = COORD__V1__ENVELOPE__INIT;
    struct buffer bytes = BUFFER_INIT;
    struct fuzz_part part = {.op = 0};

    record.cell.data = (uint8_t *)(uintptr_t)key.data;
    record.cell.len = key.length;
    record.body.data = (uint8_t *)(uintptr_t)value.data;
    record.body.len = value.length;
    coord__v1__envelope__pack(&record,
                              buffer_extend(&bytes, coord__v1__envelope__get_packed_size(&record)));
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
    Coord__V1__Envelope *record =
        coord__v1__envelope__unpack(NULL, part->bytes.length, part->bytes.data);
    enum err e;

    if (record == NULL)
        return ERR_OK;
    /* Each lies in memory of its own. */
    e = state_load_record(s, slice_of(record->cell.data, record->cell.len),
                          slice_of(record->body.data, record->body.len));
    coord__v1__envelope__free_unpacked(record, NULL);
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
