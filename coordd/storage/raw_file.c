/* raw_file.c - see internal.h. The database's files are read and written through
 * SQLite's VFS here too, so that a test's VFS sees every byte. */
#include <stdlib.h>
#include <string.h>

#include "coordd/storage/internal.h"
#include "libcoord/base/check.h"

enum { ZERO_BYTES = 64 * 1024 };

/* The VFS wants names made by SQLite: behind them it looks for parameters. */
static sqlite3_filename name_of(const char *database)
{
    sqlite3_str *text = sqlite3_str_new(NULL);
    sqlite3_filename name;
    char *journal, *wal;

    sqlite3_str_appendf(text, "%s-journal", database);
    journal = sqlite3_str_finish(text);
    wal = sqlite3_mprintf("%s-wal", database);
    CHECK(journal != NULL && wal != NULL);
    name = sqlite3_create_filename(database, journal, wal, 0, NULL);
    CHECK(name != NULL);
    sqlite3_free(journal);
    sqlite3_free(wal);
    return name;
}

static int open_named(sqlite3_vfs *vfs, const char *path, bool wal, struct raw_file *ret)
{
    int flags = wal ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_WAL
                    : SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB;
    sqlite3_int64 size = 0;
    int rc = vfs->xOpen(vfs, path, ret->file, flags, &flags);

    if (rc == SQLITE_OK)
        rc = ret->file->pMethods->xFileSize(ret->file, &size);
    ret->size_bytes = (uint64_t)size;
    return rc;
}

int raw_open(const char *vfs_name, const char *database, bool wal, struct raw_file *ret)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(vfs_name);
    int rc;

    memset(ret, 0, sizeof *ret);
    if (vfs == NULL)
        return SQLITE_CANTOPEN;
    ret->name = name_of(database);
    ret->file = check_calloc(1, (size_t)vfs->szOsFile);
    rc = open_named(vfs, wal ? sqlite3_filename_wal(ret->name) : ret->name, wal, ret);
    if (rc != SQLITE_OK)
        raw_close(ret);
    return rc;
}

void raw_close(struct raw_file *raw)
{
    if (raw->file != NULL && raw->file->pMethods != NULL)
        raw->file->pMethods->xClose(raw->file);
    free(raw->file);
    if (raw->name != NULL)
        sqlite3_free_filename(raw->name);
    memset(raw, 0, sizeof *raw);
}

int raw_zero(sqlite3_file *file, uint64_t from, uint64_t to)
{
    uint8_t *zeros = check_calloc(1, ZERO_BYTES);
    int rc = SQLITE_OK;

    while (rc == SQLITE_OK && from < to) {
        uint64_t piece = to - from < ZERO_BYTES ? to - from : ZERO_BYTES;

        rc = file->pMethods->xWrite(file, zeros, (int)piece, (sqlite3_int64)from);
        from += piece;
    }
    free(zeros);
    return rc;
}
