/* fixture.c - see fixture.h. */
#define _GNU_SOURCE
#include "tests/storage/fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcoord/base/check.h"
#include "libcoord/base/prng.h"
#include "tests/support/runner.h"

void fixture_make(struct fixture *f)
{
    const char *parent = getenv("TMPDIR");

    /* In memory if possible: what a sync costs is not what is tested. */
    if (parent == NULL)
        parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    memset(f, 0, sizeof *f);
    snprintf(f->directory, sizeof f->directory - 16, "%s/coord-storage-XXXXXX", parent);
    CHECK(mkdtemp(f->directory) != NULL);
    f->options.wal_bytes = 256 * 1024;
}

void fixture_remove(struct fixture *f)
{
    char path[2 * FIXTURE_PATH_BYTES];
    DIR *entries = opendir(f->directory);
    struct dirent *entry;

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        snprintf(path, sizeof path, "%s/%.100s", f->directory, entry->d_name);
        unlink(path);
    }
    if (entries != NULL)
        closedir(entries);
    CU_ASSERT_EQUAL(rmdir(f->directory), 0);
}

struct store_identity fixture_identity(void)
{
    struct store_identity identity = {
        .cell_name = "test",
        .self = 2,
        .incarnation = 0xfedcba9876543210,
        .members = {{1, "localhost:1"}, {2, "localhost:2"}, {3, "[::1]:3"}},
        .members_count = 3,
    };
    memset(identity.cell, 0xc5, sizeof identity.cell);
    return identity;
}

enum store_result fixture_initialise(struct fixture *f)
{
    struct store_identity identity = fixture_identity();

    f->why[0] = '\0';
    return store_initialise(f->directory, &identity, &f->options, f->why, sizeof f->why);
}

struct store *fixture_open(struct fixture *f, enum store_result *ret)
{
    struct store *s = NULL;
    enum store_result r;

    f->why[0] = '\0';
    r = store_open(f->directory, &f->options, &s, f->why, sizeof f->why);
    if (ret != NULL)
        *ret = r;
    else if (r != STORE_OK)
        fprintf(stderr, "cannot open: %s: %s\n", store_result_text(r), f->why);
    return s;
}

struct store *fixture_reopen(struct fixture *f, struct store *s)
{
    store_close(s);
    s = fixture_open(f, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    return s;
}

struct replica_durable fixture_durable(const struct store *s)
{
    struct store_identity expected = fixture_identity();
    struct replica_durable durable;

    CU_ASSERT_EQUAL(memcmp(store_identity(s), &expected, sizeof expected), 0);
    store_durable(s, &durable);
    return durable;
}

struct store *fixture_start(struct fixture *f)
{
    struct store *s;

    CU_ASSERT_EQUAL_FATAL(fixture_initialise(f), STORE_OK);
    s = fixture_open(f, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    return s;
}

/* ---- entries ---- */

struct blob *fixture_value(uint64_t slot, uint32_t bytes)
{
    struct blob *value = blob_new(bytes);
    struct prng prng;

    prng_init(&prng, slot);
    prng_fill(&prng, value->data, bytes);
    return value;
}

enum store_result fixture_commit(struct store *s, uint64_t slot, uint32_t bytes)
{
    struct effect effect = {.kind = EFFECT_PERSIST_ENTRY};
    enum store_result r;

    effect.entry = (struct log_entry){.slot = slot,
                                      .ballot = 65538,
                                      .kind = 5,
                                      .value = fixture_value(slot, bytes),
                                      .chosen = slot - 1};
    r = store_commit(s, &effect, 1);
    blob_unref(effect.entry.value);
    return r;
}

void fixture_fill(struct store *s, uint64_t first, uint64_t last)
{
    for (uint64_t slot = first; slot <= last; slot++)
        CU_ASSERT_EQUAL_FATAL(fixture_commit(s, slot, 200), STORE_OK);
}

static bool take(void *context, const struct log_entry *entry)
{
    struct blob *expected = fixture_value(entry->slot, (uint32_t)entry->value->length);
    uint64_t *last = context;

    CU_ASSERT_TRUE(slice_equal(blob_slice(expected), blob_slice(entry->value)));
    CU_ASSERT_TRUE(*last == 0 || entry->slot == *last + 1);
    blob_unref(expected);
    *last = entry->slot;
    return true;
}

enum store_result fixture_read(struct store *s, uint64_t first, uint64_t *ret_last)
{
    *ret_last = 0;
    return store_read(s, first, UINT64_MAX, 0, take, ret_last);
}

/* ---- files ---- */

void fixture_path(const struct fixture *f, const char *name, char ret[FIXTURE_PATH_BYTES])
{
    int length = snprintf(ret, FIXTURE_PATH_BYTES, "%s/%s", f->directory, name);

    CHECK(length > 0 && length < FIXTURE_PATH_BYTES);
}

uint64_t fixture_size(const struct fixture *f, const char *name)
{
    char path[FIXTURE_PATH_BYTES];
    struct stat found;

    fixture_path(f, name, path);
    return stat(path, &found) == 0 ? (uint64_t)found.st_size : 0;
}

void fixture_read_bytes(const struct fixture *f, const char *name, uint64_t offset, void *to,
                        size_t length)
{
    char path[FIXTURE_PATH_BYTES];
    int fd;

    fixture_path(f, name, path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && pread(fd, to, length, (off_t)offset) == (ssize_t)length);
    close(fd);
}

void fixture_write_bytes(const struct fixture *f, const char *name, uint64_t offset,
                         const void *from, size_t length)
{
    char path[FIXTURE_PATH_BYTES];
    int fd;

    fixture_path(f, name, path);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && pwrite(fd, from, length, (off_t)offset) == (ssize_t)length);
    close(fd);
}

void fixture_flip(const struct fixture *f, const char *name, uint64_t offset, unsigned bit)
{
    uint8_t byte;

    fixture_read_bytes(f, name, offset, &byte, 1);
    byte ^= (uint8_t)(1u << bit);
    fixture_write_bytes(f, name, offset, &byte, 1);
}

/* ---- databases ---- */

static sqlite3 *open_database(const struct fixture *f, const char *name)
{
    char path[FIXTURE_PATH_BYTES];
    sqlite3 *db;

    fixture_path(f, name, path);
    CU_ASSERT_EQUAL_FATAL(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

void fixture_execute(const struct fixture *f, const char *name, const char *sql)
{
    sqlite3 *db = open_database(f, name);

    CU_ASSERT_EQUAL(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    CU_ASSERT_EQUAL(sqlite3_close(db), SQLITE_OK);
}

uint64_t fixture_ask(const struct fixture *f, const char *name, const char *sql)
{
    sqlite3 *db = open_database(f, name);
    sqlite3_stmt *row;
    uint64_t answer = 0;

    CU_ASSERT_EQUAL_FATAL(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
    if (sqlite3_step(row) == SQLITE_ROW)
        answer = (uint64_t)sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    CU_ASSERT_EQUAL(sqlite3_close(db), SQLITE_OK);
    return answer;
}

void fixture_empty_wal(const struct fixture *f, const char *name)
{
    fixture_execute(f, name, "PRAGMA journal_mode=DELETE; PRAGMA journal_mode=WAL");
}
