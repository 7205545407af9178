/* store.c - making, opening and closing a directory. Invariants: internal.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordd/storage/internal.h"
#include "coordd/storage/wal_scan.h"
#include "libcoord/base/check.h"

static const struct store_options DEFAULTS;

const char *store_result_text(enum store_result r)
{
    switch (r) {
    case STORE_OK:
        return "ok";
    case STORE_FULL:
        return "no space on the disk";
    case STORE_FAILED:
        return "the disk failed";
    case STORE_CORRUPT:
        return "the data is damaged";
    case STORE_FOREIGN:
        return "the database is not one of ours";
    case STORE_NOT_INITIALISED:
        return "the directory is not initialised";
    case STORE_EXISTS:
        return "the directory is initialised already";
    case STORE_LOCKED:
        return "another process has the directory";
    case STORE_MISMATCH:
        return "the directory belongs to another cell or member";
    }
    return "unknown result";
}

static int execute(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* SQLITE_ERROR if SQLite chose another journal than the -wal. */
static int enter_wal_mode(sqlite3 *db)
{
    sqlite3_stmt *row;
    bool is_wal = false;
    int rc = sqlite3_prepare_v2(db, "PRAGMA journal_mode=WAL", -1, &row, NULL);

    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(row);
    if (rc == SQLITE_ROW)
        is_wal = strcmp((const char *)sqlite3_column_text(row, 0), "wal") == 0;
    sqlite3_finalize(row);
    if (rc != SQLITE_ROW)
        return rc;
    return is_wal ? SQLITE_OK : SQLITE_ERROR;
}

/* ---- initialise ---- */

static bool names_itself(const struct store_identity *identity)
{
    for (uint32_t i = 0; i < identity->members_count; i++)
        if (identity->members[i].id == identity->self)
            return true;
    return false;
}

/* Always synced, whatever the options say: it is the floor that a test of what is
 * not synced stands on. The journal may be in memory: a file that is not whole
 * never gets its name. */
static int create_file(const char *path, const struct store_identity *identity, const char *vfs)
{
    sqlite3 *db = NULL;
    int closed,
        rc = sqlite3_open_v2(path, &db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, vfs);

    if (rc == SQLITE_OK)
        rc = execute(db, "PRAGMA page_size=4096; PRAGMA locking_mode=EXCLUSIVE;"
                         "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=FULL");
    if (rc == SQLITE_OK)
        rc = schema_create(db, identity);
    if (rc == SQLITE_OK)
        rc = enter_wal_mode(db);
    closed = sqlite3_close(db);
    return rc == SQLITE_OK ? closed : rc;
}

static enum store_result remove_leftovers(const char *directory, char *why, size_t why_bytes)
{
    static const char *const names[] = {STORE_FILE_NEW, STORE_FILE_NEW "-journal",
                                        STORE_FILE_NEW "-wal", STORE_FILE "-journal",
                                        STORE_FILE "-wal"};
    char path[STORE_PATH_BYTES];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        enum store_result r = directory_path(directory, names[i], path, why, why_bytes);

        if (r != STORE_OK)
            return r;
        if (directory_has(path) && unlink(path) != 0) {
            store_say(why, why_bytes, "cannot remove %s, left behind by an earlier try", path);
            return STORE_FAILED;
        }
    }
    return STORE_OK;
}

/* The directory is locked. */
static enum store_result initialise(const char *directory, const struct store_identity *identity,
                                    const char *vfs, char *why, size_t why_bytes)
{
    char path[STORE_PATH_BYTES], path_new[STORE_PATH_BYTES];
    enum store_result r = directory_path(directory, STORE_FILE, path, why, why_bytes);
    int rc;

    if (r == STORE_OK)
        r = directory_path(directory, STORE_FILE_NEW, path_new, why, why_bytes);
    if (r != STORE_OK)
        return r;
    if (directory_has(path)) {
        store_say(why, why_bytes, "%s exists: the directory is initialised already", path);
        return STORE_EXISTS;
    }
    r = remove_leftovers(directory, why, why_bytes);
    if (r != STORE_OK)
        return r;
    rc = create_file(path_new, identity, vfs);
    if (rc != SQLITE_OK) {
        store_say(why, why_bytes, "cannot create %s: %s", path_new, sqlite3_errstr(rc));
        unlink(path_new);
        return (rc & 0xff) == SQLITE_FULL ? STORE_FULL : STORE_FAILED;
    }
    if (rename(path_new, path) != 0) {
        store_say(why, why_bytes, "cannot rename %s to %s", path_new, STORE_FILE);
        return STORE_FAILED;
    }
    return directory_sync(directory, why, why_bytes);
}

