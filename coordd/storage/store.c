/* store.c - making, opening and closing a directory. Invariants: internal.h. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordd/storage/internal.h"
#include "coordd/storage/reserve.h"
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

const struct database_kind log_database = {
    .file = "log.db",
    .settings = "PRAGMA locking_mode=EXCLUSIVE",
    .application_id = STORE_APPLICATION_ID,
    .version = STORE_VERSION,
    .cache_kib = 1024,
    .wal_bytes = STORE_WAL_BYTES,
};

/* ---- initialise ---- */

static bool names_itself(const struct store_identity *identity)
{
    for (uint32_t i = 0; i < identity->members_count; i++)
        if (identity->members[i].id == identity->self)
            return true;
    return false;
}

/* The directory is locked. */
static enum store_result initialise(const char *directory, const struct store_identity *identity,
                                    const char *vfs, char *why, size_t why_bytes)
{
    char path[STORE_PATH_BYTES];
    enum store_result r = directory_path(directory, log_database.file, path, why, why_bytes);

    if (r != STORE_OK)
        return r;
    if (directory_has(path)) {
        store_say(why, why_bytes, "%s exists: the directory is initialised already", path);
        return STORE_EXISTS;
    }
    r = directory_path(directory, STORE_LOG_REPAIRED, path, why, why_bytes);
    if (r == STORE_OK && directory_has(path)) {
        store_say(why, why_bytes, "%s exists: it belongs to a member that was here before", path);
        return STORE_EXISTS;
    }
    if (r != STORE_OK)
        return r;
    return database_create(&log_database, directory, vfs, schema_create, identity, why, why_bytes);
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

/* Nothing is locked, or made, in a directory that is not ours. */
static enum store_result lock(struct store *s, const char *directory)
{
    struct database *d = &s->database;
    char path[STORE_PATH_BYTES];
    enum store_result r = directory_path(directory, log_database.file, path, d->why, sizeof d->why);

    if (r != STORE_OK)
        return r;
    if (!directory_has(path)) {
        store_say(d->why, sizeof d->why,
                  "%s is not there: a new member needs `coordd init` first; one that has served "
                  "has lost its disk, or another is mounted, and must not be initialised again",
                  path);
        return STORE_NOT_INITIALISED;
    }
    return directory_lock(directory, &s->lock, d->why, sizeof d->why);
}

static enum store_result open_all(struct store *s, const char *directory,
                                  const struct store_options *options)
{
    enum store_result r = lock(s, directory);
    int rc;

    if (r == STORE_OK)
        r = repair_go_on(directory, options, s->database.why, sizeof s->database.why);
    if (r == STORE_OK)
        r = database_open(&s->database, &log_database, directory, options);
    if (r == STORE_OK)
        r = schema_load_numbers(s);
    if (r == STORE_OK)
        r = schema_check_pages(s);
    if (r == STORE_OK)
        r = schema_load_range(s);
    if (r != STORE_OK)
        return r;
    s->checkpoint_frames =
        options->checkpoint_frames != 0
            ? options->checkpoint_frames
            : STORE_CHECKPOINT_FRAMES +
                  STORE_CHECKPOINT_STEP * (s->identity.self % STORE_CHECKPOINT_STEPS);
    rc = log_prepare(s);
    if (rc != SQLITE_OK)
        return database_judge(&s->database, schema_error(rc), "prepare statements for");
    r = log_check_end(s);
    if (r == STORE_OK)
        s->reserve = reserve_open(directory, options->reserve_bytes);
    if (r == STORE_OK)
        r = database_settle(&s->database);
    if (r == STORE_OK)
        r = log_note(s);
    return r == STORE_FULL ? STORE_OK : r;
}

enum store_result store_open(const char *directory, const struct store_options *options,
                             struct store **ret, char *why, size_t why_bytes)
{
    struct store *s = check_calloc(1, sizeof *s);
    enum store_result r;

    s->lock = -1;
    r = open_all(s, directory, options == NULL ? &DEFAULTS : options);
    if (r != STORE_OK) {
        store_say(why, why_bytes, "%s", s->database.why);
        store_close(s);
        return r;
    }
    s->database.why[0] = '\0';
    *ret = s;
    return STORE_OK;
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    log_drop_statements(s);
    database_close(&s->database);
    reserve_close(s->reserve);
    if (s->lock >= 0)
        close(s->lock);
    free(s);
}

/* ---- what it is ---- */

struct reserve *store_reserve(const struct store *s)
{
    return s->reserve;
}

const char *store_why(const struct store *s)
{
    return s->database.why;
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
        .last_slot = s->last_slot,
        .log_damaged = s->unreadable > s->floor,
        .floor = s->floor,
    };
}

enum store_result store_expect(struct store *s, const uint8_t *cell, uint32_t self)
{
    char is[2 * REPLICA_CELL_ID_BYTES + 1], wanted[2 * REPLICA_CELL_ID_BYTES + 1];

    hex_encode(s->identity.cell, REPLICA_CELL_ID_BYTES, is);
    if (cell != NULL && memcmp(cell, s->identity.cell, REPLICA_CELL_ID_BYTES) != 0) {
        hex_encode(cell, REPLICA_CELL_ID_BYTES, wanted);
        store_say(s->database.why, sizeof s->database.why,
                  "the directory belongs to cell %s, not %s", is, wanted);
        return STORE_MISMATCH;
    }
    if (self != 0 && self != s->identity.self) {
        store_say(s->database.why, sizeof s->database.why,
                  "the directory belongs to member %u, not %u", s->identity.self, self);
        return STORE_MISMATCH;
    }
    return STORE_OK;
}
