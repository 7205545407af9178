/* internal.h - what the files of coordd/rpc share; nobody else includes it.
 *
 * Every asynchronous operation of gRPC's core carries a tag; ours is a struct
 * rpc_tag inside the struct that owns the operation, so a completion finds its
 * way without a table. A struct with tags out must stay where it is until all
 * of them came back, and only then may its call be unreferenced. */
#ifndef COORD_RPC_INTERNAL_H
#define COORD_RPC_INTERNAL_H

#include <grpc/grpc.h>
#include <stdatomic.h>

#include "coordd/rpc/address.h"
#include "coordd/rpc/rpc.h"
#include "libcoord/base/list.h"

enum {
    /* Calls that may arrive in one instant without waiting for our next round. */
    RPC_ACCEPTS_POSTED = 8,
    RPC_LINK_NOTE_BYTES = 160,
};

struct rpc_tag {
    void (*done)(struct rpc_tag *tag, bool ok);
};

struct link;

/* Another member, as this one reaches it. */
struct peer {
    struct rpc *rpc; /* borrowed */
    uint32_t id;
    bool dial; /* its id is lower: we open the link, otherwise it does */
    char target[ADDRESS_TARGET_BYTES_MAX];
    struct link *link;      /* the one that counts, or NULL; links that end may outlive it */
    enum replica_link told; /* what the replica believes */
    int64_t dial_at_ns;     /* NEVER_NS while a link stands or is being made */
    uint32_t backoff_ms;
    char noted[RPC_LINK_NOTE_BYTES]; /* last trouble told, so that it is told once */
};

/* A posted request for the next call from anybody. */
struct accept {
    struct rpc_tag tag;
    struct rpc *rpc; /* borrowed */
    grpc_call *call;
    grpc_call_details details;
    grpc_metadata_array metadata;
};

struct stream;

struct rpc {
    grpc_completion_queue *queue; /* owned */
    grpc_server *server;          /* owned */
    uint16_t port;

    uint8_t cell[REPLICA_CELL_ID_BYTES];
    uint32_t self;
    uint64_t incarnation;
    rpc_take_event *take_event;
    rpc_take_note *take_note;
    void *context;

    grpc_channel *lame; /* owned; never connects, but lends its calls a place in the queue */
    grpc_call *wake_call;
    struct rpc_tag wake_tag;
    atomic_bool wake_posted;

    struct accept accepts[RPC_ACCEPTS_POSTED];
    bool stopping; /* no callbacks, nothing new */
    bool server_down;
    struct rpc_tag down_tag;
    uint32_t calls_out; /* streams, health calls, links and refusals with tags out */

    struct stream **streams; /* owned; by the low bits of the id; NULL: free */
    uint32_t streams_capacity, streams_count;
    uint32_t streams_next; /* where to look for a free place */
    uint64_t streams_serial;
    uint64_t queued_bytes;       /* over all streams */
    struct list streams_dirty;   /* something to write */
    struct list streams_lagging; /* too much of it, which is not told yet */
    struct list streams_linger;  /* ending; oldest first */

    bool serving;             /* what health.c says */
    struct list health_calls; /* of struct health_call */
    uint32_t health_calls_count;

    struct peer peers[REPLICA_MEMBERS_MAX];
    uint32_t peers_count;
    struct list links_dirty;
    struct blob *shared_blob;          /* owned reference: the last one sent to a peer ... */
    grpc_slice shared_slice;           /* ... and gRPC's copy of it */
    char refusal[RPC_LINK_NOTE_BYTES]; /* last one told */
    int64_t refusal_until_ns;          /* an equal one is not told before */

    struct buffer joined; /* for messages that arrive in pieces */
};

int64_t rpc_now_ns(void); /* CLOCK_BOOTTIME */
void rpc_emit(struct rpc *rpc, struct replica_event *event);
void rpc_tell(struct rpc *rpc, enum rpc_note note, uint32_t peer, const char *text);

/* The bytes of a message, borrowed until the next call or the buffer's end.
 * False if it is compressed, which we never asked for. */
bool rpc_message_bytes(struct rpc *rpc, grpc_byte_buffer *message, struct slice *ret);
/* Never fails: a batch that core refuses is a bug of ours. */
void rpc_start_batch(grpc_call *call, const grpc_op *ops, size_t count, struct rpc_tag *tag);
bool rpc_slice_is(grpc_slice s, const char *text);

/* args.c: settings for grpc_server_create and grpc_channel_create. */
enum { ARGS_MAX = 32 };
struct args {
    grpc_channel_args args; /* points into list */
    grpc_arg list[ARGS_MAX];
};
void rpc_args_server(struct args *ret);
void rpc_args_peer(struct args *ret);

/* refuse.c: takes the call over, answers it with a status and nothing else. */
void rpc_refuse_call(struct rpc *rpc, grpc_call *call, grpc_status_code status, const char *text);

/* greeting.c: false, with the reason, for who says that it wants another cell. */
bool rpc_greeting_allows(const struct rpc *rpc, const grpc_metadata_array *metadata, char *why,
                         size_t why_bytes);

/* stream.c: takes the call over. */
void rpc_stream_accept(struct rpc *rpc, grpc_call *call, enum replica_stream_kind kind);
void rpc_streams_flush(struct rpc *rpc);
/* False if there was nothing to tell. */
bool rpc_streams_tell_lagging(struct rpc *rpc);
void rpc_streams_end_lingering(struct rpc *rpc, int64_t now_ns);
int64_t rpc_streams_wake_at_ns(const struct rpc *rpc);
void rpc_streams_stop(struct rpc *rpc, const char *text);

/* health.c: takes the call over. */
void rpc_health_accept(struct rpc *rpc, grpc_call *call, bool watch);
void rpc_health_stop(struct rpc *rpc, const char *text);

/* links.c */
/* False if a member's address is none. */
bool rpc_links_init(struct rpc *rpc, const struct replica_member *members, uint32_t count);
void rpc_link_accept(struct rpc *rpc, grpc_call *call, const grpc_metadata_array *metadata);
void rpc_links_dial_due(struct rpc *rpc, int64_t now_ns);
int64_t rpc_links_wake_at_ns(const struct rpc *rpc);
void rpc_links_flush(struct rpc *rpc);
void rpc_links_stop(struct rpc *rpc);

#endif
