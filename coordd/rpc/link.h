/* link.h - one call between two members, on either side; links.c decides which
 * one counts. Only coordd/rpc includes it. */
#ifndef COORD_RPC_LINK_H
#define COORD_RPC_LINK_H

#include "coordd/rpc/internal.h"

struct link {
    struct rpc *rpc;       /* borrowed */
    struct peer *peer;     /* borrowed */
    grpc_channel *channel; /* owned; NULL if the peer dialled */
    grpc_call *call;       /* owned */
    struct rpc_tag on_start, on_message, on_written, on_end;
    uint32_t tags_out;
    int64_t up_since_ns;
    bool up;      /* greeted: it carries messages */
    bool writing; /* at most one write at a time */
    bool broken;  /* cancelled by us; its end comes as a completion */
    bool ended;
    int cancelled;
    grpc_byte_buffer *incoming;
    grpc_metadata_array metadata, trailing;
    grpc_status_code status;
    grpc_slice details;

    grpc_slice *queue; /* owned ring of messages to send */
    uint32_t queue_first, queue_count, queue_capacity;
    uint64_t queue_bytes;
    struct list dirty; /* in rpc->links_dirty, or alone */
};

/* The caller sets call, channel, on_start and on_end. */
struct link *link_new(struct peer *p);
void link_free_if_done(struct link *l);
void link_start(struct link *l, const grpc_op *ops, size_t count, struct rpc_tag *tag);
/* The greeting is over: messages flow from now on. */
void link_stands(struct link *l);
/* Ends it without ceremony. */
void link_break(struct link *l);
/* Takes the slice over. At RPC_LINK_QUEUE_BYTES_MAX the link is broken instead. */
void link_send(struct link *l, grpc_slice bytes);

/* What a member says of itself in a call's first metadata (greeting.c). */
struct greeting {
    grpc_metadata list[4];
    size_t count;
};
/* `target` is 0 in an acceptor's answer. */
void greeting_init(struct greeting *g, const struct rpc *rpc, uint32_t target);
void greeting_release(struct greeting *g);
/* May the caller have a link? 0, and `why` for both sides, if not. */
uint32_t greeting_judge_caller(const struct rpc *rpc, const grpc_metadata_array *metadata,
                               char *why, size_t why_bytes);
/* Is it the answer of member `id` of our cell? */
bool greeting_is_from(const struct rpc *rpc, const grpc_metadata_array *metadata, uint32_t id);

#endif
