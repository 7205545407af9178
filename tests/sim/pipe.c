/* pipe.c - see pipe.h. */
#include "tests/sim/pipe.h"

#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/base/units.h"

void pipe_clear(struct pipe *p)
{
    for (uint32_t i = 0; i < p->count; i++)
        blob_unref(p->list[p->first + i].bytes);
    p->first = p->count = 0;
    p->bytes = 0;
}

void pipe_release(struct pipe *p)
{
    pipe_clear(p);
    free(p->list);
    p->list = NULL;
    p->capacity = 0;
}

void pipe_add(struct pipe *p, enum parcel_kind kind, int64_t ready_ns, struct blob *bytes)
{
    if (p->first + p->count == p->capacity) {
        if (p->count > 0)
            memmove(p->list, p->list + p->first, p->count * sizeof(p->list[0]));
        p->first = 0;
        if (2 * p->count >= p->capacity) {
            p->capacity = p->capacity == 0 ? 8 : 2 * p->capacity;
            p->list = check_realloc(p->list, p->capacity * sizeof(p->list[0]));
        }
    }
    p->bytes += bytes == NULL ? 0 : bytes->length;
    p->last_ns = ns_max(p->last_ns, ready_ns);
    p->list[p->first + p->count++] = (struct parcel){kind, p->last_ns, bytes};
}

struct parcel pipe_take(struct pipe *p)
{
    struct parcel parcel = p->list[p->first++];
    p->count--;
    p->bytes -= parcel.bytes == NULL ? 0 : parcel.bytes->length;
    return parcel;
}
