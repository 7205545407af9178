/* internal.h - what the files of coordd/storage share; nobody else includes it.
 *
 * Invariants of an open store:
 * - The directory's lock is held, SQLite has one connection, in exclusive
 *   locking mode (so the index of the -wal lives in memory, no -shm file).
 * - The log holds slots 1 to last_slot without a gap.
 * - Behind the last commit there is no frame of the current generation in the
 *   -wal: what an unfinished transaction left is wiped before the next one
 *   begins (wal_scan.h says why).
 * - What is in the struct is committed; a transaction's changes are taken over
 *   once COMMIT said so.
 * - After STORE_FAILED every further call fails too: a disk whose sync failed
 *   once may say "done" the next time without having written anything. */
#ifndef COORD_STORAGE_INTERNAL_H
#define COORD_STORAGE_INTERNAL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "coordd/storage/store.h"
#include "coordd/storage/wal_scan.h"

#define STORE_FILE     "log.db"
#define STORE_FILE_NEW "log.db.new" /* until it is whole: then it is renamed */

enum {
    STORE_PAGE_BYTES = 4096,
    STORE_APPLICATION_ID = 0x436f7264, /* "Cord" */
    STORE_VERSION = 1,                 /* user_version; a later one is not touched */
    STORE_CACHE_KIB = 1024,            /* SQLite's page cache; more is spilled to the -wal */
    STORE_WHY_BYTES = 256,
    STORE_WAL_BYTES = 8 * 1024 * 1024, /* default of wal_bytes */
    /* Defaults of checkpoint_frames: from 400 to 1240 frames, 1.6 to 5 MiB. */
    STORE_CHECKPOINT_FRAMES = 400,
    STORE_CHECKPOINT_STEP = 120,
    STORE_CHECKPOINT_STEPS = 8,
    /* 64 MiB: if nobody called store_maintain until here, store_commit does. */
    STORE_WAL_FRAMES_MAX = 16384,
    STORE_VALUE_BYTES_MAX = 256 * 1024 * 1024,
    STORE_DIRECTORY_BYTES_MAX = 3800, /* with a file's name it stays below PATH_MAX */
};

/* Rows of the table `number`. */
enum store_number {
    STORE_NUMBER_PROMISED = 1,
    STORE_NUMBER_LEASE_MS = 2,
    STORE_NUMBER_USED = 3,
    STORE_NUMBER_THROUGH = 4, /* the log reaches at least to here */
};

struct store {
    sqlite3 *db; /* owned, like the statements */
    sqlite3_stmt *begin, *commit, *rollback;
    sqlite3_stmt *put_entry, *put_number, *read;
    int lock; /* file descriptor */
    struct store_identity identity;
    uint64_t promised;
    uint64_t lease_ms;
    uint64_t used;
    uint64_t through;
    uint64_t last_slot;  /* 0: the log is empty */
    uint32_t wal_frames; /* of the -wal's present generation, to the last commit */
    bool moved;          /* all of them are in the database: the next commit begins anew */
    uint8_t moved_salts[WAL_SALT_BYTES]; /* of the generation that was moved */
    uint32_t checkpoint_frames;
    bool failed;
    char why[STORE_WHY_BYTES];
};

/* A file of the database, opened through the VFS beside SQLite and only while
 * SQLite does not have it open. */
struct raw_file {
    sqlite3_file *file; /* owned; NULL: there is no such file */
    uint64_t size_bytes;
    sqlite3_filename name; /* owned */
};

/* ---- directory.c ---- */

__attribute__((format(printf, 3, 4))) void store_say(char *why, size_t why_bytes,
                                                     const char *format, ...);
/* Parents too, each durably in its own parent. */
enum store_result directory_make(const char *directory, char *why, size_t why_bytes);
enum store_result directory_sync(const char *directory, char *why, size_t why_bytes);
/* Until the descriptor is closed, or the process ends in whatever way. */
enum store_result directory_lock(const char *directory, int *ret, char *why, size_t why_bytes);
/* directory/name; the buffer has STORE_PATH_BYTES. */
enum { STORE_PATH_BYTES = STORE_DIRECTORY_BYTES_MAX + 64 };
enum store_result directory_path(const char *directory, const char *name, char *ret, char *why,
                                 size_t why_bytes);
bool directory_has(const char *path);

/* ---- raw_file.c: SQLite result codes ---- */

int raw_open(const char *vfs, const char *database, bool wal, struct raw_file *ret);
void raw_close(struct raw_file *raw);
/* Zeros over a range that may lie behind the end; SQLITE_FULL if there is no room. */
int raw_zero(sqlite3_file *file, uint64_t from, uint64_t to);

/* ---- schema.c ---- */

/* Judges the first page without SQLite, so that nothing of a database that is
 * not ours is ever touched. */
enum store_result schema_check_header(sqlite3_file *file, const char *path, char *why,
                                      size_t why_bytes);
/* Everything that a fresh file holds, in one transaction. */
int schema_create(sqlite3 *db, const struct store_identity *identity);
/* Fills identity, numbers and last_slot; checks them. */
enum store_result schema_load(struct store *s);
/* What a row of `number` carries beside its value. */
sqlite3_int64 schema_number_checksum(uint32_t name, uint64_t value);

/* ---- log.c ---- */

/* Judges an SQLite result: remembers a text, and that the store failed. */
enum store_result log_judge(struct store *s, int rc, const char *doing);
int log_prepare(struct store *s);
/* Moves the -wal into the database and begins a new generation of it. */
enum store_result log_checkpoint(struct store *s);

#endif
