/* core.h - what the files of this folder share; not for others. */
#ifndef COORD_PAXOS_CORE_H
#define COORD_PAXOS_CORE_H

#include "coordd/paxos/acceptor.h"
#include "coordd/paxos/leader.h"
#include "coordd/paxos/paxos.h"
#include "coordd/paxos/proposer.h"
#include "libcoord/base/prng.h"
#include "libcoord/base/units.h"

/* Times that are not the lease's. Each is a bound on how long one waits for
 * others before trying something else; none is needed for safety. */
enum {
    PROBE_WINDOW_MS = 30,       /* for the answers to a Probe */
    PATIENCE_DOUBLINGS_MAX = 4, /* of PROBE_WINDOW_MS and ATTEMPT_MS */
    STAGGER_MS = 12,            /* so that those who may stand do not all stand at once */
    STAGGER_ROUND_TRIPS = 4,    /* or so many times what the answers took, if that is longer */
    PREPARE_RESEND_MS = 20,     /* to those that have not promised */
    ATTEMPT_MS = 400,           /* for phase 1, or between two steps forward in it */
    PROMISE_PAUSE_MS = 120,     /* having promised, how long to leave the field to the other */
    BACKOFF_MIN_MS = 15,        /* after an attempt that came to nothing */
    BACKOFF_MAX_MS = 90,
    FULL_RETRY_MS = 500, /* between attempts to write when there was no space */
    LOW_STAND_MS = 100,  /* with a full disk one leaves the field to others so long */
    LOW_YIELD_MS = 5000, /* and leads so long at least, its disk being full all the time */
    LOW_YIELD_AGAIN_MS = 60 * 1000,  /* between two times */
    LOG_KEEP_ENTRIES_DEFAULT = 1024, /* applied entries kept in memory for those who lag */
    LOG_KEEP_BYTES = 4 * 1024 * 1024,
    /* Without a state nothing can be applied, or cut: so much is taken all the same, in
     * memory and on disk (docs/protocol.md). From a half on it says that it is short of space. */
    LOG_UNAPPLIED_ENTRIES_DEFAULT = 100 * 1000,
    LOG_UNAPPLIED_BYTES_MAX = 64 * 1024 * 1024,
    READ_BYTES_MAX = 1024 * 1024, /* of one read from the storage */
};

struct election {
    int64_t happy_until_ns; /* heard a leader that hears a quorum and gets on */
    int64_t pause_until_ns; /* leave the field to others until then */
    bool yielding;          /* ... because another was promised: answer Probes as happy */
    bool probing;
    uint64_t number; /* of the Probe under way */
    uint32_t answered_mask, happy_mask;
    uint64_t highest_ballot; /* that anybody reported */
    int64_t probe_until_ns;
    int64_t asked_ns, answered_ns; /* the Probe under way, and its last answer */
    int64_t stand_at_ns;           /* not before */
    bool spread;                   /* stand_at_ns bears in mind what the answers took */
    uint32_t patience;             /* attempts since the last that found a quorum, bounded */
};

struct paxos {
    struct paxos_config config;
    struct membership membership;
    struct acceptor acceptor;
    struct proposer proposer;
    struct leader leader;
    struct election election;
    struct prng prng;
    enum paxos_role role;
    uint32_t leader_id; /* whom it follows or is; 0: unknown */
    bool lost;          /* the state up to the floor: nothing can be applied behind it */
    bool crowded_told;  /* since then: it was noted that nothing new is taken */
    bool silent_told;   /* ... and that there was a candidate that it does not promise */
    /* What it accepted up to this slot cannot be read any more. Until it has the state
     * behind it, or a later one, it has no vote: for its vote was counted for values
     * that it cannot report (Alagappan et al. 2018, protocol-aware recovery). */
    uint64_t mute_through;
    uint64_t floor_owed;  /* the checkpoint ahead of the floor, behind which the log begins; 0 */
    uint64_t behind;      /* a peer's log begins behind this slot, which is not chosen here */
    uint32_t behind_from; /* its member id */
    uint64_t applied;     /* taken by paxos_next_chosen */
    uint64_t round;       /* highest of the leader's, to be given back */
    bool round_healthy;   /* whether that round may be granted */
    uint32_t round_lease_ms;
    uint32_t up_mask; /* links */
    int64_t now_ns;   /* of the step under way */
    int64_t full_retry_ns;
    bool low;           /* the storage lives on what it kept back */
    int64_t low_ns;     /* since when */
    int64_t yielded_ns; /* when it last gave leadership away for that, LEADER_LONG_AGO_NS: never */
    bool accepted_owed; /* an Accepted is due once what was taken is durable */
    int64_t disk_ns;    /* when the storage last spoke, or owed nothing */
    bool promise_owed;  /* a Promise of `promised` is due once it is durable */
    bool stopped;       /* it was told to stop: it stands no more */
    uint64_t fetch_tokens[PAXOS_MEMBERS_MAX]; /* reads from the storage under way for others */
    uint64_t last_token;
};

