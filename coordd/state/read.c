/* read.c - get, stat, list, check a sequencer, list locks and sessions.
 *
 * A read changes nothing and is served from the state as it is. Answers are
 * bounded: a page ends at its bound of entries, or behind the entry that reaches
 * its bound of bytes, and says that there is more. */
#include <string.h>

#include "coord/v1/coord.pb-c.h"
#include "coordd/state/lock.h"
#include "coordd/state/node.h"
#include "coordd/state/path.h"
#include "coordd/state/sequencer.h"
#include "coordd/state/session.h"
#include "libcoord/base/arena.h"

/* One read on its way. The answer borrows from arena and state until packed. */
struct reading {
    const struct state *state;
    state_lease_left *lease_left; /* may be NULL */
    state_delay_left *delay_left; /* may be NULL */
    void *context;
    struct arena arena;
    Coord__V1__Answer answer;
    Coord__V1__Content content;
    Coord__V1__Stat stat;
    const char *why;
};

static enum err no(struct reading *r, enum err e, const char *why)
{
    r->why = why;
    return e;
}

static void *take(struct reading *r, size_t size_bytes)
{
    return arena_take(&r->arena, size_bytes);
}

static uint64_t lease_left_ms(const struct reading *r, uint64_t session)
{
    return r->lease_left == NULL ? 0 : r->lease_left(r->context, session);
}

static enum err check_path(struct reading *r, const char *path)
{
    return path_check(slice_of_string(path), &r->state->limits, &r->why);
}

static enum err find(struct reading *r, const char *path, uint64_t instance,
                     const struct node **ret)
{
    enum err e = check_path(r, path);
    if (e != ERR_OK)
        return e;
    const struct node *node = node_find(r->state, slice_of_string(path));
    if (instance != 0 && (node == NULL || node->instance != instance))
        return no(r, ERR_INSTANCE_GONE, "instance: that node was deleted");
    if (node == NULL)
        return no(r, ERR_NO_NODE, "path: no such node");
    *ret = node;
    return ERR_OK;
}

static enum err read_get(struct reading *r, const Coord__V1__Get *get)
{
    const struct node *node;
    enum err e = find(r, get->path, get->instance, &node);
    if (e != ERR_OK)
        return e;
    coord__v1__content__init(&r->content);
    struct slice bytes = node_content(node);
    r->content.data.data = (uint8_t *)bytes.data;
    r->content.data.len = bytes.length;
    r->content.stat = &r->stat;
    node_stat(node, get->path, &r->stat);
    r->answer.body_case = COORD__V1__ANSWER__BODY_CONTENT;
    r->answer.content = &r->content;
    return ERR_OK;
}

static enum err read_stat(struct reading *r, const Coord__V1__GetStat *get)
{
    const struct node *node;
    enum err e = find(r, get->path, get->instance, &node);
    if (e != ERR_OK)
        return e;
    node_stat(node, get->path, &r->stat);
    r->answer.body_case = COORD__V1__ANSWER__BODY_STAT;
    r->answer.stat = &r->stat;
    return ERR_OK;
}

/* How many entries a page may have of those that there are: `asked`, 0 for as many as there
 * may be. */
static uint32_t page_limit(uint32_t asked, uint32_t most, size_t count)
{
    uint32_t limit = asked == 0 || asked > most ? most : asked;
    return limit > count ? (uint32_t)count : limit;
}

static char *child_path(struct reading *r, const char *parent, const struct node *child)
{
    size_t length = path_is_root(slice_of_string(parent)) ? 0 : strlen(parent);
    char *path = take(r, length + 1u + child->name_length + 1u);
    memcpy(path, parent, length);
    path[length] = '/';
    memcpy(path + length + 1, child->name, child->name_length);
    path[length + 1 + child->name_length] = '\0';
    return path;
}

static enum err read_list(struct reading *r, const Coord__V1__List *list)
{
    const struct node *node;
    enum err e = find(r, list->path, list->instance, &node);
    if (e == ERR_OK && *list->after != '\0' &&
        path_check_component(slice_of_string(list->after), &r->state->limits, &r->why) != ERR_OK)
        e = no(r, ERR_INVALID, "after: not a name");
    if (e != ERR_OK)
        return e;

