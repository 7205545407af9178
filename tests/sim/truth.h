/* truth.h - what is chosen, judged from outside by what lies on the disks.
 *
 * Paxos in one sentence (Lamport 2001, 2.2): a value is chosen once a quorum has
 * accepted it in one ballot. So the simulator keeps, for every slot and ballot,
 * whose disk ever held a row of it, and knows what is chosen before any replica
 * does and without asking any. From that follow the checks:
 *
 *   T1  one value per (slot, ballot), one chosen value per slot;
 *   T2  what a replica calls chosen or has applied is chosen;
 *   T3  a row is never replaced by one of a lower ballot, nor written in a ballot
 *       below a durable promise, unless its value is the chosen one;
 *   T4  the promise and the longest lease on a disk never fall;
 *   T5  equal applied slot, equal state hash and revision;
 *   T6  a message says no more than what its sender's disk holds (said.c);
 *   T7  what a replica gives to others of its log, the rows behind its floor and up to
 *       what it calls chosen, is on its disk and chosen, once no write is under way;
 *   T8  what a leader counts another to hold in its ballot is chosen, or was on that
 *       one's disk in that ballot.
 *
 * A broken rule is reported through journal_fail as a safety failure. */
#ifndef TESTS_SIM_TRUTH_H
#define TESTS_SIM_TRUTH_H

#include "tests/sim/disk.h"
#include "tests/sim/journal.h"

enum { TRUTH_MEMBERS_MAX = REPLICA_MEMBERS_MAX };

struct truth_claim { /* in one ballot */
    uint64_t ballot, value_hash;
    uint32_t members_mask;
};

struct truth_slot {
    struct truth_claim *claims; /* owned */
    uint32_t claims_count;
    bool chosen;
    uint64_t value_hash;    /* of the chosen value */
    struct log_entry entry; /* owned reference to its value */
    bool applied_by_someone;
    uint64_t state_hash[2]; /* after it, as the first to apply it said */
    uint64_t revision;
};

struct truth {
    struct journal *journal; /* borrowed */
    uint32_t members, quorum;
    struct truth_slot *slots; /* owned; slots[slot - 1] */
    uint64_t slots_count, slots_capacity;
    uint64_t prefix; /* every slot to here is chosen */
    /* For T6, by member: rows of `said_ballot` were compared up to said_held. */
    uint64_t said_ballot[TRUTH_MEMBERS_MAX + 1], said_held[TRUTH_MEMBERS_MAX + 1];
    uint32_t said_life[TRUTH_MEMBERS_MAX + 1];
};

void truth_init(struct truth *t, struct journal *journal, uint32_t members, uint32_t quorum);
void truth_release(struct truth *t);

uint64_t truth_value_hash(const struct log_entry *entry);
/* The disk of member `id` is about to take this step's writes. */
void truth_writes(struct truth *t, uint32_t id, const struct disk *d, const struct disk_job *job);
/* The chosen entry of a slot up to the prefix. Borrowed. */
const struct log_entry *truth_chosen(const struct truth *t, uint64_t slot);
bool truth_is_chosen(const struct truth *t, uint64_t slot, uint64_t value_hash);

/* What a replica shows of itself after a step. */
void truth_view(struct truth *t, uint32_t id, const struct replica_view *view);
/* It has, for certain, the state that others had at the same slot. */
bool truth_same_state(const struct truth *t, const struct replica_view *view);
/* A leader counts slots to `through` as held by `member` in its ballot. */
void truth_counted(struct truth *t, uint32_t leader, uint64_t ballot, uint32_t member,
                   uint64_t through);
/* T7. Rows up to *judged were looked at before: T3 watches what replaces them. */
void truth_rows(struct truth *t, uint32_t id, const struct disk *d, const struct replica_view *view,
                uint64_t *judged);

#endif
