/* hand_over.c - leadership that is passed on by request, or because the disk is full.
 *
 * asked      nothing new is taken; what is under way gets chosen
 * last entry HandOver: what is left of each lease and delay
 * applied    the lease ends, and then the others are told, with the successor
 *
 * Clients are redirected and send again what was not answered: one slow call, no
 * write lost. Should leadership be lost on the way it is just another change of
 * leader. */
#include <stdlib.h>

#include "coordd/replica/inner.h"
#include "libcoord/base/check.h"

void hand_over_asked(struct replica *r, struct client_stream *s, const Coord__V1__StepDown *asked)
{
    if (asked->to != 0 &&
        (asked->to == r->config.self || replica_address_of(r, asked->to)[0] == '\0')) {
        streams_answer_status(r, s, 0, true, COORD__V1__STATUS__INVALID,
                              "to: is not another member");
        return;
    }
    if (!replica_lease_valid(r) || r->config.members_count == 1) {
        streams_answer_status(r, s, 0, true, COORD__V1__STATUS__UNAVAILABLE,
                              "there is nobody to hand over to");
        return;
    }
    r->handing_over = true;
    r->successor = asked->to;
    r->hand_over_stream = s->id;
    r->hand_over_slot = 0;
}

/* Nobody asked; the successor is whoever can do better. */
static void begin_by_itself(struct replica *r)
{
    replica_note(r, NOTE_WARNING, r->config.self,
                 "this disk is full and others are not: leadership is handed over");
    paxos_yields(r->paxos);
    r->handing_over = true;
    r->successor = 0;
    r->hand_over_stream = r->hand_over_slot = 0;
}

static void gather_leases(struct replica *r, Coord__V1__HandOver *h)
{
    Coord__V1__LeaseLeft *list = check_calloc(r->leases.count + 1, sizeof *list);

    h->leases = check_calloc(r->leases.count + 1, sizeof *h->leases);
    for (struct avl_node *at = avl_first(&r->leases); at != NULL; at = avl_next(at)) {
        struct lease *l = container_of(at, struct lease, by_session);
        Coord__V1__LeaseLeft *left = &list[h->n_leases];

        coord__v1__lease_left__init(left);
        left->session = l->session;
        left->left_ms = (uint32_t)leases_left_ms(r, l->session);
        h->leases[h->n_leases++] = left;
    }
    if (h->n_leases == 0)
        free(list); /* else h->leases[0] is its start */
}

static void gather_delays(struct replica *r, Coord__V1__HandOver *h)
{
    Coord__V1__DelayLeft *list = check_calloc(r->delays.count + 1, sizeof *list);

    h->delays = check_calloc(r->delays.count + 1, sizeof *h->delays);
    for (struct avl_node *at = avl_first(&r->delays); at != NULL; at = avl_next(at)) {
        struct delay *d = container_of(at, struct delay, by_path);
        Coord__V1__DelayLeft *left = &list[h->n_delays];

        coord__v1__delay_left__init(left);
        left->path = (char *)d->path;
        left->instance = d->instance;
        left->generation = d->generation;
        left->left_ms = (uint32_t)delays_left_ms(r, slice_of(d->path, d->length));
        h->delays[h->n_delays++] = left;
    }
    if (h->n_delays == 0)
        free(list);
}

static void propose(struct replica *r)
{
    Coord__V1__Command command = COORD__V1__COMMAND__INIT;
    Coord__V1__HandOver h = COORD__V1__HAND_OVER__INIT;
    uint32_t ahead;

    h.ballot = r->leading_ballot;
    gather_leases(r, &h);
    gather_delays(r, &h);
    command.op_case = COORD__V1__COMMAND__OP_HAND_OVER;
    command.hand_over = &h;
    if (batch_queue_add(&r->queue, &command, 0, &ahead)) {
        CHECK(ahead == 0);
        r->hand_over_slot = paxos_next_slot(r->paxos);
    }
    if (h.n_leases > 0)
        free(h.leases[0]);
    if (h.n_delays > 0)
        free(h.delays[0]);
    free(h.leases);
    free(h.delays);
}

void hand_over_tick(struct replica *r)
{
    if (!r->handing_over && paxos_should_yield(r->paxos) && replica_lease_valid(r))
        begin_by_itself(r);
    if (r->handing_over && r->hand_over_slot == 0 && batch_queue_first(&r->queue) == NULL &&
        paxos_outstanding(r->paxos) == 0)
        propose(r);
}

void hand_over_applied(struct replica *r, uint64_t slot)
{
    struct client_stream *s;

    if (!r->handing_over || slot != r->hand_over_slot)
        return;
    s = streams_find(r, r->hand_over_stream);
    if (s != NULL)
        streams_answer_status(r, s, 0, true, COORD__V1__STATUS__OK, "");
    r->hand_over_due = true;
}

void hand_over_drop(struct replica *r)
{
    r->handing_over = r->hand_over_due = false;
    r->hand_over_slot = r->hand_over_stream = 0;
}
