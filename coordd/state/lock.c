/* lock.c - see lock.h. */
#include "coordd/state/lock.h"

#include <stdlib.h>
#include <string.h>

#include "coordd/state/node.h"
#include "coordd/state/path.h"
#include "coordd/state/session.h"
#include "libcoord/base/check.h"

static struct lock *of_path(const struct avl_node *a)
{
    return container_of_or_null(a, struct lock, by_path);
}

struct slice lock_path(const struct lock *lock)
{
    return slice_of(lock->path, lock->path_length);
}

static int compare_path(const void *key, const struct avl_node *a)
{
    return path_compare(*(const struct slice *)key, lock_path(of_path(a)));
}

struct lock *lock_at_least(const struct state *s, struct slice path)
{
    return of_path(avl_at_least(&s->locks, &path, compare_path));
}

struct lock *lock_above(const struct state *s, struct slice path)
{
    return of_path(avl_above(&s->locks, &path, compare_path));
}

struct lock *lock_next_in_tree(const struct lock *lock)
{
    return of_path(avl_next(&lock->by_path));
}

static int compare_seq(const void *key, const struct avl_node *a)
{
    return compare_numbers(*(const uint64_t *)key, container_of(a, struct claim, by_seq)->seq);
}

static int compare_handle(const void *key, const struct avl_node *a)
{
    return compare_numbers(*(const uint64_t *)key,
                           container_of(a, struct claim, by_handle)->handle);
}

struct claim *claim_of_seq(const struct session *session, uint64_t seq)
{
    struct avl_node *found = avl_find(&session->claims_by_seq, &seq, compare_seq);
    return container_of_or_null(found, struct claim, by_seq);
}

struct claim *claim_of_handle(const struct session *session, uint64_t handle)
{
    struct avl_node *found = avl_find(&session->claims_by_handle, &handle, compare_handle);
    return container_of_or_null(found, struct claim, by_handle);
}

struct claim *claim_above_handle(const struct session *session, uint64_t handle)
{
    struct avl_node *found = avl_above(&session->claims_by_handle, &handle, compare_handle);
    return container_of_or_null(found, struct claim, by_handle);
}

bool claim_is_held(const struct claim *claim)
{
    return claim->generation != 0;
}

Coord__V1__LockMode lock_mode(const struct lock *lock)
{
    if (lock == NULL || lock->holders_count == 0)
        return COORD__V1__LOCK_MODE__LOCK_NONE;
    return container_of(list_first(&lock->holders), struct claim, place)->mode;
}

static bool can_join(const struct lock *lock, Coord__V1__LockMode mode)
{
    if (lock->delay != NULL)
        return false;
    return lock->holders_count == 0 || (mode == COORD__V1__LOCK_MODE__LOCK_SHARED &&
                                        lock_mode(lock) == COORD__V1__LOCK_MODE__LOCK_SHARED);
}

bool lock_is_free_for(const struct node *node, Coord__V1__LockMode mode)
{
    return node->lock == NULL || (node->lock->waiters_count == 0 && can_join(node->lock, mode));
}

static struct lock *lock_of(struct state *s, struct node *node)
{
    if (node->lock != NULL)
        return node->lock;
    char path[STATE_PATH_BYTES_HARD + 1];
    struct slice name = node_path(node, path);
    struct lock *lock = check_calloc(1, sizeof *lock + name.length + 1);
    lock->node = node;
    list_init(&lock->holders);
    list_init(&lock->line);
    list_init(&lock->left);
    lock->path_length = (uint32_t)name.length;
    memcpy(lock->path, path, name.length + 1);
    CHECK(avl_insert(&s->locks, &lock->by_path, &name, compare_path) == NULL);
    node->lock = lock;
    return lock;
}

void lock_settled(struct state *s, struct lock *lock)
{
    CHECK(list_empty(&lock->left));
    lock->vacated = false;
    if (lock->holders_count > 0 || lock->waiters_count > 0 || lock->delay != NULL)
        return;
    avl_remove(&s->locks, &lock->by_path);
    lock->node->lock = NULL;
    free(lock);
}

