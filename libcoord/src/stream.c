/* stream.c - one bidirectional gRPC stream: a queue of bytes out, messages in.
 *
 * One write is under way at a time; what comes meanwhile is joined and leaves as
 * one message, up to a bound in bytes, when it completes: the messages of
 * our streams merge when they are joined. What waits is bounded by what the
 * session keeps outstanding.
 *
 * Two references: the owner's, until stream_drop, and the calls', until the last
 * tag came back. A call that was dropped may still be in a callback: the owner
 * compares the stream with the one it has. */
#include <grpc/byte_buffer_reader.h>
#include <grpc/support/alloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"
#include "libcoord/src/reason.h"

enum { STREAM_MESSAGE_BYTES_MAX = CLIENT_SESSION_SEND_BYTES_MAX };

struct chunk {
    struct list link;
    struct buffer bytes;
};

struct stream {
    struct coord_client *client;
    grpc_call *call; /* owned */
    void *owner;
    const struct stream_calls *calls;
    atomic_uint references;

    pthread_mutex_t mutex;
    uint32_t tags_out;
    bool dropped, ended;
    bool greeted; /* initial metadata was sent with a message */
    bool writing;
    struct list chunks; /* of struct chunk */

    struct tag on_written, on_message, on_status;
    grpc_byte_buffer *incoming;
    grpc_metadata_array initial, trailing;
    grpc_status_code status;
    grpc_slice details;
};

/* ---- small things shared with unary.c ---- */

#if defined(__SANITIZE_THREAD__)
/* The queue hands a tag from thread to thread inside a library that the
 * sanitizer does not see. */
void __tsan_release(void *address);
#define TAG_LEAVES(tag) __tsan_release(tag)
#else
#define TAG_LEAVES(tag) ((void)0)
#endif

void batch_start(grpc_call *call, const grpc_op *ops, size_t count, struct tag *tag)
{
    TAG_LEAVES(tag);
    CHECK(grpc_call_start_batch(call, ops, count, tag, NULL) == GRPC_CALL_OK);
}

grpc_slice slice_to_grpc(struct slice s)
{
    return grpc_slice_from_copied_buffer((const char *)s.data, s.length);
}

struct slice message_bytes(grpc_byte_buffer *message, grpc_slice *joined)
{
    grpc_byte_buffer_reader reader;
    *joined = grpc_empty_slice();
    if (!grpc_byte_buffer_reader_init(&reader, message))
        return slice_of(NULL, 0);
    grpc_slice *piece = NULL;
    size_t length = grpc_byte_buffer_length(message);
    struct slice bytes;
    if (grpc_byte_buffer_reader_peek(&reader, &piece) && GRPC_SLICE_LENGTH(*piece) == length) {
        bytes = slice_of(GRPC_SLICE_START_PTR(*piece), length);
    } else {
        grpc_byte_buffer_reader_destroy(&reader);
        CHECK(grpc_byte_buffer_reader_init(&reader, message));
        *joined = grpc_byte_buffer_reader_readall(&reader);
        bytes = slice_of(GRPC_SLICE_START_PTR(*joined), GRPC_SLICE_LENGTH(*joined));
    }
    grpc_byte_buffer_reader_destroy(&reader);
    return bytes;
}

/* ---- life ---- */

static void chunks_free(struct stream *s)
{
    for (struct list *at; (at = list_first(&s->chunks)) != NULL;) {
        struct chunk *c = container_of(at, struct chunk, link);
        list_remove(at);
        buffer_release(&c->bytes);
        free(c);
    }
}

static void unref(struct stream *s)
{
    if (atomic_fetch_sub(&s->references, 1) != 1)
        return;
    chunks_free(s);
    grpc_metadata_array_destroy(&s->initial);
    grpc_metadata_array_destroy(&s->trailing);
    grpc_slice_unref(s->details);
    grpc_call_unref(s->call);
    pthread_mutex_destroy(&s->mutex);
    client_call_over(s->client);
    free(s);
}

/* A tag has come back; unlocks. */
static void tag_back(struct stream *s)
{
    bool last = --s->tags_out == 0;
    pthread_mutex_unlock(&s->mutex);
    if (!last)
        return;
    s->calls->gone(s->owner);
    unref(s);
}

static void start(struct stream *s, const grpc_op *ops, size_t count, struct tag *tag)
{
    s->tags_out++;
    batch_start(s->call, ops, count, tag);
}

void stream_drop(struct stream *s)
{
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->mutex);
    s->dropped = true;
    chunks_free(s);
    bool over = s->ended;
    pthread_mutex_unlock(&s->mutex);
    if (!over)
        (void)grpc_call_cancel(s->call, NULL);
    unref(s);
}

/* ---- out ---- */

/* Unlocks. gRPC often hands the tag back before it returns: the completion thread
 * would then be woken only to wait for our mutex. */
