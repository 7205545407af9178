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
    BEGINS = 0x80,       /* added to the kind of a revision's first event */
    /* So many bytes still fit into one page of the database with three others. */
    PIECE_BYTES_MAX = 960,
    PIECES_MIN = 8, /* of the bound, if it is low */
    EVENTS_AT_FIRST = 16,
    RING_CAPACITY_MIN = 64,
};

static uint32_t piece_bytes_max(const struct state *s)
{
    uint32_t share = s->limits.history_bytes / PIECES_MIN;
    return share < PIECE_BYTES_MAX ? share : PIECE_BYTES_MAX;
}

/* ---- a piece ---- */

static struct past *past_new(uint64_t first)
{
    struct past *past = check_calloc(1, sizeof *past);
    record_init(&past->record, RECORD_PAST);
    past->first = first;
    past->bytes = KEY_BYTES;
    return past;
}

static void past_free(struct past *past)
{
    free(past->events);
    buffer_release(&past->paths);
    free(past);
}

static uint64_t past_last(const struct past *past)
{
    return past->first + past->revisions_count - 1;
}

static void put_event(struct past *past, uint32_t nth, uint8_t kind, struct slice path)
{
    CHECK(path.length <= STATE_PATH_BYTES_HARD && past->paths.length <= UINT32_MAX / 2);
    if (past->events_count == past->events_capacity) {
        CHECK(past->events_capacity <= UINT32_MAX / 2);
        past->events_capacity =
            past->events_capacity == 0 ? EVENTS_AT_FIRST : past->events_capacity * 2;
        past->events = check_realloc(past->events, past->events_capacity * sizeof past->events[0]);
    }
    past->events[past->events_count++] = (struct past_event){
        .nth = nth,
        .offset = (uint32_t)past->paths.length,
        .length = (uint16_t)path.length,
        .kind = kind,
    };
    buffer_put(&past->paths, path.data, path.length);
    buffer_put_u8(&past->paths, '\0');
    past->revisions_count = nth + 1;
    past->bytes += EVENT_BYTES + (uint32_t)path.length;
}

static struct slice event_path(const struct past *past, const struct past_event *e)
{
    return slice_of(past->paths.data + e->offset, e->length);
}

