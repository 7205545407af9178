/* leader.h - phase 2: proposing, counting, and the lease.
 *
 * Invariants:
 *   L1  a slot counts as chosen by what an accept quorum holds durably in this
 *       ballot; a value of an older ballot counts only through this one.
 *   L2  the lease counts from before the round was sent that a quorum granted,
 *       shortened by the rate margin; it is void once a higher ballot is promised.
 *   L3  nothing is served before the barrier of this ballot is applied. */
#ifndef COORD_PAXOS_LEADER_H
#define COORD_PAXOS_LEADER_H

#include "coordd/paxos/membership.h"

enum {
    LEADER_ROUNDS = 512,      /* rounds whose sending times are remembered */
    LEADER_ROUND_MIN_MS = 2,  /* a round is shared by what is sent within this time */
    LEADER_PEER_WINDOW = 128, /* entries sent to a peer and not held by it */
    LEADER_STALL_LEASES = 4,  /* without getting on: step down */
    LEADER_DEAF_LEASES = 2,   /* without a quorum's answers: step down */
    LEADER_RESEND_MS = 150,   /* without progress at a peer: send again */
};

/* Of a time: never in this reign. */
#define LEADER_LONG_AGO_NS (INT64_MIN / 2)

struct leader_peer {
    uint64_t next;   /* slot to send next */
    uint64_t held;   /* durable there: chosen or accepted in this ballot; 0: not known */
    uint64_t anchor; /* what was sent behind this is in flight */
    uint64_t answered_round;
    int64_t answered_ns; /* sending time of the latest round it answered */
    int64_t granted_ns;  /* ... and granted the lease for */
    uint64_t gap_held;   /* what it said when it last reported a gap, and when */
    int64_t gap_ns;
    int64_t cut_told_ns; /* when it was last told that what it lacks was cut */
    int64_t progress_ns; /* when held last rose, or nothing was outstanding */
    bool probing;        /* it got on with nothing that was sent: one entry at a time */
    bool low;            /* as it said last: its disk is full */
    uint64_t read_token; /* of a read from the storage under way, 0: none */
};

struct leader {
    uint64_t ballot;
    uint64_t next_slot;
    uint64_t barrier_slot;
    bool established; /* the barrier is applied */
    bool opening;     /* ENTRY_FOUND or ENTRY_OPEN is proposed, not applied */
    int64_t began_ns;
    int64_t progress_ns; /* when something was last chosen, or nothing was outstanding */
    int64_t heartbeat_at_ns;
    uint64_t round;   /* the latest */
    bool fresh_round; /* the next message begins one, however short the last */
    int64_t round_sent_ns[LEADER_ROUNDS];
    bool dirty; /* something is to be sent in this step */
    struct leader_peer peers[PAXOS_MEMBERS_MAX];
};

#endif
