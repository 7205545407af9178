/* test_arguments_more.c - as test_arguments.c, of the calls with options, callbacks, or
 * parts: it says INVALID, names the argument, sends nothing and writes nothing. */
#include <coord/coord.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/libcoord/cell.h"
#include "tests/support/runner.h"

enum { DEADLINE_MS = 10000 };

static struct cell cell;
static coord_client *client;
static coord_session *session;
static coord_node *node; /* made before: "/n" */

/* The call failed so, and its detail begins with `name`. */
#define REFUSED(call, name)                                                      \
    do {                                                                         \
        CU_ASSERT_EQUAL((call), COORD_ERR_INVALID);                              \
        CU_ASSERT_EQUAL(strncmp(coord_error_detail(), (name), strlen(name)), 0); \
        if (strncmp(coord_error_detail(), (name), strlen(name)) != 0)            \
            printf(" said \"%s\" ", coord_error_detail());                       \
    } while (0)

static const char good_sequencer[] = "00112233445566778899aabbccddeeff:5:x:9:/a";

static void test_arguments_more__of_attaching(void)
{
    static const uint8_t secret[COORD_SECRET_BYTES];
    coord_session *none = NULL;
    coord_session_options o = COORD_SESSION_OPTIONS_INIT;
    REFUSED(coord_session_attach(NULL, NULL, 1, secret, &none), "client");
    REFUSED(coord_session_attach(client, NULL, 0, secret, &none), "id");
    REFUSED(coord_session_attach(client, NULL, 1, NULL, &none), "secret");
    REFUSED(coord_session_attach(client, NULL, 1, secret, NULL), "ret_session");
    o.size++;
    REFUSED(coord_session_attach(client, &o, 1, secret, &none), "options: size");
    o.size--;
    o.deadline_ms = -2;
    REFUSED(coord_session_attach(client, &o, 1, secret, &none), "options: deadline_ms");
    o.deadline_ms = 0;
    o.ttl_ms = 0;
    REFUSED(coord_session_attach(client, &o, 1, secret, &none), "options: ttl_ms");
    CU_ASSERT_PTR_NULL(none);
    coord_session_secret(NULL, NULL);
    coord_session_secret(session, NULL);
    CU_ASSERT_EQUAL(coord_session_id(NULL), 0);
}

