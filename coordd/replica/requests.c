/* requests.c - writes go into batches, reads are served from the state.
 *
 * A read is served when everything that its stream wrote before it is applied
 * and the lease is valid; until then it is parked. */
#include <stdlib.h>
#include <string.h>

#include "coordd/replica/inner.h"
#include "libcoord/base/check.h"

enum { WHY_BYTES_MAX = 160 };

/* ---- writes ---- */

/* Into the open batch. `seq` and `read` say how to refuse it. */
static void gather(struct replica *r, struct client_stream *s, uint64_t seq,
                   const Coord__V1__Command *command, uint64_t origin)
{
    char why[WHY_BYTES_MAX] = "";
    enum err e = state_check_command(command, why, sizeof why);
    uint32_t ahead;

    if (e != ERR_OK) {
        streams_answer_status(r, s, seq, false, (Coord__V1__Status)e, why);
        return;
    }
    if (!batch_queue_add(&r->queue, command, origin, &ahead)) {
        streams_answer_status(r, s, seq, false, COORD__V1__STATUS__THROTTLED,
                              "too much is waiting to be written");
        return;
    }
    /* Nothing but batches is proposed while we serve, so their slots are known. */
    s->last_slot = paxos_next_slot(r->paxos) + ahead;
}

/* False: the kind of write is not known here. The parts are shared, not copied. */
static bool command_of_write(Coord__V1__Command *c, const Coord__V1__Write *w)
{
    switch (w->op_case) {
    case COORD__V1__WRITE__OP_CREATE:
        c->op_case = COORD__V1__COMMAND__OP_CREATE;
        c->create = w->create;
        return true;
    case COORD__V1__WRITE__OP_PUT:
        c->op_case = COORD__V1__COMMAND__OP_PUT;
        c->put = w->put;
        return true;
    case COORD__V1__WRITE__OP_DELETE:
        c->op_case = COORD__V1__COMMAND__OP_DELETE;
        c->delete_ = w->delete_;
        return true;
    case COORD__V1__WRITE__OP_ACQUIRE:
        c->op_case = COORD__V1__COMMAND__OP_ACQUIRE;
        c->acquire = w->acquire;
        return true;
    case COORD__V1__WRITE__OP_RELEASE:
        c->op_case = COORD__V1__COMMAND__OP_RELEASE;
        c->release = w->release;
        return true;
    case COORD__V1__WRITE__OP_CANCEL:
        c->op_case = COORD__V1__COMMAND__OP_CANCEL;
        c->cancel = w->cancel;
        return true;
    case COORD__V1__WRITE__OP_END_SESSION:
        c->op_case = COORD__V1__COMMAND__OP_END_SESSION;
        c->end_session = w->end_session;
        return true;
    case COORD__V1__WRITE__OP_TRANSACTION:
        c->op_case = COORD__V1__COMMAND__OP_TRANSACTION;
        c->transaction = w->transaction;
        return true;
    case COORD__V1__WRITE__OP_FORCE_UNLOCK:
        c->op_case = COORD__V1__COMMAND__OP_FORCE_UNLOCK;
        c->force_unlock = w->force_unlock;
        return true;
    case COORD__V1__WRITE__OP_KILL_SESSION:
        c->op_case = COORD__V1__COMMAND__OP_KILL_SESSION;
        c->kill_session = w->kill_session;
        return true;
    default:
        return false;
    }
}

static void answer_write(struct replica *r, struct client_stream *s, uint64_t seq,
                         struct slice encoded);

void requests_write(struct replica *r, struct client_stream *s, uint64_t seq, uint64_t lowest,
                    const Coord__V1__Write *write)
{
    Coord__V1__Command command = COORD__V1__COMMAND__INIT;
    struct slice kept;

    if (seq == 0 || !command_of_write(&command, write)) {
        streams_answer_status(r, s, seq, false, COORD__V1__STATUS__INVALID,
                              seq == 0 ? "seq: a write's starts at 1" : "write: has no kind");
        return;
    }
    if (state_session_exists(r->state, s->session)) {
        enum state_seq known = state_session_seq(r->state, s->session, seq, &kept);

        if (known == STATE_SEQ_ANSWERED) {
            answer_write(r, s, seq, kept);
            return;
        }
        if (known == STATE_SEQ_WAITING)
            return; /* in line: its answer comes with the grant */
    }
    command.session = s->session;
    command.seq = seq;
    command.lowest = lowest;
    command.principal = s->principal;
    gather(r, s, seq, &command, 0);
}

