/* stream.c - one client's stream: messages in, a queue of bytes out.
 *
 *               message          written
 *   accepted ------------> open --------> open ... -> ending -> ended -> freed
 *
 * open     STREAM_OPENED was told. One receive is always posted, so flow control
 *          holds back a client that sends faster than we take.
 * ending   The status is asked for (by the replica, by a bound, or because an
 *          Execute was answered): what is queued leaves first, nothing more is
 *          taken in. A client that does not read is cut off after RPC_LINGER_MS.
 * ended    Core says that the call is over. STREAM_CLOSED is told here, once.
 *
 * At most one write is under way; what is queued meanwhile is joined and leaves
 * as one message when it completes. A client that half-closes still gets its
 * answers: the stream ends when it cancels, vanishes, or the replica ends it.
 *
 * A write completes when the client's flow control has let it through, so what is
 * being written still waits. When STREAM_LAG_BYTES wait, STREAM_LAGS is told once,
 * after the completion that is being served, for sending makes no callback;
 * STREAM_DRAINED follows when nothing waits, and only then it can be told again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordd/rpc/internal.h"
#include "libcoord/base/avl.h"
#include "libcoord/base/check.h"
#include "libcoord/base/units.h"

enum {
    STREAM_PLACE_BITS = 16, /* of an id; the rest is a serial number */
    STREAMS_CAPACITY_MIN = 64,
    STREAM_TEXT_BYTES = 160,
    /* An empty queue keeps no more memory than this: idle sessions are many. */
    STREAM_QUEUE_KEPT_BYTES = 1024,
};
_Static_assert(RPC_STREAMS_MAX <= 1 << STREAM_PLACE_BITS, "a place must fit into an id");
_Static_assert(STREAM_LAG_BYTES <= RPC_STREAM_QUEUE_BYTES_MAX / 4,
               "who lags is told so in time to be spared");

/* As long as there is no authentication. */
static const char anonymous[] = "anonymous";

struct stream {
    struct rpc *rpc; /* borrowed */
    uint64_t id;
    enum replica_stream_kind kind;
    grpc_call *call; /* owned */
    struct rpc_tag on_message, on_written, on_end;
    uint32_t tags_out;
    grpc_byte_buffer *incoming; /* owned while no message is being received */
    int cancelled;

    struct buffer queue;
    size_t writing_bytes; /* of the write under way */
    bool lags;            /* until it is drained */
    struct list lagging;  /* in rpc->streams_lagging until that is told, or alone */
    struct list dirty;    /* in rpc->streams_dirty, or alone */
    struct list linger;   /* in rpc->streams_linger, or alone */
    int64_t linger_until_ns;

    bool told;     /* STREAM_OPENED */
    bool greeted;  /* initial metadata sent */
    bool answered; /* an Execute: its one message is due, even if it has no bytes */
    bool writing;
    bool ending;
    bool status_sent;
    bool ended;
    enum stream_status status;
    char text[STREAM_TEXT_BYTES];
};

static struct stream *stream_find(const struct rpc *rpc, uint64_t id)
{
    uint64_t place = id & ((1u << STREAM_PLACE_BITS) - 1);
    if (place >= rpc->streams_capacity)
        return NULL;
    struct stream *s = rpc->streams[place];
    return s != NULL && s->id == id ? s : NULL;
}

/* Finds a free place; there is one, for count < RPC_STREAMS_MAX. */
static void stream_place(struct rpc *rpc, struct stream *s)
{
    if (rpc->streams_count == rpc->streams_capacity) {
        uint32_t capacity = rpc->streams_capacity * 2;
        if (capacity < STREAMS_CAPACITY_MIN)
            capacity = STREAMS_CAPACITY_MIN;
        rpc->streams = check_realloc(rpc->streams, capacity * sizeof(struct stream *));
        for (uint32_t i = rpc->streams_capacity; i < capacity; i++)
            rpc->streams[i] = NULL;
        rpc->streams_next = rpc->streams_capacity;
        rpc->streams_capacity = capacity;
    }
    uint32_t place = rpc->streams_next;
    while (rpc->streams[place % rpc->streams_capacity] != NULL)
        place++;
    place %= rpc->streams_capacity;
    rpc->streams[place] = s;
    rpc->streams_next = (place + 1) % rpc->streams_capacity;
    rpc->streams_count++;
    s->id = ++rpc->streams_serial << STREAM_PLACE_BITS | place;
}

