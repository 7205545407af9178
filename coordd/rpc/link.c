/* link.c - the bytes of one link: a ring of messages out, one write at a time,
 * one receive always posted. Messages are never joined: each is an envelope. */
#include "coordd/rpc/link.h"

#include <stdlib.h>

#include "libcoord/base/avl.h"
#include "libcoord/base/check.h"

enum {
    LINK_QUEUE_COUNT_MIN = 16,
};

void link_start(struct link *l, const grpc_op *ops, size_t count, struct rpc_tag *tag)
{
    l->tags_out++;
    rpc_start_batch(l->call, ops, count, tag);
}

static void link_receive(struct link *l)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &l->incoming;
    link_start(l, &op, 1, &l->on_message);
}

static void link_drop_queue(struct link *l)
{
    while (l->queue_count > 0) {
        grpc_slice_unref(l->queue[l->queue_first]);
        l->queue_first = (l->queue_first + 1) % l->queue_capacity;
        l->queue_count--;
    }
    l->queue_bytes = 0;
}

void link_break(struct link *l)
{
    if (l->broken)
        return;
    l->broken = true;
    link_drop_queue(l);
    (void)grpc_call_cancel(l->call, NULL);
}

void link_free_if_done(struct link *l)
{
    if (l->tags_out > 0)
        return;
    CHECK(l->ended);
    link_drop_queue(l);
    free(l->queue);
    list_remove(&l->dirty);
    grpc_metadata_array_destroy(&l->metadata);
    grpc_metadata_array_destroy(&l->trailing);
    grpc_slice_unref(l->details);
    grpc_call_unref(l->call);
    if (l->channel != NULL)
        grpc_channel_destroy(l->channel);
    l->rpc->calls_out--;
    free(l);
}

void link_stands(struct link *l)
{
    l->up = true;
    link_receive(l);
}

static void link_write(struct link *l)
{
    if (l->writing || l->broken || l->ended || !l->up || l->queue_count == 0)
        return;
    grpc_slice bytes = l->queue[l->queue_first];
    l->queue_first = (l->queue_first + 1) % l->queue_capacity;
    l->queue_count--;
    l->queue_bytes -= GRPC_SLICE_LENGTH(bytes);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&bytes, 1);
    grpc_slice_unref(bytes);

    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    op.data.send_message.send_message = message;
    l->writing = true;
    link_start(l, &op, 1, &l->on_written);
    grpc_byte_buffer_destroy(message);
}

static void link_make_dirty(struct link *l)
{
    if (list_empty(&l->dirty))
        list_append(&l->rpc->links_dirty, &l->dirty);
}

static void link_on_written(struct rpc_tag *tag, bool ok)
{
    struct link *l = container_of(tag, struct link, on_written);
    l->tags_out--;
    l->writing = false;
    if (!ok)
        link_break(l);
    else if (l->queue_count > 0)
        link_make_dirty(l);
    link_free_if_done(l);
}

static void link_on_message(struct rpc_tag *tag, bool ok)
{
    struct link *l = container_of(tag, struct link, on_message);
    l->tags_out--;
    struct slice bytes;
    bool good = ok && l->incoming != NULL && !l->broken && !l->ended &&
                rpc_message_bytes(l->rpc, l->incoming, &bytes);
    if (good && l->peer->link == l) {
        struct replica_event event = {
            .kind = REPLICA_EVENT_PEER_MESSAGE,
            .peer = l->peer->id,
            .bytes = bytes,
        };
        rpc_emit(l->rpc, &event);
    }
    grpc_byte_buffer_destroy(l->incoming);
    l->incoming = NULL; /* before the next receive, which may be there at once */
    if (good)
        link_receive(l);
    else
        link_break(l); /* also when the peer half-closed: it will not speak again */
    link_free_if_done(l);
}

struct link *link_new(struct peer *p)
{
    struct link *l = check_calloc(1, sizeof *l);
    l->rpc = p->rpc;
    l->peer = p;
    l->details = grpc_empty_slice();
    grpc_metadata_array_init(&l->metadata);
    grpc_metadata_array_init(&l->trailing);
    l->on_message.done = link_on_message;
    l->on_written.done = link_on_written;
    list_init(&l->dirty);
    p->rpc->calls_out++;
    return l;
}

static void link_enqueue(struct link *l, grpc_slice bytes)
{
    if (l->queue_count == l->queue_capacity) {
        uint32_t capacity = l->queue_capacity * 2;
        if (capacity < LINK_QUEUE_COUNT_MIN)
            capacity = LINK_QUEUE_COUNT_MIN;
        grpc_slice *queue = check_malloc(capacity * sizeof *queue);
        for (uint32_t i = 0; i < l->queue_count; i++)
            queue[i] = l->queue[(l->queue_first + i) % l->queue_capacity];
        free(l->queue);
        l->queue = queue;
        l->queue_first = 0;
        l->queue_capacity = capacity;
    }
    l->queue[(l->queue_first + l->queue_count++) % l->queue_capacity] = bytes;
    l->queue_bytes += GRPC_SLICE_LENGTH(bytes);
    link_make_dirty(l);
}

void link_send(struct link *l, grpc_slice bytes)
{
    if (!l->up || l->broken || l->ended) {
        grpc_slice_unref(bytes);
    } else if (l->queue_bytes + GRPC_SLICE_LENGTH(bytes) > RPC_LINK_QUEUE_BYTES_MAX) {
        grpc_slice_unref(bytes);
        link_break(l);
    } else {
        link_enqueue(l, bytes);
    }
}

void rpc_links_flush(struct rpc *rpc)
{
    struct list *first;
    while ((first = list_first(&rpc->links_dirty)) != NULL) {
        list_remove(first);
        link_write(container_of(first, struct link, dirty));
    }
    /* An idle replica does not keep the last batch twice. */
    blob_unref(rpc->shared_blob);
    rpc->shared_blob = NULL;
    grpc_slice_unref(rpc->shared_slice);
    rpc->shared_slice = grpc_empty_slice();
}
