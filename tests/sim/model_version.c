/* model_version.c - every version that each path ever had, and what watches are
 * told of them. */
#include <stdio.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/sim/model_internal.h"

uint32_t model_find(const struct model *m, const char *path)
{
    for (uint32_t i = 0; i < m->paths_count; i++)
        if (strcmp(m->paths[i].text, path) == 0)
            return i;
    return UINT32_MAX;
}

uint32_t model_name(struct model *m, const char *path)
{
    uint32_t found = model_find(m, path);
    if (found != UINT32_MAX)
        return found;
    if (m->paths_count == m->paths_capacity) {
        m->paths_capacity = m->paths_capacity == 0 ? 32 : 2 * m->paths_capacity;
        m->paths = check_realloc(m->paths, m->paths_capacity * sizeof(m->paths[0]));
    }
    struct model_path *p = &m->paths[m->paths_count];
    memset(p, 0, sizeof(*p));
    CHECK(strlen(path) < sizeof(p->text));
    snprintf(p->text, sizeof(p->text), "%s", path);
    return m->paths_count++;
}

const struct model_version *model_at(const struct model *m, uint32_t path, uint64_t revision)
{
    const struct model_path *p = &m->paths[path];
    for (uint32_t i = p->versions_count; i-- > 0;)
        if (p->versions[i].revision <= revision)
            return &p->versions[i];
    return NULL;
}

const struct model_version *model_now(const struct model *m, uint32_t path)
{
    return model_at(m, path, UINT64_MAX);
}

bool model_alive(const struct model *m, uint32_t path)
{
    const struct model_version *v = model_now(m, path);
    return v != NULL && v->alive;
}

uint64_t model_step(struct model *m)
{
    if (!m->changed)
        m->revision++;
    m->changed = true;
    return m->revision;
}

struct model_version *model_change(struct model *m, uint32_t path)
{
    uint64_t revision = model_step(m);
    struct model_path *p = &m->paths[path];
    if (p->versions_count > 0 && p->versions[p->versions_count - 1].revision == revision)
        return &p->versions[p->versions_count - 1];
    if (p->versions_count == p->versions_capacity) {
        p->versions_capacity = p->versions_capacity == 0 ? 32 : 2 * p->versions_capacity;
        p->versions = check_realloc(p->versions, p->versions_capacity * sizeof(p->versions[0]));
    }
    struct model_version *v = &p->versions[p->versions_count++];
    if (p->versions_count > 1)
        *v = v[-1];
    else
        memset(v, 0, sizeof(*v));
    v->revision = revision;
    return v;
}

void model_event(struct model *m, uint32_t path, int kind)
{
    if (m->events_count == m->events_capacity) {
        m->events_capacity = m->events_capacity == 0 ? 256 : 2 * m->events_capacity;
        m->events = check_realloc(m->events, m->events_capacity * sizeof(m->events[0]));
    }
    m->events[m->events_count++] = (struct model_event){m->revision, path, kind, false};
}

uint32_t model_events_after(const struct model *m, uint64_t revision)
{
    uint32_t low = 0, high = m->events_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (m->events[middle].revision <= revision)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The history is kept in pieces of whole revisions; a piece counts its key and its
 * events, and goes as a whole. */
enum { HISTORY_KEY_BYTES = 9, HISTORY_EVENT_BYTES = 5, HISTORY_PIECE_BYTES = 960 };

static uint64_t event_bytes(const struct model *m, uint32_t event)
{
    return HISTORY_EVENT_BYTES + strlen(m->paths[m->events[event].path].text);
}

static void forget_piece(struct model *m)
{
    m->history_bytes -= HISTORY_KEY_BYTES;
    do {
        m->history_bytes -= event_bytes(m, m->history_first);
        m->history_floor = m->events[m->history_first++].revision;
    } while (m->history_first < m->events_count && !m->events[m->history_first].begins_piece);
}

void model_keep_history(struct model *m)
{
    uint64_t share = m->history_bytes_max / 8, bytes = 0;
    uint32_t first = model_events_after(m, m->revision - 1);
    for (uint32_t i = first; i < m->events_count; i++)
        bytes += event_bytes(m, i);
    if (m->history_first == first || /* nothing is kept */
        m->piece_bytes + bytes > (share < HISTORY_PIECE_BYTES ? share : HISTORY_PIECE_BYTES)) {
        m->events[first].begins_piece = true;
        m->piece_bytes = HISTORY_KEY_BYTES;
        m->history_bytes += HISTORY_KEY_BYTES;
    }
    m->piece_bytes += bytes;
    m->history_bytes += bytes;
    while (m->history_bytes > m->history_bytes_max)
        forget_piece(m);
}

void model_take_back(struct model *m)
{
    if (!m->changed)
        return;
    for (uint32_t i = 0; i < m->paths_count; i++) {
        struct model_path *p = &m->paths[i];
        if (p->versions_count > 0 && p->versions[p->versions_count - 1].revision == m->revision)
            p->versions_count--;
    }
    while (m->events_count > 0 && m->events[m->events_count - 1].revision == m->revision)
        m->events_count--;
    m->revision--;
    m->changed = false;
}
