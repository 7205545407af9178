/* err.c - see err.h. One table, so that a number without a text cannot be
 * added unnoticed: test_err walks every number. */
#include "libcoord/base/err.h"

#include <stddef.h>

struct err_words {
    const char *name;
    const char *text;
};

static const struct err_words words[] = {
    [ERR_OK] = {"OK", "success"},
    [ERR_INVALID] = {"INVALID", "invalid argument"},
    [ERR_NO_NODE] = {"NO_NODE", "no such node"},
    [ERR_NODE_EXISTS] = {"NODE_EXISTS", "node exists already"},
    [ERR_NOT_EMPTY] = {"NOT_EMPTY", "node has children"},
    [ERR_EPHEMERAL] = {"EPHEMERAL", "not possible with an ephemeral node"},
    [ERR_BAD_GENERATION] = {"BAD_GENERATION", "generation is not the expected one"},
    [ERR_INSTANCE_GONE] = {"INSTANCE_GONE", "the node of this handle was deleted"},
    [ERR_STALE_SEQUENCER] = {"STALE_SEQUENCER", "the lock of this sequencer is no longer held"},
    [ERR_LOCK_HELD] = {"LOCK_HELD", "lock is held or waited for"},
    [ERR_TIMEOUT] = {"TIMEOUT", "deadline passed, not applied"},
    [ERR_MAYBE_APPLIED] = {"MAYBE_APPLIED", "no answer in time, may have been applied"},
    [ERR_JEOPARDY] = {"JEOPARDY", "session is in jeopardy"},
    [ERR_EXPIRED] = {"EXPIRED", "session has expired"},
    [ERR_PERMISSION] = {"PERMISSION", "permission denied"},
    [ERR_QUOTA] = {"QUOTA", "quota reached"},
    [ERR_THROTTLED] = {"THROTTLED", "overloaded, try later"},
    [ERR_TOO_LARGE] = {"TOO_LARGE", "too large"},
    [ERR_DEADLOCK] = {"DEADLOCK", "would wait for itself"},
    [ERR_INTERNAL] = {"INTERNAL", "internal error"},
    [ERR_NOT_HELD] = {"NOT_HELD", "lock is not held"},
    [ERR_CANCELLED] = {"CANCELLED", "cancelled by the caller"},
    [ERR_UNAVAILABLE] = {"UNAVAILABLE", "the cell gave no answer in time"},
    [ERR_UNSUPPORTED] = {"UNSUPPORTED", "not supported by this cell"},
    [ERR_NOT_LEADER] = {"NOT_LEADER", "not the leader"},
    [ERR_NO_SPACE] = {"NO_SPACE", "the disks of the cell are full"},
};

static const struct err_words *find_words(enum err e)
{
    static const struct err_words unknown = {"UNKNOWN", "unknown error"};
    /* A number from the wire may be anything, below zero too. */
    size_t index = (size_t)e;
    if (index >= sizeof words / sizeof words[0] || words[index].name == NULL)
        return &unknown;
    return &words[index];
}

const char *err_text(enum err e)
{
    return find_words(e)->text;
}

const char *err_name(enum err e)
{
    return find_words(e)->name;
}
