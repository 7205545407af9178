/* schema.c - the tables, who wrote them, and what they say at opening
 * (docs/storage-format.md).
 *
 * Each row carries a checksum of its own (XXH3): SQLite has none for pages that
 * have left the -wal, so a bit that flips there is found here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordd/storage/internal.h"
#include "libcoord/base/hash.h"

static const char SCHEMA[] =
    "CREATE TABLE identity (one INTEGER PRIMARY KEY CHECK (one = 1), cell BLOB NOT NULL,"
    " cell_name TEXT NOT NULL, self INTEGER NOT NULL, incarnation INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL);"
    "CREATE TABLE member (position INTEGER PRIMARY KEY, id INTEGER NOT NULL,"
    " address TEXT NOT NULL);"
    "CREATE TABLE number (name INTEGER PRIMARY KEY, value INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL);"
    "CREATE TABLE log (slot INTEGER PRIMARY KEY, ballot INTEGER NOT NULL,"
    " kind INTEGER NOT NULL, chosen INTEGER NOT NULL, checksum INTEGER NOT NULL,"
    " value BLOB NOT NULL);";

/* ---- checksums ---- */

sqlite3_int64 schema_number_checksum(uint32_t name, uint64_t value)
{
    struct buffer b = BUFFER_INIT;
    uint64_t sum;

    buffer_put_u64(&b, value);
    sum = hash_bytes(name, buffer_slice(&b));
    buffer_release(&b);
    return (sqlite3_int64)sum;
}

static sqlite3_int64 identity_checksum(const struct store_identity *identity)
{
    struct buffer b = BUFFER_INIT;
    uint64_t sum;

    buffer_put(&b, identity->cell, sizeof identity->cell);
    buffer_put_slice(&b, slice_of_string(identity->cell_name));
    buffer_put_u32(&b, identity->self);
    buffer_put_u64(&b, identity->incarnation);
    for (uint32_t i = 0; i < identity->members_count; i++) {
        buffer_put_u32(&b, identity->members[i].id);
        buffer_put_slice(&b, slice_of_string(identity->members[i].address));
    }
    sum = hash_bytes(0, buffer_slice(&b));
    buffer_release(&b);
    return (sqlite3_int64)sum;
}

/* ---- writing ---- */

/* Runs a statement whose parameters are bound, and drops it. */
static int finish(sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    int dropped = sqlite3_finalize(statement);

    return rc == SQLITE_DONE ? dropped : rc;
}

static int create_members(sqlite3 *db, const struct store_identity *identity)
{
    int rc = SQLITE_OK;

    for (uint32_t i = 0; rc == SQLITE_OK && i < identity->members_count; i++) {
        sqlite3_stmt *insert;

        rc = sqlite3_prepare_v2(db, "INSERT INTO member VALUES (?, ?, ?)", -1, &insert, NULL);
        if (rc != SQLITE_OK)
            break;
        sqlite3_bind_int64(insert, 1, i + 1);
        sqlite3_bind_int64(insert, 2, identity->members[i].id);
        sqlite3_bind_text(insert, 3, identity->members[i].address, -1, SQLITE_STATIC);
        rc = finish(insert);
    }
    return rc;
}

static int create_identity(sqlite3 *db, const struct store_identity *identity)
{
    sqlite3_stmt *insert;
    int rc =
        sqlite3_prepare_v2(db, "INSERT INTO identity VALUES (1, ?, ?, ?, ?, ?)", -1, &insert, NULL);

    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_blob(insert, 1, identity->cell, sizeof identity->cell, SQLITE_STATIC);
    sqlite3_bind_text(insert, 2, identity->cell_name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 3, identity->self);
    sqlite3_bind_int64(insert, 4, (sqlite3_int64)identity->incarnation);
    sqlite3_bind_int64(insert, 5, identity_checksum(identity));
    return finish(insert);
}

int schema_create(sqlite3 *db, const void *identity)
{
    int rc = database_execute(db, SCHEMA);

    if (rc == SQLITE_OK)
        rc = create_identity(db, identity);
    return rc == SQLITE_OK ? create_members(db, identity) : rc;
}

static int create_number(sqlite3 *db, uint32_t name, uint64_t value)
{
    sqlite3_stmt *insert;
    int rc = sqlite3_prepare_v2(db, "INSERT INTO number VALUES (?, ?, ?)", -1, &insert, NULL);

    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_int64(insert, 1, name);
    sqlite3_bind_int64(insert, 2, (sqlite3_int64)value);
    sqlite3_bind_int64(insert, 3, schema_number_checksum(name, value));
    return finish(insert);
}

