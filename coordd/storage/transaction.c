/* transaction.c - what happens to a database that is open: a transaction is
 * finished or leaves nothing, and the -wal is moved. Invariants: internal.h. */
#include <string.h>

#include "coordd/storage/internal.h"
#include "coordd/storage/wal_scan.h"

enum store_result database_judge(struct database *d, int rc, const char *doing)
{
    int kind = rc & 0xff;

    if (rc == SQLITE_OK)
        return STORE_OK;
    store_say(d->why, sizeof d->why, "%s: cannot %s: %s (SQLite %d)", d->kind->file, doing,
              sqlite3_errstr(rc), rc);
    if (kind == SQLITE_FULL)
        return STORE_FULL;
    if (kind == SQLITE_BUSY)
        return STORE_LOCKED; /* at opening only: afterwards the database is ours alone */
    d->failed = true;
    return kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB ? STORE_CORRUPT : STORE_FAILED;
}

int database_run(sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);

    sqlite3_reset(statement);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* ---- the end of a transaction ---- */

/* Frames of a transaction that was rolled back must go (wal_scan.h). */
static int wipe_unfinished(struct database *d)
{
    sqlite3_file *wal = NULL;
    uint8_t salts[WAL_SALT_BYTES];
    uint32_t committed = d->wal_frames;
    int rc = sqlite3_file_control(d->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);

    if (rc != SQLITE_OK || wal == NULL || wal->pMethods == NULL)
        return rc;
    if (d->moved) {
        rc = wal_salts(wal, salts);
        if (rc == SQLITE_OK && memcmp(salts, d->moved_salts, sizeof salts) != 0)
            committed = 0; /* it had begun a new generation */
    }
    if (rc != SQLITE_OK)
        return rc;
    return d->kind->wal_bytes != 0 ? wal_wipe_behind(wal, committed)
                                   : wal_cut_behind(wal, committed);
}

/* Needs no space: it only overwrites. */
enum store_result database_roll_back(struct database *d)
{
    int rc = SQLITE_OK;

    if (!sqlite3_get_autocommit(d->db))
        rc = database_run(d->rollback);
    if (rc == SQLITE_OK)
        rc = wipe_unfinished(d);
    if (rc == SQLITE_OK)
        return STORE_OK;
    d->failed = true;
    store_say(d->why, sizeof d->why, "%s: cannot roll back: %s (SQLite %d)", d->kind->file,
              sqlite3_errstr(rc), rc);
    return STORE_FAILED;
}

enum store_result database_finish(struct database *d, int rc, const char *doing)
{
    enum store_result r;

    if (rc == SQLITE_OK)
        rc = database_run(d->commit);
    if (rc == SQLITE_OK)
        return STORE_OK;
    r = database_judge(d, rc, doing);
    if (r == STORE_FULL && database_roll_back(d) != STORE_OK)
        return STORE_FAILED;
    return r;
}

/* ---- the -wal ---- */

enum store_result database_move_wal(struct database *d)
{
    sqlite3_file *wal = NULL;
    int frames = 0, moved = 0;
    int rc = sqlite3_wal_checkpoint_v2(d->db, "main", SQLITE_CHECKPOINT_PASSIVE, &frames, &moved);

    if (rc == SQLITE_OK && moved != frames && !d->kind->has_readers)
        rc = SQLITE_INTERNAL; /* there is no reader that could hold it up */
    if (rc == SQLITE_OK && frames > 0)
        rc = sqlite3_file_control(d->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (rc == SQLITE_OK && frames > 0)
        rc = wal_salts(wal, d->moved_salts);
    if (rc != SQLITE_OK)
        return database_judge(d, rc, "move the -wal into it");
    d->moved = frames > 0 && moved == frames;
    d->wal_frames = (uint32_t)frames;
    return STORE_OK;
}

enum store_result database_drop_wal(struct database *d)
{
    int frames = 0, moved = 0;
    int rc = sqlite3_wal_checkpoint_v2(d->db, "main", SQLITE_CHECKPOINT_TRUNCATE, &frames, &moved);

    if ((rc & 0xff) == SQLITE_BUSY)
        return STORE_OK; /* a reader: another time */
    if (rc != SQLITE_OK)
        return database_judge(d, rc, "empty the -wal of");
    memset(d->moved_salts, 0, sizeof d->moved_salts);
    d->moved = true;
    d->wal_frames = 0;
    return STORE_OK;
}

/* What the -wal holds may never have reached the disk: a process that was killed
 * leaves it in the kernel's memory, and one whose sync failed leaves it there
 * marked as written. Moving it writes it again, elsewhere, and syncs. */
enum store_result database_settle(struct database *d)
{
    enum store_result r = database_move_wal(d);
    sqlite3_file *wal = NULL;
    int rc;

    if (r != STORE_FULL)
        return r;
    rc = sqlite3_file_control(d->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (rc == SQLITE_OK)
        rc = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
    return database_judge(d, rc, "sync the -wal of");
}
