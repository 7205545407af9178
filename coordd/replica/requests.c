/* requests.c - writes go into batches, reads are served from the state.
 *
 * A read is served when everything that its stream wrote before it is applied
 * and the lease is valid; until then it is parked (parked.c). */
#include "coordd/replica/inner.h"
#include "libcoord/base/check.h"

enum { WHY_BYTES_MAX = 160 };

/* ---- writes ---- */

uint64_t requests_last_slot(const struct replica *r)
{
    return paxos_next_slot(r->paxos) - 1 + r->queue.count;
}

static bool only_deletes(const Coord__V1__Transaction *t)
{
    for (size_t i = 0; i < t->n_changes; i++)
        if (t->changes[i]->op_case != COORD__V1__CHANGE__OP_DELETE)
            return false;
    return true;
}

/* What leaves less than it finds, or keeps locks and sessions going, is written even
 * when the disks are full: for that something is kept back. */
static bool is_spared(const Coord__V1__Command *command)
{
    switch (command->op_case) {
    case COORD__V1__COMMAND__OP_CREATE:
    case COORD__V1__COMMAND__OP_PUT:
    case COORD__V1__COMMAND__OP_ACQUIRE:
        return false;
    case COORD__V1__COMMAND__OP_TRANSACTION:
        return only_deletes(command->transaction);
    default:
        return true;
    }
}

/* Not while it may be on its way already: what the session sent through another stream
 * is in the log, or will be. */
static bool lacks_space(const struct replica *r, const struct client_stream *s,
                        const Coord__V1__Command *command)
{
    return paxos_short_of_space(r->paxos) && !is_spared(command) &&
           paxos_applied(r->paxos) >= s->settled_slot;
}

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
    if (lacks_space(r, s, command)) {
        streams_answer_status(r, s, seq, false, COORD__V1__STATUS__NO_SPACE,
                              "the disks of the cell are full, or so is the log of members that "
                              "have no state; what frees space, unlocks, or opens or ends a "
                              "session is still taken");
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
            parked_answer(r, s, seq, kept);
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
    uint8_t hash[STATE_HASH_BYTES];

    replica_view(r, r->now_ns, &view);
    state_hash_put(view.state_hash, hash);
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
    member.compared = view.compared;
    member.crowded = view.crowded;
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
    member.awaited = view.awaited;
    member.n_awaited = view.awaited_count;
    answer.revision = view.revision;
    answer.body_case = COORD__V1__ANSWER__BODY_MEMBER;
    answer.member = &member;
    coord__v1__answer__pack(&answer,
                            buffer_extend(&packed, coord__v1__answer__get_packed_size(&answer)));
    streams_answer(r, s, seq, true, buffer_slice(&packed));
    buffer_release(&packed);
}

void requests_look_now(struct replica *r, struct client_stream *s, const Coord__V1__Request *q)
{
    if (q->kind_case == COORD__V1__REQUEST__KIND_READ)
        serve(r, s, q->seq, q->read);
    else if (q->kind_case == COORD__V1__REQUEST__KIND_WATCH)
        watches_add(r, s, q->seq, q->watch);
    else
        watches_remove(r, s, q->unwatch->id);
}

void requests_look(struct replica *r, struct client_stream *s, const Coord__V1__Request *q,
                   uint64_t round)
{
    struct buffer packed = BUFFER_INIT;
    Coord__V1__Freshness freshness = q->kind_case == COORD__V1__REQUEST__KIND_READ
                                         ? q->read->freshness
                                         : COORD__V1__FRESHNESS__LEASE;
    uint64_t wait_round = 0;
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
    if (freshness == COORD__V1__FRESHNESS__STALE && parked_reader_has_room(r, s) &&
        !paxos_lost(r->paxos)) {
        serve(r, s, q->seq, q->read);
        return;
    }
    if (freshness == COORD__V1__FRESHNESS__LEASE && r->config.distrusts_clocks)
        freshness = COORD__V1__FRESHNESS__QUORUM;
    if (freshness == COORD__V1__FRESHNESS__QUORUM)
        wait_round = round != 0 ? round : parked_want_round(r);
    if (wait_round == round && s->parked_count == s->messages_parked &&
        parked_ready(r, s, s->last_slot, wait_round)) {
        requests_look_now(r, s, q);
        return;
    }
    length = coord__v1__request__get_packed_size(q);
    if (!parked_may(s, length)) {
        streams_answer_status(r, s, q->seq, true, COORD__V1__STATUS__THROTTLED,
                              "too many requests are waiting");
        return;
    }
    coord__v1__request__pack(q, buffer_extend(&packed, length));
    parked_add(r, s, q->kind_case == COORD__V1__REQUEST__KIND_WATCH ? PARKED_WATCH : PARKED_REQUEST,
               s->last_slot, wait_round, buffer_slice(&packed));
    buffer_release(&packed);
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
        requests_look(r, s, &q, 0);
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
