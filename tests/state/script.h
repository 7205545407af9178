/* script.h - random batches: mostly sensible, some repeated, some nonsense.
 *
 * From one seed always the same, given states that answer alike. */
#ifndef COORD_TESTS_STATE_SCRIPT_H
#define COORD_TESTS_STATE_SCRIPT_H

#include "coordd/state/state.h"
#include "libcoord/base/arena.h"
#include "libcoord/base/prng.h"
#include "tests/state/lab.h"

enum {
    SCRIPT_SESSIONS = 12, /* ids in play at a time */
    SCRIPT_SEQUENCERS = 16,
    SCRIPT_BATCH_MAX = 8,
    SCRIPT_STATUSES = 32,
};

struct script {
    struct prng prng;
    struct arena arena; /* the batch at hand */
    uint64_t time_ms;
    uint64_t newest; /* session id */
    bool hands_over; /* the last command of the last batch */
    uint64_t seq[LAB_SESSIONS_MAX];
    char *sequencers[SCRIPT_SEQUENCERS]; /* owned; of grants that were seen */
    uint64_t seen[SCRIPT_STATUSES];      /* answers by status */
};

void script_init(struct script *s, uint64_t seed);
void script_release(struct script *s);
/* The next batch, packed, to be released by the caller. */
struct buffer script_next(struct script *s, const struct state *state);
/* A random transaction, in the script's arena. */
Coord__V1__Transaction *script_transaction(struct script *s, const struct state *state);
/* What came of it. */
void script_learn(struct script *s, const struct state_output *out);

#endif
