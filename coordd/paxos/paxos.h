/* paxos.h - Multi-Paxos for one replica: the only door to this folder.
 *
 * One step takes one event and the time, and says what is owed to the world. The
 * roles are the files: acceptor, proposer (phase 1), leader (phase 2 and its
 * lease), learner; election decides when to stand. A replica plays them all.
 *
 * Values are opaque. What is chosen comes out in order through paxos_next_chosen;
 * a new value goes in with PAXOS_EVENT_PROPOSE when paxos_can_propose says so.
 *
 * Sources: Lamport, Paxos Made Simple (2001); Chandra et al., Paxos Made Live
 * (2007); Ng et al., Omni-Paxos (2023) for when to stand; Gray and Cheriton
 * (1989) for leases. Design: docs/protocol.md.
 *
 * Pure: libcoord/base only. */
#ifndef COORD_PAXOS_PAXOS_H
#define COORD_PAXOS_PAXOS_H

#include "coordd/paxos/ballot.h"
#include "coordd/paxos/effects.h"
#include "coordd/paxos/membership.h"
#include "coordd/paxos/message.h"
#include "libcoord/base/err.h"

enum {
    PAXOS_WINDOW = 4, /* slots proposed and not yet chosen */
    PAXOS_RATE_PPM_DEFAULT = 5000,
    PAXOS_LEASE_MS_DEFAULT = 350,
};

struct paxos_config {
    uint32_t ids[PAXOS_MEMBERS_MAX];
    uint32_t members_count;
    uint32_t self; /* member id */
    uint64_t incarnation;
    uint32_t prepare_quorum, accept_quorum;    /* 0: majority */
    uint32_t lease_ms, heartbeat_ms, rate_ppm; /* 0: default */
    uint32_t log_keep_entries;                 /* applied ones kept in memory; 0: default */
    uint32_t log_unapplied_entries;            /* taken without a state to apply them to, at most;
                                                  0: default */
    uint64_t seed;
    uint64_t promised;         /* from the storage */
    uint32_t longest_lease_ms; /* from the storage; 0: a directory never used */
    uint64_t floor, last_slot; /* from the storage: the log lies between; 0, 0: none yet */
    bool log_damaged;          /* ... and what lies between cannot be read */
};

enum paxos_role { PAXOS_WAITING, PAXOS_FOLLOWER, PAXOS_CANDIDATE, PAXOS_LEADER };

enum paxos_event_kind {
    PAXOS_EVENT_TIME,
    PAXOS_EVENT_LINK,      /* .from, .up */
    PAXOS_EVENT_MESSAGE,   /* .from, .incarnation, .message (borrowed) */
    PAXOS_EVENT_PERSISTED, /* .sequence */
    PAXOS_EVENT_FULL,      /* .sequence */
    PAXOS_EVENT_SPACE,     /* .low: the storage has begun to use what it keeps back for a full disk,
                              or has all of it again */
    PAXOS_EVENT_LOG_READ,  /* .token, .entries (borrowed) */
    PAXOS_EVENT_PROPOSE,   /* .value (borrowed): ENTRY_BATCH; paxos_can_propose holds */
    PAXOS_EVENT_ROUND,     /* send a round to all now; paxos_round tells its number */
    PAXOS_EVENT_HAND_OVER, /* .from: the successor's member id, 0: whoever holds most. Nothing is
                              outstanding: give the lease up and tell the others */
    PAXOS_EVENT_STOP,      /* the same, because the process stops */
    PAXOS_EVENT_CUT,     /* .slot, at most what is applied and saved: nothing up to it is needed */
    PAXOS_EVENT_INSTALL, /* .slot, .bytes: the state behind it came from a peer and is durable, and
                            what paxos_put_membership said there. paxos_can_install holds */
};

struct paxos_event {
    enum paxos_event_kind kind;
    int64_t now_ns;
    uint32_t from; /* member id */
    uint64_t incarnation;
    bool up;
    bool low;
    const struct message *message;
    uint64_t sequence;
    uint64_t token;
    const struct log_entry *entries;
    uint32_t entries_count;
    struct blob *value;
    uint64_t slot;
    struct slice bytes;
};

struct paxos;
MUST_USE enum err paxos_new(const struct paxos_config *config, struct paxos **ret,
                            const char **ret_why);
void paxos_free(struct paxos *p);
/* First, if there is a checkpoint: the state behind `slot` is loaded, and this is
 * what paxos_put_membership said then. ERR_INVALID: it does not fit; *ret_why is a
 * constant. */
