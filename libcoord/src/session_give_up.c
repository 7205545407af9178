/* session_give_up.c - when a caller waits no longer: at the deadline, or by its own
 * wish. What was sent goes on without it. */
#include "libcoord/base/check.h"
#include "libcoord/src/session_internal.h"

static void cancel(struct client_session *s, struct client_call *acquire)
{
    Coord__V1__Cancel m = COORD__V1__CANCEL__INIT;
    m.acquire_seq = acquire->seq;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    write.op_case = COORD__V1__WRITE__OP_CANCEL;
    write.cancel = &m;
    struct client_call *c = client_call_new(CLIENT_FIELD_WRITE, &write.base);
    c->kind = CLIENT_CALL_CANCEL;
    c->acquire = acquire;
    acquire->cancel = c;
    client_call_submit(s, c, &s->urgent);
}

void client_call_abandon_acquire(struct client_session *s, struct client_call *c, enum err status)
{
    if (c->cancel != NULL)
        return; /* given up before */
    /* Whatever the servers make of it, it will not be held: if it was sent, the
     * Cancel sees to that. So the caller can be told "no" at once. */
    bool refused = c->answered && c->status != ERR_OK;
    client_call_tell(s, c, status, NULL);
    if (c->seq == 0 || refused)
        client_call_free(s, c);
    else
        cancel(s, c);
}

/* The caller waits no longer; `status` if nothing can have come of it. */
void client_call_abandon(struct client_session *s, struct client_call *c, enum err status)
{
    c->deadline_ns = NEVER_NS;
    switch (c->kind) {
    case CLIENT_CALL_READ:
        client_call_tell(s, c, status, NULL);
        client_call_free(s, c);
        break;
    case CLIENT_CALL_ACQUIRE:
        client_call_abandon_acquire(s, c, status);
        break;
    case CLIENT_CALL_WRITE:
        client_call_tell(s, c, c->seq == 0 ? status : ERR_MAYBE_APPLIED, NULL);
        if (c->seq == 0 || c->answered)
            client_call_free(s, c);
        break;
    case CLIENT_CALL_RELEASE:
    case CLIENT_CALL_CANCEL:
    case CLIENT_CALL_END:
        client_call_tell(s, c, ERR_MAYBE_APPLIED, NULL);
        if (c->answered)
            client_call_free(s, c);
        break;
    }
}

static bool give_up_in(struct client_session *s, struct list *calls, uint64_t token)
{
    for (struct list *at = calls->next; at != calls; at = at->next) {
        struct client_call *c = container_of(at, struct client_call, link);
        if (c->token == token) {
            client_call_abandon(s, c, ERR_CANCELLED);
            return true;
        }
    }
    return false;
}

void client_call_give_up(struct client_session *s, uint64_t token)
{
    struct list *lists[] = {&s->urgent, &s->queue, &s->sent, &s->read_queue, &s->reads};
    for (size_t i = 0; token != 0 && i < sizeof lists / sizeof lists[0]; i++)
        if (give_up_in(s, lists[i], token))
            return;
}

static void deadlines_in(struct client_session *s, struct list *calls)
{
    for (struct list *at = calls->next, *next; at != calls; at = next) {
        next = at->next;
        struct client_call *c = container_of(at, struct client_call, link);
        if (c->token == 0)
            continue;
        if (c->deadline_ns <= s->now_ns)
            client_call_abandon(s, c, ERR_TIMEOUT);
        else
            s->deadline_min_ns = ns_min(s->deadline_min_ns, c->deadline_ns);
    }
}

/* The least deadline is known as a bound only: all calls are walked when that
 * passes, which is once in a call's lifetime and not at every answer. */
void client_calls_tick(struct client_session *s)
{
    if (s->deadline_min_ns > s->now_ns)
        return;
    s->deadline_min_ns = NEVER_NS;
    struct list *lists[] = {&s->sent, &s->urgent, &s->queue, &s->read_queue, &s->reads};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        deadlines_in(s, lists[i]);
    client_watches_tick(s);
}
