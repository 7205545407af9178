/* replica.h - one replica of one cell: consensus, state machine, sessions'
 * timers and clients' streams behind one step.
 *
 * Pure: no clock, randomness, threads, I/O or logging. A process may hold any
 * number of them. The life of one:
 *
 *   replica_new                      configuration and what the directory says
 *   replica_load_entry, in order     every row of the log, slots rising
 *   replica_loaded                   the log is complete
 *   replica_step, for ever           first with REPLICA_EVENT_TIME
 *   replica_free                     at any time
 *
 * May include: coordd/paxos, coordd/state, proto, libcoord/base. */
#ifndef COORD_REPLICA_REPLICA_H
#define COORD_REPLICA_REPLICA_H

#include "coordd/replica/effects.h"
#include "coordd/replica/event.h"
#include "libcoord/base/err.h"

enum {
    REPLICA_MEMBERS_MAX = 16,
    REPLICA_ADDRESS_BYTES_MAX = 255,
    REPLICA_CELL_ID_BYTES = 16,
    REPLICA_CELL_NAME_BYTES_MAX = 63,
};

struct replica_member {
    uint32_t id;                                 /* 1 to 65535 */
    char address[REPLICA_ADDRESS_BYTES_MAX + 1]; /* host:port, as clients and peers dial it */
};

struct replica_config {
    uint8_t cell[REPLICA_CELL_ID_BYTES];
    char cell_name[REPLICA_CELL_NAME_BYTES_MAX + 1];
    uint32_t self;
    uint64_t incarnation; /* random at init, never 0 */
    struct replica_member members[REPLICA_MEMBERS_MAX];
    uint32_t members_count;
    uint32_t prepare_quorum; /* 0: majority */
    uint32_t accept_quorum;  /* 0: majority; the two must intersect */
    uint32_t lease_ms;       /* leader's lease, 0: REPLICA_LEASE_MS_DEFAULT */
    uint32_t heartbeat_ms;   /* 0: a seventh of the lease */
    uint32_t rate_ppm;       /* bound on the drift of any two clocks' rates; 0: default */
    /* Every read and KeepAlive waits for a round to a quorum that was sent after it came,
     * so that no answer rests on this clock. */
    bool distrusts_clocks;
    uint32_t log_keep_entries; /* applied entries kept in memory for those who lag; 0: default */
    /* Taken without a state to apply them to, at most; 0: default. */
    uint32_t log_unapplied_entries;
    /* A checkpoint begins when so many slots, or bytes of values, were applied since
       the last one; the log keeps so many slots behind it, or to the one before. 0: default. */
    uint32_t checkpoint_slots;
    uint64_t checkpoint_bytes;
    uint32_t log_keep_slots;
    uint32_t checkpoint_step_bytes; /* of changes handed over in one step; 0: default */
    uint32_t compare_ms;            /* between two comparisons of the states; 0: default */
    uint32_t state_encoding;        /* 0: STATE_ENCODING */
    uint64_t pid;                   /* for status answers */
    const char *version;            /* constant */
    uint64_t seed;                  /* of back-off, session secrets and session ids; from the OS */
};

/* What the directory holds besides the log. */
struct replica_durable {
    uint64_t promised;         /* also the highest ballot ever used */
    uint32_t longest_lease_ms; /* 0 only in a directory that was never used */
    uint64_t used;             /* non-zero if this directory ever served */
    uint64_t last_slot;        /* of the log; 0: it is empty */
    bool log_damaged;          /* its rows cannot be read, and none is loaded: no vote before the
                                  state of another reaches last_slot */
    uint64_t floor;            /* of EFFECT_PERSIST_FLOOR: the log begins behind it; 0: at slot 1 */
};

struct replica;

/* ERR_INVALID if the configuration is not sound; *ret_why is then a constant
 * that names the field. */
MUST_USE enum err replica_new(const struct replica_config *config,
                              const struct replica_durable *durable, struct replica **ret,
                              const char **ret_why);
void replica_free(struct replica *r);

/* First, if there is a checkpoint: begin, each record in the order of keys, end.
 * `about` is what its EFFECT_CHECKPOINT_COMMIT said. ERR_INVALID: it is damaged, or
 * not of this cell; the replica must then be made anew, and loaded without it. A
 * replica without a checkpoint at or above its log's floor has lost its state: it
 * keeps its promise and its log, applies and leads nothing, and is brought up by the
 * others. */
MUST_USE enum err replica_load_checkpoint(struct replica *r, uint64_t slot, struct slice about,
                                          const char **ret_why);
MUST_USE enum err replica_load_record(struct replica *r, struct slice key, struct slice value);
MUST_USE enum err replica_load_checkpoint_end(struct replica *r);
/* Then the log behind max(checkpoint, floor). ERR_INVALID if the entry does not join on to the one
 * before (the log has a gap). */
MUST_USE enum err replica_load_entry(struct replica *r, const struct log_entry *entry);
void replica_loaded(struct replica *r, int64_t now_ns);

/* One event. *out is cleared first. Cannot fail. */
void replica_step(struct replica *r, const struct replica_event *event, struct effects *out);

/* A view for the log file, tests and the simulator's invariants. */
struct replica_view {
    const char *role; /* leader, follower, candidate, waiting, quarantined */
    uint32_t leader;  /* 0: unknown */
    uint64_t ballot, promised;
    uint64_t chosen, applied, last_slot;
    uint64_t revision;
    uint64_t state_hash[2];
    uint64_t checkpoint, floor;
    bool lost;              /* its state: it waits for another's */
    bool quarantined;       /* ... for it is not what the majority has */
    bool crowded;           /* ... and takes nothing new until then */
    bool copied;            /* ... is another's, and says nothing when states are compared */
    uint64_t compared;      /* the last slot behind which it had the majority's state */
    bool serving;           /* leads, barrier applied */
    bool led;               /* serving, or follows a leader that has its quorum: whoever asks here
                               gets an answer, or the way to one */
    int64_t lease_until_ns; /* own lease as leader, 0 if none */
    uint64_t cell_open;     /* the founding entry is held by all */
    uint32_t awaited[REPLICA_MEMBERS_MAX]; /* ids that it waits for until then */
    uint32_t awaited_count;
};
void replica_view(const struct replica *r, int64_t now_ns, struct replica_view *ret);

struct state;
struct paxos;
/* Borrowed, for inspection only. */
const struct state *replica_state(const struct replica *r);
const struct paxos *replica_paxos(const struct replica *r);

#endif
