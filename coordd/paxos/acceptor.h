/* acceptor.h - what one replica has promised and accepted, and what of that is
 * durable.
 *
 * Invariants (Lamport 2001, 2.2; docs/protocol.md):
 *   A1  promised never falls, and is at least the ballot of every entry.
 *   A2  held: every slot to here is known chosen, or accepted in `promised`.
 *   A3  what leaves this replica says no more than what is durable:
 *       acceptor_promise_durable, acceptor_held_durable.
 *   A4  no promise to another while a lease is out, nor before the restart wait
 *       is over.
 *
 * Writes get durable in the order in which they were handed out; `pending` are
 * those of which the storage has not yet spoken. */
#ifndef COORD_PAXOS_ACCEPTOR_H
#define COORD_PAXOS_ACCEPTOR_H

#include "coordd/paxos/effects.h"
#include "coordd/paxos/log.h"

struct acceptor_pending {
    enum paxos_persist_kind kind;
    uint64_t sequence;
    uint64_t slot; /* of entries */
};

struct acceptor {
    struct log log;
    uint64_t promised;
    uint64_t held;
    uint64_t floor;                   /* the storage holds no slot up to here */
    uint64_t chosen;                  /* the learner's, for A2 and for the rows' hint */
    uint32_t longest_lease_ms;        /* ever granted or asked for */
    int64_t grant_until_ns;           /* to the leader of `promised` */
    int64_t wait_until_ns;            /* after a restart */
    struct acceptor_pending *pending; /* owned; sequences rising */
    uint32_t pending_count, pending_capacity;
    uint64_t sequence;  /* the last handed out */
    bool sequence_open; /* ... in the step under way */
    bool full;          /* the storage had no space: nothing new is taken */
};

void acceptor_init(struct acceptor *a, uint64_t promised, uint32_t longest_lease_ms);
void acceptor_release(struct acceptor *a);
/* Every step begins with it: what it persists shares one sequence. */
void acceptor_begin(struct acceptor *a);

/* Raise the promise to `ballot`, which is above it. */
void acceptor_promise(struct acceptor *a, uint64_t ballot, struct paxos_effects *out);
/* Accept (promised, slot, kind, value); the slot is at most held + 1. */
void acceptor_accept(struct acceptor *a, uint64_t slot, uint32_t kind, struct blob *value,
                     struct paxos_effects *out);
/* The slot behind `held` is in the log already, accepted in `promised` before this
 * process started. */
void acceptor_hold(struct acceptor *a, uint64_t slot);
/* Take a value known to be chosen, with the ballot in which another accepted it,
 * for the slot behind `chosen`. */
void acceptor_learn(struct acceptor *a, const struct log_entry *entry, struct paxos_effects *out);
/* `chosen` has risen to `slot` (at most held). */
void acceptor_chosen(struct acceptor *a, uint64_t slot);
void acceptor_remember_lease(struct acceptor *a, uint32_t lease_ms, struct paxos_effects *out);

/* Nobody needs slots up to `slot`, which is at most chosen, any more. */
void acceptor_cut(struct acceptor *a, uint64_t slot, struct paxos_effects *out);
/* The state behind `slot` is here, durably, and with it all that was chosen so far:
 * the log goes on behind it. What was accepted for later slots stays. */
void acceptor_install(struct acceptor *a, uint64_t slot, struct paxos_effects *out);

/* The storage says: durable up to `sequence`; or: nothing from `sequence` on. */
void acceptor_persisted(struct acceptor *a, uint64_t sequence);
void acceptor_full(struct acceptor *a, uint64_t sequence);
/* Hand out again what found no space. */
void acceptor_retry(struct acceptor *a, struct paxos_effects *out);

/* May it promise a ballot to somebody new now? */
bool acceptor_free(const struct acceptor *a, int64_t now_ns);
bool acceptor_promise_durable(const struct acceptor *a);
bool acceptor_lease_durable(const struct acceptor *a, uint32_t lease_ms);
/* Every slot to here is chosen or accepted in `promised`, and durable here. */
uint64_t acceptor_held_durable(const struct acceptor *a);

#endif
