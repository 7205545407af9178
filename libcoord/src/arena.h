/* arena.h - memory for one decoded message, freed all at once, with a cap: a few
 * bytes on the wire may ask for many in memory.
 *
 * At the cap an allocation fails, and the decoder with it. */
#ifndef LIBCOORD_ARENA_H
#define LIBCOORD_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

struct client_arena_chunk;

struct client_arena {
    ProtobufCAllocator allocator;      /* to be passed to unpack functions */
    struct client_arena_chunk *chunks; /* owned; the newest first */
    size_t total_bytes, total_bytes_max;
};

void client_arena_init(struct client_arena *a,
                       size_t total_bytes_max);  /* `a` must not be moved afterwards */
void client_arena_reset(struct client_arena *a); /* keeps one chunk for the next message */
void client_arena_release(struct client_arena *a);

#endif
