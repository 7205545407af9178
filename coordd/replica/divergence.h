/* divergence.h - whether all members have the same state, and what becomes of one
 * that has not.
 *
 * Now and then, while things happen, the leader puts a CompareStates into the log.
 * Behind that entry every member knows the hash of its state, which is kept up to date
 * anyway, and tells it the leader. The next CompareStates says what they told. Each
 * member that applies it sees the same list, and compares with it what it knows of
 * itself:
 *
 *   the majority of all members has another state  -> it is quarantined
 *   no majority can have the same any more         -> all stop
 *   else                                           -> nothing
 *
 * Who got its state from another says nothing before it has seen that a majority has the
 * same: until then it is that other one's opinion once more, and if that one was wrong, the
 * two of them could be a wrong majority. It judges itself like everybody.
 *
 * Programs whose states cannot be compared (STATE_ENCODING) are not: who has another
 * number than the leader is as one who says nothing, and judges nothing.
 *
 * Who says nothing does not differ. A quarantined member serves, leads and gives away
 * nothing of its state, but keeps its promise, its log and its vote, for those do not
 * rest on the state. It gets the state of one of the majority, and is well again.
 *
 * The entry in the log is all that makes this outlive the process: until the new state
 * is durable the saved one lies before that entry, which is applied again after a
 * start. */
#ifndef COORD_REPLICA_DIVERGENCE_H
#define COORD_REPLICA_DIVERGENCE_H

#include "coordd/paxos/message.h"
#include "coordd/replica/replica.h"

struct replica;

enum { DIVERGENCE_POINTS_MAX = 4 };

/* The state behind a CompareStates. */
struct divergence_point {
    uint64_t slot; /* 0: none */
    uint64_t hash[2];
    bool fresh; /* it may have changed since the point before */
};

struct divergence {
    struct divergence_point points[DIVERGENCE_POINTS_MAX]; /* the newest first */
    bool changed;       /* since the newest, something was applied */
    uint64_t compared;  /* the last slot behind which this state was the majority's */
    uint64_t installed; /* the state up to here is another's: what this one told of it is void */
    bool copied;        /* it is another's, and no majority was seen to have it since */
    /* telling the leader */
    int64_t tell_at_ns;
    uint32_t tells_left;
    /* the leader's: what was told of the newest point, by place in the configuration */
    uint32_t told_mask;
    uint64_t told[REPLICA_MEMBERS_MAX][2];
    int64_t due_ns;           /* of the next comparison */
    uint64_t proposed_ballot; /* in which one is under way, 0: none */
    /* what a comparison showed */
    bool quarantined;
    bool quarantine_due;   /* found, and nothing said or done about it yet */
    uint32_t trusted_mask; /* who had the majority's state, by place in the configuration */
    int64_t last_ns;       /* of the last quarantine; 0: none */
    const char *halt;      /* constant: why it is going to stop; NULL: it is not */
    int64_t halt_at_ns;    /* 0: not known yet */
    uint32_t others_mask;  /* whom to warn of, by place in the configuration */
    bool undecided;        /* states differ, and who is right is open */
    uint64_t replayed_at;  /* the slot behind which the replay gave another state, 0: none */
    uint64_t shown_at;     /* the slot that these are about */
};

void divergence_init(struct replica_config *config); /* puts defaults */
/* Behind each entry that is applied, also while the log is loaded. */
void divergence_applied(struct replica *r, const struct log_entry *entry);
void divergence_message(struct replica *r, uint32_t from, const struct message *m);
void divergence_tick(struct replica *r); /* a leader's, in each step */
void divergence_step(struct replica *r); /* everybody's */
int64_t divergence_wake_at(const struct replica *r);
/* The state is another's from now on. */
void divergence_installed(struct replica *r, uint64_t slot);
bool divergence_found(const struct replica *r); /* it is quarantined, or worse */
/* Whether its state is as good as any, as far as is known here. */
bool divergence_trusts(const struct replica *r, uint32_t member);

#endif
