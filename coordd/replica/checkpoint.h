/* checkpoint.h - when the state is saved, and how far; see checkpoint.c. */
#ifndef COORD_REPLICA_CHECKPOINT_H
#define COORD_REPLICA_CHECKPOINT_H

#include "coordd/replica/replica.h"

struct replica;
struct state;

enum { CHECKPOINT_PAST_MAX = 64 };

enum checkpoint_phase {
    CHECKPOINT_IDLE,
    CHECKPOINT_WRITING,
    CHECKPOINT_COMMITTING, /* all is handed over; the storage has not spoken */
    CHECKPOINT_TAKEN_OVER, /* a transfer from a peer is being written */
};

struct checkpointer {
    enum checkpoint_phase phase;
    uint64_t slot;        /* of the last durable one, 0: none */
    uint64_t slot_before; /* of the one before it */
    struct {
        uint64_t slot, bytes;    /* the bytes of values up to the next one */
    } past[CHECKPOINT_PAST_MAX]; /* those before it, a ring */
    uint64_t past_count;
    bool whole;                   /* the next one has to be */
    bool wanted;                  /* a peer needs a later one */
    uint64_t slots, bytes;        /* applied since the last one began, or took all */
    uint64_t bytes_under_way;     /* and before that, and not known to be durable */
    uint64_t room;                /* when it began */
    bool outgrown;                /* what is not saved might not find room */
    uint32_t puts;                /* handed over and not yet written */
    size_t at_first, handed_over; /* changes, of the one under way */
    int64_t retry_at_ns;
    int64_t low_at_ns; /* while the disk is full: of the next one */
};

/* What a checkpoint says of itself. */
struct checkpoint_about {
    uint64_t slot;
    uint32_t encoding; /* STATE_ENCODING of who made the hash; 0: it did not say */
    uint64_t hash[2];
    struct slice membership; /* borrowed */
};

/* Puts defaults into the configuration. */
void checkpoint_init(struct checkpointer *c, struct replica_config *config);
void checkpoint_put_about(const struct replica *r, struct buffer *about);
bool checkpoint_read_about(struct slice bytes, struct checkpoint_about *ret);
/* Whether this state has the hash that the checkpoint says, as far as that can be compared. */
bool checkpoint_is_of(const struct replica *r, const struct checkpoint_about *about,
                      const struct state *state);
/* The state is now what this durable checkpoint holds. */
void checkpoint_loaded(struct replica *r, const struct checkpoint_about *about);
void checkpoint_applied(struct replica *r, const struct log_entry *entry);
void checkpoint_step(struct replica *r); /* at the end of each */
int64_t checkpoint_wake_at(const struct replica *r);
/* Somebody needs one of this slot or later: make one, unless there is. */
void checkpoint_want(struct replica *r, uint64_t slot);
void checkpoint_taken(struct replica *r);
void checkpoint_saved(struct replica *r, uint64_t slot);
void checkpoint_lost(struct replica *r);
/* What the storage says of the disk. */
void checkpoint_space(struct replica *r, bool low, uint64_t room);
/* What was handed over so far does not count; the next one is whole. */
void checkpoint_forget(struct replica *r);

#endif
