/* checkpoint.c - see checkpoint.h. Invariants: internal.h.
 *
 * The connections share the index of the -wal in the memory of this process: the
 * VFS "unix-excl" does that, and needs no file that a full disk could refuse. */
#include "coordd/storage/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordd/replica/chunk.h"
#include "coordd/storage/checkpoint_internal.h"
#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"

enum { ABOUT_BYTES_MAX = 16 * 1024 * 1024 };

const struct database_kind state_database = {
    .file = "state.db",
    .vfs = "unix-excl",
    /* A -wal that one large checkpoint made long is cut when it begins anew. */
    .settings = "PRAGMA locking_mode=NORMAL; PRAGMA journal_size_limit=16777216",
    .gives_back = true,
    .application_id = 0x436f7273, /* "Cors" */
    .version = 1,
    .cache_kib = 8 * 1024,
    .has_readers = true,
};

static const char SCHEMA[] =
    "CREATE TABLE record (key BLOB PRIMARY KEY, value BLOB NOT NULL, checksum INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE about (one INTEGER PRIMARY KEY CHECK (one = 1), cell BLOB NOT NULL,"
    " self INTEGER NOT NULL, incarnation INTEGER NOT NULL, slot INTEGER NOT NULL,"
    " about BLOB NOT NULL, checksum INTEGER NOT NULL);";

static const char PUT_ABOUT[] = "INSERT OR REPLACE INTO about VALUES (1, ?, ?, ?, ?, ?, ?)";

static const void *blob_of(struct slice s)
{
    return s.length == 0 ? "" : (const char *)s.data; /* an empty blob, not NULL */
}

/* ---- the row `about` ---- */

static sqlite3_int64 about_checksum(const struct store_identity *of, uint64_t slot,
                                    struct slice about)
{
    struct buffer b = BUFFER_INIT;
    uint64_t sum;

    buffer_put(&b, of->cell, sizeof of->cell);
    buffer_put_u32(&b, of->self);
    buffer_put_u64(&b, of->incarnation);
    buffer_put_u64(&b, slot);
    buffer_put_slice(&b, about);
    sum = hash_bytes(0, buffer_slice(&b));
    buffer_release(&b);
    return (sqlite3_int64)sum;
}

static int put_about(sqlite3_stmt *put, const struct store_identity *of, uint64_t slot,
                     struct slice about)
{
    int rc;

    sqlite3_bind_blob(put, 1, of->cell, sizeof of->cell, SQLITE_STATIC);
    sqlite3_bind_int64(put, 2, of->self);
    sqlite3_bind_int64(put, 3, (sqlite3_int64)of->incarnation);
    sqlite3_bind_int64(put, 4, (sqlite3_int64)slot);
    sqlite3_bind_blob(put, 5, blob_of(about), (int)about.length, SQLITE_STATIC);
    sqlite3_bind_int64(put, 6, about_checksum(of, slot, about));
    rc = database_run(put);
    sqlite3_clear_bindings(put); /* all is only borrowed */
    return rc;
}

static enum store_result say_about(struct checkpoint *c, enum store_result r, const char *what)
{
    struct database *d = &c->database;

    store_say(d->why, sizeof d->why, "%s: %s", d->kind->file, what);
    d->failed = true;
    return r;
}

/* The row that `row` stands on. */
static enum store_result about_take(struct checkpoint *c, sqlite3_stmt *row, uint64_t *ret_slot,
                                    struct buffer *about)
{
    struct store_identity of = {.self = (uint32_t)sqlite3_column_int64(row, 1),
                                .incarnation = (uint64_t)sqlite3_column_int64(row, 2)};
    uint64_t slot = (uint64_t)sqlite3_column_int64(row, 3);
    const void *cell = sqlite3_column_blob(row, 0), *data = sqlite3_column_blob(row, 4);
    struct slice bytes = slice_of(data, (size_t)sqlite3_column_bytes(row, 4));

    if (sqlite3_column_bytes(row, 0) != sizeof of.cell || cell == NULL ||
        (data == NULL && bytes.length != 0))
        return say_about(c, STORE_CORRUPT, "what it says of itself is damaged");
    memcpy(of.cell, cell, sizeof of.cell);
    if (sqlite3_column_int64(row, 5) != about_checksum(&of, slot, bytes))
        return say_about(c, STORE_CORRUPT, "the checksum of what it says of itself is wrong");
    if (memcmp(of.cell, c->identity.cell, sizeof of.cell) != 0 || of.self != c->identity.self ||
        of.incarnation != c->identity.incarnation)
        return say_about(c, STORE_MISMATCH, "it belongs to another member's directory");
    *ret_slot = slot;
    buffer_clear(about);
    buffer_put(about, bytes.data, bytes.length);
    return STORE_OK;
}

