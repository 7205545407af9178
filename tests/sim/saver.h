/* saver.h - one replica's checkpoints: the durable one, the one being written, and
 * those that somebody still reads.
 *
 * Pure bookkeeping; server_saver.c says when a job ends. It stands for the
 * checkpoint's thread and its database: jobs are done in order, a checkpoint is
 * there once its COMMIT is done, and whatever was not committed is gone when the
 * process dies. */
#ifndef TESTS_SIM_SAVER_H
#define TESTS_SIM_SAVER_H

#include <stdbool.h>

#include "coordd/replica/effects.h"
#include "libcoord/base/avl.h"
#include "libcoord/base/prng.h"

/* A set of records; what somebody reads is not changed any more. */
struct image {
    uint32_t references;
    uint64_t slot;
    struct blob *about; /* owned reference */
    struct avl records; /* of struct image_record, by key */
    uint32_t records_count;
    uint32_t rotten; /* records that are no longer what was written */
};

struct image_record {
    struct avl_node by_key;
    struct slice key, value; /* owned */
    bool rotten;
};

struct saver_job {
    enum effect_kind kind;
    bool whole;
    uint64_t slot, token, bytes_max;
    struct blob *bytes; /* owned reference or NULL */
};

struct saver_reader {
    uint64_t token; /* 0: free */
    struct image *image;
    struct buffer after; /* the key read last; empty: none */
};

struct saver {
    struct image *durable; /* a reference, or NULL */
    bool open, whole;      /* a checkpoint is under way */
    struct blob **chunks;  /* owned, with the references: what it has put so far */
    uint32_t chunks_count, chunks_capacity;
    struct saver_job *jobs; /* owned; in order */
    uint32_t jobs_count, jobs_capacity;
    struct saver_reader readers[CHECKPOINT_READERS_MAX];
    bool refusing; /* there was no space and the replica does not know yet */
};

/* What is to be told once a job is done. */
struct saver_said {
    enum replica_event_kind kind; /* TIME: nothing */
    uint64_t slot, token;
    struct blob *bytes, *about; /* references, or NULL */
    bool last;
    bool rotten; /* the checksum of what was to be read is wrong: nothing is told */
};

void saver_release(struct saver *v);
/* True if it was for the saver. */
bool saver_hand_over(struct saver *v, const struct effect *e);
const struct saver_job *saver_first(const struct saver *v); /* NULL: nothing to do */
/* The first job is done. A read ends at chunk_bytes at the latest. */
struct saver_said saver_done(struct saver *v, uint32_t chunk_bytes);
/* No space: the checkpoint under way and all jobs for it are gone. */
void saver_refuse(struct saver *v);
void saver_accept_again(struct saver *v);
/* The process died while the first job was under way, if `busy`. */
void saver_crash(struct saver *v, bool busy, struct prng *random);
/* The database was lost, or found to be damaged and set aside. */
void saver_lose(struct saver *v);
/* Some record of the durable one rots: whoever reads it, or loads them all, sees that.
 * False if there is none, or one is rotten already. */
bool saver_rot(struct saver *v, struct prng *random);
bool saver_is_rotten(const struct saver *v);
uint64_t saver_slot(const struct saver *v); /* of the durable one, 0: none */

#endif
