/* test_arguments.c - every public call with arguments it must not take: it says
 * INVALID (or TOO_LARGE), names the argument, sends nothing and writes nothing. */
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

/* The call failed so, and its detail contains `name`. */
#define REFUSED(call, name)                                           \
    do {                                                              \
        CU_ASSERT_EQUAL((call), COORD_ERR_INVALID);                   \
        CU_ASSERT_PTR_NOT_NULL(strstr(coord_error_detail(), (name))); \
        if (strstr(coord_error_detail(), (name)) == NULL)             \
            printf(" said \"%s\" ", coord_error_detail());            \
    } while (0)

static void test_arguments__of_a_client(void)
{
    coord_client *none = NULL;
    coord_client_options o = COORD_CLIENT_OPTIONS_INIT;
    REFUSED(coord_client_open(NULL, NULL, &none), "endpoints");
    REFUSED(coord_client_open("", NULL, &none), "endpoints");
    REFUSED(coord_client_open("nonsense", NULL, &none), "endpoints");
    REFUSED(coord_client_open("a:1,", NULL, &none), "endpoints");
    REFUSED(coord_client_open("a:1", NULL, NULL), "ret_client");
    o.size = 3;
    REFUSED(coord_client_open("a:1", &o, &none), "size");
    o = (coord_client_options)COORD_CLIENT_OPTIONS_INIT;
    o.connect_timeout_ms = -7;
    REFUSED(coord_client_open("a:1", &o, &none), "connect_timeout_ms");
    CU_ASSERT_PTR_NULL(none);
    coord_client_close(NULL);
}

static void test_arguments__of_a_session(void)
{
    coord_session *none = NULL;
    coord_session_options o = COORD_SESSION_OPTIONS_INIT;
    REFUSED(coord_session_open(NULL, NULL, &none), "client");
    REFUSED(coord_session_open(client, NULL, NULL), "ret_session");
    o.ttl_ms = 1999;
    REFUSED(coord_session_open(client, &o, &none), "ttl_ms");
    o.ttl_ms = 60001;
    REFUSED(coord_session_open(client, &o, &none), "ttl_ms");
    o = (coord_session_options)COORD_SESSION_OPTIONS_INIT;
    o.size--;
    REFUSED(coord_session_open(client, &o, &none), "size");
    o = (coord_session_options)COORD_SESSION_OPTIONS_INIT;
    o.deadline_ms = -2;
    REFUSED(coord_session_open(client, &o, &none), "deadline_ms");
    CU_ASSERT_PTR_NULL(none);
    CU_ASSERT_EQUAL(coord_session_close(NULL, 0), COORD_OK);
    coord_session_cancel(NULL);
    CU_ASSERT_EQUAL(coord_session_id(NULL), 0);
    CU_ASSERT_EQUAL(coord_session_safe_ms(NULL), 0);
    CU_ASSERT_EQUAL(coord_session_state_now(NULL), COORD_SESSION_ENDED);
}

static void test_arguments__a_path_that_is_none_is_named(void)
{
    char too_long[1100] = "/", deep[256] = "", component[300] = "/";
    memset(too_long + 1, 'a', sizeof too_long - 2);
    for (size_t i = 1; i < sizeof too_long - 2; i += 100)
        too_long[i] = '/';
    too_long[1] = 'a';
    memset(component + 1, 'b', sizeof component - 2);
    for (int i = 0; i < 65; i++)
        (void)memcpy(deep + 2 * i, "/d", 3);
    const char *const wrong[] = {
        NULL,
        "",
        "a",
        "a/b",
        "//",
        "/a/",
        "/a//b",
        "/.",
        "/..",
        "/a/../b",
        "/a/.",
        "/\x01",
        "/a\nb",
        "/\x7f",
        "/\xff",
        "/\xc0\x80",
        "/\xed\xa0\x80",
        "/\xf4\x90\x80\x80",
        "/a\xe2\x82",
        "/ls/elsewhere/a",
        "/ls//a",
        too_long,
        deep,
        component,
    };
    coord_stat stat = {.size = 77};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        REFUSED(coord_stat_get(session, wrong[i], DEADLINE_MS, &stat), "path");
    CU_ASSERT_EQUAL(stat.size, 77);
    static const char *const right[] = {"/",         "/ls/local", "/ls/local/",  "/a",    "/...",
                                        "/\xc3\xa9", "/a b",      "/ls/local/a", "/lsx/a"};
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        coord_error e = coord_stat_get(session, right[i], DEADLINE_MS, &stat);
        CU_ASSERT(e == COORD_OK || e == COORD_ERR_NO_NODE);
    }
}