enum store_result about_load(struct checkpoint *c, sqlite3 *db, uint64_t *ret_slot,
                             struct buffer *about)
{
    sqlite3_stmt *row;
    enum store_result r;
    int rc = sqlite3_prepare_v2(db,
                                "SELECT cell, self, incarnation, slot, about, checksum FROM about"
                                " WHERE one = 1",
                                -1, &row, NULL);

    if (rc != SQLITE_OK)
        return database_judge(&c->database, rc == SQLITE_ERROR ? SQLITE_CORRUPT : rc,
                              "read what it says of itself, of");
    rc = sqlite3_step(row);
    if (rc == SQLITE_ROW)
        r = about_take(c, row, ret_slot, about);
    else if (rc == SQLITE_DONE)
        r = say_about(c, STORE_CORRUPT, "what it says of itself is missing");
    else
        r = database_judge(&c->database, rc, "read what it says of itself, of");
    sqlite3_finalize(row);
    return r;
}

/* ---- opening ---- */

static int fill(sqlite3 *db, const void *identity)
{
    sqlite3_stmt *put;
    int rc = database_execute(db, SCHEMA);

    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, PUT_ABOUT, -1, &put, NULL);
    if (rc != SQLITE_OK)
        return rc;
    rc = put_about(put, identity, 0, slice_of("", 0));
    sqlite3_finalize(put);
    return rc;
}

static int prepare(struct checkpoint *c)
{
    const struct database_statement all[] = {
        {&c->put, "INSERT OR REPLACE INTO record (key, value, checksum) VALUES (?, ?, ?)"},
        {&c->remove, "DELETE FROM record WHERE key = ?"},
        {&c->clear, "DELETE FROM record"}, /* without WHERE: page by page, not row by row */
        {&c->put_about, PUT_ABOUT},
    };

    return database_prepare(&c->database, all, sizeof all / sizeof all[0]);
}

static enum store_result open_all(struct checkpoint *c, const char *directory,
                                  const struct store_options *options)
{
    struct database *d = &c->database;
    enum store_result r = database_open(d, &state_database, directory, options);
    int rc;

    /* Its header is destroyed, or another program's: it has no business here. What a
     * later version of ours has written stays as it is. */
    if (r == STORE_FOREIGN && strstr(d->why, "has format") == NULL)
        r = STORE_CORRUPT;
    if (r == STORE_OK)
        r = about_load(c, d->db, &c->slot, &c->about);
    if (r != STORE_OK)
        return r;
    rc = prepare(c);
    return rc == SQLITE_OK ? database_settle(d)
                           : database_judge(d, rc == SQLITE_ERROR ? SQLITE_CORRUPT : rc,
                                            "prepare statements for");
}

enum store_result checkpoint_open(const char *directory, const struct store_identity *identity,
                                  const struct store_options *options, struct checkpoint **ret,
                                  bool *ret_made, char *why, size_t why_bytes)
{
    static const struct store_options defaults;
    struct checkpoint *c = check_calloc(1, sizeof *c);
    enum store_result r;
    bool made = false;

    if (options == NULL)
        options = &defaults;
    c->identity = *identity;
    c->vfs = options->vfs;
    r = directory_path(directory, state_database.file, c->path, why, why_bytes);
    if (r == STORE_OK && !directory_has(c->path)) {
        made = true;
        r = database_create(&state_database, directory, options->vfs, fill, identity, why,
                            why_bytes);
    }
    if (r == STORE_OK) {
        r = open_all(c, directory, options);
        if (r != STORE_OK)
            store_say(why, why_bytes, "%s", c->database.why);
    }
    if (r != STORE_OK) {
        checkpoint_close(c);
        return r;
    }
    c->database.why[0] = '\0';
    if (ret_made != NULL)
        *ret_made = made;
    *ret = c;
    return STORE_OK;
}

void checkpoint_close(struct checkpoint *c)
{
    if (c == NULL)
        return;
    checkpoint_give_back(c);
    CHECK(c->readers == 0);
    sqlite3_finalize(c->put);
    sqlite3_finalize(c->remove);
    sqlite3_finalize(c->clear);
    sqlite3_finalize(c->put_about);
    database_close(&c->database);
    buffer_release(&c->about);
    free(c);
}

/* The database first: without it, nothing is made of a -wal that is left. */
enum store_result checkpoint_set_aside(const char *directory, char *why, size_t why_bytes)
{
    static const char *const names[][2] = {
        {"state.db", CHECKPOINT_DAMAGED},
        {"state.db-wal", CHECKPOINT_DAMAGED "-wal"},
    };
    char from[STORE_PATH_BYTES], to[STORE_PATH_BYTES];

