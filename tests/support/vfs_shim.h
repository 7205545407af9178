/* vfs_shim.h - an SQLite VFS that passes everything on to "unix-excl" (the default
 * one, for a single process), and lets a test look at, or forbid, what changes a
 * file.
 *
 * A hook that is NULL is not asked. One that returns anything but SQLITE_OK has
 * its result returned to SQLite, and the real file is not touched. A hook is
 * called by whatever thread uses the file: one for each database. */
#ifndef COORD_TESTS_SUPPORT_VFS_SHIM_H
#define COORD_TESTS_SUPPORT_VFS_SHIM_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct vfs_shim;

struct shim_file {
    sqlite3_file base;
    struct vfs_shim *shim;
    const char *name;   /* borrowed while it is open; NULL for a temporary file */
    void *extra;        /* the hooks' own */
    sqlite3_file *real; /* lies behind this struct */
};

struct shim_hooks {
    /* It is open; `existed` tells if it was there before. */
    int (*opened)(struct shim_file *f, bool existed);
    /* Before it happens. */
    int (*write)(struct shim_file *f, const void *data, int bytes, sqlite3_int64 offset);
    int (*truncate)(struct shim_file *f, sqlite3_int64 size);
    int (*sync)(struct shim_file *f, bool *skip); /* skip: the real one is left out */
    int (*remove)(struct vfs_shim *shim, const char *name, bool sync_directory);
    int (*read)(struct shim_file *f, int bytes, sqlite3_int64 offset);
    /* After it happened. */
    int (*synced)(struct shim_file *f);
    void (*close)(struct shim_file *f);
};

/* Lives as long as the process: SQLite keeps the pointer. */
struct vfs_shim {
    sqlite3_vfs base;
    sqlite3_vfs *real;
    struct shim_hooks hooks;
};

/* `name` is borrowed for ever. Returns an SQLite result code. */
int vfs_shim_register(struct vfs_shim *shim, const char *name, const struct shim_hooks *hooks);

#endif