void requests_open(struct replica *r, struct client_stream *s, const Coord__V1__Open *open)
{
    Coord__V1__Command command = COORD__V1__COMMAND__INIT;
    Coord__V1__OpenSession asked = COORD__V1__OPEN_SESSION__INIT;
    Coord__V1__Answer answer = COORD__V1__ANSWER__INIT;
    struct buffer packed = BUFFER_INIT;
    char why[WHY_BYTES_MAX] = "";
    enum err e;
    uint32_t ahead;

    asked.nonce = open->nonce;
    asked.ttl_ms = open->ttl_ms;
    asked.secret.data = s->random;
    asked.secret.len = sizeof s->random;
    asked.host = open->host;
    asked.pid = open->pid;
    command.op_case = COORD__V1__COMMAND__OP_OPEN_SESSION;
    command.open_session = &asked;
    command.principal = s->principal;
    e = state_check_command(&command, why, sizeof why);
    if (e == ERR_OK && batch_queue_add(&r->queue, &command, s->id, &ahead))
        return;
    answer.status = e == ERR_OK ? COORD__V1__STATUS__THROTTLED : (Coord__V1__Status)e;
    answer.message = e == ERR_OK ? (char *)(uintptr_t) "too much is waiting to be written" : why;
    coord__v1__answer__pack(&answer,
                            buffer_extend(&packed, coord__v1__answer__get_packed_size(&answer)));
    streams_begun(r, s, buffer_slice(&packed));
    buffer_release(&packed);
    streams_end(r, s, STREAM_STATUS_OK, "");
}

void requests_expire(struct replica *r, uint64_t session)
{
    Coord__V1__Command command = COORD__V1__COMMAND__INIT;
    Coord__V1__ExpireSession expire = COORD__V1__EXPIRE_SESSION__INIT;
    uint32_t ahead;

    expire.session = session;
    expire.ballot = r->leading_ballot;
    command.op_case = COORD__V1__COMMAND__OP_EXPIRE_SESSION;
    command.expire_session = &expire;
    /* A full queue costs nothing but time: it is tried again a little later. */
    if (!batch_queue_add(&r->queue, &command, 0, &ahead))
        leases_expire_later(r, session);
}

/* ---- reads ---- */

static void serve(struct replica *r, struct client_stream *s, uint64_t seq,
                  const Coord__V1__Read *read)
{
    buffer_clear(&r->scratch);
    state_read(r->state, read, leases_left_ms, delays_left_ms, r, &r->scratch);
    streams_answer(r, s, seq, true, buffer_slice(&r->scratch));
}

/* What this replica says of itself; no agreement is behind it. */
static void serve_status(struct replica *r, struct client_stream *s, uint64_t seq)
{
    Coord__V1__Answer answer = COORD__V1__ANSWER__INIT;
    Coord__V1__MemberStatus member = COORD__V1__MEMBER_STATUS__INIT;
    Coord__V1__MemberAddress addresses[REPLICA_MEMBERS_MAX], *pointers[REPLICA_MEMBERS_MAX];
    struct buffer packed = BUFFER_INIT;
    struct replica_view view;
    uint8_t hash[16];

    replica_view(r, r->now_ns, &view);
    for (size_t i = 0; i < sizeof hash; i++)
        hash[i] = (uint8_t)(view.state_hash[i / 8] >> (8 * (i % 8)));
    member.id = r->config.self;
    member.address = (char *)(uintptr_t)replica_address_of(r, r->config.self);
    member.role = (char *)(uintptr_t)view.role;
    member.pid = r->config.pid;
    member.ballot = view.ballot;
    member.applied = view.applied;
    member.chosen = view.chosen;
    member.revision = view.revision;
    member.state_hash.data = hash;
    member.state_hash.len = sizeof hash;
    member.leader = view.leader;
    member.version = (char *)(uintptr_t)r->config.version;
    member.sessions_count = state_sessions_count(r->state);
    member.nodes_count = state_nodes_count(r->state);
    member.cell.data = r->config.cell;
    member.cell.len = sizeof r->config.cell;
    member.cell_name = r->config.cell_name;
    for (uint32_t i = 0; i < r->config.members_count; i++) {
        coord__v1__member_address__init(&addresses[i]);
        addresses[i].id = r->config.members[i].id;
        addresses[i].address = r->config.members[i].address;
        pointers[i] = &addresses[i];
    }
    member.members = pointers;
    member.n_members = r->config.members_count;
    answer.revision = view.revision;
    answer.body_case = COORD__V1__ANSWER__BODY_MEMBER;
    answer.member = &member;
    coord__v1__answer__pack(&answer,
                            buffer_extend(&packed, coord__v1__answer__get_packed_size(&answer)));
    streams_answer(r, s, seq, true, buffer_slice(&packed));
    buffer_release(&packed);
}

