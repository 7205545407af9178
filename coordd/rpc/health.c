/* health.c - grpc.health.v1.Health: whether clients that come here get on.
 *
 * Nothing is decided here: rpc_set_serving says it. A Check is one message and its
 * answer. A Watch is answered at once and at each change; while a write is under
 * way changes pass, and the last one is told when it completes. So a watcher that
 * does not read costs no more than one that does. */
#include <stdlib.h>
#include <string.h>

#include "coordd/rpc/internal.h"
#include "grpc/health/v1/health.pb-c.h"
#include "libcoord/base/avl.h"
#include "libcoord/base/check.h"

enum {
    HEALTH_REQUEST_BYTES_MAX = 1024,
    HEALTH_ANSWER_BYTES_MAX = 8,
    HEALTH_OPS_MAX = 3,
};

#define HEALTH_STATUS(name) GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##name
typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus health_status;

struct health_call {
    struct rpc *rpc;   /* borrowed */
    struct list place; /* in rpc->health_calls */
    grpc_call *call;   /* owned */
    struct rpc_tag on_message, on_written, on_end;
    uint32_t tags_out;
    grpc_byte_buffer *incoming; /* owned while the request is being received */
    int cancelled;

    bool watch;
    bool asked;   /* the request came */
    bool known;   /* and names a service of ours */
    bool greeted; /* initial metadata sent */
    bool writing;
    bool over; /* a status was sent, or core says that the call has ended */
    health_status told;
};

static void health_start(struct health_call *h, const grpc_op *ops, size_t count,
                         struct rpc_tag *tag)
{
    h->tags_out++;
    rpc_start_batch(h->call, ops, count, tag);
}

static void health_free_if_done(struct health_call *h)
{
    if (h->tags_out > 0)
        return;
    list_remove(&h->place);
    h->rpc->health_calls_count--;
    h->rpc->calls_out--;
    grpc_call_unref(h->call);
    free(h);
}

static void add_greeting(struct health_call *h, grpc_op *ops, size_t *count)
{
    if (!h->greeted)
        ops[(*count)++].op = GRPC_OP_SEND_INITIAL_METADATA;
    h->greeted = true;
}

static void add_status(struct health_call *h, grpc_op *ops, size_t *count, grpc_status_code status,
                       grpc_slice *details)
{
    ops[*count].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    ops[*count].data.send_status_from_server.status = status;
    ops[(*count)++].data.send_status_from_server.status_details = details;
    h->over = true;
}

static void health_refuse(struct health_call *h, grpc_status_code status, const char *text)
{
    grpc_op ops[HEALTH_OPS_MAX];
    grpc_slice details = grpc_slice_from_copied_string(text);
    size_t count = 0;
    memset(ops, 0, sizeof ops);
    add_greeting(h, ops, &count);
    add_status(h, ops, &count, status, &details);
    health_start(h, ops, count, &h->on_written);
    grpc_slice_unref(details);
}

static health_status present(const struct health_call *h)
{
    if (!h->known)
        return HEALTH_STATUS(SERVICE_UNKNOWN);
    return h->rpc->serving ? HEALTH_STATUS(SERVING) : HEALTH_STATUS(NOT_SERVING);
}

static grpc_byte_buffer *answer_bytes(health_status status)
{
    Grpc__Health__V1__HealthCheckResponse answer = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    uint8_t packed[HEALTH_ANSWER_BYTES_MAX];
    answer.status = status;
    CHECK(grpc__health__v1__health_check_response__get_packed_size(&answer) <= sizeof packed);
    size_t length = grpc__health__v1__health_check_response__pack(&answer, packed);
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)packed, length);
    grpc_byte_buffer *bytes = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return bytes;
}

/* The present state, if it is not what was told last. */
static void health_tell(struct health_call *h)
{
    health_status now = present(h);
    if (!h->asked || h->writing || h->over || h->told == now)
        return;
    grpc_op ops[HEALTH_OPS_MAX];
    grpc_slice details = grpc_empty_slice();
    size_t count = 0;
    memset(ops, 0, sizeof ops);
    add_greeting(h, ops, &count);
    grpc_byte_buffer *message = answer_bytes(now);
    ops[count].op = GRPC_OP_SEND_MESSAGE;
    ops[count++].data.send_message.send_message = message;
    if (!h->watch)
        add_status(h, ops, &count, GRPC_STATUS_OK, &details);
    h->told = now;
    h->writing = true;
    health_start(h, ops, count, &h->on_written);
    grpc_byte_buffer_destroy(message);
}

