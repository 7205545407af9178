/* store.h - what a replica has on disk: its identity, its promise and its log,
 * in one SQLite database in write-ahead mode (docs/storage-format.md). The state
 * is in another: checkpoint.h.
 *
 * Every call blocks on the disk. A store is used by one thread at a time: main
 * opens and loads it, afterwards the log thread owns it.
 *
 * May include: coordd/replica (the contract's structs), libcoord/base, SQLite. */
#ifndef COORD_STORAGE_STORE_H
#define COORD_STORAGE_STORE_H

#include "coordd/replica/effects.h"
#include "coordd/replica/replica.h"

enum store_result {
    STORE_OK = 0,
    STORE_FULL,    /* no space: rolled back, nothing of this call is there; may be tried again */
    STORE_FAILED,  /* an error of the disk, or an outcome nobody knows: end the process */
    STORE_CORRUPT, /* what is there was not what was written; store_repair may help */
    STORE_FOREIGN, /* a database, but not one of ours, or of a later version */
    STORE_NOT_INITIALISED,
    STORE_EXISTS,   /* initialise: there is one already */
    STORE_LOCKED,   /* another process has the directory */
    STORE_MISMATCH, /* another cell's or another member's directory */
};
const char *store_result_text(enum store_result r);

/* Fixed at `coordd init`. */
struct store_identity {
    uint8_t cell[REPLICA_CELL_ID_BYTES];
    char cell_name[REPLICA_CELL_NAME_BYTES_MAX + 1];
    uint32_t self;
    uint64_t incarnation;
    struct replica_member members[REPLICA_MEMBERS_MAX];
    uint32_t members_count;
};

struct store_options {
    const char *vfs;            /* SQLite VFS by name, NULL for the default; tests use their own */
    bool synchronous_off;       /* ONLY for the test that shows what it costs */
    uint64_t reserve_bytes;     /* kept back for a full disk; 0: nothing; reserve.h has more */
    uint64_t wal_bytes;         /* the -wal file is made this large beforehand; 0: default */
    uint32_t checkpoint_frames; /* WAL frames after which store_maintain works; 0: default,
                                   which differs between members */
};

struct store;

/* Make the directory if need be, and an identity with a fresh log in it, durably.
 * `why` (at least 256 bytes) names what was wrong, for a person. */
MUST_USE enum store_result store_initialise(const char *directory,
                                            const struct store_identity *identity,
                                            const struct store_options *options, char *why,
                                            size_t why_bytes);

/* Lock the directory, judge the -wal (a bad frame followed by a later commit of
 * the same salt is corruption, not a torn tail), open, and check that the
 * database is ours. */
MUST_USE enum store_result store_open(const char *directory, const struct store_options *options,
                                      struct store **ret, char *why, size_t why_bytes);
void store_close(struct store *s); /* accepts NULL */

/* After STORE_CORRUPT, and store_close. If nothing but the log is damaged, gives log.db
 * the name STORE_LOG_DAMAGED, in place of an older one, and puts a new one in its place,
 * durably and at once: with the same identity, promise, lease and use, and without a
 * log; store_durable says log_damaged, until the floor is at or above last_slot.
 * STORE_CORRUPT: more is damaged, or may be; nothing was changed. */
#define STORE_LOG_DAMAGED "log.db.damaged"
MUST_USE enum store_result store_repair(const char *directory, const struct store_options *options,
                                        char *why, size_t why_bytes);

/* What the last call that did not return STORE_OK has to say, for a person; "" if
 * there was none. Borrowed until the next call. */
const char *store_why(const struct store *s);

const struct store_identity *store_identity(const struct store *s);
/* STORE_MISMATCH unless it is this member's directory of this cell. NULL, 0: any. */
MUST_USE enum store_result store_expect(struct store *s, const uint8_t *cell, uint32_t self);
void store_durable(const struct store *s, struct replica_durable *ret);
/* Note durably that the directory is in use: from now on a restart waits. */
MUST_USE enum store_result store_mark_used(struct store *s);

/* Rows with first <= slot <= last, in order, none at or below the floor, until `take` returns false
 * or an entry made the sum of values reach bytes_max (0: no bound). Each row's checksum is
 * compared; the value is a new blob for every call, dropped after `take` unless it took a
 * reference. STORE_CORRUPT also for a gap. None if the log is damaged. */
typedef bool store_take_entry(void *context, const struct log_entry *entry);
MUST_USE enum store_result store_read(struct store *s, uint64_t first, uint64_t last,
                                      uint64_t bytes_max, store_take_entry *take, void *context);

static inline bool store_persists(enum effect_kind kind)
{
    return kind == EFFECT_PERSIST_PROMISE || kind == EFFECT_PERSIST_ENTRY ||
           kind == EFFECT_PERSIST_LEASE || kind == EFFECT_PERSIST_FLOOR;
}

/* One transaction with all persist effects of the list (other kinds are
 * skipped), synced before it returns STORE_OK. STORE_FULL: and the reserve is used up. An entry's
 * slot is at most one behind the last; one at or below the floor is left out. */
MUST_USE enum store_result store_commit(struct store *s, const struct effect *effects,
                                        uint32_t count);

/* To be called when nothing waits: moves the WAL into the database when it has
 * grown enough, and then deletes a bounded piece of what lies below the floor.
 * STORE_FULL leaves everything as it was. */
MUST_USE enum store_result store_maintain(struct store *s);

/* For its checkpoint, and for whoever wants to know; NULL if nothing is kept back.
 * Borrowed until store_close. */
struct reserve;
struct reserve *store_reserve(const struct store *s);

#endif
