/* incoming.c - what comes in on clients' streams. */
#include <stdio.h>

#include "coordd/replica/inner.h"
#include "coordd/state/scan.h"

static void attach(struct replica *r, struct client_stream *s, const Coord__V1__Attach *asked,
                   bool confirmed)
{
    struct slice secret = slice_of(asked->secret.data, asked->secret.len);
    struct lease *l = leases_find(r, asked->session);
    Coord__V1__Answer answer = COORD__V1__ANSWER__INIT;
    Coord__V1__SessionOpened opened = COORD__V1__SESSION_OPENED__INIT;
    struct buffer packed = BUFFER_INIT;
    struct client_stream *old;

    if ((!confirmed && !replica_lease_valid(r)) || (l != NULL && l->expiring)) {
        streams_redirect(r, s); /* not to be judged now: it comes again */
        return;
    }
    answer.revision = state_revision(r->state);
    if (l == NULL || !state_session_authentic(r->state, asked->session, secret)) {
        answer.status = COORD__V1__STATUS__EXPIRED;
        answer.message = (char *)(uintptr_t) "attach: no such session, or not its secret";
    } else {
        old = streams_find(r, l->stream);
        l->stream = s->id;
        s->session = asked->session;
        s->settled_slot = requests_last_slot(r);
        if (old != NULL)
            streams_end(r, old, STREAM_STATUS_OK, "another stream took the session over");
        opened.held = state_session_hold(r->state, asked->session) != STATE_HOLD_NONE;
        if (!opened.held)
            leases_renew(r, l);
        opened.session = asked->session;
        opened.secret = asked->secret;
        opened.ttl_ms = l->ttl_ms;
        opened.last_seq = state_session_last_seq(r->state, asked->session);
        answer.body_case = COORD__V1__ANSWER__BODY_OPENED;
        answer.opened = &opened;
    }
    coord__v1__answer__pack(&answer,
                            buffer_extend(&packed, coord__v1__answer__get_packed_size(&answer)));
    streams_begun(r, s, buffer_slice(&packed));
    buffer_release(&packed);
    if (answer.status != COORD__V1__STATUS__OK)
        streams_end(r, s, STREAM_STATUS_OK, "");
    else
        streams_revoked(r, s);
}

static void request(struct replica *r, struct client_stream *s, const Coord__V1__Request *q,
                    uint64_t lowest, uint64_t round)
{
    switch (q->kind_case) {
    case COORD__V1__REQUEST__KIND_WRITE:
        requests_write(r, s, q->seq, lowest, q->write);
        break;
    case COORD__V1__REQUEST__KIND_READ:
    case COORD__V1__REQUEST__KIND_WATCH:
    case COORD__V1__REQUEST__KIND_UNWATCH:
        requests_look(r, s, q, round);
        break;
    default:
        streams_end(r, s, STREAM_STATUS_INVALID_ARGUMENT, "request: has no kind");
    }
}

/* NULL, and the stream is ended, if the bytes are no message of this type or
 * have a string that a decoder would misread. In the arena, until it is reset. */
static void *unpack(struct replica *r, struct client_stream *s,
                    const ProtobufCMessageDescriptor *type, struct slice bytes)
{
    ProtobufCAllocator allocator = arena_allocator(&r->arena);
    const char *field = "";
    void *m = NULL;
    char why[80];

    if (scan_strings(type, bytes, &field) == ERR_OK)
        m = protobuf_c_message_unpack(type, &allocator, bytes.length, bytes.data);
    if (m == NULL) {
        snprintf(why, sizeof why, "not a sound %s%s%s", type->short_name,
                 field[0] == '\0' ? "" : ": ", field);
        streams_end(r, s, STREAM_STATUS_INVALID_ARGUMENT, why);
    }
    return m;
}

/* The session is attached, and what came right behind that still waits for its round. */
static void throttle(struct replica *r, struct client_stream *s, const Coord__V1__SessionRequest *m)
{
    for (size_t i = 0; i < m->n_requests && !s->closing; i++)
        streams_answer_status(r, s, m->requests[i]->seq,
                              m->requests[i]->kind_case != COORD__V1__REQUEST__KIND_WRITE,
                              COORD__V1__STATUS__THROTTLED, "too many requests are waiting");
}

/* Who is not to trust its clock may not say of a session that it lives, or does not,
 * before a round has come back; what follows on the stream waits behind that. */
static bool attach_waits(struct replica *r, struct client_stream *s,
                         const Coord__V1__SessionRequest *m, struct slice bytes)
{
    bool attaches = m->begin_case == COORD__V1__SESSION_REQUEST__BEGIN_ATTACH;

    if (!r->config.distrusts_clocks || (!attaches && s->messages_parked == 0))
        return false;
    s->begun = true;
    if (parked_may_message(s, bytes.length))
        parked_add(r, s, PARKED_MESSAGE, 0, parked_want_round(r), bytes);
    else if (s->session != 0)
        throttle(r, s, m);
    else
        streams_end(r, s, STREAM_STATUS_RESOURCE_EXHAUSTED, "too many requests are waiting");
    return true;
}

