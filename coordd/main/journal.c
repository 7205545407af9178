/* journal.c - see journal.h. */
#include "coordd/main/journal.h"

#include <stdlib.h>

#include "coordd/main/clock.h"
#include "coordd/storage/reserve.h"
#include "libcoord/base/avl.h"
#include "libcoord/base/check.h"
#include "libcoord/base/list.h"
#include "libcoord/base/units.h"

enum {
    LOOK_MS = 50,        /* between two looks at the disk's space */
    RESTORE_MS = 500,    /* ... while it is full: is there space again? */
    ROOM_TOLD_SHARE = 8, /* the replica is told when it changed by this part */
};

/* A range of the log to read, and what was found. */
struct log_read {
    struct list place;
    uint64_t token, first_slot, last_slot, bytes_max;
    struct log_entry *entries; /* owned, with their references */
    uint32_t count, capacity;
};

struct journal {
    struct store *store; /* the log thread's */
    struct reserve *reserve;
    void (*wake)(void *context);
    void (*fail)(void *context, enum store_result result);
    void *context;
    struct effects taken; /* the network thread's: to be dropped */
    int64_t look_at_ns;   /* the log thread's, like the next */
    int64_t restore_at_ns;

    struct worker worker;   /* its mutex guards all below */
    struct effects waiting; /* for the next transaction */
    struct effects done;    /* reported; holds references that are not ours to drop */
    struct list reads_waiting, reads_done;
    uint64_t persisted; /* highest durable sequence that is not reported yet, or 0 */
    uint64_t full_from; /* not 0: nothing from here on was written, nothing is now */
    bool look;          /* for space: now */
    bool low;           /* the reserve is in use, or little is free beside it */
    uint64_t room;      /* for a checkpoint */
    bool space_new;     /* that is to be told */
};

static void log_read_free(struct log_read *r)
{
    for (uint32_t i = 0; i < r->count; i++)
        blob_unref(r->entries[i].value);
    free(r->entries);
    free(r);
}

/* ---- log thread ---- */

static bool keep_entry(void *context, const struct log_entry *entry)
{
    struct log_read *r = context;
    if (r->count == r->capacity) {
        r->capacity = r->capacity == 0 ? 16 : r->capacity * 2;
        r->entries = check_realloc(r->entries, r->capacity * sizeof *r->entries);
    }
    r->entries[r->count] = *entry;
    (void)blob_ref(entry->value); /* a new blob: nobody else has it yet */
    r->count++;
    return true;
}

/* False if the thread must end. */
static bool bear(struct journal *j, enum store_result result)
{
    if (result == STORE_OK || result == STORE_FULL)
        return true;
    j->fail(j->context, result);
    return false;
}

/* One transaction with all of `batch`, and its report. */
static bool commit(struct journal *j, struct effects *batch)
{
    uint64_t first = batch->list[0].sequence;
    uint64_t last = batch->list[batch->count - 1].sequence;
    enum store_result result = store_commit(j->store, batch->list, batch->count);
    if (!bear(j, result))
        return false;
    worker_lock(&j->worker);
    if (result == STORE_OK)
        j->persisted = last;
    else
        j->full_from = first;
    worker_move(&j->done, batch);
    worker_unlock(&j->worker);
    j->wake(j->context);
    /* Those who wait for the acknowledgement have it by now. */
    return bear(j, store_maintain(j->store));
}

static bool serve_reads(struct journal *j, struct list *reads)
{
    struct list *first;
    while ((first = list_first(reads)) != NULL) {
        struct log_read *r = container_of(first, struct log_read, place);
        enum store_result result =
            store_read(j->store, r->first_slot, r->last_slot, r->bytes_max, keep_entry, r);
        if (!bear(j, result))
            return false;
        list_remove(first);
        worker_lock(&j->worker);
        list_append(&j->reads_done, first);
        worker_unlock(&j->worker);
        j->wake(j->context);
    }
    return true;
}

/* Is there still space, is there again? Not behind each commit, since to ask may take as
 * long; at once if a commit has used what is kept back. False if the thread must end. */
static bool look(struct journal *j, bool now)
{
    int64_t now_ns = clock_now_ns();
    bool low, changed, was_low = j->low; /* this thread alone changes it */
    uint64_t room;

    if (j->reserve == NULL ||
        (!now && now_ns < j->look_at_ns && (was_low || reserve_is_whole(j->reserve))))
        return true;
    j->look_at_ns = now_ns + ms_to_ns(LOOK_MS);
    if (was_low && now_ns >= j->restore_at_ns) {
        j->restore_at_ns = now_ns + ms_to_ns(RESTORE_MS);
        if (!bear(j, store_maintain(j->store)))
            return false;
        reserve_restore(j->reserve);
    }
    low = reserve_is_low(j->reserve);
    room = reserve_room(j->reserve);
    worker_lock(&j->worker);
    changed = low != was_low || room < j->room - j->room / ROOM_TOLD_SHARE ||
              room > j->room + j->room / ROOM_TOLD_SHARE;
    if (changed)
        j->room = room;
    j->low = low;
    j->space_new |= changed;
    worker_unlock(&j->worker);
    if (changed)
        j->wake(j->context);
    return true;
}