int schema_create_anew(sqlite3 *db, const void *store)
{
    const struct store *s = store;
    const struct {
        uint32_t name;
        uint64_t value;
    } numbers[] = {
        {STORE_NUMBER_PROMISED, s->promised},
        {STORE_NUMBER_LEASE_MS, s->lease_ms},
        {STORE_NUMBER_USED, s->used},
        {STORE_NUMBER_FLOOR, s->floor},
        {STORE_NUMBER_UNREADABLE, s->unreadable},
    };
    int rc = schema_create(db, &s->identity);

    for (size_t i = 0; rc == SQLITE_OK && i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i].value != 0)
            rc = create_number(db, numbers[i].name, numbers[i].value);
    return rc;
}

/* ---- reading ---- */

/* A statement of ours that SQLite does not understand: the text of a table is damaged. */
int schema_error(int rc)
{
    return rc == SQLITE_ERROR ? SQLITE_CORRUPT : rc;
}

static enum store_result damaged(struct store *s, const char *what)
{
    store_say(s->database.why, sizeof s->database.why, "%s: the checksum of %s is wrong",
              s->database.kind->file, what);
    return STORE_CORRUPT;
}

/* False if it does not fit. */
static bool take_text(sqlite3_stmt *row, int column, char *to, size_t bytes)
{
    const unsigned char *text = sqlite3_column_text(row, column);
    size_t length = (size_t)sqlite3_column_bytes(row, column);

    if (text == NULL || length >= bytes)
        return false;
    memcpy(to, text, length);
    to[length] = '\0';
    return true;
}

