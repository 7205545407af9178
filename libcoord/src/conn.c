/* conn.c - one server: its channel, shared by all sessions of the client, and the
 * stream of KeepAlives for all of them.
 *
 * A channel that failed is replaced rather than waited for: gRPC would refuse
 * every call until its own pause is over, while the session logic has pauses of
 * its own. To a server on this machine the UNIX socket is preferred as often as
 * there is a choice.
 *
 * Each call says which cell it is for, so that a server of another cell, whose address
 * was another's before, refuses it instead of doing what was not meant for it. */
#include <grpc/grpc_security.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

static const struct {
    const char *key;
    int value;
} channel_settings[] = {
    {"grpc.max_receive_message_length", CLIENT_SESSION_MESSAGE_BYTES_MAX},
    {"grpc.keepalive_time_ms", 2000},
    {"grpc.keepalive_timeout_ms", 2000},
    {"grpc.keepalive_permit_without_calls", 1},
    {"grpc.http2.max_pings_without_data", 0}, /* or a stopped server is never noticed when idle */
    {"grpc.initial_reconnect_backoff_ms", 100},
    {"grpc.min_reconnect_backoff_ms", 500},
    {"grpc.max_reconnect_backoff_ms", 1000},
    {"grpc.dns_min_time_between_resolutions_ms", 1000},
    {"grpc.use_local_subchannel_pool", 1}, /* clients of one process are independent */
    {"grpc.enable_http_proxy", 0},         /* a proxy variable would hijack even loopback */
    {"grpc.enable_retries", 0},            /* the session retries, and knows what is safe */
    {"grpc.service_config_disable_resolution", 1},
    {"grpc.enable_channelz", 0},
    {"grpc.http2.bdp_probe", 0},
    {"grpc.per_message_compression", 0},
};
/* A server takes at most 8,192 beats in one message, and one is not shorter than 24
 * bytes: an id, a secret of 16, a stamp, and what is around them. */
enum { BEATS_BYTES_MAX = 8192 * 24 };
enum { SETTINGS_COUNT = sizeof channel_settings / sizeof channel_settings[0] };

static grpc_channel *channel_new(const struct address *address, bool local)
{
    char target[sizeof address->target];
    if (local)
        (void)snprintf(target, sizeof target, "unix-abstract:%s", address->local);
    else
        (void)snprintf(target, sizeof target, "%s", address->target);
    grpc_arg list[SETTINGS_COUNT];
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        list[i] =
            (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)channel_settings[i].key};
        list[i].value.integer = channel_settings[i].value;
    }
    grpc_channel_args args = {.num_args = SETTINGS_COUNT, .args = list};
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(target, credentials, &args);
    grpc_channel_credentials_release(credentials);
    CHECK(channel != NULL); /* gRPC gives a channel that fails every call */
    return channel;
}

struct conn *conn_get(struct coord_client *client, const char *text)
{
    struct address address;
    if (!address_parse_endpoint(text, &address))
        return NULL;
    pthread_mutex_lock(&client->mutex);
    struct conn *c = NULL;
    for (struct list *at = client->conns.next; at != &client->conns && c == NULL; at = at->next)
        if (strcmp(container_of(at, struct conn, link)->text, text) == 0)
            c = container_of(at, struct conn, link);
    if (c == NULL && !client->closing && client->conns_count < CLIENT_CONNS_MAX) {
        c = check_calloc(1, sizeof *c);
        c->client = client;
        c->address = address;
        (void)snprintf(c->text, sizeof c->text, "%s", text);
        CHECK(pthread_mutex_init(&c->mutex, NULL) == 0);
        list_append(&client->conns, &c->link);
        client->conns_count++;
    }
    pthread_mutex_unlock(&client->mutex);
    return c;
}

static void drop_keepalive(struct conn *c)
{
    stream_drop(c->keepalive);
    c->keepalive = NULL;
}

/* The caller holds the mutex. */
static grpc_channel *channel_of(struct conn *c)
{
    if (c->channel != NULL) {
        grpc_connectivity_state state = grpc_channel_check_connectivity_state(c->channel, 0);
        if (state != GRPC_CHANNEL_TRANSIENT_FAILURE && state != GRPC_CHANNEL_SHUTDOWN)
            return c->channel;
        drop_keepalive(c);
        grpc_channel_destroy(c->channel); /* its calls fail on their own */
    }
    c->channel = channel_new(&c->address, address_local_listens(&c->address));
    return c->channel;
}

void conn_greet(struct coord_client *client, grpc_op *op)
{
    if (client->cell[0] == '\0')
        return;
    op->data.send_initial_metadata.count = 1;
    op->data.send_initial_metadata.metadata = &client->greeting;
}

struct stream *conn_session_stream(struct conn *c, struct coord_session *s)
{
    pthread_mutex_lock(&c->mutex);
    session_ref(s);
    struct stream *stream =
        stream_open(c->client, channel_of(c), "/coord.v1.Coord/Session", s, &session_stream_calls);
    pthread_mutex_unlock(&c->mutex);
    return stream;
}

grpc_call *conn_call(struct conn *c, const char *method, gpr_timespec deadline)
{
    pthread_mutex_lock(&c->mutex);
    grpc_call *call =
        grpc_channel_create_call(channel_of(c), NULL, GRPC_PROPAGATE_DEFAULTS, c->client->queue,
                                 grpc_slice_from_static_string(method), NULL, deadline, NULL);
    pthread_mutex_unlock(&c->mutex);
    CHECK(call != NULL);
    return call;
}

/* ---- KeepAlives ---- */

static void keepalive_message(void *owner, struct stream *stream, struct slice bytes)
{
    (void)stream; /* an answer is good whichever stream it comes on: it bears its stamp */
    struct conn *c = owner;
    Coord__V1__KeepAliveReply *reply =
        coord__v1__keep_alive_reply__unpack(NULL, bytes.length, bytes.data);
    if (reply == NULL)
        return;
    session_keepalive(c->client, reply, c);
    coord__v1__keep_alive_reply__free_unpacked(reply, NULL);
}

static void keepalive_end(void *owner, struct stream *stream, const char *why)
{
    (void)why; /* sessions notice by themselves that their beats are not answered */
    struct conn *c = owner;
    pthread_mutex_lock(&c->mutex);
    if (c->keepalive == stream)
        drop_keepalive(c);
    pthread_mutex_unlock(&c->mutex);
}

static void keepalive_gone(void *owner)
{
    (void)owner; /* it lives as long as the client */
}

void conn_beat(struct conn *c, struct slice beat)
{
    static const struct stream_calls calls = {
        .message = keepalive_message,
        .end = keepalive_end,
        .gone = keepalive_gone,
        .joined_bytes_max = BEATS_BYTES_MAX,
    };
    pthread_mutex_lock(&c->mutex);
    if (c->keepalive == NULL)
        c->keepalive =
            stream_open(c->client, channel_of(c), "/coord.v1.Coord/KeepAlive", c, &calls);
    stream_send(c->keepalive, beat);
    pthread_mutex_unlock(&c->mutex);
}

/* ---- the end ---- */

void conn_close(struct conn *c)
{
    pthread_mutex_lock(&c->mutex);
    drop_keepalive(c);
    pthread_mutex_unlock(&c->mutex);
}

void conn_free(struct conn *c)
{
    list_remove(&c->link);
    if (c->channel != NULL)
        grpc_channel_destroy(c->channel);
    pthread_mutex_destroy(&c->mutex);
    free(c);
}
