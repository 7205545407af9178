/* scratch.c - see scratch.h. */
#include "tests/sim/scratch.h"

#include <stdlib.h>

#include "libcoord/base/check.h"

static void *scratch_take(void *context, size_t size_bytes)
{
    struct scratch *a = context;
    size_t rounded = (size_bytes + 15) & ~(size_t)15;
    if (rounded <= sizeof(a->memory) - a->used) {
        void *p = a->memory + a->used;
        a->used += rounded;
        return p;
    }
    CHECK(a->overflow_count < SCRATCH_OVERFLOWS_MAX);
    void *p = check_malloc(size_bytes);
    a->overflow[a->overflow_count++] = p;
    return p;
}

static void scratch_give_back(void *context, void *p)
{
    (void)context; /* all at once, in scratch_release */
    (void)p;
}

void scratch_init(struct scratch *a)
{
    a->allocator = (ProtobufCAllocator){scratch_take, scratch_give_back, a};
    a->used = 0;
    a->overflow_count = 0;
}

void scratch_release(struct scratch *a)
{
    for (uint32_t i = 0; i < a->overflow_count; i++)
        free(a->overflow[i]);
}

ProtobufCAllocator *scratch_allocator(struct scratch *a)
{
    return &a->allocator;
}
