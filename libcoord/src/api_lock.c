/* api_lock.c - locks.
 *
 * To the servers a holder is a number that is never used twice in a session, a
 * new one for each acquire: what is released or cancelled late then cannot touch
 * a lock acquired since. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

struct grant {
    char *sequencer;
    uint64_t generation;
};

char *sequencer_text(const char *cell, uint64_t instance, bool exclusive, uint64_t generation,
                     const char *path)
{
    static const char format[] = "%s:%" PRIu64 ":%c:%" PRIu64 ":%s";
    char mode = exclusive ? 'x' : 's';
    int length = snprintf(NULL, 0, format, cell, instance, mode, generation, path);
    CHECK(length > 0);
    char *text = check_malloc((size_t)length + 1);
    (void)snprintf(text, (size_t)length + 1, format, cell, instance, mode, generation, path);
    return text;
}

static void take_grant(void *context, const Coord__V1__Answer *answer)
{
    struct grant *g = context;
    if (answer->body_case != COORD__V1__ANSWER__BODY_GRANTED ||
        answer->granted->cell.len != CELL_ID_BYTES)
        return;
    const Coord__V1__Sequencer *s = answer->granted;
    char cell[2 * CELL_ID_BYTES + 1];
    hex_encode(s->cell.data, CELL_ID_BYTES, cell);
    g->sequencer = sequencer_text(
        cell, s->instance, s->mode == COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE, s->generation, s->path);
    g->generation = s->generation;
}

/* Linked before it is asked for, so that it can be taken by force even before the
 * grant is heard of. */
static struct coord_lock *lock_new(struct coord_node *node)
{
    struct coord_session *s = node->session;
    struct coord_lock *lock = check_calloc(1, sizeof *lock);
    lock->node = node;
    list_init(&lock->place);
    pthread_mutex_lock(&s->mutex);
    lock->handle = ++s->last_handle;
    list_append(&s->locks, &lock->place);
    pthread_mutex_unlock(&s->mutex);
    return lock;
}

void lock_free(struct coord_lock *lock)
{
    struct coord_session *s = lock->node->session;
    pthread_mutex_lock(&s->mutex);
    list_remove(&lock->place);
    pthread_mutex_unlock(&s->mutex);
    free(lock->sequencer);
    free(lock);
}

bool locks_revoked(struct coord_session *s, uint64_t handle)
{
    bool known = false;
    for (struct list *at = s->locks.next; at != &s->locks; at = at->next) {
        struct coord_lock *lock = container_of(at, struct coord_lock, place);
        if (lock->handle != handle)
            continue;
        known = true;
        if (lock->lost)
            continue;
        lock->lost = true;
        if (lock->handed_out && s->on_loss != NULL)
            dispatch_loss(&s->client->dispatch, s, lock);
    }
    return known;
}

bool coord_lock_lost(coord_lock *lock)
{
    if (lock == NULL)
        return true;
    struct coord_session *s = lock->node->session;
    pthread_mutex_lock(&s->mutex);
    bool lost = lock->lost || s->closed || s->state == COORD_SESSION_EXPIRED ||
                s->state == COORD_SESSION_ENDED;
    pthread_mutex_unlock(&s->mutex);
    return lost;
}

static bool is_revoked(struct coord_lock *lock)
{
    struct coord_session *s = lock->node->session;
    pthread_mutex_lock(&s->mutex);
    bool lost = lock->lost;
    pthread_mutex_unlock(&s->mutex);
    return lost;
}

coord_error lock_hand_out(struct coord_lock *lock)
{
    struct coord_session *s = lock->node->session;
    pthread_mutex_lock(&s->mutex);
    bool lost = lock->lost;
    lock->handed_out = !lost;
    pthread_mutex_unlock(&s->mutex);
    return lost ? fail(COORD_ERR_NOT_HELD, "the lock was taken by force") : COORD_OK;
}

static void fill_release(const struct coord_node *node, uint64_t handle, bool clear_content,
                         Coord__V1__Release *m, Coord__V1__Write *write)
{
    coord__v1__release__init(m);
    coord__v1__write__init(write);
    m->path = node->path;
    m->handle = handle;
    m->instance = node->instance;
    m->clear_content = clear_content;
    write->op_case = COORD__V1__WRITE__OP_RELEASE;
    write->release = m;
}

