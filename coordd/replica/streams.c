/* streams.c - clients' streams, and the queue of what is to go out on each, events
 * and answers in one order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordd/replica/inner.h"
#include "coordd/replica/wire.h"
#include "libcoord/base/check.h"

/* Field numbers of proto/coord/v1/coord.proto. */
enum {
    REPLY_ITEMS = 1,
    ITEM_ANSWERED = 1,
    ITEM_EVENT = 2,
    ITEM_REDIRECT = 3,
    ITEM_BEGUN = 4,
    ANSWERED_SEQ = 1,
    ANSWERED_READ = 2,
    ANSWERED_ANSWER = 3,
    EVENT_WATCH = 1,
    EVENT_KIND = 2,
    EVENT_REVISION = 3,
    EVENT_STAT = 4,
    EVENT_PATH = 5,
    EVENT_VALUE = 6,
    EVENT_GENERATION = 7,
    EVENT_HANDLE = 8,
};

static int by_id(const void *key, const struct avl_node *node)
{
    uint64_t a = *(const uint64_t *)key, b = container_of(node, struct client_stream, by_id)->id;

    return (a > b) - (a < b);
}

struct client_stream *streams_find(const struct replica *r, uint64_t id)
{
    return container_of_or_null(avl_find(&r->streams, &id, by_id), struct client_stream, by_id);
}

/* ---- going out ---- */

size_t streams_sent(const struct replica *r, const struct client_stream *s)
{
    return s->out.length + (s->step == r->steps ? s->step_bytes : 0);
}

static void send_out(struct replica *r, struct client_stream *s)
{
    struct effect *e = effects_add(r->out, EFFECT_SEND_STREAM);

    s->step_bytes = streams_sent(r, s);
    s->step = r->steps;

    e->stream = s->id;
    e->bytes = blob_copy(buffer_slice(&s->out));
    buffer_release(&s->out); /* an idle stream holds no memory */
    list_remove(&s->dirty);
}

static void touched(struct replica *r, struct client_stream *s)
{
    if (streams_sent(r, s) > STREAM_STEP_BYTES_MAX) {
        buffer_clear(&s->out);
        s->overflown = true; /* and not ended here: who sends may be going through its watches */
    }
    list_remove(&s->dirty);
    list_append(&r->dirty, &s->dirty);
}

void streams_flush(struct replica *r)
{
    struct list *at;

    while ((at = list_first(&r->dirty)) != NULL) {
        struct client_stream *s = container_of(at, struct client_stream, dirty);

        if (s->overflown) {
            list_remove(&s->dirty);
            streams_end(r, s, STREAM_STATUS_RESOURCE_EXHAUSTED,
                        "more than a reader can be sent at once");
        } else {
            send_out(r, s);
        }
    }
}

/* Close the message at hand if it is large enough. Not between two events of one
 * revision: a client that was told a revision was told all of it. */
static void cut(struct replica *r, struct client_stream *s, uint64_t revision)
{
    if (s->out.length >= STREAM_FLUSH_BYTES &&
        (revision == 0 || revision != s->last_event_revision))
        send_out(r, s);
    s->last_event_revision = revision;
}

/* The header of one Item with a field of `length` bytes, which the caller puts. */
static void item_header(struct client_stream *s, uint32_t field, size_t length)
{
    wire_put_header(&s->out, REPLY_ITEMS, wire_bytes_size(field, length));
    wire_put_header(&s->out, field, length);
}

void streams_answer(struct replica *r, struct client_stream *s, uint64_t seq, bool read,
                    struct slice answer)
{
    if (s->closing || s->overflown)
        return;
    if (s->kind == REPLICA_STREAM_EXECUTE) {
        buffer_put(&s->out, answer.data, answer.length);
        touched(r, s);
        streams_end(r, s, STREAM_STATUS_OK, "");
        return;
    }
    if (s->missed_count > 0)
        catch_up_before_answer(r, s);
    cut(r, s, 0);
    item_header(s, ITEM_ANSWERED,
                wire_varint_size(ANSWERED_SEQ, seq) + wire_varint_size(ANSWERED_READ, read) +
                    wire_bytes_size(ANSWERED_ANSWER, answer.length));
    wire_put_varint(&s->out, ANSWERED_SEQ, seq);
    wire_put_varint(&s->out, ANSWERED_READ, read);
    wire_put_bytes(&s->out, ANSWERED_ANSWER, answer);
    touched(r, s);
}

