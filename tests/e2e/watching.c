/* watching.c - many nodes that change, and many watches that are to tell of it.
 *
 *   watching GROUPS NODES ROUNDS
 *
 * Makes GROUPS folders of NODES nodes each. One session watches all of it with one
 * watch of the subtree, another has a watch for each folder. Then every folder's
 * nodes are changed ROUNDS times, all of one folder in one transaction, by many
 * threads, while somebody else writes one small node, again and again. Prints
 *
 *   watching            all watches stand
 *   round N             the changes of this round begin
 *   done                every change is answered
 *   NAME VALUE          at the end, for each thing that was counted
 *
 * and fails if, for a watch, a change was told twice, or out of order, or did not
 * happen, or was neither told nor behind a RESYNC. */
#define _GNU_SOURCE
#include <coord/coord.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    THREADS = 8,
    CALL_MS = 60000,
    PATH_BYTES = 64,
    QUIET_MS = 500,
    TOLD_MS = 60000, /* by when all must be told */
    LATENCIES_MAX = 100000,
};

static uint32_t groups, nodes, rounds;

static void die(const char *what, coord_error error)
{
    fprintf(stderr, "watching: %s: %s (%s)\n", what, coord_error_text(error), coord_error_detail());
    exit(2);
}

static void check(const char *what, coord_error error)
{
    if (error != COORD_OK)
        die(what, error);
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void sleep_ms(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static void say(const char *name, long long value)
{
    printf("%s %lld\n", name, value);
    fflush(stdout);
}

static void path_of(uint32_t node, char path[PATH_BYTES])
{
    (void)snprintf(path, PATH_BYTES, "/w/d%05u/n%07u", node / nodes, node);
}

/* ---- changes: what happened, and what was told ---- */

struct change {
    uint64_t revision;
    uint32_t node;
};
struct changes {
    struct change *list;
    size_t capacity;
    atomic_size_t count;
};

static void changes_init(struct changes *c)
{
    /* Told twice is twice; more would be beyond counting. */
    c->capacity = 2 * (size_t)groups * nodes * rounds;
    c->list = calloc(c->capacity, sizeof *c->list);
    if (c->list == NULL)
        die("no memory", COORD_OK);
}

static void changes_add(struct changes *c, uint64_t revision, uint32_t node)
{
    size_t at = atomic_fetch_add(&c->count, 1);
    if (at >= c->capacity) {
        fputs("watching: far more than was changed\n", stderr);
        exit(1);
    }
    c->list[at] = (struct change){revision, node};
}

static int by_revision(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    if (x->revision != y->revision)
        return x->revision < y->revision ? -1 : 1;
    return (x->node > y->node) - (x->node < y->node);
}

static void changes_sort(struct changes *c)
{
    qsort(c->list, c->count, sizeof *c->list, by_revision);
}

/* Of what is sorted; how many. */
static uint32_t changes_drop_repeated(struct changes *c)
{
    size_t kept = 0, count = c->count;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || by_revision(&c->list[kept - 1], &c->list[i]) != 0)
            c->list[kept++] = c->list[i];
    c->count = kept;
    return (uint32_t)(count - kept);
}

static struct changes written;

/* ---- those who watch ---- */

struct watcher;
struct one {
    struct watcher *watcher;
    coord_watch *watch;
    uint32_t first, count; /* the nodes that it is about */
    uint64_t last, resync; /* revisions */
};
struct watcher {
    const char *name;
    coord_client *client;
    coord_session *session;
    struct one *list;
    uint32_t count;
    struct changes told;
    atomic_uint resyncs, disorder, strays;
};

static void on_event(void *context, const coord_event *event)
{
    struct one *o = context;
    struct watcher *w = o->watcher;
    const char *number = strrchr(event->path, 'n');
    if (event->revision < o->last)
        atomic_fetch_add(&w->disorder, 1);
    o->last = event->revision;
    if (event->kind == COORD_EVENT_RESYNC) {
        o->resync = event->revision;
        atomic_fetch_add(&w->resyncs, 1);
        return;
    }
    uint32_t node = number == NULL ? UINT32_MAX : (uint32_t)strtoul(number + 1, NULL, 10);
    if (event->kind != COORD_EVENT_CONTENT || node - o->first >= o->count)
        atomic_fetch_add(&w->strays, 1);
    else
        changes_add(&w->told, event->revision, node);
}

static void watcher_open(struct watcher *w, const char *endpoints, const char *name, uint32_t count)
{
    coord_watch_options options = COORD_WATCH_OPTIONS_INIT;
    options.what = COORD_WATCH_CONTENT | COORD_WATCH_SUBTREE;
    w->name = name;
    w->count = count;
    w->list = calloc(count, sizeof *w->list);
    changes_init(&w->told);
    check("client", coord_client_open(endpoints, NULL, &w->client));
    check("session", coord_session_open(w->client, NULL, &w->session));
    for (uint32_t i = 0; i < count; i++) {
        char path[PATH_BYTES];
        struct one *o = &w->list[i];
        o->watcher = w;
        o->first = i * (groups * nodes / count);
        o->count = groups * nodes / count;
        (void)snprintf(path, sizeof path, count == 1 ? "/w" : "/w/d%05u", i);
        check("watch", coord_watch_open_with(w->session, path, &options, on_event, o, CALL_MS, NULL,
                                             &o->watch));
    }
}

static uint32_t verdict(const char *of, const char *what, uint32_t count)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s_%s", of, what);
    say(name, count);
    return count;
}

