/* check_belief.h - what clients believe of their sessions and locks.
 *
 * A client believes in a lock from the moment the grant was handed to it until it
 * asks to release it, for as long as its session is certainly live by its own
 * clock. Then:
 *   - nobody else believes in a conflicting one;
 *   - the lock is not even granted to anybody else;
 *   - the session is not expired by the servers.
 * And a lock whose holder died is granted to nobody before its delay is over. */
#ifndef TESTS_SIM_CHECK_BELIEF_H
#define TESTS_SIM_CHECK_BELIEF_H

#include <stdbool.h>
#include <stdint.h>

#include "coord/v1/command.pb-c.h"

struct sim;
struct client;
struct call;

/* This client has begun to believe in something. */
void check_belief(struct sim *s, const struct client *c);
/* This client believes in its session, or goes on to: that is live, then. */
void check_alive(struct sim *s, const struct client *c);
/* Does the log know this grant? */
void check_granted(struct sim *s, const struct client *c, const struct call *call,
                   const Coord__V1__Sequencer *granted);
/* For the model: the entry that does it is chosen now. */
void check_belief_on_grant(void *sim, uint32_t path, uint64_t session, bool exclusive);
void check_belief_on_expiry(void *sim, uint64_t session);
/* A lock's delay lasts, whoever leads meanwhile. */
void check_delay_began(void *sim, uint32_t path, uint32_t delay_ms);
void check_delay_over(void *sim, uint32_t path);

#endif