static void test_arguments_more__of_reading_as_fresh_as_asked_for(void)
{
    void *content = NULL;
    size_t length = 77;
    uint64_t revision = 77;
    coord_stat stat = {.size = 77};
    coord_read_options o = COORD_READ_OPTIONS_INIT;
    REFUSED(coord_get_with(NULL, "/n", &o, DEADLINE_MS, &content, &length, NULL, NULL), "session");
    REFUSED(coord_get_with(session, "n", &o, DEADLINE_MS, &content, &length, NULL, NULL), "path");
    REFUSED(coord_get_with(session, "/n", &o, -2, &content, &length, NULL, NULL), "deadline_ms");
    REFUSED(coord_get_with(session, "/n", &o, 1, NULL, &length, NULL, NULL), "ret_content");
    REFUSED(coord_get_with(session, "/n", &o, 1, &content, NULL, NULL, NULL), "ret_length");
    REFUSED(coord_stat_get_with(NULL, "/n", &o, DEADLINE_MS, &stat, NULL), "session");
    REFUSED(coord_stat_get_with(session, NULL, &o, DEADLINE_MS, &stat, NULL), "path");
    REFUSED(coord_stat_get_with(session, "/n", &o, -2, &stat, NULL), "deadline_ms");
    REFUSED(coord_stat_get_with(session, "/n", &o, DEADLINE_MS, NULL, &revision), "ret_stat");
    REFUSED(coord_get_stale(NULL, "/n", 1, &content, &length, NULL, NULL), "client");
    REFUSED(coord_get_stale(client, "n", 1, &content, &length, NULL, NULL), "path");
    REFUSED(coord_get_stale(client, "/n", -2, &content, &length, NULL, NULL), "deadline_ms");
    REFUSED(coord_get_stale(client, "/n", 1, NULL, &length, NULL, NULL), "ret_content");
    REFUSED(coord_get_stale(client, "/n", 1, &content, NULL, NULL, NULL), "ret_length");
    coord_listing *page = NULL;
    REFUSED(coord_list_with(NULL, "/", NULL, 0, &o, DEADLINE_MS, &page), "session");
    REFUSED(coord_list_with(session, "n", NULL, 0, &o, DEADLINE_MS, &page), "path");
    REFUSED(coord_list_with(session, "/", "a/b", 0, &o, DEADLINE_MS, &page), "after");
    REFUSED(coord_list_with(session, "/", NULL, 0, &o, -2, &page), "deadline_ms");
    REFUSED(coord_list_with(session, "/", NULL, 0, &o, DEADLINE_MS, NULL), "ret_listing");
    REFUSED(coord_list_stale(NULL, "/", NULL, 0, DEADLINE_MS, &page), "client");
    REFUSED(coord_list_stale(client, "n", NULL, 0, DEADLINE_MS, &page), "path");
    REFUSED(coord_list_stale(client, "/", "a/b", 0, DEADLINE_MS, &page), "after");
    REFUSED(coord_list_stale(client, "/", NULL, 0, -2, &page), "deadline_ms");
    REFUSED(coord_list_stale(client, "/", NULL, 0, DEADLINE_MS, NULL), "ret_listing");
    const int freshness[] = {-1, 3, 1 << 20};
    for (size_t i = 0; i < sizeof freshness / sizeof freshness[0]; i++) {
        o.freshness = (coord_freshness)freshness[i];
        REFUSED(coord_get_with(session, "/n", &o, 1, &content, &length, NULL, NULL),
                "options: freshness");
        REFUSED(coord_stat_get_with(session, "/n", &o, 1, &stat, &revision), "options: freshness");
        REFUSED(coord_list_with(session, "/", NULL, 0, &o, 1, &page), "options: freshness");
    }
    o = (coord_read_options)COORD_READ_OPTIONS_INIT;
    o.size = 0;
    REFUSED(coord_get_with(session, "/n", &o, 1, &content, &length, NULL, NULL), "options: size");
    REFUSED(coord_stat_get_with(session, "/n", &o, 1, &stat, &revision), "options: size");
    REFUSED(coord_list_with(session, "/", NULL, 0, &o, 1, &page), "options: size");
    CU_ASSERT_PTR_NULL(page);
    CU_ASSERT(content == NULL && length == 77 && revision == 77 && stat.size == 77);
}

static void test_arguments_more__of_sequential_names(void)
{
    char *path = NULL;
    REFUSED(coord_create_sequential(NULL, "/s", "", 0, NULL, DEADLINE_MS, NULL, &path), "session");
    REFUSED(coord_create_sequential(session, "s", "", 0, NULL, 1, NULL, &path), "path");
    REFUSED(coord_create_sequential(session, "/s", NULL, 1, NULL, 1, NULL, &path), "content");
    REFUSED(coord_create_sequential(session, "/s", "", 0, NULL, -2, NULL, &path), "deadline_ms");
    REFUSED(coord_create_sequential(session, "/s", "", 0, NULL, 1, NULL, NULL), "ret_path");
    CU_ASSERT_PTR_NULL(path);
}

static void test_arguments_more__of_locks_with_options(void)
{
    coord_lock *lock = NULL;
    coord_lock_options o = COORD_LOCK_OPTIONS_INIT;
    REFUSED(coord_lock_acquire_with(NULL, &o, 1, &lock), "node");
    REFUSED(coord_lock_acquire_with(node, &o, 1, NULL), "ret_lock");
    REFUSED(coord_lock_acquire_with(node, &o, -2, &lock), "timeout_ms");
    REFUSED(coord_trylock_with(NULL, &o, 1, &lock), "node");
    REFUSED(coord_trylock_with(node, &o, 1, NULL), "ret_lock");
    REFUSED(coord_trylock_with(node, &o, -2, &lock), "deadline_ms");
    o.delay_ms = 60001;
    REFUSED(coord_lock_acquire_with(node, &o, 1, &lock), "options: delay_ms");
    REFUSED(coord_trylock_with(node, &o, 1, &lock), "options: delay_ms");
    o.delay_ms = 0;
    o.size = 1;
    REFUSED(coord_lock_acquire_with(node, &o, 1, &lock), "options: size");
    REFUSED(coord_trylock_with(node, &o, 1, &lock), "options: size");
    REFUSED(coord_lock_adopt(NULL, 0, DEADLINE_MS, &lock), "node");
    REFUSED(coord_lock_adopt(node, 0, DEADLINE_MS, NULL), "ret_lock");
    REFUSED(coord_lock_adopt(node, 0, -2, &lock), "deadline_ms");
    CU_ASSERT_EQUAL(coord_lock_adopt(node, 0, 0, &lock), COORD_ERR_TIMEOUT);
    CU_ASSERT_EQUAL(coord_lock_adopt(node, 0, DEADLINE_MS, &lock), COORD_ERR_NOT_HELD);
    CU_ASSERT_PTR_NULL(lock);
    CU_ASSERT(coord_lock_lost(NULL));
}

