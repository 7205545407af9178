/* err.h - what an operation can say instead of doing what it was asked.
 *
 * The numbers are those of coord.v1.Status in proto/coord/v1/command.proto and
 * of the public COORD_ERR_* constants; a static assertion in each user keeps
 * them equal. Group by what the caller should do: see coord/coord.h. */
#ifndef COORD_BASE_ERR_H
#define COORD_BASE_ERR_H

enum err {
    ERR_OK = 0,
    ERR_INVALID = 1,         /* bad argument; nothing was sent or changed */
    ERR_NO_NODE = 2,         /* no node of that name (or its parent) */
    ERR_NODE_EXISTS = 3,     /* create of a name that exists */
    ERR_NOT_EMPTY = 4,       /* delete of a node with children */
    ERR_EPHEMERAL = 5,       /* the node or its parent is ephemeral */
    ERR_BAD_GENERATION = 6,  /* a condition on a generation did not hold */
    ERR_INSTANCE_GONE = 7,   /* the handle's node was deleted (and perhaps made anew) */
    ERR_STALE_SEQUENCER = 8, /* the lock that guarded this is no longer held */
    ERR_LOCK_HELD = 9,       /* someone holds or waits for the lock */
    ERR_TIMEOUT = 10,        /* deadline passed; certainly not applied */
    ERR_MAYBE_APPLIED = 11,  /* deadline passed or link lost; may have been applied */
    ERR_JEOPARDY = 12,       /* the session's lease ran out locally; not yet decided */
    ERR_EXPIRED = 13,        /* the session is gone, and all it held */
    ERR_PERMISSION = 14,
    ERR_QUOTA = 15,     /* a replicated limit on counts was reached */
    ERR_THROTTLED = 16, /* overload; not applied, try later */
    ERR_TOO_LARGE = 17, /* a replicated limit on sizes was exceeded */
    ERR_DEADLOCK = 18,
    ERR_INTERNAL = 19,
    ERR_NOT_HELD = 20,    /* release or check of a lock that is not held */
    ERR_CANCELLED = 21,   /* the caller gave the request up */
    ERR_UNAVAILABLE = 22, /* no server of the cell could be reached in time */
    ERR_UNSUPPORTED = 23, /* this cell's feature level does not know it yet */
    ERR_NOT_LEADER = 24,  /* between server and library only */
    ERR_NO_SPACE = 25,    /* the cell's disks are full; not applied */
};

/* A constant lower-case phrase, never NULL; unknown numbers give "unknown error". */
const char *err_text(enum err e);
/* A constant upper-case name such as "NO_NODE", never NULL. */
const char *err_name(enum err e);

#define MUST_USE __attribute__((warn_unused_result))

#endif