void incoming_session(struct replica *r, struct client_stream *s, struct slice bytes,
                      uint64_t round)
{
    Coord__V1__SessionRequest *m = unpack(r, s, &coord__v1__session_request__descriptor, bytes);
    bool begins;

    if (m == NULL)
        return;
    if (!r->leading) {
        streams_redirect(r, s);
        return;
    }
    begins = m->begin_case != COORD__V1__SESSION_REQUEST__BEGIN__NOT_SET;
    if (round == 0 && begins == s->begun) {
        streams_end(r, s, STREAM_STATUS_INVALID_ARGUMENT,
                    "begin: open or attach belongs into the first message, and only there");
        return;
    }
    if (round == 0 && attach_waits(r, s, m, bytes))
        return;
    s->begun = true;
    if (m->begin_case == COORD__V1__SESSION_REQUEST__BEGIN_OPEN)
        requests_open(r, s, m->open);
    else if (m->begin_case == COORD__V1__SESSION_REQUEST__BEGIN_ATTACH)
        attach(r, s, m->attach, round != 0);
    if (m->n_requests > 0 && s->session == 0) {
        streams_end(r, s, STREAM_STATUS_INVALID_ARGUMENT, "requests: the session is not open yet");
        return;
    }
    for (size_t i = 0; i < m->n_requests && !s->closing; i++)
        request(r, s, m->requests[i], m->lowest, round);
}

/* What was taken by force stops the answers that renew, so that the holder's
 * belief runs out even if it does not listen. */
static Coord__V1__Status renew(struct replica *r, struct lease *l)
{
    switch (state_session_hold(r->state, l->session)) {
    case STATE_HOLD_NONE:
        leases_renew(r, l);
        return COORD__V1__STATUS__OK;
    case STATE_HOLD_REVOKED:
        return COORD__V1__STATUS__NOT_HELD;
    case STATE_HOLD_KILLED:
        break;
    }
    return COORD__V1__STATUS__CANCELLED;
}

void incoming_beats(struct replica *r, struct client_stream *s, struct slice bytes, bool confirmed)
{
    Coord__V1__KeepAliveRequest *m =
        unpack(r, s, &coord__v1__keep_alive_request__descriptor, bytes);

    if (m == NULL)
        return;
    if (!r->leading) {
        streams_redirect(r, s);
        return;
    }
    if (m->n_beats > KEEPALIVE_BEATS_MAX) {
        streams_end(r, s, STREAM_STATUS_INVALID_ARGUMENT, "beats: too many in one message");
        return;
    }
    if (!confirmed && (r->config.distrusts_clocks || !replica_lease_valid(r))) {
        if (parked_may(s, bytes.length))
            parked_add(r, s, PARKED_REQUEST, 0,
                       r->config.distrusts_clocks ? parked_want_round(r) : 0, bytes);
        return; /* one that is dropped is asked again */
    }
    for (size_t i = 0; i < m->n_beats; i++) {
        const Coord__V1__Beat *beat = m->beats[i];
        struct lease *l = leases_find(r, beat->session);
        Coord__V1__BeatAnswer answer = COORD__V1__BEAT_ANSWER__INIT;

        if (l != NULL && l->expiring)
            continue; /* whether it lives is being decided */
        answer.session = beat->session;
        answer.stamp = beat->stamp;
        if (l == NULL || !state_session_authentic(r->state, beat->session,
                                                  slice_of(beat->secret.data, beat->secret.len)))
            answer.status = COORD__V1__STATUS__EXPIRED;
        else
            answer.status = renew(r, l);
        streams_beat_answer(r, s, &answer);
    }
}

static void execute_message(struct replica *r, struct client_stream *s, struct slice bytes)
{
    Coord__V1__ExecuteRequest *m = unpack(r, s, &coord__v1__execute_request__descriptor, bytes);

    s->begun = true;
    if (m != NULL)
        requests_execute(r, s, m);
}

void incoming_message(struct replica *r, const struct replica_event *e)
{
    struct client_stream *s = streams_find(r, e->stream);

    if (s == NULL || s->closing || (r->handing_over && s->kind != REPLICA_STREAM_EXECUTE))
        return; /* while leadership is handed over: the stream ends soon, all comes again */
    if (s->kind == REPLICA_STREAM_SESSION)
        incoming_session(r, s, e->bytes, 0);
    else if (s->kind == REPLICA_STREAM_KEEPALIVE)
        incoming_beats(r, s, e->bytes, false);
    else if (s->begun)
        streams_end(r, s, STREAM_STATUS_INVALID_ARGUMENT, "one request only");
    else
        execute_message(r, s, e->bytes);
    arena_reset(&r->arena);
}