static void test_arguments_more__of_what_is_done_by_force(void)
{
    REFUSED(coord_unlock_force(NULL, "/n", DEADLINE_MS), "session");
    REFUSED(coord_unlock_force(session, "n", DEADLINE_MS), "path");
    REFUSED(coord_unlock_force(session, "/n", -2), "deadline_ms");
    REFUSED(coord_session_kill(NULL, 1, DEADLINE_MS), "session");
    REFUSED(coord_session_kill(session, 0, DEADLINE_MS), "id");
    REFUSED(coord_session_kill(session, 1, -2), "deadline_ms");
    REFUSED(coord_step_down(NULL, 0, DEADLINE_MS), "client");
    REFUSED(coord_step_down(client, 0, -2), "deadline_ms");
    CU_ASSERT_EQUAL(coord_step_down(client, 77, DEADLINE_MS), COORD_ERR_INVALID); /* its word */
}

static void no_event(void *context, const coord_event *event)
{
    (void)context;
    (void)event;
}

static void no_leader(void *context, const coord_leadership *leadership)
{
    (void)context;
    (void)leadership;
}

static void test_arguments_more__of_watches_and_elections_with_options(void)
{
    coord_watch *w = NULL;
    coord_watch_options o = COORD_WATCH_OPTIONS_INIT;
    REFUSED(coord_watch_open_with(NULL, "/w", &o, no_event, NULL, 1, NULL, &w), "session");
    REFUSED(coord_watch_open_with(session, "w", &o, no_event, NULL, 1, NULL, &w), "path");
    REFUSED(coord_watch_open_with(session, "/w", NULL, no_event, NULL, 1, NULL, &w), "options");
    REFUSED(coord_watch_open_with(session, "/w", &o, NULL, NULL, 1, NULL, &w), "callback");
    REFUSED(coord_watch_open_with(session, "/w", &o, no_event, NULL, -2, NULL, &w), "deadline_ms");
    REFUSED(coord_watch_open_with(session, "/w", &o, no_event, NULL, 1, NULL, NULL), "ret_watch");
    o.what = COORD_WATCH_SUBTREE | COORD_WATCH_VALUE;
    REFUSED(coord_watch_open_with(session, "/w", &o, no_event, NULL, 1, NULL, &w), "what");
    o.what = COORD_WATCH_CONTENT | 32;
    REFUSED(coord_watch_open_with(session, "/w", &o, no_event, NULL, 1, NULL, &w), "what");
    o = (coord_watch_options)COORD_WATCH_OPTIONS_INIT;
    o.size *= 2;
    REFUSED(coord_watch_open_with(session, "/w", &o, no_event, NULL, 1, NULL, &w), "options: size");
    o = (coord_watch_options)COORD_WATCH_OPTIONS_INIT;
    o.from_revision = UINT64_MAX; /* the cell's word: it is still to come */
    CU_ASSERT_EQUAL(coord_watch_open_with(session, "/w", &o, no_event, NULL, DEADLINE_MS, NULL, &w),
                    COORD_ERR_INVALID);
    CU_ASSERT_PTR_NULL(w);

    coord_observer *observer = NULL;
    REFUSED(coord_observe(NULL, "/e", no_leader, NULL, 1, &observer), "session");
    REFUSED(coord_observe(session, "e", no_leader, NULL, 1, &observer), "path");
    REFUSED(coord_observe(session, "/e", NULL, NULL, 1, &observer), "callback");
    REFUSED(coord_observe(session, "/e", no_leader, NULL, -2, &observer), "deadline_ms");
    REFUSED(coord_observe(session, "/e", no_leader, NULL, 1, NULL), "ret_observer");
    CU_ASSERT_EQUAL(coord_observe(session, "/e", no_leader, NULL, 0, &observer), COORD_ERR_TIMEOUT);
    CU_ASSERT_PTR_NULL(observer);
    coord_observe_close(NULL);

    coord_election *e = NULL;
    coord_lock_options l = COORD_LOCK_OPTIONS_INIT;
    REFUSED(coord_campaign_with(NULL, "/e", "", 0, &l, 1, &e), "session");
    REFUSED(coord_campaign_with(session, "e", "", 0, &l, 1, &e), "path");
    REFUSED(coord_campaign_with(session, "/e", NULL, 1, &l, 1, &e), "value");
    REFUSED(coord_campaign_with(session, "/e", "", 0, &l, -2, &e), "timeout_ms");
    REFUSED(coord_campaign_with(session, "/e", "", 0, &l, 1, NULL), "ret_election");
    l.shared = true;
    REFUSED(coord_campaign_with(session, "/e", "", 0, &l, 1, &e), "options");
    l.shared = false;
    l.delay_ms = UINT32_MAX;
    REFUSED(coord_campaign_with(session, "/e", "", 0, &l, 1, &e), "options: delay_ms");
    l.size--;
    REFUSED(coord_campaign_with(session, "/e", "", 0, &l, 1, &e), "options: size");
    CU_ASSERT_PTR_NULL(e);
}

