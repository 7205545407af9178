/* saver.c - see saver.h. */
#define _GNU_SOURCE
#include "coordd/main/saver.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "libcoord/base/avl.h"
#include "libcoord/base/check.h"
#include "libcoord/base/list.h"

enum {
    NICENESS = 10,
    OWES_MS = 500, /* between pieces of what is given back to a full disk */
};

/* What the network thread is to be told. */
struct report {
    struct list place;
    struct replica_event event;
    struct buffer bytes, about; /* owned; of a read */
};

/* A peer's way through one checkpoint. */
struct transfer {
    uint64_t token;
    struct checkpoint_reader *reader; /* NULL: this one is free */
};

struct saver {
    void (*wake)(void *context);
    void (*fail)(void *context, enum store_result result);
    void (*look)(void *context);
    void *context;
    struct effects taken; /* the network thread's: to be dropped */

    /* The checkpoint thread's: */
    struct checkpoint *checkpoint;
    struct transfer transfers[CHECKPOINT_READERS_MAX];
    struct effects batch; /* taken out of `waiting`; those before `next` are done */
    uint32_t next;

    struct worker worker;          /* its mutex guards all below */
    struct effects waiting, reads; /* in the order in which they came */
    struct effects done;           /* holds references that are not ours to drop */
    struct list reports;
    uint32_t reports_count;
    bool lost; /* reported, or about to be: nothing is written */
};

static struct report *report_new(enum replica_event_kind kind)
{
    struct report *report = check_calloc(1, sizeof *report);
    report->event.kind = kind;
    return report;
}

static void report_free(struct report *report)
{
    buffer_release(&report->bytes);
    buffer_release(&report->about);
    free(report);
}

/* ---- checkpoint thread ---- */

static void tell(struct saver *s, struct report *report)
{
    worker_lock(&s->worker);
    if (report->event.kind == REPLICA_EVENT_CHECKPOINT_LOST)
        s->lost = true;
    list_append(&s->reports, &report->place);
    s->reports_count++;
    worker_unlock(&s->worker);
    s->wake(s->context);
}

/* False if the thread must end. */
static bool bear(struct saver *s, enum store_result result)
{
    if (result == STORE_OK || result == STORE_FULL)
        return true;
    s->fail(s->context, result);
    return false;
}

/* Nothing of it is left, and nothing of what else came will be. */
static void lose(struct saver *s)
{
    s->next = s->batch.count;
    tell(s, report_new(REPLICA_EVENT_CHECKPOINT_LOST));
}

static bool maintain(struct saver *s)
{
    bool more = bear(s, checkpoint_maintain(s->checkpoint));
    if (s->look != NULL)
        s->look(s->context);
    return more;
}

static bool write_next(struct saver *s)
{
    const struct effect *e = &s->batch.list[s->next++];
    struct checkpoint *c = s->checkpoint;
    enum store_result result = STORE_OK;
    struct report *report = NULL;
    switch (e->kind) {
    case EFFECT_CHECKPOINT_BEGIN:
        result = checkpoint_begin(c, e->whole);
        break;
    case EFFECT_CHECKPOINT_PUT:
        result = checkpoint_put(c, blob_slice(e->bytes));
        if (result == STORE_OK)
            report = report_new(REPLICA_EVENT_CHECKPOINT_TAKEN);
        break;
    case EFFECT_CHECKPOINT_COMMIT:
        result = checkpoint_commit(c, e->last_slot, blob_slice(e->bytes));
        if (result == STORE_OK) {
            report = report_new(REPLICA_EVENT_CHECKPOINTED);
            report->event.slot = e->last_slot;
        }
        break;
    default:
        result = checkpoint_abort(c);
        break;
    }
    if (!bear(s, result))
        return false;
    if (result == STORE_FULL)
        lose(s);
    if (report != NULL)
        tell(s, report);
    /* Between two checkpoints: here it makes nobody wait. */
    return (e->kind == EFFECT_CHECKPOINT_PUT && result == STORE_OK) || maintain(s);
}

static struct transfer *transfer_of(struct saver *s, uint64_t token)
{
    struct transfer *vacant = NULL;
    for (uint32_t i = 0; i < CHECKPOINT_READERS_MAX; i++) {
        struct transfer *t = &s->transfers[i];
        if (t->reader != NULL && t->token == token)
            return t;
        if (t->reader == NULL)
            vacant = t;
    }
    return vacant;
}

static void end_transfer(struct transfer *t)
{
    checkpoint_reader_close(t->reader);
    t->reader = NULL;
}

/* Its first piece or a later one. */
static bool read_piece(struct saver *s, struct transfer *t, const struct effect *e)
{
    struct report *report = report_new(REPLICA_EVENT_CHECKPOINT_READ);
    struct replica_event *event = &report->event;
    enum store_result result = STORE_OK;
    event->token = e->token;
    event->last = true;
    if (t->reader == NULL && checkpoint_slot(s->checkpoint) != 0) {
        t->token = e->token;
        result = checkpoint_reader_open(s->checkpoint, &t->reader);
    }
    if (result == STORE_OK && t->reader != NULL) {
        struct slice about = checkpoint_reader_about(t->reader);
        event->slot = checkpoint_reader_slot(t->reader);
        buffer_put(&report->about, about.data, about.length);
        result = checkpoint_reader_next(t->reader, e->bytes_max, &report->bytes, &event->last);
    }
    if (result != STORE_OK) {
        report_free(report);
        return bear(s, result);
    }
    event->bytes = buffer_slice(&report->bytes);
    event->about = buffer_slice(&report->about);
    tell(s, report);
    return true;
}