static void stream_forget_queue(struct stream *s)
{
    s->rpc->queued_bytes -= s->queue.length;
    buffer_clear(&s->queue);
}

static void stream_free_if_done(struct stream *s)
{
    if (s->tags_out > 0)
        return;
    CHECK(s->ended);
    struct rpc *rpc = s->rpc;
    stream_forget_queue(s);
    buffer_release(&s->queue);
    list_remove(&s->dirty);
    list_remove(&s->lagging);
    list_remove(&s->linger);
    rpc->streams[s->id & ((1u << STREAM_PLACE_BITS) - 1)] = NULL;
    rpc->streams_count--;
    rpc->calls_out--;
    grpc_call_unref(s->call);
    free(s);
}

static void stream_start(struct stream *s, const grpc_op *ops, size_t count, struct rpc_tag *tag)
{
    s->tags_out++;
    rpc_start_batch(s->call, ops, count, tag);
}

static void stream_receive(struct stream *s)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &s->incoming;
    stream_start(s, &op, 1, &s->on_message);
}

static void stream_emit(struct stream *s, enum replica_event_kind kind, struct slice bytes)
{
    struct replica_event event = {
        .kind = kind,
        .stream = s->id,
        .stream_kind = s->kind,
        .principal = anonymous,
        .bytes = bytes,
    };
    rpc_emit(s->rpc, &event);
}

static void stream_make_dirty(struct stream *s)
{
    if (list_empty(&s->dirty))
        list_append(&s->rpc->streams_dirty, &s->dirty);
}

static void stream_end(struct stream *s, enum stream_status status, const char *text)
{
    if (s->ending || s->ended)
        return;
    s->ending = true;
    s->status = status;
    (void)snprintf(s->text, sizeof s->text, "%s", text);
    s->linger_until_ns = rpc_now_ns() + ms_to_ns(RPC_LINGER_MS);
    list_append(&s->rpc->streams_linger, &s->linger);
    stream_make_dirty(s);
}

/* At once, without what is queued: the client is not reading it. Core still
 * carries the status to the client. */
static void stream_abort(struct stream *s, enum stream_status status, const char *text)
{
    if (s->ended)
        return;
    s->ending = true;
    s->status_sent = true;
    stream_forget_queue(s);
    (void)grpc_call_cancel_with_status(s->call, (grpc_status_code)status, text, NULL);
}

/* What is queued, and the status if that is next, as one batch. */
static void stream_write(struct stream *s)
{
    if (s->writing || s->ended || s->status_sent || (s->queue.length == 0 && !s->ending))
        return;
    grpc_op ops[3];
    size_t count = 0;
    memset(ops, 0, sizeof ops);
    if (!s->greeted) {
        ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
        s->greeted = true;
    }
    grpc_byte_buffer *message = NULL;
    if (s->queue.length > 0 || s->answered) {
        grpc_slice bytes =
            grpc_slice_from_copied_buffer((const char *)s->queue.data, s->queue.length);
        message = grpc_raw_byte_buffer_create(&bytes, 1);
        grpc_slice_unref(bytes);
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        ops[count++].data.send_message.send_message = message;
        s->writing_bytes = s->queue.length;
        stream_forget_queue(s);
        if (s->queue.capacity > STREAM_QUEUE_KEPT_BYTES)
            buffer_release(&s->queue);
    }
    grpc_slice details = grpc_empty_slice();
    if (s->ending) {
        details = grpc_slice_from_copied_string(s->text);
        ops[count].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
        ops[count].data.send_status_from_server.status = (grpc_status_code)s->status;
        ops[count++].data.send_status_from_server.status_details = &details;
        s->status_sent = true;
    }
    s->writing = true;
    stream_start(s, ops, count, &s->on_written);
    grpc_slice_unref(details);
    grpc_byte_buffer_destroy(message);
}

