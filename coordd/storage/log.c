/* log.c - what a running replica does with log.db: commit, read, move the -wal
 * and delete what lies below the floor. Invariants: internal.h. */
#include <string.h>

#include "coordd/storage/internal.h"
#include "coordd/storage/reserve.h"
#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"

/* What a transaction will have changed in the struct once it is committed. */
struct pending {
    uint64_t promised, lease_ms, used, through, floor, trimmed, last_slot;
};

int log_prepare(struct store *s)
{
    const struct database_statement all[] = {
        {&s->put_entry, "INSERT OR REPLACE INTO log (slot, ballot, kind, chosen, checksum, value)"
                        " VALUES (?, ?, ?, ?, ?, ?)"},
        {&s->put_number, "INSERT OR REPLACE INTO number (name, value, checksum)"
                         " VALUES (?, ?, ?)"},
        {&s->read, "SELECT slot, ballot, kind, chosen, checksum, value FROM log"
                   " WHERE slot >= ? AND slot <= ? ORDER BY slot"},
        {&s->measure, "SELECT slot, length(value) FROM log"
                      " WHERE slot > ? AND slot <= ? ORDER BY slot LIMIT ?"},
        {&s->trim, "DELETE FROM log WHERE slot > ? AND slot <= ?"},
    };

    return database_prepare(&s->database, all, sizeof all / sizeof all[0]);
}

void log_drop_statements(struct store *s)
{
    sqlite3_stmt **const all[] = {&s->put_entry, &s->put_number, &s->read, &s->measure, &s->trim};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        sqlite3_finalize(*all[i]);
        *all[i] = NULL;
    }
}

/* ---- transactions ---- */

static struct pending begin(struct store *s, int *rc)
{
    *rc = database_run(s->database.begin);
    return (struct pending){s->promised, s->lease_ms, s->used,     s->through,
                            s->floor,    s->trimmed,  s->last_slot};
}

/* COMMIT if all went well, else ROLLBACK. */
static enum store_result finish(struct store *s, int rc, const struct pending *pending,
                                const char *doing)
{
    enum store_result r = database_finish(&s->database, rc, doing);

    if (r != STORE_OK)
        return r;
    s->promised = pending->promised;
    s->lease_ms = pending->lease_ms;
    s->used = pending->used;
    s->through = pending->through;
    s->floor = pending->floor;
    s->trimmed = pending->trimmed;
    s->last_slot = pending->last_slot;
    return STORE_OK;
}

static int put_number(struct store *s, uint32_t name, uint64_t value)
{
    sqlite3_bind_int64(s->put_number, 1, name);
    sqlite3_bind_int64(s->put_number, 2, (sqlite3_int64)value);
    sqlite3_bind_int64(s->put_number, 3, schema_number_checksum(name, value));
    return database_run(s->put_number);
}

/* Numbers that only rise: a lower one is not written. */
static int raise_number(struct store *s, uint32_t name, uint64_t value, uint64_t *now)
{
    if (value <= *now)
        return SQLITE_OK;
    *now = value;
    return put_number(s, name, value);
}

/* ---- upkeep ---- */

/* A bounded piece of what lies below the floor. Its pages are used again. */
static int trim(struct store *s, uint64_t *trimmed)
{
    uint64_t last = *trimmed, slots = 0, bytes = 0;
    int rc = SQLITE_ROW;

    sqlite3_bind_int64(s->measure, 1, (sqlite3_int64)*trimmed);
    sqlite3_bind_int64(s->measure, 2, (sqlite3_int64)s->floor);
    sqlite3_bind_int64(s->measure, 3, STORE_TRIM_SLOTS);
    while (bytes < STORE_TRIM_BYTES && (rc = sqlite3_step(s->measure)) == SQLITE_ROW) {
        last = (uint64_t)sqlite3_column_int64(s->measure, 0);
        bytes += (uint64_t)sqlite3_column_int64(s->measure, 1);
        slots++;
    }
    sqlite3_reset(s->measure);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return rc;
    if (rc == SQLITE_DONE && slots < STORE_TRIM_SLOTS)
        last = s->floor;
    sqlite3_bind_int64(s->trim, 1, (sqlite3_int64)*trimmed);
    sqlite3_bind_int64(s->trim, 2, (sqlite3_int64)last);
    *trimmed = last;
    return database_run(s->trim);
}

/* Rows that leave the -wal lose its checksums: if the database's end were lost,
 * nothing but the noted length would tell. Written once the -wal is empty, so
 * that it begins anew (one more sync) here and not in a commit. */
