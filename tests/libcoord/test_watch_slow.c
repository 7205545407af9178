/* test_watch_slow.c - applications that do not take what a watch tells them, against
 * five real servers. */
#define _GNU_SOURCE
#include <coord/coord.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/libcoord/cell.h"
#include "tests/support/runner.h"

enum { DEADLINE_MS = 10000, CHANGES = 1500, PARTS = 100 };

static struct cell cell;

struct reader {
    atomic_bool go; /* until then the first callback waits */
    uint64_t last, resync;
    atomic_int events, resyncs, wrong;
    atomic_uint_fast64_t seen;
};

static void read_slowly(void *context, const coord_event *event)
{
    struct reader *r = context;
    while (!atomic_load(&r->go))
        sleep_ms(1);
    if (event->kind == COORD_EVENT_RESYNC) {
        r->resync = event->revision;
        atomic_fetch_add(&r->resyncs, 1);
    } else if (event->revision <= r->resync) {
        atomic_fetch_add(&r->wrong, 1); /* what was to be read anew is told as well */
    } else {
        atomic_fetch_add(&r->events, 1);
    }
    if (event->revision < r->last)
        atomic_fetch_add(&r->wrong, 1);
    r->last = event->revision;
    atomic_store(&r->seen, event->revision);
}

struct wanted {
    struct reader *reader;
    uint64_t revision;
};

static bool has_seen(void *context)
{
    struct wanted *w = context;
    return atomic_load(&w->reader->seen) >= w->revision;
}

static uint64_t change(coord_session *s, int count)
{
    coord_txn *txn = NULL;
    coord_txn_result *result = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_txn_new(s, &txn), COORD_OK);
    for (int i = 0; i < count; i++)
        CU_ASSERT_EQUAL(coord_txn_set(txn, "/slow", "x", 1, NULL), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_txn_commit(txn, DEADLINE_MS, &result), COORD_OK);
    uint64_t revision = result->revision;
    coord_txn_result_free(result);
    coord_txn_free(txn);
    return revision;
}

/* One RESYNC for all that was left waiting, and what came after it. */
static void test_watch_slow__one_that_is_to_be_told_all_is_told_to_read_anew(void)
{
    coord_client *one = NULL, *two = NULL;
    coord_session *s1 = NULL, *s2 = NULL;
    coord_node *node = NULL;
    coord_watch *watch = NULL;
    static struct reader reader;
    coord_watch_options o = COORD_WATCH_OPTIONS_INIT;
    CU_ASSERT_EQUAL_FATAL(coord_client_open(cell.endpoints, NULL, &one), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_client_open(cell.endpoints, NULL, &two), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_session_open(one, NULL, &s1), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_session_open(two, NULL, &s2), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_open(s1, "/slow", COORD_CREATE, DEADLINE_MS, &node), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(
        coord_watch_open_with(s2, "/slow", &o, read_slowly, &reader, DEADLINE_MS, NULL, &watch),
        COORD_OK);
    uint64_t last = 0;
    for (int i = 0; i < CHANGES / PARTS; i++)
        last = change(s1, PARTS);
    /* Its session lives on, and is answered, with a callback that stands still. */
    coord_stat stat;
    CU_ASSERT_EQUAL(coord_stat_get(s2, "/slow", DEADLINE_MS, &stat), COORD_OK);
    CU_ASSERT_EQUAL(stat.content_generation, last);
    CU_ASSERT(coord_session_safe_ms(s2) > 0);
    atomic_store(&reader.go, true);
    struct wanted wanted = {&reader, last};
    CU_ASSERT(eventually(has_seen, &wanted, DEADLINE_MS));
    CU_ASSERT_EQUAL(reader.resyncs, 1);
    CU_ASSERT(reader.events < CHANGES);
    int events = reader.events;
    wanted.revision = change(s1, 1);
    CU_ASSERT(eventually(has_seen, &wanted, DEADLINE_MS));
    CU_ASSERT_EQUAL(reader.events, events + 1);
    CU_ASSERT_EQUAL(reader.resyncs, 1);
    CU_ASSERT_EQUAL(reader.wrong, 0);
    coord_watch_close(watch);
    coord_node_close(node);
    CU_ASSERT_EQUAL(coord_session_close(s1, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_session_close(s2, DEADLINE_MS), COORD_OK);
    coord_client_close(one);
    coord_client_close(two);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_watch_slow__one_that_is_to_be_told_all_is_told_to_read_anew),
    };
    if (!cell_start(&cell))
        return EXIT_FAILURE;
    int result = run_suite("watch slow", cases, sizeof cases / sizeof cases[0], argc, argv);
    cell_stop(&cell);
    return result;
}