/* How many things are wrong; all is sorted. */
static uint32_t watcher_judge(struct watcher *w)
{
    say(w->name, (long long)w->told.count);
    changes_sort(&w->told);
    uint32_t repeated = changes_drop_repeated(&w->told), lost = 0, invented = 0;
    const struct change *told = w->told.list, *end = told + w->told.count;
    for (size_t i = 0; i < written.count; i++) {
        const struct change *c = &written.list[i];
        for (; told < end && by_revision(told, c) < 0; told++)
            invented++;
        if (told < end && by_revision(told, c) == 0)
            told++;
        else if (w->list[c->node / w->list[0].count].resync < c->revision)
            lost++;
    }
    invented += (uint32_t)(end - told);
    (void)verdict(w->name, "resyncs", w->resyncs);
    return verdict(w->name, "repeated", repeated) + verdict(w->name, "lost", lost) +
           verdict(w->name, "invented", invented) + verdict(w->name, "disorder", w->disorder) +
           verdict(w->name, "strays", w->strays);
}

static bool watcher_has_all(struct watcher *w)
{
    return atomic_load(&w->told.count) >= atomic_load(&written.count);
}

/* Until all was told; or, where something is to be read anew, until no more comes. */
static void wait_told(struct watcher *a, struct watcher *b)
{
    int64_t end_us = now_us() + TOLD_MS * INT64_C(1000), quiet_us = now_us();
    size_t before = 0;
    while (now_us() < end_us && !(watcher_has_all(a) && watcher_has_all(b))) {
        size_t count = atomic_load(&a->told.count) + atomic_load(&b->told.count);
        if (count != before)
            quiet_us = now_us();
        before = count;
        if (a->resyncs + b->resyncs > 0 && now_us() > quiet_us + QUIET_MS * INT64_C(10000))
            return;
        sleep_ms(10);
    }
    sleep_ms(QUIET_MS); /* what is told twice may come yet */
}

/* ---- those who write ---- */

static coord_session *writing;
static atomic_uint next_group;

