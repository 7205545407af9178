/* internal.h - what the files of coordd/storage share; nobody else includes it.
 *
 * Invariants of an open directory:
 * - Its lock is held. log.db has one connection, in exclusive locking mode;
 *   state.db one that writes, and its readers', in this process alone. The index
 *   of either -wal lives in memory: there is no -shm file.
 * - The log holds slots floor + 1 to last_slot without a gap. Rows at or below
 *   the floor are dead, whether they have been deleted yet or not.
 * - Behind the last commit there is no frame of the current generation in a
 *   -wal: what an unfinished transaction left is wiped before the next one
 *   begins (wal_scan.h says why).
 * - What is in the structs is committed; a transaction's changes are taken over
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

enum {
    STORE_APPLICATION_ID = 0x436f7264, /* "Cord" */
    STORE_VERSION = 1,
    STORE_PAGE_BYTES = 4096,
    STORE_WHY_BYTES = 256,
    STORE_DIRECTORY_BYTES_MAX = 3800,  /* with a file's name it stays below PATH_MAX */
    STORE_WAL_BYTES = 8 * 1024 * 1024, /* default of wal_bytes */
    /* Defaults of checkpoint_frames: from 400 to 1240 frames, 1.6 to 5 MiB. */
    STORE_CHECKPOINT_FRAMES = 400,
    STORE_CHECKPOINT_STEP = 120,
    STORE_CHECKPOINT_STEPS = 8,
    /* 64 MiB: if nobody called store_maintain until here, store_commit does. */
    STORE_WAL_FRAMES_MAX = 16384,
    STORE_VALUE_BYTES_MAX = 256 * 1024 * 1024,
    /* Of what lies below the floor, so much is deleted whenever the -wal is moved:
       it keeps up with what is written meanwhile, and takes milliseconds. */
    STORE_TRIM_SLOTS = 4096,
    STORE_TRIM_BYTES = 8 * 1024 * 1024,
};

/* ---- database.c, transaction.c: what both databases need ---- */

struct database_kind {
    const char *file;
    const char *vfs;      /* NULL: SQLite's default */
    const char *settings; /* PRAGMAs of its own, "" if none */
    uint32_t application_id;
    uint32_t version;   /* user_version; a later one is not touched */
    uint32_t cache_kib; /* SQLite's page cache; more is spilled to the -wal */
    uint64_t wal_bytes; /* the -wal is made so long beforehand, and stays so; 0: it
                           is cut when something was rolled back */
    bool gives_back;    /* free pages can be given back to the disk */
    bool has_readers;   /* connections that may hold up the moving of the -wal */
};

struct database {
    const struct database_kind *kind; /* constant */
    sqlite3 *db;                      /* owned, like the statements */
    sqlite3_stmt *begin, *commit, *rollback;
    uint32_t wal_frames;                 /* of the -wal's present generation, to the last commit */
    bool moved;                          /* all of them are in the database */
    uint8_t moved_salts[WAL_SALT_BYTES]; /* of the generation that was moved */
    bool failed;
    char why[STORE_WHY_BYTES];
};

/* Makes FILE with what `fill` puts in it, in a transaction of its own, under
 * another name first; then durably under its own. The directory is locked, and
 * holds no such file. */
typedef int database_fill(sqlite3 *db, const void *context);
enum store_result database_create(const struct database_kind *kind, const char *directory,
                                  const char *vfs, database_fill *fill, const void *context,
                                  char *why, size_t why_bytes);
/* Judges the files, then opens: the -wal is scanned and wiped where it is torn.
 * STORE_NOT_INITIALISED if there is no such file. After any result,
 * database_close. */
enum store_result database_open(struct database *d, const struct database_kind *kind,
                                const char *directory, const struct store_options *options);
/* The owner's statements are finalised already. */
void database_close(struct database *d);
/* To be called once all was loaded and found sound, before anyone is told of it. */
enum store_result database_settle(struct database *d);

int database_execute(sqlite3 *db, const char *sql);
/* The one row that a question yields; an SQLite code. */
typedef void database_row(sqlite3_stmt *row, void *context);
int database_ask(sqlite3 *db, const char *sql, database_row *take, void *context);
/* ... and the number in it; 0 if there is no row. */
int database_ask_number(sqlite3 *db, const char *sql, int64_t *ret);
/* Judges an SQLite result: remembers a text, and that the database failed. */
enum store_result database_judge(struct database *d, int rc, const char *doing);

