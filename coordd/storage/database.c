/* database.c - making, judging, opening and closing one of the two databases.
 * Invariants: internal.h. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "coordd/storage/internal.h"
#include "coordd/storage/wal_scan.h"
#include "libcoord/base/check.h"

enum {
    HEADER_BYTES = 100, /* of the first page; offsets from SQLite's file format */
    HEADER_PAGE_SIZE = 16,
    HEADER_JOURNAL = 18, /* for writers, for readers: 1 without, 2 with a -wal */
    HEADER_FIXED = 20,   /* to 23 */
    HEADER_SCHEMA_FORMAT = 44,
    HEADER_ENCODING = 56,
    HEADER_VERSION = 60,
    HEADER_APPLICATION_ID = 68,
    NAME_BYTES = 64,
};

int database_execute(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int database_ask(sqlite3 *db, const char *sql, database_row *take, void *context)
{
    sqlite3_stmt *row;
    int rc = sqlite3_prepare_v2(db, sql, -1, &row, NULL);

    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(row);
    if (rc == SQLITE_ROW)
        take(row, context);
    sqlite3_finalize(row);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static void take_number(sqlite3_stmt *row, void *number)
{
    *(int64_t *)number = sqlite3_column_int64(row, 0);
}

int database_ask_number(sqlite3 *db, const char *sql, int64_t *ret)
{
    *ret = 0;
    return database_ask(db, sql, take_number, ret);
}

static void take_is_wal(sqlite3_stmt *row, void *is_wal)
{
    *(bool *)is_wal = strcmp((const char *)sqlite3_column_text(row, 0), "wal") == 0;
}

/* SQLITE_ERROR if SQLite chose another journal than the -wal. */
static int enter_wal_mode(sqlite3 *db)
{
    bool is_wal = false;
    int rc = database_ask(db, "PRAGMA journal_mode=WAL", take_is_wal, &is_wal);

    return rc != SQLITE_OK || is_wal ? rc : SQLITE_ERROR;
}

static const char *vfs_of(const struct database_kind *kind, const char *asked)
{
    return asked != NULL ? asked : kind->vfs;
}

/* ---- making ---- */

/* Always synced, whatever the options say: it is the floor that a test of what is
 * not synced stands on. The journal may be in memory: a file that is not whole
 * never gets its name. */
static int create_file(const struct database_kind *kind, const char *path, const char *vfs,
                       database_fill *fill, const void *context)
{
    char mark[128];
    sqlite3 *db = NULL;
    int closed,
        rc = sqlite3_open_v2(path, &db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, vfs);

    snprintf(mark, sizeof mark, "BEGIN; PRAGMA application_id=%u; PRAGMA user_version=%u",
             kind->application_id, kind->version);
    if (rc == SQLITE_OK)
        rc = database_execute(db, "PRAGMA page_size=4096; PRAGMA locking_mode=EXCLUSIVE;"
                                  "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=FULL");
    if (rc == SQLITE_OK && kind->gives_back)
        rc = database_execute(db, "PRAGMA auto_vacuum=INCREMENTAL");
    if (rc == SQLITE_OK)
        rc = database_execute(db, mark);
    if (rc == SQLITE_OK)
        rc = fill(db, context);
    if (rc == SQLITE_OK)
        rc = database_execute(db, "COMMIT");
    if (rc == SQLITE_OK)
        rc = enter_wal_mode(db);
    closed = sqlite3_close(db);
    return rc == SQLITE_OK ? closed : rc;
}

static enum store_result remove_leftovers(const struct database_kind *kind, const char *directory,
                                          char *why, size_t why_bytes)
{
    static const char *const suffixes[] = {".new", ".new-journal", ".new-wal", "-journal", "-wal"};
    char path[STORE_PATH_BYTES], name[NAME_BYTES];

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        enum store_result r;

        snprintf(name, sizeof name, "%s%s", kind->file, suffixes[i]);
        r = directory_path(directory, name, path, why, why_bytes);
        if (r != STORE_OK)
            return r;
        if (directory_has(path) && unlink(path) != 0) {
            store_say(why, why_bytes, "cannot remove %s, left behind by an earlier try", path);
            return STORE_FAILED;
        }
    }
    return STORE_OK;
}

enum store_result database_create(const struct database_kind *kind, const char *directory,
                                  const char *vfs, database_fill *fill, const void *context,
                                  char *why, size_t why_bytes)
{
    char path[STORE_PATH_BYTES], path_new[STORE_PATH_BYTES], name_new[NAME_BYTES];
    enum store_result r = directory_path(directory, kind->file, path, why, why_bytes);
    int rc;

    snprintf(name_new, sizeof name_new, "%s.new", kind->file);
    if (r == STORE_OK)
        r = directory_path(directory, name_new, path_new, why, why_bytes);
    if (r == STORE_OK)
        r = remove_leftovers(kind, directory, why, why_bytes);
    if (r != STORE_OK)
        return r;
    rc = create_file(kind, path_new, vfs_of(kind, vfs), fill, context);
    if (rc != SQLITE_OK) {
        store_say(why, why_bytes, "cannot create %s: %s", path_new, sqlite3_errstr(rc));
        unlink(path_new);
        return (rc & 0xff) == SQLITE_FULL ? STORE_FULL : STORE_FAILED;
    }
    if (rename(path_new, path) != 0) {
        store_say(why, why_bytes, "cannot rename %s to %s", path_new, kind->file);
        return STORE_FAILED;
    }
    return directory_sync(directory, why, why_bytes);
}

/* ---- judging ---- */

static uint32_t big(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* What SQLite would stumble over, or make something else of. */
static bool header_is_sound(const uint8_t *header)
{
    static const uint8_t fixed[] = {0, 64, 32, 32};
    uint8_t journal = header[HEADER_JOURNAL];

    return header[HEADER_PAGE_SIZE] << 8 == STORE_PAGE_BYTES && (journal == 1 || journal == 2) &&
           header[HEADER_JOURNAL + 1] == journal &&
           memcmp(header + HEADER_FIXED, fixed, sizeof fixed) == 0 &&
           big(header + HEADER_SCHEMA_FORMAT) == 4 && big(header + HEADER_ENCODING) == 1;
}

/* Judges the first page without SQLite, so that nothing of a database that is
 * not ours is ever touched. */
static enum store_result check_header(struct database *d, sqlite3_file *file, const char *path)
{
    uint8_t header[HEADER_BYTES];
    int rc = file->pMethods->xRead(file, header, sizeof header, 0);

    if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ) {
        store_say(d->why, sizeof d->why, "cannot read %s: %s", path, sqlite3_errstr(rc));
        return STORE_FAILED;
    }
    if (rc != SQLITE_OK || memcmp(header, "SQLite format 3", 16) != 0) {
        store_say(d->why, sizeof d->why, "%s is not an SQLite database: not ours, or destroyed",
                  path);
        return STORE_FOREIGN;
    }
    if (big(header + HEADER_APPLICATION_ID) != d->kind->application_id) {
        store_say(d->why, sizeof d->why,
                  "%s is an SQLite database of another program (application_id %u)", path,
                  big(header + HEADER_APPLICATION_ID));
        return STORE_FOREIGN;
    }
    if (big(header + HEADER_VERSION) != d->kind->version) {
        store_say(d->why, sizeof d->why, "%s has format %u; this program knows format %u only",
                  path, big(header + HEADER_VERSION), d->kind->version);
        return STORE_FOREIGN;
    }
    if (!header_is_sound(header)) {
        store_say(d->why, sizeof d->why, "%s: its header is damaged", path);
        return STORE_CORRUPT;
    }
    return STORE_OK;
}

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
static enum store_result prepare_wal(struct database *d, const char *path, const char *vfs,
                                     const struct raw_file *database, uint64_t wal_bytes)
{
    struct raw_file wal;
    struct wal_report report = {.verdict = WAL_CLEAN};
    int rc = raw_open(vfs, path, true, &wal);

    if (rc != SQLITE_OK)
        return database_judge(d, rc, "open the -wal of");
    rc = wal_scan(&wal, database, &report);
    if (rc == SQLITE_OK && report.verdict == WAL_TORN)
        rc = wal_wipe(wal.file, &report);
    if (rc == SQLITE_OK && report.verdict != WAL_CORRUPT)
        rc = presize(&wal, wal_bytes);
    raw_close(&wal);
    d->wal_frames = report.committed;
    if (rc != SQLITE_OK)
        return database_judge(d, rc, "prepare the -wal of");
    if (report.verdict != WAL_CORRUPT)
        return STORE_OK;
    if (report.bad == 0)
        store_say(d->why, sizeof d->why, "%s-wal: %s", path, report.because);
    else
        store_say(d->why, sizeof d->why, "%s-wal: frame %u is damaged: %s", path, report.bad,
                  report.because);
    return STORE_CORRUPT;
}

/* Everything that can be judged before SQLite sees the files. */
static enum store_result prepare_files(struct database *d, const char *path, const char *vfs,
                                       const struct store_options *options)
{
    uint64_t wal_bytes = d->kind->wal_bytes;
    struct raw_file database;
    enum store_result r;
    int rc = raw_open(vfs, path, false, &database);

    if (wal_bytes != 0 && options->wal_bytes != 0)
        wal_bytes = options->wal_bytes;
    if (rc != SQLITE_OK)
        return database_judge(d, rc, "open the database");
    r = check_header(d, database.file, path);
    if (r == STORE_OK)
        r = prepare_wal(d, path, vfs, &database, wal_bytes);
    raw_close(&database);
    return r;
}

/* ---- opening ---- */

static int after_commit(void *context, sqlite3 *db, const char *name, int frames)
{
    struct database *d = context;

    (void)db;
    (void)name;
    d->wal_frames = (uint32_t)frames;
    d->moved = false;
    return SQLITE_OK;
}

int database_prepare(struct database *d, const struct database_statement *all, size_t count)
{
    int rc = SQLITE_OK;

    for (size_t i = 0; rc == SQLITE_OK && i < count; i++)
        rc = sqlite3_prepare_v3(d->db, all[i].sql, -1, SQLITE_PREPARE_PERSISTENT, all[i].place,
                                NULL);
    return rc;
}

static int connect(struct database *d, const char *path, const char *vfs, bool synchronous_off)
{
    const struct database_statement own[] = {
        {&d->begin, "BEGIN IMMEDIATE"}, {&d->commit, "COMMIT"}, {&d->rollback, "ROLLBACK"}};
    char pragmas[384];
    int rc = sqlite3_open_v2(path, &d->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, vfs);

    if (rc != SQLITE_OK)
        return rc;
    sqlite3_extended_result_codes(d->db, 1);
    /* The -wal stays when we close, and stays as long as it is: see presize. */
    sqlite3_db_config(d->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(d->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(d->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    /* What is deleted need not be written over with zeros (Debian's default). */
    snprintf(pragmas, sizeof pragmas,
             "%s; PRAGMA synchronous=%s; PRAGMA mmap_size=0; PRAGMA secure_delete=OFF;"
             "PRAGMA cache_size=-%u; PRAGMA temp_store=MEMORY",
             d->kind->settings, synchronous_off ? "OFF" : "FULL", d->kind->cache_kib);
    rc = database_execute(d->db, pragmas);
    if (rc == SQLITE_OK)
        rc = enter_wal_mode(d->db);
    if (rc == SQLITE_OK)
        rc = database_prepare(d, own, sizeof own / sizeof own[0]);
    /* Takes the place of SQLite's own checkpoints, which come in the middle of a commit. */
    sqlite3_wal_hook(d->db, after_commit, d);
    return rc;
}

enum store_result database_open(struct database *d, const struct database_kind *kind,
                                const char *directory, const struct store_options *options)
{
    const char *vfs = vfs_of(kind, options->vfs);
    char path[STORE_PATH_BYTES];
    enum store_result r;
    int rc;

    *d = (struct database){.kind = kind};
    r = directory_path(directory, kind->file, path, d->why, sizeof d->why);
    if (r != STORE_OK)
        return r;
    if (!directory_has(path)) {
        store_say(d->why, sizeof d->why, "%s is not there", path);
        return STORE_NOT_INITIALISED;
    }
    r = prepare_files(d, path, vfs, options);
    if (r == STORE_OK)
        r = directory_sync(directory, d->why, sizeof d->why);
    if (r != STORE_OK)
        return r;
    rc = connect(d, path, vfs, options->synchronous_off);
    return rc == SQLITE_OK ? STORE_OK : database_judge(d, rc, "open the database");
}

void database_close(struct database *d)
{
    sqlite3_finalize(d->begin);
    sqlite3_finalize(d->commit);
    sqlite3_finalize(d->rollback);
    CHECK(sqlite3_close(d->db) == SQLITE_OK);
    d->db = NULL;
}
