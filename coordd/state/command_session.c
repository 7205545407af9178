/* command_session.c - open, end and expire sessions; hand their leases over. */
#include <string.h>

#include "coordd/state/command.h"
#include "coordd/state/hand_over.h"
#include "coordd/state/lock.h"
#include "coordd/state/node.h"
#include "coordd/state/session.h"
#include "libcoord/base/check.h"

static struct session *open_new(struct step *step, const Coord__V1__OpenSession *c)
{
    struct state *s = step->state;
    struct session_terms terms = {.nonce = c->nonce.data,
                                  .secret = c->secret.data,
                                  .ttl_ms = c->ttl_ms,
                                  .pid = c->pid,
                                  .host = slice_of_string(c->host),
                                  .principal = slice_of_string(step->command->principal)};
    struct session *session = sessions_add(s, ++s->sessions_opened, &terms);
    CHECK(session != NULL);
    session->opened_ms = s->time_ms;
    ledger_touch(&s->ledger, &session->record);
    step_session_note(step, STATE_SESSION_OPENED, session->id, session->ttl_ms);
    return session;
}

/* Asked twice with one nonce, it is one session; the terms are those of the
 * first time. */
enum err command_open_session(struct step *step, const Coord__V1__OpenSession *c)
{
    struct state *s = step->state;
    struct session *session = sessions_find_nonce(s, c->nonce.data);
    if (session == NULL) {
        if (s->sessions.count >= s->limits.sessions)
            return step_refuse(step, ERR_QUOTA, "sessions: the cell has too many");
        session = open_new(step, c);
    }
    coord__v1__session_opened__init(&step->opened);
    step->opened.session = session->id;
    step->opened.secret.data = session->secret;
    step->opened.secret.len = sizeof session->secret;
    step->opened.ttl_ms = session->ttl_ms;
    step->opened.held = session_hold(session) != STATE_HOLD_NONE;
    step->answer.body_case = COORD__V1__ANSWER__BODY_OPENED;
    step->answer.opened = &step->opened;
    return ERR_OK;
}

/* With the lock on it, which only this session can hold or wait for. */
static void delete_ephemeral(struct step *step, struct node *node)
{
    char buffer[STATE_PATH_BYTES_HARD + 1];
    struct slice path = node_path(node, buffer);
    struct lock *lock = node->lock;
    if (lock != NULL) {
        struct list *first;
        while ((first = list_first(&lock->line)) != NULL)
            lock_leave(step->state, container_of(first, struct claim, place));
        while ((first = list_first(&lock->holders)) != NULL)
            lock_leave(step->state, container_of(first, struct claim, place));
        lock_settled(step->state, lock);
    }
    node_remove(step->state, node, step_revision(step));
    step_event(step, STATE_EVENT_DELETED, path, NULL);
}

/* Who waited is not answered: that the session is gone says it. */
static void end(struct step *step, struct session *session, enum state_session_change how)
{
    struct avl_node *first;
    bool died = how == STATE_SESSION_EXPIRED || session->killed;
    while ((first = avl_first(&session->ephemerals)) != NULL)
        delete_ephemeral(step, container_of(first, struct ephemeral, by_instance)->node);
    command_leave_locks(step, session, died);
    step_session_note(step, how, session->id, session->ttl_ms);
    sessions_remove(step->state, session);
}

enum err command_end_session(struct step *step)
{
    end(step, step->session, STATE_SESSION_ENDED);
    step->session = NULL; /* and with it goes the place to keep the answer */
    return ERR_OK;
}

enum err command_expire_session(struct step *step, const Coord__V1__ExpireSession *c)
{
    if (c->ballot < step->state->leader_ballot)
        return step_refuse(step, ERR_NOT_LEADER, "ballot: of an earlier leader");
    struct session *session = sessions_find(step->state, c->session);
    if (session == NULL)
        return step_refuse(step, ERR_EXPIRED, "session: ended or expired before");
    end(step, session, STATE_SESSION_EXPIRED);
    return ERR_OK;
}

enum err command_hand_over(struct step *step, const Coord__V1__HandOver *c)
{
    if (c->ballot < step->state->leader_ballot)
        return step_refuse(step, ERR_NOT_LEADER, "ballot: of an earlier leader");
    hand_over_give(step->state, c);
    return ERR_OK;
}
