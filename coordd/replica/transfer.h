/* transfer.h - state for a replica whose peers have cut the log that it lacks.
 *
 * The one that lacks it asks, chunk by chunk, and loads the records into a state
 * of its own beside the present one, while the same records go into a checkpoint
 * of its own, in one transaction. Only when all are there, their hash is what the
 * sender's state had, and the checkpoint is durable, the new state takes the place
 * of the old one. Whatever interrupts it leaves the old one as it was.
 *
 * The sender reads its last durable checkpoint, so it sends one state however
 * long that takes, and keeps its log from there on for as long as it is asked. */
#ifndef COORD_REPLICA_TRANSFER_H
#define COORD_REPLICA_TRANSFER_H

#include "coordd/paxos/message.h"
#include "coordd/replica/effects.h"

struct replica;
struct state;

enum transfer_phase {
    TRANSFER_NONE,
    TRANSFER_ASKING,
    TRANSFER_SAVING,  /* all is here and handed to the storage */
    TRANSFER_ARRIVED, /* ... and durable: to be installed as soon as possible */
};

/* What this replica gets. */
struct transfer_in {
    enum transfer_phase phase;
    uint32_t source; /* member id */
    uint64_t number; /* of this attempt */
    uint32_t next_chunk;
    uint32_t repeats; /* of the question for this chunk */
    bool owed;        /* the next question waits until the storage has room */
    uint64_t slot;
    struct state *state;  /* owned: being loaded */
    struct buffer about;  /* of the sender's checkpoint */
    int64_t ask_again_ns; /* or, while there is none, when to try the next member */
};

/* What it sends to one other. */
struct transfer_out {
    uint32_t peer; /* member id; 0: free */
    uint64_t number, token;
    uint32_t next_chunk;
    bool reading;
    bool done;         /* the last chunk was sent */
    uint64_t slot;     /* of the checkpoint; 0: not known yet */
    struct blob *last; /* the message sent last, to be sent again */
    int64_t until_ns;  /* not asked for that long: given up */
};

struct transfers {
    struct transfer_in in;
    struct transfer_out out[CHECKPOINT_READERS_MAX];
    uint64_t last_token;
};

void transfer_release(struct replica *r);
void transfer_message(struct replica *r, uint32_t from, const struct message *m);
void transfer_read(struct replica *r, const struct replica_event *e);
void transfer_room(struct replica *r); /* the storage has written some */
/* True if the checkpoint that is durable now is that of a transfer. */
bool transfer_saved(struct replica *r, uint64_t slot);
void transfer_lost(struct replica *r); /* no space */
void transfer_step(struct replica *r);
int64_t transfer_wake_at(const struct replica *r);
/* This member's state turned out to be wrong: nothing of it is sent any more, and what is
 * being got may be too old. */
void transfer_withdraw(struct replica *r);
/* The log must not be cut above this slot. */
uint64_t transfer_holds(const struct replica *r);

#endif