/* ---- requests that wait ---- */

static bool may_park(const struct client_stream *s, size_t length)
{
    return s->parked_count < STREAM_PARKED_MAX &&
           s->parked_bytes + length <= STREAM_PARKED_BYTES_MAX;
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
    s->parked_bytes += bytes.length;
    list_remove(&s->waiting);
    list_append(&r->waiting, &s->waiting);
    return p;
}

void requests_park(struct replica *r, struct client_stream *s, uint64_t wait_slot,
                   uint64_t wait_round, struct slice bytes)
{
    struct parked *p = park(r, s, PARKED_REQUEST, bytes);

    p->wait_slot = wait_slot;
    p->wait_round = wait_round;
}

/* An answer to a write may show what a watch that was asked for before it has still
 * to tell: while one waits to be registered, the answer waits behind it. */
static void answer_write(struct replica *r, struct client_stream *s, uint64_t seq,
                         struct slice encoded)
{
    if (s->watches_parked == 0 || s->closing)
        streams_answer(r, s, seq, false, encoded);
    else if (!may_park(s, encoded.length))
        streams_end(r, s, STREAM_STATUS_RESOURCE_EXHAUSTED, "too many requests are waiting");
    else
        park(r, s, PARKED_ANSWER, encoded)->seq = seq;
}

static void drop(struct client_stream *s, struct parked *p)
{
    s->parked_count--;
    s->watches_parked -= p->kind == PARKED_WATCH;
    s->parked_bytes -= p->length;
    list_remove(&p->place);
    if (s->parked_count == 0 && s->due_count == 0)
        list_remove(&s->waiting);
    free(p);
}

void requests_drop_parked(struct client_stream *s)
{
    struct list *at;

    while ((at = list_first(&s->parked)) != NULL)
        drop(s, container_of(at, struct parked, place));
}

/* While one is under way all that come share the next. */
uint64_t requests_want_round(struct replica *r)
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

void requests_rounds(struct replica *r)
{
    if (r->round_asked != 0 && paxos_round_answered(r->paxos, r->round_asked))
        r->round_asked = 0;
    if (r->round_asked == 0 && r->round_wanted)
        ask_round(r);
}

static void look_now(struct replica *r, struct client_stream *s, const Coord__V1__Request *q)
{
    if (q->kind_case == COORD__V1__REQUEST__KIND_READ)
        serve(r, s, q->seq, q->read);
    else if (q->kind_case == COORD__V1__REQUEST__KIND_WATCH)
        watches_add(r, s, q->seq, q->watch);
    else
        watches_remove(r, s, q->unwatch->id);
}

/* A reader for whom much waits already is asked to read first. */
static bool has_room(const struct replica *r, const struct client_stream *s)
{
    return !s->lagging && streams_sent(r, s) < STREAM_LAG_BYTES;
}

/* Only what is applied, under a valid lease or confirmed by a round, is the
 * present; and what a stream asked for is served in the order of asking. */
static bool ready(const struct replica *r, const struct client_stream *s, uint64_t wait_slot,
                  uint64_t wait_round)
{
    if (paxos_applied(r->paxos) < wait_slot || !has_room(r, s))
        return false;
    return wait_round == 0 ? replica_lease_valid(r) : paxos_round_answered(r->paxos, wait_round);
}

void requests_look(struct replica *r, struct client_stream *s, const Coord__V1__Request *q)
{
    struct buffer packed = BUFFER_INIT;
    Coord__V1__Freshness freshness = q->kind_case == COORD__V1__REQUEST__KIND_READ
                                         ? q->read->freshness
                                         : COORD__V1__FRESHNESS__LEASE;
    uint64_t wait_round = 0;
    struct parked *p;
    size_t length;

    if (q->kind_case == COORD__V1__REQUEST__KIND_READ &&
        q->read->op_case == COORD__V1__READ__OP_STATUS) {
        serve_status(r, s, q->seq);
        return;
    }
    if (q->kind_case == COORD__V1__REQUEST__KIND_READ &&
        q->read->op_case == COORD__V1__READ__OP__NOT_SET) {
        streams_answer_status(r, s, q->seq, true, COORD__V1__STATUS__INVALID, "read: has no kind");
        return;
    }
    if (freshness == COORD__V1__FRESHNESS__STALE && has_room(r, s) && !paxos_lost(r->paxos)) {
        serve(r, s, q->seq, q->read);
        return;
    }
    if (freshness == COORD__V1__FRESHNESS__LEASE && r->config.distrusts_clocks)
        freshness = COORD__V1__FRESHNESS__QUORUM;
    if (freshness == COORD__V1__FRESHNESS__QUORUM)
        wait_round = requests_want_round(r);
    if (wait_round == 0 && s->parked_count == 0 && ready(r, s, s->last_slot, 0)) {
        look_now(r, s, q);
        return;
    }
    length = coord__v1__request__get_packed_size(q);
    if (!may_park(s, length)) {
        streams_answer_status(r, s, q->seq, true, COORD__V1__STATUS__THROTTLED,
                              "too many requests are waiting");
        return;
    }
    coord__v1__request__pack(q, buffer_extend(&packed, length));
    p = park(r, s, q->kind_case == COORD__V1__REQUEST__KIND_WATCH ? PARKED_WATCH : PARKED_REQUEST,
             buffer_slice(&packed));
    p->wait_slot = s->last_slot;
    p->wait_round = wait_round;
    buffer_release(&packed);
}

