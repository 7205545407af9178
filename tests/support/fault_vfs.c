/* fault_vfs.c - see fault_vfs.h. */
#include "tests/support/fault_vfs.h"

#include "libcoord/base/check.h"
#include "tests/support/vfs_shim.h"

struct fault_vfs {
    struct vfs_shim shim; /* first: SQLite's pointer is ours */
    struct fault_plan plan;
};

static struct fault_plan *plan_of(struct shim_file *f)
{
    return &((struct fault_vfs *)f->shim)->plan;
}

static bool hit(struct fault_plan *plan, uint64_t *countdown)
{
    if (*countdown == 0 || --*countdown > 0)
        return false;
    if (plan->stays)
        *countdown = 1;
    plan->hits++;
    return true;
}

static int on_write(struct shim_file *f, const void *data, int bytes, sqlite3_int64 offset)
{
    struct fault_plan *plan = plan_of(f);
    sqlite3_int64 size = 0;

    if (hit(plan, &plan->write_error_in))
        return SQLITE_IOERR_WRITE;
    if (hit(plan, &plan->full_in)) {
        (void)f->real->pMethods->xWrite(f->real, data, bytes / 2, offset);
        return SQLITE_FULL;
    }
    if (!plan->no_space)
        return SQLITE_OK;
    if (f->real->pMethods->xFileSize(f->real, &size) != SQLITE_OK)
        return SQLITE_IOERR_FSTAT;
    if (offset + bytes <= size)
        return SQLITE_OK;
    plan->hits++;
    return SQLITE_FULL;
}

static int on_read(struct shim_file *f, int bytes, sqlite3_int64 offset)
{
    struct fault_plan *plan = plan_of(f);

    (void)bytes;
    (void)offset;
    return hit(plan, &plan->read_error_in) ? SQLITE_IOERR_READ : SQLITE_OK;
}

static int on_sync(struct shim_file *f, bool *skip)
{
    struct fault_plan *plan = plan_of(f);

    (void)skip;
    return hit(plan, &plan->sync_error_in) ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int on_synced(struct shim_file *f)
{
    plan_of(f)->syncs++;
    return SQLITE_OK;
}

struct fault_plan *fault_vfs_register(const char *name)
{
    static const struct shim_hooks hooks = {
        .write = on_write,
        .read = on_read,
        .sync = on_sync,
        .synced = on_synced,
    };
    struct fault_vfs *vfs = check_calloc(1, sizeof *vfs);

    return vfs_shim_register(&vfs->shim, name, &hooks) == SQLITE_OK ? &vfs->plan : NULL;
}
