/* journal.c - see journal.h. */
#define _GNU_SOURCE
#include "coordd/main/journal.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/avl.h"
#include "libcoord/base/check.h"
#include "libcoord/base/list.h"

/* A range of the log to read, and what was found. */
struct log_read {
    struct list place;
    uint64_t token, first_slot, last_slot, bytes_max;
    struct log_entry *entries; /* owned, with their references */
    uint32_t count, capacity;
};

struct journal {
    struct store *store; /* the log thread's */
    void (*wake)(void *context);
    void (*fail)(void *context, enum store_result result);
    void *context;
    pthread_t thread;
    sem_t work;           /* posted when the thread waits and something came */
    struct effects taken; /* the network thread's: to be dropped */

    pthread_mutex_t mutex;  /* guards all below */
    struct effects waiting; /* for the next transaction */
    struct effects done;    /* reported; holds references that are not ours to drop */
    struct list reads_waiting, reads_done;
    uint64_t persisted; /* highest durable sequence that is not reported yet, or 0 */
    uint64_t full_from; /* not 0: nothing from here on was written, nothing is now */
    bool idle;          /* the thread waits on `work` */
    bool stopping;
};

static void lock(struct journal *j)
{
    CHECK(pthread_mutex_lock(&j->mutex) == 0);
}

static void unlock(struct journal *j)
{
    CHECK(pthread_mutex_unlock(&j->mutex) == 0);
}

/* Moves all of `from` behind `to`; references go along. */
static void effects_move(struct effects *to, struct effects *from)
{
    if (to->count == 0) {
        struct effects empty = *to;
        *to = *from;
        *from = empty;
        return;
    }
    for (uint32_t i = 0; i < from->count; i++)
        *effects_add(to, from->list[i].kind) = from->list[i];
    from->count = 0;
}

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
    lock(j);
    if (result == STORE_OK)
        j->persisted = last;
    else
        j->full_from = first;
    effects_move(&j->done, batch);
    unlock(j);
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
        lock(j);
        list_append(&j->reads_done, first);
        unlock(j);
        j->wake(j->context);
    }
    return true;
}

static void wait_for_work(struct journal *j)
{
    while (sem_wait(&j->work) != 0)
        CHECK(errno == EINTR);
}

/* Takes what waits; if nothing does, waits. False when it is time to end. */
static bool gather(struct journal *j, struct effects *batch, struct list *reads)
{
    lock(j);
    for (;;) {
        struct list *first;
        if (j->full_from == 0)
            effects_move(batch, &j->waiting);
        while ((first = list_first(&j->reads_waiting)) != NULL) {
            list_remove(first);
            list_append(reads, first);
        }
        if (batch->count > 0 || !list_empty(reads) || j->stopping)
            break;
        j->idle = true;
        unlock(j);
        wait_for_work(j);
        lock(j);
    }
    unlock(j);
    return batch->count > 0 || !list_empty(reads);
}

static void *run(void *context)
{
    struct journal *j = context;
    (void)pthread_setname_np(pthread_self(), "coordd-log");
    struct effects batch;
    struct list reads;
    effects_init(&batch);
    list_init(&reads);
    while (gather(j, &batch, &reads)) {
        if (batch.count > 0 && !commit(j, &batch))
            break;
        if (!serve_reads(j, &reads))
            break;
    }
    /* Only after `fail` is anything left here, and then nobody goes on. */
    lock(j);
    effects_move(&j->done, &batch);
    while (!list_empty(&reads)) {
        struct list *first = list_first(&reads);
        list_remove(first);
        list_append(&j->reads_done, first);
    }
    unlock(j);
    effects_release(&batch);
    return NULL;
}

/* ---- network thread ---- */

struct journal *journal_new(const struct journal_options *options)
{
    struct journal *j = check_calloc(1, sizeof *j);
    j->store = options->store;
    j->wake = options->wake;
    j->fail = options->fail;
    j->context = options->context;
    effects_init(&j->waiting);
    effects_init(&j->done);
    effects_init(&j->taken);
    list_init(&j->reads_waiting);
    list_init(&j->reads_done);
    CHECK(pthread_mutex_init(&j->mutex, NULL) == 0);
    CHECK(sem_init(&j->work, 0, 0) == 0);

    /* Signals are for the other thread. */
    sigset_t all, before;
    (void)sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int failure = pthread_create(&j->thread, NULL, run, j);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (failure != 0) {
        (void)pthread_mutex_destroy(&j->mutex);
        (void)sem_destroy(&j->work);
        free(j);
        return NULL;
    }
    return j;
}

/* With the mutex held. */
static void rouse(struct journal *j)
{
    if (j->idle) {
        j->idle = false;
        CHECK(sem_post(&j->work) == 0);
    }
}

void journal_persist(struct journal *j, const struct effects *step)
{
    lock(j);
    for (uint32_t i = 0; i < step->count; i++) {
        const struct effect *e = &step->list[i];
        if (e->kind != EFFECT_PERSIST_PROMISE && e->kind != EFFECT_PERSIST_ENTRY &&
            e->kind != EFFECT_PERSIST_LEASE)
            continue;
        struct effect *kept = effects_add(&j->waiting, e->kind);
        *kept = *e;
        kept->bytes = NULL;
        if (kept->entry.value != NULL)
            (void)blob_ref(kept->entry.value);
    }
    rouse(j);
    unlock(j);
}

void journal_read(struct journal *j, const struct effect *read)
{
    struct log_read *r = check_calloc(1, sizeof *r);
    r->token = read->token;
    r->first_slot = read->first_slot;
    r->last_slot = read->last_slot;
    r->bytes_max = read->bytes_max;
    lock(j);
    list_append(&j->reads_waiting, &r->place);
    rouse(j);
    unlock(j);
}

static void take_reads(struct list *reads, journal_take_event *take, void *context)
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
static void take_full(struct journal *j, uint64_t full_from, journal_take_event *take,
                      void *context)
{
    struct replica_event event = {.kind = REPLICA_EVENT_PERSIST_FULL, .sequence = full_from};

    lock(j);
    effects_move(&j->taken, &j->waiting);
    j->full_from = 0;
    unlock(j);
    effects_clear(&j->taken);
    take(context, &event);
}

void journal_take(struct journal *j, journal_take_event *take, void *context)
{
    struct list reads, *first;
    list_init(&reads);
    lock(j);
    uint64_t persisted = j->persisted, full_from = j->full_from;
    j->persisted = 0;
    effects_move(&j->taken, &j->done);
    while ((first = list_first(&j->reads_done)) != NULL) {
        list_remove(first);
        list_append(&reads, first);
    }
    unlock(j);
    effects_clear(&j->taken); /* the memory goes round: waiting, batch, done, taken */

    struct replica_event event = {.kind = REPLICA_EVENT_PERSISTED, .sequence = persisted};
    if (persisted != 0)
        take(context, &event);
    if (full_from != 0)
        take_full(j, full_from, take, context);
    take_reads(&reads, take, context);
}

void journal_free(struct journal *j)
{
    if (j == NULL)
        return;
    lock(j);
    j->stopping = true;
    rouse(j);
    unlock(j);
    CHECK(pthread_join(j->thread, NULL) == 0);
    take_reads(&j->reads_waiting, NULL, NULL);
    take_reads(&j->reads_done, NULL, NULL);
    effects_release(&j->waiting);
    effects_release(&j->done);
    effects_release(&j->taken);
    (void)pthread_mutex_destroy(&j->mutex);
    (void)sem_destroy(&j->work);
    free(j);
}
