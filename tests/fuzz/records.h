/* records.h - a state as its records, and back. */
#ifndef COORD_TESTS_FUZZ_RECORDS_H
#define COORD_TESTS_FUZZ_RECORDS_H

#include "coordd/state/state.h"

extern const uint8_t records_cell[STATE_CELL_ID_BYTES];

/* Appends every record as a part of state_load's. So that the mutator can tell key and
 * value apart, the bytes are an Envelope with the key as its cell and the value as its body. */
void records_put(const struct state *s, struct buffer *out);
/* The state that such parts make, or NULL. */
struct state *records_load(struct slice parts);

/* Demands the invariants, and that the state goes through its records unchanged. */
void records_judge(const struct state *s);

#endif
