/* entry.h - one slot of the log. */
#ifndef COORD_PAXOS_ENTRY_H
#define COORD_PAXOS_ENTRY_H

#include <stdint.h>

#include "libcoord/base/bytes.h"

/* Stored and sent: numbers are never reused. */
enum entry_kind {
    ENTRY_NOOP = 1,         /* fills a slot for which phase 1 found nothing */
    ENTRY_LEADER_START = 2, /* the barrier: everything of earlier ballots lies before it; its value
                               is its ballot, 8 bytes little-endian */
    ENTRY_FOUND = 3,        /* binds member ids to data directories (membership.h) */
    ENTRY_OPEN = 4,         /* every member holds ENTRY_FOUND durably: clients may be served */
    ENTRY_BATCH = 5,        /* opaque to consensus: commands of the state machine */
};

struct log_entry {
    uint64_t slot; /* from 1, contiguous */
    uint64_t ballot;
    uint32_t kind;
    struct blob *value; /* a reference, held by whoever holds the struct; may be empty, not NULL */
    uint64_t chosen;    /* when it was written, its replica held chosen values up to here */
};

#endif
