/* history.c - see history.h. */
#include "coordd/state/history.h"

#include <stdlib.h>
#include <string.h>

#include "coordd/state/machine.h"
#include "coordd/state/path.h"
#include "libcoord/base/check.h"

enum {
    KEY_BYTES = 1 + 8,
    EVENT_BYTES = 1 + 4, /* of the value, besides the path */
    RING_CAPACITY_MIN = 64,
};

static uint8_t *paths_of(const struct past *past)
{
    return (uint8_t *)(past->events + past->events_count);
}

struct slice past_path(const struct past *past, uint32_t index)
{
    const struct past_event *e = &past->events[index];
    return slice_of(paths_of(past) + e->offset, e->length);
}

void past_put_value(const struct past *past, struct buffer *value)
{
    for (uint32_t i = 0; i < past->events_count; i++) {
        buffer_put_u8(value, past->events[i].kind);
        buffer_put_slice(value, past_path(past, i));
    }
}

/* With room for the paths; events and paths are to be filled in order. */
static struct past *past_new(uint64_t revision, uint32_t events_count, size_t paths_bytes)
{
    CHECK(events_count > 0);
    size_t value_bytes = paths_bytes + (size_t)events_count * EVENT_BYTES;
    CHECK(value_bytes <= UINT32_MAX - KEY_BYTES);
    struct past *past = check_malloc(sizeof *past + events_count * sizeof past->events[0] +
                                     paths_bytes + events_count);
    record_init(&past->record, RECORD_PAST);
    past->revision = revision;
    past->events_count = events_count;
    past->bytes = (uint32_t)value_bytes + KEY_BYTES;
    return past;
}

/* Returns where the next path goes. */
static uint32_t past_set(struct past *past, uint32_t index, uint32_t offset, uint8_t kind,
                         struct slice path)
{
    CHECK(path.length <= STATE_PATH_BYTES_HARD);
    past->events[index] =
        (struct past_event){.offset = offset, .length = (uint16_t)path.length, .kind = kind};
    uint8_t *at = paths_of(past) + offset;
    memcpy(at, path.data, path.length);
    at[path.length] = '\0';
    return offset + (uint32_t)path.length + 1;
}

static struct past **place_of(const struct history *h, uint32_t nth)
{
    return &h->ring[(h->first + nth) & (h->capacity - 1)];
}

static void grow(struct history *h)
{
    uint32_t capacity = h->capacity == 0 ? RING_CAPACITY_MIN : h->capacity * 2;
    CHECK(capacity <= RECORDS_MAX);
    struct past **ring = check_malloc(capacity * sizeof(struct past *));
    for (uint32_t i = 0; i < h->count; i++)
        ring[i] = *place_of(h, i);
    free(h->ring);
    h->ring = ring;
    h->capacity = capacity;
    h->first = 0;
}

static void append(struct history *h, struct past *past)
{
    if (h->count == h->capacity)
        grow(h);
    *place_of(h, h->count++) = past;
    h->bytes += past->bytes;
}

static void drop_oldest(struct state *s)
{
    struct history *h = &s->history;
    struct past *past = *place_of(h, 0);
    ledger_remove(s, &past->record);
    h->floor = past->revision;
    h->bytes -= past->bytes;
    h->first++;
    h->count--;
    free(past);
}

void history_add(struct state *s, const struct state_event *events, uint32_t count)
{
    struct history *h = &s->history;
    size_t paths_bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        paths_bytes += events[i].path.length;
    CHECK(h->floor + h->count + 1 == s->revision);
    struct past *past = past_new(s->revision, count, paths_bytes);
    uint32_t offset = 0;
    for (uint32_t i = 0; i < count; i++)
        offset = past_set(past, i, offset, (uint8_t)events[i].kind, events[i].path);
    append(h, past);
    ledger_touch(&s->ledger, &past->record);
    while (h->bytes > s->limits.history_bytes)
        drop_oldest(s);
}

const struct past *history_at(const struct history *h, uint64_t revision)
{
    if (revision <= h->floor || revision - h->floor > h->count)
        return NULL;
    return *place_of(h, (uint32_t)(revision - h->floor - 1));
}

static bool take_event(struct reader *r, uint8_t *ret_kind, struct slice *ret_path)
{
    const char *why;
    *ret_kind = reader_u8(r);
    *ret_path = reader_slice(r);
    return !r->failed && *ret_kind >= STATE_EVENT_CREATED && *ret_kind <= STATE_EVENT_LOCK_FREE &&
           path_check(*ret_path, &limits_hard, &why) == ERR_OK;
}

struct past *history_attach(struct history *h, uint64_t revision, struct slice value)
{
    uint8_t kind;
    struct slice path;
    uint32_t count = 0, offset = 0;
    size_t paths_bytes = 0;
    for (struct reader r = reader_of(value); r.left > 0; count++) {
        if (!take_event(&r, &kind, &path))
            return NULL;
        paths_bytes += path.length;
    }
    if (count == 0 || revision == 0 || (h->count > 0 && revision != h->floor + h->count + 1))
        return NULL;
    if (h->count == 0)
        h->floor = revision - 1;
    struct past *past = past_new(revision, count, paths_bytes);
    struct reader r = reader_of(value);
    for (uint32_t i = 0; i < count; i++) {
        CHECK(take_event(&r, &kind, &path));
        offset = past_set(past, i, offset, kind, path);
    }
    append(h, past);
    return past;
}

void history_free_all(struct history *h)
{
    for (uint32_t i = 0; i < h->count; i++)
        free(*place_of(h, i));
    free(h->ring);
    *h = (struct history){0};
}

/* ---- what the replica asks ---- */

uint64_t state_history_floor(const struct state *s)
{
    return s->history.floor;
}

bool state_history_next(const struct state *s, uint64_t revision, uint32_t index,
                        struct state_past *ret)
{
    const struct past *past = history_at(&s->history, revision);
    uint32_t next = index == UINT32_MAX ? UINT32_MAX : index + 1;
    if (past == NULL || next >= past->events_count) {
        uint64_t floor = s->history.floor;
        past = history_at(&s->history, (revision < floor ? floor : revision) + 1);
        next = 0;
    }
    if (past == NULL)
        return false;
    *ret = (struct state_past){.revision = past->revision,
                               .index = next,
                               .kind = (enum state_event_kind)past->events[next].kind,
                               .path = past_path(past, next)};
    return true;
}