MUST_USE enum err paxos_load_checkpoint(struct paxos *p, uint64_t slot, struct slice membership,
                                        const char **ret_why);
/* Rows behind the checkpoint, and behind the floor, in order of their slots;
 * ERR_INVALID at a gap. */
MUST_USE enum err paxos_load(struct paxos *p, const struct log_entry *entry);
void paxos_loaded(struct paxos *p, int64_t now_ns);

void paxos_step(struct paxos *p, const struct paxos_event *event, struct paxos_effects *out);
/* The next chosen entry that was not yet taken, in order; NULL: none. Borrowed
 * until the next step. What is taken counts as applied. *out may get effects
 * (a leader whose barrier is applied may propose). */
const struct log_entry *paxos_next_chosen(struct paxos *p, struct paxos_effects *out);
int64_t paxos_wake_at(const struct paxos *p);

enum paxos_role paxos_role(const struct paxos *p);
uint64_t paxos_ballot(const struct paxos *p); /* of the leader followed or being; or promised */
uint32_t paxos_leader(const struct paxos *p); /* member id, 0: unknown */
/* That leader is another, and said within the time of a lease that a quorum answers
 * it. A stopping replica follows nobody. */
bool paxos_follows(const struct paxos *p, int64_t now_ns);
/* To which slot a leader counts another member to hold what it proposed; 0 if this one
 * does not lead. */
uint64_t paxos_counted(const struct paxos *p, uint32_t member);
/* Nothing that it granted, or believes itself, keeps it from promising another ballot. */
bool paxos_may_promise(const struct paxos *p, int64_t now_ns);
/* Leads, and its barrier is applied. */
bool paxos_established(const struct paxos *p);
/* ... and its lease is valid: what is applied is the present. */
bool paxos_lease_valid(const struct paxos *p, int64_t now_ns);
int64_t paxos_lease_until(const struct paxos *p); /* 0: no lease */
/* The latest round sent to the followers; whether a quorum, answering in this
 * ballot, answered that one or a later one. Then nobody led a higher ballot when it
 * was sent. */
uint64_t paxos_round(const struct paxos *p);
bool paxos_round_answered(const struct paxos *p, uint64_t round);
bool paxos_can_propose(const struct paxos *p);
uint32_t paxos_outstanding(const struct paxos *p); /* slots proposed and not chosen */
uint64_t paxos_next_slot(const struct paxos *p);   /* of the next proposal, when leading */
bool paxos_open(const struct paxos *p);            /* the cell may serve clients */
/* Until then: has this member still to appear, or (a leader knows) to hold the founding
 * entry? */
bool paxos_awaits(const struct paxos *p, uint32_t member);
uint64_t paxos_promised(const struct paxos *p);
uint64_t paxos_chosen(const struct paxos *p);
uint64_t paxos_applied(const struct paxos *p);
uint64_t paxos_last_slot(const struct paxos *p);
uint64_t paxos_floor(const struct paxos *p); /* slots to here are not in the log any more */
/* What the entries applied so far say of the members, for a checkpoint. */
void paxos_put_membership(const struct paxos *p, struct buffer *bytes);
/* Whether what comes from this member comes from the directory bound to it. */
bool paxos_knows(const struct paxos *p, uint32_t member, uint64_t incarnation);
/* What this replica lacks was cut from the others' logs, or its own state is lost:
 * it needs the state of another. *ret_from is who has it, 0: anybody may. */
bool paxos_behind(const struct paxos *p, uint32_t *ret_from);
/* The log goes on, but the state up to what is applied is lost, or wrong. */
bool paxos_lost(const struct paxos *p);
/* Having no state, it holds as much as it keeps of what it cannot apply: it accepts nothing
 * that is new until it has the state of another. */
bool paxos_crowded(const struct paxos *p);
/* Of a leader: no accept quorum is without a full disk. */
bool paxos_short_of_space(const struct paxos *p);
/* Of a leader: its own disk has been full for a while, and another should lead. */
bool paxos_should_yield(const struct paxos *p);
/* It does. */
void paxos_yields(struct paxos *p);
/* The first slot whose state would be of use to it. */
uint64_t paxos_needs(const struct paxos *p);
bool paxos_can_install(const struct paxos *p, uint64_t slot);
/* What was applied turned out to be wrong: lead no longer, and apply nothing, until
 * the state of another is installed. What was promised and accepted is sound. */
void paxos_lose_state(struct paxos *p, struct paxos_effects *out);
/* Walks the invariants; NULL, or a constant that names the broken one. */
const char *paxos_check(const struct paxos *p);

#endif