void streams_answer_status(struct replica *r, struct client_stream *s, uint64_t seq, bool read,
                           Coord__V1__Status status, const char *message)
{
    Coord__V1__Answer answer = COORD__V1__ANSWER__INIT;
    struct buffer packed = BUFFER_INIT;

    answer.status = status;
    answer.message = (char *)(uintptr_t)message;
    /* What was only turned away is answered at once, and shows nothing of the state: the
     * stream's watches may not have been told of its revision yet. */
    if (status != COORD__V1__STATUS__THROTTLED && status != COORD__V1__STATUS__NO_SPACE)
        answer.revision = state_revision(r->state);
    coord__v1__answer__pack(&answer,
                            buffer_extend(&packed, coord__v1__answer__get_packed_size(&answer)));
    streams_answer(r, s, seq, read, buffer_slice(&packed));
    buffer_release(&packed);
}

void streams_begun(struct replica *r, struct client_stream *s, struct slice answer)
{
    if (s->closing || s->overflown)
        return;
    item_header(s, ITEM_BEGUN, answer.length);
    buffer_put(&s->out, answer.data, answer.length);
    touched(r, s);
}

void streams_beat_answer(struct replica *r, struct client_stream *s, Coord__V1__BeatAnswer *answer)
{
    Coord__V1__KeepAliveReply reply = COORD__V1__KEEP_ALIVE_REPLY__INIT;

    reply.answers = &answer;
    reply.n_answers = 1;
    coord__v1__keep_alive_reply__pack(
        &reply, buffer_extend(&s->out, coord__v1__keep_alive_reply__get_packed_size(&reply)));
    touched(r, s);
}

static size_t slice_size(uint32_t field, struct slice bytes)
{
    return bytes.length == 0 ? 0 : wire_bytes_size(field, bytes.length);
}

static void put_slice(struct buffer *b, uint32_t field, struct slice bytes)
{
    if (bytes.length > 0)
        wire_put_bytes(b, field, bytes);
}

void streams_event(struct replica *r, struct client_stream *s, const struct event_text *e)
{
    if (s->closing || s->overflown)
        return;
    cut(r, s, e->revision);
    item_header(s, ITEM_EVENT,
                wire_varint_size(EVENT_WATCH, e->watch) + wire_varint_size(EVENT_KIND, e->kind) +
                    wire_varint_size(EVENT_REVISION, e->revision) +
                    slice_size(EVENT_STAT, e->stat) + slice_size(EVENT_PATH, e->path) +
                    slice_size(EVENT_VALUE, e->value) +
                    wire_varint_size(EVENT_GENERATION, e->generation) +
                    wire_varint_size(EVENT_HANDLE, e->handle));
    wire_put_varint(&s->out, EVENT_WATCH, e->watch);
    wire_put_varint(&s->out, EVENT_KIND, e->kind);
    wire_put_varint(&s->out, EVENT_REVISION, e->revision);
    put_slice(&s->out, EVENT_STAT, e->stat);
    put_slice(&s->out, EVENT_PATH, e->path);
    put_slice(&s->out, EVENT_VALUE, e->value);
    wire_put_varint(&s->out, EVENT_GENERATION, e->generation);
    wire_put_varint(&s->out, EVENT_HANDLE, e->handle);
    touched(r, s);
}

void streams_lags(struct replica *r, const struct replica_event *e)
{
    struct client_stream *s = streams_find(r, e->stream);

    if (s != NULL)
        s->lagging = true;
}

void streams_drained(struct replica *r, const struct replica_event *e)
{
    struct client_stream *s = streams_find(r, e->stream);

    if (s == NULL || !s->lagging)
        return;
    s->lagging = false;
    if (!s->closing)
        catch_up_stream(r, s);
}

/* ---- ending ---- */

