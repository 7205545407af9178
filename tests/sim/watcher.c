/* watcher.c - see watcher.h. */
#include "tests/sim/watcher.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"
#include "tests/sim/paths.h"
#include "tests/sim/recorder.h"
#include "tests/sim/sim.h"

void watcher_init(struct watcher *w)
{
    memset(w, 0, sizeof(*w));
}

void watcher_release(struct watcher *w)
{
    free(w->list);
    watcher_init(w);
}

void watcher_forget(struct watcher *w)
{
    w->count = 0;
}

void watcher_add(struct watcher *w, uint32_t path, const Coord__V1__Watch *asked)
{
    if (w->count == w->capacity) {
        w->capacity = w->capacity == 0 ? 8 : 2 * w->capacity;
        w->list = check_realloc(w->list, w->capacity * sizeof(w->list[0]));
    }
    w->list[w->count++] = (struct watch){.id = asked->id,
                                         .path = path,
                                         .content = asked->content,
                                         .lock = asked->lock,
                                         .subtree = asked->subtree,
                                         .children = asked->children,
                                         .value = asked->value,
                                         .from_past = asked->known_revision != 0,
                                         .revision = asked->known_revision,
                                         .told = UINT64_MAX};
}

static struct watch *find(struct watcher *w, uint64_t id)
{
    for (uint32_t i = 0; i < w->count; i++)
        if (w->list[i].id == id)
            return &w->list[i];
    return NULL;
}

void watcher_remove(struct watcher *w, uint64_t id)
{
    struct watch *found = find(w, id);
    if (found != NULL)
        *found = w->list[--w->count];
}

/* ---- what it must be told ---- */

static bool is_below(const char *path, const char *top)
{
    size_t length = strlen(top);
    return strncmp(path, top, length) == 0 && (length == 1 ? path[1] != '\0' : path[length] == '/');
}

/* The kind under which the watch is told of it; 0: not at all. */
static int kind_for(const struct model *m, const struct watch *w, const struct model_event *e)
{
    const char *path = m->paths[e->path].text, *top = path_text(w->path);
    bool below = is_below(path, top);
    bool lock = e->kind == COORD__V1__EVENT__KIND__LOCK_HELD ||
                e->kind == COORD__V1__EVENT__KIND__LOCK_FREE;
    if (strcmp(path, top) == 0 || (below && w->subtree))
        return (lock ? w->lock : w->content) ? e->kind : 0;
    if (!below || !w->children || strchr(path + strlen(top) + 1, '/') != NULL)
        return 0;
    if (e->kind == COORD__V1__EVENT__KIND__CREATED)
        return COORD__V1__EVENT__KIND__CHILD_ADDED;
    return e->kind == COORD__V1__EVENT__KIND__DELETED ? COORD__V1__EVENT__KIND__CHILD_REMOVED : 0;
}

/* The first event up to `revision` that it was not told; NULL: none. */
static const struct model_event *untold(const struct model *m, const struct watch *w,
                                        uint64_t revision)
{
    uint32_t first = model_events_after(m, w->revision == 0 ? 0 : w->revision - 1);
    for (uint32_t i = first; i < m->events_count && m->events[i].revision <= revision; i++) {
        bool told = m->events[i].revision == w->revision &&
                    (i - first >= 64 || (w->told >> (i - first) & 1) != 0);
        if (!told && kind_for(m, w, &m->events[i]) != 0)
            return &m->events[i];
    }
    return NULL;
}

void watcher_answer(struct client *c, uint64_t id, const Coord__V1__Answer *answer)
{
    struct watch *w = find(&c->watcher, id);
    if (w == NULL)
        return;
    w->answered = true;
    if (w->from_past)
        return; /* events tell all behind what it knew */
    w->revision = answer->revision;
    w->told = UINT64_MAX;
}

/* ---- events ---- */

static void wrong(struct client *c, const struct watch *w, const Coord__V1__Event *event,
                  const char *why)
{
    journal_fail(&c->sim->journal, VERDICT_SAFETY,
                 "client %" PRIu32 ", watch %" PRIu64 " of %s (knows revision %" PRIu64
                 "): event %d of revision %" PRIu64 " %s",
                 c->index, w->id, path_text(w->path), w->revision, (int)event->kind,
                 event->revision, why);
}

/* The Stat and the value, if they are there, are those of that revision. They may
 * be absent only if the node was changed since. */
static void check_content(struct client *c, const struct watch *w, const Coord__V1__Event *event,
                          uint32_t path, bool only)
{
    const struct model *m = &c->sim->model;
    const struct model_version *v = model_at(m, path, event->revision);
    const struct model_version *now = model_now(m, path);
    bool gone = event->kind == COORD__V1__EVENT__KIND__DELETED ||
                event->kind == COORD__V1__EVENT__KIND__CHILD_REMOVED;
    if (gone) {
        if (event->stat != NULL)
            wrong(c, w, event, "has the Stat of what is gone");
        return;
    }
    if (!only || v == NULL)
        return; /* changed more than once in this revision */
    if (event->stat == NULL) {
        if (now->revision == v->revision)
            wrong(c, w, event, "has no Stat, but nothing was changed since");
    } else if (!v->alive || event->stat->instance != v->instance ||
               event->stat->content_generation != v->content_generation ||
               event->stat->lock_generation != v->lock_generation ||
               event->stat->lock_holders_count != v->holders_count) {
        wrong(c, w, event, "does not show what was there");
    }
    bool carries = w->value && (event->kind == COORD__V1__EVENT__KIND__CREATED ||
                                event->kind == COORD__V1__EVENT__KIND__CONTENT);
    if (event->value.len == 0) {
        if (carries && v->content_length > 0 && now->alive &&
            now->content_generation == event->revision)
            wrong(c, w, event, "has no value, but nothing was written since");
    } else if (!carries ||
               hash_bytes(0, slice_of(event->value.data, event->value.len)) != v->content_hash) {
        wrong(c, w, event, "has a value that was not there");
    }
}

