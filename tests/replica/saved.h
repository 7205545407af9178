/* saved.h - what a member of a played cell has saved of its state: the durable
 * checkpoint, the one being written, and those that somebody reads. Instant. */
#ifndef COORD_TESTS_REPLICA_SAVED_H
#define COORD_TESTS_REPLICA_SAVED_H

#include "coordd/replica/effects.h"

enum { SAVED_RECORDS_MAX = 1024, SAVED_CHUNK_BYTES = 2048 };

struct saved_record {
    struct buffer key, value;
};

struct image {
    uint64_t slot; /* 0: there is none */
    struct buffer about;
    struct saved_record records[SAVED_RECORDS_MAX]; /* by key */
    uint32_t count;
};

struct saved_reader {
    uint64_t token; /* 0: free */
    struct image *image;
    uint32_t next;
};

struct saved {
    struct image durable;
    struct image *writing; /* NULL: none is under way */
    struct saved_reader readers[CHECKPOINT_READERS_MAX];
};

/* Does what the effect asks, if it is for this; *ret_event is then what to tell, or
 * TIME for nothing, and *chunk holds what it borrows. */
bool saved_do(struct saved *s, const struct effect *e, struct replica_event *ret_event,
              struct buffer *chunk);
void saved_crash(struct saved *s);
void saved_release(struct saved *s);

#endif
