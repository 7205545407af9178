/* scratch.c - see scratch.h. */
#include "tests/sim/scratch.h"

#include <stdlib.h>

#include "libcoord/base/check.h"

static void *take(void *context, size_t size_bytes)
{
    struct scratch *a = context;
    size_t rounded = (size_bytes + 15) & ~(size_t)15;
    if (rounded <= sizeof(a->memory) - a->used) {
        void *p = a->memory + a->used;
        a->used += rounded;
        return p;
    }
    struct scratch_block *block = check_malloc(sizeof(*block) + rounded);
    block->next = a->blocks;
    a->blocks = block;
    return block->memory;
}

static void give_back(void *context, void *p)
{
    (void)context; /* all at once, in scratch_release */
    (void)p;
}

void scratch_init(struct scratch *a)
{
    a->allocator = (ProtobufCAllocator){take, give_back, a};
    a->used = 0;
    a->blocks = NULL;
}

void scratch_release(struct scratch *a)
{
    while (a->blocks != NULL) {
        struct scratch_block *block = a->blocks;
        a->blocks = block->next;
        free(block);
    }
}

ProtobufCAllocator *scratch_allocator(struct scratch *a)
{
    return &a->allocator;
}
