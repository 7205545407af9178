/* watches.c - who is to be told of what.
 *
 * Watches live at the leader, with the stream they came on. A client that comes
 * back, or comes to another leader, asks again and says what it knows. */
#include <stdlib.h>
#include <string.h>

#include "coordd/replica/inner.h"
#include "libcoord/base/check.h"

/* A name that somebody watches; it need not exist. */
struct watched {
    struct avl_node by_path;
    struct list watches; /* of struct watch */
    size_t length;
    uint8_t path[];
};

struct watch {
    struct avl_node by_id;
    struct list place; /* in watched.watches, in the order of asking */
    struct watched *watched;
    uint64_t stream;
    uint64_t id;
    bool content, lock;
};

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

static struct watched *watched_of(struct replica *r, struct slice path)
{
    struct watched *w =
        container_of_or_null(avl_find(&r->watched, &path, by_path), struct watched, by_path);

    if (w != NULL)
        return w;
    w = check_calloc(1, sizeof *w + path.length);
    w->length = path.length;
    memcpy(w->path, path.data, path.length);
    list_init(&w->watches);
    avl_insert(&r->watched, &w->by_path, &path, by_path);
    return w;
}

static void drop(struct replica *r, struct client_stream *s, struct watch *watch)
{
    struct watched *w = watch->watched;

    avl_remove(&s->watches, &watch->by_id);
    list_remove(&watch->place);
    free(watch);
    if (list_empty(&w->watches)) {
        avl_remove(&r->watched, &w->by_path);
        free(w);
    }
}

struct missed {
    enum state_event_kind kind;
    uint64_t revision;
};

static void miss(struct missed *list, uint32_t *count, enum state_event_kind kind,
                 uint64_t revision)
{
    uint32_t at = *count;

    /* In the order of revisions; of one revision in the order of live events. */
    for (; at > 0 && list[at - 1].revision > revision; at--)
        list[at] = list[at - 1];
    list[at] = (struct missed){.kind = kind, .revision = revision};
    (*count)++;
}

/* What happened since the revision that the client knows: of each kind the last,
 * as a live watcher would have heard it. */
static uint32_t missed_since(const Coord__V1__Watch *asked, const Coord__V1__Stat *stat,
                             struct missed list[3])
{
    uint64_t known = asked->known_revision;
    uint32_t count = 0;

    if (asked->content && stat->instance > known)
        miss(list, &count, STATE_EVENT_CREATED, stat->instance);
    if (asked->content && stat->content_generation > known &&
        stat->content_generation != stat->instance)
        miss(list, &count, STATE_EVENT_CONTENT, stat->content_generation);
    if (asked->lock && stat->lock_generation > known && stat->lock_generation != stat->instance)
        miss(list, &count,
             stat->lock_mode == COORD__V1__LOCK_MODE__LOCK_NONE ? STATE_EVENT_LOCK_FREE
                                                                : STATE_EVENT_LOCK_HELD,
             stat->lock_generation);
    return count;
}

static void catch_up(struct replica *r, struct client_stream *s, const Coord__V1__Watch *asked,
                     const Coord__V1__Answer *present)
{
    const Coord__V1__Stat *stat =
        present->body_case == COORD__V1__ANSWER__BODY_STAT ? present->stat : NULL;
    struct missed list[3];
    uint32_t count;

    if (asked->known_revision == 0)
        return;
    if (stat == NULL) {
        if (asked->content)
            streams_event(r, s, asked->id, STATE_EVENT_DELETED, state_revision(r->state),
                          slice_of(NULL, 0));
        return;
    }
    count = missed_since(asked, stat, list);
    buffer_clear(&r->scratch);
    CHECK(state_stat(r->state, slice_of_string(asked->path), &r->scratch));
    for (uint32_t i = 0; i < count; i++)
        streams_event(r, s, asked->id, list[i].kind, list[i].revision, buffer_slice(&r->scratch));
}

/* The present state as a GetStat would show it, packed in *bytes. */
static Coord__V1__Answer *present_state(struct replica *r, char *path, struct buffer *bytes)
{
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__GetStat get = COORD__V1__GET_STAT__INIT;

    get.path = path;
    read.op_case = COORD__V1__READ__OP_STAT;
    read.stat = &get;
    state_read(r->state, &read, leases_left_ms, r, bytes);
    return coord__v1__answer__unpack(NULL, bytes->length, bytes->data);
}

void watches_add(struct replica *r, struct client_stream *s, uint64_t seq,
                 const Coord__V1__Watch *asked)
{
    struct buffer bytes = BUFFER_INIT;
    Coord__V1__Answer *present = present_state(r, asked->path, &bytes);
    struct watch *watch;

    CHECK(present != NULL);
    if (present->status != COORD__V1__STATUS__OK && present->status != COORD__V1__STATUS__NO_NODE) {
        streams_answer(r, s, seq, true, buffer_slice(&bytes)); /* no path at all */
        goto out;
    }
    if (!asked->content && !asked->lock) {
        streams_answer_status(r, s, seq, true, COORD__V1__STATUS__INVALID,
                              "watch: neither content nor lock is asked for");
        goto out;
    }
    watches_remove(r, s, asked->id); /* asked again: replaces */
    if (s->watches.count >= STREAM_WATCHES_MAX) {
        streams_answer_status(r, s, seq, true, COORD__V1__STATUS__QUOTA,
                              "watch: too many on one session");
        goto out;
    }
    watch = check_calloc(1, sizeof *watch);
    watch->stream = s->id;
    watch->id = asked->id;
    watch->content = asked->content;
    watch->lock = asked->lock;
    watch->watched = watched_of(r, slice_of_string(asked->path));
    list_append(&watch->watched->watches, &watch->place);
    avl_insert(&s->watches, &watch->by_id, &watch->id, by_id);
    catch_up(r, s, asked, present);
    streams_answer(r, s, seq, true, buffer_slice(&bytes));
out:
    coord__v1__answer__free_unpacked(present, NULL);
    buffer_release(&bytes);
}

void watches_remove(struct replica *r, struct client_stream *s, uint64_t id)
{
    struct avl_node *node = avl_find(&s->watches, &id, by_id);

    if (node != NULL)
        drop(r, s, container_of(node, struct watch, by_id));
}

void watches_remove_all(struct replica *r, struct client_stream *s)
{
    struct avl_node *node;

    while ((node = avl_first(&s->watches)) != NULL)
        drop(r, s, container_of(node, struct watch, by_id));
}

void watches_tell(struct replica *r, const struct state_event *event)
{
    bool lock = event->kind == STATE_EVENT_LOCK_HELD || event->kind == STATE_EVENT_LOCK_FREE;
    struct watched *w =
        container_of_or_null(avl_find(&r->watched, &event->path, by_path), struct watched, by_path);

    if (w == NULL)
        return;
    for (struct list *at = w->watches.next; at != &w->watches; at = at->next) {
        const struct watch *watch = container_of(at, struct watch, place);
        struct client_stream *s = streams_find(r, watch->stream);

        if (s != NULL && (lock ? watch->lock : watch->content))
            streams_event(r, s, watch->id, event->kind, event->revision, event->stat);
    }
}