static void stream_note_lag(struct stream *s)
{
    if (s->lags || s->queue.length + s->writing_bytes < STREAM_LAG_BYTES)
        return;
    s->lags = true;
    list_append(&s->rpc->streams_lagging, &s->lagging);
}

static void stream_drained(struct stream *s)
{
    if (!s->lags || s->ended)
        return;
    s->lags = false;
    stream_emit(s, REPLICA_EVENT_STREAM_DRAINED, slice_of(NULL, 0));
}

/* A callback may make more of them, which are told in the same go. */
bool rpc_streams_tell_lagging(struct rpc *rpc)
{
    bool told = false;
    struct list *first;
    while ((first = list_first(&rpc->streams_lagging)) != NULL) {
        struct stream *s = container_of(first, struct stream, lagging);
        list_remove(first);
        if (s->ending || s->ended)
            continue;
        told = true;
        stream_emit(s, REPLICA_EVENT_STREAM_LAGS, slice_of(NULL, 0));
    }
    return told;
}

static void stream_on_written(struct rpc_tag *tag, bool ok)
{
    struct stream *s = container_of(tag, struct stream, on_written);
    s->tags_out--;
    s->writing = false;
    s->writing_bytes = 0;
    if (ok && (s->queue.length > 0 || s->ending))
        stream_make_dirty(s);
    else if (ok)
        stream_drained(s);
    /* If not ok the call is over and on_end comes. */
    stream_free_if_done(s);
}

static void stream_take(struct stream *s)
{
    struct slice bytes;
    if (grpc_byte_buffer_length(s->incoming) > RPC_CLIENT_MESSAGE_BYTES_MAX) {
        stream_end(s, STREAM_STATUS_RESOURCE_EXHAUSTED, "message larger than 4 MiB");
        return;
    }
    if (!rpc_message_bytes(s->rpc, s->incoming, &bytes)) {
        stream_end(s, STREAM_STATUS_INVALID_ARGUMENT, "compressed message");
        return;
    }
    if (!s->told) {
        s->told = true;
        stream_emit(s, REPLICA_EVENT_STREAM_OPENED, slice_of(NULL, 0));
    }
    stream_emit(s, REPLICA_EVENT_STREAM_MESSAGE, bytes);
}

static void stream_on_message(struct rpc_tag *tag, bool ok)
{
    struct stream *s = container_of(tag, struct stream, on_message);
    s->tags_out--;
    if (ok && s->incoming != NULL) {
        if (!s->ending && !s->ended)
            stream_take(s);
        grpc_byte_buffer_destroy(s->incoming);
        s->incoming = NULL;
        if (s->kind != REPLICA_STREAM_EXECUTE && !s->ending && !s->ended)
            stream_receive(s);
    } else if (s->kind == REPLICA_STREAM_EXECUTE) {
        stream_end(s, STREAM_STATUS_INVALID_ARGUMENT, "no request came");
    }
    stream_free_if_done(s);
}

static void stream_on_end(struct rpc_tag *tag, bool ok)
{
    (void)ok;
    struct stream *s = container_of(tag, struct stream, on_end);
    s->tags_out--;
    s->ended = true;
    stream_forget_queue(s);
    list_remove(&s->linger);
    if (s->told)
        stream_emit(s, REPLICA_EVENT_STREAM_CLOSED, slice_of(NULL, 0));
    stream_free_if_done(s);
}

