/* proposer.h - phase 1 of one ballot, for all slots at once.
 *
 * PERSISTING: the ballot, before anybody hears of it.
 * PREPARING:  Prepare is out; Promises come in, in chunks that must join on.
 * RECOVERING: a promiser knows more slots to be chosen than we: fetch those.
 * Then the leader proposes again, for each open slot, the value of the highest
 * ballot that a quorum reported (Lamport 2001, 2.2 P2c). */
#ifndef COORD_PAXOS_PROPOSER_H
#define COORD_PAXOS_PROPOSER_H

#include "coordd/paxos/membership.h"
#include "coordd/paxos/message.h"

enum proposer_phase { PROPOSER_PERSISTING, PROPOSER_PREPARING, PROPOSER_RECOVERING };

struct proposer_from {
    bool done;
    uint32_t next_chunk;
    uint64_t chosen;
    uint64_t through; /* its entries came without a gap up to here */
};

struct proposer {
    enum proposer_phase phase;
    uint64_t ballot;
    uint64_t first_slot; /* of the Prepare */
    int64_t sent_ns;     /* when Prepare first left */
    int64_t attempt_until_ns, resend_at_ns;
    struct proposer_from from[PAXOS_MEMBERS_MAX];
    uint64_t base;          /* of `best`: what lies below is known to be chosen by somebody */
    struct log_entry *best; /* owned, with references; by slot from base; value NULL: none */
    uint64_t best_count, best_capacity;
    uint64_t recover_through; /* highest chosen index among the promises */
    uint32_t source;          /* index of the member that reported it */
};

void proposer_reset(struct proposer *r); /* frees what it holds */

#endif
