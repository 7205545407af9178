/* chunk.c - see chunk.h. */
#include "coordd/replica/chunk.h"

enum { RECORD_REMOVED = 0, RECORD_PUT = 1 };

void chunk_put(struct buffer *chunk, struct slice key, struct slice value)
{
    buffer_put_u8(chunk, RECORD_PUT);
    buffer_put_slice(chunk, key);
    buffer_put_slice(chunk, value);
}

void chunk_remove(struct buffer *chunk, struct slice key)
{
    buffer_put_u8(chunk, RECORD_REMOVED);
    buffer_put_slice(chunk, key);
}

bool chunk_next(struct reader *r, struct chunk_record *ret)
{
    uint8_t kind;

    if (r->failed || r->left == 0)
        return false;
    kind = reader_u8(r);
    ret->removed = kind == RECORD_REMOVED;
    ret->key = reader_slice(r);
    ret->value = ret->removed ? slice_of(NULL, 0) : reader_slice(r);
    if (kind > RECORD_PUT)
        r->failed = true;
    return !r->failed;
}