/* The first event of the nth revision, or the number of events. */
static uint32_t first_event(const struct past *past, uint32_t nth)
{
    uint32_t low = 0, high = past->events_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (past->events[middle].nth < nth)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void past_put_value(const struct past *past, struct buffer *value)
{
    for (uint32_t i = 0; i < past->events_count; i++) {
        const struct past_event *e = &past->events[i];
        bool begins = i == 0 || e->nth != past->events[i - 1].nth;
        buffer_put_u8(value, begins ? e->kind | BEGINS : e->kind);
        buffer_put_slice(value, event_path(past, e));
    }
}

/* ---- the ring ---- */

static struct past **place_of(const struct history *h, uint32_t nth)
{
    return &h->ring[(h->first_place + nth) & (h->capacity - 1)];
}

struct past *history_piece(const struct history *h, uint32_t nth)
{
    return *place_of(h, nth);
}

static void grow(struct history *h)
{
    uint32_t capacity = h->capacity == 0 ? RING_CAPACITY_MIN : h->capacity * 2;
    CHECK(capacity <= RECORDS_MAX);
    struct past **ring = check_malloc(capacity * sizeof(struct past *));
    for (uint32_t i = 0; i < h->pieces_count; i++)
        ring[i] = *place_of(h, i);
    free(h->ring);
    h->ring = ring;
    h->capacity = capacity;
    h->first_place = 0;
}

static void append(struct history *h, struct past *past)
{
    if (h->pieces_count == h->capacity)
        grow(h);
    *place_of(h, h->pieces_count++) = past;
    h->bytes += past->bytes;
    h->count += past->revisions_count;
}

static void drop_oldest(struct state *s)
{
    struct history *h = &s->history;
    struct past *past = history_piece(h, 0);
    ledger_remove(s, &past->record);
    h->floor = past_last(past);
    h->count -= past->revisions_count;
    h->bytes -= past->bytes;
    h->first_place++;
    h->pieces_count--;
    past_free(past);
}

/* The piece that takes up a revision of so many bytes. */
static struct past *open_piece(struct state *s, uint64_t events_bytes)
{
    struct history *h = &s->history;
    struct past *last = h->pieces_count == 0 ? NULL : history_piece(h, h->pieces_count - 1);
    if (last != NULL && last->bytes + events_bytes <= piece_bytes_max(s))
        return last;
    CHECK(events_bytes <= UINT32_MAX - KEY_BYTES);
    last = past_new(s->revision);
    append(h, last);
    return last;
}

void history_add(struct state *s, const struct state_event *events, uint32_t count)
{
    struct history *h = &s->history;
    uint64_t bytes = (uint64_t)count * EVENT_BYTES;
    CHECK(count > 0 && h->floor + h->count + 1 == s->revision);
    for (uint32_t i = 0; i < count; i++)
        bytes += events[i].path.length;
    struct past *past = open_piece(s, bytes);
    h->bytes -= past->bytes;
    for (uint32_t i = 0, nth = past->revisions_count; i < count; i++)
        put_event(past, nth, (uint8_t)events[i].kind, events[i].path);
    h->bytes += past->bytes;
    h->count++;
    ledger_touch(&s->ledger, &past->record);
    while (h->bytes > s->limits.history_bytes)
        drop_oldest(s);
}

/* ---- loading ---- */

static bool take_event(struct reader *r, struct past *past)
{
    const char *why;
    uint8_t kind = reader_u8(r);
    struct slice path = reader_slice(r);
    bool begins = (kind & BEGINS) != 0;
    kind &= (uint8_t)~BEGINS;
    if (r->failed || kind < STATE_EVENT_CREATED || kind > STATE_EVENT_LOCK_FREE ||
        path_check(path, &limits_hard, &why) != ERR_OK || (past->events_count == 0 && !begins))
        return false;
    put_event(past, begins ? past->revisions_count : past->revisions_count - 1, kind, path);
    return true;
}

struct past *history_attach(struct history *h, uint64_t first, struct slice value)
{
    struct reader r = reader_of(value);
    if (value.length == 0 || first == 0 ||
        (h->pieces_count > 0 && first != h->floor + h->count + 1))
        return NULL;
    struct past *past = past_new(first);
    while (r.left > 0) {
        if (!take_event(&r, past)) {
            past_free(past);
            return NULL;
        }
    }
    if (h->pieces_count == 0)
        h->floor = first - 1;
    append(h, past);
    return past;
}

void history_free_all(struct history *h)
{
    for (uint32_t i = 0; i < h->pieces_count; i++)
        past_free(history_piece(h, i));
    free(h->ring);
    *h = (struct history){0};
}

/* ---- what the replica asks ---- */

uint64_t state_history_floor(const struct state *s)
{
    return s->history.floor;
}

/* The piece that holds it; it is above the floor and not above the cell's. */
static const struct past *find(const struct history *h, uint64_t revision)
{
    uint32_t low = 0, high = h->pieces_count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (past_last(history_piece(h, middle)) < revision)
            low = middle + 1;
        else
            high = middle;
    }
    return history_piece(h, low);
}

bool state_history_next(const struct state *s, uint64_t revision, uint32_t index,
                        struct state_past *ret)
{
    const struct history *h = &s->history;
    uint32_t next = index == UINT32_MAX ? UINT32_MAX : index + 1;
    if (revision <= h->floor) {
        revision = h->floor;
        next = UINT32_MAX;
    }
    if (revision > s->revision || h->count == 0)
        return false;
    /* Among its own, or the first of the next one. */
    for (; revision <= s->revision; revision++, next = 0) {
        if (revision == h->floor)
            continue;
        const struct past *past = find(h, revision);
        uint32_t nth = (uint32_t)(revision - past->first), at = first_event(past, nth);
        if (next >= past->events_count - at || past->events[at + next].nth != nth)
            continue;
        *ret = (struct state_past){
            .revision = revision,
            .index = next,
            .kind = (enum state_event_kind)past->events[at + next].kind,
            .path = event_path(past, &past->events[at + next]),
        };
        return true;
    }
    return false;
}