static void test_arguments_more__of_transactions(void)
{
    coord_txn *t = NULL, *none = NULL;
    coord_write_options o = COORD_WRITE_OPTIONS_INIT;
    REFUSED(coord_txn_new(NULL, &none), "session");
    REFUSED(coord_txn_new(session, NULL), "ret_txn");
    CU_ASSERT_PTR_NULL(none);
    CU_ASSERT_EQUAL_FATAL(coord_txn_new(session, &t), COORD_OK);
    REFUSED(coord_txn_check_exists(NULL, "/a", 0), "txn");
    REFUSED(coord_txn_check_exists(t, "a", 0), "path");
    REFUSED(coord_txn_check_absent(NULL, "/a"), "txn");
    REFUSED(coord_txn_check_absent(t, NULL), "path");
    REFUSED(coord_txn_check_generation(NULL, "/a", 1), "txn");
    REFUSED(coord_txn_check_generation(t, "//", 1), "path");
    REFUSED(coord_txn_check_generation(t, "/a", 0), "content_generation");
    REFUSED(coord_txn_check_sequencer(NULL, good_sequencer), "txn");
    REFUSED(coord_txn_check_sequencer(t, NULL), "sequencer");
    REFUSED(coord_txn_check_sequencer(t, "x"), "sequencer");
    REFUSED(coord_txn_create(NULL, "/a", "", 0, NULL), "txn");
    REFUSED(coord_txn_create(t, "a", "", 0, NULL), "path");
    REFUSED(coord_txn_create(t, "/a", NULL, 1, NULL), "content");
    REFUSED(coord_txn_set(NULL, "/a", "", 0, NULL), "txn");
    REFUSED(coord_txn_set(t, "", "", 0, NULL), "path");
    REFUSED(coord_txn_set(t, "/a", NULL, 1, NULL), "content");
    REFUSED(coord_txn_delete(NULL, "/a", NULL), "txn");
    REFUSED(coord_txn_delete(t, "a/", NULL), "path");
    o.if_sequencer = "x";
    REFUSED(coord_txn_set(t, "/a", "", 0, &o), "options: if_sequencer");
    REFUSED(coord_txn_delete(t, "/a", &o), "options: if_sequencer");
    o = (coord_write_options)COORD_WRITE_OPTIONS_INIT;
    o.flags = COORD_SEQUENTIAL;
    REFUSED(coord_txn_set(t, "/a", "", 0, &o), "options: flags");
    REFUSED(coord_txn_delete(t, "/a", &o), "options: flags");
    o.flags = 0;
    o.if_instance = 4;
    REFUSED(coord_txn_create(t, "/a", "", 0, &o), "options");
    o.size = 2;
    REFUSED(coord_txn_create(t, "/a", "", 0, &o), "options: size");
    REFUSED(coord_txn_set(t, "/a", "", 0, &o), "options: size");
    REFUSED(coord_txn_delete(t, "/a", &o), "options: size");
    REFUSED(coord_txn_commit(NULL, DEADLINE_MS, NULL), "txn");
    REFUSED(coord_txn_commit(t, -2, NULL), "deadline_ms");
    coord_txn_result *result = NULL;
    CU_ASSERT_EQUAL(coord_txn_commit(t, DEADLINE_MS, &result), COORD_ERR_INVALID); /* no parts */
    coord_txn_result_free(result);
    coord_txn_free(t);
}