static void test_arguments__of_reading(void)
{
    void *content = NULL;
    size_t length = 0;
    coord_stat stat;
    REFUSED(coord_get(NULL, "/a", DEADLINE_MS, &content, &length, NULL), "session");
    REFUSED(coord_get(session, "a", DEADLINE_MS, &content, &length, NULL), "path");
    REFUSED(coord_get(session, "/a", -5, &content, &length, NULL), "deadline_ms");
    REFUSED(coord_get(session, "/a", DEADLINE_MS, NULL, &length, NULL), "ret_content");
    REFUSED(coord_get(session, "/a", DEADLINE_MS, &content, NULL, NULL), "ret_length");
    REFUSED(coord_stat_get(NULL, "/a", DEADLINE_MS, &stat), "session");
    REFUSED(coord_stat_get(session, "/a", DEADLINE_MS, NULL), "ret_stat");
    coord_listing *listing = NULL;
    REFUSED(coord_list(NULL, "/", NULL, 0, DEADLINE_MS, &listing), "session");
    REFUSED(coord_list(session, "x", NULL, 0, DEADLINE_MS, &listing), "path");
    REFUSED(coord_list(session, "/", "a/b", 0, DEADLINE_MS, &listing), "after");
    REFUSED(coord_list(session, "/", NULL, 0, -2, &listing), "deadline_ms");
    REFUSED(coord_list(session, "/", NULL, 0, DEADLINE_MS, NULL), "ret_listing");
    coord_listing_free(NULL);
    coord_free(NULL);
    CU_ASSERT_EQUAL(coord_get(session, "/a", 0, &content, &length, NULL), COORD_ERR_TIMEOUT);
}

static void test_arguments__of_writing(void)
{
    coord_write_options o = COORD_WRITE_OPTIONS_INIT;
    static char large[1024 * 1024 + 1];
    REFUSED(coord_set(NULL, "/a", "", 0, NULL, DEADLINE_MS, NULL), "session");
    REFUSED(coord_set(session, "", "", 0, NULL, DEADLINE_MS, NULL), "path");
    REFUSED(coord_set(session, "/a", NULL, 1, NULL, DEADLINE_MS, NULL), "content");
    REFUSED(coord_set(session, "/a", "", 0, NULL, -9, NULL), "deadline_ms");
    CU_ASSERT_EQUAL(coord_set(session, "/a", large, sizeof large, NULL, DEADLINE_MS, NULL),
                    COORD_ERR_TOO_LARGE);
    o.size = 0;
    REFUSED(coord_set(session, "/a", "", 0, &o, DEADLINE_MS, NULL), "size");
    o = (coord_write_options)COORD_WRITE_OPTIONS_INIT;
    o.flags = COORD_EPHEMERAL;
    REFUSED(coord_set(session, "/a", "", 0, &o, DEADLINE_MS, NULL), "flags");
    o.flags = 0;
    o.if_sequencer = "nonsense";
    REFUSED(coord_set(session, "/a", "", 0, &o, DEADLINE_MS, NULL), "if_sequencer");
    REFUSED(coord_delete(session, "/a", &o, DEADLINE_MS), "if_sequencer");
    o = (coord_write_options)COORD_WRITE_OPTIONS_INIT;
    o.if_content_generation = 1;
    REFUSED(coord_create(session, "/a", "", 0, &o, DEADLINE_MS, NULL), "options");
    o = (coord_write_options)COORD_WRITE_OPTIONS_INIT;
    o.flags = 64;
    REFUSED(coord_create(session, "/a", "", 0, &o, DEADLINE_MS, NULL), "flags");
    REFUSED(coord_create(session, "/a", NULL, 5, NULL, DEADLINE_MS, NULL), "content");
    REFUSED(coord_create(NULL, "/a", NULL, 0, NULL, DEADLINE_MS, NULL), "session");
    o.flags = COORD_CREATE;
    REFUSED(coord_delete(session, "/a", &o, DEADLINE_MS), "flags");
    REFUSED(coord_delete(session, "a", NULL, DEADLINE_MS), "path");
    REFUSED(coord_delete(NULL, "/a", NULL, DEADLINE_MS), "session");
    CU_ASSERT_EQUAL(coord_create(session, "/", NULL, 0, NULL, DEADLINE_MS, NULL),
                    COORD_ERR_NODE_EXISTS);
}

