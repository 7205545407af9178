/* test_watch.c - watches of more than one node, from the past and with values, and the
 * observation of an election, against five real servers. */
#define _GNU_SOURCE
#include <coord/coord.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/libcoord/clients.h"
#include "tests/support/runner.h"

enum { DEADLINE_MS = 10000, HEARD_MAX = 64 };

static struct cell cell;

/* What was heard, one line each: its kind, path or value. */
struct heard {
    pthread_mutex_t mutex;
    char lines[HEARD_MAX][80];
    uint64_t revisions[HEARD_MAX];
    int count, wanted;
};

static void heard_init(struct heard *h)
{
    memset(h, 0, sizeof *h);
    pthread_mutex_init(&h->mutex, NULL);
}

static void on_event(void *context, const coord_event *event)
{
    struct heard *h = context;
    pthread_mutex_lock(&h->mutex);
    if (h->count < HEARD_MAX) {
        (void)snprintf(h->lines[h->count], sizeof h->lines[0], "%d %s %s", (int)event->kind,
                       event->path, event->value != NULL ? (const char *)event->value : "-");
        h->revisions[h->count++] = event->revision;
    }
    pthread_mutex_unlock(&h->mutex);
}

static void on_leader(void *context, const coord_leadership *leadership)
{
    struct heard *h = context;
    pthread_mutex_lock(&h->mutex);
    if (h->count < HEARD_MAX)
        (void)snprintf(h->lines[h->count++], sizeof h->lines[0], "%s",
                       leadership->sequencer != NULL ? (const char *)leadership->value : "nobody");
    pthread_mutex_unlock(&h->mutex);
}

static bool has_heard(void *context)
{
    struct heard *h = context;
    pthread_mutex_lock(&h->mutex);
    bool all = h->count >= h->wanted;
    pthread_mutex_unlock(&h->mutex);
    return all;
}

static void expect(struct heard *h, const char *const *lines, int count)
{
    h->wanted = count;
    CU_ASSERT(eventually(has_heard, h, DEADLINE_MS));
    CU_ASSERT_EQUAL(h->count, count);
    for (int i = 0; i < count && i < h->count; i++)
        CU_ASSERT_STRING_EQUAL(h->lines[i], lines[i]);
}

static void make(coord_session *s, const char *path, const char *content)
{
    coord_write_options o = COORD_WRITE_OPTIONS_INIT;
    o.flags = COORD_PARENTS;
    CU_ASSERT_EQUAL(coord_create(s, path, content, strlen(content), &o, DEADLINE_MS, NULL),
                    COORD_OK);
}

static void test_watch__a_subtree_is_told_with_values(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    struct heard heard;
    heard_init(&heard);
    make(s, "/tree/old", "");
    coord_watch_options o = COORD_WATCH_OPTIONS_INIT;
    o.what = COORD_WATCH_CONTENT | COORD_WATCH_SUBTREE | COORD_WATCH_VALUE;
    coord_watch *w = NULL;
    CU_ASSERT_EQUAL_FATAL(
        coord_watch_open_with(s, "/tree", &o, on_event, &heard, DEADLINE_MS, NULL, &w), COORD_OK);
    make(s, "/tree/a/b", "deep");
    make(s, "/treetop", "no");
    CU_ASSERT_EQUAL(coord_set(s, "/tree/old", "new", 3, NULL, DEADLINE_MS, NULL), COORD_OK);
    CU_ASSERT_EQUAL(coord_delete(s, "/tree/old", NULL, DEADLINE_MS), COORD_OK);
    static const char *const lines[] = {"1 /tree/a ", "1 /tree/a/b deep", "2 /tree/old new",
                                        "3 /tree/old -"};
    expect(&heard, lines, 4);
    coord_watch_close(w);
    close_all(client, s);
}

static void test_watch__children_come_and_go(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    struct heard heard;
    heard_init(&heard);
    make(s, "/group/first", "");
    coord_watch_options o = COORD_WATCH_OPTIONS_INIT;
    o.what = COORD_WATCH_CHILDREN;
    coord_watch *w = NULL;
    CU_ASSERT_EQUAL_FATAL(
        coord_watch_open_with(s, "/group", &o, on_event, &heard, DEADLINE_MS, NULL, &w), COORD_OK);
    make(s, "/group/second", "");
    make(s, "/group/second/below", "");
    CU_ASSERT_EQUAL(coord_delete(s, "/group/first", NULL, DEADLINE_MS), COORD_OK);
    static const char *const lines[] = {"6 /group/second -", "7 /group/first -"};
    expect(&heard, lines, 2);
    coord_watch_close(w);
    o.what = COORD_WATCH_SUBTREE;
    CU_ASSERT_EQUAL(coord_watch_open_with(s, "/group", &o, on_event, &heard, DEADLINE_MS, NULL, &w),
                    COORD_ERR_INVALID);
    close_all(client, s);
}

