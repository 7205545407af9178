/* client.c - see client.h. */
#include "tests/rpc/client.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "libcoord/base/check.h"

enum client_tag {
    TAG_GREETED = 1,
    TAG_SENT,
    TAG_HALF_CLOSED,
    TAG_RECEIVED,
    TAG_ENDED,
};

static void start(struct client *c, const grpc_op *op, enum client_tag tag)
{
    c->tags_out++;
    grpc_call_error error = grpc_call_start_batch(c->call, op, 1, (void *)(uintptr_t)tag, NULL);
    CHECK(error == GRPC_CALL_OK);
}

void client_open(struct client *c, const char *target)
{
    memset(c, 0, sizeof *c);
    grpc_init();
    grpc_arg list[] = {
        {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t) "grpc.use_local_subchannel_pool"},
        {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t) "grpc.max_receive_message_length"},
    };
    list[0].value.integer = 1;
    list[1].value.integer = -1;
    grpc_channel_args args = {.num_args = 2, .args = list};
    grpc_channel_credentials *insecure = grpc_insecure_credentials_create();
    c->channel = grpc_channel_create(target, insecure, &args);
    grpc_channel_credentials_release(insecure);
    c->queue = grpc_completion_queue_create_for_next(NULL);
    c->status_details = grpc_empty_slice();
    grpc_metadata_array_init(&c->initial);
    grpc_metadata_array_init(&c->trailing);
}

void client_header(struct client *c, const char *key, const char *value)
{
    CHECK(c->headers_count < CLIENT_HEADERS_MAX);
    c->headers[c->headers_count].key = key;
    c->headers[c->headers_count++].value = value;
}

static void receive(struct client *c)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &c->incoming;
    c->receiving = true;
    start(c, &op, TAG_RECEIVED);
}

void client_read(struct client *c)
{
    c->reads = true;
    receive(c);
}

void client_start(struct client *c, const char *method, bool reads)
{
    c->reads = reads;
    grpc_slice path = grpc_slice_from_copied_string(method);
    c->call = grpc_channel_create_call(c->channel, NULL, GRPC_PROPAGATE_DEFAULTS, c->queue, path,
                                       NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_slice_unref(path);
    grpc_metadata list[CLIENT_HEADERS_MAX];
    memset(list, 0, sizeof list);
    for (unsigned i = 0; i < c->headers_count; i++) {
        list[i].key = grpc_slice_from_static_string(c->headers[i].key);
        list[i].value = grpc_slice_from_static_string(c->headers[i].value);
    }
    grpc_op op = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    op.data.send_initial_metadata.count = c->headers_count;
    op.data.send_initial_metadata.metadata = list;
    c->sending = true;
    start(c, &op, TAG_SENT);
    op = (grpc_op){.op = GRPC_OP_RECV_INITIAL_METADATA};
    op.data.recv_initial_metadata.recv_initial_metadata = &c->initial;
    start(c, &op, TAG_GREETED);
    op = (grpc_op){.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    op.data.recv_status_on_client.trailing_metadata = &c->trailing;
    op.data.recv_status_on_client.status = &c->status;
    op.data.recv_status_on_client.status_details = &c->status_details;
    start(c, &op, TAG_ENDED);
    if (reads)
        receive(c);
}

bool client_send(struct client *c, const void *data, size_t length)
{
    if (c->sending)
        return false;
    grpc_slice slice = grpc_slice_from_copied_buffer(data, length);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    op.data.send_message.send_message = message;
    c->sending = true;
    start(c, &op, TAG_SENT);
    grpc_byte_buffer_destroy(message);
    grpc_slice_unref(slice);
    return true;
}

void client_half_close(struct client *c)
{
    grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    start(c, &op, TAG_HALF_CLOSED);
}

void client_cancel(struct client *c)
{
    if (c->call != NULL)
        (void)grpc_call_cancel(c->call, NULL);
}

static void take_message(struct client *c)
{
    if (c->incoming == NULL)
        return; /* the end of the stream */
    grpc_byte_buffer_reader reader;
    CHECK(grpc_byte_buffer_reader_init(&reader, c->incoming));
    grpc_slice bytes = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    buffer_put(&c->received, GRPC_SLICE_START_PTR(bytes), GRPC_SLICE_LENGTH(bytes));
    if (c->messages < CLIENT_MESSAGES_KEPT_MAX)
        c->lengths[c->messages] = GRPC_SLICE_LENGTH(bytes);
    c->messages++;
    grpc_slice_unref(bytes);
    grpc_byte_buffer_destroy(c->incoming);
    c->incoming = NULL;
    if (c->reads)
        receive(c);
}

static void take(struct client *c, enum client_tag tag, bool ok)
{
    c->tags_out--;
    switch (tag) {
    case TAG_GREETED:
        c->greeted = ok;
        break;
    case TAG_SENT:
        c->sending = false;
        break;
    case TAG_HALF_CLOSED:
        break;
    case TAG_RECEIVED:
        c->receiving = false;
        take_message(c);
        break;
    case TAG_ENDED:
        c->ended = true;
        (void)snprintf(c->details, sizeof c->details, "%.*s",
                       (int)GRPC_SLICE_LENGTH(c->status_details),
                       (const char *)GRPC_SLICE_START_PTR(c->status_details));
        break;
    }
}

void client_pump(struct client *c)
{
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(c->queue, gpr_time_0(GPR_CLOCK_MONOTONIC), NULL);
        if (event.type != GRPC_OP_COMPLETE)
            return;
        take(c, (enum client_tag)(uintptr_t)event.tag, event.success != 0);
    }
}

void client_close(struct client *c)
{
    client_cancel(c);
    c->reads = false;
    while (c->tags_out > 0) {
        grpc_event event =
            grpc_completion_queue_next(c->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        take(c, (enum client_tag)(uintptr_t)event.tag, event.success != 0);
    }
    if (c->call != NULL)
        grpc_call_unref(c->call);
    grpc_slice_unref(c->status_details);
    grpc_metadata_array_destroy(&c->initial);
    grpc_metadata_array_destroy(&c->trailing);
    grpc_channel_destroy(c->channel);
    grpc_completion_queue_shutdown(c->queue);
    while (grpc_completion_queue_next(c->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type !=
           GRPC_QUEUE_SHUTDOWN)
        continue;
    grpc_completion_queue_destroy(c->queue);
    buffer_release(&c->received);
    grpc_shutdown();
}
