/* watcher.c - see watcher.h. */
#include "tests/sim/watcher.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/sim/paths.h"
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

void watcher_add(struct watcher *w, uint64_t id, uint32_t path, bool content, bool lock)
{
    if (w->count == w->capacity) {
        w->capacity = w->capacity == 0 ? 8 : 2 * w->capacity;
        w->list = check_realloc(w->list, w->capacity * sizeof(w->list[0]));
    }
    w->list[w->count++] = (struct watch){.id = id, .path = path, .content = content, .lock = lock};
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

void watcher_answer(struct client *c, uint64_t id, const Coord__V1__Answer *answer)
{
    struct watch *w = find(&c->watcher, id);
    if (w == NULL)
        return;
    w->answered = true;
    w->link = c->link;
    if (answer->revision < w->revision)
        return; /* events overtook it: it had to wait for the session to be safe */
    w->revision = answer->revision;
    w->absent = answer->body_case != COORD__V1__ANSWER__BODY_STAT;
}

/* ---- what the model knows ---- */

static bool is_of_content(const struct model_version *v)
{
    return v->instance == v->revision || v->content_generation == v->revision;
}

/* Then its lock went with it. */
static bool dies_later(const struct model_path *p, uint32_t version)
{
    for (uint32_t i = version + 1; i < p->versions_count; i++)
        if (!p->versions[i].alive)
            return true;
    return false;
}

/* Revision of the last change up to `revision` that the watch must know; 0: none.
 * A node that came and went while the link was down need not be told of. */
static uint64_t last_change(const struct model *m, const struct watch *w, uint64_t revision)
{
    uint32_t path = model_find(m, path_text(w->path));
    if (path == UINT32_MAX)
        return 0;
    const struct model_path *p = &m->paths[path];
    for (uint32_t i = p->versions_count; i-- > 0;) {
        const struct model_version *v = &p->versions[i];
        if (v->revision > revision)
            continue;
        if (!v->alive)
            return w->content && !w->absent ? v->revision : 0;
        if (w->content && is_of_content(v))
            return v->revision;
        if (w->lock && v->lock_changed == v->revision)
            return dies_later(p, i) ? 0 : v->revision;
    }
    return 0;
}

static bool lived_between(const struct model *m, const struct watch *w, uint64_t after, uint64_t to)
{
    uint32_t path = model_find(m, path_text(w->path));
    if (path == UINT32_MAX)
        return false;
    const struct model_path *p = &m->paths[path];
    for (uint32_t i = 0; i < p->versions_count; i++)
        if (p->versions[i].alive && p->versions[i].revision > after &&
            p->versions[i].revision <= to)
            return true;
    return false;
}

/* An event that makes up for lost time shows the present, and names the revision
 * of the change. */
static bool shows_truth(const struct model *m, const struct watch *w, const Coord__V1__Event *event)
{
    uint64_t at = event->revision;
    if (event->stat != NULL && event->stat->modified_revision > at)
        at = event->stat->modified_revision;
    uint32_t path = model_find(m, path_text(w->path));
    const struct model_version *v = path == UINT32_MAX ? NULL : model_at(m, path, at);
    bool alive = v != NULL && v->alive;
    if (event->kind == COORD__V1__EVENT__KIND__DELETED || event->stat == NULL)
        return !alive && event->stat == NULL;
    return alive && event->stat->instance == v->instance &&
           event->stat->content_generation == v->content_generation &&
           event->stat->lock_generation == v->lock_generation &&
           event->stat->lock_holders_count == v->holders_count;
}

/* ---- events ---- */

static bool is_of_lock(const Coord__V1__Event *event)
{
    return event->kind == COORD__V1__EVENT__KIND__LOCK_HELD ||
           event->kind == COORD__V1__EVENT__KIND__LOCK_FREE;
}

static void wrong(struct client *c, const struct watch *w, const Coord__V1__Event *event,
                  const char *why)
{
    journal_fail(&c->sim->journal, VERDICT_SAFETY,
                 "client %" PRIu32 ", watch %" PRIu64 " of %s (knows revision %" PRIu64
                 "): event %d of revision %" PRIu64 " %s",
                 c->index, w->id, path_text(w->path), w->revision, (int)event->kind,
                 event->revision, why);
}

void watcher_event(struct client *c, const Coord__V1__Event *event)
{
    struct sim *s = c->sim;
    struct watch *w = find(&c->watcher, event->watch);
    s->journal.counts[COUNT_WATCH_EVENTS]++;
    journal_trace(&s->journal, "c%" PRIu32 " watch %" PRIu64 ": event %d, revision %" PRIu64,
                  c->index, event->watch, (int)event->kind, event->revision);
    if (w == NULL) {
        journal_fail(&s->journal, VERDICT_SAFETY,
                     "client %" PRIu32 " gets an event of watch %" PRIu64 ", which it has not",
                     c->index, event->watch);
        return;
    }
    if (is_of_lock(event) ? !w->lock : !w->content)
        wrong(c, w, event, "was not asked for");
    if (event->revision < w->revision ||
        (event->revision == w->revision && (int)event->kind == w->last_kind))
        wrong(c, w, event, "is not new");
    if (event->revision > s->model.revision)
        wrong(c, w, event, "has not happened");
    else if (!shows_truth(&s->model, w, event))
        wrong(c, w, event, "does not show what was there");
    /* Only after a lost link: then nobody knows whether it came and went. */
    if (event->kind == COORD__V1__EVENT__KIND__DELETED && w->answered && w->absent &&
        w->link == c->link && !lived_between(&s->model, w, w->revision, event->revision))
        wrong(c, w, event, "tells of a deletion a second time");
    w->revision = event->revision;
    w->link = c->link;
    w->last_kind = (int)event->kind;
    if (!is_of_lock(event))
        w->absent = event->kind == COORD__V1__EVENT__KIND__DELETED;
}

void watcher_shown(struct client *c, uint64_t revision)
{
    struct sim *s = c->sim;
    for (uint32_t i = 0; i < c->watcher.count; i++) {
        const struct watch *w = &c->watcher.list[i];
        if (!w->answered || w->revision >= revision)
            continue;
        uint64_t change = last_change(&s->model, w, revision);
        if (change > w->revision)
            journal_fail(&s->journal, VERDICT_SAFETY,
                         "client %" PRIu32 " is shown revision %" PRIu64
                         " before its watch %" PRIu64 " of %s tells of revision %" PRIu64,
                         c->index, revision, w->id, path_text(w->path), change);
    }
}

void watcher_settled(struct client *c)
{
    struct sim *s = c->sim;
    for (uint32_t i = 0; i < c->watcher.count; i++) {
        const struct watch *w = &c->watcher.list[i];
        uint64_t change = last_change(&s->model, w, UINT64_MAX);
        if (w->answered && change > w->revision)
            journal_fail(&s->journal, VERDICT_SAFETY,
                         "client %" PRIu32 ", watch %" PRIu64 " of %s missed revision %" PRIu64
                         "; the last it was told is %" PRIu64,
                         c->index, w->id, path_text(w->path), change, w->revision);
    }
}
