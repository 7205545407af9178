/* catch_up.c - watches that come back with what they know, and readers that are
 * slow.
 *
 * Both are told from the history what they missed, in full and in order. If the
 * history does not reach back, or it is more than the bounds, they get one
 * RESYNC(R) instead: everything later than R will be told. Never silence.
 *
 * Progress marks tell a stream that all its watches are told up to a revision, so
 * that a client which comes back asks for little. */
#include "coordd/replica/inner.h"
#include "libcoord/base/check.h"

static void resync(struct replica *r, struct client_stream *s, const struct watch *w)
{
    struct event_text event = {.watch = w->id,
                               .kind = COORD__V1__EVENT__KIND__RESYNC,
                               .revision = state_revision(r->state)};

    streams_event(r, s, &event);
}

/* The Stat as it was after `revision`, if nothing changed it since. */
static struct slice stat_of(struct replica *r, const struct state_past *past)
{
    Coord__V1__Stat *stat;
    bool current;

    buffer_clear(&r->scratch);
    if (past->kind == STATE_EVENT_DELETED || !state_stat(r->state, past->path, &r->scratch))
        return slice_of(NULL, 0);
    stat = coord__v1__stat__unpack(NULL, r->scratch.length, r->scratch.data);
    CHECK(stat != NULL);
    current = stat->modified_revision == past->revision;
    coord__v1__stat__free_unpacked(stat, NULL);
    return current ? buffer_slice(&r->scratch) : slice_of(NULL, 0);
}

/* Whether all that was missed fits the bounds. */
static bool fits(const struct replica *r, const struct watch *w)
{
    struct state_past past = {.revision = w->told, .index = UINT32_MAX};
    uint64_t looked_at = 0, bytes = 0;
    struct slice content;
    uint64_t generation;
    uint32_t kind;

    if (w->told < state_history_floor(r->state))
        return false;
    while (state_history_next(r->state, past.revision, past.index, &past)) {
        if (++looked_at > CATCH_UP_EVENTS_MAX)
            return false;
        if (!watches_wants(w, past.kind, past.path, &kind))
            continue;
        bytes += 2 * past.path.length + 128;
        if (w->value && state_content(r->state, past.path, &content, &generation) &&
            generation == past.revision)
            bytes += content.length;
        if (bytes > CATCH_UP_BYTES_MAX)
            return false;
    }
    return true;
}

void catch_up_watch(struct replica *r, struct client_stream *s, struct watch *w)
{
    struct state_past past = {.revision = w->told, .index = UINT32_MAX};
    uint32_t kind;

    if (w->missed) {
        w->missed = false;
        s->missed_count--;
    }
    if (!fits(r, w)) {
        resync(r, s, w);
        return;
    }
    while (state_history_next(r->state, past.revision, past.index, &past))
        if (watches_wants(w, past.kind, past.path, &kind))
            watches_send(r, s, w, kind, past.revision, past.path, stat_of(r, &past));
}

/* A part at a time: when as much was sent as makes a reader slow, the rest comes
 * after that has left. */
void catch_up_stream(struct replica *r, struct client_stream *s)
{
    for (struct avl_node *at = avl_first(&s->watches); at != NULL && s->missed_count > 0;
         at = avl_next(at)) {
        struct watch *w = container_of(at, struct watch, by_id);

        if (streams_sent(r, s) >= STREAM_LAG_BYTES) {
            s->lagging = true;
            return;
        }
        if (w->missed)
            catch_up_watch(r, s, w);
    }
}

/* No answer shows a state whose events are still to come. */
void catch_up_before_answer(struct replica *r, struct client_stream *s)
{
    for (struct avl_node *at = avl_first(&s->watches); at != NULL && s->missed_count > 0;
         at = avl_next(at)) {
        struct watch *w = container_of(at, struct watch, by_id);

        if (!w->missed)
            continue;
        w->missed = false;
        s->missed_count--;
        resync(r, s, w);
    }
}

static void mark(struct replica *r, struct client_stream *s)
{
    struct event_text event = {.kind = COORD__V1__EVENT__KIND__PROGRESS,
                               .revision = state_revision(r->state)};

    if (s->watches.count == 0 || s->lagging || s->closing || s->progress == event.revision)
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
