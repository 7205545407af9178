/* ledger.h - what the records add up to, and which have changed.
 *
 * The state's hash is, in two lanes of 64 bits, the sum of the hashes of all
 * records: a change costs the records it touches, whatever the size of the
 * state, and the order of changes does not matter. While a batch is applied
 * objects are only marked; ledger_settle encodes and hashes each of them once,
 * however often the batch changed it.
 *
 * Separately the ledger knows what a checkpoint has to write: records changed,
 * and keys removed, since ledger_clean. A record that came and went between two
 * checkpoints leaves nothing behind, so without checkpoints nothing piles up.
 *
 * Invariants, between batches: no record is touched; each living object's record
 * is counted with the hash of its present encoding; `removed` and `gone` hold all
 * the keys that the last checkpoint has and the state has not, and but for what a
 * checkpoint that was lost has left behind no others. */
#ifndef COORD_STATE_LEDGER_H
#define COORD_STATE_LEDGER_H

#include "coordd/state/record.h"
#include "libcoord/base/avl.h"

struct ledger_list {
    struct record **list; /* owned; the records are borrowed */
    uint32_t count, capacity;
};

struct ledger_removed {
    struct avl_node by_key;
    struct slice key; /* owned */
};

struct ledger {
    uint64_t hash[2];
    struct ledger_list touched;
    /* Dirty. Fleeting are answers, sessions and the counters: with each command of a
       session they change, or come and go. */
    struct ledger_list lasting, fleeting;
    uint32_t hand;      /* where the next piece begins, among the one or the other */
    struct avl removed; /* of struct ledger_removed, by key */
    /* Keys that nothing will have again, behind each other; the first are taken already. */
    struct buffer gone;
    size_t gone_taken;  /* bytes */
    size_t gone_count;  /* those that are left */
    size_t gone_handed; /* those that are taken, and may have to be taken again */
    /* What was handed over to the checkpoint under way and did not change again, and keys
       that were handed over as removed and are not there again: kept until it is known
       whether it was saved. */
    bool keeps;
    struct ledger_list handed;
    struct avl handed_removed; /* of struct ledger_removed, by key */
    struct buffer scratch;     /* for encodings */
};

void ledger_init(struct ledger *l);
void ledger_release(struct ledger *l);

/* The object is new, or has changed, or is about to, within this batch. */
void ledger_touch(struct ledger *l, struct record *r);
/* The object is about to go. Must come while its key can still be told. */
void ledger_remove(struct state *s, struct record *r);
/* Bring the hash up to date. */
void ledger_settle(struct state *s);
/* The object was made from a record of a checkpoint, with this encoding. */
void ledger_loaded(struct ledger *l, struct record *r, struct slice key, struct slice value);

/* A checkpoint has all there is. */
void ledger_clean(struct ledger *l);
typedef void ledger_take(void *context, struct slice key, struct slice value);
/* What changed since, in key order; removed keys have a value of NULL. */
void ledger_changes(const struct state *s, ledger_take *take, void *context);

size_t ledger_changes_count(const struct ledger *l);
/* Some of them, until their bytes reach `bytes`; they are clean then. */
void ledger_take_changes(struct state *s, size_t bytes, ledger_take *take, void *context);
/* A checkpoint begins; `keeps`: what it takes can be had again if it is lost. */
void ledger_begin(struct ledger *l, bool keeps);
void ledger_saved(struct ledger *l);
/* All that was taken counts as changed again. False: it was not kept. */
bool ledger_lost(struct ledger *l);
/* Keys that went for ever, and were not taken yet: slices behind each other. */
struct slice ledger_gone_left(const struct ledger *l);
/* The checkpoint is gone: of the record nothing is stored. */
void ledger_unclean(struct ledger *l, struct record *r);
void ledger_forget_removed(struct ledger *l);

/* Adds the record's hash, lane by lane. */
void ledger_hash(uint64_t sum[2], struct slice key, struct slice value);

#endif
