/* checkpoint_space.c - what a checkpoint does about the space of the disk: it lives on
 * what is kept back while it is written, finds room for what is committed, and gives back
 * what it does not need. */
#include "coordd/storage/checkpoint_internal.h"
#include "coordd/storage/reserve.h"

enum {
    SHRINK_TURNS = 32, /* of 512 pages */
};

void checkpoint_use_reserve(struct checkpoint *c, struct reserve *reserve)
{
    c->reserve = reserve;
}

void checkpoint_borrow(struct checkpoint *c)
{
    if (!c->borrows && reserve_is_low(c->reserve))
        c->borrows =
            reserve_lend(c->reserve, c->hungry ? RESERVE_PIECES_LENT_AGAIN : RESERVE_PIECES_LENT);
}

void checkpoint_give_back(struct checkpoint *c)
{
    if (c->borrows)
        reserve_given_back(c->reserve);
    c->borrows = false;
}

int checkpoint_make_room(struct checkpoint *c, sqlite3_int64 *ret_before)
{
    const uint64_t unwritten = (uint64_t)c->database.kind->cache_kib * 1024;
    sqlite3_int64 size = 0;
    int64_t pages;
    sqlite3_file *file = NULL;
    int rc;

    if (c->reserve == NULL)
        return SQLITE_OK;
    rc = database_ask_number(c->database.db, "PRAGMA page_count", &pages);
    if (rc == SQLITE_OK)
        rc = sqlite3_file_control(c->database.db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (rc == SQLITE_OK)
        rc = file->pMethods->xFileSize(file, &size);
    pages *= STORE_PAGE_BYTES;
    if (rc != SQLITE_OK || pages <= size ||
        reserve_has_room(c->reserve, (uint64_t)(pages - size) + unwritten))
        return rc;
    *ret_before = size;
    return raw_zero(file, (uint64_t)size, (uint64_t)pages);
}

enum store_result checkpoint_cut_back(struct checkpoint *c, sqlite3_int64 before)
{
    sqlite3_file *file = NULL;
    int rc = sqlite3_file_control(c->database.db, "main", SQLITE_FCNTL_FILE_POINTER, &file);

    if (rc == SQLITE_OK)
        rc = file->pMethods->xTruncate(file, before);
    return database_judge(&c->database, rc, "cut back");
}

void checkpoint_note_wal(struct checkpoint *c)
{
    sqlite3_file *wal = NULL;
    sqlite3_int64 size = 0;

    if (c->reserve == NULL ||
        sqlite3_file_control(c->database.db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) !=
            SQLITE_OK ||
        wal == NULL || wal->pMethods == NULL || wal->pMethods->xFileSize(wal, &size) != SQLITE_OK)
        size = 0;
    reserve_note_wal(c->reserve, (uint64_t)size);
}

/* Free pages go back to the disk that is nearly full, some at a time: each that is moved
 * costs a frame. What is left after so many times waits, since others do. */
static enum store_result shrink(struct checkpoint *c)
{
    enum store_result r = STORE_OK;
    int64_t before = INT64_MAX, now;

    c->owes_space = true;
    for (int turns = 0; r == STORE_OK && c->database.moved && turns < SHRINK_TURNS; turns++) {
        int rc = database_ask_number(c->database.db, "PRAGMA freelist_count", &now);

        c->owes_space = rc != SQLITE_OK || (now > 0 && now < before);
        if (!c->owes_space)
            break;
        before = now;
        if (rc == SQLITE_OK)
            rc = database_run(c->database.begin);
        if (rc == SQLITE_OK)
            rc = database_execute(c->database.db, "PRAGMA incremental_vacuum(512)");
        r = database_finish(&c->database, rc, "give free pages back of");
        if (r == STORE_OK)
            r = database_move_wal(&c->database);
    }
    return r;
}

enum store_result checkpoint_maintain(struct checkpoint *c)
{
    enum store_result r;

    if (c->database.failed)
        return STORE_FAILED;
    checkpoint_note_wal(c);
    if (c->writing || ((c->database.moved || c->database.wal_frames == 0) && !c->owes_space))
        return STORE_OK;
    /* Once it is moved the -wal can go: that gives back more than it takes. */
    do {
        r = database_move_wal(&c->database);
    } while (r == STORE_FULL && reserve_give(c->reserve, RESERVE_OTHERS));
    c->owes_space = c->borrows || reserve_is_scarce(c->reserve);
    if (r == STORE_OK && c->owes_space)
        r = shrink(c);
    if (r == STORE_OK && c->database.moved && (c->borrows || reserve_is_low(c->reserve)))
        r = database_drop_wal(&c->database);
    checkpoint_note_wal(c);
    checkpoint_give_back(c);
    return r;
}

bool checkpoint_owes_space(const struct checkpoint *c)
{
    return c->owes_space && !c->database.failed;
}