static void count(struct claim *claim, bool held, int by)
{
    uint32_t change = (uint32_t)by;
    if (held) {
        claim->lock->holders_count += change;
        claim->session->locks_count += change;
    } else {
        claim->lock->waiters_count += change;
        claim->session->waits_count += change;
    }
}

static struct claim *claim_new(struct session *session, const struct claim_terms *terms)
{
    struct claim *claim = check_calloc(1, sizeof *claim);
    record_init(&claim->record, RECORD_CLAIM);
    claim->session = session;
    claim->handle = terms->handle;
    claim->seq = terms->seq;
    claim->mode = terms->mode;
    claim->lock_delay_ms = terms->lock_delay_ms;
    claim->sets_content = terms->sets_content;
    if (terms->sets_content && terms->content.length > 0) {
        uint8_t *copy = check_malloc(terms->content.length);
        memcpy(copy, terms->content.data, terms->content.length);
        claim->content = slice_of(copy, terms->content.length);
    }
    list_init(&claim->place);
    return claim;
}

static void forget_content(struct claim *claim)
{
    free((void *)claim->content.data);
    claim->content = slice_of(NULL, 0);
    claim->sets_content = false;
}

void claim_free(struct claim *claim)
{
    forget_content(claim);
    free(claim);
}

/* False, and nothing changed, if the session has one of this seq or handle. */
static bool link_session(struct claim *claim)
{
    struct session *session = claim->session;
    if (avl_insert(&session->claims_by_seq, &claim->by_seq, &claim->seq, compare_seq) != NULL)
        return false;
    if (avl_insert(&session->claims_by_handle, &claim->by_handle, &claim->handle, compare_handle) ==
        NULL)
        return true;
    avl_remove(&session->claims_by_seq, &claim->by_seq);
    return false;
}

static void link_lock(struct claim *claim, struct lock *lock)
{
    bool held = claim_is_held(claim);
    claim->lock = lock;
    list_append(held ? &lock->holders : &lock->line, &claim->place);
    count(claim, held, 1);
}

struct claim *lock_join(struct state *s, struct node *node, struct session *session,
                        const struct claim_terms *terms)
{
    struct claim *claim = claim_new(session, terms);
    CHECK(link_session(claim));
    claim->ticket = ++s->tickets_given;
    claim->since_ms = s->time_ms;
    link_lock(claim, lock_of(s, node));
    ledger_touch(&s->ledger, &claim->record);
    return claim;
}

struct claim *lock_next(const struct lock *lock)
{
    if (lock->waiters_count == 0)
        return NULL;
    struct claim *first = container_of(list_first(&lock->line), struct claim, place);
    return can_join(lock, first->mode) ? first : NULL;
}

void lock_grant(struct state *s, struct claim *first, uint64_t revision)
{
    struct lock *lock = first->lock;
    CHECK(lock_next(lock) == first);
    count(first, false, -1);
    list_remove(&first->place);
    first->generation = revision;
    first->since_ms = s->time_ms;
    link_lock(first, lock);
    if (first->sets_content) {
        node_set_content(s, lock->node, first->content, revision);
        forget_content(first);
    }
    node_lock_changed(s, lock->node, revision);
    ledger_touch(&s->ledger, &first->record);
}

void lock_leave(struct state *s, struct claim *claim)
{
    bool held = claim_is_held(claim);
    ledger_remove(s, &claim->record);
    claim->lock->vacated |= held;
    claim->session->revoked_count -= claim->revoked;
    count(claim, held, -1);
    list_remove(&claim->place);
    avl_remove(&claim->session->claims_by_seq, &claim->by_seq);
    avl_remove(&claim->session->claims_by_handle, &claim->by_handle);
    if (s->journal.open)
        journal_left(s, claim, claim->lock->node);
    else
        claim_free(claim);
}