static void write_next(struct stream *s)
{
    struct list *first = list_first(&s->chunks);
    if (s->writing || s->dropped || s->ended || first == NULL) {
        pthread_mutex_unlock(&s->mutex);
        return;
    }
    struct chunk *c = container_of(first, struct chunk, link);
    list_remove(first);
    grpc_slice bytes = slice_to_grpc(buffer_slice(&c->bytes));
    buffer_release(&c->bytes);
    free(c);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&bytes, 1);
    grpc_slice_unref(bytes);

    grpc_op ops[2] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}, {.op = GRPC_OP_SEND_MESSAGE}};
    conn_greet(s->client, &ops[0]);
    ops[1].data.send_message.send_message = message;
    size_t skipped = s->greeted ? 1 : 0;
    s->writing = true;
    s->greeted = true;
    s->tags_out++;
    pthread_mutex_unlock(&s->mutex);
    batch_start(s->call, ops + skipped, 2 - skipped, &s->on_written);
    grpc_byte_buffer_destroy(message);
}

void stream_send(struct stream *s, struct slice bytes)
{
    pthread_mutex_lock(&s->mutex);
    if (!s->dropped && !s->ended) {
        struct chunk *last = container_of_or_null(list_first(&s->chunks), struct chunk, link);
        if (last != NULL)
            last = container_of(s->chunks.previous, struct chunk, link);
        size_t most = s->calls->joined_bytes_max;
        if (most == 0)
            most = STREAM_MESSAGE_BYTES_MAX;
        if (last == NULL || last->bytes.length + bytes.length > most) {
            last = check_calloc(1, sizeof *last);
            list_append(&s->chunks, &last->link);
        }
        buffer_put(&last->bytes, bytes.data, bytes.length);
    }
    write_next(s);
}

static void on_written(struct tag *tag, bool ok)
{
    struct stream *s = container_of(tag, struct stream, on_written);
    pthread_mutex_lock(&s->mutex);
    s->writing = false;
    if (ok) {
        write_next(s); /* otherwise the status says why, and ends it */
        pthread_mutex_lock(&s->mutex);
    }
    tag_back(s);
}

/* ---- in ---- */

static void receive(struct stream *s, bool first)
{
    grpc_op ops[2] = {{.op = GRPC_OP_RECV_INITIAL_METADATA}, {.op = GRPC_OP_RECV_MESSAGE}};
    ops[0].data.recv_initial_metadata.recv_initial_metadata = &s->initial;
    ops[1].data.recv_message.recv_message = &s->incoming;
    if (first)
        start(s, ops, 2, &s->on_message);
    else
        start(s, ops + 1, 1, &s->on_message);
}

static void on_message(struct tag *tag, bool ok)
{
    struct stream *s = container_of(tag, struct stream, on_message);
    grpc_byte_buffer *message = s->incoming;
    s->incoming = NULL;
    bool good = ok && message != NULL;
    if (good) {
        grpc_slice joined;
        s->calls->message(s->owner, s, message_bytes(message, &joined));
        grpc_slice_unref(joined);
    }
    grpc_byte_buffer_destroy(message);
    pthread_mutex_lock(&s->mutex);
    if (good && !s->dropped && !s->ended)
        receive(s, false);
    tag_back(s);
}

static void on_status(struct tag *tag, bool ok)
{
    (void)ok; /* it always is */
    struct stream *s = container_of(tag, struct stream, on_status);
    pthread_mutex_lock(&s->mutex);
    s->ended = true;
    bool dropped = s->dropped;
    pthread_mutex_unlock(&s->mutex);
    if (!dropped) {
        char why[DETAIL_BYTES];
        reason_of(s->status, s->details, why);
        s->calls->end(s->owner, s, why);
    }
    pthread_mutex_lock(&s->mutex);
    tag_back(s);
}

struct stream *stream_open(struct coord_client *client, grpc_channel *channel, const char *method,
                           void *owner, const struct stream_calls *calls)
{
    struct stream *s = check_calloc(1, sizeof *s);
    s->client = client;
    s->owner = owner;
    s->calls = calls;
    s->details = grpc_empty_slice();
    atomic_init(&s->references, 2);
    CHECK(pthread_mutex_init(&s->mutex, NULL) == 0);
    list_init(&s->chunks);
    grpc_metadata_array_init(&s->initial);
    grpc_metadata_array_init(&s->trailing);
    s->on_written.done = on_written;
    s->on_message.done = on_message;
    s->on_status.done = on_status;
    client_call_began(client);
    s->call = grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, client->queue,
                                       grpc_slice_from_static_string(method), NULL,
                                       gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    CHECK(s->call != NULL);
    grpc_op status = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    status.data.recv_status_on_client.trailing_metadata = &s->trailing;
    status.data.recv_status_on_client.status = &s->status;
    status.data.recv_status_on_client.status_details = &s->details;
    pthread_mutex_lock(&s->mutex);
    start(s, &status, 1, &s->on_status);
    receive(s, true);
    pthread_mutex_unlock(&s->mutex);
    return s;
}
