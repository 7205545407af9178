/* powercut_vfs.c - see powercut_vfs.h. */
#define _GNU_SOURCE
#include "tests/support/powercut_vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "libcoord/base/check.h"
#include "tests/support/powercut_undo.h"
#include "tests/support/vfs_shim.h"

struct powercut_vfs {
    struct vfs_shim shim; /* first: SQLite's pointer is ours */
    bool ignore_sync;
    _Atomic uint64_t operations; /* of every thread */
    uint64_t kill_at;
};

/* shim_file.extra: one for all connections that have the file open. */
struct journal {
    struct journal *next;
    unsigned opened;            /* so often */
    char path[UNDO_PATH_BYTES]; /* the .unsynced file */
    int fd;                     /* -1: not opened yet */
    bool empty;
};

/* Only the list is shared by threads: a file belongs to one. */
static pthread_mutex_t journals_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct journal *journals;

static struct powercut_vfs *vfs_of(struct shim_file *f)
{
    return (struct powercut_vfs *)f->shim;
}

/* ---- the journal ---- */

static int journal_append(struct journal *j, const struct undo_record *record, const void *old)
{
    static const uint8_t padding[8];
    struct iovec parts[] = {
        {(void *)record, sizeof *record},
        {(void *)old, (size_t)record->kept},
        {(void *)padding, (8 - (size_t)record->kept % 8) % 8},
    };
    ssize_t whole = (ssize_t)(parts[0].iov_len + parts[1].iov_len + parts[2].iov_len);

    if (j->fd < 0)
        j->fd = open(j->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (j->fd < 0 || writev(j->fd, parts, 3) != whole)
        return SQLITE_IOERR;
    j->empty = false;
    return SQLITE_OK;
}

/* Keeps what lies in the range, as far as the file reaches. */
static int journal_change(struct shim_file *f, uint64_t offset, uint64_t length)
{
    struct undo_record record = {
        .magic = UNDO_MAGIC, .kind = UNDO_CHANGED, .offset = offset, .length = length};
    sqlite3_int64 size;
    void *old = NULL;
    int rc = f->real->pMethods->xFileSize(f->real, &size);

    if (rc != SQLITE_OK || f->extra == NULL)
        return rc;
    record.old_size = (uint64_t)size;
    if (offset < record.old_size)
        record.kept = offset + length < record.old_size ? length : record.old_size - offset;
    if (record.kept > 0) {
        old = check_malloc((size_t)record.kept);
        rc = f->real->pMethods->xRead(f->real, old, (int)record.kept, (sqlite3_int64)offset);
    }
    if (rc == SQLITE_OK)
        rc = journal_append(f->extra, &record, old);
    free(old);
    return rc;
}

/* ---- hooks ---- */

static bool time_to_die(struct shim_file *f)
{
    struct powercut_vfs *vfs = vfs_of(f);

    return ++vfs->operations == vfs->kill_at;
}

static _Noreturn void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* True if it was open already. */
static bool journal_of(const char *name, struct journal **ret)
{
    char path[UNDO_PATH_BYTES];
    struct journal *j;
    bool found;

    snprintf(path, sizeof path, "%s" UNDO_SUFFIX, name);
    CHECK(pthread_mutex_lock(&journals_mutex) == 0);
    for (j = journals; j != NULL && strcmp(j->path, path) != 0;)
        j = j->next;
    found = j != NULL;
    if (!found) {
        j = check_calloc(1, sizeof *j);
        j->fd = -1;
        memcpy(j->path, path, sizeof path);
        j->empty = access(path, F_OK) != 0;
        j->next = journals;
        journals = j;
    }
    j->opened++;
    CHECK(pthread_mutex_unlock(&journals_mutex) == 0);
    *ret = j;
    return found;
}

static void journal_release(struct journal *j)
{
    struct journal **place = &journals;

    CHECK(pthread_mutex_lock(&journals_mutex) == 0);
    if (--j->opened > 0) {
        CHECK(pthread_mutex_unlock(&journals_mutex) == 0);
        return;
    }
    while (*place != j)
        place = &(*place)->next;
    *place = j->next;
    CHECK(pthread_mutex_unlock(&journals_mutex) == 0);
    if (j->fd >= 0)
        close(j->fd);
    if (j->empty)
        unlink(j->path);
    free(j);
}

static int on_opened(struct shim_file *f, bool existed)
{
    const struct undo_record created = {.magic = UNDO_MAGIC, .kind = UNDO_CREATED};
    struct journal *j;
    bool was_open;

    if (f->name == NULL)
        return SQLITE_OK; /* a temporary file outlives nothing */
    was_open = journal_of(f->name, &j);
    f->extra = j;
    if (was_open || existed)
        return SQLITE_OK;
    unlink(j->path); /* of an earlier file of that name */
    return journal_append(j, &created, NULL);
}

static int on_write(struct shim_file *f, const void *data, int bytes, sqlite3_int64 offset)
{
    int rc = journal_change(f, (uint64_t)offset, (uint64_t)bytes);

    if (time_to_die(f)) {
        (void)f->real->pMethods->xWrite(f->real, data, bytes / 2, offset);
        die();
    }
    return rc;
}

static int on_truncate(struct shim_file *f, sqlite3_int64 size)
{
    sqlite3_int64 now;
    int rc = f->real->pMethods->xFileSize(f->real, &now);

    if (time_to_die(f))
        die();
    if (rc != SQLITE_OK || now <= size)
        return rc;
    return journal_change(f, (uint64_t)size, (uint64_t)(now - size));
}

static int on_sync(struct shim_file *f, bool *skip)
{
    *skip = vfs_of(f)->ignore_sync;
    if (time_to_die(f))
        die();
    return SQLITE_OK;
}

static int on_synced(struct shim_file *f)
{
    struct journal *j = f->extra;

    if (vfs_of(f)->ignore_sync || j == NULL || j->empty)
        return SQLITE_OK;
    if (truncate(j->path, 0) != 0)
        return SQLITE_IOERR;
    j->empty = true;
    return SQLITE_OK;
}

static int on_remove(struct vfs_shim *shim, const char *name, bool sync_directory)
{
    char path[UNDO_PATH_BYTES];

    (void)shim;
    (void)sync_directory;
    snprintf(path, sizeof path, "%s" UNDO_SUFFIX, name);
    return unlink(path) == 0 || errno == ENOENT ? SQLITE_OK : SQLITE_IOERR;
}

static void on_close(struct shim_file *f)
{
    if (f->extra != NULL)
        journal_release(f->extra);
}

/* ---- outside ---- */

bool powercut_vfs_register(const char *name, bool ignore_sync)
{
    static const struct shim_hooks hooks = {
        .opened = on_opened,
        .write = on_write,
        .truncate = on_truncate,
        .sync = on_sync,
        .synced = on_synced,
        .remove = on_remove,
        .close = on_close,
    };
    struct powercut_vfs *vfs = check_calloc(1, sizeof *vfs);

    vfs->ignore_sync = ignore_sync;
    return vfs_shim_register(&vfs->shim, name, &hooks) == SQLITE_OK;
}

static struct powercut_vfs *find(const char *name)
{
    struct powercut_vfs *vfs = (struct powercut_vfs *)sqlite3_vfs_find(name);

    CHECK(vfs != NULL);
    return vfs;
}

uint64_t powercut_vfs_operations(const char *name)
{
    return find(name)->operations;
}

void powercut_vfs_kill_at(const char *name, uint64_t operation)
{
    find(name)->kill_at = operation;
}
