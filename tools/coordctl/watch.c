/* watch.c - watch: the present state, then one line for each event.
 *
 * The library calls back in its own thread, where nothing may block on the cell;
 * so events go through a queue to the main thread, which prints. When the queue
 * is full the callback waits: a slow reader of our output slows nobody but us. */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tools/coordctl/command.h"
#include "tools/coordctl/output.h"
#include "tools/coordctl/signals.h"

enum { QUEUE_COUNT_MAX = 256 };

struct record {
    coord_event_kind kind; /* 0: the present state */
    uint64_t revision;
    bool exists;
    coord_stat stat;
};

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t taken;
    struct record records[QUEUE_COUNT_MAX]; /* a ring */
    size_t first, count;
    bool closed; /* nobody takes any more */
};

static void queue_put(void *context, const coord_event *event)
{
    struct queue *q = context;
    pthread_mutex_lock(&q->mutex);
    while (q->count == QUEUE_COUNT_MAX && !q->closed)
        pthread_cond_wait(&q->taken, &q->mutex);
    if (!q->closed) {
        q->records[(q->first + q->count) % QUEUE_COUNT_MAX] =
            (struct record){event->kind, event->revision, event->exists, event->stat};
        q->count++;
    }
    pthread_mutex_unlock(&q->mutex);
    signals_wake();
}

static bool queue_take(struct queue *q, struct record *ret)
{
    pthread_mutex_lock(&q->mutex);
    bool some = q->count > 0;
    if (some) {
        *ret = q->records[q->first];
        q->first = (q->first + 1) % QUEUE_COUNT_MAX;
        q->count--;
        pthread_cond_signal(&q->taken);
    }
    pthread_mutex_unlock(&q->mutex);
    return some;
}

static void queue_close(struct queue *q)
{
    pthread_mutex_lock(&q->mutex);
    q->closed = true;
    pthread_cond_signal(&q->taken);
    pthread_mutex_unlock(&q->mutex);
}

static const char *kind_word(const struct record *r)
{
    switch (r->kind) {
    case COORD_EVENT_CREATED:
        return "created";
    case COORD_EVENT_CONTENT:
        return "content";
    case COORD_EVENT_DELETED:
        return "deleted";
    case COORD_EVENT_LOCK_HELD:
        return "lock-held";
    case COORD_EVENT_LOCK_FREE:
        return "lock-free";
    default: /* the state at the start, or a kind that is not asked for here */
        break;
    }
    return r->exists ? "present" : "absent";
}

/* The content now, which may be later than the event; its generation tells. */
struct value {
    void *content;
    size_t length;
    uint64_t generation;
};

static void get_value(struct cell *cell, const struct arguments *a, const struct record *r,
                      struct value *ret)
{
    *ret = (struct value){0};
    bool about_lock = r->kind == COORD_EVENT_LOCK_HELD || r->kind == COORD_EVENT_LOCK_FREE;
    if (!a->show_value || !r->exists || about_lock)
        return;
    coord_stat stat;
    coord_error error = coord_get(cell->session, a->operands[0], a->deadline_ms, &ret->content,
                                  &ret->length, &stat);
    if (error == COORD_OK)
        ret->generation = stat.content_generation;
    else if (error != COORD_ERR_NO_NODE) /* then the next event says so */
        (void)cell_refused(cell, a->operands[0], error);
}

static void print_json(const struct arguments *a, const struct record *r, const struct value *v)
{
    cJSON *object = cJSON_CreateObject();
    json_add_text(object, "event", kind_word(r));
    json_add_text(object, "path", a->operands[0]);
    json_add_u64(object, "revision", r->revision);
    json_add_bool(object, "exists", r->exists);
    if (v->content != NULL) {
        json_add_content(object, "content", v->content, v->length);
        json_add_u64(object, "content_of_generation", v->generation);
    }
    if (r->exists)
        json_add_stat(object, &r->stat);
    json_finish(object, true, stdout);
}

static void print_line(const struct arguments *a, const struct record *r, const struct value *v)
{
    printf("%-9s  %s  revision %" PRIu64, kind_word(r), a->operands[0], r->revision);
    if (r->exists)
        printf("  %" PRIu32 " bytes", r->stat.content_bytes);
    if (v->content != NULL) {
        fputs("  ", stdout);
        fwrite(v->content, 1, v->length, stdout);
    }
    putchar('\n');
}

/* False when standard output is gone. */
static bool print(struct cell *cell, const struct arguments *a, const struct record *r)
{
    struct value v;
    get_value(cell, a, r, &v);
    if (a->format == OUTPUT_JSON)
        print_json(a, r, &v);
    else
        print_line(a, r, &v);
    coord_free(v.content);
    return output_flush();
}

static int follow(struct cell *cell, const struct arguments *a, struct queue *q)
{
    for (;;) {
        struct record r;
        while (queue_take(q, &r))
            if (!print(cell, a, &r))
                return EXIT_REFUSED;
        if (atomic_load(&cell->session_lost)) {
            fprintf(stderr, "coordctl: %s: the session expired; no events any more\n",
                    a->operands[0]);
            return EXIT_LOST;
        }
        if (signals_is_end(signals_wait(-1)))
            return EXIT_DONE;
    }
}

int watch_node(struct cell *cell, const struct arguments *a)
{
    const char *path = a->operands[0];
    int code = cell_need_session(cell);
    if (code != EXIT_DONE)
        return code;
    struct queue q = {.first = 0};
    pthread_mutex_init(&q.mutex, NULL);
    pthread_cond_init(&q.taken, NULL);

    coord_watch *watch;
    coord_stat stat;
    coord_error error =
        coord_watch_open(cell->session, path, COORD_WATCH_CONTENT | COORD_WATCH_LOCK, queue_put, &q,
                         a->deadline_ms, &stat, &watch);
    if (error != COORD_OK) {
        code = cell_refused(cell, path, error);
    } else {
        struct record present = {.exists = stat.size != 0, .stat = stat};
        present.revision = present.exists ? stat.modified_revision : 0;
        code = print(cell, a, &present) ? follow(cell, a, &q) : EXIT_REFUSED;
        queue_close(&q);
        coord_watch_close(watch);
    }
    pthread_cond_destroy(&q.taken);
    pthread_mutex_destroy(&q.mutex);
    return code;
}
