/* said.h - "durable before said": compares every message between replicas, on
 * its way out, with its sender's disk and with what is chosen (T6 of truth.h).
 *
 *   Prepare(b), Promise(b)   the disk has promised b
 *   Promise(b, rows)         and nothing that it accepted is left out
 *   Accepted(b, held)        and holds, for every slot to `held`, a row accepted
 *                            in b or one with the chosen value
 *   anything `chosen`        is chosen */
#ifndef TESTS_SIM_SAID_H
#define TESTS_SIM_SAID_H

#include "tests/sim/truth.h"

/* `life` counts the sender's starts; `checkpoint` is the slot of its durable one. */
void said_check(struct truth *t, uint32_t from, uint32_t life, const struct disk *d,
                uint64_t checkpoint, struct slice envelope);
/* The slot behind which its sender's state is, some of which it carries; 0: none. */
uint64_t said_state_slot(struct slice envelope);
/* For the trace: what an envelope holds, in a few words. */
void said_text(struct slice envelope, char *out, size_t out_bytes);

#endif
