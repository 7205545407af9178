/* api_list.c - the public calls that give lists: children, locks, sessions. */
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

/* A name is shown as it came, but an answer without one is not an error here. */
static char *copy(const char *s)
{
    return check_strdup(s != NULL ? s : "");
}

static coord_error begin(const coord_session *session, int64_t deadline_ms, const void *ret)
{
    detail_clear();
    if (session == NULL || ret == NULL)
        return fail(COORD_ERR_INVALID, "%s: is NULL", session == NULL ? "session" : "ret_listing");
    return check_deadline(deadline_ms);
}

/* ---- children ---- */

static void take_children(void *context, const Coord__V1__Answer *answer)
{
    coord_listing **ret = context;
    if (answer->body_case != COORD__V1__ANSWER__BODY_LISTING)
        return;
    const Coord__V1__Listing *from = answer->listing;
    coord_listing *l = check_calloc(1, sizeof *l);
    l->entries = check_calloc(from->n_children, sizeof *l->entries);
    l->count = from->n_children;
    l->revision = answer->revision;
    l->more = from->more;
    for (size_t i = 0; i < l->count; i++) {
        const char *slash = strrchr(from->children[i]->path, '/');
        l->entries[i].name = copy(slash != NULL ? slash + 1 : from->children[i]->path);
        stat_take(&l->entries[i].stat, from->children[i]);
    }
    *ret = l;
}

coord_error listing_ask(struct coord_client *client, const char *path, const char *after,
                        uint32_t limit, listing_asker *ask, void *context,
                        coord_listing **ret_listing)
{
    char *inside = NULL;
    coord_listing *listing = NULL;
    if (after != NULL && strchr(after, '/') != NULL)
        return fail(COORD_ERR_INVALID, "after: is not a name");
    coord_error e = path_take(client, "path", path, &inside);
    if (e != COORD_OK)
        return e;
    Coord__V1__List m = COORD__V1__LIST__INIT;
    Coord__V1__Read read = COORD__V1__READ__INIT;
    m.path = inside;
    if (after != NULL)
        m.after = (char *)(uintptr_t)after;
    m.limit = limit;
    read.op_case = COORD__V1__READ__OP_LIST;
    read.list = &m;
    e = ask(context, &read, take_children, &listing);
    free(inside);
    if (e == COORD_OK && listing == NULL)
        e = call_odd_answer();
    if (e == COORD_OK)
        *ret_listing = listing;
    return e;
}

coord_error coord_list(coord_session *session, const char *path, const char *after, uint32_t limit,
                       int64_t deadline_ms, coord_listing **ret_listing)
{
    return coord_list_with(session, path, after, limit, NULL, deadline_ms, ret_listing);
}

void coord_listing_free(coord_listing *listing)
{
    if (listing == NULL)
        return;
    for (size_t i = 0; i < listing->count; i++)
        free((char *)(uintptr_t)listing->entries[i].name);
    free(listing->entries);
    free(listing);
}

/* ---- locks ---- */

static coord_claim *take_claims(Coord__V1__LockClaim **from, size_t count)
{
    coord_claim *claims = check_calloc(count, sizeof *claims);
    for (size_t i = 0; i < count; i++)
        claims[i] = (coord_claim){
            .session = from[i]->session,
            .handle = from[i]->handle,
            .since_ms = from[i]->since_ms,
            .generation = from[i]->generation,
            .lease_left_ms = from[i]->lease_left_ms,
            .pid = from[i]->pid,
            .host = copy(from[i]->host),
            .exclusive = from[i]->mode == COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE,
            .revoking = from[i]->revoking,
        };
    return claims;
}

static void take_locks(void *context, const Coord__V1__Answer *answer)
{
    coord_lock_listing **ret = context;
    if (answer->body_case != COORD__V1__ANSWER__BODY_LOCKS)
        return;
    const Coord__V1__LockListing *from = answer->locks;
    coord_lock_listing *l = check_calloc(1, sizeof *l);
    l->locks = check_calloc(from->n_locks, sizeof *l->locks);
    l->count = from->n_locks;
    l->more = from->more;
    l->revision = answer->revision;
    for (size_t i = 0; i < l->count; i++) {
        const Coord__V1__LockState *lock = from->locks[i];
        l->locks[i] = (coord_lock_info){
            .path = copy(lock->path),
            .sequencer = copy(lock->sequencer),
            .holders = take_claims(lock->holders, lock->n_holders),
            .holders_count = lock->n_holders,
            .waiters = take_claims(lock->waiters, lock->n_waiters),
            .waiters_count = lock->n_waiters,
            .delay_left_ms = lock->delay_left_ms,
        };
    }
    *ret = l;
}

