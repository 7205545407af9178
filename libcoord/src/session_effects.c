/* session_effects.c - the list of effects; buffers of bytes are used again. */
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/session_internal.h"

/* A buffer that grew beyond this is not kept for the next step. */
enum { EFFECT_BUFFER_KEPT_BYTES = 64 * 1024 };

void client_effects_init(struct client_effects *e)
{
    *e = (struct client_effects){.wake_at_ns = NEVER_NS};
}

void client_effects_clear(struct client_effects *e)
{
    for (uint32_t i = 0; i < e->count; i++) {
        struct buffer *b = &e->list[i].bytes;
        if (b->capacity > EFFECT_BUFFER_KEPT_BYTES)
            buffer_release(b);
        else
            buffer_clear(b);
    }
    e->count = 0;
    e->wake_at_ns = NEVER_NS;
}

void client_effects_release(struct client_effects *e)
{
    for (uint32_t i = 0; i < e->capacity; i++)
        buffer_release(&e->list[i].bytes);
    free(e->list);
    client_effects_init(e);
}

struct client_effect *client_effect_add(struct client_session *s, enum client_effect_kind kind)
{
    struct client_effects *e = s->out;
    if (e->count == e->capacity) {
        uint32_t capacity = e->capacity == 0 ? 8 : 2 * e->capacity;
        e->list = check_realloc(e->list, capacity * sizeof *e->list);
        memset(e->list + e->capacity, 0, (capacity - e->capacity) * sizeof *e->list);
        e->capacity = capacity;
    }
    struct client_effect *effect = &e->list[e->count++];
    struct buffer bytes = effect->bytes;
    *effect = (struct client_effect){.kind = kind, .bytes = bytes};
    return effect;
}