static void never_done(void *context, const coord_result *result)
{
    (void)context;
    (void)result;
    CU_FAIL("a call that was refused has no callback");
}

static void test_arguments_more__of_calls_that_do_not_block(void)
{
    coord_write_options o = COORD_WRITE_OPTIONS_INIT;
    REFUSED(coord_set_async(NULL, "/a", "", 0, NULL, 1, never_done, NULL), "session");
    REFUSED(coord_set_async(session, "a", "", 0, NULL, 1, never_done, NULL), "path");
    REFUSED(coord_set_async(session, "/a", NULL, 1, NULL, 1, never_done, NULL), "content");
    REFUSED(coord_set_async(session, "/a", "", 0, NULL, -2, never_done, NULL), "deadline_ms");
    REFUSED(coord_set_async(session, "/a", "", 0, NULL, 1, NULL, NULL), "done");
    o.size = 0;
    REFUSED(coord_set_async(session, "/a", "", 0, &o, 1, never_done, NULL), "options: size");
    REFUSED(coord_get_async(NULL, "/a", 1, never_done, NULL), "session");
    REFUSED(coord_get_async(session, "a", 1, never_done, NULL), "path");
    REFUSED(coord_get_async(session, "/a", -2, never_done, NULL), "deadline_ms");
    REFUSED(coord_get_async(session, "/a", 1, NULL, NULL), "done");
}

static void test_arguments_more__of_sequencers(void)
{
    coord_sequencer a = {.size = 77}, b;
    bool comparable = true;
    REFUSED(coord_sequencer_parse(NULL, &a), "text");
    REFUSED(coord_sequencer_parse("x", &a), "text");
    REFUSED(coord_sequencer_parse(good_sequencer, NULL), "ret");
    CU_ASSERT_EQUAL(a.size, 77);
    CU_ASSERT_EQUAL(coord_sequencer_parse(good_sequencer, &b), COORD_OK);
    CU_ASSERT_EQUAL(coord_sequencer_compare(NULL, &b, &comparable), 0);
    CU_ASSERT(!comparable);
    CU_ASSERT_EQUAL(coord_sequencer_compare(&b, NULL, NULL), 0);
    CU_ASSERT_EQUAL(coord_sequencer_compare(&b, &b, &comparable), 0);
    CU_ASSERT(comparable);
}

static void test_arguments_more__nothing_was_changed(void)
{
    coord_stat stat;
    CU_ASSERT_EQUAL(coord_stat_get(session, "/", DEADLINE_MS, &stat), COORD_OK);
    CU_ASSERT_EQUAL(stat.children_count, 1); /* "/n" */
    CU_ASSERT_EQUAL(coord_stat_get(session, "/n", DEADLINE_MS, &stat), COORD_OK);
    CU_ASSERT_EQUAL(stat.modified_revision, stat.instance);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_arguments_more__of_attaching),
        TEST(test_arguments_more__of_reading_as_fresh_as_asked_for),
        TEST(test_arguments_more__of_sequential_names),
        TEST(test_arguments_more__of_locks_with_options),
        TEST(test_arguments_more__of_what_is_done_by_force),
        TEST(test_arguments_more__of_watches_and_elections_with_options),
        TEST(test_arguments_more__of_transactions),
        TEST(test_arguments_more__of_calls_that_do_not_block),
        TEST(test_arguments_more__of_sequencers),
        TEST(test_arguments_more__nothing_was_changed),
    };
    int result = EXIT_FAILURE;
    if (!cell_start(&cell))
        return result;
    if (coord_client_open(cell.endpoints, NULL, &client) == COORD_OK &&
        coord_session_open(client, NULL, &session) == COORD_OK &&
        coord_open(session, "/n", COORD_CREATE, DEADLINE_MS, &node) == COORD_OK)
        result = run_suite("arguments_more", cases, sizeof cases / sizeof cases[0], argc, argv);
    coord_node_close(node);
    (void)coord_session_close(session, DEADLINE_MS);
    coord_client_close(client);
    cell_stop(&cell);
    return result;
}