/* paxos.c */
void become_follower(struct paxos *p, struct paxos_effects *out);
/* learner.c */
bool learner_is_mute(const struct paxos *p); /* has no vote: see mute_through */
bool learner_is_half_crowded(const struct paxos *p);
void learner_advance(struct paxos *p, uint64_t chosen);
void learner_trim(struct paxos *p);
void learner_tell_cut(struct paxos *p, uint32_t to, uint64_t slot, struct paxos_effects *out);
const char *learner_install(struct paxos *p, uint64_t slot, struct slice membership,
                            struct paxos_effects *out);
void learner_on_fetch(struct paxos *p, uint32_t from, const struct message *m,
                      struct paxos_effects *out);
bool learner_on_read(struct paxos *p, const struct paxos_event *e, struct paxos_effects *out);
void learner_on_fetched(struct paxos *p, uint32_t from, const struct message *m,
                        struct paxos_effects *out);
/* election.c */
void election_tick(struct paxos *p, struct paxos_effects *out);
void election_back_off(struct paxos *p);
void election_on_probe(struct paxos *p, uint32_t from, const struct message *m,
                       struct paxos_effects *out);
void election_on_probed(struct paxos *p, uint32_t from, const struct message *m,
                        struct paxos_effects *out);
int64_t election_patience_ns(const struct paxos *p, int64_t ms);
void election_lose_patience(struct paxos *p);
int64_t election_wake_at(const struct paxos *p);
bool election_happy(const struct paxos *p);
bool election_can_stand(const struct paxos *p);
/* proposer.c */
void proposer_stand(struct paxos *p, struct paxos_effects *out);
void proposer_tick(struct paxos *p, struct paxos_effects *out);
void proposer_on_persisted(struct paxos *p, struct paxos_effects *out);
void proposer_on_promise(struct paxos *p, uint32_t from, const struct message *m,
                         struct paxos_effects *out);
void proposer_on_learned(struct paxos *p, struct paxos_effects *out);
/* follower.c */
void follower_on_prepare(struct paxos *p, uint32_t from, const struct message *m,
                         struct paxos_effects *out);
void follower_on_accept(struct paxos *p, uint32_t from, const struct message *m,
                        struct paxos_effects *out);
void follower_on_persisted(struct paxos *p, uint64_t held_before, struct paxos_effects *out);
void follower_on_relinquish(struct paxos *p, uint32_t from, const struct message *m,
                            struct paxos_effects *out);
void follower_refuse(struct paxos *p, uint32_t to, bool lease, struct paxos_effects *out);
/* leader.c */
void leader_begin(struct paxos *p, struct paxos_effects *out);
void leader_tick(struct paxos *p, struct paxos_effects *out);
void leader_on_accepted(struct paxos *p, uint32_t from, const struct message *m,
                        struct paxos_effects *out);
void leader_on_link(struct paxos *p, uint32_t from, bool up, struct paxos_effects *out);
bool leader_on_read(struct paxos *p, const struct paxos_event *e, struct paxos_effects *out);
void leader_on_persisted(struct paxos *p, struct paxos_effects *out);
void leader_propose(struct paxos *p, uint32_t kind, struct blob *value, struct paxos_effects *out);
void leader_flush(struct paxos *p, struct paxos_effects *out);
void leader_on_applied(struct paxos *p, const struct log_entry *entry, struct paxos_effects *out);
void leader_begin_round(struct paxos *p);
int64_t leader_wake_at(const struct paxos *p);
/* space.c */
void space_on_event(struct paxos *p, bool low);
uint32_t leader_heir(const struct paxos *p);

#endif
