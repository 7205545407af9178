/* state_fixture.h - checkpoints whose whole content follows from their number.
 *
 * Checkpoint n is that of slot 10 * n. From one to the next some records change,
 * some go, some come; so what a directory holds tells whether it is one of them,
 * and which. */
#ifndef COORD_TESTS_STORAGE_STATE_FIXTURE_H
#define COORD_TESTS_STORAGE_STATE_FIXTURE_H

#include "coordd/storage/checkpoint.h"
#include "tests/storage/fixture.h"

enum { STATE_RECORDS_MAX = 400 };

/* In the fixture's directory, which needs no log.db for this. NULL if it did not
 * open; the result is in *ret unless that is NULL. */
struct checkpoint *state_open(struct fixture *f, enum store_result *ret);

/* begin, puts, commit: the changes from n - 1 to n, or all that n holds. */
enum store_result state_write(struct checkpoint *c, uint32_t n, bool whole);
/* Without the commit. */
enum store_result state_put(struct checkpoint *c, uint32_t n, bool whole);
enum store_result state_commit(struct checkpoint *c, uint32_t n);

/* Without the commit, too: records that go with no checkpoint, more of them than
 * SQLite keeps in memory, and each written twice. So they reach the -wal before the
 * commit, and are changed there. */
enum store_result state_put_much(struct checkpoint *c);

/* Loads all, and compares it with the checkpoint that checkpoint_slot names. A wrong
 * record is a failed assertion. That one is missing the replica finds by the state's
 * hash, which it keeps in `about`: STORE_CORRUPT, as if it had. */
enum store_result state_check(struct checkpoint *c);
/* The same, but a wrong record is for the hash to find, too: an older one, on a page that
 * a damaged one leads to, is sound. *ret_wrong tells. */
enum store_result state_check_hash(struct checkpoint *c, bool *ret_wrong);
/* The number of the checkpoint that is there; a failed assertion if what is there
 * is not exactly that one. */
uint32_t state_number(struct checkpoint *c);
/* What is left of a reader, in pieces of that size, compared with checkpoint n. */
void state_check_reader(struct checkpoint_reader *r, uint32_t n, uint64_t bytes_max);

#endif
