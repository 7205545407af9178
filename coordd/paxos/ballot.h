/* ballot.h - a ballot is round * 65536 + member id: totally ordered, and no two
 * members ever use the same one (Lamport 2001, 2.2). 0 is below all ballots. */
#ifndef COORD_PAXOS_BALLOT_H
#define COORD_PAXOS_BALLOT_H

#include <stdint.h>

enum { BALLOT_MEMBER_BITS = 16 };

static inline uint64_t ballot_make(uint64_t round, uint32_t member)
{
    return round << BALLOT_MEMBER_BITS | member;
}

static inline uint64_t ballot_round(uint64_t ballot)
{
    return ballot >> BALLOT_MEMBER_BITS;
}

static inline uint32_t ballot_member(uint64_t ballot)
{
    return (uint32_t)(ballot & ((1u << BALLOT_MEMBER_BITS) - 1));
}

#endif
