/* command_force.c - take a lock from its holders, end a session, by force.
 *
 * By force is still not behind the holder's back: a lock passes on, and a session
 * ends, only when its library has agreed or its lease has run out. Until then it is
 * only marked, and the leader answers none of its KeepAlives. */
#include "coordd/state/command.h"
#include "coordd/state/lock.h"
#include "coordd/state/node.h"
#include "coordd/state/session.h"

/* No node changes: whoever holds the lock holds it until it lets go. */
enum err command_force_unlock(struct step *step, const Coord__V1__ForceUnlock *c)
{
    struct node *node;
    enum err e = step_find(step, c->path, c->instance, &node);
    if (e != ERR_OK)
        return e;
    if (node->lock == NULL || node->lock->holders_count == 0)
        return step_refuse(step, ERR_NOT_HELD, "path: nobody holds the lock");
    const struct list *head = &node->lock->holders;
    for (struct list *at = head->next; at != head; at = at->next) {
        struct claim *holder = container_of(at, struct claim, place);
        if (holder->revoked)
            continue;
        lock_revoke(step->state, holder);
        step_session_note(step, STATE_SESSION_REVOKED, holder->session->id,
                          holder->session->ttl_ms);
    }
    return ERR_OK;
}

/* It leaves all lines, so that nothing is granted to it any more. Who waited is not
 * answered: that the session is being ended says it. */
enum err command_kill_session(struct step *step, const Coord__V1__KillSession *c)
{
    struct state *s = step->state;
    struct session *session = sessions_find(s, c->session);
    /* Not EXPIRED: that would be taken for the asker's own. */
    if (session == NULL)
        return step_refuse(step, ERR_NO_NODE, "session: none of this number");
    if (session->killed)
        return ERR_OK;
    session->killed = true;
    ledger_touch(&s->ledger, &session->record);
    step_session_note(step, STATE_SESSION_KILLED, session->id, session->ttl_ms);
    command_leave_lines(step, session);
    return ERR_OK;
}

bool command_killed_may(const Coord__V1__Command *c)
{
    return c->op_case == COORD__V1__COMMAND__OP_END_SESSION ||
           c->op_case == COORD__V1__COMMAND__OP_RELEASE ||
           c->op_case == COORD__V1__COMMAND__OP_CANCEL;
}