struct database_statement {
    sqlite3_stmt **place;
    const char *sql;
};
int database_prepare(struct database *d, const struct database_statement *all, size_t count);
/* Runs a statement that yields no rows, and makes it ready again. */
int database_run(sqlite3_stmt *statement);

/* COMMIT if rc is SQLITE_OK, else ROLLBACK: STORE_FULL then says that nothing of
 * it is there. */
enum store_result database_finish(struct database *d, int rc, const char *doing);
enum store_result database_roll_back(struct database *d);
/* Moves the -wal into the database, as far as no reader needs it; the next
 * transaction begins a new generation of it, if all was moved. */
enum store_result database_move_wal(struct database *d);
/* The same, and the -wal is short then; but for what readers need. */
enum store_result database_drop_wal(struct database *d);

/* ---- store.c, log.c, schema.c: log.db ---- */

/* Rows of the table `number`. */
enum store_number {
    STORE_NUMBER_PROMISED = 1,
    STORE_NUMBER_LEASE_MS = 2,
    STORE_NUMBER_USED = 3,
    STORE_NUMBER_THROUGH = 4,    /* the log reaches at least to here */
    STORE_NUMBER_FLOOR = 5,      /* and begins behind this */
    STORE_NUMBER_UNREADABLE = 6, /* it was lost up to here; means nothing up to the floor */
};

struct store {
    struct database database;
    sqlite3_stmt *put_entry, *put_number, *read, *measure, *trim; /* owned */
    int lock;                                                     /* file descriptor */
    struct reserve *reserve;                                      /* owned; NULL: none */
    struct store_identity identity;
    uint64_t promised;
    uint64_t lease_ms;
    uint64_t used;
    uint64_t through;
    uint64_t floor;
    uint64_t unreadable; /* above the floor: the log is empty, and last_slot is this */
    uint64_t trimmed;    /* no row up to here is left; <= floor */
    uint64_t last_slot;  /* >= floor; equal: the log is empty */
    uint32_t checkpoint_frames;
};

extern const struct database_kind log_database;

/* Everything that a fresh log.db holds. */
int schema_create(sqlite3 *db, const void *identity);
/* The same, with the numbers of a log that was lost up to `unreadable`; the context is
 * a struct store. */
int schema_create_anew(sqlite3 *db, const void *store);
/* Fills identity and numbers; checks them. */
enum store_result schema_load_numbers(struct store *s);
/* Is what no row is read from sound, too? To be called before anything is written. */
enum store_result schema_check_pages(struct store *s);
/* An SQLite code, of a statement that was prepared. */
int schema_error(int rc);
/* Then last_slot and trimmed. */
enum store_result schema_load_range(struct store *s);
/* What a row of `number` carries beside its value. */
sqlite3_int64 schema_number_checksum(uint32_t name, uint64_t value);

int log_prepare(struct store *s);
void log_drop_statements(struct store *s);
/* Is the last row what it says? Its slot is taken for the log's length from now on. */
enum store_result log_check_end(struct store *s);
/* The row that `read` stands on: does its checksum fit? */
bool log_row_is_sound(sqlite3_stmt *row);
/* To be called once the -wal has been moved: notes how far the log reaches, and
 * deletes some of what lies below the floor. */
enum store_result log_note(struct store *s);

/* ---- repair.c ---- */

/* A new log.db under this name is whole and durable, and counts. */
#define STORE_LOG_REPAIRED "log.db.repaired"
/* To be called before log.db is opened, with the directory locked: if a repair ended
 * midway, puts what it made in its place. Nothing is done if there is nothing to do. */
enum store_result repair_go_on(const char *directory, const struct store_options *options,
                               char *why, size_t why_bytes);

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
/* Also if there is no telling: whoever asks must not go on as if there were nothing. */
bool directory_has(const char *path);

/* ---- raw_file.c: SQLite result codes ---- */

/* A file of a database, opened through the VFS beside SQLite and only while
 * SQLite does not have it open. */
struct raw_file {
    sqlite3_file *file; /* owned; NULL: there is no such file */
    uint64_t size_bytes;
    sqlite3_filename name; /* owned */
};

int raw_open(const char *vfs, const char *database, bool wal, struct raw_file *ret);
void raw_close(struct raw_file *raw);
/* Zeros over a range that may lie behind the end; SQLITE_FULL if there is no room. */
int raw_zero(sqlite3_file *file, uint64_t from, uint64_t to);

#endif
