/* checkpoint.h - the applied state on disk: records, the slot behind which they
 * are the state, and what the replica wants kept beside them. An SQLite database
 * of its own in the member's directory (docs/storage-format.md).
 *
 * A checkpoint is one transaction, from checkpoint_begin to checkpoint_commit:
 * what is there is always the whole state behind one slot. A reader sees the one
 * that was there when it was opened, however many are made meanwhile.
 *
 * Every call blocks on the disk. A checkpoint and its readers are used by one
 * thread at a time, under the lock of the directory's store, which is open.
 *
 * May include: coordd/replica (the contract's structs), libcoord/base, SQLite. */
#ifndef COORD_STORAGE_CHECKPOINT_H
#define COORD_STORAGE_CHECKPOINT_H

#include "coordd/storage/store.h"
#include "libcoord/base/bytes.h"

struct checkpoint;

/* Makes the file, without a checkpoint, if there is none: *ret_made tells, unless
 * it is NULL. STORE_CORRUPT and STORE_MISMATCH (another cell's, member's or
 * incarnation's): checkpoint_set_aside, and it can be opened anew. */
MUST_USE enum store_result checkpoint_open(const char *directory,
                                           const struct store_identity *identity,
                                           const struct store_options *options,
                                           struct checkpoint **ret, bool *ret_made, char *why,
                                           size_t why_bytes);
/* What is kept back for a full disk, for a part of it to be used; outlives the checkpoint. */
struct reserve;
void checkpoint_use_reserve(struct checkpoint *c, struct reserve *reserve);
void checkpoint_close(struct checkpoint *c); /* accepts NULL; readers are closed already */

/* Gives damaged files another name (CHECKPOINT_DAMAGED, in place of older ones),
 * so that a person can look at them. Nobody has them open. */
#define CHECKPOINT_DAMAGED "state.db.damaged"
MUST_USE enum store_result checkpoint_set_aside(const char *directory, char *why, size_t why_bytes);

/* What the last call that did not return STORE_OK has to say. Borrowed until the
 * next call. */
const char *checkpoint_why(const struct checkpoint *c);

/* 0: there is no checkpoint yet. */
uint64_t checkpoint_slot(const struct checkpoint *c);
struct slice checkpoint_about(const struct checkpoint *c); /* borrowed until the next commit */

/* All records in the order of their keys, until `take` returns false. The slices
 * are borrowed for the call. Each record's checksum is compared. */
typedef bool checkpoint_take_record(void *context, struct slice key, struct slice value);
MUST_USE enum store_result checkpoint_load(struct checkpoint *c, checkpoint_take_record *take,
                                           void *context);

/* After STORE_FULL, in any of these, nothing of the transaction is left; the next
 * call is checkpoint_begin. */
MUST_USE enum store_result checkpoint_begin(struct checkpoint *c, bool whole);
/* Records to put and to remove (coordd/replica/chunk.h). */
MUST_USE enum store_result checkpoint_put(struct checkpoint *c, struct slice chunk);
MUST_USE enum store_result checkpoint_commit(struct checkpoint *c, uint64_t slot,
                                             struct slice about);
MUST_USE enum store_result checkpoint_abort(struct checkpoint *c);

/* To be called after a commit, and once a reader is closed: moves the -wal into
 * the database, as far as readers allow. STORE_FULL leaves everything as it was. */
MUST_USE enum store_result checkpoint_maintain(struct checkpoint *c);
/* There was more to give back to a full disk than was done at once: it is to be called
 * again. */
bool checkpoint_owes_space(const struct checkpoint *c);

/* ---- readers ---- */

struct checkpoint_reader;

MUST_USE enum store_result checkpoint_reader_open(struct checkpoint *c,
                                                  struct checkpoint_reader **ret);
void checkpoint_reader_close(struct checkpoint_reader *r); /* accepts NULL */
uint64_t checkpoint_reader_slot(const struct checkpoint_reader *r);
struct slice checkpoint_reader_about(const struct checkpoint_reader *r);
/* Puts the next records behind what *chunk holds, up to and with the one that makes
 * them reach bytes_max. *ret_last: there are no more; from then on the reader holds
 * up nothing, and further calls yield nothing. What failed, checkpoint_why tells. */
MUST_USE enum store_result checkpoint_reader_next(struct checkpoint_reader *r, uint64_t bytes_max,
                                                  struct buffer *chunk, bool *ret_last);

#endif
