/* unary.c - Execute: one question to each of several servers at once. */
#include <grpc/grpc.h>
#include <stdio.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

enum { UNARY_MAX = CLIENT_SESSION_ENDPOINTS_MAX };

struct group {
    pthread_mutex_t mutex;
    pthread_cond_t done;
    size_t pending_count;
};

struct unary {
    struct tag tag;
    struct group *group;
    struct unary_reply *reply;
    grpc_call *call;
    grpc_byte_buffer *received;
    grpc_metadata_array initial, trailing;
    grpc_status_code status;
    grpc_slice details;
};

static void on_done(struct tag *tag, bool ok)
{
    struct unary *u = container_of(tag, struct unary, tag);
    struct unary_reply *r = u->reply;
    if (ok && u->status == GRPC_STATUS_OK && u->received != NULL) {
        grpc_slice joined;
        struct slice bytes = message_bytes(u->received, &joined);
        buffer_put(&r->answer, bytes.data, bytes.length);
        r->answered = true;
        grpc_slice_unref(joined);
    } else {
        size_t length = GRPC_SLICE_LENGTH(u->details);
        (void)snprintf(r->why, sizeof r->why, "%.*s", (int)(length < 200 ? length : 200),
                       (const char *)GRPC_SLICE_START_PTR(u->details));
    }
    grpc_byte_buffer_destroy(u->received);
    grpc_metadata_array_destroy(&u->initial);
    grpc_metadata_array_destroy(&u->trailing);
    grpc_slice_unref(u->details);
    grpc_call_unref(u->call);
    pthread_mutex_lock(&u->group->mutex);
    u->group->pending_count--;
    pthread_cond_signal(&u->group->done);
    pthread_mutex_unlock(&u->group->mutex);
}

static void start(struct unary *u, struct conn *c, grpc_byte_buffer *message, gpr_timespec deadline)
{
    u->tag.done = on_done;
    u->details = grpc_empty_slice();
    grpc_metadata_array_init(&u->initial);
    grpc_metadata_array_init(&u->trailing);
    u->call = conn_call(c, "/coord.v1.Coord/Execute", deadline);
    grpc_op ops[] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},  {.op = GRPC_OP_SEND_MESSAGE},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT}, {.op = GRPC_OP_RECV_INITIAL_METADATA},
        {.op = GRPC_OP_RECV_MESSAGE},           {.op = GRPC_OP_RECV_STATUS_ON_CLIENT},
    };
    ops[1].data.send_message.send_message = message;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &u->initial;
    ops[4].data.recv_message.recv_message = &u->received;
    ops[5].data.recv_status_on_client.trailing_metadata = &u->trailing;
    ops[5].data.recv_status_on_client.status = &u->status;
    ops[5].data.recv_status_on_client.status_details = &u->details;
    batch_start(u->call, ops, sizeof ops / sizeof ops[0], &u->tag);
}

static grpc_byte_buffer *pack(const Coord__V1__ExecuteRequest *request)
{
    struct buffer bytes = BUFFER_INIT;
    size_t length = coord__v1__execute_request__get_packed_size(request);
    coord__v1__execute_request__pack(request, buffer_extend(&bytes, length));
    grpc_slice slice = slice_to_grpc(buffer_slice(&bytes));
    buffer_release(&bytes);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return message;
}

void unary_all(struct coord_client *client, const Coord__V1__ExecuteRequest *request,
               struct unary_reply *replies, size_t count, int64_t timeout_ms)
{
    struct unary calls[UNARY_MAX];
    struct group group = {.pending_count = 0};
    CHECK(count <= UNARY_MAX);
    memset(calls, 0, sizeof calls);
    CHECK(pthread_mutex_init(&group.mutex, NULL) == 0);
    CHECK(pthread_cond_init(&group.done, NULL) == 0);
    gpr_timespec deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
    for (size_t i = 0; i < count; i++) {
        replies[i].answer = (struct buffer)BUFFER_INIT;
        replies[i].answered = false;
        replies[i].why[0] = '\0';
        struct conn *c = conn_get(client, replies[i].address);
        if (c == NULL)
            continue;
        pthread_mutex_lock(&group.mutex);
        group.pending_count++;
        pthread_mutex_unlock(&group.mutex);
        calls[i].group = &group;
        calls[i].reply = &replies[i];
        grpc_byte_buffer *message = pack(request);
        start(&calls[i], c, message, deadline);
        grpc_byte_buffer_destroy(message);
    }
    pthread_mutex_lock(&group.mutex);
    while (group.pending_count > 0)
        pthread_cond_wait(&group.done, &group.mutex);
    pthread_mutex_unlock(&group.mutex);
    pthread_cond_destroy(&group.done);
    pthread_mutex_destroy(&group.mutex);
}
