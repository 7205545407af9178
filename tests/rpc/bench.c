/* bench.c - see bench.h. */
#define _GNU_SOURCE
#include "tests/rpc/bench.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "libcoord/base/check.h"
#include "libcoord/base/units.h"
#include "tests/support/ports.h"

enum {
    MEMBERS = 3,
    ROUND_MS = 1,
    TARGET_BYTES = 32,
};
#define SCHEME "ipv4:"

static int64_t now_ns(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void on_event(void *context, struct replica_event *event)
{
    struct server *s = context;
    CHECK(s->seen_count < BENCH_EVENTS_MAX);
    s->seen[s->seen_count++] = (struct seen){
        .kind = event->kind,
        .link = event->link,
        .peer = event->peer,
        .stream = event->stream,
        .length = event->bytes.length,
        .first = event->bytes.length > 0 ? event->bytes.data[0] : 0,
    };
    if (event->kind == REPLICA_EVENT_STREAM_OPENED) {
        s->stream = event->stream;
        s->opened++;
    } else if (event->kind == REPLICA_EVENT_STREAM_CLOSED) {
        s->closed++;
    } else if (event->kind == REPLICA_EVENT_STREAM_LAGS) {
        s->lagged++;
    } else if (event->kind == REPLICA_EVENT_STREAM_DRAINED) {
        s->drained++;
    } else if (event->kind == REPLICA_EVENT_STREAM_MESSAGE) {
        s->messages++;
        struct blob *copy = blob_copy(event->bytes);
        if (s->echoes)
            rpc_send_stream(s->rpc, event->stream, copy);
        blob_unref(copy);
    }
}

static void on_note(void *context, enum rpc_note note, uint32_t peer, const char *text)
{
    (void)peer;
    struct server *s = context;
    s->note = note;
    s->notes++;
    (void)snprintf(s->noted, sizeof s->noted, "%s", text);
}

uint16_t bench_port(uint32_t member)
{
    static int base;
    if (base == 0)
        base = ports_free(BENCH_NOBODY);
    CHECK(base != 0 && member >= 1 && member <= BENCH_NOBODY);
    return (uint16_t)(base + (int)member - 1);
}

const char *bench_address(uint32_t member)
{
    return bench_target(member) + strlen(SCHEME);
}

const char *bench_target(uint32_t member)
{
    static char targets[BENCH_NOBODY][TARGET_BYTES];
    char *target = targets[member - 1];
    (void)snprintf(target, TARGET_BYTES, SCHEME "127.0.0.1:%u", bench_port(member));
    return target;
}

void server_open(struct server *s, uint32_t self, uint8_t cell)
{
    struct replica_member members[MEMBERS];
    memset(members, 0, sizeof members);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        members[i].id = i + 1;
        (void)snprintf(members[i].address, sizeof members[i].address, "%s", bench_address(i + 1));
    }
    struct rpc_options options = {
        .self = self,
        .incarnation = 1000 + self,
        .members = members,
        .members_count = MEMBERS,
        .listen = members[self - 1].address,
        .take_event = on_event,
        .take_note = on_note,
        .context = s,
    };
    memset(options.cell, cell, sizeof options.cell);
    memset(s, 0, sizeof *s);
    char why[RPC_WHY_BYTES] = "";
    enum rpc_result result = rpc_new(&options, &s->rpc, why);
    if (result != RPC_OK)
        (void)fprintf(stderr, "server_open: %s\n", why);
    CHECK(result == RPC_OK);
}

void server_close(struct server *s)
{
    rpc_free(s->rpc, "the test is over");
    s->rpc = NULL;
}

enum replica_link server_link(const struct server *s, uint32_t peer)
{
    for (unsigned i = s->seen_count; i > 0; i--) {
        const struct seen *e = &s->seen[i - 1];
        if (e->kind == REPLICA_EVENT_PEER_LINK && e->peer == peer)
            return e->link;
    }
    return REPLICA_LINK_DOWN;
}

static void bench_round(struct bench *b)
{
    for (unsigned i = 0; i < b->servers_count; i++) {
        if (b->servers[i]->rpc != NULL)
            rpc_poll(b->servers[i]->rpc, now_ns() + ms_to_ns(ROUND_MS));
    }
    for (unsigned i = 0; i < b->clients_count; i++)
        client_pump(b->clients[i]);
}

bool bench_until(struct bench *b, bool (*done)(void *context), void *context)
{
    int64_t end_ns = now_ns() + ms_to_ns(BENCH_WAIT_MS_MAX);
    while (!done(context)) {
        if (now_ns() > end_ns)
            return false;
        bench_round(b);
    }
    return true;
}

void bench_for_ms(struct bench *b, int ms)
{
    int64_t end_ns = now_ns() + ms_to_ns(ms);
    while (now_ns() < end_ns)
        bench_round(b);
}