static bool serve_read(struct saver *s, const struct effect *e)
{
    struct transfer *t = transfer_of(s, e->token);
    if (e->bytes_max != 0) {
        CHECK(t != NULL); /* else the replica has opened more than it may */
        return read_piece(s, t, e);
    }
    if (t == NULL || t->reader == NULL)
        return true;
    end_transfer(t);
    /* It may have held this up. */
    return maintain(s);
}

enum task { TASK_END, TASK_READ, TASK_WRITE, TASK_MAINTAIN };

/* What to do next; if there is nothing, waits. *ret_reads gets what is to be read. */
static enum task next_task(struct saver *s, struct effects *reads)
{
    enum task task = TASK_END;
    worker_lock(&s->worker);
    while (!s->worker.stopping && task == TASK_END) {
        if (s->next == s->batch.count) {
            worker_move(&s->done, &s->batch);
            s->next = 0;
            if (!s->lost)
                worker_move(&s->batch, &s->waiting);
        }
        if (s->reads.count > 0) {
            worker_move(reads, &s->reads);
            task = TASK_READ;
        } else if (s->next < s->batch.count) {
            task = TASK_WRITE;
        } else if (!checkpoint_owes_space(s->checkpoint)) {
            worker_wait(&s->worker);
        } else if (!worker_wait_ms(&s->worker, OWES_MS)) {
            task = TASK_MAINTAIN;
        }
    }
    worker_unlock(&s->worker);
    return task;
}

static void *run(void *context)
{
    struct saver *s = context;
    struct effects reads;
    effects_init(&reads);
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS);
    for (bool more = true; more;) {
        enum task task = next_task(s, &reads);
        more = task != TASK_END;
        if (task == TASK_WRITE)
            more = write_next(s);
        if (task == TASK_MAINTAIN)
            more = maintain(s);
        for (uint32_t i = 0; more && i < reads.count; i++)
            more = serve_read(s, &reads.list[i]);
        reads.count = 0; /* a read refers to nothing */
    }
    for (uint32_t i = 0; i < CHECKPOINT_READERS_MAX; i++)
        end_transfer(&s->transfers[i]);
    effects_release(&reads);
    return NULL;
}

/* ---- network thread ---- */

struct saver *saver_new(const struct saver_options *options)
{
    struct saver *s = check_calloc(1, sizeof *s);
    s->checkpoint = options->checkpoint;
    s->wake = options->wake;
    s->fail = options->fail;
    s->look = options->look;
    s->context = options->context;
    effects_init(&s->taken);
    effects_init(&s->batch);
    effects_init(&s->waiting);
    effects_init(&s->reads);
    effects_init(&s->done);
    list_init(&s->reports);
    if (!worker_start(&s->worker, "coordd-save", run, s)) {
        free(s);
        return NULL;
    }
    return s;
}

static void queue(struct saver *s, struct effects *to, const struct effect *e)
{
    worker_lock(&s->worker);
    worker_keep(to, e);
    worker_rouse(&s->worker);
    worker_unlock(&s->worker);
}

void saver_write(struct saver *s, const struct effect *e)
{
    queue(s, &s->waiting, e);
}

void saver_read(struct saver *s, const struct effect *e)
{
    queue(s, &s->reads, e);
}

/* The next report; there is one. What is done is dropped on the way; with a lost
 * checkpoint, what was queued for it too: the thread writes nothing until here. */
static struct report *next_report(struct saver *s)
{
    worker_lock(&s->worker);
    struct list *first = list_first(&s->reports);
    struct report *report = container_of(first, struct report, place);
    list_remove(first);
    s->reports_count--;
    worker_move(&s->taken, &s->done);
    if (report->event.kind == REPLICA_EVENT_CHECKPOINT_LOST) {
        worker_move(&s->taken, &s->waiting);
        s->lost = false;
    }
    worker_unlock(&s->worker);
    effects_clear(&s->taken);
    return report;
}

/* Not what comes meanwhile: each report may lead to more, and others wait too. */
void saver_take(struct saver *s, worker_take_event *take, void *context)
{
    worker_lock(&s->worker);
    uint32_t count = s->reports_count;
    worker_unlock(&s->worker);
    for (; count > 0; count--) {
        struct report *report = next_report(s);
        take(context, &report->event);
        report_free(report);
    }
}

void saver_free(struct saver *s)
{
    if (s == NULL)
        return;
    worker_end(&s->worker);
    for (struct list *first; (first = list_first(&s->reports)) != NULL;) {
        list_remove(first);
        report_free(container_of(first, struct report, place));
    }
    effects_release(&s->taken);
    effects_release(&s->batch);
    effects_release(&s->waiting);
    effects_release(&s->reads);
    effects_release(&s->done);
    free(s);
}