coord_error coord_locks(coord_session *session, const char *path, const char *after, uint32_t limit,
                        int64_t deadline_ms, coord_lock_listing **ret_listing)
{
    char *inside = NULL, *behind = NULL;
    coord_lock_listing *listing = NULL;
    coord_error e = begin(session, deadline_ms, ret_listing);
    if (e == COORD_OK)
        e = path_take(session->client, "path", path, &inside);
    if (e != COORD_OK)
        return e;
    if (after != NULL)
        e = path_take(session->client, "after", after, &behind);
    Coord__V1__ListLocks m = COORD__V1__LIST_LOCKS__INIT;
    Coord__V1__Read read = COORD__V1__READ__INIT;
    m.path = inside;
    if (behind != NULL)
        m.after = behind;
    m.limit = limit;
    read.op_case = COORD__V1__READ__OP_LOCKS;
    read.locks = &m;
    if (e == COORD_OK) {
        struct call call = call_begin(session, deadline_ms);
        e = call_read(&call, &read, take_locks, &listing);
    }
    free(inside);
    free(behind);
    if (e == COORD_OK && listing == NULL)
        e = call_odd_answer();
    if (e == COORD_OK)
        *ret_listing = listing;
    return e;
}

static void claims_free(coord_claim *claims, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(claims[i].host);
    free(claims);
}

void coord_lock_listing_free(coord_lock_listing *listing)
{
    if (listing == NULL)
        return;
    for (size_t i = 0; i < listing->count; i++) {
        coord_lock_info *l = &listing->locks[i];
        free(l->path);
        free(l->sequencer);
        claims_free(l->holders, l->holders_count);
        claims_free(l->waiters, l->waiters_count);
    }
    free(listing->locks);
    free(listing);
}

/* ---- sessions ---- */

static void take_sessions(void *context, const Coord__V1__Answer *answer)
{
    coord_session_listing **ret = context;
    if (answer->body_case != COORD__V1__ANSWER__BODY_SESSIONS)
        return;
    const Coord__V1__SessionListing *from = answer->sessions;
    coord_session_listing *l = check_calloc(1, sizeof *l);
    l->sessions = check_calloc(from->n_sessions, sizeof *l->sessions);
    l->count = from->n_sessions;
    l->more = from->more;
    l->revision = answer->revision;
    for (size_t i = 0; i < l->count; i++) {
        const Coord__V1__SessionInfo *s = from->sessions[i];
        l->sessions[i] = (coord_session_info){
            .session = s->session,
            .opened_ms = s->opened_ms,
            .lease_left_ms = s->lease_left_ms,
            .ttl_ms = s->ttl_ms,
            .pid = s->pid,
            .ephemerals_count = s->ephemerals_count,
            .locks_count = s->locks_count,
            .waits_count = s->waits_count,
            .host = copy(s->host),
            .principal = copy(s->principal),
            .killed = s->killed,
        };
    }
    *ret = l;
}

coord_error coord_sessions(coord_session *session, uint64_t after, uint32_t limit,
                           int64_t deadline_ms, coord_session_listing **ret_listing)
{
    coord_session_listing *listing = NULL;
    coord_error e = begin(session, deadline_ms, ret_listing);
    if (e != COORD_OK)
        return e;
    Coord__V1__ListSessions m = COORD__V1__LIST_SESSIONS__INIT;
    Coord__V1__Read read = COORD__V1__READ__INIT;
    m.after = after;
    m.limit = limit;
    read.op_case = COORD__V1__READ__OP_SESSIONS;
    read.sessions = &m;
    struct call call = call_begin(session, deadline_ms);
    e = call_read(&call, &read, take_sessions, &listing);
    if (e == COORD_OK && listing == NULL)
        e = call_odd_answer();
    if (e == COORD_OK)
        *ret_listing = listing;
    return e;
}

void coord_session_listing_free(coord_session_listing *listing)
{
    if (listing == NULL)
        return;
    for (size_t i = 0; i < listing->count; i++) {
        free(listing->sessions[i].host);
        free(listing->sessions[i].principal);
    }
    free(listing->sessions);
    free(listing);
}
