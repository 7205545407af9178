/* queue.c - see queue.h. */
#include "tests/sim/queue.h"

#include <stdlib.h>

#include "libcoord/base/check.h"

void queue_init(struct queue *q)
{
    *q = (struct queue){NULL, 0, 0, 0};
}

void queue_release(struct queue *q)
{
    for (uint32_t i = 0; i < q->count; i++)
        blob_unref(q->heap[i].bytes);
    free(q->heap);
    queue_init(q);
}

static bool earlier(const struct queue_item *a, const struct queue_item *b)
{
    if (a->at_ns != b->at_ns)
        return a->at_ns < b->at_ns;
    return a->order < b->order;
}

void queue_add(struct queue *q, struct queue_item item)
{
    if (q->count == q->capacity) {
        q->capacity = q->capacity == 0 ? 256 : 2 * q->capacity;
        q->heap = check_realloc(q->heap, q->capacity * sizeof(q->heap[0]));
    }
    item.order = q->next_order++;
    uint32_t at = q->count++;
    while (at > 0) {
        uint32_t parent = (at - 1) / 2;
        if (!earlier(&item, &q->heap[parent]))
            break;
        q->heap[at] = q->heap[parent];
        at = parent;
    }
    q->heap[at] = item;
}

bool queue_take(struct queue *q, struct queue_item *ret)
{
    if (q->count == 0)
        return false;
    *ret = q->heap[0];
    struct queue_item last = q->heap[--q->count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= q->count)
            break;
        if (child + 1 < q->count && earlier(&q->heap[child + 1], &q->heap[child]))
            child++;
        if (!earlier(&q->heap[child], &last))
            break;
        q->heap[at] = q->heap[child];
        at = child;
    }
    if (q->count > 0)
        q->heap[at] = last;
    return true;
}