/* Takes what waits; if nothing does, waits. False when it is time to end. */
static bool gather(struct journal *j, struct effects *batch, struct list *reads, bool *ret_look)
{
    bool stopping;

    worker_lock(&j->worker);
    for (;;) {
        struct list *first;
        if (j->full_from == 0)
            worker_move(batch, &j->waiting);
        while ((first = list_first(&j->reads_waiting)) != NULL) {
            list_remove(first);
            list_append(reads, first);
        }
        if (batch->count > 0 || !list_empty(reads) || j->worker.stopping || j->look)
            break;
        if (!j->low)
            worker_wait(&j->worker);
        else if (!worker_wait_ms(&j->worker, RESTORE_MS))
            j->look = true;
    }
    *ret_look = j->look;
    j->look = false;
    stopping = j->worker.stopping;
    worker_unlock(&j->worker);
    return batch->count > 0 || !list_empty(reads) || !stopping;
}

static void *run(void *context)
{
    struct journal *j = context;
    struct effects batch;
    struct list reads;
    effects_init(&batch);
    list_init(&reads);
    bool look_now;
    while (gather(j, &batch, &reads, &look_now)) {
        if (batch.count > 0 && !commit(j, &batch))
            break;
        if (!serve_reads(j, &reads))
            break;
        if (!look(j, look_now))
            break;
    }
    /* Only after `fail` is anything left here, and then nobody goes on. */
    worker_lock(&j->worker);
    worker_move(&j->done, &batch);
    while (!list_empty(&reads)) {
        struct list *first = list_first(&reads);
        list_remove(first);
        list_append(&j->reads_done, first);
    }
    worker_unlock(&j->worker);
    effects_release(&batch);
    return NULL;
}

/* ---- network thread ---- */

struct journal *journal_new(const struct journal_options *options)
{
    struct journal *j = check_calloc(1, sizeof *j);
    j->store = options->store;
    j->reserve = options->reserve;
    j->wake = options->wake;
    j->fail = options->fail;
    j->context = options->context;
    j->look = true;
    j->room = RESERVE_ROOM_MAX;
    effects_init(&j->waiting);
    effects_init(&j->done);
    effects_init(&j->taken);
    list_init(&j->reads_waiting);
    list_init(&j->reads_done);
    if (!worker_start(&j->worker, "coordd-log", run, j)) {
        free(j);
        return NULL;
    }
    return j;
}

void journal_persist(struct journal *j, const struct effects *step)
{
    worker_lock(&j->worker);
    for (uint32_t i = 0; i < step->count; i++) {
        const struct effect *e = &step->list[i];
        if (store_persists(e->kind))
            worker_keep(&j->waiting, e);
    }
    worker_rouse(&j->worker);
    worker_unlock(&j->worker);
}

void journal_look(struct journal *j)
{
    worker_lock(&j->worker);
    j->look = true;
    worker_rouse(&j->worker);
    worker_unlock(&j->worker);
}

void journal_read(struct journal *j, const struct effect *read)
{
    struct log_read *r = check_calloc(1, sizeof *r);
    r->token = read->token;
    r->first_slot = read->first_slot;
    r->last_slot = read->last_slot;
    r->bytes_max = read->bytes_max;
    worker_lock(&j->worker);
    list_append(&j->reads_waiting, &r->place);
    worker_rouse(&j->worker);
    worker_unlock(&j->worker);
}

static void take_reads(struct list *reads, worker_take_event *take, void *context)
{
    struct list *first;
    while ((first = list_first(reads)) != NULL) {
        struct log_read *r = container_of(first, struct log_read, place);
        struct replica_event event = {
            .kind = REPLICA_EVENT_LOG_READ,
            .token = r->token,
            .entries = r->entries,
            .entries_count = r->count,
        };
        list_remove(first);
        if (take != NULL)
            take(context, &event);
        log_read_free(r);
    }
}

/* The log thread writes nothing while full_from is set, so what the steps before
 * this one handed out is dropped with the rest: the core is told of all of it. */
static void take_full(struct journal *j, uint64_t full_from, worker_take_event *take, void *context)
{
    struct replica_event event = {.kind = REPLICA_EVENT_PERSIST_FULL, .sequence = full_from};

    worker_lock(&j->worker);
    worker_move(&j->taken, &j->waiting);
    j->full_from = 0;
    worker_unlock(&j->worker);
    effects_clear(&j->taken);
    take(context, &event);
}

void journal_take(struct journal *j, worker_take_event *take, void *context)
{
    struct list reads, *first;
    list_init(&reads);
    worker_lock(&j->worker);
    uint64_t persisted = j->persisted, full_from = j->full_from;
    struct replica_event space = {.kind = REPLICA_EVENT_SPACE, .low = j->low, .room = j->room};
    bool tell_space = j->space_new;
    j->persisted = 0;
    j->space_new = false;
    worker_move(&j->taken, &j->done);
    while ((first = list_first(&j->reads_done)) != NULL) {
        list_remove(first);
        list_append(&reads, first);
    }
    worker_unlock(&j->worker);
    effects_clear(&j->taken); /* the memory goes round: waiting, batch, done, taken */

    struct replica_event event = {.kind = REPLICA_EVENT_PERSISTED, .sequence = persisted};
    if (persisted != 0)
        take(context, &event);
    if (tell_space)
        take(context, &space);
    if (full_from != 0)
        take_full(j, full_from, take, context);
    take_reads(&reads, take, context);
}

void journal_free(struct journal *j)
{
    if (j == NULL)
        return;
    worker_end(&j->worker);
    take_reads(&j->reads_waiting, NULL, NULL);
    take_reads(&j->reads_done, NULL, NULL);
    effects_release(&j->waiting);
    effects_release(&j->done);
    effects_release(&j->taken);
    free(j);
}
