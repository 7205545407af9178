/* api_adopt.c - a lock that the session holds, though this process did not acquire it.
 *
 * The list of locks says which handles the session holds. What is found there is linked
 * to the session while its answer is being taken in: a REVOKED comes on the same stream,
 * before the answer, which then shows it, or behind it, and then finds the lock. */
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

/* No handle of a lock; keeps the coord_node for us until we know which it is. */
#define HANDLE_RESERVED UINT64_MAX

struct adoption {
    struct coord_lock *lock;
    uint64_t handle; /* 0: any */
    bool found;
};

/* session.mutex is held. */
static bool is_known(const struct coord_session *s, uint64_t handle)
{
    for (const struct list *at = s->locks.next; at != &s->locks; at = at->next)
        if (container_of(at, const struct coord_lock, place)->handle == handle)
            return true;
    return false;
}

static bool is_meant(const struct adoption *a, const Coord__V1__LockClaim *holder)
{
    const struct coord_session *s = a->lock->node->session;
    if (holder->session != s->id || holder->revoking || is_known(s, holder->handle))
        return false;
    return a->handle == 0 || a->handle == holder->handle;
}

static void take_lock(void *context, const Coord__V1__Answer *answer)
{
    struct adoption *a = context;
    struct coord_lock *lock = a->lock;
    struct coord_node *node = lock->node;
    if (answer->body_case != COORD__V1__ANSWER__BODY_LOCKS || answer->locks->n_locks == 0 ||
        strcmp(answer->locks->locks[0]->path, node->path) != 0)
        return;
    const Coord__V1__LockState *state = answer->locks->locks[0];
    for (size_t i = 0; i < state->n_holders && !a->found; i++) {
        const Coord__V1__LockClaim *holder = state->holders[i];
        if (!is_meant(a, holder))
            continue;
        bool exclusive = holder->mode == COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE;
        a->found = true;
        lock->handle = holder->handle;
        lock->generation = holder->generation;
        lock->sequencer = sequencer_text(node->session->client->cell, node->instance, exclusive,
                                         holder->generation, node->path);
        list_append(&node->session->locks, &lock->place);
    }
}

static coord_error find(const struct call *call, struct adoption *a)
{
    Coord__V1__ListLocks m = COORD__V1__LIST_LOCKS__INIT;
    Coord__V1__Read read = COORD__V1__READ__INIT;
    m.path = a->lock->node->path;
    m.limit = 1; /* the first at a path and below is the path's own */
    read.op_case = COORD__V1__READ__OP_LOCKS;
    read.locks = &m;
    coord_error e = call_read(call, &read, take_lock, a);
    if (e == COORD_OK && !a->found)
        e = fail(COORD_ERR_NOT_HELD, "the session holds no such lock");
    return e;
}

/* That it is the lock of the instance which was opened. */
static coord_error check_instance(const struct call *call, const struct coord_node *node)
{
    Coord__V1__GetStat m = COORD__V1__GET_STAT__INIT;
    Coord__V1__Read read = COORD__V1__READ__INIT;
    m.path = node->path;
    m.instance = node->instance;
    read.op_case = COORD__V1__READ__OP_STAT;
    read.stat = &m;
    return call_read(call, &read, NULL, NULL);
}

static coord_error adopt(struct adoption *a, int64_t deadline_ms)
{
    struct coord_node *node = a->lock->node;
    struct call call = call_begin(node->session, deadline_ms);
    coord_error e = find(&call, a);
    if (e == COORD_OK)
        e = check_instance(&call, node);
    if (e == COORD_OK) {
        e = call_until_safe(&call);
        if (e != COORD_OK)
            return fail(e, "the session is in jeopardy");
    }
    if (e == COORD_OK)
        atomic_store(&node->holding, a->lock->handle);
    return e == COORD_OK ? lock_hand_out(a->lock) : e;
}

/* What was taken by force meanwhile is nobody's to let go any more but ours. */
static void give_up(struct coord_lock *lock)
{
    struct coord_node *node = lock->node;
    struct coord_session *s = node->session;
    pthread_mutex_lock(&s->mutex);
    if (lock->lost && s->lets_go_late)
        lock_let_go(s, node->path, lock->handle);
    pthread_mutex_unlock(&s->mutex);
    atomic_store(&node->holding, 0);
    lock_free(lock);
}

coord_error coord_lock_adopt(coord_node *node, uint64_t handle, int64_t deadline_ms,
                             coord_lock **ret_lock)
{
    detail_clear();
    if (node == NULL || ret_lock == NULL)
        return fail(COORD_ERR_INVALID, "%s: is NULL", node == NULL ? "node" : "ret_lock");
    coord_error e = check_deadline(deadline_ms);
    if (e != COORD_OK)
        return e;
    uint_fast64_t none = 0;
    if (!atomic_compare_exchange_strong(&node->holding, &none, HANDLE_RESERVED))
        return fail(COORD_ERR_INVALID, "node: this handle holds or waits for its lock already");
    struct coord_lock *lock = check_calloc(1, sizeof *lock);
    struct adoption a = {.lock = lock, .handle = handle};
    lock->node = node;
    list_init(&lock->place);
    e = adopt(&a, deadline_ms);
    if (e != COORD_OK) { /* it stays held: it was so before */
        give_up(lock);
        return e;
    }
    *ret_lock = lock;
    return COORD_OK;
}