/* Finds it among those of its revision that are still to be told. */
static void match(struct client *c, struct watch *w, const Coord__V1__Event *event)
{
    const struct model *m = &c->sim->model;
    const char *path = event->path[0] == '\0' ? path_text(w->path) : event->path;
    uint32_t first = model_events_after(m, event->revision - 1), found = UINT32_MAX, of_path = 0;
    for (uint32_t i = first; i < m->events_count && m->events[i].revision == event->revision; i++) {
        const struct model_event *e = &m->events[i];
        if (strcmp(m->paths[e->path].text, path) != 0)
            continue;
        of_path++;
        bool told = i - first < 64 && (w->told >> (i - first) & 1) != 0;
        if (found == UINT32_MAX && !told && kind_for(m, w, e) == (int)event->kind)
            found = i;
    }
    if (found == UINT32_MAX) {
        wrong(c, w, event, "was not asked for, did not happen, or was told before");
        return;
    }
    if (found - first < 64)
        w->told |= UINT64_C(1) << (found - first);
    check_content(c, w, event, m->events[found].path, of_path == 1);
}

/* Only to who reads slowly, or knows less than the history reaches back. */
static void resynced(struct client *c, struct watch *w, const Coord__V1__Event *event)
{
    struct sim *s = c->sim;
    bool slow = event->revision <= c->resync;
    bool gone = w->revision < s->model.history_floor;
    s->journal.counts[gone ? COUNT_WATCH_RESYNCS_OF_LOST_HISTORY : COUNT_WATCH_RESYNCS]++;
    if (!slow && !gone)
        wrong(c, w, event, "makes it read anew, but it was not slow, and the history is there");
    w->revision = event->revision;
    w->told = UINT64_MAX;
}

void watcher_event(struct client *c, const Coord__V1__Event *event)
{
    struct sim *s = c->sim;
    struct watch *w = find(&c->watcher, event->watch);
    s->journal.counts[COUNT_WATCH_EVENTS]++;
    journal_trace(&s->journal, "c%" PRIu32 " watch %" PRIu64 ": event %d, revision %" PRIu64 " %s",
                  c->index, event->watch, (int)event->kind, event->revision, event->path);
    record_event(c, event);
    if (w == NULL) {
        journal_fail(&s->journal, VERDICT_SAFETY,
                     "client %" PRIu32 " gets an event of watch %" PRIu64 ", which it has not",
                     c->index, event->watch);
        return;
    }
    if (!w->answered && !w->from_past)
        wrong(c, w, event, "comes before its answer");
    if (event->revision > s->model.revision) {
        wrong(c, w, event, "has not happened");
        return;
    }
    if (event->revision < w->revision) {
        wrong(c, w, event, "is not new");
        return;
    }
    /* Whoever reads from now on is not shown less. */
    if (event->revision > s->acknowledged_revision)
        s->acknowledged_revision = event->revision;
    if (event->kind == COORD__V1__EVENT__KIND__RESYNC) {
        resynced(c, w, event);
        return;
    }
    if (event->revision > w->revision) {
        const struct model_event *missed = untold(&s->model, w, event->revision - 1);
        if (missed != NULL) {
            journal_trace(&s->journal, "missed: event %d of revision %" PRIu64 " on %s",
                          missed->kind, missed->revision, s->model.paths[missed->path].text);
            wrong(c, w, event, "comes, and one before it did not");
        }
        w->revision = event->revision;
        w->told = 0;
    }
    match(c, w, event);
}

void watcher_shown(struct client *c, uint64_t revision)
{
    struct sim *s = c->sim;
    for (uint32_t i = 0; i < c->watcher.count; i++) {
        const struct watch *w = &c->watcher.list[i];
        const struct model_event *missed = w->answered ? untold(&s->model, w, revision) : NULL;
        if (missed != NULL)
            journal_fail(&s->journal, VERDICT_SAFETY,
                         "client %" PRIu32 " is shown revision %" PRIu64
                         " before its watch %" PRIu64 " of %s tells of revision %" PRIu64,
                         c->index, revision, w->id, path_text(w->path), missed->revision);
    }
}

bool watcher_is_told(const struct client *c)
{
    for (uint32_t i = 0; i < c->watcher.count; i++) {
        const struct watch *w = &c->watcher.list[i];
        if (w->answered && untold(&c->sim->model, w, UINT64_MAX) != NULL)
            return false;
    }
    return true;
}

void watcher_settled(struct client *c)
{
    struct sim *s = c->sim;
    for (uint32_t i = 0; i < c->watcher.count; i++) {
        const struct watch *w = &c->watcher.list[i];
        const struct model_event *missed = w->answered ? untold(&s->model, w, UINT64_MAX) : NULL;
        if (missed != NULL)
            journal_fail(&s->journal, VERDICT_SAFETY,
                         "client %" PRIu32 ", watch %" PRIu64 " of %s missed revision %" PRIu64
                         "; the last it was told is %" PRIu64,
                         c->index, w->id, path_text(w->path), missed->revision, w->revision);
    }
}
