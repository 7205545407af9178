/* server.c - the server's life, the queue of completions, and the call that
 * comes in: which method is it?
 *
 * No method is registered with core: one that is not known here would otherwise
 * hang until its caller's deadline. One thread pulls completions; it must pull
 * often, for core reads sockets (and answers pings) only meanwhile. */
#define _GNU_SOURCE
#include <errno.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "coordd/rpc/internal.h"
#include "libcoord/base/avl.h"
#include "libcoord/base/check.h"
#include "libcoord/base/units.h"

enum {
    SHUTDOWN_POLITE_MS = 500, /* for statuses to leave before calls are cut */
    SHUTDOWN_TOTAL_MS = 5000,
    JOINED_KEPT_BYTES = 256 * 1024,
};

/* ---- small things for the other files ---- */

int64_t rpc_now_ns(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

void rpc_emit(struct rpc *rpc, struct replica_event *event)
{
    if (!rpc->stopping)
        rpc->take_event(rpc->context, event);
}

void rpc_tell(struct rpc *rpc, enum rpc_note note, uint32_t peer, const char *text)
{
    if (!rpc->stopping && rpc->take_note != NULL)
        rpc->take_note(rpc->context, note, peer, text);
}

bool rpc_message_bytes(struct rpc *rpc, grpc_byte_buffer *message, struct slice *ret)
{
    if (message->data.raw.compression != GRPC_COMPRESS_NONE)
        return false;
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, message))
        return false;
    size_t length = grpc_byte_buffer_length(message);
    grpc_slice *piece = NULL;
    if (rpc->joined.capacity > JOINED_KEPT_BYTES)
        buffer_release(&rpc->joined);
    buffer_clear(&rpc->joined);
    while (grpc_byte_buffer_reader_peek(&reader, &piece)) {
        /* Mostly the whole message is one piece. */
        if (GRPC_SLICE_LENGTH(*piece) == length) {
            *ret = slice_of(GRPC_SLICE_START_PTR(*piece), length);
            grpc_byte_buffer_reader_destroy(&reader);
            return true;
        }
        buffer_put(&rpc->joined, GRPC_SLICE_START_PTR(*piece), GRPC_SLICE_LENGTH(*piece));
    }
    grpc_byte_buffer_reader_destroy(&reader);
    *ret = buffer_slice(&rpc->joined);
    return true;
}

void rpc_start_batch(grpc_call *call, const grpc_op *ops, size_t count, struct rpc_tag *tag)
{
    grpc_call_error error = grpc_call_start_batch(call, ops, count, tag, NULL);
    CHECK(error == GRPC_CALL_OK);
}

bool rpc_slice_is(grpc_slice s, const char *text)
{
    return grpc_slice_str_cmp(s, text) == 0;
}

/* ---- calls that come in ---- */

static void accept_post(struct accept *a)
{
    struct rpc *rpc = a->rpc;
    a->call = NULL;
    grpc_call_details_init(&a->details);
    grpc_metadata_array_init(&a->metadata);
    grpc_call_error error = grpc_server_request_call(rpc->server, &a->call, &a->details,
                                                     &a->metadata, rpc->queue, rpc->queue, &a->tag);
    CHECK(error == GRPC_CALL_OK);
}

static void accept_dispatch(struct accept *a)
{
    struct rpc *rpc = a->rpc;
    char why[RPC_WHY_BYTES];
    if (!rpc_greeting_allows(rpc, &a->metadata, why, sizeof why))
        rpc_refuse_call(rpc, a->call, GRPC_STATUS_FAILED_PRECONDITION, why);
    else if (rpc_slice_is(a->details.method, "/coord.v1.Coord/Session"))
        rpc_stream_accept(rpc, a->call, REPLICA_STREAM_SESSION);
    else if (rpc_slice_is(a->details.method, "/coord.v1.Coord/KeepAlive"))
        rpc_stream_accept(rpc, a->call, REPLICA_STREAM_KEEPALIVE);
    else if (rpc_slice_is(a->details.method, "/coord.v1.Coord/Execute"))
        rpc_stream_accept(rpc, a->call, REPLICA_STREAM_EXECUTE);
    else if (rpc_slice_is(a->details.method, "/coord.v1.Replica/Link"))
        rpc_link_accept(rpc, a->call, &a->metadata);
    else if (rpc_slice_is(a->details.method, "/grpc.health.v1.Health/Check"))
        rpc_health_accept(rpc, a->call, false);
    else if (rpc_slice_is(a->details.method, "/grpc.health.v1.Health/Watch"))
        rpc_health_accept(rpc, a->call, true);
    else
        rpc_refuse_call(rpc, a->call, GRPC_STATUS_UNIMPLEMENTED, "unknown method");
}