static void unpark(struct replica *r, struct client_stream *s, struct slice bytes)
{
    ProtobufCAllocator allocator = arena_allocator(&r->arena);
    Coord__V1__Request *q;

    if (s->kind == REPLICA_STREAM_KEEPALIVE) {
        streams_beats(r, s, bytes, true);
    } else {
        q = coord__v1__request__unpack(&allocator, bytes.length, bytes.data);
        CHECK(q != NULL); /* it was packed here */
        look_now(r, s, q);
    }
    arena_reset(&r->arena);
}

static void unpark_stream(struct replica *r, struct client_stream *s)
{
    struct list *at;

    while ((at = list_first(&s->parked)) != NULL && !s->closing) {
        struct parked *p = container_of(at, struct parked, place);

        if (p->kind == PARKED_ANSWER) {
            streams_answer(r, s, p->seq, false, slice_of(p->bytes, p->length));
        } else {
            if (!ready(r, s, p->wait_slot, p->wait_round))
                break;
            unpark(r, s, slice_of(p->bytes, p->length));
        }
        if (!s->closing) /* ending a stream drops what it had parked */
            drop(s, p);
    }
    catch_up_due(r, s);
}

void requests_unpark(struct replica *r)
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

/* ---- without a session ---- */

void requests_execute(struct replica *r, struct client_stream *s,
                      const Coord__V1__ExecuteRequest *m)
{
    Coord__V1__Command command = COORD__V1__COMMAND__INIT;

    if (m->request_case == COORD__V1__EXECUTE_REQUEST__REQUEST_READ &&
        ((r->leading && !r->handing_over) || m->read->op_case == COORD__V1__READ__OP_STATUS ||
         (m->read->freshness == COORD__V1__FRESHNESS__STALE && !paxos_lost(r->paxos)))) {
        Coord__V1__Request q = COORD__V1__REQUEST__INIT;

        q.kind_case = COORD__V1__REQUEST__KIND_READ;
        q.read = m->read;
        requests_look(r, s, &q);
    } else if (m->request_case == COORD__V1__EXECUTE_REQUEST__REQUEST__NOT_SET) {
        streams_answer_status(r, s, 0, true, COORD__V1__STATUS__INVALID, "request: has no kind");
    } else if (!r->leading || r->handing_over) {
        streams_redirect(r, s);
    } else if (m->request_case == COORD__V1__EXECUTE_REQUEST__REQUEST_STEP_DOWN) {
        hand_over_asked(r, s, m->step_down);
    } else if (!command_of_write(&command, m->write)) {
        streams_answer_status(r, s, 0, true, COORD__V1__STATUS__INVALID, "write: has no kind");
    } else {
        command.principal = s->principal;
        gather(r, s, 0, &command, s->id);
    }
}

/* ---- what an entry had to say ---- */

static void route(struct replica *r, const struct state_answer *answer, const struct batch *batch)
{
    struct client_stream *s;
    struct lease *l;

    if (answer->session != 0) {
        l = leases_find(r, answer->session);
        s = l == NULL ? NULL : streams_find(r, l->stream);
        if (s != NULL)
            answer_write(r, s, answer->seq, answer->encoded);
        return;
    }
    s = batch == NULL ? NULL : streams_find(r, batch->origins[answer->index]);
    if (s == NULL)
        return;
    if (s->kind == REPLICA_STREAM_EXECUTE)
        streams_answer(r, s, 0, false, answer->encoded);
    else
        requests_opened(r, s, answer->encoded);
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
void requests_deliver(struct replica *r, uint64_t slot)
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

/* The answer to an Open that came on this stream. */
void requests_opened(struct replica *r, struct client_stream *s, struct slice encoded)
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
