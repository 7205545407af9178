/* catch_up.c - watches that come back with what they know, and readers that are
 * slow.
 *
 * Both are told from the history what they missed, in full and in order: all of a
 * stream in one go, so that a thousand watches that come back cost little more
 * than one. If the history does not reach back, or there is too much to look at,
 * or an answer cannot wait, they get one RESYNC(R) instead: everything later than
 * R will be told. Never silence.
 *
 * Progress marks tell a stream that all its watches are told up to a revision, so
 * that a client which comes back asks for little. */
#include <stdlib.h>

#include "coordd/replica/inner.h"
#include "coordd/state/path.h"
#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"

static void resync(struct replica *r, struct client_stream *s, const struct watch *w)
{
    struct event_text event = {.watch = w->id,
                               .kind = COORD__V1__EVENT__KIND__RESYNC,
                               .revision = state_revision(r->state)};

    streams_event(r, s, &event);
}

/* The Stat as it was after `revision`, if nothing changed it since. */
static struct slice stat_of(const struct replica *r, const struct state_past *past,
                            struct buffer *bytes)
{
    Coord__V1__Stat *stat;
    bool current;

    buffer_clear(bytes);
    if (past->kind == STATE_EVENT_DELETED || !state_stat(r->state, past->path, bytes))
        return slice_of(NULL, 0);
    stat = coord__v1__stat__unpack(NULL, bytes->length, bytes->data);
    CHECK(stat != NULL);
    current = stat->modified_revision == past->revision;
    coord__v1__stat__free_unpacked(stat, NULL);
    return current ? buffer_slice(bytes) : slice_of(NULL, 0);
}

void catch_up_later(struct client_stream *s, struct watch *w, uint64_t told)
{
    CHECK(!w->missed);
    w->missed = true;
    w->told = told;
    s->missed_count++;
}

static void caught_up(struct client_stream *s, struct watch *w)
{
    w->missed = w->torn = false;
    s->missed_count--;
}

/* ---- going through the history ---- */

/* The watches of a stream that are behind, to be found by the name they watch. */
struct behind {
    struct watch **by_name; /* owned; open addressing, a power of two */
    size_t capacity;
    uint64_t told_min;
    uint32_t count;
    struct buffer stat; /* of the event at hand; an answer may wait in the replica's own */
};

static size_t slot_of(const struct behind *b, struct slice name)
{
    return (size_t)hash_bytes(0, name) & (b->capacity - 1);
}

static struct slice name_of(const struct watch *w)
{
    return slice_of(w->watched->path, w->watched->length);
}

/* Those whom the history has nothing for are told so here. */
static void behind_init(struct behind *b, struct replica *r, struct client_stream *s)
{
    *b = (struct behind){.capacity = 2, .told_min = UINT64_MAX, .stat = BUFFER_INIT};
    while (b->capacity < 2 * (size_t)s->missed_count)
        b->capacity *= 2;
    b->by_name = check_calloc(b->capacity, sizeof b->by_name[0]);
    for (struct avl_node *at = avl_first(&s->watches); at != NULL; at = avl_next(at)) {
        struct watch *w = container_of(at, struct watch, by_id);
        size_t slot = slot_of(b, name_of(w));

        if (!w->missed)
            continue;
        if (w->torn || w->told < state_history_floor(r->state)) {
            resync(r, s, w);
            caught_up(s, w);
            continue;
        }
        while (b->by_name[slot] != NULL)
            slot = (slot + 1) & (b->capacity - 1);
        b->by_name[slot] = w;
        b->told_min = w->told < b->told_min ? w->told : b->told_min;
        b->count++;
    }
}

static void tell_those_at(struct replica *r, struct client_stream *s, struct behind *b,
                          struct slice name, const struct state_past *past)
{
    struct watch *w;
    uint32_t kind;

    for (size_t slot = slot_of(b, name); (w = b->by_name[slot]) != NULL;
         slot = (slot + 1) & (b->capacity - 1))
        if (w->told < past->revision && slice_equal(name_of(w), name) &&
            watches_wants(w, past->kind, past->path, &kind))
            watches_send(r, s, w, kind, past->revision, past->path, stat_of(r, past, &b->stat));
}