static void accept_done(struct rpc_tag *tag, bool ok)
{
    struct accept *a = container_of(tag, struct accept, tag);
    if (ok && a->rpc->stopping)
        rpc_refuse_call(a->rpc, a->call, GRPC_STATUS_UNAVAILABLE, "the server is stopping");
    else if (ok)
        accept_dispatch(a);
    grpc_call_details_destroy(&a->details);
    grpc_metadata_array_destroy(&a->metadata);
    if (ok && !a->rpc->stopping)
        accept_post(a);
}

/* ---- completions ---- */

static gpr_timespec from_now(int64_t ns)
{
    if (ns <= 0)
        return gpr_time_0(GPR_CLOCK_MONOTONIC);
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(ns, GPR_TIMESPAN));
}

/* One completion, not waiting longer than wait_ns. False if there was none. */
static bool take_completion(struct rpc *rpc, int64_t wait_ns)
{
    grpc_event event = grpc_completion_queue_next(rpc->queue, from_now(wait_ns), NULL);
    if (event.type != GRPC_OP_COMPLETE)
        return false;
    struct rpc_tag *tag = event.tag;
    tag->done(tag, event.success != 0);
    return true;
}

void rpc_flush(struct rpc *rpc)
{
    rpc_links_flush(rpc); /* peers first: their disks are what clients wait for */
    rpc_streams_flush(rpc);
}

void rpc_poll(struct rpc *rpc, int64_t deadline_ns)
{
    int64_t now_ns = rpc_now_ns();
    rpc_links_dial_due(rpc, now_ns);
    rpc_streams_end_lingering(rpc, now_ns);
    /* What was queued since the last round; the deadline is from before. */
    bool told = rpc_streams_tell_lagging(rpc);
    rpc_flush(rpc);
    int64_t until_ns = ns_min(deadline_ns, rpc_links_wake_at_ns(rpc));
    until_ns = ns_min(until_ns, rpc_streams_wake_at_ns(rpc));
    int64_t wait_ns = told ? 0 : until_ns - now_ns;
    for (int i = 0; i < RPC_ROUND_EVENTS_MAX; i++) {
        if (!take_completion(rpc, i == 0 ? wait_ns : 0))
            break;
        (void)rpc_streams_tell_lagging(rpc);
    }
}

static void wake_done(struct rpc_tag *tag, bool ok)
{
    (void)ok;
    struct rpc *rpc = container_of(tag, struct rpc, wake_tag);
    atomic_store(&rpc->wake_posted, false);
}

/* Core has no public alarm. A batch without operations completes at once and
 * wakes whoever waits on the queue; any call will do, and one on a channel that
 * never connects costs nothing else. */
void rpc_wake(struct rpc *rpc)
{
    if (!atomic_exchange(&rpc->wake_posted, true))
        rpc_start_batch(rpc->wake_call, NULL, 0, &rpc->wake_tag);
}

/* ---- beginning ---- */

/* Why can nobody listen there? Core only says that it failed. */
static enum rpc_result explain_listen_failure(const char *listen_on, const struct address *a,
                                              char *why)
{
    char port[8];
    (void)snprintf(port, sizeof port, "%u", a->port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int failure = getaddrinfo(a->host, port, &hints, &found);
    if (failure != 0) {
        (void)snprintf(why, RPC_WHY_BYTES, "cannot listen on %s: %s", listen_on,
                       gai_strerror(failure));
        return RPC_ADDRESS_FAILED;
    }
    int error = 0;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        int yes = 1;
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        if (bind(fd, found->ai_addr, found->ai_addrlen) != 0)
            error = errno;
        (void)close(fd);
    }
    freeaddrinfo(found);
    (void)snprintf(why, RPC_WHY_BYTES, "cannot listen on %s: %s", listen_on,
                   error == EADDRINUSE ? "the port is taken by another process"
                   : error == 0        ? "gRPC refuses it"
                                       : strerror(error));
    return error == EADDRINUSE ? RPC_ADDRESS_TAKEN : RPC_ADDRESS_FAILED;
}

static enum rpc_result listen_on(struct rpc *rpc, const char *text, char *why)
{
    struct address a;
    if (!address_parse(text, &a)) {
        (void)snprintf(why, RPC_WHY_BYTES, "not an address: %s (wanted host:port)", text);
        return RPC_ADDRESS_INVALID;
    }
    enum rpc_result result = RPC_OK;
    char name[ADDRESS_LOCAL_BYTES_MAX] = "", local[ADDRESS_LOCAL_BYTES_MAX + 16];
    bool has_local = address_local_name(&a, name);
    (void)snprintf(local, sizeof local, "unix-abstract:%s", name);
    grpc_server_credentials *insecure = grpc_insecure_server_credentials_create();
    if (grpc_server_add_http2_port(rpc->server, text, insecure) == 0) {
        result = explain_listen_failure(text, &a, why);
    } else if (has_local && grpc_server_add_http2_port(rpc->server, local, insecure) == 0) {
        /* Going on would send local clients to somebody else's server. */
        (void)snprintf(why, RPC_WHY_BYTES,
                       "cannot listen on the abstract UNIX socket %s: "
                       "it is taken by another process",
                       name);
        result = RPC_ADDRESS_TAKEN;
    }
    grpc_server_credentials_release(insecure);
    rpc->port = a.port;
    return result;
}

