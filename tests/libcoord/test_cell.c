/* test_cell.c - the public interface against five real servers. */
#define _GNU_SOURCE
#include <coord/coord.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/libcoord/clients.h"
#include "tests/support/runner.h"

enum { DEADLINE_MS = 10000, CONTENDERS = 50 };

static struct cell cell;

static coord_write_options flags(uint32_t f)
{
    coord_write_options o = COORD_WRITE_OPTIONS_INIT;
    o.flags = f;
    return o;
}

/* ---- nodes ---- */

static void test_cell__nodes_are_written_and_read(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    coord_write_options make = flags(COORD_CREATE | COORD_PARENTS);
    coord_stat stat, again;
    CU_ASSERT_EQUAL(coord_set(s, "/n/a", "one", 3, NULL, DEADLINE_MS, NULL), COORD_ERR_NO_NODE);
    CU_ASSERT_EQUAL(coord_set(s, "/n/a", "one", 3, &make, DEADLINE_MS, &stat), COORD_OK);
    CU_ASSERT_EQUAL(stat.content_bytes, 3);
    void *content = NULL;
    size_t length = 0;
    CU_ASSERT_EQUAL(coord_get(s, "/ls/local/n/a", DEADLINE_MS, &content, &length, &again),
                    COORD_OK);
    CU_ASSERT_EQUAL(length, 3);
    CU_ASSERT_STRING_EQUAL(content, "one");
    CU_ASSERT_EQUAL(again.content_generation, stat.content_generation);
    coord_free(content);
    coord_write_options swap = COORD_WRITE_OPTIONS_INIT;
    swap.if_content_generation = stat.content_generation;
    CU_ASSERT_EQUAL(coord_set(s, "/n/a", "two", 3, &swap, DEADLINE_MS, NULL), COORD_OK);
    CU_ASSERT_EQUAL(coord_set(s, "/n/a", "six", 3, &swap, DEADLINE_MS, NULL),
                    COORD_ERR_BAD_GENERATION);
    CU_ASSERT_EQUAL(coord_create(s, "/n/a", NULL, 0, NULL, DEADLINE_MS, NULL),
                    COORD_ERR_NODE_EXISTS);
    CU_ASSERT_EQUAL(coord_delete(s, "/n", NULL, DEADLINE_MS), COORD_ERR_NOT_EMPTY);
    CU_ASSERT_EQUAL(coord_delete(s, "/n/a", NULL, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_stat_get(s, "/n/a", DEADLINE_MS, &stat), COORD_ERR_NO_NODE);
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
}

static void test_cell__listing_goes_page_by_page(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    coord_write_options parents = flags(COORD_PARENTS);
    for (int i = 0; i < 10; i++) {
        char path[32];
        (void)snprintf(path, sizeof path, "/list/%d", i);
        CU_ASSERT_EQUAL(coord_create(s, path, NULL, 0, &parents, DEADLINE_MS, NULL), COORD_OK);
    }
    char after[16] = "";
    int seen = 0;
    for (bool more = true; more;) {
        coord_listing *page = NULL;
        CU_ASSERT_EQUAL_FATAL(
            coord_list(s, "/list", after[0] != 0 ? after : NULL, 3, DEADLINE_MS, &page), COORD_OK);
        CU_ASSERT(page->count <= 3);
        for (size_t i = 0; i < page->count; i++) {
            CU_ASSERT_EQUAL(page->entries[i].name[0], '0' + seen);
            seen++;
            (void)snprintf(after, sizeof after, "%s", page->entries[i].name);
        }
        more = page->more;
        coord_listing_free(page);
    }
    CU_ASSERT_EQUAL(seen, 10);
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
}

static void test_cell__a_handle_is_bound_to_its_instance(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    coord_node *node = open_node(s, "/handle");
    coord_node *none = NULL;
    CU_ASSERT_EQUAL(coord_open(s, "/handle", COORD_CREATE | COORD_EXCLUSIVE, DEADLINE_MS, &none),
                    COORD_ERR_NODE_EXISTS);
    CU_ASSERT_EQUAL(coord_node_set(node, "x", 1, NULL, DEADLINE_MS, NULL), COORD_OK);
    CU_ASSERT_EQUAL(coord_delete(s, "/handle", NULL, DEADLINE_MS), COORD_OK);
    coord_node *other = open_node(s, "/handle");
    void *content;
    size_t length;
    CU_ASSERT_EQUAL(coord_node_get(node, DEADLINE_MS, &content, &length, NULL),
                    COORD_ERR_INSTANCE_GONE);
    CU_ASSERT_EQUAL(coord_node_set(node, "y", 1, NULL, DEADLINE_MS, NULL), COORD_ERR_INSTANCE_GONE);
    coord_lock *lock;
    CU_ASSERT_EQUAL(coord_trylock(node, DEADLINE_MS, &lock), COORD_ERR_INSTANCE_GONE);
    CU_ASSERT_EQUAL(coord_node_delete(other, DEADLINE_MS), COORD_OK);
    coord_node_close(node);
    coord_node_close(other);
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
}

/* ---- locks ---- */

static void test_cell__a_lock_excludes_other_clients_and_passes_on(void)
{
    coord_client *one = open_client(&cell), *two = open_client(&cell);
    coord_session *s1 = open_session(one), *s2 = open_session(two);
    coord_node *n1 = open_node(s1, "/lock"), *n2 = open_node(s2, "/lock");
    coord_lock *l1 = NULL, *l2 = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(n1, DEADLINE_MS, &l1), COORD_OK);
    CU_ASSERT(coord_lock_safe_ms(l1) > 5000);
    CU_ASSERT_EQUAL(coord_lock_acquire(n1, DEADLINE_MS, &l2), COORD_ERR_INVALID);
    CU_ASSERT_EQUAL(coord_trylock(n2, DEADLINE_MS, &l2), COORD_ERR_LOCK_HELD);
    int64_t start = now_ms();
    CU_ASSERT_EQUAL(coord_lock_acquire(n2, 300, &l2), COORD_ERR_TIMEOUT);
    int64_t took = now_ms() - start;
    CU_ASSERT(took >= 299 && took < DEADLINE_MS);
    CU_ASSERT_EQUAL(coord_check_sequencer(s2, coord_lock_sequencer(l1), DEADLINE_MS), COORD_OK);
    coord_sequencer before, after;
    char *text = strdup(coord_lock_sequencer(l1));
    CU_ASSERT_EQUAL(coord_sequencer_parse(text, &before), COORD_OK);
    CU_ASSERT_EQUAL(coord_unlock(l1, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_check_sequencer(s2, text, DEADLINE_MS), COORD_ERR_STALE_SEQUENCER);
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(n2, 5000, &l2), COORD_OK);
    CU_ASSERT_EQUAL(coord_sequencer_parse(coord_lock_sequencer(l2), &after), COORD_OK);
    bool comparable = false;
    CU_ASSERT(coord_sequencer_compare(&before, &after, &comparable) < 0);
    CU_ASSERT(comparable);
    coord_write_options guarded = COORD_WRITE_OPTIONS_INIT;
    guarded.if_sequencer = text;
    CU_ASSERT_EQUAL(coord_set(s1, "/lock", "x", 1, &guarded, DEADLINE_MS, NULL),
                    COORD_ERR_STALE_SEQUENCER);
    CU_ASSERT_EQUAL(coord_unlock(l2, DEADLINE_MS), COORD_OK);
    free(text);
    coord_node_close(n1);
    coord_node_close(n2);
    CU_ASSERT_EQUAL(coord_session_close(s1, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_session_close(s2, DEADLINE_MS), COORD_OK);
    coord_client_close(one);
    coord_client_close(two);
}

struct contender {
    pthread_t thread;
    coord_session *session;
    atomic_int *inside, *rounds_left, *wrong;
};

static void *contend(void *argument)
{
    struct contender *c = argument;
    coord_node *node = NULL;
    if (coord_open(c->session, "/crowd", COORD_CREATE, DEADLINE_MS, &node) != COORD_OK) {
        atomic_fetch_add(c->wrong, 1);
        return NULL;
    }
    while (atomic_fetch_sub(c->rounds_left, 1) > 0) {
        coord_lock *lock = NULL;
        if (coord_lock_acquire(node, 60000, &lock) != COORD_OK) {
            atomic_fetch_add(c->wrong, 1);
            break;
        }
        if (atomic_fetch_add(c->inside, 1) != 0)
            atomic_fetch_add(c->wrong, 1);
        atomic_fetch_sub(c->inside, 1);
        if (coord_unlock(lock, DEADLINE_MS) != COORD_OK)
            atomic_fetch_add(c->wrong, 1);
    }
    coord_node_close(node);
    return NULL;
}

static void test_cell__fifty_contenders_are_never_two_inside(void)
{
    coord_client *client = open_client(&cell);
    static struct contender contenders[CONTENDERS];
    atomic_int inside = 0, rounds_left = 500, wrong = 0;
    for (int i = 0; i < CONTENDERS; i++) {
        contenders[i] = (struct contender){.session = open_session(client),
                                           .inside = &inside,
                                           .rounds_left = &rounds_left,
                                           .wrong = &wrong};
    }
    int64_t start = now_ms();
    for (int i = 0; i < CONTENDERS; i++)
        CU_ASSERT_EQUAL(pthread_create(&contenders[i].thread, NULL, contend, &contenders[i]), 0);
    for (int i = 0; i < CONTENDERS; i++)
        pthread_join(contenders[i].thread, NULL);
    printf(" 500 rounds in %d ms ", (int)(now_ms() - start));
    for (int i = 0; i < CONTENDERS; i++)
        CU_ASSERT_EQUAL(coord_session_close(contenders[i].session, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(wrong, 0);
    coord_client_close(client);
}

struct waiting {
    coord_node *node;
    coord_lock *lock;
    coord_error result;
    int64_t ended_ms;
    atomic_bool ended;
};

static void *wait_for_lock(void *argument)
{
    struct waiting *w = argument;
    w->result = coord_lock_acquire(w->node, 60000, &w->lock);
    w->ended_ms = now_ms();
    atomic_store(&w->ended, true);
    return NULL;
}

static uint32_t waiters_of(coord_session *s, const char *path)
{
    coord_stat stat = {.size = 0};
    (void)!coord_stat_get(s, path, DEADLINE_MS, &stat);
    return stat.lock_waiters_count;
}

struct line {
    coord_session *session;
    const char *path;
    uint32_t count;
};

static bool line_is(void *context)
{
    struct line *l = context;
    return waiters_of(l->session, l->path) == l->count;
}

static void test_cell__a_cancelled_wait_leaves_the_line(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s1 = open_session(client), *s2 = open_session(client);
    coord_node *n1 = open_node(s1, "/cancel"), *n2 = open_node(s2, "/cancel");
    coord_lock *l1 = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(n1, DEADLINE_MS, &l1), COORD_OK);
    struct waiting w = {.node = n2};
    pthread_t thread;
    pthread_create(&thread, NULL, wait_for_lock, &w);
    struct line line = {s1, "/cancel", 1};
    CU_ASSERT(eventually(line_is, &line, 5000));
    coord_session_cancel(s2);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(w.result, COORD_ERR_CANCELLED);
    line.count = 0;
    CU_ASSERT(eventually(line_is, &line, 5000));
    CU_ASSERT_EQUAL(coord_unlock(l1, DEADLINE_MS), COORD_OK);
    coord_lock *l2 = NULL; /* later calls are not concerned */
    CU_ASSERT_EQUAL(coord_lock_acquire(n2, DEADLINE_MS, &l2), COORD_OK);
    CU_ASSERT_EQUAL(coord_unlock(l2, DEADLINE_MS), COORD_OK);
    coord_node_close(n1);
    coord_node_close(n2);
    CU_ASSERT_EQUAL(coord_session_close(s1, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_session_close(s2, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
}

/* A client that vanishes loses its locks and ephemeral nodes when its lease runs
 * out, not before. */
static void test_cell__a_dead_client_gives_way_after_its_lease(void)
{
    coord_client *one = open_client(&cell), *two = open_client(&cell);
    coord_session_options brief = COORD_SESSION_OPTIONS_INIT;
    brief.ttl_ms = 2000;
    coord_session *s1 = NULL, *s2 = open_session(two);
    CU_ASSERT_EQUAL_FATAL(coord_session_open(one, &brief, &s1), COORD_OK);
    coord_node *n1 = open_node(s1, "/dead"), *n2 = open_node(s2, "/dead");
    coord_node *ephemeral = NULL;
    CU_ASSERT_EQUAL_FATAL(
        coord_open(s1, "/brief", COORD_CREATE | COORD_EPHEMERAL, DEADLINE_MS, &ephemeral),
        COORD_OK);
    coord_lock *l1 = NULL, *l2 = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(n1, DEADLINE_MS, &l1), COORD_OK);
    int64_t start = now_ms();
    coord_client_close(one); /* without a word */
    CU_ASSERT_EQUAL(coord_lock_acquire(n2, 20000, &l2), COORD_OK);
    int64_t took = now_ms() - start;
    printf(" after %d ms ", (int)took);
    CU_ASSERT(took > 1000 && took < DEADLINE_MS);
    coord_stat stat;
    CU_ASSERT_EQUAL(coord_stat_get(s2, "/brief", DEADLINE_MS, &stat), COORD_ERR_NO_NODE);
    CU_ASSERT_EQUAL(coord_unlock(l2, DEADLINE_MS), COORD_OK);
    coord_node_close(n2);
    CU_ASSERT_EQUAL(coord_session_close(s2, DEADLINE_MS), COORD_OK);
    coord_client_close(two);
    CU_ASSERT_EQUAL(coord_unlock(l1, DEADLINE_MS), COORD_ERR_EXPIRED);
    coord_node_close(n1);
    coord_node_close(ephemeral);
}

/* ---- watches ---- */

struct seen {
    pthread_mutex_t mutex;
    coord_event last;
    char path[64];
    int count, wrong;
    uint64_t revision;
};

static void see(void *context, const coord_event *event)
{
    struct seen *s = context;
    pthread_mutex_lock(&s->mutex);
    if (event->revision < s->revision)
        s->wrong++;
    s->revision = event->revision;
    s->last = *event;
    (void)snprintf(s->path, sizeof s->path, "%s", event->path);
    s->count++;
    pthread_mutex_unlock(&s->mutex);
}

struct wanted {
    struct seen *seen;
    coord_event_kind kind;
};

static bool was_seen(void *context)
{
    struct wanted *w = context;
    pthread_mutex_lock(&w->seen->mutex);
    bool yes = w->seen->count > 0 && w->seen->last.kind == w->kind;
    pthread_mutex_unlock(&w->seen->mutex);
    return yes;
}

static void test_cell__a_watch_tells_each_change(void)
{
    coord_client *one = open_client(&cell), *two = open_client(&cell);
    coord_session *s1 = open_session(one), *s2 = open_session(two);
    struct seen seen = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    coord_watch *watch = NULL;
    coord_stat stat = {.size = 1};
    CU_ASSERT_EQUAL_FATAL(coord_watch_open(s1, "/watched", COORD_WATCH_CONTENT | COORD_WATCH_LOCK,
                                           see, &seen, DEADLINE_MS, &stat, &watch),
                          COORD_OK);
    CU_ASSERT_EQUAL(stat.size, 0); /* no such node yet */
    CU_ASSERT_EQUAL(coord_create(s2, "/watched", NULL, 0, NULL, DEADLINE_MS, NULL), COORD_OK);
    CU_ASSERT(eventually(was_seen, &(struct wanted){&seen, COORD_EVENT_CREATED}, 5000));
    CU_ASSERT_STRING_EQUAL(seen.path, "/watched");
    CU_ASSERT_EQUAL(coord_set(s2, "/watched", "12", 2, NULL, DEADLINE_MS, NULL), COORD_OK);
    CU_ASSERT(eventually(was_seen, &(struct wanted){&seen, COORD_EVENT_CONTENT}, 5000));
    CU_ASSERT_EQUAL(seen.last.stat.content_bytes, 2);
    coord_node *node = open_node(s2, "/watched");
    coord_lock *lock = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(node, DEADLINE_MS, &lock), COORD_OK);
    CU_ASSERT(eventually(was_seen, &(struct wanted){&seen, COORD_EVENT_LOCK_HELD}, 5000));
    CU_ASSERT_EQUAL(coord_unlock(lock, DEADLINE_MS), COORD_OK);
    CU_ASSERT(eventually(was_seen, &(struct wanted){&seen, COORD_EVENT_LOCK_FREE}, 5000));
    CU_ASSERT_EQUAL(coord_delete(s2, "/watched", NULL, DEADLINE_MS), COORD_OK);
    CU_ASSERT(eventually(was_seen, &(struct wanted){&seen, COORD_EVENT_DELETED}, 5000));
    CU_ASSERT_FALSE(seen.last.exists);
    CU_ASSERT_EQUAL(seen.count, 5);
    CU_ASSERT_EQUAL(seen.wrong, 0);
    coord_watch_close(watch);
    CU_ASSERT_EQUAL(coord_create(s2, "/watched", NULL, 0, NULL, DEADLINE_MS, NULL), COORD_OK);
    CU_ASSERT_EQUAL(coord_stat_get(s1, "/watched", DEADLINE_MS, &stat), COORD_OK);
    CU_ASSERT_EQUAL(seen.count, 5);
    coord_node_close(node);
    CU_ASSERT_EQUAL(coord_session_close(s1, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_session_close(s2, DEADLINE_MS), COORD_OK);
    coord_client_close(one);
    coord_client_close(two);
}

static void slow_see(void *context, const coord_event *event)
{
    (void)event;
    sleep_ms(20);
    atomic_fetch_add((atomic_int *)context, 1);
}

/* A callback that takes long must delay no KeepAlive: the session stays safe. */
static void test_cell__a_slow_callback_costs_no_lease(void)
{
    coord_client *client = open_client(&cell);
    coord_session_options brief = COORD_SESSION_OPTIONS_INIT;
    brief.ttl_ms = 2000;
    coord_session *watcher = NULL, *writer = open_session(client);
    CU_ASSERT_EQUAL_FATAL(coord_session_open(client, &brief, &watcher), COORD_OK);
    coord_node *node = open_node(writer, "/slow");
    atomic_int seen = 0;
    coord_watch *watch = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_watch_open(watcher, "/slow", COORD_WATCH_CONTENT, slow_see, &seen,
                                           DEADLINE_MS, NULL, &watch),
                          COORD_OK);
    for (int i = 0; i < 150; i++)
        CU_ASSERT_EQUAL(coord_node_set(node, &i, sizeof i, NULL, DEADLINE_MS, NULL), COORD_OK);
    int64_t least = 2000;
    for (int i = 0; i < 40; i++) { /* 3 s of callbacks are queued */
        int64_t safe = coord_session_safe_ms(watcher);
        least = safe < least ? safe : least;
        sleep_ms(50);
    }
    CU_ASSERT(least > 0); /* a KeepAlive that waits for them all would come too late */
    coord_watch_close(watch);
    int at_close = atomic_load(&seen);
    sleep_ms(50);
    CU_ASSERT_EQUAL(atomic_load(&seen), at_close); /* none after it was closed */
    coord_node_close(node);
    CU_ASSERT_EQUAL(coord_session_close(watcher, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_session_close(writer, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
}

/* ---- election ---- */

static void test_cell__an_election_shows_the_leader_with_its_value(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s1 = open_session(client), *s2 = open_session(client);
    coord_election *e1 = NULL, *e2 = NULL;
    void *value = NULL;
    size_t length = 0;
    char *sequencer = NULL;
    CU_ASSERT_EQUAL(coord_leader(s1, "/e/x", DEADLINE_MS, &value, &length, NULL),
                    COORD_ERR_NO_NODE);
    CU_ASSERT_EQUAL_FATAL(coord_campaign(s1, "/e/x", "one:1", 5, DEADLINE_MS, &e1), COORD_OK);
    CU_ASSERT(coord_election_safe_ms(e1) > 5000);
    CU_ASSERT_EQUAL(coord_leader(s2, "/e/x", DEADLINE_MS, &value, &length, &sequencer), COORD_OK);
    CU_ASSERT_STRING_EQUAL(value, "one:1");
    CU_ASSERT_STRING_EQUAL(sequencer, coord_election_sequencer(e1));
    coord_free(value);
    coord_free(sequencer);
    CU_ASSERT_EQUAL(coord_campaign(s2, "/e/x", "two:2", 5, 200, &e2), COORD_ERR_TIMEOUT);
    CU_ASSERT_EQUAL(coord_campaign(s2, "/e/x", "two:2", 5, 0, &e2), COORD_ERR_LOCK_HELD);
    CU_ASSERT_EQUAL(coord_resign(e1, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_leader(s1, "/e/x", DEADLINE_MS, &value, &length, NULL),
                    COORD_ERR_NOT_HELD);
    CU_ASSERT_EQUAL_FATAL(coord_campaign(s2, "/e/x", "two:2", 5, DEADLINE_MS, &e2), COORD_OK);
    CU_ASSERT_EQUAL(coord_leader(s1, "/e/x", DEADLINE_MS, &value, &length, NULL), COORD_OK);
    CU_ASSERT_STRING_EQUAL(value, "two:2");
    coord_free(value);
    CU_ASSERT_EQUAL(coord_session_close(s1, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_resign(e2, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_session_close(s2, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
}

/* ---- looking around ---- */

static void test_cell__status_shows_five_members_and_one_leader(void)
{
    coord_client *client = NULL;
    char one[32]; /* the others are found */
    (void)snprintf(one, sizeof one, "127.0.0.1:%d", cell.port + 2);
    CU_ASSERT_EQUAL_FATAL(coord_client_open(one, NULL, &client), COORD_OK);
    coord_status *status = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_status_get(client, DEADLINE_MS, &status), COORD_OK);
    CU_ASSERT_EQUAL(status->members_count, CELL_MEMBERS);
    CU_ASSERT_EQUAL(strlen(status->cell), 32);
    int leaders = 0;
    for (size_t i = 0; i < status->members_count; i++) {
        CU_ASSERT_EQUAL(status->members[i].id, i + 1);
        CU_ASSERT_EQUAL(status->members[i].pid, (uint64_t)cell.members[i]);
        leaders += strcmp(status->members[i].role, "leader") == 0;
    }
    CU_ASSERT_EQUAL(leaders, 1);
    coord_status_free(status);
    coord_session *s = open_session(client);
    coord_session_listing *sessions = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_sessions(s, 0, 0, DEADLINE_MS, &sessions), COORD_OK);
    bool found = false;
    for (size_t i = 0; i < sessions->count; i++)
        found |= sessions->sessions[i].session == coord_session_id(s);
    CU_ASSERT(found);
    coord_session_listing_free(sessions);
    coord_node *node = open_node(s, "/look/here");
    coord_lock *lock = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(node, DEADLINE_MS, &lock), COORD_OK);
    coord_lock_listing *locks = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_locks(s, "/look", NULL, 0, DEADLINE_MS, &locks), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(locks->count, 1);
    CU_ASSERT_STRING_EQUAL(locks->locks[0].path, "/look/here");
    CU_ASSERT_STRING_EQUAL(locks->locks[0].sequencer, coord_lock_sequencer(lock));
    CU_ASSERT_EQUAL(locks->locks[0].holders[0].session, coord_session_id(s));
    coord_lock_listing_free(locks);
    CU_ASSERT_EQUAL(coord_unlock(lock, DEADLINE_MS), COORD_OK);
    coord_node_close(node);
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
}

static void test_cell__content_that_no_cell_takes_is_refused_before_it_is_sent(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    static char large[2 * 1024 * 1024];
    coord_write_options make = flags(COORD_CREATE);
    CU_ASSERT_EQUAL(coord_set(s, "/large", large, sizeof large, &make, DEADLINE_MS, NULL),
                    COORD_ERR_TOO_LARGE);
    CU_ASSERT_EQUAL(coord_set(s, "/large", large, 512 * 1024, &make, DEADLINE_MS, NULL),
                    COORD_ERR_TOO_LARGE); /* by the cell */
    CU_ASSERT_EQUAL(coord_set(s, "/large", large, 256 * 1024, &make, DEADLINE_MS, NULL), COORD_OK);
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
}

static void test_cell__a_session_goes_on_in_another_client(void)
{
    coord_client *one = open_client(&cell), *two = open_client(&cell);
    coord_session *first = open_session(one), *second = NULL;
    uint64_t id = coord_session_id(first);
    uint8_t secret[COORD_SECRET_BYTES], wrong[COORD_SECRET_BYTES] = {0};
    coord_session_secret(first, secret);
    coord_write_options mine = flags(COORD_EPHEMERAL);
    CU_ASSERT_EQUAL(coord_create(first, "/mine", NULL, 0, &mine, DEADLINE_MS, NULL), COORD_OK);
    coord_client_close(one); /* and its sessions, without a word */
    CU_ASSERT_EQUAL(coord_session_attach(two, NULL, id, wrong, &second), COORD_ERR_EXPIRED);
    CU_ASSERT_EQUAL_FATAL(coord_session_attach(two, NULL, id, secret, &second), COORD_OK);
    CU_ASSERT_EQUAL(coord_session_id(second), id);
    CU_ASSERT(coord_session_safe_ms(second) > 0);
    CU_ASSERT_EQUAL(coord_create(second, "/mine/too", NULL, 0, NULL, DEADLINE_MS, NULL),
                    COORD_ERR_EPHEMERAL);
    CU_ASSERT_EQUAL(coord_create(second, "/more", NULL, 0, &mine, DEADLINE_MS, NULL), COORD_OK);
    coord_stat stat;
    CU_ASSERT_EQUAL(coord_stat_get(second, "/mine", DEADLINE_MS, &stat), COORD_OK);
    CU_ASSERT_EQUAL(stat.owner_session, id);
    CU_ASSERT_EQUAL(coord_session_close(second, DEADLINE_MS), COORD_OK);
    coord_session *third = open_session(two);
    CU_ASSERT_EQUAL(coord_stat_get(third, "/mine", DEADLINE_MS, &stat), COORD_ERR_NO_NODE);
    CU_ASSERT_EQUAL(coord_session_close(third, DEADLINE_MS), COORD_OK);
    coord_client_close(two);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_cell__nodes_are_written_and_read),
        TEST(test_cell__listing_goes_page_by_page),
        TEST(test_cell__a_handle_is_bound_to_its_instance),
        TEST(test_cell__a_lock_excludes_other_clients_and_passes_on),
        TEST(test_cell__fifty_contenders_are_never_two_inside),
        TEST(test_cell__a_cancelled_wait_leaves_the_line),
        TEST(test_cell__a_dead_client_gives_way_after_its_lease),
        TEST(test_cell__a_watch_tells_each_change),
        TEST(test_cell__a_slow_callback_costs_no_lease),
        TEST(test_cell__an_election_shows_the_leader_with_its_value),
        TEST(test_cell__status_shows_five_members_and_one_leader),
        TEST(test_cell__a_session_goes_on_in_another_client),
        TEST(test_cell__content_that_no_cell_takes_is_refused_before_it_is_sent),
    };
    if (!cell_start(&cell))
        return EXIT_FAILURE;
    int result = run_suite("cell", cases, sizeof cases / sizeof cases[0], argc, argv);
    cell_stop(&cell);
    return result;
}
