/* command_session.c - open, end and expire sessions. */
#include <string.h>

#include "coordd/state/command.h"
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
    step->answer.body_case = COORD__V1__ANSWER__BODY_OPENED;
    step->answer.opened = &step->opened;
    return ERR_OK;
}

/* First of all, so that no lock released below can be granted to this session.
 * Nobody is answered: whoever waited hears that the session is gone. */
static void leave_lines(struct step *step, struct session *session)
{
    struct avl_node *next;
    for (struct avl_node *a = avl_first(&session->claims_by_seq); a != NULL; a = next) {
        next = avl_next(a);
        struct claim *claim = container_of(a, struct claim, by_seq);
        if (!claim_is_held(claim))
            lock_drop(step->state, claim);
    }
}

/* With the lock on it, which only this session can hold. */
static void delete_ephemeral(struct step *step, struct node *node)
{
    char buffer[STATE_PATH_BYTES_HARD + 1];
    struct slice path = node_path(node, buffer);
    while (node->lock != NULL)
        lock_drop(step->state, container_of(list_first(&node->lock->holders), struct claim, place));
    node_remove(step->state, node, step_revision(step));
    step_event(step, STATE_EVENT_DELETED, path, NULL);
}

static void end(struct step *step, struct session *session, enum state_session_change how)
{
    struct avl_node *first;
    leave_lines(step, session);
    while ((first = avl_first(&session->ephemerals)) != NULL)
        delete_ephemeral(step, container_of(first, struct ephemeral, by_instance)->node);
    while ((first = avl_first(&session->claims_by_seq)) != NULL)
        command_give_back(step, container_of(first, struct claim, by_seq), false);
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
