/* history.h - the events of the latest revisions, for watches that come back.
 *
 * They are kept in pieces of some revisions each: a piece is one record, so that a
 * checkpoint has few of them to write and to remove. A revision is never parted. A
 * piece is closed once the next revision would make it longer than some hundred
 * bytes, or than an eighth of the bound, and never changes afterwards. The bound is
 * on the bytes of the records, keys and values; the oldest piece goes first, and what
 * alone is beyond the bound is not kept.
 *
 * Invariants: the kept revisions follow each other without a gap and end with the
 * cell's: floor + count is the cell's revision. Each has at least one event. */
#ifndef COORD_STATE_HISTORY_H
#define COORD_STATE_HISTORY_H

#include "coordd/state/record.h"

struct state_event;

struct past_event {
    uint32_t nth;    /* its revision, counted from the piece's first */
    uint32_t offset; /* of the path, in `paths` */
    uint16_t length;
    uint8_t kind; /* enum state_event_kind */
};

struct past {
    struct record record;
    uint64_t first;           /* revision */
    uint32_t revisions_count; /* at least 1, as is events_count */
    uint32_t events_count, events_capacity;
    uint32_t bytes;            /* what it counts for */
    struct past_event *events; /* owned */
    struct buffer paths;       /* of all events, each with a NUL */
};

struct history {
    struct past **ring; /* owned, as are its elements */
    uint32_t capacity;  /* a power of two, or 0 */
    uint32_t first_place, pieces_count;
    uint64_t floor; /* everything later is there */
    uint64_t count; /* revisions */
    uint64_t bytes;
};

/* What one command brought about, in the cell's present revision. */
void history_add(struct state *s, const struct state_event *events, uint32_t count);
/* The nth piece, from 0: the oldest. */
struct past *history_piece(const struct history *h, uint32_t nth);
void past_put_value(const struct past *past, struct buffer *value);

/* For loading: the piece behind the last one, or any if it is the first. NULL if the
 * value is not that of such a record. */
struct past *history_attach(struct history *h, uint64_t first, struct slice value);
/* Frees everything without a word to the ledger. */
void history_free_all(struct history *h);

#endif
