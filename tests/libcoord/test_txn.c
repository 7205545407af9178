/* test_txn.c - transactions, sequential names and fresh reads, against five real
 * servers. */
#define _GNU_SOURCE
#include <coord/coord.h>
#include <stdlib.h>
#include <string.h>

#include "tests/libcoord/clients.h"
#include "tests/support/runner.h"

enum { DEADLINE_MS = 10000 };

static struct cell cell;

static coord_txn *begin(coord_session *s)
{
    coord_txn *t = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_txn_new(s, &t), COORD_OK);
    return t;
}

static void test_txn__all_of_it_is_done_in_one_revision(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    coord_txn *t = begin(s);
    coord_txn_result *done = NULL;
    CU_ASSERT_EQUAL(coord_txn_check_absent(t, "/t"), COORD_OK);
    CU_ASSERT_EQUAL(coord_txn_create(t, "/t", NULL, 0, NULL), COORD_OK);
    CU_ASSERT_EQUAL(coord_txn_create(t, "/ls/local/t/a", "one", 3, NULL), COORD_OK);
    CU_ASSERT_EQUAL(coord_txn_set(t, "/t/a", "two", 3, NULL), COORD_OK);
    CU_ASSERT_EQUAL(coord_txn_create(t, "/t/b", NULL, 0, NULL), COORD_OK);
    CU_ASSERT_EQUAL(coord_txn_delete(t, "/t/b", NULL), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_txn_commit(t, DEADLINE_MS, &done), COORD_OK);
    CU_ASSERT_EQUAL(done->failed, 0);
    CU_ASSERT_EQUAL_FATAL(done->count, 5);
    CU_ASSERT_STRING_EQUAL(done->nodes[1].path, "/t/a");
    CU_ASSERT_EQUAL(done->nodes[0].stat.instance, done->revision);
    CU_ASSERT_EQUAL(done->nodes[2].stat.content_generation, done->revision);
    CU_ASSERT_EQUAL(done->nodes[4].stat.size, 0);
    void *content = NULL;
    size_t length;
    CU_ASSERT_EQUAL(coord_get(s, "/t/a", DEADLINE_MS, &content, &length, NULL), COORD_OK);
    CU_ASSERT_STRING_EQUAL(content, "two");
    coord_free(content);
    coord_txn_result_free(done);
    coord_txn_free(t);
    close_all(client, s);
}

static void test_txn__what_does_not_hold_undoes_it_and_is_named(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    coord_txn *t = begin(s);
    coord_txn_result *done = NULL;
    CU_ASSERT_EQUAL(coord_txn_check_exists(t, "/", 0), COORD_OK);
    CU_ASSERT_EQUAL(coord_txn_create(t, "/u", NULL, 0, NULL), COORD_OK);
    CU_ASSERT_EQUAL(coord_txn_delete(t, "/nobody", NULL), COORD_OK);
    CU_ASSERT_EQUAL(coord_txn_commit(t, DEADLINE_MS, &done), COORD_ERR_NO_NODE);
    CU_ASSERT_PTR_NOT_NULL_FATAL(done);
    CU_ASSERT_EQUAL(done->failed, 3);
    CU_ASSERT_EQUAL(done->count, 0);
    coord_txn_result_free(done);
    coord_txn_free(t);
    coord_stat stat;
    CU_ASSERT_EQUAL(coord_stat_get(s, "/u", DEADLINE_MS, &stat), COORD_ERR_NO_NODE);
    t = begin(s);
    CU_ASSERT_EQUAL(coord_txn_check_generation(t, "/", 987654), COORD_OK);
    CU_ASSERT_EQUAL(coord_txn_commit(t, DEADLINE_MS, NULL), COORD_ERR_BAD_GENERATION);
    coord_txn_free(t);
    close_all(client, s);
}

static void test_txn__a_sequencer_guards_it(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    coord_node *node = NULL;
    coord_lock *lock = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_open(s, "/guard", COORD_CREATE, DEADLINE_MS, &node), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(node, DEADLINE_MS, &lock), COORD_OK);
    coord_txn *t = begin(s);
    CU_ASSERT_EQUAL(coord_txn_check_sequencer(t, coord_lock_sequencer(lock)), COORD_OK);
    CU_ASSERT_EQUAL(coord_txn_set(t, "/guard", "x", 1, NULL), COORD_OK);
    CU_ASSERT_EQUAL(coord_txn_commit(t, DEADLINE_MS, NULL), COORD_OK);
    CU_ASSERT_EQUAL(coord_unlock(lock, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_txn_commit(t, DEADLINE_MS, NULL), COORD_ERR_STALE_SEQUENCER);
    coord_txn_free(t);
    coord_node_close(node);
    close_all(client, s);
}