static void open_wake_call(struct rpc *rpc)
{
    rpc->wake_tag.done = wake_done;
    rpc->lame = grpc_lame_client_channel_create("wake", GRPC_STATUS_UNAVAILABLE, "wake");
    rpc->wake_call = grpc_channel_create_call(rpc->lame, NULL, GRPC_PROPAGATE_DEFAULTS, rpc->queue,
                                              grpc_slice_from_static_string("/wake"), NULL,
                                              gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
}

enum rpc_result rpc_new(const struct rpc_options *options, struct rpc **ret, char *why)
{
    grpc_init();
    struct rpc *rpc = check_calloc(1, sizeof *rpc);
    memcpy(rpc->cell, options->cell, sizeof rpc->cell);
    rpc->self = options->self;
    rpc->incarnation = options->incarnation;
    rpc->take_event = options->take_event;
    rpc->take_note = options->take_note;
    rpc->context = options->context;
    rpc->shared_slice = grpc_empty_slice();
    list_init(&rpc->streams_dirty);
    list_init(&rpc->streams_lagging);
    list_init(&rpc->streams_linger);
    list_init(&rpc->health_calls);
    list_init(&rpc->links_dirty);

    struct args args;
    rpc_args_server(&args);
    rpc->queue = grpc_completion_queue_create_for_next(NULL);
    rpc->server = grpc_server_create(&args.args, NULL);
    grpc_server_register_completion_queue(rpc->server, rpc->queue, NULL);
    open_wake_call(rpc);
    enum rpc_result result = RPC_ADDRESS_INVALID;
    if (!rpc_links_init(rpc, options->members, options->members_count))
        (void)snprintf(why, RPC_WHY_BYTES, "a member's address is not host:port");
    else
        result = listen_on(rpc, options->listen, why);
    if (result != RPC_OK) {
        rpc_free(rpc, "");
        return result;
    }
    grpc_server_start(rpc->server);
    for (int i = 0; i < RPC_ACCEPTS_POSTED; i++) {
        rpc->accepts[i].tag.done = accept_done;
        rpc->accepts[i].rpc = rpc;
        accept_post(&rpc->accepts[i]);
    }
    *ret = rpc;
    return RPC_OK;
}

/* ---- end ---- */

static void server_down(struct rpc_tag *tag, bool ok)
{
    (void)ok;
    container_of(tag, struct rpc, down_tag)->server_down = true;
}

static void drain(struct rpc *rpc, int64_t until_ns)
{
    while (!(rpc->server_down && rpc->calls_out == 0) && rpc_now_ns() < until_ns) {
        (void)take_completion(rpc, until_ns - rpc_now_ns());
        rpc_flush(rpc);
    }
}

void rpc_free(struct rpc *rpc, const char *text)
{
    if (rpc == NULL)
        return;
    int64_t now_ns = rpc_now_ns();
    rpc->stopping = true;
    rpc->down_tag.done = server_down;
    grpc_server_shutdown_and_notify(rpc->server, rpc->queue, &rpc->down_tag);
    rpc_links_stop(rpc);
    rpc_streams_stop(rpc, text);
    rpc_health_stop(rpc, text);
    drain(rpc, now_ns + ms_to_ns(SHUTDOWN_POLITE_MS));
    grpc_server_cancel_all_calls(rpc->server);
    drain(rpc, now_ns + ms_to_ns(SHUTDOWN_TOTAL_MS));
    CHECK(rpc->server_down && rpc->calls_out == 0);

    grpc_call_unref(rpc->wake_call);
    grpc_channel_destroy(rpc->lame);
    grpc_server_destroy(rpc->server);
    grpc_completion_queue_shutdown(rpc->queue);
    while (grpc_completion_queue_next(rpc->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type !=
           GRPC_QUEUE_SHUTDOWN)
        continue; /* a wake-up that was still posted */
    grpc_completion_queue_destroy(rpc->queue);
    blob_unref(rpc->shared_blob);
    grpc_slice_unref(rpc->shared_slice);
    buffer_release(&rpc->joined);
    free(rpc->streams);
    free(rpc);
    grpc_shutdown();
}

uint16_t rpc_port(const struct rpc *rpc)
{
    return rpc->port;
}