static void test_arguments__of_handles_and_locks(void)
{
    coord_node *node = NULL;
    coord_lock *lock = NULL;
    void *content;
    size_t length;
    REFUSED(coord_open(NULL, "/h", 0, DEADLINE_MS, &node), "session");
    REFUSED(coord_open(session, "h", 0, DEADLINE_MS, &node), "path");
    REFUSED(coord_open(session, "/h", 32, DEADLINE_MS, &node), "flags");
    REFUSED(coord_open(session, "/h", COORD_EPHEMERAL, DEADLINE_MS, &node), "flags");
    REFUSED(coord_open(session, "/h", COORD_CREATE, DEADLINE_MS, NULL), "ret_node");
    REFUSED(coord_open(session, "/h", COORD_CREATE, -3, &node), "deadline_ms");
    CU_ASSERT_EQUAL(coord_open(session, "/h", 0, DEADLINE_MS, &node), COORD_ERR_NO_NODE);
    CU_ASSERT_EQUAL_FATAL(coord_open(session, "/h", COORD_CREATE, DEADLINE_MS, &node), COORD_OK);
    CU_ASSERT_STRING_EQUAL(coord_node_path(node), "/h");
    CU_ASSERT_STRING_EQUAL(coord_node_path(NULL), "");
    REFUSED(coord_node_get(NULL, DEADLINE_MS, &content, &length, NULL), "node");
    REFUSED(coord_node_get(node, DEADLINE_MS, NULL, &length, NULL), "ret_content");
    REFUSED(coord_node_set(NULL, "", 0, NULL, DEADLINE_MS, NULL), "node");
    REFUSED(coord_node_set(node, NULL, 1, NULL, DEADLINE_MS, NULL), "content");
    coord_write_options o = COORD_WRITE_OPTIONS_INIT;
    o.if_instance = 1;
    REFUSED(coord_node_set(node, "", 0, &o, DEADLINE_MS, NULL), "if_instance");
    REFUSED(coord_node_delete(NULL, DEADLINE_MS), "node");
    REFUSED(coord_node_delete(node, -2), "deadline_ms");
    REFUSED(coord_lock_acquire(NULL, 1, &lock), "node");
    REFUSED(coord_lock_acquire(node, 1, NULL), "ret_lock");
    REFUSED(coord_lock_acquire(node, -2, &lock), "timeout_ms");
    REFUSED(coord_trylock(NULL, 1, &lock), "node");
    REFUSED(coord_trylock(node, -2, &lock), "deadline_ms");
    CU_ASSERT_PTR_NULL(lock);
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(node, 0, &lock), COORD_OK);
    coord_lock *second = NULL;
    REFUSED(coord_lock_acquire(node, 1000, &second), "node");
    REFUSED(coord_trylock(node, 1000, &second), "node");
    REFUSED(coord_unlock(lock, -2), "deadline_ms"); /* frees and releases it all the same */
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(node, 5000, &lock), COORD_OK);
    CU_ASSERT_EQUAL(coord_node_delete(node, DEADLINE_MS), COORD_OK); /* by its holder */
    coord_error gone = coord_unlock(lock, DEADLINE_MS);
    CU_ASSERT(gone == COORD_ERR_NOT_HELD || gone == COORD_ERR_INSTANCE_GONE);
    CU_ASSERT_EQUAL(coord_unlock(NULL, 0), COORD_OK);
    CU_ASSERT_EQUAL(coord_lock_safe_ms(NULL), 0);
    CU_ASSERT_STRING_EQUAL(coord_lock_sequencer(NULL), "");
    REFUSED(coord_check_sequencer(NULL, "x", DEADLINE_MS), "session");
    REFUSED(coord_check_sequencer(session, "x", DEADLINE_MS), "sequencer");
    REFUSED(coord_check_sequencer(session, NULL, DEADLINE_MS), "sequencer");
    coord_node_close(node);
    coord_node_close(NULL);
}

static void no_event(void *context, const coord_event *event)
{
    (void)context;
    (void)event;
}

