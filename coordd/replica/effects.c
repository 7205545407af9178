/* effects.c - see effects.h. */
#include "coordd/replica/effects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/base/units.h"

void effects_init(struct effects *e)
{
    memset(e, 0, sizeof *e);
    e->wake_at_ns = NEVER_NS;
}

void effects_clear(struct effects *e)
{
    for (uint32_t i = 0; i < e->count; i++) {
        blob_unref(e->list[i].bytes);
        blob_unref(e->list[i].entry.value);
    }
    e->count = 0;
    e->wake_at_ns = NEVER_NS;
}

void effects_release(struct effects *e)
{
    effects_clear(e);
    free(e->list);
    memset(e, 0, sizeof *e);
}

struct effect *effects_add(struct effects *e, enum effect_kind kind)
{
    struct effect *added;

    if (e->count == e->capacity) {
        e->capacity = e->capacity == 0 ? 16 : e->capacity * 2;
        e->list = check_realloc(e->list, e->capacity * sizeof *e->list);
    }
    added = &e->list[e->count++];
    memset(added, 0, sizeof *added);
    added->kind = kind;
    return added;
}

void effect_say(struct effect *e, const char *text)
{
    snprintf(e->text, sizeof e->text, "%s", text);
}