enum store_result log_note(struct store *s)
{
    struct pending pending;
    int rc;

    if (s->through == s->last_slot && s->trimmed == s->floor)
        return STORE_OK;
    pending = begin(s, &rc);
    if (rc == SQLITE_OK)
        rc = raise_number(s, STORE_NUMBER_THROUGH, s->last_slot, &pending.through);
    if (rc == SQLITE_OK && s->trimmed < s->floor)
        rc = trim(s, &pending.trimmed);
    return finish(s, rc, &pending, "note the log's length and trim it");
}

static enum store_result upkeep(struct store *s)
{
    enum store_result r = database_move_wal(&s->database);

    return r == STORE_OK ? log_note(s) : r;
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

static int put_entry(struct store *s, const struct log_entry *entry, struct pending *pending)
{
    struct slice value = entry->value == NULL ? slice_of("", 0) : blob_slice(entry->value);
    int rc;

    /* Else it could not be read again. */
    CHECK(entry->slot >= 1 && entry->slot <= pending->last_slot + 1);
    if (entry->slot <= pending->floor)
        return SQLITE_OK; /* nobody needs it */
    CHECK(value.length <= STORE_VALUE_BYTES_MAX);
    sqlite3_bind_int64(s->put_entry, 1, (sqlite3_int64)entry->slot);
    sqlite3_bind_int64(s->put_entry, 2, (sqlite3_int64)entry->ballot);
    sqlite3_bind_int64(s->put_entry, 3, entry->kind);
    sqlite3_bind_int64(s->put_entry, 4, (sqlite3_int64)entry->chosen);
    sqlite3_bind_int64(s->put_entry, 5, entry_checksum(entry, value));
    /* An empty blob, not NULL, also where the slice has no data. */
    sqlite3_bind_blob(s->put_entry, 6, value.length == 0 ? "" : (const char *)value.data,
                      (int)value.length, SQLITE_STATIC);
    rc = database_run(s->put_entry);
    sqlite3_clear_bindings(s->put_entry); /* the value is only borrowed */
    if (entry->slot > pending->last_slot)
        pending->last_slot = entry->slot;
    return rc;
}

/* If the log ended before the floor it begins anew behind it. */
static int put_floor(struct store *s, uint64_t floor, struct pending *pending)
{
    if (floor > pending->last_slot)
        pending->last_slot = floor;
    return raise_number(s, STORE_NUMBER_FLOOR, floor, &pending->floor);
}

static int put_effect(struct store *s, const struct effect *effect, struct pending *pending)
{
    switch (effect->kind) {
    case EFFECT_PERSIST_PROMISE:
        return raise_number(s, STORE_NUMBER_PROMISED, effect->ballot, &pending->promised);
    case EFFECT_PERSIST_LEASE:
        return raise_number(s, STORE_NUMBER_LEASE_MS, effect->lease_ms, &pending->lease_ms);
    case EFFECT_PERSIST_ENTRY:
        return put_entry(s, &effect->entry, pending);
    case EFFECT_PERSIST_FLOOR:
        return put_floor(s, effect->last_slot, pending);
    default:
        return SQLITE_OK;
    }
}

static enum store_result refuse_failed(struct store *s)
{
    (void)s; /* store_why still tells what happened first */
    return STORE_FAILED;
}

static enum store_result commit(struct store *s, const struct effect *effects, uint32_t count)
{
    struct pending pending;
    int rc;

    if (s->database.wal_frames >= STORE_WAL_FRAMES_MAX && !s->database.moved) {
        enum store_result r = upkeep(s);

        if (r != STORE_OK && r != STORE_FULL)
            return r;
    }
    pending = begin(s, &rc);
    for (uint32_t i = 0; rc == SQLITE_OK && i < count; i++)
        rc = put_effect(s, &effects[i], &pending);
    return finish(s, rc, &pending, "commit");
}

enum store_result store_commit(struct store *s, const struct effect *effects, uint32_t count)
{
    enum store_result r;
    uint32_t first = 0;

    if (s->database.failed)
        return refuse_failed(s);
    while (first < count && !store_persists(effects[first].kind))
        first++;
    if (first == count)
        return STORE_OK;
    do {
        r = commit(s, effects + first, count - first);
    } while (r == STORE_FULL && reserve_give(s->reserve, RESERVE_LOG));
    return r;
}

enum store_result store_mark_used(struct store *s)
{
    struct pending pending;
    enum store_result r;
    int rc;

