/* quorum.h - how many are enough.
 *
 * Sets of members are bit masks over their index in the configuration. A prepare
 * quorum meets every accept quorum: prepare + accept > members (Howard, Malkhi,
 * Spiegelman 2016); majorities by default. A lease needs an accept quorum, so
 * that whoever gathers promises meets a member that granted it. */
#ifndef COORD_PAXOS_QUORUM_H
#define COORD_PAXOS_QUORUM_H

#include <stdbool.h>
#include <stdint.h>

struct quorums {
    uint32_t members_count;
    uint32_t prepare;
    uint32_t accept;
};

/* 0 asks for the majority. False if the two would not meet, or exceed the members. */
bool quorums_init(struct quorums *q, uint32_t members_count, uint32_t prepare, uint32_t accept);
bool quorum_prepared(const struct quorums *q, uint32_t members_mask);
bool quorum_accepted(const struct quorums *q, uint32_t members_mask);
/* The highest value that an accept quorum has reached, given each member's own. */
uint64_t quorum_accepted_through(const struct quorums *q, const uint64_t *each);
/* The same for signed times. */
int64_t quorum_accepted_since(const struct quorums *q, const int64_t *each);

#endif