static bool is_known(const char *service)
{
    return service[0] == '\0' || strcmp(service, "coord.v1.Coord") == 0;
}

/* False if the bytes are no request. */
static bool read_request(struct health_call *h)
{
    struct slice bytes;
    if (grpc_byte_buffer_length(h->incoming) > HEALTH_REQUEST_BYTES_MAX ||
        !rpc_message_bytes(h->rpc, h->incoming, &bytes))
        return false;
    Grpc__Health__V1__HealthCheckRequest *request =
        grpc__health__v1__health_check_request__unpack(NULL, bytes.length, bytes.data);
    if (request == NULL)
        return false;
    h->asked = true;
    h->known = is_known(request->service);
    grpc__health__v1__health_check_request__free_unpacked(request, NULL);
    return true;
}

static void health_take(struct health_call *h)
{
    if (h->incoming == NULL)
        health_refuse(h, GRPC_STATUS_INVALID_ARGUMENT, "no request came");
    else if (!read_request(h))
        health_refuse(h, GRPC_STATUS_INVALID_ARGUMENT, "the request is none");
    else if (!h->known && !h->watch)
        health_refuse(h, GRPC_STATUS_NOT_FOUND, "unknown service");
    else
        health_tell(h);
}

static void health_on_message(struct rpc_tag *tag, bool ok)
{
    struct health_call *h = container_of(tag, struct health_call, on_message);
    h->tags_out--;
    if (ok && !h->over)
        health_take(h);
    grpc_byte_buffer_destroy(h->incoming);
    h->incoming = NULL;
    health_free_if_done(h);
}

static void health_on_written(struct rpc_tag *tag, bool ok)
{
    struct health_call *h = container_of(tag, struct health_call, on_written);
    h->tags_out--;
    h->writing = false;
    if (ok)
        health_tell(h);
    health_free_if_done(h);
}

static void health_on_end(struct rpc_tag *tag, bool ok)
{
    (void)ok;
    struct health_call *h = container_of(tag, struct health_call, on_end);
    h->tags_out--;
    h->over = true;
    health_free_if_done(h);
}

void rpc_health_accept(struct rpc *rpc, grpc_call *call, bool watch)
{
    if (rpc->health_calls_count >= RPC_HEALTH_CALLS_MAX) {
        rpc_refuse_call(rpc, call, GRPC_STATUS_RESOURCE_EXHAUSTED, "too many health calls");
        return;
    }
    struct health_call *h = check_calloc(1, sizeof *h);
    h->rpc = rpc;
    h->call = call;
    h->watch = watch;
    h->told = HEALTH_STATUS(UNKNOWN); /* which is never said */
    h->on_message.done = health_on_message;
    h->on_written.done = health_on_written;
    h->on_end.done = health_on_end;
    list_append(&rpc->health_calls, &h->place);
    rpc->health_calls_count++;
    rpc->calls_out++;

    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    op.data.recv_close_on_server.cancelled = &h->cancelled;
    health_start(h, &op, 1, &h->on_end);
    op = (grpc_op){.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &h->incoming;
    health_start(h, &op, 1, &h->on_message);
}

void rpc_set_serving(struct rpc *rpc, bool serving)
{
    if (rpc->serving == serving)
        return;
    rpc->serving = serving;
    for (struct list *at = rpc->health_calls.next; at != &rpc->health_calls; at = at->next)
        health_tell(container_of(at, struct health_call, place));
}

void rpc_health_stop(struct rpc *rpc, const char *text)
{
    for (struct list *at = rpc->health_calls.next; at != &rpc->health_calls; at = at->next) {
        struct health_call *h = container_of(at, struct health_call, place);
        if (!h->over)
            (void)grpc_call_cancel_with_status(h->call, GRPC_STATUS_UNAVAILABLE, text, NULL);
        h->over = true;
    }
}
