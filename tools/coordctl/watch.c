/* watch.c - watch: the present state, then one line, or a run of a command, for each
 * event.
 *
 * The library calls back in its own thread, where nothing may block on the cell;
 * so events go through a queue to the main thread. When the queue is full the callback
 * waits: a slow reader of our output slows nobody but us, and once the library has
 * 1024 more waiting, they become one resync. */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tools/coordctl/command.h"
#include "tools/coordctl/event_run.h"
#include "tools/coordctl/memory.h"
#include "tools/coordctl/output.h"
#include "tools/coordctl/signals.h"

enum { QUEUE_COUNT_MAX = 256 };

struct record {
    coord_event_kind kind; /* 0: the present state */
    uint64_t revision;
    bool exists;
    coord_stat stat;
    char *path;  /* owned */
    char *value; /* owned; NULL: not asked for, or changed again since */
    size_t value_length;
};

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t taken;
    struct record records[QUEUE_COUNT_MAX]; /* a ring */
    size_t first, count;
    bool closed; /* nobody takes any more */
};

static void record_release(struct record *r)
{
    free(r->path);
    free(r->value);
}

static char *copy_bytes(const void *data, size_t length)
{
    char *copy = memory_resize(NULL, length + 1, 1);
    if (length > 0)
        memcpy(copy, data, length);
    copy[length] = '\0';
    return copy;
}

static struct record record_of(const coord_event *e)
{
    struct record r = {.kind = e->kind,
                       .revision = e->revision,
                       .exists = e->exists,
                       .stat = e->stat,
                       .path = memory_join(e->path, "", "")};
    if (e->value != NULL) {
        r.value = copy_bytes(e->value, e->value_length);
        r.value_length = e->value_length;
    }
    return r;
}

static void queue_put(void *context, const coord_event *event)
{
    struct queue *q = context;
    pthread_mutex_lock(&q->mutex);
    while (q->count == QUEUE_COUNT_MAX && !q->closed)
        pthread_cond_wait(&q->taken, &q->mutex);
    if (!q->closed) {
        q->records[(q->first + q->count) % QUEUE_COUNT_MAX] = record_of(event);
        q->count++;
    }
    pthread_mutex_unlock(&q->mutex);
    signals_wake();
}

/* *ret is then the caller's to release. */
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
    case COORD_EVENT_CHILD_ADDED:
        return "child-added";
    case COORD_EVENT_CHILD_REMOVED:
        return "child-removed";
    case COORD_EVENT_RESYNC:
        return "resync";
    default: /* the state at the start */
        break;
    }
    return r->exists ? "present" : "absent";
}

static void print_json(const struct record *r)
{
    cJSON *object = cJSON_CreateObject();
    json_add_text(object, "event", kind_word(r));
    json_add_text(object, "path", r->path);
    json_add_u64(object, "revision", r->revision);
    json_add_bool(object, "exists", r->exists);
    if (r->value != NULL)
        json_add_content(object, "content", r->value, r->value_length);
    if (r->exists)
        json_add_stat(object, &r->stat);
    json_finish(object, true, stdout);
}

static void print_line(const struct record *r)
{
    printf("%-13s  %s  revision %" PRIu64, kind_word(r), r->path, r->revision);
    if (r->exists)
        printf("  %" PRIu32 " bytes", r->stat.content_bytes);
    if (r->value != NULL) {
        fputs("  ", stdout);
        fwrite(r->value, 1, r->value_length, stdout);
    }
    putchar('\n');
}

/* EXIT_DONE, or what the watch ends with. *told: by a signal. */
static int run_command(const struct arguments *a, const struct record *r, bool *told)
{
    for (int i = 0; i < 2 && !*told; i++) /* one of two may be our own that wakes */
        *told = signals_is_end(signals_wait(0));
    if (*told)
        return EXIT_DONE;
    const struct event_words words = {.kind = kind_word(r),
                                      .path = r->path,
                                      .revision = r->revision,
                                      .generation = r->exists ? r->stat.content_generation : 0,
                                      .exists = r->exists,
                                      .value = r->value,
                                      .value_length = r->value_length};
    int code = event_run(a->exec, &words, told);
    if (code != 0 && !*told)
        fprintf(stderr, "coordctl: %s: CMD ended with %d at %s of revision %" PRIu64 "\n", r->path,
                code, words.kind, r->revision);
    return *told ? EXIT_DONE : code;
}