static void test_txn__what_is_wrong_is_refused_when_it_is_added(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    coord_txn *t = begin(s);
    CU_ASSERT_EQUAL(coord_txn_new(NULL, &t), COORD_ERR_INVALID);
    CU_ASSERT_EQUAL(coord_txn_check_absent(NULL, "/a"), COORD_ERR_INVALID);
    CU_ASSERT_EQUAL(coord_txn_check_absent(t, "a"), COORD_ERR_INVALID);
    CU_ASSERT_EQUAL(coord_txn_check_generation(t, "/a", 0), COORD_ERR_INVALID);
    CU_ASSERT_EQUAL(coord_txn_check_sequencer(t, "no"), COORD_ERR_INVALID);
    coord_write_options o = COORD_WRITE_OPTIONS_INIT;
    o.flags = COORD_EPHEMERAL;
    CU_ASSERT_EQUAL(coord_txn_set(t, "/a", NULL, 0, &o), COORD_ERR_INVALID);
    o.if_instance = 1;
    CU_ASSERT_EQUAL(coord_txn_create(t, "/a", NULL, 0, &o), COORD_ERR_INVALID);
    for (int i = 0; i < COORD_TXN_PARTS_MAX; i++)
        CU_ASSERT_EQUAL(coord_txn_check_exists(t, "/", 0), COORD_OK);
    CU_ASSERT_EQUAL(coord_txn_delete(t, "/a", NULL), COORD_ERR_TOO_LARGE);
    CU_ASSERT_EQUAL(coord_txn_commit(t, DEADLINE_MS, NULL), COORD_OK);
    CU_ASSERT_EQUAL(coord_txn_commit(NULL, DEADLINE_MS, NULL), COORD_ERR_INVALID);
    coord_txn_free(t);
    coord_txn_free(NULL);
    coord_txn_result_free(NULL);
    close_all(client, s);
}

static void test_txn__sequential_names_rise(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    char *first = NULL, *second = NULL;
    coord_stat stat;
    CU_ASSERT_EQUAL_FATAL(
        coord_create_sequential(s, "/queue-", "x", 1, NULL, DEADLINE_MS, &stat, &first), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(
        coord_create_sequential(s, "/queue-", NULL, 0, NULL, DEADLINE_MS, NULL, &second), COORD_OK);
    CU_ASSERT_EQUAL(strlen(first), strlen("/queue-") + 20);
    CU_ASSERT(strcmp(first, second) < 0);
    CU_ASSERT_EQUAL(coord_delete(s, first, NULL, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_create_sequential(s, "/q", NULL, 0, NULL, DEADLINE_MS, NULL, NULL),
                    COORD_ERR_INVALID);
    coord_free(first);
    coord_free(second);
    close_all(client, s);
}

static void test_txn__a_read_is_as_fresh_as_is_asked_for(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    coord_write_options make = COORD_WRITE_OPTIONS_INIT;
    make.flags = COORD_CREATE;
    coord_stat stat;
    CU_ASSERT_EQUAL(coord_set(s, "/fresh", "1", 1, &make, DEADLINE_MS, &stat), COORD_OK);
    coord_read_options o = COORD_READ_OPTIONS_INIT;
    void *content = NULL;
    size_t length;
    uint64_t revision = 0;
    CU_ASSERT_EQUAL(coord_get_with(s, "/fresh", NULL, DEADLINE_MS, &content, &length, NULL, NULL),
                    COORD_OK);
    coord_free(content);
    o.freshness = COORD_QUORUM;
    CU_ASSERT_EQUAL_FATAL(
        coord_get_with(s, "/fresh", &o, DEADLINE_MS, &content, &length, NULL, &revision), COORD_OK);
    CU_ASSERT_STRING_EQUAL(content, "1");
    CU_ASSERT(revision >= stat.content_generation);
    coord_free(content);
    o.freshness = COORD_STALE;
    coord_error e = COORD_ERR_NO_NODE;
    for (int i = 0; i < 100 && e == COORD_ERR_NO_NODE; i++) {
        e = coord_get_with(s, "/fresh", &o, DEADLINE_MS, &content, &length, NULL, &revision);
        if (e == COORD_ERR_NO_NODE)
            sleep_ms(50); /* it lags behind */
    }
    CU_ASSERT_EQUAL_FATAL(e, COORD_OK);
    CU_ASSERT_STRING_EQUAL(content, "1");
    coord_free(content);
    o.freshness = (coord_freshness)9;
    CU_ASSERT_EQUAL(coord_get_with(s, "/fresh", &o, DEADLINE_MS, &content, &length, NULL, NULL),
                    COORD_ERR_INVALID);
    close_all(client, s);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_txn__all_of_it_is_done_in_one_revision),
        TEST(test_txn__what_does_not_hold_undoes_it_and_is_named),
        TEST(test_txn__a_sequencer_guards_it),
        TEST(test_txn__what_is_wrong_is_refused_when_it_is_added),
        TEST(test_txn__sequential_names_rise),
        TEST(test_txn__a_read_is_as_fresh_as_is_asked_for),
    };
    if (!cell_start(&cell))
        return EXIT_FAILURE;
    int result = run_suite("txn", cases, sizeof cases / sizeof cases[0], argc, argv);
    cell_stop(&cell);
    return result;
}
