/* checkpoint_internal.h - what checkpoint.c and checkpoint_reader.c share. */
#ifndef COORD_STORAGE_CHECKPOINT_INTERNAL_H
#define COORD_STORAGE_CHECKPOINT_INTERNAL_H

#include "coordd/storage/checkpoint.h"
#include "coordd/storage/internal.h"

struct checkpoint {
    struct database database;
    sqlite3_stmt *put, *remove, *clear, *put_about; /* owned */
    struct store_identity identity;
    char path[STORE_PATH_BYTES];
    const char *vfs; /* borrowed for ever; NULL: the kind's */
    uint64_t slot;
    struct buffer about;
    bool writing;            /* between begin and commit */
    uint32_t readers;        /* open ones */
    struct reserve *reserve; /* borrowed; NULL: none */
    bool borrows;            /* a part of it, until it is written or lost */
    bool hungry;             /* the last one found no space */
    bool owes_space;         /* what is free in it was not all given back to the full disk */
};

extern const struct database_kind state_database;

/* The one row that says which checkpoint this is. STORE_CORRUPT if it is not sound,
 * STORE_MISMATCH if it is somebody else's; *about is only changed by STORE_OK. */
enum store_result about_load(struct checkpoint *c, sqlite3 *db, uint64_t *ret_slot,
                             struct buffer *about);

/* checkpoint_space.c */
/* On a full disk a checkpoint gets its part of the reserve before it needs it, and has it
 * to its end: what finds no space is lost. */
void checkpoint_borrow(struct checkpoint *c);
void checkpoint_give_back(struct checkpoint *c);
/* Tells the reserve how long the -wal is. */
void checkpoint_note_wal(struct checkpoint *c);
/* Where space is short the database gets all that it will need before the commit: a -wal
 * that is committed and cannot be moved would keep what it takes for ever. *ret_before
 * becomes the length to which the file is to be cut if nothing is committed; else it stays. */
int checkpoint_make_room(struct checkpoint *c, sqlite3_int64 *ret_before);
/* Nothing was committed: what was made for it would be in the way of the next. */
enum store_result checkpoint_cut_back(struct checkpoint *c, sqlite3_int64 before);

#define RECORDS_IN_ORDER "SELECT key, value, checksum FROM record ORDER BY key"
sqlite3_int64 record_checksum(struct slice key, struct slice value);
/* Of the row a statement of RECORDS_IN_ORDER stands on; the slices are its own. */
enum store_result record_take(struct checkpoint *c, sqlite3_stmt *row, struct slice *ret_key,
                              struct slice *ret_value);

#endif