static void test_arguments__of_watches_and_elections(void)
{
    coord_watch *watch = NULL;
    REFUSED(coord_watch_open(NULL, "/w", 1, no_event, NULL, DEADLINE_MS, NULL, &watch), "session");
    REFUSED(coord_watch_open(session, "w", 1, no_event, NULL, DEADLINE_MS, NULL, &watch), "path");
    REFUSED(coord_watch_open(session, "/w", 0, no_event, NULL, DEADLINE_MS, NULL, &watch), "what");
    REFUSED(coord_watch_open(session, "/w", 8, no_event, NULL, DEADLINE_MS, NULL, &watch), "what");
    REFUSED(coord_watch_open(session, "/w", 1, NULL, NULL, DEADLINE_MS, NULL, &watch), "callback");
    REFUSED(coord_watch_open(session, "/w", 1, no_event, NULL, -2, NULL, &watch), "deadline_ms");
    REFUSED(coord_watch_open(session, "/w", 1, no_event, NULL, 1, NULL, NULL), "ret_watch");
    CU_ASSERT_PTR_NULL(watch);
    coord_watch_close(NULL);

    coord_election *election = NULL;
    void *value = NULL;
    size_t length;
    REFUSED(coord_campaign(NULL, "/e", "", 0, 1000, &election), "session");
    REFUSED(coord_campaign(session, "e", "", 0, 1000, &election), "path");
    REFUSED(coord_campaign(session, "/e", NULL, 3, 1000, &election), "value");
    REFUSED(coord_campaign(session, "/e", "", 0, -2, &election), "timeout_ms");
    REFUSED(coord_campaign(session, "/e", "", 0, 1000, NULL), "ret_election");
    CU_ASSERT_PTR_NULL(election);
    CU_ASSERT_EQUAL(coord_resign(NULL, 0), COORD_OK);
    CU_ASSERT_EQUAL(coord_election_safe_ms(NULL), 0);
    CU_ASSERT_STRING_EQUAL(coord_election_sequencer(NULL), "");
    REFUSED(coord_leader(NULL, "/e", DEADLINE_MS, &value, &length, NULL), "session");
    REFUSED(coord_leader(session, "e", DEADLINE_MS, &value, &length, NULL), "path");
    REFUSED(coord_leader(session, "/e", DEADLINE_MS, NULL, &length, NULL), "ret_value");
    REFUSED(coord_leader(session, "/e", DEADLINE_MS, &value, NULL, NULL), "ret_length");
}

static void test_arguments__of_looking_around(void)
{
    coord_status *status = NULL;
    coord_lock_listing *locks = NULL;
    coord_session_listing *sessions = NULL;
    REFUSED(coord_status_get(NULL, DEADLINE_MS, &status), "client");
    REFUSED(coord_status_get(client, -2, &status), "deadline_ms");
    REFUSED(coord_status_get(client, DEADLINE_MS, NULL), "ret_status");
    REFUSED(coord_locks(NULL, "/", NULL, 0, DEADLINE_MS, &locks), "session");
    REFUSED(coord_locks(session, "x", NULL, 0, DEADLINE_MS, &locks), "path");
    REFUSED(coord_locks(session, "/", "x", 0, DEADLINE_MS, &locks), "after");
    REFUSED(coord_locks(session, "/", NULL, 0, DEADLINE_MS, NULL), "ret_listing");
    REFUSED(coord_sessions(NULL, 0, 0, DEADLINE_MS, &sessions), "session");
    REFUSED(coord_sessions(session, 0, 0, -2, &sessions), "deadline_ms");
    CU_ASSERT_PTR_NULL(status);
    CU_ASSERT_PTR_NULL(locks);
    CU_ASSERT_PTR_NULL(sessions);
    coord_status_free(NULL);
    coord_lock_listing_free(NULL);
    coord_session_listing_free(NULL);
    CU_ASSERT_STRING_EQUAL(coord_version(), "0.1.0");
}

/* None of the calls above may have reached the cell, but those that were to. */
static void test_arguments__nothing_was_changed(void)
{
    coord_stat stat;
    CU_ASSERT_EQUAL(coord_stat_get(session, "/a", DEADLINE_MS, &stat), COORD_ERR_NO_NODE);
    CU_ASSERT_EQUAL(coord_stat_get(session, "/e", DEADLINE_MS, &stat), COORD_ERR_NO_NODE);
    CU_ASSERT_EQUAL(coord_stat_get(session, "/w", DEADLINE_MS, &stat), COORD_ERR_NO_NODE);
    CU_ASSERT_EQUAL(coord_stat_get(session, "/", DEADLINE_MS, &stat), COORD_OK);
    CU_ASSERT_EQUAL(stat.children_count, 0);
    CU_ASSERT_STRING_EQUAL(coord_error_detail(), ""); /* of the last call */
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_arguments__of_a_client),
        TEST(test_arguments__of_a_session),
        TEST(test_arguments__a_path_that_is_none_is_named),
        TEST(test_arguments__of_reading),
        TEST(test_arguments__of_writing),
        TEST(test_arguments__of_handles_and_locks),
        TEST(test_arguments__of_watches_and_elections),
        TEST(test_arguments__of_looking_around),
        TEST(test_arguments__nothing_was_changed),
    };
    int result = EXIT_FAILURE;
    if (!cell_start(&cell))
        return result;
    if (coord_client_open(cell.endpoints, NULL, &client) == COORD_OK &&
        coord_session_open(client, NULL, &session) == COORD_OK)
        result = run_suite("arguments", cases, sizeof cases / sizeof cases[0], argc, argv);
    (void)coord_session_close(session, DEADLINE_MS);
    coord_client_close(client);
    cell_stop(&cell);
    return result;
}
