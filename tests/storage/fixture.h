/* fixture.h - a directory of its own for each test, and short ways to fill it. */
#ifndef COORD_TESTS_STORAGE_FIXTURE_H
#define COORD_TESTS_STORAGE_FIXTURE_H

#include "coordd/storage/store.h"

enum { FIXTURE_PATH_BYTES = 128, FIXTURE_WHY_BYTES = 256 };

struct fixture {
    char directory[FIXTURE_PATH_BYTES];
    char why[FIXTURE_WHY_BYTES]; /* of the last init or open */
    struct store_options options;
};

/* A fresh, empty directory, and options with a small -wal. */
void fixture_make(struct fixture *f);
void fixture_remove(struct fixture *f); /* with all that is in it */

/* Member 2 of a cell of three. */
struct store_identity fixture_identity(void);
enum store_result fixture_initialise(struct fixture *f);
/* NULL if it did not open; the result is in *ret unless that is NULL. */
struct store *fixture_open(struct fixture *f, enum store_result *ret);
/* What it knows is durable; a failed assertion if it takes itself for another member. */
struct replica_durable fixture_durable(const struct store *s);
/* Initialised and open; a failed assertion if not. */
struct store *fixture_start(struct fixture *f);
/* Closes it and opens it anew; a failed assertion if it does not. */
struct store *fixture_reopen(struct fixture *f, struct store *s);

/* What fixture_commit stores in a slot: length and bytes follow from slot and salt. */
struct blob *fixture_value(uint64_t slot, uint32_t bytes);
/* One entry of that many bytes in one transaction. */
enum store_result fixture_commit(struct store *s, uint64_t slot, uint32_t bytes);
/* Commits slots first..last, 200 bytes each; a failed assertion if one fails. */
void fixture_fill(struct store *s, uint64_t first, uint64_t last);
/* The slots that store_read yields from `first` on, each compared with
 * fixture_value of its own length; *ret_last 0 if none. */
enum store_result fixture_read(struct store *s, uint64_t first, uint64_t *ret_last);

/* A file of the directory. */
void fixture_path(const struct fixture *f, const char *name, char ret[FIXTURE_PATH_BYTES]);
uint64_t fixture_size(const struct fixture *f, const char *name);
void fixture_read_bytes(const struct fixture *f, const char *name, uint64_t offset, void *to,
                        size_t length);
void fixture_write_bytes(const struct fixture *f, const char *name, uint64_t offset,
                         const void *from, size_t length);
/* While it is closed: a statement on a database of the directory, as a stranger would run it. */
void fixture_execute(const struct fixture *f, const char *name, const char *sql);
/* The number that it answers with; 0 if it has no row. */
uint64_t fixture_ask(const struct fixture *f, const char *name, const char *sql);
/* Leaves it without a -wal, which would give damaged pages back. */
void fixture_empty_wal(const struct fixture *f, const char *name);
void fixture_flip(const struct fixture *f, const char *name, uint64_t offset, unsigned bit);

#endif