enum store_result store_initialise(const char *directory, const struct store_identity *identity,
                                   const struct store_options *options, char *why, size_t why_bytes)
{
    enum store_result r;
    int lock;

    CHECK(identity->members_count <= REPLICA_MEMBERS_MAX && identity->incarnation != 0);
    if (!names_itself(identity)) {
        store_say(why, why_bytes, "member %u is not among the cell's members", identity->self);
        return STORE_MISMATCH;
    }
    r = directory_make(directory, why, why_bytes);
    if (r == STORE_OK)
        r = directory_lock(directory, &lock, why, why_bytes);
    if (r != STORE_OK)
        return r;
    r = initialise(directory, identity, options == NULL ? NULL : options->vfs, why, why_bytes);
    close(lock);
    return r;
}

/* ---- open ---- */

/* Makes the -wal as long as it usually gets, so that commits overwrite blocks
 * instead of adding some, which costs more. No room for that is no error. */
static int presize(struct raw_file *wal, uint64_t bytes)
{
    sqlite3_file *file = wal->file;
    int rc;

    if (wal->size_bytes >= bytes)
        return SQLITE_OK;
    rc = raw_zero(file, wal->size_bytes, bytes);
    if ((rc & 0xff) == SQLITE_FULL)
        rc = file->pMethods->xTruncate(file, (sqlite3_int64)wal->size_bytes);
    return rc != SQLITE_OK ? rc : file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
}

/* Judges the -wal, wipes what is unfinished and presizes it. */
static enum store_result prepare_wal(struct store *s, const char *path,
                                     const struct raw_file *database,
                                     const struct store_options *options)
{
    struct raw_file wal;
    struct wal_report report = {.verdict = WAL_CLEAN};
    int rc = raw_open(options->vfs, path, true, &wal);

    if (rc != SQLITE_OK)
        return log_judge(s, rc, "open the -wal of");
    rc = wal_scan(&wal, database, &report);
    if (rc == SQLITE_OK && report.verdict == WAL_TORN)
        rc = wal_wipe(wal.file, &report);
    if (rc == SQLITE_OK && report.verdict != WAL_CORRUPT)
        rc = presize(&wal, options->wal_bytes != 0 ? options->wal_bytes : STORE_WAL_BYTES);
    raw_close(&wal);
    s->wal_frames = report.committed;
    if (rc != SQLITE_OK)
        return log_judge(s, rc, "prepare the -wal of");
    if (report.verdict != WAL_CORRUPT)
        return STORE_OK;
    if (report.bad == 0)
        store_say(s->why, sizeof s->why, "%s-wal: %s", path, report.because);
    else
        store_say(s->why, sizeof s->why, "%s-wal: frame %u is damaged: %s", path, report.bad,
                  report.because);
    return STORE_CORRUPT;
}

/* Everything that can be judged before SQLite sees the files. */
static enum store_result prepare_files(struct store *s, const char *path,
                                       const struct store_options *options)
{
    struct raw_file database;
    enum store_result r;
    int rc = raw_open(options->vfs, path, false, &database);

    if (rc != SQLITE_OK)
        return log_judge(s, rc, "open the database");
    r = schema_check_header(database.file, path, s->why, sizeof s->why);
    if (r == STORE_OK)
        r = prepare_wal(s, path, &database, options);
    raw_close(&database);
    return r;
}

static int open_database(struct store *s, const char *path, const struct store_options *options)
{
    char pragmas[256];
    int rc =
        sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, options->vfs);

    if (rc != SQLITE_OK)
        return rc;
    sqlite3_extended_result_codes(s->db, 1);
    /* The -wal stays when we close, and stays as long as it is: see presize. */
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    snprintf(pragmas, sizeof pragmas,
             "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=%s; PRAGMA mmap_size=0;"
             "PRAGMA cache_size=-%d; PRAGMA temp_store=MEMORY",
             options->synchronous_off ? "OFF" : "FULL", STORE_CACHE_KIB);
    rc = execute(s->db, pragmas);
    return rc == SQLITE_OK ? enter_wal_mode(s->db) : rc;
}

