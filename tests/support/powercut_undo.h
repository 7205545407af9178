/* powercut_undo.h - what a file would lose if the power failed now.
 *
 * Beside FILE lies FILE.unsynced: for each change since the last sync what was
 * there before. It is written before the change and emptied after the sync, by
 * ordinary writes; so it outlives a kill -9, and that is all it has to outlive:
 * the power cut itself is played by powercut_apply, once the processes are gone.
 *
 * A change is a write, a truncation, or the file's creation. The creation is
 * durable with the file's first sync, as on ext4. */
#ifndef COORD_TESTS_SUPPORT_POWERCUT_UNDO_H
#define COORD_TESTS_SUPPORT_POWERCUT_UNDO_H

#include <stdint.h>

#define UNDO_SUFFIX ".unsynced"

enum {
    UNDO_MAGIC = 0x6f646e75,
    UNDO_SECTOR_BYTES = 512, /* what a disk writes as a whole */
    UNDO_PATH_BYTES = 4096,
};

enum undo_kind { UNDO_CREATED = 1, UNDO_CHANGED };

/* Followed by `kept` bytes: what lay at `offset` before. A range beyond that was
 * behind the old end of the file. */
struct undo_record {
    uint32_t magic;
    uint32_t kind;
    uint64_t offset, length; /* what was changed */
    uint64_t old_size;       /* of the file */
    uint64_t kept;
};

struct powercut_report {
    uint32_t files;   /* that had something unsynced */
    uint64_t changes; /* in them */
    uint64_t undone;  /* of these, wholly or in part */
};

/* Cuts the power: undoes what the files of the directory had not synced, and
 * removes the .unsynced files. No process may have a file of it open.
 *
 * Seed 0: nothing unsynced survives. Otherwise the seed decides, for each file,
 * that nothing survives, or all, or what came first with its last write torn, or
 * any sectors in any of the versions they ever had.
 *
 * 0, or -1 with errno. */
int powercut_apply(const char *directory, uint64_t seed, struct powercut_report *ret);

#endif