    if (s->database.failed)
        return refuse_failed(s);
    if (s->used != 0)
        return STORE_OK;
    do {
        pending = begin(s, &rc);
        if (rc == SQLITE_OK)
            rc = raise_number(s, STORE_NUMBER_USED, 1, &pending.used);
        r = finish(s, rc, &pending, "note that it is in use");
    } while (r == STORE_FULL && reserve_give(s->reserve, RESERVE_LOG));
    return r;
}

/* ---- reading ---- */

static enum store_result bad_slot(struct store *s, uint64_t slot, const char *what)
{
    store_say(s->database.why, sizeof s->database.why, "%s: slot %llu %s", s->database.kind->file,
              (unsigned long long)slot, what);
    return STORE_CORRUPT;
}

/* All but the value, which is borrowed from the row. */
static struct log_entry row_entry(sqlite3_stmt *row, struct slice *ret_value)
{
    const void *data = sqlite3_column_blob(row, 5);

    *ret_value = slice_of(data, (size_t)sqlite3_column_bytes(row, 5));
    return (struct log_entry){
        .slot = (uint64_t)sqlite3_column_int64(row, 0),
        .ballot = (uint64_t)sqlite3_column_int64(row, 1),
        .kind = (uint32_t)sqlite3_column_int64(row, 2),
        .chosen = (uint64_t)sqlite3_column_int64(row, 3),
    };
}

bool log_row_is_sound(sqlite3_stmt *row)
{
    struct slice value;
    struct log_entry entry = row_entry(row, &value);

    return (value.data != NULL || value.length == 0) &&
           sqlite3_column_int64(row, 4) == entry_checksum(&entry, value);
}

/* The row that `read` stands on. */
static enum store_result take_row(struct store *s, uint64_t expected, struct log_entry *ret)
{
    struct slice value;
    struct log_entry entry = row_entry(s->read, &value);

    if (entry.slot != expected)
        return bad_slot(s, expected, "is missing");
    if (value.data == NULL && value.length != 0) {
        (void)database_judge(&s->database, SQLITE_NOMEM, "read a value of");
        return STORE_FAILED;
    }
    if (sqlite3_column_int64(s->read, 4) != entry_checksum(&entry, value))
        return bad_slot(s, expected, "has a wrong checksum");
    entry.value = blob_copy(value);
    *ret = entry;
    return STORE_OK;
}

enum store_result log_check_end(struct store *s)
{
    enum store_result r = STORE_OK;
    int rc;

    if (s->last_slot == s->floor || s->unreadable > s->floor)
        return STORE_OK;
    sqlite3_bind_int64(s->read, 1, (sqlite3_int64)s->last_slot);
    sqlite3_bind_int64(s->read, 2, (sqlite3_int64)s->last_slot);
    rc = sqlite3_step(s->read);
    if (rc == SQLITE_DONE)
        r = bad_slot(s, s->last_slot, "is missing");
    else if (rc != SQLITE_ROW)
        r = database_judge(&s->database, rc, "read the log's end");
    else if (!log_row_is_sound(s->read))
        r = bad_slot(s, s->last_slot, "has a wrong checksum");
    sqlite3_reset(s->read);
    return r;
}

enum store_result store_read(struct store *s, uint64_t first, uint64_t last, uint64_t bytes_max,
                             store_take_entry *take, void *context)
{
    enum store_result r = STORE_OK;
    uint64_t bytes = 0, next = first > s->floor ? first : s->floor + 1;
    bool more = true;
    int rc = SQLITE_DONE;

    if (s->database.failed)
        return refuse_failed(s);
    if (last > s->last_slot)
        last = s->last_slot;
    if (next > last || s->unreadable > s->floor)
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
        return database_judge(&s->database, rc, "read the log");
    if (r == STORE_OK && more && next <= last)
        return bad_slot(s, next, "is missing");
    return r;
}

enum store_result store_maintain(struct store *s)
{
    enum store_result r;

    if (s->database.failed)
        return refuse_failed(s);
    /* On a full disk what was cut gives way at once. */
    if ((s->database.moved || s->database.wal_frames < s->checkpoint_frames) &&
        (s->trimmed == s->floor || !reserve_is_low(s->reserve)))
        return STORE_OK;
    do {
        r = upkeep(s);
    } while (r == STORE_FULL && reserve_give(s->reserve, RESERVE_LOG));
    return r;
}
