/* powercut_vfs.h - an SQLite VFS that knows what a power cut would lose.
 *
 * It writes through to the default VFS and keeps beside each file what was there
 * before the last sync (powercut_undo.h). Kill the processes, call powercut_apply
 * (or run powercut-apply DIRECTORY...), start them again: that was a power cut.
 *
 * Removing a file counts as durable at once: our database removes none. */
#ifndef COORD_TESTS_SUPPORT_POWERCUT_VFS_H
#define COORD_TESTS_SUPPORT_POWERCUT_VFS_H

#include <stdbool.h>
#include <stdint.h>

/* Registers it under `name`, borrowed for ever. With `ignore_sync` a sync returns
 * at once and makes nothing durable: as with synchronous=OFF, only that SQLite
 * does not know. False if SQLite refuses. */
bool powercut_vfs_register(const char *name, bool ignore_sync);

/* Writes, truncations and syncs so far, through the VFS of that name. */
uint64_t powercut_vfs_operations(const char *name);

/* When that number would be reached, the process kills itself with SIGKILL: in
 * the middle of a write, before a sync or truncation. 0: never. */
void powercut_vfs_kill_at(const char *name, uint64_t operation);

#endif