/* The same for what is printed. */
static int handle(const struct arguments *a, struct record *r, bool *told)
{
    int code = EXIT_DONE;
    if (a->exec != NULL) {
        code = run_command(a, r, told);
    } else {
        if (a->format == OUTPUT_JSON)
            print_json(r);
        else
            print_line(r);
        code = output_flush() ? EXIT_DONE : EXIT_REFUSED;
    }
    record_release(r);
    return code;
}

static int follow(struct cell *cell, const struct arguments *a, struct queue *q)
{
    bool told = false;
    for (;;) {
        struct record r;
        while (!told && queue_take(q, &r)) {
            int code = handle(a, &r, &told);
            if (code != EXIT_DONE)
                return code;
        }
        if (told)
            return EXIT_DONE;
        if (atomic_load(&cell->session_lost)) {
            fprintf(stderr, "coordctl: %s: the session expired; no events any more\n",
                    a->operands[0]);
            return EXIT_LOST;
        }
        told = signals_is_end(signals_wait(-1));
    }
}

/* With its content, if that is to be shown; it may have changed since `stat`, and then
 * it is told again by an event. */
static int show_present(struct cell *cell, const struct arguments *a, const coord_stat *stat,
                        bool *told)
{
    const char *path = a->operands[0];
    struct record r = {.exists = stat->size != 0, .stat = *stat};
    if (a->show_value && r.exists) {
        void *content;
        coord_error error =
            coord_get(cell->session, path, a->deadline_ms, &content, &r.value_length, &r.stat);
        if (error != COORD_OK && error != COORD_ERR_NO_NODE)
            return cell_refused(cell, path, error);
        r.exists = error == COORD_OK;
        if (r.exists) {
            r.value = copy_bytes(content, r.value_length);
            coord_free(content);
        }
    }
    r.path = memory_join(path, "", "");
    r.revision = r.exists ? r.stat.modified_revision : 0;
    return handle(a, &r, told);
}

static uint32_t what_of(const struct arguments *a)
{
    uint32_t what = COORD_WATCH_CONTENT | COORD_WATCH_LOCK;
    what |= a->recursive ? COORD_WATCH_SUBTREE : 0;
    what |= a->children ? COORD_WATCH_CHILDREN : 0;
    what |= a->show_value ? COORD_WATCH_VALUE : 0;
    return what;
}

static int watch(struct cell *cell, const struct arguments *a, struct queue *q)
{
    coord_watch_options options = COORD_WATCH_OPTIONS_INIT;
    options.what = what_of(a);
    options.from_revision = a->from_revision;
    coord_watch *watch;
    coord_stat stat;
    coord_error error = coord_watch_open_with(cell->session, a->operands[0], &options, queue_put, q,
                                              a->deadline_ms, &stat, &watch);
    if (error != COORD_OK)
        return cell_refused(cell, a->operands[0], error);
    bool told = false;
    int code = EXIT_DONE;
    if (a->from_revision == 0)
        code = show_present(cell, a, &stat, &told);
    if (code == EXIT_DONE && !told)
        code = follow(cell, a, q);
    queue_close(q);
    coord_watch_close(watch);
    return code;
}

int watch_node(struct cell *cell, const struct arguments *a)
{
    int code = cell_need_session(cell);
    if (code != EXIT_DONE)
        return code;
    struct queue q = {.first = 0};
    pthread_mutex_init(&q.mutex, NULL);
    pthread_cond_init(&q.taken, NULL);
    code = watch(cell, a, &q);
    for (struct record r; queue_take(&q, &r);)
        record_release(&r);
    pthread_cond_destroy(&q.taken);
    pthread_mutex_destroy(&q.mutex);
    return code;
}