void lock_put_back(struct state *s, struct node *node, struct claim *claim)
{
    CHECK(link_session(claim));
    link_lock(claim, lock_of(s, node));
    claim->session->revoked_count += claim->revoked;
    ledger_touch(&s->ledger, &claim->record);
}

void lock_attach_revoked(struct claim *holder)
{
    CHECK(claim_is_held(holder) && !holder->revoked);
    holder->revoked = true;
    holder->session->revoked_count++;
}

void lock_revoke(struct state *s, struct claim *holder)
{
    lock_attach_revoked(holder);
    ledger_touch(&s->ledger, &holder->record);
}

/* ---- delays ---- */

static struct delay *of_delayed_path(const struct avl_node *a)
{
    return container_of_or_null(a, struct delay, by_path);
}

static int compare_delayed_path(const void *key, const struct avl_node *a)
{
    return path_compare(*(const struct slice *)key, lock_path(of_delayed_path(a)->lock));
}

struct delay *delay_above(const struct state *s, struct slice path)
{
    /* Not above: in this order the root is as low as no path at all. */
    if (path.length == 0)
        return of_delayed_path(avl_first(&s->delays));
    return of_delayed_path(avl_above(&s->delays, &path, compare_delayed_path));
}

struct delay *lock_attach_delay(struct state *s, struct node *node, uint32_t delay_ms,
                                uint64_t generation)
{
    if (node->lock != NULL && node->lock->delay != NULL)
        return NULL;
    struct delay *delay = check_calloc(1, sizeof *delay);
    record_init(&delay->record, RECORD_DELAY);
    delay->lock = lock_of(s, node);
    delay->lock->delay = delay;
    delay->delay_ms = delay_ms;
    delay->generation = generation;
    struct slice path = lock_path(delay->lock);
    CHECK(avl_insert(&s->delays, &delay->by_path, &path, compare_delayed_path) == NULL);
    return delay;
}

void lock_begin_delay(struct state *s, struct lock *lock, uint32_t delay_ms, uint64_t revision)
{
    struct delay *delay = lock->delay;
    if (delay == NULL)
        delay = lock_attach_delay(s, lock->node, delay_ms, revision);
    /* How much of the one before is left, only the leader knows. */
    delay->generation = revision;
    delay->delay_ms = delay_ms > delay->delay_ms ? delay_ms : delay->delay_ms;
    ledger_touch(&s->ledger, &delay->record);
}

void lock_end_delay(struct state *s, struct lock *lock)
{
    ledger_remove(s, &lock->delay->record);
    avl_remove(&s->delays, &lock->delay->by_path);
    free(lock->delay);
    lock->delay = NULL;
}

/* ---- loading, and the end ---- */

struct claim *lock_attach(struct state *s, struct node *node, struct session *session,
                          const struct claim_terms *terms, uint64_t ticket, uint64_t generation,
                          uint64_t since_ms)
{
    if (generation != 0 && node->lock != NULL &&
        (node->lock->waiters_count > 0 || !can_join(node->lock, terms->mode)))
        return NULL;
    struct claim *claim = claim_new(session, terms);
    claim->ticket = ticket;
    claim->generation = generation;
    claim->since_ms = since_ms;
    if (!link_session(claim)) {
        claim_free(claim);
        return NULL;
    }
    link_lock(claim, lock_of(s, node));
    return claim;
}

void lock_free_all(struct state *s)
{
    struct avl_node *a;
    while ((a = avl_first(&s->locks)) != NULL) {
        struct lock *lock = of_path(a);
        struct list *heads[2] = {&lock->holders, &lock->line};
        for (int i = 0; i < 2; i++) {
            struct list *place;
            while ((place = list_first(heads[i])) != NULL) {
                list_remove(place);
                claim_free(container_of(place, struct claim, place));
            }
        }
        avl_remove(&s->locks, a);
        free(lock->delay);
        free(lock);
    }
    s->delays = (struct avl)AVL_INIT;
}
