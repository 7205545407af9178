/* repair.c - a new log.db for a member whose log is damaged, but who still knows
 * who it is and what it promised.
 *
 * The new one has the same identity and numbers, an empty log, and the slot up to
 * which the member may have accepted something: below that it has no vote until it
 * has the state from the others. So that slot may be too high, never too low.
 *
 * The new one is made under a name of its own, STORE_LOG_REPAIRED, which it gets once
 * it is whole and durable. From then on it counts: whoever opens the directory first
 * puts it in its place, in steps that may be done again. Until then nothing of the old
 * one goes, its -wal least of all: with it, what tells how far the log reached would go.
 * So whenever the power fails, log.db is the old one, whole and with its -wal, or there
 * is a new one, whole; and no -wal of the old one lies beside the new one. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordd/storage/internal.h"
#include "libcoord/base/check.h"

/* ---- how far did the log reach? ---- */

/* Does the row read as it was written? */
static bool is_sound(struct store *s, sqlite3_int64 slot)
{
    bool sound = false;

    sqlite3_bind_int64(s->read, 1, slot);
    sqlite3_bind_int64(s->read, 2, slot);
    if (sqlite3_step(s->read) == SQLITE_ROW)
        sound = log_row_is_sound(s->read);
    sqlite3_reset(s->read);
    return sound;
}

/* From the end of the table back to a row that proves itself. Those behind it are
 * counted: the slot that such a row tells may be what is damaged. */