static int load_identity(struct store *s, bool *sound, sqlite3_int64 *checksum)
{
    struct store_identity *identity = &s->identity;
    sqlite3_stmt *row;
    int rc = sqlite3_prepare_v2(s->database.db,
                                "SELECT cell, cell_name, self, incarnation, checksum"
                                " FROM identity WHERE one = 1",
                                -1, &row, NULL);

    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(row);
    *sound = rc == SQLITE_ROW && sqlite3_column_bytes(row, 0) == REPLICA_CELL_ID_BYTES &&
             take_text(row, 1, identity->cell_name, sizeof identity->cell_name);
    if (*sound) {
        memcpy(identity->cell, sqlite3_column_blob(row, 0), REPLICA_CELL_ID_BYTES);
        identity->self = (uint32_t)sqlite3_column_int64(row, 2);
        identity->incarnation = (uint64_t)sqlite3_column_int64(row, 3);
        *checksum = sqlite3_column_int64(row, 4);
    }
    sqlite3_finalize(row);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int load_members(struct store *s, bool *sound)
{
    struct store_identity *identity = &s->identity;
    sqlite3_stmt *row;
    int rc = sqlite3_prepare_v2(s->database.db, "SELECT id, address FROM member ORDER BY position",
                                -1, &row, NULL);

    if (rc != SQLITE_OK)
        return rc;
    while ((rc = sqlite3_step(row)) == SQLITE_ROW && *sound) {
        struct replica_member *member = &identity->members[identity->members_count];

        *sound = identity->members_count < REPLICA_MEMBERS_MAX &&
                 take_text(row, 1, member->address, sizeof member->address);
        if (*sound) {
            member->id = (uint32_t)sqlite3_column_int64(row, 0);
            identity->members_count++;
        }
    }
    sqlite3_finalize(row);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int load_numbers(struct store *s, bool *sound)
{
    sqlite3_stmt *row;
    int rc = sqlite3_prepare_v2(s->database.db, "SELECT name, value, checksum FROM number", -1,
                                &row, NULL);

    if (rc != SQLITE_OK)
        return rc;
    while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
        uint32_t name = (uint32_t)sqlite3_column_int64(row, 0);
        uint64_t value = (uint64_t)sqlite3_column_int64(row, 1);
        uint64_t *const places[] = {
            [STORE_NUMBER_PROMISED] = &s->promised, [STORE_NUMBER_LEASE_MS] = &s->lease_ms,
            [STORE_NUMBER_USED] = &s->used,         [STORE_NUMBER_THROUGH] = &s->through,
            [STORE_NUMBER_FLOOR] = &s->floor,       [STORE_NUMBER_UNREADABLE] = &s->unreadable,
        };

        if (sqlite3_column_int64(row, 2) != schema_number_checksum(name, value) || name == 0 ||
            name >= sizeof places / sizeof places[0])
            *sound = false;
        else
            *places[name] = value;
    }
    sqlite3_finalize(row);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Where the rows begin and end. A log without any, or with dead ones only, ends at
 * its floor. */
static void take_range(sqlite3_stmt *row, void *store)
{
    struct store *s = store;
    uint64_t first = (uint64_t)sqlite3_column_int64(row, 0); /* 0 for NULL */
    uint64_t last = (uint64_t)sqlite3_column_int64(row, 1);

    s->last_slot = last > s->floor ? last : s->floor;
    if (s->last_slot < s->unreadable)
        s->last_slot = s->unreadable;
    s->trimmed = first == 0 || first > s->floor ? s->floor : first - 1;
}

static int load_range(struct store *s)
{
    /* Two questions: SQLite answers each from an end of the table. */
    return database_ask(s->database.db,
                        "SELECT (SELECT min(slot) FROM log), (SELECT max(slot) FROM log)",
                        take_range, s);
}

static void take_verdict(sqlite3_stmt *row, void *sound)
{
    *(bool *)sound = strcmp((const char *)sqlite3_column_text(row, 0), "ok") == 0;
}

/* A page that lost a row would still be a sound page of rows with right checksums; but
 * what it lost is free space then that it does not know of. */
static int check_numbers(struct store *s, bool *sound)
{
    bool whole = true;
    int rc = database_ask(s->database.db, "PRAGMA quick_check(number)", take_verdict, &whole);

    *sound = *sound && whole;
    return rc;
}

enum store_result schema_load_numbers(struct store *s)
{
    bool sound = true;
    sqlite3_int64 checksum = 0;
    int rc = load_identity(s, &sound, &checksum);

    if (rc == SQLITE_OK)
        rc = load_members(s, &sound);
    if (rc != SQLITE_OK)
        return database_judge(&s->database, schema_error(rc), "read the identity");
    if (!sound || checksum != identity_checksum(&s->identity))
        return damaged(s, "the identity");
    rc = load_numbers(s, &sound);
    if (rc == SQLITE_OK)
        rc = check_numbers(s, &sound);
    if (rc != SQLITE_OK)
        return database_judge(&s->database, schema_error(rc), "read the numbers");
    if (!sound)
        return damaged(s, "a number (promise, lease, use, length or floor of the log)");
    return STORE_OK;
}

/* The text of the tables, as it was given. */
static int check_tables(struct store *s, bool *sound)
{
    struct slice rest = slice_of_string(SCHEMA);
    sqlite3_stmt *row;
    int rc = sqlite3_prepare_v2(s->database.db, "SELECT sql FROM sqlite_schema ORDER BY rowid", -1,
                                &row, NULL);

    if (rc != SQLITE_OK)
        return rc;
    while ((rc = sqlite3_step(row)) == SQLITE_ROW && *sound) {
        const void *text = sqlite3_column_blob(row, 0);
        size_t length = (size_t)sqlite3_column_bytes(row, 0);

        *sound = text != NULL && length < rest.length && memcmp(text, rest.data, length) == 0 &&
                 rest.data[length] == ';';
        if (*sound)
            rest = slice_of(rest.data + length + 1, rest.length - length - 1);
    }
    sqlite3_finalize(row);
    *sound = *sound && rest.length == 0;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* What quick_check says of the pages. A page that could not be read is told among the
 * damages, with SQLite's code: that is no damage. */
static bool judge_text(struct database *d, const char *text, int *rc)
{
    static const char mark[] = "error code=";
    const char *code = strstr(text, mark);

    if (strcmp(text, "ok") == 0)
        return true;
    store_say(d->why, sizeof d->why, "%s: %.150s", d->kind->file, text);
    if (code != NULL && (strtol(code + strlen(mark), NULL, 10) & 0xff) == SQLITE_IOERR)
        *rc = SQLITE_IOERR;
    return false;
}

/* Every page belongs to one table or to the free ones, and once: a list of free pages
 * that is damaged would have a page that is in use written over. */
enum store_result schema_check_pages(struct store *s)
{
    struct database *d = &s->database;
    bool sound = true;
    sqlite3_stmt *row;
    int rc = check_tables(s, &sound);

    if (rc == SQLITE_OK && !sound) {
        store_say(d->why, sizeof d->why, "%s: the text of a table is damaged", d->kind->file);
        return STORE_CORRUPT;
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(d->db, "PRAGMA quick_check(1)", -1, &row, NULL);
    if (rc != SQLITE_OK)
        return database_judge(d, schema_error(rc), "check the pages of");
    rc = sqlite3_step(row);
    if (rc == SQLITE_ROW)
        sound = judge_text(d, (const char *)sqlite3_column_text(row, 0), &rc);
    sqlite3_finalize(row);
    if (rc != SQLITE_ROW)
        return database_judge(d, rc, "check the pages of");
    return sound ? STORE_OK : STORE_CORRUPT;
}

enum store_result schema_load_range(struct store *s)
{
    int rc = load_range(s);

    if (rc != SQLITE_OK)
        return database_judge(&s->database, schema_error(rc), "read the log's end");
    if (s->last_slot < s->through) {
        store_say(s->database.why, sizeof s->database.why,
                  "%s: slot %llu is missing, the log once reached to slot %llu",
                  s->database.kind->file, (unsigned long long)s->last_slot + 1,
                  (unsigned long long)s->through);
        return STORE_CORRUPT;
    }
    return STORE_OK;
}