/* All nodes of a group, made or written, in one revision. */
static void change_group(uint32_t group, bool make)
{
    coord_txn *txn;
    coord_txn_result *result = NULL;
    coord_write_options options = COORD_WRITE_OPTIONS_INIT;
    char path[PATH_BYTES];
    options.flags = COORD_PARENTS;
    check("transaction", coord_txn_new(writing, &txn));
    for (uint32_t i = 0; i < nodes; i++) {
        path_of(group * nodes + i, path);
        check(path, make ? coord_txn_create(txn, path, "1", 1, &options)
                         : coord_txn_set(txn, path, "2", 1, NULL));
    }
    check("commit", coord_txn_commit(txn, CALL_MS, &result));
    for (uint32_t i = 0; i < nodes && !make; i++)
        changes_add(&written, result->revision, group * nodes + i);
    coord_txn_result_free(result);
    coord_txn_free(txn);
}

static void *change_some(void *make)
{
    for (uint32_t group; (group = atomic_fetch_add(&next_group, 1)) < groups;)
        change_group(group, make != NULL);
    return NULL;
}

static void change_all(bool make)
{
    pthread_t threads[THREADS];
    atomic_store(&next_group, 0);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, change_some, make ? &next_group : NULL) != 0)
            die("thread", COORD_OK);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* ---- another client, which wants to write meanwhile ---- */

static struct {
    coord_client *client;
    pthread_t thread;
    atomic_bool stop;
    uint32_t count;
    int64_t us[LATENCIES_MAX];
} other;

static void *write_one(void *unused)
{
    coord_session *session;
    coord_write_options options = COORD_WRITE_OPTIONS_INIT;
    (void)unused;
    options.flags = COORD_CREATE;
    check("session", coord_session_open(other.client, NULL, &session));
    while (!atomic_load(&other.stop) && other.count < LATENCIES_MAX) {
        int64_t began_us = now_us();
        check("write", coord_set(session, "/other", "1", 1, &options, CALL_MS, NULL));
        other.us[other.count++] = now_us() - began_us;
        sleep_ms(2);
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void other_report(void)
{
    atomic_store(&other.stop, true);
    pthread_join(other.thread, NULL);
    qsort(other.us, other.count, sizeof other.us[0], by_value);
    say("other_writes", other.count);
    say("other_p50_us", other.us[other.count / 2]);
    say("other_p99_us", other.us[(size_t)((double)(other.count - 1) * 0.99)]);
    say("other_max_us", other.us[other.count - 1]);
}

int main(int argc, char **argv)
{
    static struct watcher tree, folders;
    const char *endpoints = getenv("COORD_ENDPOINTS");
    coord_client *client;
    if (argc != 4 || endpoints == NULL) {
        fputs("usage: COORD_ENDPOINTS=... watching GROUPS NODES ROUNDS\n", stderr);
        return 2;
    }
    groups = (uint32_t)strtoul(argv[1], NULL, 10);
    nodes = (uint32_t)strtoul(argv[2], NULL, 10);
    rounds = (uint32_t)strtoul(argv[3], NULL, 10);
    changes_init(&written);
    check("client", coord_client_open(endpoints, NULL, &client));
    check("session", coord_session_open(client, NULL, &writing));
    int64_t began_us = now_us();
    change_all(true);
    say("made_ms", (now_us() - began_us) / 1000);
    watcher_open(&tree, endpoints, "tree", 1);
    watcher_open(&folders, endpoints, "folders", groups);
    check("client", coord_client_open(endpoints, NULL, &other.client));
    if (pthread_create(&other.thread, NULL, write_one, NULL) != 0)
        die("thread", COORD_OK);
    puts("watching");
    began_us = now_us();
    for (uint32_t round = 1; round <= rounds; round++) {
        say("round", round);
        change_all(false);
    }
    puts("done");
    say("changed_ms", (now_us() - began_us) / 1000);
    wait_told(&tree, &folders);
    say("told_ms", (now_us() - began_us) / 1000);
    other_report();
    changes_sort(&written);
    say("written", (long long)written.count);
    uint32_t wrong = watcher_judge(&tree) + watcher_judge(&folders);
    say("wrong", wrong);
    coord_client_close(tree.client);
    coord_client_close(folders.client);
    coord_client_close(other.client);
    coord_client_close(client);
    return wrong == 0 ? 0 : 1;
}
