/* log.c - what a running replica does with its directory: commit, read, and
 * move the -wal into the database. Invariants: internal.h. */
#include <string.h>

#include "coordd/storage/internal.h"
#include "coordd/storage/wal_scan.h"
#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"

/* What a transaction will have changed in the struct once it is committed. */
struct pending {
    uint64_t promised, lease_ms, used, through, last_slot;
};

enum store_result log_judge(struct store *s, int rc, const char *doing)
{
    int kind = rc & 0xff;

    if (rc == SQLITE_OK)
        return STORE_OK;
    store_say(s->why, sizeof s->why, "%s: cannot %s: %s (SQLite %d)", STORE_FILE, doing,
              sqlite3_errstr(rc), rc);
    if (kind == SQLITE_FULL)
        return STORE_FULL;
    if (kind == SQLITE_BUSY)
        return STORE_LOCKED; /* at opening only: afterwards the database is ours alone */
    s->failed = true;
    return kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB ? STORE_CORRUPT : STORE_FAILED;
}

static int after_commit(void *context, sqlite3 *db, const char *name, int frames)
{
    struct store *s = context;

    (void)db;
    (void)name;
    s->wal_frames = (uint32_t)frames;
    s->moved = false;
    return SQLITE_OK;
}

int log_prepare(struct store *s)
{
    const struct {
        sqlite3_stmt **statement;
        const char *sql;
    } all[] = {
        {&s->begin, "BEGIN IMMEDIATE"},
        {&s->commit, "COMMIT"},
        {&s->rollback, "ROLLBACK"},
        {&s->put_entry, "INSERT OR REPLACE INTO log (slot, ballot, kind, chosen, checksum, value)"
                        " VALUES (?, ?, ?, ?, ?, ?)"},
        {&s->put_number, "INSERT OR REPLACE INTO number (name, value, checksum)"
                         " VALUES (?, ?, ?)"},
        {&s->read, "SELECT slot, ballot, kind, chosen, checksum, value FROM log"
                   " WHERE slot >= ? AND slot <= ? ORDER BY slot"},
    };
    int rc = SQLITE_OK;

    for (size_t i = 0; rc == SQLITE_OK && i < sizeof all / sizeof all[0]; i++)
        rc = sqlite3_prepare_v3(s->db, all[i].sql, -1, SQLITE_PREPARE_PERSISTENT, all[i].statement,
                                NULL);
    /* Takes the place of SQLite's own checkpoints, which come in the middle of a commit. */
    sqlite3_wal_hook(s->db, after_commit, s);
    return rc;
}

/* Runs a statement that yields no rows, and makes it ready again. */
static int run(sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);

    sqlite3_reset(statement);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* ---- transactions ---- */

static struct pending begin(struct store *s, int *rc)
{
    *rc = run(s->begin);
    return (struct pending){s->promised, s->lease_ms, s->used, s->through, s->last_slot};
}

/* Frames of a transaction that was rolled back must go (wal_scan.h). */
static int wipe_unfinished(struct store *s)
{
    sqlite3_file *wal = NULL;
    uint8_t salts[WAL_SALT_BYTES];
    int rc = sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);

    if (rc != SQLITE_OK || wal == NULL || wal->pMethods == NULL)
        return rc;
    if (!s->moved)
        return wal_wipe_behind(wal, s->wal_frames);
    rc = wal_salts(wal, salts);
    if (rc != SQLITE_OK || memcmp(salts, s->moved_salts, sizeof salts) == 0)
        return rc; /* it did not get as far as a new generation */
    return wal_wipe_behind(wal, 0);
}

/* Back to the last commit. Needs no space: it only overwrites. */
static enum store_result roll_back(struct store *s)
{
    int rc = SQLITE_OK;

    if (!sqlite3_get_autocommit(s->db))
        rc = run(s->rollback);
    if (rc == SQLITE_OK)
        rc = wipe_unfinished(s);
    if (rc == SQLITE_OK)
        return STORE_OK;
    s->failed = true;
    store_say(s->why, sizeof s->why, "%s: cannot roll back: %s (SQLite %d)", STORE_FILE,
              sqlite3_errstr(rc), rc);
    return STORE_FAILED;
}

/* COMMIT if all went well, else ROLLBACK. */
static enum store_result finish(struct store *s, int rc, const struct pending *pending,
                                const char *doing)
{
    enum store_result r;

    if (rc == SQLITE_OK)
        rc = run(s->commit);
    if (rc == SQLITE_OK) {
        s->promised = pending->promised;
        s->lease_ms = pending->lease_ms;
        s->used = pending->used;
        s->through = pending->through;
        s->last_slot = pending->last_slot;
        return STORE_OK;
    }
    r = log_judge(s, rc, doing);
    if (r == STORE_FULL && roll_back(s) != STORE_OK)
        return STORE_FAILED;
    return r;
}

