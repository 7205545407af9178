/* unary.c - Execute: one question to each of several servers at once, or to whoever
 * can answer it. */
#define _GNU_SOURCE
#include <grpc/grpc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"
#include "libcoord/src/reason.h"

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
        reason_of(u->status, u->details, r->why);
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
    conn_greet(c->client, &ops[0]);
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

/* ---- one answer, of whoever can give it ---- */

enum { LEADER_WAIT_MS = 3000, LEADER_PAUSE_MS = 50 };

static int64_t wait_ms_of(int64_t deadline_ns, int64_t most_ms)
{
    int64_t left_ms = (deadline_ns - now_ns()) / NS_PER_MS;
    return left_ms < most_ms ? left_ms : most_ms;
}

/* NULL, and why, if the server gave none. To be freed. */
static Coord__V1__Answer *ask_one(struct coord_client *client,
                                  const Coord__V1__ExecuteRequest *request, const char *address,
                                  int64_t wait_ms, char why[DETAIL_BYTES])
{
    struct unary_reply reply = {.address = address};
    Coord__V1__Answer *a = NULL;
    unary_all(client, request, &reply, 1, wait_ms);
    if (reply.answered)
        a = coord__v1__answer__unpack(NULL, reply.answer.length, reply.answer.data);
    if (a == NULL)
        (void)snprintf(why, DETAIL_BYTES, "%.80s: %.160s", address, reply.why);
    buffer_release(&reply.answer);
    return a;
}

coord_error unary_any(struct coord_client *client, const Coord__V1__ExecuteRequest *request,
                      int64_t deadline_ms, call_take *take, void *context)
{
    int64_t deadline_ns = deadline_of(deadline_ms);
    char why[DETAIL_BYTES] = "no server";
    uint32_t count = client->endpoints.count, first = (uint32_t)((uint64_t)now_ns() % count);
    for (uint32_t i = 0; i < count; i++) {
        int64_t wait_ms = wait_ms_of(deadline_ns, STATUS_WAIT_MS);
        if (wait_ms <= 0)
            return fail(COORD_ERR_TIMEOUT, "%s", why);
        const char *address = client->endpoints.list[(first + i) % count];
        Coord__V1__Answer *a = ask_one(client, request, address, wait_ms, why);
        if (a == NULL)
            continue;
        coord_error e = (coord_error)client_status_of(a);
        if (e == COORD_OK)
            take(context, a);
        else
            detail_set("%s", a->message);
        coord__v1__answer__free_unpacked(a, NULL);
        return e;
    }
    return fail(COORD_ERR_UNAVAILABLE, "%s", why);
}

/* The next one to ask: whom the answer names, or the next in the list. */
static void next_address(const struct coord_client *client, const char *named, uint32_t *at,
                         char address[CLIENT_SESSION_ADDRESS_BYTES_MAX + 1])
{
    const char *next = named;
    if (named[0] == '\0') {
        *at = (*at + 1) % client->endpoints.count;
        next = client->endpoints.list[*at];
        static const struct timespec pause = {.tv_nsec = LEADER_PAUSE_MS * NS_PER_MS};
        (void)nanosleep(&pause, NULL);
    }
    (void)snprintf(address, CLIENT_SESSION_ADDRESS_BYTES_MAX + 1, "%s", next);
}

coord_error unary_leader(struct coord_client *client, const Coord__V1__ExecuteRequest *request,
                         int64_t deadline_ms)
{
    int64_t deadline_ns = deadline_of(deadline_ms);
    char why[DETAIL_BYTES] = "no leader";
    char address[CLIENT_SESSION_ADDRESS_BYTES_MAX + 1];
    uint32_t at = 0;
    (void)snprintf(address, sizeof address, "%s", client->endpoints.list[0]);
    while (true) {
        int64_t wait_ms = wait_ms_of(deadline_ns, LEADER_WAIT_MS);
        if (wait_ms <= 0)
            return fail(COORD_ERR_TIMEOUT, "%s", why);
        Coord__V1__Answer *a = ask_one(client, request, address, wait_ms, why);
        enum err e = a != NULL ? client_status_of(a) : ERR_NOT_LEADER;
        if (e != ERR_NOT_LEADER)
            detail_set("%s", a->message);
        else
            next_address(client, a != NULL ? a->message : "", &at, address);
        coord__v1__answer__free_unpacked(a, NULL);
        if (e != ERR_NOT_LEADER)
            return (coord_error)e;
    }
}
