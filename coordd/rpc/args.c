/* args.c - the settings of gRPC's core that differ from its defaults, and why. */
#include <grpc/grpc.h>

#include "coordd/rpc/internal.h"
#include "libcoord/base/check.h"

enum {
    /* A peer that is stopped or cut off is noticed after at most the sum. */
    PEER_KEEPALIVE_MS = 500,
    PEER_KEEPALIVE_TIMEOUT_MS = 1000,
    /* Clients notice a dead server themselves; this only frees what a client
     * that vanished has left here. */
    CLIENT_KEEPALIVE_MS = 10000,
    CLIENT_KEEPALIVE_TIMEOUT_MS = 10000,
    PING_INTERVAL_MS_MIN = 100, /* clients may ask as often as this */
    HANDSHAKE_TIMEOUT_MS = 5000,
    CONNECT_TIMEOUT_MS = 1000,
    METADATA_BYTES_MAX = 16 * 1024,
    /* Streams of one connection: the sessions of one process share one. */
    CONNECTION_STREAMS_MAX = 32768,
    IDENTITY_ONLY = 1, /* bit set of compression algorithms: none */
};

/* Core takes keys as char * but does not write to them. */
static grpc_arg integer(const char *key, int value)
{
    grpc_arg arg = {.type = GRPC_ARG_INTEGER};
    arg.key = (char *)(uintptr_t)key;
    arg.value.integer = value;
    return arg;
}

#define COMMON                                                                                    \
    {"grpc.max_receive_message_length", RPC_PEER_MESSAGE_BYTES_MAX},                              \
        {"grpc.max_send_message_length",                                                          \
         RPC_PEER_MESSAGE_BYTES_MAX}, /* Each costs more than it brings for small messages. */    \
        {"grpc.enable_channelz", 0}, {"grpc.http2.bdp_probe", 0},                                 \
        {"grpc.per_message_compression", 0},                                                      \
        {"grpc.compression_enabled_algorithms_bitset", IDENTITY_ONLY},                            \
        {"grpc.max_metadata_size", METADATA_BYTES_MAX}, /* Without this a stopped peer on an idle \
                                                           stream is never noticed. */            \
        {"grpc.http2.max_pings_without_data", 0},                                                 \
    {                                                                                             \
        "grpc.keepalive_permit_without_calls", 1                                                  \
    }

struct setting {
    const char *key;
    int value;
};

static const struct setting server_settings[] = {
    COMMON,
    /* Two servers would share a port silently. */
    {"grpc.so_reuseport", 0},
    {"grpc.keepalive_time_ms", CLIENT_KEEPALIVE_MS},
    {"grpc.keepalive_timeout_ms", CLIENT_KEEPALIVE_TIMEOUT_MS},
    /* Or core hangs up on those who ask often, with too_many_pings. */
    {"grpc.http2.min_ping_interval_without_data_ms", PING_INTERVAL_MS_MIN},
    {"grpc.http2.max_ping_strikes", 0},
    {"grpc.server_handshake_timeout_ms", HANDSHAKE_TIMEOUT_MS},
    {"grpc.max_concurrent_streams", CONNECTION_STREAMS_MAX},
};

static const struct setting peer_settings[] = {
    COMMON,
    {"grpc.keepalive_time_ms", PEER_KEEPALIVE_MS},
    {"grpc.keepalive_timeout_ms", PEER_KEEPALIVE_TIMEOUT_MS},
    /* A channel lives for one attempt (links.c), so this is its time limit. */
    {"grpc.min_reconnect_backoff_ms", CONNECT_TIMEOUT_MS},
    {"grpc.initial_reconnect_backoff_ms", CONNECT_TIMEOUT_MS},
    {"grpc.use_local_subchannel_pool", 1},
    /* A proxy variable in the environment would hijack even loopback. */
    {"grpc.enable_http_proxy", 0},
    {"grpc.enable_retries", 0},
    {"grpc.service_config_disable_resolution", 1},
};

/* Core copies what it needs when the channel or server is made. */
static void fill(const struct setting *settings, size_t count, struct args *ret)
{
    CHECK(count <= ARGS_MAX);
    for (size_t i = 0; i < count; i++)
        ret->list[i] = integer(settings[i].key, settings[i].value);
    ret->args.num_args = count;
    ret->args.args = ret->list;
}

void rpc_args_server(struct args *ret)
{
    fill(server_settings, sizeof server_settings / sizeof server_settings[0], ret);
}

void rpc_args_peer(struct args *ret)
{
    fill(peer_settings, sizeof peer_settings / sizeof peer_settings[0], ret);
}
