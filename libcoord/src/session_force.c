/* session_force.c - what an operator takes away: a lock, or the whole session.
 *
 * The servers hold the lease back until the session has let go, so letting go
 * waits for nothing: not for the application, and not for a renewed lease. Unless the
 * application asked for it: then it has what is left of the lease to end what relies on
 * the lock, and releases it by itself; a session that was killed ends with its lease. */
#include "libcoord/base/check.h"
#include "libcoord/src/session_internal.h"

static bool is_released_in(const struct list *calls, uint64_t handle)
{
    for (const struct list *at = calls->next; at != calls; at = at->next)
        if (container_of(at, const struct client_call, link)->revoked == handle)
            return true;
    return false;
}

/* It is told again after each Attach, until the Release was applied. */
bool client_is_released(const struct client_session *s, uint64_t handle)
{
    return is_released_in(&s->urgent, handle) || is_released_in(&s->sent, handle);
}

void client_revoked(struct client_session *s, const Coord__V1__Event *event)
{
    if (client_over(s) || event->handle == 0)
        return;
    Coord__V1__Release m = COORD__V1__RELEASE__INIT;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    m.path = event->path;
    m.handle = event->handle;
    write.op_case = COORD__V1__WRITE__OP_RELEASE;
    write.release = &m;
    struct client_event let_go = {
        .kind = CLIENT_EVENT_LET_GO, .write = &write, .deadline_ns = NEVER_NS};
    if (!s->lets_go_late)
        client_call_write(s, &let_go);
    client_effect_add(s, CLIENT_EFFECT_REVOKED)->event = event;
}

void client_killed(struct client_session *s)
{
    if (s->closing)
        return; /* its end is on its way already */
    s->parting = s->link == CLIENT_LINK_ATTACHED && !s->lets_go_late;
    client_finish(s, CLIENT_SESSION_EXPIRED, ERR_EXPIRED, NULL);
    if (!s->parting)
        return; /* its lease runs out, for it is not renewed */
    s->parting_until_ns = s->now_ns + ms_to_ns(CLIENT_SESSION_BEAT_TIMEOUT_MS);
    Coord__V1__EndSession end = COORD__V1__END_SESSION__INIT;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    write.op_case = COORD__V1__WRITE__OP_END_SESSION;
    write.end_session = &end;
    struct client_call *c = client_call_new(CLIENT_FIELD_WRITE, &write.base);
    c->kind = CLIENT_CALL_END;
    client_call_submit(s, c, &s->urgent);
}

void client_part_over(struct client_session *s)
{
    s->parting = false;
    client_link_drop(s);
    client_calls_finish(s);
}

void client_part_tick(struct client_session *s)
{
    if (s->link != CLIENT_LINK_ATTACHED || s->parting_until_ns <= s->now_ns)
        client_part_over(s);
    else
        client_calls_send(s);
}
