/* vfs_shim.c - see vfs_shim.h. Its files offer no mmap; what connections share is
 * in the memory of the process, as with "unix-excl", which it stands before. */
#include "tests/support/vfs_shim.h"

#include <string.h>

static struct shim_file *shim_of(sqlite3_file *file)
{
    return (struct shim_file *)file;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return shim_of(file)->real;
}

/* ---- what may change a file ---- */

static int shim_close(sqlite3_file *file)
{
    struct shim_file *f = shim_of(file);
    int rc = f->real->pMethods->xClose(f->real);

    if (f->shim->hooks.close != NULL)
        f->shim->hooks.close(f);
    return rc;
}

static int shim_read(sqlite3_file *file, void *to, int bytes, sqlite3_int64 offset)
{
    struct shim_file *f = shim_of(file);
    int rc = f->shim->hooks.read == NULL ? SQLITE_OK : f->shim->hooks.read(f, bytes, offset);

    return rc != SQLITE_OK ? rc : f->real->pMethods->xRead(f->real, to, bytes, offset);
}

static int shim_write(sqlite3_file *file, const void *from, int bytes, sqlite3_int64 offset)
{
    struct shim_file *f = shim_of(file);
    int rc = SQLITE_OK;

    if (f->shim->hooks.write != NULL)
        rc = f->shim->hooks.write(f, from, bytes, offset);
    return rc != SQLITE_OK ? rc : f->real->pMethods->xWrite(f->real, from, bytes, offset);
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct shim_file *f = shim_of(file);
    int rc = f->shim->hooks.truncate == NULL ? SQLITE_OK : f->shim->hooks.truncate(f, size);

    return rc != SQLITE_OK ? rc : f->real->pMethods->xTruncate(f->real, size);
}

static int shim_sync(sqlite3_file *file, int flags)
{
    struct shim_file *f = shim_of(file);
    bool skip = false;
    int rc = f->shim->hooks.sync == NULL ? SQLITE_OK : f->shim->hooks.sync(f, &skip);

    if (rc == SQLITE_OK && !skip)
        rc = f->real->pMethods->xSync(f->real, flags);
    if (rc == SQLITE_OK && f->shim->hooks.synced != NULL)
        rc = f->shim->hooks.synced(f);
    return rc;
}

static int shim_file_control(sqlite3_file *file, int op, void *argument)
{
    struct shim_file *f = shim_of(file);

    /* A hint would change the file's size behind our back. */
    if (op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE)
        return SQLITE_OK;
    return f->real->pMethods->xFileControl(f->real, op, argument);
}

/* ---- passed on ---- */

static int shim_file_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), ret);
}

static int shim_lock(sqlite3_file *file, int kind)
{
    return real_of(file)->pMethods->xLock(real_of(file), kind);
}

static int shim_unlock(sqlite3_file *file, int kind)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), kind);
}

static int shim_check_reserved_lock(sqlite3_file *file, int *ret)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}

static int shim_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int shim_device_characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int shim_shm_map(sqlite3_file *file, int page, int bytes, int extend, void volatile **ret)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, bytes, extend, ret);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void shim_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int shim_shm_unmap(sqlite3_file *file, int remove)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static const sqlite3_io_methods METHODS = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_file_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_check_reserved_lock,
    .xFileControl = shim_file_control,
    .xSectorSize = shim_sector_size,
    .xDeviceCharacteristics = shim_device_characteristics,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};

/* ---- the VFS ---- */

static int shim_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                     int *ret_flags)
{
    struct vfs_shim *shim = (struct vfs_shim *)vfs;
    struct shim_file *f = shim_of(file);
    int existed = 0, rc;

    memset(f, 0, sizeof *f);
    f->shim = shim;
    f->name = name;
    f->real = (sqlite3_file *)(f + 1);
    if (name != NULL)
        (void)shim->real->xAccess(shim->real, name, SQLITE_ACCESS_EXISTS, &existed);
    rc = shim->real->xOpen(shim->real, name, f->real, flags, ret_flags);
    if (rc != SQLITE_OK)
        return rc;
    f->base.pMethods = &METHODS;
    return shim->hooks.opened == NULL ? SQLITE_OK : shim->hooks.opened(f, existed != 0);
}

static int shim_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
    struct vfs_shim *shim = (struct vfs_shim *)vfs;
    int rc = SQLITE_OK;

    if (shim->hooks.remove != NULL)
        rc = shim->hooks.remove(shim, name, sync_directory != 0);
    return rc != SQLITE_OK ? rc : shim->real->xDelete(shim->real, name, sync_directory);
}

static int shim_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
    sqlite3_vfs *real = ((struct vfs_shim *)vfs)->real;

    return real->xAccess(real, name, flags, ret);
}

static int shim_full_pathname(sqlite3_vfs *vfs, const char *name, int bytes, char *ret)
{
    sqlite3_vfs *real = ((struct vfs_shim *)vfs)->real;

    return real->xFullPathname(real, name, bytes, ret);
}

static int shim_randomness(sqlite3_vfs *vfs, int bytes, char *ret)
{
    sqlite3_vfs *real = ((struct vfs_shim *)vfs)->real;

    return real->xRandomness(real, bytes, ret);
}

static int shim_sleep(sqlite3_vfs *vfs, int microseconds)
{
    sqlite3_vfs *real = ((struct vfs_shim *)vfs)->real;

    return real->xSleep(real, microseconds);
}

static int shim_current_time(sqlite3_vfs *vfs, double *ret)
{
    sqlite3_vfs *real = ((struct vfs_shim *)vfs)->real;

    return real->xCurrentTime(real, ret);
}

static int shim_last_error(sqlite3_vfs *vfs, int bytes, char *ret)
{
    sqlite3_vfs *real = ((struct vfs_shim *)vfs)->real;

    return real->xGetLastError(real, bytes, ret);
}

int vfs_shim_register(struct vfs_shim *shim, const char *name, const struct shim_hooks *hooks)
{
    sqlite3_vfs *real;
    int rc = sqlite3_initialize();

    if (rc != SQLITE_OK)
        return rc;
    real = sqlite3_vfs_find("unix-excl");
    if (real == NULL)
        return SQLITE_ERROR;
    shim->real = real;
    shim->hooks = *hooks;
    shim->base = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = (int)sizeof(struct shim_file) + real->szOsFile,
        .mxPathname = real->mxPathname,
        .zName = name,
        .xOpen = shim_open,
        .xDelete = shim_delete,
        .xAccess = shim_access,
        .xFullPathname = shim_full_pathname,
        .xRandomness = shim_randomness,
        .xSleep = shim_sleep,
        .xCurrentTime = shim_current_time,
        .xGetLastError = shim_last_error,
    };
    return sqlite3_vfs_register(&shim->base, 0);
}
