/* host.h - a client machine: one process with several sessions, one clock, one
 * KeepAlive stream to each server that a session goes to. The part that call.c
 * plays in the library. */
#ifndef TESTS_SIM_HOST_H
#define TESTS_SIM_HOST_H

#include <stdbool.h>

#include "coordd/replica/event.h"
#include "libcoord/base/bytes.h"
#include "tests/sim/clock.h"
#include "tests/sim/net.h"

struct sim;

enum host_input_kind { HOST_CHANNEL_UP, HOST_CHANNEL_DOWN, HOST_CHANNEL_MESSAGE };

struct host_input {
    enum host_input_kind kind;
    enum replica_stream_kind channel_kind;
    uint64_t channel, owner;
    uint32_t server;
    struct blob *bytes;
};

struct host {
    struct sim *sim; /* borrowed */
    uint32_t index;
    struct clock clock;
    bool paused;
    struct host_input *inbox; /* owned, with the references; used while paused */
    uint32_t inbox_count, inbox_capacity;
    uint64_t keepalive[NET_REPLICAS_MAX]; /* channels; 0: none */
};

void host_init(struct sim *s, uint32_t index);
void host_release(struct host *h);
int64_t host_now_ns(const struct host *h);
void host_pause(struct host *h);
void host_resume(struct host *h);
/* References stay the caller's. */
void host_take(struct host *h, const struct host_input *input);
/* One KeepAliveRequest to a server, over the stream that all sessions share. */
void host_keepalive(struct host *h, uint32_t server, struct slice bytes);

#endif
