/* test_stale.c - reads without a session, from any one server; listings as fresh as is
 * asked for; and a campaign with the options of a lock. */
#include <coord/coord.h>
#include <stdlib.h>
#include <string.h>

#include "tests/libcoord/cell.h"
#include "tests/support/runner.h"

enum { DEADLINE_MS = 10000, SHORT_MS = 1000, SURVIVORS = 2 };

static struct cell cell;
static coord_client *client;
static coord_session *session;

static void open_all(void)
{
    client = NULL;
    session = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_client_open(cell.endpoints, NULL, &client), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_session_open(client, NULL, &session), COORD_OK);
}

static void close_all(void)
{
    CU_ASSERT_EQUAL(coord_session_close(session, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
}

/* Made by the library's caller; the revision of it. */
static uint64_t put(const char *path, const char *content)
{
    coord_write_options make = COORD_WRITE_OPTIONS_INIT;
    coord_stat stat = {.size = 0};
    make.flags = COORD_CREATE | COORD_PARENTS;
    CU_ASSERT_EQUAL_FATAL(
        coord_set(session, path, content, strlen(content), &make, DEADLINE_MS, &stat), COORD_OK);
    return stat.modified_revision;
}

/* Whatever server was asked by chance has got that far: so all will have, soon. */
static bool has_come(void *context)
{
    const uint64_t *least = context;
    for (int i = 0; i < 2 * CELL_MEMBERS; i++) {
        coord_listing *page;
        if (coord_list_stale(client, "/", NULL, 0, DEADLINE_MS, &page) != COORD_OK)
            return false;
        uint64_t revision = page->revision;
        coord_listing_free(page);
        if (revision < *least)
            return false;
    }
    return true;
}

static void check_content(const char *path, const char *wanted, uint64_t least)
{
    void *content = NULL;
    size_t length = 0;
    coord_stat stat = {.size = 0};
    uint64_t revision = 0;
    CU_ASSERT_EQUAL_FATAL(
        coord_get_stale(client, path, DEADLINE_MS, &content, &length, &stat, &revision), COORD_OK);
    CU_ASSERT_STRING_EQUAL((const char *)content, wanted);
    CU_ASSERT_EQUAL(length, strlen(wanted));
    CU_ASSERT_EQUAL(stat.content_bytes, length);
    CU_ASSERT(revision >= least);
    coord_free(content);
}

static void test_stale__a_read_needs_no_session(void)
{
    open_all();
    uint64_t revision = put("/stale/a", "v");
    CU_ASSERT_FATAL(eventually(has_come, &revision, DEADLINE_MS));
    CU_ASSERT_EQUAL(coord_session_close(session, DEADLINE_MS), COORD_OK);
    check_content("/stale/a", "v", revision);
    void *content = NULL;
    size_t length = 0;
    CU_ASSERT_EQUAL(
        coord_get_stale(client, "/stale/none", DEADLINE_MS, &content, &length, NULL, NULL),
        COORD_ERR_NO_NODE);
    CU_ASSERT_PTR_NULL(content);
    coord_client_close(client);
}

static void test_stale__a_listing_is_as_fresh_as_is_asked_for(void)
{
    open_all();
    uint64_t revision = put("/fresh/a", "");
    revision = put("/fresh/b", "");
    CU_ASSERT_FATAL(eventually(has_come, &revision, DEADLINE_MS));
    const coord_freshness all[] = {COORD_LEASE, COORD_QUORUM, COORD_STALE};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        coord_read_options o = COORD_READ_OPTIONS_INIT;
        coord_listing *page = NULL;
        o.freshness = all[i];
        CU_ASSERT_EQUAL_FATAL(coord_list_with(session, "/fresh", NULL, 1, &o, DEADLINE_MS, &page),
                              COORD_OK);
        CU_ASSERT_EQUAL_FATAL(page->count, 1);
        CU_ASSERT_STRING_EQUAL(page->entries[0].name, "a");
        CU_ASSERT(page->more && page->revision >= revision);
        coord_listing_free(page);
        CU_ASSERT_EQUAL_FATAL(coord_list_with(session, "/fresh", "a", 0, &o, DEADLINE_MS, &page),
                              COORD_OK);
        CU_ASSERT_EQUAL_FATAL(page->count, 1);
        CU_ASSERT_STRING_EQUAL(page->entries[0].name, "b");
        CU_ASSERT(!page->more);
        coord_listing_free(page);
    }
    close_all();
}

static void test_stale__what_is_wrong_is_named(void)
{
    open_all();
    coord_listing *page = NULL;
    coord_read_options o = COORD_READ_OPTIONS_INIT;
    void *content;
    size_t length;
    CU_ASSERT_EQUAL(coord_get_stale(NULL, "/", 1, &content, &length, NULL, NULL),
                    COORD_ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(coord_error_detail(), "client"));
    CU_ASSERT_EQUAL(coord_get_stale(client, "/", 1, NULL, &length, NULL, NULL), COORD_ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(coord_error_detail(), "ret_content"));
    CU_ASSERT_EQUAL(coord_get_stale(client, "/", 1, &content, NULL, NULL, NULL), COORD_ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(coord_error_detail(), "ret_length"));
    CU_ASSERT_EQUAL(coord_get_stale(client, "/", -2, &content, &length, NULL, NULL),
                    COORD_ERR_INVALID);
    CU_ASSERT_EQUAL(coord_get_stale(client, "a", 1, &content, &length, NULL, NULL),
                    COORD_ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(coord_error_detail(), "path"));
    CU_ASSERT_EQUAL(coord_list_stale(NULL, "/", NULL, 0, 1, &page), COORD_ERR_INVALID);
    CU_ASSERT_EQUAL(coord_list_stale(client, "/", NULL, 0, 1, NULL), COORD_ERR_INVALID);
    CU_ASSERT_EQUAL(coord_list_stale(client, "/", "a/b", 0, 1, &page), COORD_ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(coord_error_detail(), "after"));
    CU_ASSERT_EQUAL(coord_list_with(NULL, "/", NULL, 0, &o, 1, &page), COORD_ERR_INVALID);
    CU_ASSERT_EQUAL(coord_list_with(session, "/", NULL, 0, &o, -2, &page), COORD_ERR_INVALID);
    o.freshness = (coord_freshness)7;
    CU_ASSERT_EQUAL(coord_list_with(session, "/", NULL, 0, &o, 1, &page), COORD_ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(coord_error_detail(), "freshness"));
    CU_ASSERT_PTR_NULL(page);
    close_all();
}

static void test_stale__a_campaign_takes_a_delay_and_is_not_shared(void)
{
    open_all();
    coord_lock_options o = COORD_LOCK_OPTIONS_INIT;
    coord_election *election = NULL;
    o.shared = true;
    CU_ASSERT_EQUAL(coord_campaign_with(session, "/stale/lead", "v", 1, &o, DEADLINE_MS, &election),
                    COORD_ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(coord_error_detail(), "options"));
    o.shared = false;
    o.delay_ms = 60001;
    CU_ASSERT_EQUAL(coord_campaign_with(session, "/stale/lead", "v", 1, &o, DEADLINE_MS, &election),
                    COORD_ERR_INVALID);
    CU_ASSERT_PTR_NULL(election);
    o.delay_ms = 60000;
    CU_ASSERT_EQUAL_FATAL(
        coord_campaign_with(session, "/stale/lead", "v", 1, &o, DEADLINE_MS, &election), COORD_OK);
    /* What resigns leaves no delay. */
    CU_ASSERT_EQUAL(coord_resign(election, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(
        coord_campaign_with(session, "/stale/lead", "v", 1, NULL, DEADLINE_MS, &election),
        COORD_OK);
    CU_ASSERT_EQUAL(coord_resign(election, DEADLINE_MS), COORD_OK);
    close_all();
}

/* The last: the cell has no majority any more. */
static void test_stale__a_read_needs_no_leader(void)
{
    open_all();
    uint64_t revision = put("/stale/left", "w");
    CU_ASSERT_FATAL(eventually(has_come, &revision, DEADLINE_MS));
    for (uint32_t member = 1; member <= CELL_MEMBERS - SURVIVORS; member++)
        cell_kill(&cell, member);
    void *content = NULL;
    size_t length = 0;
    coord_read_options quorum = COORD_READ_OPTIONS_INIT; /* the lease may last for a moment */
    quorum.freshness = COORD_QUORUM;
    CU_ASSERT_NOT_EQUAL(
        coord_get_with(session, "/stale/left", &quorum, SHORT_MS, &content, &length, NULL, NULL),
        COORD_OK);
    for (int i = 0; i < CELL_MEMBERS; i++)
        check_content("/stale/left", "w", revision);
    coord_listing *page = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_list_stale(client, "/stale", NULL, 0, DEADLINE_MS, &page),
                          COORD_OK);
    CU_ASSERT(page->count > 0);
    coord_listing_free(page);
    (void)coord_session_close(session, 0);
    coord_client_close(client);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_stale__a_read_needs_no_session),
        TEST(test_stale__a_listing_is_as_fresh_as_is_asked_for),
        TEST(test_stale__what_is_wrong_is_named),
        TEST(test_stale__a_campaign_takes_a_delay_and_is_not_shared),
        TEST(test_stale__a_read_needs_no_leader),
    };
    if (!cell_start(&cell))
        return EXIT_FAILURE;
    int result = run_suite("stale", cases, sizeof cases / sizeof cases[0], argc, argv);
    cell_stop(&cell);
    return result;
}
