/* checkpoint_reader.c - reading a checkpoint: as a whole at the start, or piece
 * by piece through a connection of its own, whose open transaction is what keeps
 * later checkpoints out of sight. Invariants: internal.h. */
#include <stdlib.h>
#include <string.h>

#include "coordd/replica/chunk.h"
#include "coordd/storage/checkpoint_internal.h"
#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"

enum { READER_CACHE_KIB = 512 };

struct checkpoint_reader {
    struct checkpoint *checkpoint; /* borrowed */
    sqlite3 *db;                   /* owned; NULL once all was read */
    sqlite3_stmt *rows;            /* owned; stands on what was read last */
    uint64_t slot;
    struct buffer about;
    struct buffer key; /* read last */
    bool begun;
};

sqlite3_int64 record_checksum(struct slice key, struct slice value)
{
    return (sqlite3_int64)hash_bytes(hash_bytes(0, key), value);
}

enum store_result record_take(struct checkpoint *c, sqlite3_stmt *row, struct slice *ret_key,
                              struct slice *ret_value)
{
    struct database *d = &c->database;
    const void *key = sqlite3_column_blob(row, 0), *value = sqlite3_column_blob(row, 1);
    struct slice k = slice_of(key, (size_t)sqlite3_column_bytes(row, 0));
    struct slice v = slice_of(value, (size_t)sqlite3_column_bytes(row, 1));
    char hex[2 * 24 + 1];

    if ((key == NULL && k.length != 0) || (value == NULL && v.length != 0)) {
        (void)database_judge(d, SQLITE_NOMEM, "read a record of");
        return STORE_FAILED;
    }
    if (sqlite3_column_int64(row, 2) == record_checksum(k, v)) {
        *ret_key = k;
        *ret_value = v;
        return STORE_OK;
    }
    hex_encode(k.data, k.length < 24 ? k.length : 24, hex);
    store_say(d->why, sizeof d->why, "%s: the record %s%s has a wrong checksum", d->kind->file, hex,
              k.length > 24 ? "..." : "");
    d->failed = true;
    return STORE_CORRUPT;
}

/* Keys rise: else pages were mixed up. */
static enum store_result take_next(struct checkpoint *c, sqlite3_stmt *row, bool first,
                                   struct buffer *last_key, struct slice *ret_key,
                                   struct slice *ret_value)
{
    enum store_result r = record_take(c, row, ret_key, ret_value);

    if (r != STORE_OK)
        return r;
    if (!first && slice_compare(buffer_slice(last_key), *ret_key) >= 0) {
        store_say(c->database.why, sizeof c->database.why, "%s: records are out of order",
                  c->database.kind->file);
        c->database.failed = true;
        return STORE_CORRUPT;
    }
    buffer_clear(last_key);
    buffer_put(last_key, ret_key->data, ret_key->length);
    return STORE_OK;
}

/* ---- all at once ---- */

enum store_result checkpoint_load(struct checkpoint *c, checkpoint_take_record *take, void *context)
{
    struct buffer last_key = BUFFER_INIT;
    enum store_result r = STORE_OK;
    bool more = true, first = true;
    sqlite3_stmt *row;
    int rc;

    if (c->database.failed)
        return STORE_FAILED;
    rc = sqlite3_prepare_v2(c->database.db, RECORDS_IN_ORDER, -1, &row, NULL);
    if (rc != SQLITE_OK)
        return database_judge(&c->database, rc, "read the records of");
    while (r == STORE_OK && more && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        struct slice key, value;

        r = take_next(c, row, first, &last_key, &key, &value);
        if (r == STORE_OK)
            more = take(context, key, value);
        first = false;
    }
    sqlite3_finalize(row);
    buffer_release(&last_key);
    if (r == STORE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE)
        r = database_judge(&c->database, rc, "read the records of");
    return r;
}

/* ---- piece by piece ---- */

static int connect(struct checkpoint_reader *r)
{
    const struct checkpoint *c = r->checkpoint;
    const char *vfs = c->vfs != NULL ? c->vfs : state_database.vfs;
    char cache[64];
    /* Not READONLY: even a reader takes its place in the index of the -wal. */
    int rc = sqlite3_open_v2(c->path, &r->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, vfs);

    if (rc != SQLITE_OK)
        return rc;
    sqlite3_extended_result_codes(r->db, 1);
    sqlite3_db_config(r->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(r->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(r->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_snprintf(sizeof cache, cache, "PRAGMA cache_size=-%d", READER_CACHE_KIB);
    rc = database_execute(r->db, "PRAGMA query_only=ON; PRAGMA mmap_size=0; BEGIN");
    if (rc == SQLITE_OK)
        rc = database_execute(r->db, cache);
    return rc;
}

static void disconnect(struct checkpoint_reader *r)
{
    if (r->db == NULL)
        return;
    sqlite3_finalize(r->rows);
    CHECK(sqlite3_close(r->db) == SQLITE_OK);
    r->rows = NULL;
    r->db = NULL;
}

enum store_result checkpoint_reader_open(struct checkpoint *c, struct checkpoint_reader **ret)
{
    struct checkpoint_reader *reader;
    enum store_result r = STORE_OK;
    int rc;

    if (c->database.failed)
        return STORE_FAILED;
    reader = check_calloc(1, sizeof *reader);
    reader->checkpoint = c;
    c->readers++;
    rc = connect(reader);
    if (rc == SQLITE_OK) /* from here on it sees one checkpoint */
        r = about_load(c, reader->db, &reader->slot, &reader->about);
    if (rc == SQLITE_OK && r == STORE_OK)
        rc = sqlite3_prepare_v2(reader->db, RECORDS_IN_ORDER, -1, &reader->rows, NULL);
    if (rc != SQLITE_OK)
        r = database_judge(&c->database, rc, "open a reader of");
    if (r != STORE_OK) {
        checkpoint_reader_close(reader);
        return r;
    }
    *ret = reader;
    return STORE_OK;
}

void checkpoint_reader_close(struct checkpoint_reader *r)
{
    if (r == NULL)
        return;
    disconnect(r);
    r->checkpoint->readers--;
    buffer_release(&r->about);
    buffer_release(&r->key);
    free(r);
}

uint64_t checkpoint_reader_slot(const struct checkpoint_reader *r)
{
    return r->slot;
}

struct slice checkpoint_reader_about(const struct checkpoint_reader *r)
{
    return buffer_slice(&r->about);
}

enum store_result checkpoint_reader_next(struct checkpoint_reader *r, uint64_t bytes_max,
                                         struct buffer *chunk, bool *ret_last)
{
    size_t before = chunk->length;
    enum store_result result = STORE_OK;
    int rc = SQLITE_ROW;

    if (r->checkpoint->database.failed)
        return STORE_FAILED;
    while (r->db != NULL && chunk->length - before < bytes_max &&
           (rc = sqlite3_step(r->rows)) == SQLITE_ROW) {
        struct slice key, value;

        result = take_next(r->checkpoint, r->rows, !r->begun, &r->key, &key, &value);
        if (result != STORE_OK)
            return result;
        chunk_put(chunk, key, value);
        r->begun = true;
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return database_judge(&r->checkpoint->database, rc, "read the records of");
    if (rc == SQLITE_DONE)
        disconnect(r);
    *ret_last = r->db == NULL;
    return STORE_OK;
}
