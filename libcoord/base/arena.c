/* arena.c - see arena.h. */
#include "libcoord/base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#include "libcoord/base/check.h"
#include "libcoord/base/units.h"

enum { ARENA_CHUNK_BYTES_MIN = 16 * KIB };

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    alignas(max_align_t) uint8_t data[];
};

void arena_init_small(struct arena *a, size_t max_bytes, size_t kept_bytes_max)
{
    *a = (struct arena){.max_bytes = max_bytes, .kept_bytes_max = kept_bytes_max};
}

void arena_init(struct arena *a, size_t max_bytes)
{
    arena_init_small(a, max_bytes, ARENA_KEPT_BYTES_MAX);
}

static void free_chunks(struct arena *a)
{
    while (a->chunks != NULL) {
        struct arena_chunk *next = a->chunks->next;
        free(a->chunks);
        a->chunks = next;
    }
    a->used = 0;
}

void arena_release(struct arena *a)
{
    free_chunks(a);
    a->taken_bytes = 0;
}

static void add_chunk(struct arena *a, size_t size)
{
    struct arena_chunk *chunk = check_malloc(sizeof *chunk + size);
    chunk->next = a->chunks;
    chunk->size = size;
    a->chunks = chunk;
    a->used = 0;
}

void arena_reset(struct arena *a)
{
    /* More than one chunk, or one too large: next time one of the right size. */
    if (a->chunks != NULL && (a->chunks->next != NULL || a->chunks->size > a->kept_bytes_max)) {
        size_t wanted = a->taken_bytes;
        free_chunks(a);
        if (wanted <= a->kept_bytes_max / 2)
            add_chunk(a, wanted * 2);
    }
    a->used = 0;
    a->taken_bytes = 0;
}

void *arena_try(struct arena *a, size_t size_bytes)
{
    if (size_bytes > a->max_bytes - a->taken_bytes)
        return NULL;
    size_t aligned = (size_bytes + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (aligned == 0)
        aligned = alignof(max_align_t);
    if (aligned > a->max_bytes - a->taken_bytes)
        return NULL;
    if (a->chunks == NULL || aligned > a->chunks->size - a->used) {
        size_t size = a->taken_bytes; /* doubles what there is */
        if (size < ARENA_CHUNK_BYTES_MIN)
            size = ARENA_CHUNK_BYTES_MIN;
        add_chunk(a, size < aligned ? aligned : size);
    }
    void *taken = a->chunks->data + a->used;
    a->used += aligned;
    a->taken_bytes += aligned;
    return taken;
}

void *arena_take(struct arena *a, size_t size_bytes)
{
    void *taken = arena_try(a, size_bytes);
    CHECK(taken != NULL);
    return taken;
}

static void *allocator_alloc(void *arena, size_t size)
{
    return arena_try(arena, size);
}

static void allocator_free(void *arena, void *pointer)
{
    (void)arena;
    (void)pointer;
}

ProtobufCAllocator arena_allocator(struct arena *a)
{
    return (ProtobufCAllocator){
        .alloc = allocator_alloc, .free = allocator_free, .allocator_data = a};
}
