/* host.c - see host.h. */
#include "tests/sim/host.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "coord/v1/coord.pb-c.h"
#include "libcoord/base/check.h"
#include "tests/sim/scratch.h"
#include "tests/sim/sim.h"

void host_init(struct sim *s, uint32_t index)
{
    struct host *h = &s->hosts[index];
    memset(h, 0, sizeof(*h));
    h->sim = s;
    h->index = index;
}

static void inbox_drop(struct host *h)
{
    for (uint32_t i = 0; i < h->inbox_count; i++)
        blob_unref(h->inbox[i].bytes);
    h->inbox_count = 0;
}

void host_release(struct host *h)
{
    inbox_drop(h);
    free(h->inbox);
}

int64_t host_now_ns(const struct host *h)
{
    return clock_local(&h->clock, h->sim->now_ns);
}

/* ---- KeepAlives ---- */

void host_keepalive(struct host *h, uint32_t server, struct slice bytes)
{
    if (h->keepalive[server] == 0)
        h->keepalive[server] =
            channel_open(h->sim, h->index, server, REPLICA_STREAM_KEEPALIVE, server);
    channel_send_to_server(h->sim, h->keepalive[server], bytes);
}

static void keepalive_answers(struct host *h, uint32_t server, const Coord__V1__KeepAliveReply *r)
{
    struct sim *s = h->sim;
    for (size_t i = 0; i < r->n_answers; i++) {
        const Coord__V1__BeatAnswer *a = r->answers[i];
        for (uint32_t k = 0; k < s->swarm.clients; k++) {
            struct client *c = &s->clients[k];
            if (c->host == h && c->session != NULL && client_session_id(c->session) == a->session)
                client_step(c, &(struct client_event){.kind = CLIENT_EVENT_KEEPALIVE,
                                                      .status = (enum err)a->status,
                                                      .stamp = a->stamp});
        }
    }
    if (r->redirect == NULL)
        return;
    s->journal.counts[COUNT_REDIRECTS]++;
    for (uint32_t k = 0; k < s->swarm.clients; k++) {
        struct client *c = &s->clients[k];
        bool known = r->redirect->address != NULL && r->redirect->address[0] != '\0';
        if (c->host == h && c->session != NULL && c->channel != 0 && c->server == server)
            client_step(c, &(struct client_event){.kind = CLIENT_EVENT_KEEPALIVE,
                                                  .status = ERR_NOT_LEADER,
                                                  .address = known ? r->redirect->address : NULL});
    }
}

static void keepalive_input(struct host *h, const struct host_input *input)
{
    /* An answer is good whichever stream it comes on: it bears its stamp. */
    if (input->kind == HOST_CHANNEL_DOWN && h->keepalive[input->server] == input->channel)
        h->keepalive[input->server] = 0;
    if (input->kind != HOST_CHANNEL_MESSAGE)
        return;
    struct scratch scratch;
    scratch_init(&scratch);
    const Coord__V1__KeepAliveReply *reply = coord__v1__keep_alive_reply__unpack(
        scratch_allocator(&scratch), input->bytes->length, input->bytes->data);
    if (reply == NULL)
        journal_fail(&h->sim->journal, VERDICT_SAFETY, "a KeepAliveReply that nobody can read");
    else
        keepalive_answers(h, input->server, reply);
    scratch_release(&scratch);
}

/* ---- input ---- */

static void handle(struct host *h, const struct host_input *input)
{
    struct sim *s = h->sim;
    journal_mix(&s->journal, 64 + (uint64_t)input->kind, input->channel);
    switch (input->channel_kind) {
    case REPLICA_STREAM_KEEPALIVE:
        keepalive_input(h, input);
        break;
    case REPLICA_STREAM_SESSION:
        client_channel_input(&s->clients[input->owner], input);
        break;
    case REPLICA_STREAM_EXECUTE:
        player_execute_input(&s->clients[input->owner], input);
        break;
    }
}

void host_take(struct host *h, const struct host_input *input)
{
    if (!h->paused) {
        handle(h, input);
        return;
    }
    if (h->inbox_count == h->inbox_capacity) {
        h->inbox_capacity = h->inbox_capacity == 0 ? 16 : 2 * h->inbox_capacity;
        h->inbox = check_realloc(h->inbox, h->inbox_capacity * sizeof(h->inbox[0]));
    }
    h->inbox[h->inbox_count] = *input;
    if (input->bytes != NULL)
        blob_ref(input->bytes);
    h->inbox_count++;
}

void host_pause(struct host *h)
{
    if (h->paused)
        return;
    h->paused = true;
    journal_trace(&h->sim->journal, "host %" PRIu32 " is paused", h->index);
    channel_host_silent(h->sim, h->index);
}

static void timers(struct host *h)
{
    for (uint32_t i = 0; i < h->sim->swarm.clients; i++)
        if (h->sim->clients[i].host == h)
            client_step(&h->sim->clients[i], &(struct client_event){.kind = CLIENT_EVENT_TIME});
}

void host_resume(struct host *h)
{
    if (!h->paused)
        return;
    h->paused = false;
    journal_trace(&h->sim->journal, "host %" PRIu32 " goes on, %" PRIu32 " events late", h->index,
                  h->inbox_count);
    struct host_input *late = h->inbox;
    uint32_t count = h->inbox_count;
    h->inbox = NULL;
    h->inbox_count = h->inbox_capacity = 0;
    bool timers_first = prng_chance(&h->sim->fault_random, 1, 2);
    if (timers_first)
        timers(h);
    for (uint32_t i = 0; i < count; i++) {
        handle(h, &late[i]);
        blob_unref(late[i].bytes);
    }
    free(late);
    if (!timers_first)
        timers(h);
}
