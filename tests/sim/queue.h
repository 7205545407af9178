/* queue.h - what is still to happen, in virtual time.
 *
 * A binary heap ordered by (at_ns, order of insertion): equal times keep the
 * order in which they were asked for, so a run never depends on addresses or on
 * the heap's shape. Nothing is cancelled: whoever is called looks whether it is
 * still wanted (its arguments carry a generation). */
#ifndef TESTS_SIM_QUEUE_H
#define TESTS_SIM_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "libcoord/base/bytes.h"

struct queue_item;
typedef void queue_run(void *object, const struct queue_item *item);

struct queue_item {
    int64_t at_ns;
    uint64_t order;
    queue_run *run;
    void *object;       /* borrowed; outlives the item */
    uint64_t a, b, c;   /* whatever `run` wants to know */
    struct blob *bytes; /* owned: dropped after the run; NULL if none */
};

struct queue {
    struct queue_item *heap; /* owned */
    uint32_t count, capacity;
    uint64_t next_order;
};

void queue_init(struct queue *q);
void queue_release(struct queue *q); /* drops what is left unrun */

/* item->order is set here; takes over item->bytes. */
void queue_add(struct queue *q, struct queue_item item);
/* False when empty. The caller drops ret->bytes. */
bool queue_take(struct queue *q, struct queue_item *ret);

#endif