static int put_number(struct store *s, uint32_t name, uint64_t value)
{
    sqlite3_bind_int64(s->put_number, 1, name);
    sqlite3_bind_int64(s->put_number, 2, (sqlite3_int64)value);
    sqlite3_bind_int64(s->put_number, 3, schema_number_checksum(name, value));
    return run(s->put_number);
}

/* Numbers that only rise: a lower one is not written. */
static int raise_number(struct store *s, uint32_t name, uint64_t value, uint64_t *now)
{
    if (value <= *now)
        return SQLITE_OK;
    *now = value;
    return put_number(s, name, value);
}

/* ---- entries ---- */

static sqlite3_int64 entry_checksum(const struct log_entry *entry, struct slice value)
{
    struct buffer head = BUFFER_INIT;
    uint64_t sum;

    buffer_put_u64(&head, entry->slot);
    buffer_put_u64(&head, entry->ballot);
    buffer_put_u32(&head, entry->kind);
    buffer_put_u64(&head, entry->chosen);
    sum = hash_bytes(hash_bytes(0, buffer_slice(&head)), value);
    buffer_release(&head);
    return (sqlite3_int64)sum;
}

static int put_entry(struct store *s, const struct log_entry *entry, uint64_t *last_slot)
{
    struct slice value = entry->value == NULL ? slice_of("", 0) : blob_slice(entry->value);
    int rc;

    CHECK(entry->slot >= 1 && entry->slot <= *last_slot + 1); /* else it could not be read again */
    CHECK(value.length <= STORE_VALUE_BYTES_MAX);
    sqlite3_bind_int64(s->put_entry, 1, (sqlite3_int64)entry->slot);
    sqlite3_bind_int64(s->put_entry, 2, (sqlite3_int64)entry->ballot);
    sqlite3_bind_int64(s->put_entry, 3, entry->kind);
    sqlite3_bind_int64(s->put_entry, 4, (sqlite3_int64)entry->chosen);
    sqlite3_bind_int64(s->put_entry, 5, entry_checksum(entry, value));
    /* An empty blob, not NULL, also where the slice has no data. */
    sqlite3_bind_blob(s->put_entry, 6, value.length == 0 ? "" : (const char *)value.data,
                      (int)value.length, SQLITE_STATIC);
    rc = run(s->put_entry);
    sqlite3_clear_bindings(s->put_entry); /* the value is only borrowed */
    if (entry->slot > *last_slot)
        *last_slot = entry->slot;
    return rc;
}

static bool is_persist(const struct effect *effect)
{
    return effect->kind == EFFECT_PERSIST_PROMISE || effect->kind == EFFECT_PERSIST_ENTRY ||
           effect->kind == EFFECT_PERSIST_LEASE;
}

static int put_effect(struct store *s, const struct effect *effect, struct pending *pending)
{
    switch (effect->kind) {
    case EFFECT_PERSIST_PROMISE:
        return raise_number(s, STORE_NUMBER_PROMISED, effect->ballot, &pending->promised);
    case EFFECT_PERSIST_LEASE:
        return raise_number(s, STORE_NUMBER_LEASE_MS, effect->lease_ms, &pending->lease_ms);
    case EFFECT_PERSIST_ENTRY:
        return put_entry(s, &effect->entry, &pending->last_slot);
    default:
        return SQLITE_OK;
    }
}

static enum store_result refuse_failed(struct store *s)
{
    (void)s; /* store_why still tells what happened first */
    return STORE_FAILED;
}

enum store_result store_commit(struct store *s, const struct effect *effects, uint32_t count)
{
    struct pending pending;
    uint32_t first = 0;
    int rc;

    if (s->failed)
        return refuse_failed(s);
    while (first < count && !is_persist(&effects[first]))
        first++;
    if (first == count)
        return STORE_OK;
    if (s->wal_frames >= STORE_WAL_FRAMES_MAX && !s->moved) {
        enum store_result r = log_checkpoint(s);

        if (r != STORE_OK && r != STORE_FULL)
            return r;
    }
    pending = begin(s, &rc);
    for (uint32_t i = first; rc == SQLITE_OK && i < count; i++)
        rc = put_effect(s, &effects[i], &pending);
    return finish(s, rc, &pending, "commit");
}

enum store_result store_mark_used(struct store *s)
{
    struct pending pending;
    int rc;

