/* record.h - the state as a set of (key, value) records.
 *
 * Every object of the state that is to outlive the process has one `struct
 * record` in it, and one canonical encoding. Keys sort so that whatever a record
 * refers to comes before it: reading them in key order builds the state.
 *
 *   kind      key behind the kind's byte              value
 *   META      -                                       the cell's counters and limits
 *   SESSION   id                                      who, lease, window
 *   NODE      path                                    generations, times, owner
 *   CONTENT   path                                    the bytes; none if empty
 *   CLAIM     path, 0x00, ticket                      a lock's holder or waiter
 *   ANSWER    session, order of answering             seq, the packed Answer
 *   DELAY     path                                    of a lock whose holder died
 *   PAST      revision                                its events, and those of some after it
 *   HAND_OVER -                                       what a leader left to the next
 *
 * Numbers in keys are 64 bits big-endian, so that they sort; in values they are
 * little-endian of fixed width. Paths: see path.h. A node's content has a record
 * of its own so that a lock changing hands writes no content.
 *
 * Invariant: one state has one set of records, byte for byte. */
#ifndef COORD_STATE_RECORD_H
#define COORD_STATE_RECORD_H

#include <stdint.h>

#include "libcoord/base/bytes.h"

struct state;

enum record_kind {
    RECORD_META = 1,
    RECORD_SESSION = 2,
    RECORD_NODE = 3,
    RECORD_CONTENT = 4,
    RECORD_CLAIM = 5,
    RECORD_ANSWER = 6,
    RECORD_DELAY = 7,
    RECORD_PAST = 8,
    RECORD_HAND_OVER = 9,
};
enum { RECORD_FORMAT = 1 }; /* stands in the META record */

/* Part of the object that the record is of; ledger.h writes all but `kind`. */
struct record {
    uint64_t hash[2];      /* as it is counted in the ledger's sums */
    uint32_t touched : 29; /* 1 + place among what this batch changed, 0: unchanged */
    uint32_t counted : 1;  /* `hash` is in the sums */
    uint32_t stored : 1;   /* the last checkpoint has a record of this key */
    uint32_t handed : 1;   /* `dirty` is its place among what was handed over instead */
    uint32_t dirty : 28;   /* 1 + place among what changed since the last checkpoint */
    uint32_t kind : 4;
};
enum { RECORDS_MAX = (1 << 28) - 2 };

void record_init(struct record *r, enum record_kind kind);
/* Append the key, or the value, of the object that `r` is part of. */
void record_put_key(const struct state *s, const struct record *r, struct buffer *key);
void record_put_value(const struct state *s, const struct record *r, struct buffer *value);

/* Numbers in keys. */
void record_put_number(struct buffer *key, uint64_t number);
uint64_t record_number(struct slice eight_bytes);

#endif