void lock_let_go(struct coord_session *s, char *path, uint64_t handle)
{
    const struct coord_node node = {.path = path};
    Coord__V1__Release m;
    Coord__V1__Write write;
    fill_release(&node, handle, false, &m, &write);
    struct client_event event = {
        .kind = CLIENT_EVENT_LET_GO, .write = &write, .deadline_ns = NEVER_NS};
    session_step(s, &event);
}

/* Nobody waits for it; it is retried as long as the session lives. */
static void release_in_background(struct coord_node *node, uint64_t handle)
{
    Coord__V1__Release m;
    Coord__V1__Write write;
    fill_release(node, handle, false, &m, &write);
    struct client_event event = {
        .kind = CLIENT_EVENT_SUBMIT_WRITE, .write = &write, .deadline_ns = NEVER_NS};
    pthread_mutex_lock(&node->session->mutex);
    session_step(node->session, &event);
    pthread_mutex_unlock(&node->session->mutex);
}

static coord_error acquire(const struct call *call, struct coord_node *node, uint64_t handle,
                           const struct lock_wish *wish, struct grant *ret)
{
    static uint8_t nothing[1];
    Coord__V1__Acquire m = COORD__V1__ACQUIRE__INIT;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    m.path = node->path;
    m.handle = handle;
    m.instance = node->instance;
    m.mode =
        wish->shared ? COORD__V1__LOCK_MODE__LOCK_SHARED : COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE;
    m.wait = wish->wait;
    m.lock_delay_ms = wish->delay_ms;
    const struct slice *content = wish->content;
    if (content != NULL) {
        m.on_grant_case = COORD__V1__ACQUIRE__ON_GRANT_CONTENT;
        m.content.len = content->length;
        m.content.data = content->length > 0 ? (uint8_t *)(uintptr_t)content->data : nothing;
    }
    write.op_case = COORD__V1__WRITE__OP_ACQUIRE;
    write.acquire = &m;
    coord_error e = call_write(call, &write, take_grant, ret);
    if (e != COORD_OK)
        return e;
    if (ret->sequencer == NULL) {
        release_in_background(node, handle);
        return call_odd_answer();
    }
    /* This thread may have slept since: is the session live still? */
    e = call_until_safe(call);
    if (e != COORD_OK) {
        free(ret->sequencer);
        ret->sequencer = NULL;
        release_in_background(node, handle);
        return fail(e, "the lock was granted while the session was in jeopardy");
    }
    return COORD_OK;
}

coord_error lock_acquire(struct coord_node *node, const struct lock_wish *wish, int64_t timeout_ms,
                         struct coord_lock **ret)
{
    uint_fast64_t none = 0;
    struct coord_lock *lock = lock_new(node);
    if (!atomic_compare_exchange_strong(&node->holding, &none, lock->handle)) {
        lock_free(lock);
        return fail(COORD_ERR_INVALID, "node: this handle holds or waits for its lock already");
    }
    struct call call = call_begin(node->session, timeout_ms);
    struct grant grant = {.sequencer = NULL};
    coord_error e = acquire(&call, node, lock->handle, wish, &grant);
    lock->sequencer = grant.sequencer;
    lock->generation = grant.generation;
    if (e == COORD_OK) {
        e = lock_hand_out(lock); /* if not, the session has released it */
        if (e != COORD_OK && node->session->lets_go_late)
            release_in_background(node, lock->handle);
    }
    if (e != COORD_OK) {
        atomic_store(&node->holding, 0);
        lock_free(lock);
        return e;
    }
    *ret = lock;
    return COORD_OK;
}

coord_error lock_release(struct coord_lock *lock, bool clear_content, int64_t deadline_ms)
{
    struct coord_node *node = lock->node;
    bool lost = is_revoked(lock);
    if (lost && !node->session->lets_go_late) {
        atomic_store(&node->holding, 0);
        lock_free(lock);
        return fail(COORD_ERR_NOT_HELD, "the lock was taken by force");
    }
    Coord__V1__Release m;
    Coord__V1__Write write;
    fill_release(node, lock->handle, clear_content, &m, &write);
    struct call call = call_begin(node->session, deadline_ms);
    coord_error e = lost ? call_let_go(&call, &write) : call_write(&call, &write, NULL, NULL);
    atomic_store(&node->holding, 0);
    lock_free(lock);
    return lost ? fail(COORD_ERR_NOT_HELD, "the lock was taken by force") : e;
}

