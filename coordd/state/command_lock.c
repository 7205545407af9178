/* command_lock.c - acquire, release, cancel, and the end of a delay.
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

/* Grants what can be granted, from the front. Tells whether anybody was let in. */
static bool let_in(struct step *step, struct lock *lock, bool *content_changed)
{
    bool granted = false;
    struct claim *next;
    while ((next = lock_next(lock)) != NULL) {
        *content_changed |= next->sets_content;
        lock_grant(step->state, next, step_revision(step));
        step_answer_claim(step, next, ERR_OK);
        granted = true;
    }
    return granted;
}

static void tell(struct step *step, const struct node *node, bool content_changed)
{
    char buffer[STATE_PATH_BYTES_HARD + 1];
    struct slice path = node_path(node, buffer);
    bool held = node->lock != NULL && node->lock->holders_count > 0;
    if (content_changed)
        step_event(step, STATE_EVENT_CONTENT, path, node);
    step_event(step, held ? STATE_EVENT_LOCK_HELD : STATE_EVENT_LOCK_FREE, path, node);
}

void command_settle_lock(struct step *step, struct lock *lock, bool content_changed)
{
    struct node *node = lock->node;
    bool changed = lock->vacated;
    if (changed)
        node_lock_changed(step->state, node, step_revision(step));
    changed |= let_in(step, lock, &content_changed);
    lock_settled(step->state, lock);
    if (changed)
        tell(step, node, content_changed);
}

static enum err judge_free(struct step *step, const struct node *node)
{
    if (node->lock->delay != NULL)
        return step_refuse(step, ERR_LOCK_HELD, "path: the lock waits out its delay");
    return step_refuse(step, ERR_LOCK_HELD, "path: the lock is held");
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
        return judge_free(step, node);
    if (session->locks_count + session->waits_count >= limits->session_locks)
        return step_refuse(step, ERR_QUOTA, "session: holds or waits for too many locks");
    if (!is_free && session->waits_count >= limits->session_waits)
        return step_refuse(step, ERR_QUOTA, "session: waits for too many locks");
    return ERR_OK;
}

enum err command_acquire(struct step *step, const Coord__V1__Acquire *c)
{
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
    (void)lock_join(step->state, node, step->session, &terms);
    step->answered = true; /* by the grant, now or later */
    command_settle_lock(step, node->lock, false);
    return ERR_OK;
}

static void give_back(struct step *step, struct claim *claim, bool clear_content)
{
    struct lock *lock = claim->lock;
    CHECK(claim_is_held(claim));
    if (clear_content)
        node_set_content(step->state, lock->node, slice_of(NULL, 0), step_revision(step));
    lock_leave(step->state, claim);
    command_settle_lock(step, lock, clear_content);
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
    give_back(step, claim, c->clear_content);
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
        give_back(step, claim, false);
        return ERR_OK;
    }
    struct lock *lock = claim->lock;
    step_answer_claim(step, claim, ERR_CANCELLED);
    lock_leave(step->state, claim);
    /* Those behind it may share what it did not want to. */
    command_settle_lock(step, lock, false);
    return ERR_OK;
}

/* Takes a claim out; its lock is gathered in `left`, to be settled when all are. */
static void leave(struct step *step, struct claim *claim, bool died, struct list *left)
{
    struct lock *lock = claim->lock;
    if (claim_is_held(claim) && died && claim->lock_delay_ms > 0)
        lock_begin_delay(step->state, lock, claim->lock_delay_ms, step_revision(step));
    lock_leave(step->state, claim);
    if (list_empty(&lock->left))
        list_append(left, &lock->left);
}

enum leaving { LEAVE_LINES, LEAVE_ALL, LEAVE_ALL_DEAD };

static void leave_locks(struct step *step, struct session *session, enum leaving how)
{
    struct list left, *first;
    struct avl_node *next;
    list_init(&left);
    for (struct avl_node *a = avl_first(&session->claims_by_seq); a != NULL; a = next) {
        next = avl_next(a);
        struct claim *claim = container_of(a, struct claim, by_seq);
        if (how != LEAVE_LINES || !claim_is_held(claim))
            leave(step, claim, how == LEAVE_ALL_DEAD, &left);
    }
    while ((first = list_first(&left)) != NULL) {
        list_remove(first);
        command_settle_lock(step, container_of(first, struct lock, left), false);
    }
}

void command_leave_lines(struct step *step, struct session *session)
{
    leave_locks(step, session, LEAVE_LINES);
}

void command_leave_locks(struct step *step, struct session *session, bool died)
{
    leave_locks(step, session, died ? LEAVE_ALL_DEAD : LEAVE_ALL);
}

enum err command_end_lock_delay(struct step *step, const Coord__V1__EndLockDelay *c)
{
    struct state *s = step->state;
    if (c->ballot < s->leader_ballot)
        return step_refuse(step, ERR_NOT_LEADER, "ballot: of an earlier leader");
    struct node *node;
    enum err e = step_find(step, c->path, c->instance, &node);
    if (e != ERR_OK)
        return e;
    struct lock *lock = node->lock;
    if (lock == NULL || lock->delay == NULL || lock->delay->generation != c->generation)
        return step_refuse(step, ERR_BAD_GENERATION, "generation: no such delay");
    lock_end_delay(s, lock);
    lock->vacated = true; /* so that who watches hears of it, whoever gets it */
    command_settle_lock(step, lock, false);
    return ERR_OK;
}
