/* command_lock.c - acquire, release, cancel.
 *
 * An Acquire that finds the lock free is an Acquire that waits, and is let in at
 * once: one way of granting. Releasing a lock and granting it to the next is one
 * command and one revision: nobody ever sees it free in between, so the event is
 * LOCK_HELD. */
#include "coordd/state/command.h"
#include "coordd/state/lock.h"
#include "coordd/state/node.h"
#include "coordd/state/session.h"
#include "libcoord/base/check.h"

/* Grants what can be granted, from the front. Tells whether content was set. */
static bool let_in(struct step *step, struct lock *lock)
{
    bool set_content = false;
    struct claim *next;
    while ((next = lock_next(lock)) != NULL) {
        set_content |= next->sets_content;
        lock_grant(step->state, next, step_revision(step));
        step_answer_claim(step, next, ERR_OK);
    }
    return set_content;
}

static void tell(struct step *step, const struct node *node, bool content_changed)
{
    char buffer[STATE_PATH_BYTES_HARD + 1];
    struct slice path = node_path(node, buffer);
    if (content_changed)
        step_event(step, STATE_EVENT_CONTENT, path, node);
    step_event(step, node->lock == NULL ? STATE_EVENT_LOCK_FREE : STATE_EVENT_LOCK_HELD, path,
               node);
}

static enum err judge_acquire(struct step *step, const Coord__V1__Acquire *c,
                              const struct node *node)
{
    const struct session *session = step->session;
    const struct limits *limits = &step->state->limits;
    if (node->ephemeral != NULL && node->ephemeral->owner != session)
        return step_refuse(step, ERR_EPHEMERAL, "path: another session's ephemeral node");
    if (claim_of_handle(session, c->handle) != NULL)
        return step_refuse(step, ERR_INVALID, "handle: holds or waits for a lock already");
    bool is_free = lock_is_free_for(node, c->mode);
    if (!is_free && !c->wait)
        return step_refuse(step, ERR_LOCK_HELD, "path: the lock is held");
    if (session->locks_count + session->waits_count >= limits->session_locks)
        return step_refuse(step, ERR_QUOTA, "session: holds or waits for too many locks");
    if (!is_free && session->waits_count >= limits->session_waits)
        return step_refuse(step, ERR_QUOTA, "session: waits for too many locks");
    return ERR_OK;
}

enum err command_acquire(struct step *step, const Coord__V1__Acquire *c)
{
    if (c->mode != COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE)
        return step_refuse(step, ERR_UNSUPPORTED, "mode: shared");
    if (c->lock_delay_ms != 0)
        return step_refuse(step, ERR_UNSUPPORTED, "lock_delay_ms: not 0");
    struct node *node;
    enum err e = step_find(step, c->path, c->instance, &node);
    if (e == ERR_OK)
        e = judge_acquire(step, c, node);
    if (e != ERR_OK)
        return e;

    struct claim_terms terms = {.handle = c->handle,
                                .seq = step->command->seq,
                                .mode = c->mode,
                                .lock_delay_ms = c->lock_delay_ms};
    if (c->on_grant_case == COORD__V1__ACQUIRE__ON_GRANT_CONTENT) {
        terms.sets_content = true;
        terms.content = slice_of(c->content.data, c->content.len);
    }
    const struct claim *claim = lock_join(step->state, node, step->session, &terms);
    bool content_changed = let_in(step, node->lock);
    step->answered = true; /* by the grant, now or later */
    if (claim_is_held(claim))
        tell(step, node, content_changed);
    return ERR_OK;
}

void command_give_back(struct step *step, struct claim *claim, bool clear_content)
{
    struct state *s = step->state;
    struct node *node = claim->lock->node;
    CHECK(claim_is_held(claim));
    uint64_t revision = step_revision(step);
    bool content_changed = clear_content;
    if (clear_content)
        node_set_content(s, node, slice_of(NULL, 0), revision);
    lock_drop(s, claim);
    node_lock_changed(s, node, revision);
    if (node->lock != NULL)
        content_changed |= let_in(step, node->lock);
    tell(step, node, content_changed);
}

/* Idempotent: what is not held answers NOT_HELD, whether it was released before,
 * is still in line, or its node is gone; the caller has what it wanted. */
enum err command_release(struct step *step, const Coord__V1__Release *c)
{
    struct node *node = NULL;
    enum err e = step_find(step, c->path, c->instance, &node);
    if (e == ERR_INSTANCE_GONE)
        return e;
    struct claim *claim = claim_of_handle(step->session, c->handle);
    if (e != ERR_OK || claim == NULL || claim->lock != node->lock || !claim_is_held(claim))
        return step_refuse(step, ERR_NOT_HELD, "handle: does not hold this lock");
    command_give_back(step, claim, c->clear_content);
    return ERR_OK;
}

/* OK means: this Acquire holds nothing and never will. If it was never applied
 * that follows from its number, which the cancel's own has passed. */
enum err command_cancel(struct step *step, const Coord__V1__Cancel *c)
{
    struct claim *claim = claim_of_seq(step->session, c->acquire_seq);
    if (claim == NULL)
        return ERR_OK;
    if (claim_is_held(claim)) {
        command_give_back(step, claim, false);
        return ERR_OK;
    }
    step_answer_claim(step, claim, ERR_CANCELLED);
    /* It lets nobody in: among exclusive claims, who is behind it still waits for
     * the holder. */
    lock_drop(step->state, claim);
    return ERR_OK;
}
