/* chunk.h - records on their way to and from a checkpoint.
 *
 *   kind (1 byte: 0 removed, 1 put), key length (4), key; of one that is put:
 *   value length (4), value
 *
 * Little-endian. Pure. */
#ifndef COORD_REPLICA_CHUNK_H
#define COORD_REPLICA_CHUNK_H

#include "libcoord/base/bytes.h"

/* Records end a chunk at this size; one that is larger is a chunk alone. */
enum { CHUNK_BYTES = 256 * 1024 };

void chunk_put(struct buffer *chunk, struct slice key, struct slice value);
void chunk_remove(struct buffer *chunk, struct slice key);

struct chunk_record {
    bool removed;
    struct slice key, value; /* borrowed from the chunk */
};
/* The next record of what is left in *r; false at the end, or when what is left is
 * no record: reader_done(r) tells which. */
bool chunk_next(struct reader *r, struct chunk_record *ret);

#endif
