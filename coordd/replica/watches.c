/* watches.c - who is to be told of what.
 *
 * Watches live at the leader, with the stream they came on. A client that comes
 * back, or comes to another leader, asks again and says what it knows; the
 * history has the rest (catch_up.c).
 *
 * One index by name serves all three kinds: an event about /a/b/c is looked up
 * at /a/b/c, at its parent for those who watch children, and at each ancestor
 * for those who watch a subtree. The cost grows with the depth of the name and
 * with those who are told, not with those who watch other things. */
#include <stdlib.h>
#include <string.h>

#include "coordd/replica/inner.h"
#include "coordd/state/path.h"
#include "libcoord/base/check.h"

static int by_path(const void *key, const struct avl_node *node)
{
    const struct watched *w = container_of(node, struct watched, by_path);

    return slice_compare(*(const struct slice *)key, slice_of(w->path, w->length));
}

static int by_id(const void *key, const struct avl_node *node)
{
    uint64_t a = *(const uint64_t *)key, b = container_of(node, struct watch, by_id)->id;

    return (a > b) - (a < b);
}

static struct watched *watched_at(const struct replica *r, struct slice path)
{
    return container_of_or_null(avl_find(&r->watched, &path, by_path), struct watched, by_path);
}

static struct watched *watched_of(struct replica *r, struct slice path)
{
    struct watched *w = watched_at(r, path);

    if (w != NULL)
        return w;
    w = check_calloc(1, sizeof *w + path.length + 1);
    w->length = path.length;
    memcpy(w->path, path.data, path.length);
    list_init(&w->watches);
    avl_insert(&r->watched, &w->by_path, &path, by_path);
    return w;
}

static void drop(struct replica *r, struct client_stream *s, struct watch *watch)
{
    struct watched *w = watch->watched;

    if (watch->missed)
        s->missed_count--;
    if (watch->due)
        s->due_count--;
    if (s->due_count == 0 && s->parked_count == 0)
        list_remove(&s->waiting);
    avl_remove(&s->watches, &watch->by_id);
    list_remove(&watch->place);
    free(watch);
    if (list_empty(&w->watches)) {
        avl_remove(&r->watched, &w->by_path);
        free(w);
    }
}

/* ---- asking ---- */

/* The present state as a GetStat would show it, packed in *bytes. */
static Coord__V1__Status present_state(struct replica *r, char *path, struct buffer *bytes)
{
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__GetStat get = COORD__V1__GET_STAT__INIT;
    Coord__V1__Answer *answer;
    Coord__V1__Status status;

    get.path = path;
    read.op_case = COORD__V1__READ__OP_STAT;
    read.stat = &get;
    state_read(r->state, &read, leases_left_ms, delays_left_ms, r, bytes);
    answer = coord__v1__answer__unpack(NULL, bytes->length, bytes->data);
    CHECK(answer != NULL);
    status = answer->status;
    coord__v1__answer__free_unpacked(answer, NULL);
    return status;
}

static struct watch *add(struct replica *r, struct client_stream *s, const Coord__V1__Watch *asked)
{
    struct watch *w = check_calloc(1, sizeof *w);

    w->stream = s->id;
    w->id = asked->id;
    w->content = asked->content;
    w->lock = asked->lock;
    w->subtree = asked->subtree;
    w->children = asked->children;
    w->value = asked->value;
    w->watched = watched_of(r, slice_of_string(asked->path));
    list_append(&w->watched->watches, &w->place);
    avl_insert(&s->watches, &w->by_id, &w->id, by_id);
    return w;
}

void watches_add(struct replica *r, struct client_stream *s, uint64_t seq,
                 const Coord__V1__Watch *asked)
{
    struct buffer bytes = BUFFER_INIT;
    Coord__V1__Status status = present_state(r, asked->path, &bytes);
    struct watch *w;

    if (status != COORD__V1__STATUS__OK && status != COORD__V1__STATUS__NO_NODE) {
        streams_answer(r, s, seq, true, buffer_slice(&bytes)); /* no path at all */
        goto out;
    }
    if (!asked->content && !asked->lock && !asked->children) {
        streams_answer_status(r, s, seq, true, COORD__V1__STATUS__INVALID,
                              "watch: neither content nor lock nor children are asked for");
        goto out;
    }
    if (asked->known_revision > state_revision(r->state)) {
        streams_answer_status(r, s, seq, true, COORD__V1__STATUS__INVALID,
                              "known_revision: is still to come");
        goto out;
    }
    watches_remove(r, s, asked->id); /* asked again: replaces */
    if (s->watches.count >= STREAM_WATCHES_MAX) {
        streams_answer_status(r, s, seq, true, COORD__V1__STATUS__QUOTA,
                              "watch: too many on one session");
        goto out;
    }
    if (s->watches.count == 0)
        s->progress = state_revision(r->state);
    w = add(r, s, asked);
    if (asked->known_revision == 0) {
        streams_answer(r, s, seq, true, buffer_slice(&bytes));
        goto out;
    }
    /* With all others that one message asks for: the history is gone through once. */
    catch_up_later(s, w, asked->known_revision);
    w->seq = seq;
    w->due = true;
    s->due_count++;
    list_remove(&s->waiting);
    list_append(&r->waiting, &s->waiting);
out:
    buffer_release(&bytes);
}