void streams_end(struct replica *r, struct client_stream *s, enum stream_status status,
                 const char *text)
{
    struct effect *e;
    struct lease *l;

    if (s->closing)
        return;
    if (s->out.length > 0)
        send_out(r, s);
    s->closing = true;
    watches_remove_all(r, s);
    parked_drop_all(s);
    l = s->session == 0 ? NULL : leases_find(r, s->session);
    if (l != NULL && l->stream == s->id)
        l->stream = 0;
    e = effects_add(r->out, EFFECT_CLOSE_STREAM);
    e->stream = s->id;
    e->status = status;
    effect_say(e, text);
}

void streams_redirect(struct replica *r, struct client_stream *s)
{
    Coord__V1__Redirect redirect = COORD__V1__REDIRECT__INIT;
    Coord__V1__Item item = COORD__V1__ITEM__INIT, *items[1] = {&item};
    Coord__V1__SessionReply session = COORD__V1__SESSION_REPLY__INIT;
    Coord__V1__KeepAliveReply keepalive = COORD__V1__KEEP_ALIVE_REPLY__INIT;
    uint32_t leader = paxos_leader(r->paxos);

    if (s->closing)
        return;
    redirect.leader = leader == r->config.self ? 0 : leader; /* leads, but cannot serve yet */
    redirect.address = (char *)(uintptr_t)replica_address_of(r, redirect.leader);
    if (s->kind == REPLICA_STREAM_EXECUTE) {
        streams_answer_status(r, s, 0, true,
                              s->last_slot != 0 ? COORD__V1__STATUS__MAYBE_APPLIED
                                                : COORD__V1__STATUS__NOT_LEADER,
                              redirect.address);
        return;
    }
    if (s->kind == REPLICA_STREAM_SESSION) {
        item.kind_case = COORD__V1__ITEM__KIND_REDIRECT;
        item.redirect = &redirect;
        session.items = items;
        session.n_items = 1;
        coord__v1__session_reply__pack(
            &session, buffer_extend(&s->out, coord__v1__session_reply__get_packed_size(&session)));
    } else {
        keepalive.redirect = &redirect;
        coord__v1__keep_alive_reply__pack(
            &keepalive,
            buffer_extend(&s->out, coord__v1__keep_alive_reply__get_packed_size(&keepalive)));
    }
    touched(r, s);
    streams_end(r, s, STREAM_STATUS_OK, "");
}

void streams_redirect_all(struct replica *r)
{
    for (struct avl_node *at = avl_first(&r->streams); at != NULL; at = avl_next(at))
        streams_redirect(r, container_of(at, struct client_stream, by_id));
}

/* ---- life ---- */

void streams_opened(struct replica *r, const struct replica_event *e)
{
    struct client_stream *s = check_calloc(1, sizeof *s);

    s->id = e->stream;
    s->kind = e->stream_kind;
    snprintf(s->principal, sizeof s->principal, "%s", e->principal == NULL ? "" : e->principal);
    memcpy(s->random, e->random, sizeof s->random);
    list_init(&s->dirty);
    list_init(&s->waiting);
    list_init(&s->parked);
    CHECK(avl_insert(&r->streams, &s->by_id, &s->id, by_id) == NULL);
}

static void free_stream(struct replica *r, struct client_stream *s)
{
    struct lease *l = s->session == 0 ? NULL : leases_find(r, s->session);

    if (l != NULL && l->stream == s->id)
        l->stream = 0;
    watches_remove_all(r, s);
    parked_drop_all(s);
    list_remove(&s->dirty);
    avl_remove(&r->streams, &s->by_id);
    buffer_release(&s->out);
    free(s);
}

void streams_closed(struct replica *r, const struct replica_event *e)
{
    struct client_stream *s = streams_find(r, e->stream);

    if (s != NULL)
        free_stream(r, s);
}

void streams_free_all(struct replica *r)
{
    struct avl_node *at;

    while ((at = avl_first(&r->streams)) != NULL)
        free_stream(r, container_of(at, struct client_stream, by_id));
}

void streams_revoked(struct replica *r, struct client_stream *s)
{
    struct state_revoked taken = {.handle = 0};

    while (state_revoked_next(r->state, s->session, taken.handle, &taken)) {
        struct event_text event = {.kind = COORD__V1__EVENT__KIND__REVOKED,
                                   .revision = state_revision(r->state),
                                   .generation = taken.generation,
                                   .handle = taken.handle,
                                   .path = taken.path};

        streams_event(r, s, &event);
    }
}
