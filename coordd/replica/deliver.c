/* deliver.c - what an applied entry had to say goes to those who wait for it. */
#include "coordd/replica/inner.h"
#include "libcoord/base/check.h"

/* The answer to an Open that came on this stream. */
static void opened(struct replica *r, struct client_stream *s, struct slice encoded)
{
    Coord__V1__Answer *answer = coord__v1__answer__unpack(NULL, encoded.length, encoded.data);
    struct client_stream *old;
    struct lease *l = NULL;

    CHECK(answer != NULL);
    if (answer->status == COORD__V1__STATUS__OK) {
        CHECK(answer->body_case == COORD__V1__ANSWER__BODY_OPENED);
        l = leases_find(r, answer->opened->session);
        if (l == NULL || l->expiring || !replica_lease_valid(r)) {
            streams_redirect(r, s); /* it comes again, with the same nonce */
            goto out;
        }
        old = streams_find(r, l->stream);
        if (old != NULL && old != s)
            streams_end(r, old, STREAM_STATUS_OK, "another stream took the session over");
        l->stream = s->id;
        s->session = l->session;
        leases_renew(r, l);
    }
    streams_begun(r, s, encoded);
    if (answer->status != COORD__V1__STATUS__OK)
        streams_end(r, s, STREAM_STATUS_OK, "");
out:
    coord__v1__answer__free_unpacked(answer, NULL);
}

static void route(struct replica *r, const struct state_answer *answer, const struct batch *batch)
{
    struct client_stream *s;
    struct lease *l;

    if (answer->session != 0) {
        l = leases_find(r, answer->session);
        s = l == NULL ? NULL : streams_find(r, l->stream);
        if (s != NULL)
            parked_answer(r, s, answer->seq, answer->encoded);
        return;
    }
    s = batch == NULL ? NULL : streams_find(r, batch->origins[answer->index]);
    if (s == NULL)
        return;
    if (s->kind == REPLICA_STREAM_EXECUTE)
        streams_answer(r, s, 0, false, answer->encoded);
    else
        opened(r, s, answer->encoded);
}

static void session_changed(struct replica *r, const struct state_session_note *note)
{
    struct lease *l = leases_find(r, note->session);
    struct client_stream *s = l == NULL ? NULL : streams_find(r, l->stream);

    switch (note->change) {
    case STATE_SESSION_OPENED:
    case STATE_SESSION_KILLED: /* its next KeepAlive is answered with it */
    case STATE_SESSION_RESTORED:
        break;
    case STATE_SESSION_REVOKED:
        if (s != NULL)
            streams_revoked(r, s);
        break;
    case STATE_SESSION_EXPIRED:
        delays_look(r);
        leases_ended(r, note->session);
        break;
    case STATE_SESSION_ENDED:
        delays_look(r); /* of one that was killed */
        leases_ended(r, note->session);
        break;
    }
}

/* Every event is queued before any answer of its entry: an answer never shows a
 * state whose events are still to come. */
void deliver_entry(struct replica *r, uint64_t slot)
{
    const struct state_output *said = &r->said;
    struct list *first = list_first(&r->in_flight);
    struct batch *batch = first == NULL ? NULL : container_of(first, struct batch, place);

    if (batch != NULL && batch->slot != slot)
        batch = NULL;
    for (uint32_t i = 0; i < said->sessions_count; i++)
        if (said->sessions[i].change == STATE_SESSION_OPENED)
            leases_opened(r, said->sessions[i].session, said->sessions[i].ttl_ms);
    for (uint32_t i = 0; i < said->events_count; i++)
        watches_tell(r, &said->events[i]);
    for (uint32_t i = 0; i < said->answers_count; i++)
        route(r, &said->answers[i], batch);
    for (uint32_t i = 0; i < said->sessions_count; i++) {
        static const char *const text[] = {"opened", "ended",   "expired",
                                           "killed", "revoked", "restored"};

        replica_note(r, NOTE_SESSION, said->sessions[i].session, text[said->sessions[i].change]);
        session_changed(r, &said->sessions[i]);
    }
    if (batch != NULL) {
        list_remove(&batch->place);
        batch_free(batch);
    }
}
