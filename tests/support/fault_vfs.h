/* fault_vfs.h - an SQLite VFS that fails on demand: no space, failing writes,
 * reads and syncs. For one thread. */
#ifndef COORD_TESTS_SUPPORT_FAULT_VFS_H
#define COORD_TESTS_SUPPORT_FAULT_VFS_H

#include <stdbool.h>
#include <stdint.h>

/* Changed by the test at will. A countdown of 1 hits the next operation, 0 none;
 * it hits once, unless `stays` is set. */
struct fault_plan {
    uint64_t full_in;        /* writes; half of the bytes are written all the same */
    uint64_t write_error_in; /* writes */
    uint64_t read_error_in;  /* reads */
    uint64_t sync_error_in;  /* syncs: SQLITE_IOERR_FSYNC, nothing was synced */
    bool stays;
    bool no_space;  /* no file may grow; overwriting goes on */
    uint64_t hits;  /* counted here */
    uint64_t syncs; /* that succeeded */
};

/* Registers it under `name`, borrowed for ever. NULL if SQLite refuses. */
struct fault_plan *fault_vfs_register(const char *name);

#endif