enum { DELAY_MS_MAX = 60000 };

coord_error lock_options_check(const coord_lock_options *o)
{
    if (o != NULL && o->size != sizeof *o)
        return fail(COORD_ERR_INVALID, "options: size is not that of coord_lock_options");
    if (o != NULL && o->delay_ms > DELAY_MS_MAX)
        return fail(COORD_ERR_INVALID, "options: delay_ms is above %d", DELAY_MS_MAX);
    return COORD_OK;
}

static coord_error begin(const coord_node *node, const coord_lock_options *o, const char *name,
                         int64_t timeout_ms, coord_lock **ret_lock)
{
    detail_clear();
    if (node == NULL || ret_lock == NULL)
        return fail(COORD_ERR_INVALID, "%s: is NULL", node == NULL ? "node" : "ret_lock");
    coord_error e = lock_options_check(o);
    if (e != COORD_OK)
        return e;
    if (timeout_ms < COORD_FOREVER)
        return fail(COORD_ERR_INVALID, "%s: is negative", name);
    return COORD_OK;
}

static struct lock_wish wish_of(const coord_lock_options *o, bool wait)
{
    return (struct lock_wish){
        .wait = wait,
        .shared = o != NULL && o->shared,
        .delay_ms = o != NULL ? o->delay_ms : 0,
    };
}

coord_error coord_lock_acquire_with(coord_node *node, const coord_lock_options *options,
                                    int64_t timeout_ms, coord_lock **ret_lock)
{
    coord_error e = begin(node, options, "timeout_ms", timeout_ms, ret_lock);
    if (e != COORD_OK)
        return e;
    struct lock_wish wish = wish_of(options, timeout_ms != 0);
    return lock_acquire(node, &wish, timeout_ms == 0 ? TRY_DEADLINE_MS : timeout_ms, ret_lock);
}

coord_error coord_lock_acquire(coord_node *node, int64_t timeout_ms, coord_lock **ret_lock)
{
    return coord_lock_acquire_with(node, NULL, timeout_ms, ret_lock);
}

coord_error coord_trylock_with(coord_node *node, const coord_lock_options *options,
                               int64_t deadline_ms, coord_lock **ret_lock)
{
    coord_error e = begin(node, options, "deadline_ms", deadline_ms, ret_lock);
    struct lock_wish wish = wish_of(e == COORD_OK ? options : NULL, false);
    return e != COORD_OK ? e : lock_acquire(node, &wish, deadline_ms, ret_lock);
}

coord_error coord_trylock(coord_node *node, int64_t deadline_ms, coord_lock **ret_lock)
{
    return coord_trylock_with(node, NULL, deadline_ms, ret_lock);
}

coord_error coord_unlock(coord_lock *lock, int64_t deadline_ms)
{
    detail_clear();
    if (lock == NULL)
        return COORD_OK;
    coord_error wrong = check_deadline(deadline_ms);
    coord_error e = lock_release(lock, false, wrong == COORD_OK ? deadline_ms : 0);
    return wrong != COORD_OK ? fail(wrong, "deadline_ms: is negative") : e;
}

const char *coord_lock_sequencer(const coord_lock *lock)
{
    return lock == NULL ? "" : lock->sequencer;
}

int64_t coord_lock_safe_ms(coord_lock *lock)
{
    return lock == NULL || is_revoked(lock) ? 0 : coord_session_safe_ms(lock->node->session);
}

coord_error coord_check_sequencer(coord_session *session, const char *sequencer,
                                  int64_t deadline_ms)
{
    coord_sequencer parsed;
    detail_clear();
    if (session == NULL)
        return fail(COORD_ERR_INVALID, "session: is NULL");
    coord_error e = check_sequencer("sequencer", sequencer, &parsed);
    if (e == COORD_OK)
        e = check_deadline(deadline_ms);
    if (e != COORD_OK)
        return e;
    Coord__V1__CheckSequencer m = COORD__V1__CHECK_SEQUENCER__INIT;
    Coord__V1__Read read = COORD__V1__READ__INIT;
    m.sequencer = (char *)(uintptr_t)sequencer;
    read.op_case = COORD__V1__READ__OP_CHECK;
    read.check = &m;
    struct call call = call_begin(session, deadline_ms);
    return call_read(&call, &read, NULL, NULL);
}