/* What the -wal holds may never have reached the disk: a process that was killed
 * leaves it in the kernel's memory, and one whose sync failed leaves it there
 * marked as written. Moving it writes it again, elsewhere, and syncs. */
static enum store_result settle(struct store *s)
{
    enum store_result r = log_checkpoint(s);
    sqlite3_file *wal = NULL;
    int rc;

    if (r != STORE_FULL)
        return r;
    rc = sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (rc == SQLITE_OK)
        rc = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
    return log_judge(s, rc, "sync the -wal of");
}

static enum store_result open_all(struct store *s, const char *directory,
                                  const struct store_options *options)
{
    char path[STORE_PATH_BYTES];
    enum store_result r = directory_path(directory, STORE_FILE, path, s->why, sizeof s->why);
    int rc;

    if (r != STORE_OK)
        return r;
    if (!directory_has(path)) {
        store_say(s->why, sizeof s->why, "%s is not there: run `coordd init` first", path);
        return STORE_NOT_INITIALISED;
    }
    r = directory_lock(directory, &s->lock, s->why, sizeof s->why);
    if (r == STORE_OK)
        r = prepare_files(s, path, options);
    if (r == STORE_OK)
        r = directory_sync(directory, s->why, sizeof s->why);
    if (r != STORE_OK)
        return r;
    rc = open_database(s, path, options);
    if (rc != SQLITE_OK)
        return log_judge(s, rc, "open the database");
    r = schema_load(s);
    if (r != STORE_OK)
        return r;
    s->checkpoint_frames =
        options->checkpoint_frames != 0
            ? options->checkpoint_frames
            : STORE_CHECKPOINT_FRAMES +
                  STORE_CHECKPOINT_STEP * (s->identity.self % STORE_CHECKPOINT_STEPS);
    rc = log_prepare(s);
    return rc == SQLITE_OK ? settle(s) : log_judge(s, rc, "prepare statements for");
}

enum store_result store_open(const char *directory, const struct store_options *options,
                             struct store **ret, char *why, size_t why_bytes)
{
    struct store *s = check_calloc(1, sizeof *s);
    enum store_result r;

    s->lock = -1;
    r = open_all(s, directory, options == NULL ? &DEFAULTS : options);
    if (r != STORE_OK) {
        store_say(why, why_bytes, "%s", s->why);
        store_close(s);
        return r;
    }
    s->why[0] = '\0';
    *ret = s;
    return STORE_OK;
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    sqlite3_finalize(s->begin);
    sqlite3_finalize(s->commit);
    sqlite3_finalize(s->rollback);
    sqlite3_finalize(s->put_entry);
    sqlite3_finalize(s->put_number);
    sqlite3_finalize(s->read);
    CHECK(sqlite3_close(s->db) == SQLITE_OK);
    if (s->lock >= 0)
        close(s->lock);
    free(s);
}

/* ---- what it is ---- */

const char *store_why(const struct store *s)
{
    return s->why;
}

const struct store_identity *store_identity(const struct store *s)
{
    return &s->identity;
}

void store_durable(const struct store *s, struct replica_durable *ret)
{
    *ret = (struct replica_durable){
        .promised = s->promised,
        .longest_lease_ms = (uint32_t)s->lease_ms,
        .used = s->used,
    };
}

enum store_result store_expect(struct store *s, const uint8_t *cell, uint32_t self)
{
    char is[2 * REPLICA_CELL_ID_BYTES + 1], wanted[2 * REPLICA_CELL_ID_BYTES + 1];

    hex_encode(s->identity.cell, REPLICA_CELL_ID_BYTES, is);
    if (cell != NULL && memcmp(cell, s->identity.cell, REPLICA_CELL_ID_BYTES) != 0) {
        hex_encode(cell, REPLICA_CELL_ID_BYTES, wanted);
        store_say(s->why, sizeof s->why, "the directory belongs to cell %s, not %s", is, wanted);
        return STORE_MISMATCH;
    }
    if (self != 0 && self != s->identity.self) {
        store_say(s->why, sizeof s->why, "the directory belongs to member %u, not %u",
                  s->identity.self, self);
        return STORE_MISMATCH;
    }
    return STORE_OK;
}