    for (size_t i = 0; i < 2; i++) {
        enum store_result r = directory_path(directory, names[i][0], from, why, why_bytes);

        if (r == STORE_OK)
            r = directory_path(directory, names[i][1], to, why, why_bytes);
        if (r != STORE_OK)
            return r;
        if (directory_has(to) && unlink(to) != 0) {
            store_say(why, why_bytes, "cannot remove %s", to);
            return STORE_FAILED;
        }
        if (directory_has(from) && rename(from, to) != 0) {
            store_say(why, why_bytes, "cannot rename %s to %s", from, to);
            return STORE_FAILED;
        }
    }
    return directory_sync(directory, why, why_bytes);
}

/* ---- what it is ---- */

const char *checkpoint_why(const struct checkpoint *c)
{
    return c->database.why;
}

uint64_t checkpoint_slot(const struct checkpoint *c)
{
    return c->slot;
}

struct slice checkpoint_about(const struct checkpoint *c)
{
    return buffer_slice(&c->about);
}

/* ---- writing ---- */

/* It found no space: the next one has what it may have. */
static enum store_result lost(struct checkpoint *c, enum store_result r)
{
    checkpoint_give_back(c);
    c->hungry = r == STORE_FULL;
    return r;
}

/* Nothing is left of a transaction that found no space. */
static enum store_result judge_write(struct checkpoint *c, int rc, const char *doing)
{
    enum store_result r = database_judge(&c->database, rc, doing);

    if (r == STORE_OK)
        return r;
    c->writing = false;
    if (r == STORE_FULL && database_roll_back(&c->database) != STORE_OK)
        return STORE_FAILED;
    return lost(c, r);
}

enum store_result checkpoint_begin(struct checkpoint *c, bool whole)
{
    int rc;

    if (c->database.failed)
        return STORE_FAILED;
    CHECK(!c->writing);
    checkpoint_borrow(c);
    c->writing = true;
    rc = database_run(c->database.begin);
    if (rc == SQLITE_OK && whole)
        rc = database_run(c->clear);
    return judge_write(c, rc, "begin a checkpoint in");
}

static int put_record(struct checkpoint *c, const struct chunk_record *record)
{
    sqlite3_stmt *statement = record->removed ? c->remove : c->put;
    int rc;

    CHECK(record->value.length <= STORE_VALUE_BYTES_MAX);
    sqlite3_bind_blob(statement, 1, blob_of(record->key), (int)record->key.length, SQLITE_STATIC);
    if (!record->removed) {
        sqlite3_bind_blob(statement, 2, blob_of(record->value), (int)record->value.length,
                          SQLITE_STATIC);
        sqlite3_bind_int64(statement, 3, record_checksum(record->key, record->value));
    }
    rc = database_run(statement);
    sqlite3_clear_bindings(statement);
    return rc;
}

enum store_result checkpoint_put(struct checkpoint *c, struct slice chunk)
{
    struct reader reader = reader_of(chunk);
    struct chunk_record record;
    int rc = SQLITE_OK;

    if (c->database.failed)
        return STORE_FAILED;
    CHECK(c->writing);
    checkpoint_borrow(c);
    while (rc == SQLITE_OK && chunk_next(&reader, &record))
        rc = put_record(c, &record);
    CHECK(rc != SQLITE_OK || reader_done(&reader));
    checkpoint_note_wal(c);
    return judge_write(c, rc, "write a checkpoint to");
}

enum store_result checkpoint_commit(struct checkpoint *c, uint64_t slot, struct slice about)
{
    sqlite3_int64 before = -1;
    enum store_result r;
    int rc;

    if (c->database.failed)
        return STORE_FAILED;
    CHECK(c->writing && slot != 0 && about.length <= ABOUT_BYTES_MAX);
    c->writing = false;
    rc = put_about(c->put_about, &c->identity, slot, about);
    if (rc == SQLITE_OK)
        rc = checkpoint_make_room(c, &before);
    r = database_finish(&c->database, rc, "commit a checkpoint to");
    if (r == STORE_FULL && before >= 0 && checkpoint_cut_back(c, before) != STORE_OK)
        return lost(c, STORE_FAILED);
    if (r != STORE_OK)
        return lost(c, r);
    c->slot = slot;
    c->hungry = false;
    buffer_clear(&c->about);
    buffer_put(&c->about, about.data, about.length);
    return STORE_OK;
}

enum store_result checkpoint_abort(struct checkpoint *c)
{
    enum store_result r;

    if (c->database.failed)
        return STORE_FAILED;
    if (!c->writing)
        return STORE_OK;
    c->writing = false;
    r = database_roll_back(&c->database);
    checkpoint_give_back(c);
    return r;
}
