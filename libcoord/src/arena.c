/* arena.c - chunks that double; an allocation bumps a cursor in the newest. */
#include "libcoord/src/arena.h"

#include <stdint.h>
#include <stdlib.h>

#include "libcoord/base/check.h"

enum { ARENA_CHUNK_BYTES = 16 * 1024, ARENA_ALIGN = 16 };

struct client_arena_chunk {
    struct client_arena_chunk *older;
    size_t used, capacity;
    _Alignas(ARENA_ALIGN) uint8_t data[];
};

static void *arena_alloc(void *context, size_t size)
{
    struct client_arena *a = context;
    size = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (size > a->total_bytes_max || a->total_bytes > a->total_bytes_max - size)
        return NULL;
    struct client_arena_chunk *c = a->chunks;
    if (c == NULL || size > c->capacity - c->used) {
        size_t capacity = c == NULL ? ARENA_CHUNK_BYTES : 2 * c->capacity;
        if (capacity < size)
            capacity = size;
        struct client_arena_chunk *newer = check_malloc(sizeof *newer + capacity);
        newer->older = c;
        newer->used = 0;
        newer->capacity = capacity;
        a->chunks = c = newer;
    }
    void *p = c->data + c->used;
    c->used += size;
    a->total_bytes += size;
    return p;
}

static void arena_free(void *context, void *pointer)
{
    (void)context; /* all at once, in client_arena_reset */
    (void)pointer;
}

void client_arena_init(struct client_arena *a, size_t total_bytes_max)
{
    *a = (struct client_arena){
        .allocator = {.alloc = arena_alloc, .free = arena_free, .allocator_data = a},
        .total_bytes_max = total_bytes_max,
    };
}

static void arena_drop(struct client_arena *a, struct client_arena_chunk *keep)
{
    for (struct client_arena_chunk *c = a->chunks, *older; c != NULL; c = older) {
        older = c->older;
        if (c != keep)
            free(c);
    }
    a->chunks = keep;
    a->total_bytes = 0;
}

void client_arena_reset(struct client_arena *a)
{
    /* One large message must not hold its memory for ever. */
    struct client_arena_chunk *keep = a->chunks;
    while (keep != NULL && keep->capacity > 4 * (size_t)ARENA_CHUNK_BYTES)
        keep = keep->older;
    arena_drop(a, keep);
    if (keep != NULL) {
        keep->used = 0;
        keep->older = NULL;
    }
}

void client_arena_release(struct client_arena *a)
{
    arena_drop(a, NULL);
}