void watches_answer(struct replica *r, struct client_stream *s, struct watch *w)
{
    struct buffer bytes = BUFFER_INIT;

    w->due = false;
    s->due_count--;
    (void)present_state(r, (char *)w->watched->path, &bytes);
    streams_answer(r, s, w->seq, true, buffer_slice(&bytes));
    buffer_release(&bytes);
}

void watches_remove(struct replica *r, struct client_stream *s, uint64_t id)
{
    struct avl_node *node = avl_find(&s->watches, &id, by_id);
    struct watch *w = container_of_or_null(node, struct watch, by_id);
    bool due = w != NULL && w->due;
    uint64_t seq = due ? w->seq : 0;

    if (w != NULL)
        drop(r, s, w);
    if (due)
        streams_answer_status(r, s, seq, true, COORD__V1__STATUS__CANCELLED,
                              "watch: taken back before it stood");
}

void watches_remove_all(struct replica *r, struct client_stream *s)
{
    struct avl_node *node;

    while ((node = avl_first(&s->watches)) != NULL)
        drop(r, s, container_of(node, struct watch, by_id));
}

/* ---- telling ---- */

bool watches_wants(const struct watch *w, enum state_event_kind kind, struct slice path,
                   uint32_t *ret_kind)
{
    struct slice name = slice_of(w->watched->path, w->watched->length);
    bool lock = kind == STATE_EVENT_LOCK_HELD || kind == STATE_EVENT_LOCK_FREE;
    bool below = path.length > name.length && memcmp(path.data, name.data, name.length) == 0 &&
                 (name.length == 1 || path.data[name.length] == '/');

    *ret_kind = (uint32_t)kind;
    if (slice_equal(path, name) || (below && w->subtree))
        return lock ? w->lock : w->content;
    if (!below || !w->children || (kind != STATE_EVENT_CREATED && kind != STATE_EVENT_DELETED) ||
        !slice_equal(path_parent(path), name))
        return false;
    *ret_kind = kind == STATE_EVENT_CREATED ? COORD__V1__EVENT__KIND__CHILD_ADDED
                                            : COORD__V1__EVENT__KIND__CHILD_REMOVED;
    return true;
}

void watches_send(struct replica *r, struct client_stream *s, const struct watch *w, uint32_t kind,
                  uint64_t revision, struct slice path, struct slice stat)
{
    struct event_text event = {.watch = w->id, .kind = kind, .revision = revision, .stat = stat};
    struct slice content;
    uint64_t generation;

    if (path.length != w->watched->length)
        event.path = path;
    if (w->value &&
        (kind == COORD__V1__EVENT__KIND__CREATED || kind == COORD__V1__EVENT__KIND__CONTENT) &&
        state_content(r->state, path, &content, &generation) && generation == revision)
        event.value = content;
    streams_event(r, s, &event);
}

/* A stream that was sent enough in this step lags from here on. Who was told a
 * part of this revision is told the rest, unless it is far more than that. */
static bool has_room(const struct replica *r, struct client_stream *s, uint64_t revision)
{
    size_t max = revision == s->told_revision ? STREAM_TORN_BYTES_MAX : STREAM_EVENTS_BYTES_MAX;

    if (!s->lagging && streams_sent(r, s) >= max)
        s->lagging = true; /* the transport says when it has drained */
    return !s->lagging;
}

static void tell(struct replica *r, struct client_stream *s, struct watch *w, uint32_t kind,
                 const struct state_event *event)
{
    if (w->missed)
        return; /* the history will tell */
    if (!has_room(r, s, event->revision)) {
        w->torn = w->last == event->revision;
        catch_up_later(s, w, event->revision - 1);
        return;
    }
    s->told_revision = w->last = event->revision;
    watches_send(r, s, w, kind, event->revision, event->path, event->stat);
}

static void tell_those_at(struct replica *r, struct slice name, const struct state_event *event)
{
    struct watched *at = watched_at(r, name);

    if (at == NULL)
        return;
    for (struct list *i = at->watches.next; i != &at->watches; i = i->next) {
        struct watch *w = container_of(i, struct watch, place);
        struct client_stream *s = streams_find(r, w->stream);
        uint32_t kind;

        if (s != NULL && watches_wants(w, event->kind, event->path, &kind))
            tell(r, s, w, kind, event);
    }
}

void watches_tell(struct replica *r, const struct state_event *event)
{
    struct slice name = event->path;

    if (r->watched.count == 0)
        return;
    tell_those_at(r, name, event);
    while (name.length > 1) {
        name = path_parent(name);
        tell_those_at(r, name, event);
    }
}
