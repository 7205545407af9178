/* batch.c - see batch.h. */
#include "coordd/replica/batch.h"

#include <stdlib.h>
#include <string.h>

#include "coordd/replica/wire.h"
#include "libcoord/base/avl.h"
#include "libcoord/base/check.h"

/* Field numbers of coord.v1.Batch. */
enum { BATCH_TIME_MS = 1, BATCH_COMMANDS = 2 };

void batch_queue_init(struct batch_queue *q)
{
    list_init(&q->batches);
    q->count = 0;
}

void batch_queue_clear(struct batch_queue *q)
{
    struct batch *b;

    while ((b = batch_queue_take(q)) != NULL)
        batch_free(b);
}

static struct batch *of(struct list *place)
{
    return container_of(place, struct batch, place);
}

bool batch_queue_add(struct batch_queue *q, const Coord__V1__Command *command, uint64_t origin,
                     uint32_t *ret_index)
{
    size_t length = coord__v1__command__get_packed_size(command);
    struct batch *b = q->count == 0 ? NULL : of(q->batches.previous);

    if (b == NULL || b->commands_count == BATCH_COMMANDS_MAX ||
        b->bytes.length + length > BATCH_BYTES_MAX) {
        if (q->count == BATCH_QUEUE_MAX)
            return false;
        b = check_calloc(1, sizeof *b);
        list_append(&q->batches, &b->place);
        q->count++;
    }
    if (b->commands_count == b->origins_capacity) {
        b->origins_capacity = b->origins_capacity == 0 ? 16 : b->origins_capacity * 2;
        b->origins = check_realloc(b->origins, b->origins_capacity * sizeof *b->origins);
    }
    b->origins[b->commands_count++] = origin;
    wire_put_header(&b->bytes, BATCH_COMMANDS, length);
    coord__v1__command__pack(command, buffer_extend(&b->bytes, length));
    *ret_index = q->count - 1;
    return true;
}

const struct batch *batch_queue_first(const struct batch_queue *q)
{
    return q->count == 0 ? NULL : of(q->batches.next);
}

struct batch *batch_queue_take(struct batch_queue *q)
{
    struct batch *b;

    if (q->count == 0)
        return NULL;
    b = of(q->batches.next);
    list_remove(&b->place);
    q->count--;
    return b;
}

struct blob *batch_value(const struct batch *b, uint64_t time_ms)
{
    struct buffer head = BUFFER_INIT;
    struct blob *value;

    wire_put_varint(&head, BATCH_TIME_MS, time_ms);
    value = blob_new(head.length + b->bytes.length);
    if (head.length > 0)
        memcpy(value->data, head.data, head.length);
    memcpy(value->data + head.length, b->bytes.data, b->bytes.length);
    buffer_release(&head);
    return value;
}

void batch_free(struct batch *b)
{
    if (b == NULL)
        return;
    buffer_release(&b->bytes);
    free(b->origins);
    free(b);
}
