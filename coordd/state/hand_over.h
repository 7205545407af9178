/* hand_over.h - what a leader that hands over leaves to the next.
 *
 * Time that is left counts from the next leader's barrier on, which comes later
 * than when it was measured, so it is never too short. It is worth something only
 * if the leader renewed nothing after it had measured: so if any batch comes in
 * between it is void, and with the barrier after it its time is over.
 *
 *   HandOver -> given -> (barrier) -> taken -> (barrier) -> gone
 *               given -> (batch)   -> gone
 *
 * Invariants: leases rise by session, delays by path, as bytes. */
#ifndef COORD_STATE_HAND_OVER_H
#define COORD_STATE_HAND_OVER_H

#include "coord/v1/command.pb-c.h"
#include "coordd/state/record.h"

struct lease_left {
    uint64_t session;
    uint32_t left_ms;
};

struct delay_left {
    struct slice path; /* owned by the hand-over */
    uint64_t instance, generation;
    uint32_t left_ms;
};

struct hand_over {
    struct record record;
    bool taken;
    size_t leases_count, delays_count;
    struct lease_left *leases; /* owned */
    struct delay_left *delays; /* owned */
    uint8_t *paths;            /* owned: those of the delays, one behind the other */
};

/* Replaces what was handed over before. */
void hand_over_give(struct state *s, const Coord__V1__HandOver *h);
/* A batch, and a barrier, as seen by what was handed over; there may be nothing. */
void hand_over_see_batch(struct state *s);
void hand_over_see_barrier(struct state *s);

void hand_over_put_value(const struct hand_over *h, struct buffer *value);
/* For loading: NULL if the value is not that of such a record. */
struct hand_over *hand_over_attach(struct state *s, struct slice value);
/* In order, as the invariants say. */
bool hand_over_is_sound(const struct hand_over *h);
/* Frees it without a word to the ledger; accepts NULL. */
void hand_over_free(struct hand_over *h);

#endif
