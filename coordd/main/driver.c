/* driver.c - see driver.h. */
#define _GNU_SOURCE
#include "coordd/main/driver.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "coordd/main/clock.h"
#include "coordd/main/exit_codes.h"
#include "coordd/main/log.h"
#include "coordd/main/random.h"
#include "libcoord/base/units.h"

enum {
    FOUNDING_SAY_MS = 5000,
    FOUNDING_TEXT_BYTES = 512, /* what is longer is cut */
};

void driver_init(struct driver *d, struct replica *replica)
{
    *d = (struct driver){.replica = replica, .wake_at_ns = 0};
    effects_init(&d->effects);
}

void driver_release(struct driver *d)
{
    effects_release(&d->effects);
}

static void write_note(const struct effect *e)
{
    switch (e->note) {
    case NOTE_ROLE:
        LOG_INFO("role", log_text("role", e->text), log_number("ballot", e->number));
        break;
    case NOTE_SERVING:
        LOG_INFO("serving", log_number("ballot", e->number));
        break;
    case NOTE_SESSION:
        LOG_INFO("session", log_text("what", e->text), log_number("session", e->number));
        break;
    case NOTE_PEER:
        LOG_WARNING("peer", log_number("peer", e->number), log_text("text", e->text));
        break;
    case NOTE_WARNING:
        LOG_WARNING("replica", log_text("text", e->text), log_number("number", e->number));
        break;
    }
}

/* No clean-up: what is not durable by now must not become so. */
_Noreturn static void halt(const struct effect *e)
{
    LOG_ERROR("halt", log_text("text", e->text));
    _exit(COORDD_EXIT_HALTED);
}

static void execute(struct driver *d, const struct effect *e)
{
    switch (e->kind) {
    case EFFECT_PERSIST_PROMISE:
    case EFFECT_PERSIST_ENTRY:
    case EFFECT_PERSIST_LEASE:
    case EFFECT_PERSIST_FLOOR:
        break; /* handed to the log thread already, all of the step together */
    case EFFECT_SEND_PEER:
        rpc_send_peer(d->rpc, e->peer, e->bytes);
        break;
    case EFFECT_SEND_STREAM:
        rpc_send_stream(d->rpc, e->stream, e->bytes);
        break;
    case EFFECT_CLOSE_STREAM:
        rpc_close_stream(d->rpc, e->stream, e->status, e->text);
        break;
    case EFFECT_READ_LOG:
        journal_read(d->journal, e);
        break;
    case EFFECT_CHECKPOINT_BEGIN:
    case EFFECT_CHECKPOINT_PUT:
    case EFFECT_CHECKPOINT_COMMIT:
    case EFFECT_CHECKPOINT_ABORT:
        saver_write(d->saver, e);
        break;
    case EFFECT_READ_CHECKPOINT:
        saver_read(d->saver, e);
        break;
    case EFFECT_NOTE:
        write_note(e);
        break;
    case EFFECT_HALT:
        halt(e);
    }
}

static bool has_persist(const struct effects *effects)
{
    for (uint32_t i = 0; i < effects->count; i++) {
        if (store_persists(effects->list[i].kind))
            return true;
    }
    return false;
}

static void write_link(const struct replica_event *event)
{
    static const char *const states[] = {[REPLICA_LINK_UP] = "up",
                                         [REPLICA_LINK_DOWN] = "down",
                                         [REPLICA_LINK_REFUSED] = "not-listening"};
    LOG_INFO("link", log_number("peer", event->peer), log_text("state", states[event->link]));
}

/* For those who ask grpc.health.v1.Health. */
static void tell_health(struct driver *d, const struct replica_view *view)
{
    if (view->led == d->led)
        return;
    d->led = view->led;
    rpc_set_serving(d->rpc, view->led);
}

static const char *address_of(const struct driver *d, uint32_t id)
{
    for (uint32_t i = 0; i < d->members_count; i++)
        if (d->members[i].id == id)
            return d->members[i].address;
    return "";
}

/* Until it is founded a cell does nothing, and waits for whoever was never up. */
static void tell_awaited(struct driver *d, const struct replica_view *view, int64_t now_ns)
{
    char text[FOUNDING_TEXT_BYTES] = "";
    if (view->awaited_count == 0 || d->founding_said_ns == 0) {
        d->founding_said_ns = view->awaited_count == 0 ? 0 : now_ns;
        return;
    }
    if (now_ns - d->founding_said_ns < ms_to_ns(FOUNDING_SAY_MS))
        return;
    d->founding_said_ns = now_ns;
    for (uint32_t i = 0; i < view->awaited_count; i++) {
        size_t length = strlen(text);
        (void)snprintf(text + length, sizeof text - length, "%s%" PRIu32 "=%s", i == 0 ? "" : ",",
                       view->awaited[i], address_of(d, view->awaited[i]));
    }
    LOG_INFO("founding", log_text("waits_for", text));
}

void driver_take_event(void *driver, struct replica_event *event)
{
    struct driver *d = driver;
    if (event->kind == REPLICA_EVENT_PEER_LINK)
        write_link(event);
    if (event->kind == REPLICA_EVENT_STREAM_OPENED)
        random_fill(event->random, sizeof event->random);
    event->now_ns = clock_now_ns();
    event->wall_ms = clock_wall_ms();
    replica_step(d->replica, event, &d->effects);
    d->wake_at_ns = d->effects.wake_at_ns;
    /* The disk is the slowest: it begins first. */
    if (has_persist(&d->effects))
        journal_persist(d->journal, &d->effects);
    for (uint32_t i = 0; i < d->effects.count; i++)
        execute(d, &d->effects.list[i]);
    effects_clear(&d->effects);
    struct replica_view view;
    replica_view(d->replica, event->now_ns, &view);
    tell_health(d, &view);
    tell_awaited(d, &view, event->now_ns);
}

void driver_take_note(void *driver, enum rpc_note note, uint32_t peer, const char *text)
{
    (void)driver;
    switch (note) {
    case RPC_NOTE_LINK_REJECTED:
        LOG_ERROR("link-rejected", log_number("peer", peer), log_text("text", text));
        break;
    case RPC_NOTE_LINK_REFUSED:
        LOG_ERROR("link-refused", log_text("text", text));
        break;
    case RPC_NOTE_LINK_BROKEN:
        LOG_INFO("link-broken", log_number("peer", peer), log_text("text", text));
        break;
    }
}

void driver_begin(struct driver *d)
{
    struct replica_event event = {.kind = REPLICA_EVENT_TIME};
    driver_take_event(d, &event);
}

void driver_round(struct driver *d, int64_t until_ns)
{
    rpc_poll(d->rpc, ns_min(d->wake_at_ns, until_ns));
    journal_take(d->journal, driver_take_event, d);
    saver_take(d->saver, driver_take_event, d);
    if (clock_now_ns() >= d->wake_at_ns) {
        struct replica_event event = {.kind = REPLICA_EVENT_TIME};
        driver_take_event(d, &event);
    }
}
