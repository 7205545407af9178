/* arena.h - memory that is given back all at once.
 *
 * What a batch is decoded into, and what its answers and events are packed into,
 * lives exactly until the next batch; what a client's step shows, until the next step.
 * Taking is moving a pointer; an arena that was used once has, when it is reset, one
 * chunk as large as was needed, up to a bound, so a steady load allocates nothing.
 *
 * The bound caps what a decoder can be made to allocate: a packed message of
 * hostile make grows sixty times when it is unpacked. */
#ifndef COORD_BASE_ARENA_H
#define COORD_BASE_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

struct arena_chunk;
struct arena {
    struct arena_chunk *chunks; /* owned; the newest first */
    size_t used;                /* of the newest */
    size_t taken_bytes, max_bytes, kept_bytes_max;
};

/* What is kept by default, for an arena of which there is one. */
enum { ARENA_KEPT_BYTES_MAX = 1024 * 1024 };

/* Takes no memory yet. At most max_bytes are given out between two resets. */
void arena_init(struct arena *a, size_t max_bytes);
/* For one of many: when it is reset it holds on to at most kept_bytes_max. */
void arena_init_small(struct arena *a, size_t max_bytes, size_t kept_bytes_max);
void arena_release(struct arena *a);
/* Everything taken is gone. */
void arena_reset(struct arena *a);

/* Aligned for any object, uninitialised. NULL at the bound. */
void *arena_try(struct arena *a, size_t size_bytes);
/* The same, but passing the bound is a bug. */
void *arena_take(struct arena *a, size_t size_bytes);

/* For unpacking into the arena, which it borrows; gives NULL at the bound. */
ProtobufCAllocator arena_allocator(struct arena *a);

#endif
