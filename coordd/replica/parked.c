/* parked.c - what a stream asked for and cannot be served yet.
 *
 * It waits for a slot to be applied, for the lease, for a round that a quorum
 * answers, or for its reader to read; and it is served in the order of asking. */
#include <stdlib.h>
#include <string.h>

#include "coordd/replica/inner.h"
#include "libcoord/base/check.h"

bool parked_may(const struct client_stream *s, size_t length)
{
    return s->parked_count - s->messages_parked < STREAM_PARKED_MAX &&
           s->parked_bytes + length <= STREAM_PARKED_BYTES_MAX;
}

bool parked_may_message(const struct client_stream *s, size_t length)
{
    return s->messages_parked < STREAM_PARKED_MAX &&
           s->messages_bytes + length <= STREAM_ATTACH_BYTES_MAX;
}

static size_t *bytes_of(struct client_stream *s, enum parked_kind kind)
{
    return kind == PARKED_MESSAGE ? &s->messages_bytes : &s->parked_bytes;
}

static struct parked *park(struct replica *r, struct client_stream *s, enum parked_kind kind,
                           struct slice bytes)
{
    struct parked *p = check_calloc(1, sizeof *p + bytes.length);

    p->kind = kind;
    p->length = bytes.length;
    if (bytes.length > 0)
        memcpy(p->bytes, bytes.data, bytes.length);
    list_append(&s->parked, &p->place);
    s->parked_count++;
    s->watches_parked += kind == PARKED_WATCH;
    s->messages_parked += kind == PARKED_MESSAGE;
    *bytes_of(s, kind) += bytes.length;
    list_remove(&s->waiting);
    list_append(&r->waiting, &s->waiting);
    return p;
}

void parked_add(struct replica *r, struct client_stream *s, enum parked_kind kind,
                uint64_t wait_slot, uint64_t wait_round, struct slice bytes)
{
    struct parked *p = park(r, s, kind, bytes);

    p->wait_slot = wait_slot;
    p->wait_round = wait_round;
}

/* An answer to a write may show what a watch that was asked for before it has still
 * to tell: while one waits to be registered, the answer waits behind it. */
void parked_answer(struct replica *r, struct client_stream *s, uint64_t seq, struct slice encoded)
{
    if (s->watches_parked == 0 || s->closing)
        streams_answer(r, s, seq, false, encoded);
    else if (!parked_may(s, encoded.length))
        streams_end(r, s, STREAM_STATUS_RESOURCE_EXHAUSTED, "too many requests are waiting");
    else
        park(r, s, PARKED_ANSWER, encoded)->seq = seq;
}

/* It is the caller's from now on. */
static void take(struct client_stream *s, struct parked *p)
{
    s->parked_count--;
    s->watches_parked -= p->kind == PARKED_WATCH;
    s->messages_parked -= p->kind == PARKED_MESSAGE;
    *bytes_of(s, p->kind) -= p->length;
    list_remove(&p->place);
    if (s->parked_count == 0 && s->due_count == 0)
        list_remove(&s->waiting);
}

void parked_drop_all(struct client_stream *s)
{
    struct list *at;

    while ((at = list_first(&s->parked)) != NULL) {
        struct parked *p = container_of(at, struct parked, place);

        take(s, p);
        free(p);
    }
}

/* ---- rounds ---- */

/* While one is under way all that come share the next. */
uint64_t parked_want_round(struct replica *r)
{
    r->round_wanted = true;
    return paxos_round(r->paxos) + 1;
}

/* Have a round sent now: every message of it leaves after the reads that wait for
 * it arrived. */
static void ask_round(struct replica *r)
{
    r->round_wanted = false;
    r->round_asked = replica_begin_round(r);
}

void parked_rounds(struct replica *r)
{
    if (r->round_asked != 0 && paxos_round_answered(r->paxos, r->round_asked))
        r->round_asked = 0;
    if (r->round_asked == 0 && r->round_wanted)
        ask_round(r);
}

/* ---- serving ---- */

/* A reader for whom much waits already is asked to read first. */
bool parked_reader_has_room(const struct replica *r, const struct client_stream *s)
{
    return !s->lagging && streams_sent(r, s) < STREAM_LAG_BYTES;
}

/* Only what is applied, under a valid lease or confirmed by a round, is the
 * present; and what a stream asked for is served in the order of asking. */
bool parked_ready(const struct replica *r, const struct client_stream *s, uint64_t wait_slot,
                  uint64_t wait_round)
{
    if (paxos_applied(r->paxos) < wait_slot || !parked_reader_has_room(r, s))
        return false;
    return wait_round == 0 ? replica_lease_valid(r) : paxos_round_answered(r->paxos, wait_round);
}

static void unpark(struct replica *r, struct client_stream *s, const struct parked *p)
{
    struct slice bytes = slice_of(p->bytes, p->length);
    ProtobufCAllocator allocator = arena_allocator(&r->arena);
    Coord__V1__Request *q;

    if (s->kind == REPLICA_STREAM_KEEPALIVE) {
        incoming_beats(r, s, bytes, true);
    } else if (p->kind == PARKED_MESSAGE) {
        incoming_session(r, s, bytes, p->wait_round);
    } else {
        q = coord__v1__request__unpack(&allocator, bytes.length, bytes.data);
        CHECK(q != NULL); /* it was packed here */
        requests_look_now(r, s, q);
    }
    arena_reset(&r->arena);
}

/* The leases have been gathered by then, as they will be given on: none of them may
 * be renewed. The stream ends soon, and all of it comes again. */
static bool comes_too_late(const struct replica *r, const struct client_stream *s,
                           const struct parked *p)
{
    return r->handing_over && (s->kind == REPLICA_STREAM_KEEPALIVE || p->kind == PARKED_MESSAGE);
}

static void unpark_stream(struct replica *r, struct client_stream *s)
{
    struct list *at;

    while ((at = list_first(&s->parked)) != NULL && !s->closing) {
        struct parked *p = container_of(at, struct parked, place);

        if (p->kind != PARKED_ANSWER &&
            (!parked_ready(r, s, p->wait_slot, p->wait_round) || comes_too_late(r, s, p)))
            break;
        take(s, p); /* first: what is in it may have to wait again, and needs the room */
        if (p->kind == PARKED_ANSWER)
            streams_answer(r, s, p->seq, false, slice_of(p->bytes, p->length));
        else
            unpark(r, s, p);
        free(p);
    }
    catch_up_due(r, s);
}

void parked_serve(struct replica *r)
{
    struct list *at = r->waiting.next;

    if (list_empty(&r->waiting))
        return;
    while (at != &r->waiting) {
        struct client_stream *s = container_of(at, struct client_stream, waiting);

        at = at->next;
        unpark_stream(r, s);
    }
}