    if (s->failed)
        return refuse_failed(s);
    if (s->used != 0)
        return STORE_OK;
    pending = begin(s, &rc);
    if (rc == SQLITE_OK)
        rc = raise_number(s, STORE_NUMBER_USED, 1, &pending.used);
    return finish(s, rc, &pending, "note that it is in use");
}

/* ---- reading ---- */

static enum store_result bad_slot(struct store *s, uint64_t slot, const char *what)
{
    store_say(s->why, sizeof s->why, "%s: slot %llu %s", STORE_FILE, (unsigned long long)slot,
              what);
    return STORE_CORRUPT;
}

/* The row that `read` stands on. */
static enum store_result take_row(struct store *s, uint64_t expected, struct log_entry *ret)
{
    sqlite3_stmt *row = s->read;
    struct log_entry entry = {
        .slot = (uint64_t)sqlite3_column_int64(row, 0),
        .ballot = (uint64_t)sqlite3_column_int64(row, 1),
        .kind = (uint32_t)sqlite3_column_int64(row, 2),
        .chosen = (uint64_t)sqlite3_column_int64(row, 3),
    };
    const void *data = sqlite3_column_blob(row, 5);
    struct slice value = slice_of(data, (size_t)sqlite3_column_bytes(row, 5));

    if (entry.slot != expected)
        return bad_slot(s, expected, "is missing");
    if (data == NULL && value.length != 0)
        return log_judge(s, SQLITE_NOMEM, "read a value");
    if (sqlite3_column_int64(row, 4) != entry_checksum(&entry, value))
        return bad_slot(s, expected, "has a wrong checksum");
    entry.value = blob_copy(value);
    *ret = entry;
    return STORE_OK;
}

enum store_result store_read(struct store *s, uint64_t first, uint64_t last, uint64_t bytes_max,
                             store_take_entry *take, void *context)
{
    enum store_result r = STORE_OK;
    uint64_t bytes = 0, next = first == 0 ? 1 : first;
    bool more = true;
    int rc = SQLITE_DONE;

    if (s->failed)
        return refuse_failed(s);
    if (last > s->last_slot)
        last = s->last_slot;
    if (next > last)
        return STORE_OK;
    sqlite3_bind_int64(s->read, 1, (sqlite3_int64)next);
    sqlite3_bind_int64(s->read, 2, (sqlite3_int64)last);
    while (r == STORE_OK && more && (rc = sqlite3_step(s->read)) == SQLITE_ROW) {
        struct log_entry entry;

        r = take_row(s, next, &entry);
        if (r != STORE_OK)
            break;
        next++;
        bytes += entry.value->length;
        more = take(context, &entry) && (bytes_max == 0 || bytes < bytes_max);
        blob_unref(entry.value);
    }
    sqlite3_reset(s->read);
    if (r == STORE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE)
        return log_judge(s, rc, "read the log");
    if (r == STORE_OK && more && next <= last)
        return bad_slot(s, next, "is missing");
    return r;
}

/* ---- checkpoints ---- */

/* Notes how far the log reaches. Rows that leave the -wal lose its checksums: if
 * the database's end were lost, nothing else would tell. Written once the -wal
 * is empty, so that it begins anew (one more sync) here and not in a commit. */
static enum store_result note_through(struct store *s)
{
    struct pending pending;
    int rc;

    if (s->through == s->last_slot)
        return STORE_OK;
    pending = begin(s, &rc);
    if (rc == SQLITE_OK)
        rc = raise_number(s, STORE_NUMBER_THROUGH, s->last_slot, &pending.through);
    return finish(s, rc, &pending, "note the log's length");
}

enum store_result log_checkpoint(struct store *s)
{
    sqlite3_file *wal = NULL;
    int frames = 0, moved = 0;
    int rc = sqlite3_wal_checkpoint_v2(s->db, "main", SQLITE_CHECKPOINT_PASSIVE, &frames, &moved);

    if (rc == SQLITE_OK && moved != frames)
        rc = SQLITE_INTERNAL; /* there is no reader that could hold it up */
    if (rc == SQLITE_OK && frames > 0)
        rc = sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (rc == SQLITE_OK && frames > 0)
        rc = wal_salts(wal, s->moved_salts);
    if (rc != SQLITE_OK)
        return log_judge(s, rc, "move the -wal into it");
    s->moved = frames > 0;
    s->wal_frames = (uint32_t)frames;
    return note_through(s);
}

enum store_result store_maintain(struct store *s)
{
    if (s->failed)
        return refuse_failed(s);
    if (s->moved || s->wal_frames < s->checkpoint_frames)
        return STORE_OK;
    return log_checkpoint(s);
}
