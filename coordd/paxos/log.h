/* log.h - the part of the log that is in memory: contiguous slots, the newest.
 *
 * Invariant: entries first..last are all there; older ones are in the storage
 * only. What is not yet chosen is always in memory. */
#ifndef COORD_PAXOS_LOG_H
#define COORD_PAXOS_LOG_H

#include "coordd/paxos/entry.h"

struct log {
    struct log_entry *ring; /* owned, with the references in it */
    uint64_t capacity;      /* a power of two */
    uint64_t first;         /* slot of the oldest entry in memory; last + 1 when empty */
    uint64_t last;          /* 0: the log is empty */
    uint64_t bytes;         /* of the values in memory */
};

void log_init(struct log *log);
void log_release(struct log *log);
/* NULL if not in memory. Borrowed until the next change. */
const struct log_entry *log_get(const struct log *log, uint64_t slot);
/* Takes a reference of its own. The slot is at most last + 1, and at least first. */
void log_put(struct log *log, const struct log_entry *entry);
/* Empty, and the next entry is that of slot + 1. */
void log_restart(struct log *log, uint64_t slot);
/* Keep slots from `slot` on only (at most last + 1). */
void log_drop_before(struct log *log, uint64_t slot);

#endif
