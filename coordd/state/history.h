/* history.h - the events of the latest revisions, for watches that come back.
 *
 * Every revision has one record with its events in order, so that resuming is at
 * whole revisions. The bound is on the bytes of the records, keys and values; the
 * oldest go first, and a revision that alone is beyond the bound is not kept.
 *
 * Invariants: the kept revisions follow each other without a gap and end with the
 * cell's: floor + count is the cell's revision. Each has at least one event. */
#ifndef COORD_STATE_HISTORY_H
#define COORD_STATE_HISTORY_H

#include "coordd/state/record.h"

struct state_event;

struct past_event {
    uint32_t offset; /* of the path, in the bytes behind the events */
    uint16_t length;
    uint8_t kind; /* enum state_event_kind */
};

struct past {
    struct record record;
    uint64_t revision;
    uint32_t events_count, bytes; /* bytes: what it counts for */
    struct past_event events[];   /* then their paths, each with a NUL */
};

struct history {
    struct past **ring; /* owned, as are its elements */
    uint32_t capacity;  /* a power of two, or 0 */
    uint32_t first, count;
    uint64_t floor; /* everything later is there */
    uint64_t bytes;
};

/* What one command brought about, in the cell's present revision. */
void history_add(struct state *s, const struct state_event *events, uint32_t count);
/* NULL if it is not kept. */
const struct past *history_at(const struct history *h, uint64_t revision);
struct slice past_path(const struct past *past, uint32_t index); /* a NUL stands behind it */
void past_put_value(const struct past *past, struct buffer *value);

/* For loading: the revision behind the last one, or any if it is the first. NULL
 * if the value is not that of such a record. */
struct past *history_attach(struct history *h, uint64_t revision, struct slice value);
/* Frees everything without a word to the ledger. */
void history_free_all(struct history *h);

#endif