    uint32_t limit = page_limit(list->limit, READ_LIST_ENTRIES_MAX, node->children.count);
    Coord__V1__Listing *listing = take(r, sizeof *listing);
    coord__v1__listing__init(listing);
    listing->children = take(r, limit * sizeof(Coord__V1__Stat *));
    size_t bytes = 0;
    struct node *child = node_child_above(node, slice_of_string(list->after));
    while (child != NULL && listing->n_children < limit && bytes < READ_PAGE_BYTES_MAX) {
        Coord__V1__Stat *stat = take(r, sizeof *stat);
        node_stat(child, child_path(r, list->path, child), stat);
        listing->children[listing->n_children++] = stat;
        bytes += coord__v1__stat__get_packed_size(stat);
        child = node_child_above(node, node_name(child));
    }
    listing->more = child != NULL;
    r->answer.body_case = COORD__V1__ANSWER__BODY_LISTING;
    r->answer.listing = listing;
    return ERR_OK;
}

static enum err read_check(struct reading *r, const Coord__V1__CheckSequencer *check)
{
    return sequencer_check(r->state, slice_of_string(check->sequencer), &r->why);
}

static Coord__V1__LockClaim *claim_info(struct reading *r, const struct claim *claim)
{
    Coord__V1__LockClaim *info = take(r, sizeof *info);
    coord__v1__lock_claim__init(info);
    info->session = claim->session->id;
    info->handle = claim->handle;
    info->mode = claim->mode;
    info->since_ms = claim->since_ms;
    info->host = claim->session->host;
    info->pid = claim->session->pid;
    info->generation = claim->generation;
    info->lease_left_ms = lease_left_ms(r, claim->session->id);
    info->revoking = claim->revoked;
    return info;
}

/* The first READ_CLAIMS_MAX of a list of claims. */
static size_t claims_info(struct reading *r, const struct list *head, uint32_t count,
                          Coord__V1__LockClaim ***ret)
{
    size_t shown = count < READ_CLAIMS_MAX ? count : READ_CLAIMS_MAX;
    *ret = take(r, shown * sizeof(Coord__V1__LockClaim *));
    const struct list *at = head->next;
    for (size_t i = 0; i < shown; i++, at = at->next)
        (*ret)[i] = claim_info(r, container_of(at, struct claim, place));
    return shown;
}

static char *sequencer_text(struct reading *r, const struct claim *claim)
{
    struct buffer text = BUFFER_INIT;
    sequencer_print(r->state, claim, &text);
    buffer_put_u8(&text, 0);
    char *copy = take(r, text.length);
    memcpy(copy, text.data, text.length);
    buffer_release(&text);
    return copy;
}

static Coord__V1__LockState *lock_info(struct reading *r, const struct lock *lock)
{
    Coord__V1__LockState *info = take(r, sizeof *info);
    coord__v1__lock_state__init(info);
    info->path = (char *)lock->path;
    if (lock_mode(lock) == COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE)
        info->sequencer = sequencer_text(r, container_of(lock->holders.next, struct claim, place));
    if (lock->delay != NULL && r->delay_left != NULL)
        info->delay_left_ms = r->delay_left(r->context, lock_path(lock));
    info->n_holders = claims_info(r, &lock->holders, lock->holders_count, &info->holders);
    info->n_waiters = claims_info(r, &lock->line, lock->waiters_count, &info->waiters);
    return info;
}

static enum err read_locks(struct reading *r, const Coord__V1__ListLocks *list)
{
    const struct state *s = r->state;
    struct slice top = slice_of_string(list->path), after = slice_of_string(list->after);
    enum err e = check_path(r, list->path);
    if (e == ERR_OK && after.length > 0 && check_path(r, list->after) != ERR_OK)
        e = no(r, ERR_INVALID, "after: not a path");
    if (e != ERR_OK)
        return e;