void rpc_stream_accept(struct rpc *rpc, grpc_call *call, enum replica_stream_kind kind)
{
    if (rpc->streams_count >= RPC_STREAMS_MAX) {
        rpc_refuse_call(rpc, call, GRPC_STATUS_RESOURCE_EXHAUSTED, "too many streams");
        return;
    }
    struct stream *s = check_calloc(1, sizeof *s);
    s->rpc = rpc;
    s->kind = kind;
    s->call = call;
    s->on_message.done = stream_on_message;
    s->on_written.done = stream_on_written;
    s->on_end.done = stream_on_end;
    list_init(&s->dirty);
    list_init(&s->lagging);
    list_init(&s->linger);
    stream_place(rpc, s);
    rpc->calls_out++;

    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    op.data.recv_close_on_server.cancelled = &s->cancelled;
    stream_start(s, &op, 1, &s->on_end);
    stream_receive(s);
    if (kind == REPLICA_STREAM_EXECUTE)
        return; /* told when the request is there, greeted with the answer */
    s->greeted = true;
    s->writing = true;
    op = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
    stream_start(s, &op, 1, &s->on_written);
    s->told = true;
    stream_emit(s, REPLICA_EVENT_STREAM_OPENED, slice_of(NULL, 0));
}

void rpc_send_stream(struct rpc *rpc, uint64_t stream, const struct blob *bytes)
{
    struct stream *s = stream_find(rpc, stream);
    if (s == NULL || s->ending || s->ended)
        return;
    if (s->queue.length + bytes->length > RPC_STREAM_QUEUE_BYTES_MAX ||
        rpc->queued_bytes + bytes->length > RPC_ALL_QUEUES_BYTES_MAX) {
        stream_abort(s, STREAM_STATUS_RESOURCE_EXHAUSTED, "the client reads too slowly");
        return;
    }
    buffer_put(&s->queue, bytes->data, bytes->length);
    rpc->queued_bytes += bytes->length;
    if (s->kind == REPLICA_STREAM_EXECUTE) {
        s->answered = true;
        stream_end(s, STREAM_STATUS_OK, "");
    } else {
        stream_make_dirty(s);
        stream_note_lag(s);
    }
}

void rpc_close_stream(struct rpc *rpc, uint64_t stream, enum stream_status status, const char *text)
{
    struct stream *s = stream_find(rpc, stream);
    if (s == NULL)
        return;
    /* An answer all of whose fields have their defaults has no bytes. */
    if (s->kind == REPLICA_STREAM_EXECUTE && status == STREAM_STATUS_OK)
        s->answered = true;
    stream_end(s, status, text);
}

void rpc_streams_flush(struct rpc *rpc)
{
    struct list *first;
    while ((first = list_first(&rpc->streams_dirty)) != NULL) {
        list_remove(first);
        stream_write(container_of(first, struct stream, dirty));
    }
}

int64_t rpc_streams_wake_at_ns(const struct rpc *rpc)
{
    struct list *first = list_first(&rpc->streams_linger);
    return first == NULL ? NEVER_NS : container_of(first, struct stream, linger)->linger_until_ns;
}

void rpc_streams_end_lingering(struct rpc *rpc, int64_t now_ns)
{
    struct list *first;
    while ((first = list_first(&rpc->streams_linger)) != NULL) {
        struct stream *s = container_of(first, struct stream, linger);
        if (s->linger_until_ns > now_ns)
            return;
        list_remove(first);
        (void)grpc_call_cancel(s->call, NULL);
    }
}

void rpc_streams_stop(struct rpc *rpc, const char *text)
{
    for (uint32_t i = 0; i < rpc->streams_capacity; i++) {
        if (rpc->streams[i] != NULL)
            stream_end(rpc->streams[i], STREAM_STATUS_UNAVAILABLE, text);
    }
    rpc_streams_flush(rpc);
}

uint32_t rpc_streams_count(const struct rpc *rpc)
{
    return rpc->streams_count;
}