static void test_watch__from_a_revision_all_that_came_after_it_is_told(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    struct heard heard;
    heard_init(&heard);
    make(s, "/past", "0");
    coord_stat stat;
    CU_ASSERT_EQUAL(coord_stat_get(s, "/past", DEADLINE_MS, &stat), COORD_OK);
    for (int i = 1; i <= 3; i++)
        CU_ASSERT_EQUAL(coord_set(s, "/past", "x", 1, NULL, DEADLINE_MS, NULL), COORD_OK);
    coord_watch_options o = COORD_WATCH_OPTIONS_INIT;
    o.what = COORD_WATCH_CONTENT | COORD_WATCH_VALUE;
    o.from_revision = stat.modified_revision;
    coord_watch *w = NULL;
    CU_ASSERT_EQUAL_FATAL(
        coord_watch_open_with(s, "/past", &o, on_event, &heard, DEADLINE_MS, NULL, &w), COORD_OK);
    CU_ASSERT_EQUAL(coord_set(s, "/past", "now", 3, NULL, DEADLINE_MS, NULL), COORD_OK);
    static const char *const lines[] = {"2 /past -", "2 /past -", "2 /past x", "2 /past now"};
    expect(&heard, lines, 4);
    for (int i = 1; i < heard.count; i++)
        CU_ASSERT(heard.revisions[i] > heard.revisions[i - 1]);
    coord_watch_close(w);
    close_all(client, s);
}

static void test_watch__every_leader_is_observed(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    struct heard heard;
    heard_init(&heard);
    coord_observer *o = NULL;
    coord_election *e = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_campaign(s, "/led", "one", 3, DEADLINE_MS, &e), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_observe(s, "/led", on_leader, &heard, DEADLINE_MS, &o), COORD_OK);
    heard.wanted = 1;
    CU_ASSERT(eventually(has_heard, &heard, DEADLINE_MS));
    CU_ASSERT_EQUAL(coord_resign(e, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_campaign(s, "/led", "two", 3, DEADLINE_MS, &e), COORD_OK);
    CU_ASSERT_EQUAL(coord_resign(e, DEADLINE_MS), COORD_OK);
    static const char *const lines[] = {"one", "nobody", "two", "nobody"};
    expect(&heard, lines, 4);
    coord_observe_close(o);
    coord_observe_close(NULL);
    CU_ASSERT_EQUAL(coord_observe(s, "/led", NULL, NULL, DEADLINE_MS, &o), COORD_ERR_INVALID);
    close_all(client, s);
}

static coord_observer *own;

static void close_own(void *context, const coord_leadership *leadership)
{
    on_leader(context, leadership);
    coord_observe_close(own);
}

static void test_watch__an_observer_can_be_closed_by_its_callback(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    struct heard heard;
    heard_init(&heard);
    CU_ASSERT_EQUAL_FATAL(coord_observe(s, "/own", close_own, &heard, DEADLINE_MS, &own), COORD_OK);
    coord_election *e = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_campaign(s, "/own", "", 0, DEADLINE_MS, &e), COORD_OK);
    CU_ASSERT_EQUAL(coord_resign(e, DEADLINE_MS), COORD_OK);
    static const char *const lines[] = {""};
    expect(&heard, lines, 1);
    close_all(client, s);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_watch__a_subtree_is_told_with_values),
        TEST(test_watch__children_come_and_go),
        TEST(test_watch__from_a_revision_all_that_came_after_it_is_told),
        TEST(test_watch__every_leader_is_observed),
        TEST(test_watch__an_observer_can_be_closed_by_its_callback),
    };
    if (!cell_start(&cell))
        return EXIT_FAILURE;
    int result = run_suite("watch", cases, sizeof cases / sizeof cases[0], argc, argv);
    cell_stop(&cell);
    return result;
}