static void tell(struct replica *r, struct client_stream *s, struct behind *b,
                 const struct state_past *past)
{
    struct slice name = past->path;

    tell_those_at(r, s, b, name, past);
    while (name.length > 1) {
        name = path_parent(name);
        tell_those_at(r, s, b, name, past);
    }
}

static void resync_all(struct replica *r, struct client_stream *s)
{
    for (struct avl_node *at = avl_first(&s->watches); at != NULL && s->missed_count > 0;
         at = avl_next(at)) {
        struct watch *w = container_of(at, struct watch, by_id);

        if (!w->missed)
            continue;
        resync(r, s, w);
        caught_up(s, w);
    }
}

/* All up to this revision was told; the rest comes when the reader has read that. */
static void stop_at(struct client_stream *s, uint64_t revision)
{
    s->lagging = true;
    for (struct avl_node *at = avl_first(&s->watches); at != NULL; at = avl_next(at)) {
        struct watch *w = container_of(at, struct watch, by_id);

        if (w->missed && w->told < revision)
            w->told = revision;
    }
}

/* One way through the history for all watches of a stream, in the order of
 * revisions. When as much was sent as makes a reader slow, the rest comes after
 * that has left: a part at a time, of whole revisions. */
static void go_through(struct replica *r, struct client_stream *s, struct behind *b)
{
    struct state_past past = {.revision = b->told_min, .index = UINT32_MAX};
    uint64_t before = b->told_min;

    for (uint32_t looked_at = 0; state_history_next(r->state, past.revision, past.index, &past);
         looked_at++) {
        if (past.revision != before && streams_sent(r, s) >= STREAM_LAG_BYTES) {
            stop_at(s, before);
            return;
        }
        if (looked_at == CATCH_UP_EVENTS_MAX || streams_sent(r, s) >= STREAM_TORN_BYTES_MAX) {
            resync_all(r, s);
            return;
        }
        before = past.revision;
        tell(r, s, b, &past);
    }
    for (struct avl_node *at = avl_first(&s->watches); at != NULL && s->missed_count > 0;
         at = avl_next(at)) {
        struct watch *w = container_of(at, struct watch, by_id);

        if (w->missed)
            caught_up(s, w);
    }
}

void catch_up_stream(struct replica *r, struct client_stream *s)
{
    struct behind behind;

    if (s->missed_count == 0)
        return;
    behind_init(&behind, r, s);
    if (behind.count > 0)
        go_through(r, s, &behind);
    buffer_release(&behind.stat);
    free(behind.by_name);
}

/* No answer shows a state whose events are still to come. */
void catch_up_before_answer(struct replica *r, struct client_stream *s)
{
    if (!s->lagging)
        catch_up_stream(r, s);
    resync_all(r, s);
}

void catch_up_due(struct replica *r, struct client_stream *s)
{
    /* What shows the present waits until it is known again. Without trust in clocks a
     * round has confirmed it after the watch was asked for. */
    if (s->due_count == 0 || (!r->config.distrusts_clocks && !replica_lease_valid(r)))
        return;
    if (!s->lagging)
        catch_up_stream(r, s);
    if (s->missed_count > 0)
        return;
    for (struct avl_node *at = avl_first(&s->watches); at != NULL && s->due_count > 0;
         at = avl_next(at)) {
        struct watch *w = container_of(at, struct watch, by_id);

        if (w->due)
            watches_answer(r, s, w);
    }
    if (s->parked_count == 0)
        list_remove(&s->waiting);
}

/* ---- progress marks ---- */

static void mark(struct replica *r, struct client_stream *s)
{
    struct event_text event = {.kind = COORD__V1__EVENT__KIND__PROGRESS,
                               .revision = state_revision(r->state)};

    if (s->watches.count == 0 || s->lagging || s->closing || s->missed_count > 0 ||
        s->progress == event.revision)
        return;
    s->progress = event.revision;
    streams_event(r, s, &event);
}

void catch_up_tick(struct replica *r)
{
    if (r->now_ns < r->progress_at_ns)
        return;
    r->progress_at_ns = r->now_ns + ms_to_ns(PROGRESS_MS);
    if (!replica_lease_valid(r))
        return;
    for (struct avl_node *at = avl_first(&r->streams); at != NULL; at = avl_next(at))
        mark(r, container_of(at, struct client_stream, by_id));
}
