/* batch.h - commands that gather while the slot before is being written.
 *
 * A queue of packed coord.v1.Batch values, the last of which is open. Each knows,
 * for its commands that have no session, which stream asked. */
#ifndef COORD_REPLICA_BATCH_H
#define COORD_REPLICA_BATCH_H

#include "coord/v1/command.pb-c.h"
#include "libcoord/base/bytes.h"
#include "libcoord/base/list.h"

enum {
    BATCH_COMMANDS_MAX = 1024,
    BATCH_BYTES_MAX = 1024 * 1024, /* unless one command alone is larger */
    BATCH_QUEUE_MAX = 16,          /* closed and waiting; beyond it commands are THROTTLED */
};

struct batch {
    struct list place;
    struct buffer bytes; /* the packed commands, without the time */
    uint32_t commands_count;
    uint64_t *origins; /* owned; per command the stream that asked, 0: by its session */
    uint32_t origins_capacity;
    uint64_t slot; /* once proposed */
};

struct batch_queue {
    struct list batches;
    uint32_t count;
};

void batch_queue_init(struct batch_queue *q);
void batch_queue_clear(struct batch_queue *q);
/* False if the queue is full. *ret_index: how many batches stand before it. */
bool batch_queue_add(struct batch_queue *q, const Coord__V1__Command *command, uint64_t origin,
                     uint32_t *ret_index);
/* The oldest, now the caller's, to batch_free; NULL when there is none. */
struct batch *batch_queue_take(struct batch_queue *q);
const struct batch *batch_queue_first(const struct batch_queue *q);
/* The value to propose. */
struct blob *batch_value(const struct batch *b, uint64_t time_ms);
void batch_free(struct batch *b);

#endif
