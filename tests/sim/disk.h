/* disk.h - one replica's disk: what is durable, and what was only handed over.
 *
 * Pure bookkeeping; server.c says when a write ends. It stands for the log thread
 * and SQLite of a real server:
 *
 *   hand over      a step's persist effects, or a read, joins the queue
 *   begin          all writes at the head of the queue become one transaction
 *   finish         it is durable
 *   refuse         no space: the transaction and every write behind it are gone
 *   crash          the process died: of the transaction under way a prefix of
 *                  its steps may be there, nothing else is
 *   power_cut      nothing of it is there, or it is torn
 *   rot            a durable row is no longer what was written: whoever reads it
 *                  finds its checksum wrong
 *
 * Invariant: steps become durable in the order of their sequence, each whole. */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include <stdbool.h>

#include "coordd/replica/effects.h"
#include "coordd/replica/replica.h"
#include "libcoord/base/prng.h"

struct disk_job {
    bool is_read;
    /* A write: everything that one step persists. */
    uint64_t first_sequence, last_sequence; /* one event may be several steps of the core */
    uint64_t promise;                       /* 0: none */
    uint32_t lease_ms;                      /* 0: none */
    uint64_t floor;                         /* 0: none */
    struct log_entry *entries;              /* owned, with the references */
    uint32_t entries_count;
    /* A read. */
    uint64_t token, first_slot, last_slot, bytes_max;
};

struct disk;
/* Called for each write BEFORE it changes what is durable. */
typedef void disk_writes(void *context, const struct disk *d, const struct disk_job *job);

struct disk {
    struct replica_durable durable;
    struct log_entry *rows; /* owned; rows[slot - 1]; value NULL: no such row */
    uint64_t rows_count, rows_capacity;
    uint64_t rotten;       /* the slot of a row that has rotted; 0: none */
    struct disk_job *jobs; /* owned; in order */
    uint32_t jobs_count, jobs_capacity;
    uint32_t committing; /* jobs at the head that are in the transaction under way */
    bool refusing;       /* a write was refused and the replica does not know yet */
    disk_writes *on_write;
    void *context; /* borrowed */
};

void disk_init(struct disk *d, disk_writes *on_write, void *context);
void disk_release(struct disk *d);

uint32_t disk_would_write(const struct effect *effects, uint32_t count); /* how many of them */
/* The persist effects of one step, all with one sequence; others are skipped.
 * False if there are none. Dropped at once while refusing. */
bool disk_hand_over(struct disk *d, const struct effect *effects, uint32_t count);
void disk_hand_over_read(struct disk *d, const struct effect *effect);

/* Start the next transaction: the number of steps in it, 0 if nothing waits or a
 * read is first. */
uint32_t disk_begin(struct disk *d);
/* Returns the sequence up to which all is durable now. */
uint64_t disk_finish(struct disk *d);
/* Returns the sequence of the first write that will never be. */
uint64_t disk_refuse(struct disk *d);
/* The replica took PERSIST_FULL: what it hands over now counts again. */
void disk_accept_again(struct disk *d);
/* The read at the head of the queue, or NULL. */
const struct disk_job *disk_read(const struct disk *d);
void disk_read_done(struct disk *d);

/* Returns how many steps of the transaction under way survived. */
uint32_t disk_crash(struct disk *d, struct prng *random);
/* With this chance in a million it is torn: part of it is there. */
uint32_t disk_power_cut(struct disk *d, struct prng *random, uint32_t torn_ppm);

/* Some row rots. Returns its slot; 0 if there is none, or one is rotten already. */
uint64_t disk_rot(struct disk *d, struct prng *random);
bool disk_reads_rot(const struct disk *d, uint64_t first, uint64_t last);
/* The log was damaged and is set aside: a new one, empty, knows how far it went. */
void disk_lose_log(struct disk *d);

/* The durable row of a slot, or NULL. */
const struct log_entry *disk_row(const struct disk *d, uint64_t slot);

#endif