    uint32_t limit = page_limit(list->limit, READ_LOCKS_MAX, s->locks.count);
    Coord__V1__LockListing *listing = take(r, sizeof *listing);
    coord__v1__lock_listing__init(listing);
    listing->locks = take(r, limit * sizeof(Coord__V1__LockState *));
    size_t bytes = 0;
    bool go_on = after.length > 0 && path_compare(after, top) >= 0;
    const struct lock *lock = go_on ? lock_above(s, after) : lock_at_least(s, top);
    while (lock != NULL && path_within(lock_path(lock), top) && listing->n_locks < limit &&
           bytes < READ_PAGE_BYTES_MAX) {
        Coord__V1__LockState *info = lock_info(r, lock);
        listing->locks[listing->n_locks++] = info;
        bytes += coord__v1__lock_state__get_packed_size(info);
        lock = lock_next_in_tree(lock);
    }
    listing->more = lock != NULL && path_within(lock_path(lock), top);
    r->answer.body_case = COORD__V1__ANSWER__BODY_LOCKS;
    r->answer.locks = listing;
    return ERR_OK;
}

static Coord__V1__SessionInfo *session_info(struct reading *r, const struct session *session)
{
    Coord__V1__SessionInfo *info = take(r, sizeof *info);
    coord__v1__session_info__init(info);
    info->session = session->id;
    info->ttl_ms = session->ttl_ms;
    info->host = session->host;
    info->pid = session->pid;
    info->principal = session->principal;
    info->opened_ms = session->opened_ms;
    info->ephemerals_count = (uint32_t)session->ephemerals.count;
    info->locks_count = session->locks_count;
    info->waits_count = session->waits_count;
    info->lease_left_ms = lease_left_ms(r, session->id);
    info->killed = session->killed;
    return info;
}

static enum err read_sessions(struct reading *r, const Coord__V1__ListSessions *list)
{
    const struct state *s = r->state;
    uint32_t limit = page_limit(list->limit, READ_SESSIONS_MAX, s->sessions.count);
    Coord__V1__SessionListing *listing = take(r, sizeof *listing);
    coord__v1__session_listing__init(listing);
    listing->sessions = take(r, limit * sizeof(Coord__V1__SessionInfo *));
    size_t bytes = 0;
    const struct session *session = sessions_above(s, list->after);
    while (session != NULL && listing->n_sessions < limit && bytes < READ_PAGE_BYTES_MAX) {
        Coord__V1__SessionInfo *info = session_info(r, session);
        listing->sessions[listing->n_sessions++] = info;
        bytes += coord__v1__session_info__get_packed_size(info);
        session = sessions_above(s, session->id);
    }
    listing->more = session != NULL;
    r->answer.body_case = COORD__V1__ANSWER__BODY_SESSIONS;
    r->answer.sessions = listing;
    return ERR_OK;
}

static enum err serve(struct reading *r, const Coord__V1__Read *read)
{
    switch (read->op_case) {
    case COORD__V1__READ__OP_GET:
        return read_get(r, read->get);
    case COORD__V1__READ__OP_STAT:
        return read_stat(r, read->stat);
    case COORD__V1__READ__OP_LIST:
        return read_list(r, read->list);
    case COORD__V1__READ__OP_CHECK:
        return read_check(r, read->check);
    case COORD__V1__READ__OP_LOCKS:
        return read_locks(r, read->locks);
    case COORD__V1__READ__OP_SESSIONS:
        return read_sessions(r, read->sessions);
    case COORD__V1__READ__OP_STATUS: /* of the replica, not of the state */
    case COORD__V1__READ__OP__NOT_SET:
    default:
        return no(r, ERR_INVALID, "read: none that the state can serve");
    }
}

void state_read(const struct state *s, const Coord__V1__Read *read, state_lease_left *lease_left,
                state_delay_left *delay_left, void *context, struct buffer *answer)
{
    struct reading r = {.state = s,
                        .lease_left = lease_left,
                        .delay_left = delay_left,
                        .context = context,
                        .why = ""};
    arena_init(&r.arena, SIZE_MAX); /* the bounds of a page are what bounds it */
    coord__v1__answer__init(&r.answer);
    enum err e = serve(&r, read);
    r.answer.status = (Coord__V1__Status)e;
    r.answer.message = (char *)(e == ERR_OK ? "" : r.why);
    r.answer.revision = s->revision;
    size_t size = coord__v1__answer__get_packed_size(&r.answer);
    coord__v1__answer__pack(&r.answer, buffer_extend(answer, size));
    arena_release(&r.arena);
}
