/* log.c - see log.h. */
#include "coordd/paxos/log.h"

#include <stdlib.h>

#include "libcoord/base/check.h"

enum { LOG_CAPACITY_MIN = 64 };

void log_init(struct log *log)
{
    log->ring = check_calloc(LOG_CAPACITY_MIN, sizeof *log->ring);
    log->capacity = LOG_CAPACITY_MIN;
    log->first = 1;
    log->last = 0;
    log->bytes = 0;
}

void log_release(struct log *log)
{
    log_drop_before(log, log->last + 1);
    free(log->ring);
    log->ring = NULL;
}

static struct log_entry *place(const struct log *log, uint64_t slot)
{
    return &log->ring[slot & (log->capacity - 1)];
}

const struct log_entry *log_get(const struct log *log, uint64_t slot)
{
    return slot < log->first || slot > log->last ? NULL : place(log, slot);
}

static void grow(struct log *log)
{
    struct log wider = *log;

    wider.capacity = log->capacity * 2;
    wider.ring = check_calloc(wider.capacity, sizeof *wider.ring);
    for (uint64_t slot = log->first; slot <= log->last; slot++)
        *place(&wider, slot) = *place(log, slot);
    free(log->ring);
    *log = wider;
}

void log_put(struct log *log, const struct log_entry *entry)
{
    struct log_entry *at;

    CHECK(entry->slot >= log->first && entry->slot <= log->last + 1 && entry->value != NULL);
    if (entry->slot > log->last) {
        if (log->last + 1 - log->first == log->capacity)
            grow(log);
        log->last = entry->slot;
        *place(log, entry->slot) = (struct log_entry){0};
    }
    at = place(log, entry->slot);
    if (at->value != NULL)
        log->bytes -= at->value->length;
    blob_ref(entry->value);
    blob_unref(at->value);
    *at = *entry;
    log->bytes += at->value->length;
}

void log_drop_before(struct log *log, uint64_t slot)
{
    CHECK(slot <= log->last + 1);
    for (; log->first < slot; log->first++) {
        struct log_entry *at = place(log, log->first);

        log->bytes -= at->value->length;
        blob_unref(at->value);
        *at = (struct log_entry){0};
    }
}

void log_restart(struct log *log, uint64_t slot)
{
    log_drop_before(log, log->last + 1);
    log->first = slot + 1;
    log->last = slot;
}