static int ask_table(struct store *s, uint64_t *ret)
{
    uint64_t behind = 0, last = s->floor;
    sqlite3_stmt *keys;
    int rc = sqlite3_prepare_v2(
        s->database.db, "SELECT slot FROM log WHERE slot > ? ORDER BY slot DESC", -1, &keys, NULL);

    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_int64(keys, 1, (sqlite3_int64)s->floor);
    while ((rc = sqlite3_step(keys)) == SQLITE_ROW) {
        sqlite3_int64 slot = sqlite3_column_int64(keys, 0);

        if (is_sound(s, slot)) {
            last = (uint64_t)slot;
            break;
        }
        behind++;
    }
    sqlite3_finalize(keys);
    *ret = last + behind;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* SQLite's numbers of one to nine bytes. 0 if it does not end where the page does. */
static uint64_t varint(const uint8_t *page, size_t *at)
{
    uint64_t value = 0;

    for (int i = 0; i < 9 && *at < STORE_PAGE_BYTES; i++) {
        uint8_t byte = page[(*at)++];

        if (i == 8)
            return value << 8 | byte;
        value = value << 7 | (byte & 0x7f);
        if (byte < 0x80)
            return value;
    }
    return 0;
}

/* The last key of a page that holds rows; 0 if it is of another sort. */
static uint64_t last_key(const uint8_t *page)
{
    enum { LEAF = 0x0d, COUNT_AT = 3, CELLS_AT = 8 };
    size_t cells = (size_t)page[COUNT_AT] << 8 | page[COUNT_AT + 1];
    size_t at = CELLS_AT + 2 * cells;

    if (page[0] != LEAF || cells == 0 || at > STORE_PAGE_BYTES)
        return 0;
    at = (size_t)page[at - 2] << 8 | page[at - 1];
    (void)varint(page, &at); /* the row's length */
    return varint(page, &at);
}

/* The pages of other tables that are ever written: their keys are no slots. */
static int root_of_numbers(struct store *s, uint32_t *ret)
{
    sqlite3_stmt *row;
    int rc = sqlite3_prepare_v2(
        s->database.db, "SELECT rootpage FROM sqlite_schema WHERE name = 'number'", -1, &row, NULL);

    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(row);
    *ret = rc == SQLITE_ROW ? (uint32_t)sqlite3_column_int64(row, 0) : 0;
    sqlite3_finalize(row);
    return rc == SQLITE_ROW ? SQLITE_OK : SQLITE_CORRUPT;
}

/* The highest slot on the -wal's pages. What was accepted since number 4 was written
 * is there, and has been proved by its checksums. */
static int ask_wal(struct store *s, uint64_t *ret)
{
    uint8_t frame[WAL_FRAME_BYTES];
    sqlite3_file *wal = NULL;
    uint32_t numbers;
    int rc = root_of_numbers(s, &numbers);

    *ret = 0;
    if (rc == SQLITE_OK)
        rc = sqlite3_file_control(s->database.db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    for (uint32_t i = 0; rc == SQLITE_OK && i < s->database.wal_frames; i++) {
        uint64_t last;
        uint32_t page;

        rc = wal->pMethods->xRead(wal, frame, sizeof frame,
                                  WAL_HEADER_BYTES + (sqlite3_int64)i * WAL_FRAME_BYTES);
        page = (uint32_t)frame[0] << 24 | (uint32_t)frame[1] << 16 | (uint32_t)frame[2] << 8 |
               frame[3];
        last = page == numbers ? 0 : last_key(frame + WAL_FRAME_HEADER_BYTES);
        *ret = last > *ret ? last : *ret;
    }
    return rc;
}

static void raise(uint64_t *highest, uint64_t to)
{
    *highest = to > *highest ? to : *highest;
}

static enum store_result find_reach(struct store *s, uint64_t *ret)
{
    uint64_t found;
    int rc = ask_table(s, &found);

    *ret = s->floor;
    raise(ret, s->through);
    raise(ret, s->unreadable);
    if (rc == SQLITE_OK)
        raise(ret, found);
    else if ((rc & 0xff) != SQLITE_CORRUPT)
        return database_judge(&s->database, rc, "look for the log's end");
    else if (s->database.wal_frames == 0) {
        store_say(s->database.why, sizeof s->database.why,
                  "%s: the log's end cannot be read, and nothing else tells where it was",
                  s->database.kind->file);
        return STORE_CORRUPT;
    }
    rc = ask_wal(s, &found);
    if (rc != SQLITE_OK)
        return database_judge(&s->database, rc, "look for the log's end in the -wal");
    raise(ret, found);
    return STORE_OK;
}

/* ---- the old one ---- */

/* Reads what must be sound, and moves the -wal into the database. */
static enum store_result take_stock(struct store *s, const char *directory,
                                    const struct store_options *options)
{
    struct database *d = &s->database;
    enum store_result r = directory_lock(directory, &s->lock, d->why, sizeof d->why);
    uint64_t reach = 0;
    int rc;

    if (r == STORE_OK)
        r = repair_go_on(directory, options, d->why, sizeof d->why);
    if (r == STORE_OK)
        r = database_open(d, &log_database, directory, options);
    if (r == STORE_OK)
        r = schema_load_numbers(s);
    if (r != STORE_OK)
        return r;
    if (s->identity.members_count == 1) {
        store_say(d->why, sizeof d->why, "%s is damaged, and the cell has no other member",
                  d->kind->file);
        return STORE_CORRUPT;
    }
    rc = log_prepare(s);
    if (rc != SQLITE_OK)
        return database_judge(d, schema_error(rc), "prepare statements for");
    r = find_reach(s, &reach);
    s->unreadable = reach;
    return r == STORE_OK ? database_move_wal(d) : r;
}

/* ---- the new one ---- */

static const struct database_kind repaired_database = {
    .file = STORE_LOG_REPAIRED,
    .settings = "PRAGMA locking_mode=EXCLUSIVE",
    .application_id = STORE_APPLICATION_ID,
    .version = STORE_VERSION,
    .cache_kib = 64,
};

static enum store_result say_failed(char *why, size_t why_bytes, const char *doing,
                                    const char *path)
{
    int error = errno;

    store_say(why, why_bytes, "cannot %s %s: %s", doing, path, strerror(error));
    return error == ENOSPC ? STORE_FULL : STORE_FAILED;
}

/* The names that a repair moves between. */
struct names {
    char log[STORE_PATH_BYTES], wal[STORE_PATH_BYTES];
    char repaired[STORE_PATH_BYTES], repaired_wal[STORE_PATH_BYTES];
    char aside[STORE_PATH_BYTES];
};

static enum store_result name_all(const char *directory, struct names *n, char *why,
                                  size_t why_bytes)
{
    struct {
        const char *name;
        char *path;
    } const all[] = {
        {"log.db", n->log},
        {"log.db-wal", n->wal},
        {STORE_LOG_REPAIRED, n->repaired},
        {STORE_LOG_REPAIRED "-wal", n->repaired_wal},
        {STORE_LOG_DAMAGED, n->aside},
    };
    enum store_result r = STORE_OK;

    for (size_t i = 0; r == STORE_OK && i < sizeof all / sizeof all[0]; i++)
        r = directory_path(directory, all[i].name, all[i].path, why, why_bytes);
    return r;
}

static enum store_result drop(const char *path, char *why, size_t why_bytes)
{
    if (unlink(path) == 0 || errno == ENOENT)
        return STORE_OK;
    return say_failed(why, why_bytes, "remove", path);
}

/* Is it what was written? */
static enum store_result judge_repaired(const char *directory, const struct store_options *options,
                                        const struct names *n, char *why, size_t why_bytes)
{
    struct store *s = check_calloc(1, sizeof *s);
    enum store_result r = database_open(&s->database, &repaired_database, directory, options);

    if (r == STORE_OK)
        r = schema_load_numbers(s);
    if (r != STORE_OK)
        store_say(why, why_bytes, "%s", s->database.why);
    database_close(&s->database);
    free(s);
    return drop(n->repaired_wal, why, why_bytes) == STORE_OK ? r : STORE_FAILED;
}

/* Each step may have been done by an earlier process, or undone by a power cut. */
static enum store_result put_in_place(const char *directory, const struct names *n, char *why,
                                      size_t why_bytes)
{
    enum store_result r = drop(n->aside, why, why_bytes);

    if (r == STORE_OK && link(n->log, n->aside) != 0)
        r = say_failed(why, why_bytes, "keep the damaged database as", n->aside);
    if (r == STORE_OK)
        r = drop(n->wal, why, why_bytes);
    if (r == STORE_OK)
        r = directory_sync(directory, why, why_bytes);
    if (r == STORE_OK && rename(n->repaired, n->log) != 0)
        r = say_failed(why, why_bytes, "rename", n->repaired);
    return r == STORE_OK ? directory_sync(directory, why, why_bytes) : r;
}

enum store_result repair_go_on(const char *directory, const struct store_options *options,
                               char *why, size_t why_bytes)
{
    struct names n;
    enum store_result r = name_all(directory, &n, why, why_bytes);

    if (r != STORE_OK || !directory_has(n.repaired))
        return r;
    r = judge_repaired(directory, options, &n, why, why_bytes);
    if (r == STORE_OK)
        return put_in_place(directory, &n, why, why_bytes);
    if (r == STORE_FULL || r == STORE_FAILED || !directory_has(n.wal))
        return r;
    /* Damaged in its turn; but the old one is as it was, and can be repaired again. */
    r = drop(n.repaired, why, why_bytes);
    return r == STORE_OK ? directory_sync(directory, why, why_bytes) : r;
}

/* ---- both ---- */

static enum store_result repair(struct store *s, const char *directory,
                                const struct store_options *options)
{
    struct database *d = &s->database;
    enum store_result r = take_stock(s, directory, options);

    log_drop_statements(s);
    database_close(d);
    if (r == STORE_OK)
        r = database_create(&repaired_database, directory, options->vfs, schema_create_anew, s,
                            d->why, sizeof d->why);
    return r == STORE_OK ? repair_go_on(directory, options, d->why, sizeof d->why) : r;
}

enum store_result store_repair(const char *directory, const struct store_options *options,
                               char *why, size_t why_bytes)
{
    static const struct store_options defaults;
    struct store *s = check_calloc(1, sizeof *s);
    enum store_result r;

    s->lock = -1;
    r = repair(s, directory, options == NULL ? &defaults : options);
    store_say(why, why_bytes, "%s", s->database.why);
    if (s->lock >= 0)
        close(s->lock);
    free(s);
    return r;
}
