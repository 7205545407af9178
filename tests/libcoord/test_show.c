/* test_show.c - what the cell shows of its nodes, locks and sessions, and how fresh that
 * is. Sessions that their process left without a word show what is between. */
#define _GNU_SOURCE
#include <coord/coord.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/libcoord/clients.h"
#include "tests/support/runner.h"

enum { DEADLINE_MS = 10000, DELAY_MS = 5000, TTL_MS = 4000 };

static struct cell cell;

static coord_session *open_session_for(coord_client *client, uint32_t ttl_ms)
{
    coord_session *session = NULL;
    coord_session_options o = COORD_SESSION_OPTIONS_INIT;
    o.ttl_ms = ttl_ms;
    CU_ASSERT_EQUAL_FATAL(coord_session_open(client, &o, &session), COORD_OK);
    return session;
}

/* Holds the lock of `path` and is gone: nobody lets go, the lease runs on. Its id. */
static uint64_t leave_locked(const char *path, uint32_t delay_ms)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session_for(client, TTL_MS);
    coord_node *node = open_node(s, path);
    coord_lock *lock = NULL;
    coord_lock_options o = COORD_LOCK_OPTIONS_INIT;
    o.delay_ms = delay_ms;
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire_with(node, &o, DEADLINE_MS, &lock), COORD_OK);
    uint64_t id = coord_session_id(s);
    coord_client_close(client);
    CU_ASSERT_NOT_EQUAL(coord_unlock(lock, 0), COORD_OK);
    coord_node_close(node);
    return id;
}

struct stale {
    coord_session *session;
    uint64_t least;
};

static bool has_come(void *context)
{
    const struct stale *wish = context;
    coord_read_options o = COORD_READ_OPTIONS_INIT;
    coord_stat stat;
    uint64_t revision = 0;
    o.freshness = COORD_STALE;
    return coord_stat_get_with(wish->session, "/show/stat", &o, DEADLINE_MS, &stat, &revision) ==
               COORD_OK &&
           revision >= wish->least;
}

static void test_show__a_stat_is_as_fresh_as_is_asked_for(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session_for(client, TTL_MS);
    coord_write_options make = COORD_WRITE_OPTIONS_INIT;
    make.flags = COORD_CREATE | COORD_PARENTS;
    coord_stat written, shown;
    uint64_t revision = 0;
    CU_ASSERT_EQUAL(coord_set(s, "/show/stat", "value", 5, &make, DEADLINE_MS, &written), COORD_OK);
    const coord_freshness latest[] = {COORD_LEASE, COORD_QUORUM};
    for (size_t i = 0; i < sizeof latest / sizeof latest[0]; i++) {
        coord_read_options o = COORD_READ_OPTIONS_INIT;
        o.freshness = latest[i];
        CU_ASSERT_EQUAL(coord_stat_get_with(s, "/show/stat", &o, DEADLINE_MS, &shown, &revision),
                        COORD_OK);
        CU_ASSERT_EQUAL(shown.modified_revision, written.modified_revision);
        CU_ASSERT_EQUAL(shown.content_bytes, 5);
        CU_ASSERT(revision >= written.modified_revision);
        CU_ASSERT_EQUAL(coord_stat_get_with(s, "/show/none", &o, DEADLINE_MS, &shown, NULL),
                        COORD_ERR_NO_NODE);
    }
    CU_ASSERT_EQUAL(coord_stat_get_with(s, "/show/stat", NULL, DEADLINE_MS, &shown, NULL),
                    COORD_OK);
    struct stale wish = {s, written.modified_revision};
    CU_ASSERT(eventually(has_come, &wish, DEADLINE_MS)); /* any server may be the one asked */
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
}

static void test_show__who_holds_and_waits_since_when_and_from_where(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session_for(client, TTL_MS);
    coord_node *node = open_node(s, "/show/held");
    coord_lock *lock = NULL;
    coord_stat stat;
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(node, DEADLINE_MS, &lock), COORD_OK);
    CU_ASSERT_EQUAL(coord_stat_get(s, "/show/held", DEADLINE_MS, &stat), COORD_OK);
    CU_ASSERT(stat.lock_exclusive && !stat.lock_delayed);
    coord_lock_listing *l = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_locks(s, "/show/held", NULL, 0, DEADLINE_MS, &l), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(l->count, 1);
    CU_ASSERT(l->revision >= stat.modified_revision);
    CU_ASSERT_EQUAL(l->locks[0].delay_left_ms, 0);
    CU_ASSERT_STRING_EQUAL(l->locks[0].sequencer, coord_lock_sequencer(lock));
    CU_ASSERT_EQUAL_FATAL(l->locks[0].holders_count, 1);
    const coord_claim *h = &l->locks[0].holders[0];
    char host[256] = "";
    struct timeval now;
    (void)gethostname(host, sizeof host - 1);
    (void)gettimeofday(&now, NULL);
    CU_ASSERT_EQUAL(h->session, coord_session_id(s));
    CU_ASSERT_EQUAL(h->generation, stat.lock_generation);
    CU_ASSERT_EQUAL(h->pid, (uint32_t)getpid());
    CU_ASSERT_STRING_EQUAL(h->host, host);
    CU_ASSERT(h->exclusive && !h->revoking);
    CU_ASSERT(h->lease_left_ms > 0 && h->lease_left_ms <= TTL_MS);
    CU_ASSERT((uint64_t)now.tv_sec * 1000 + 1000 > h->since_ms);
    CU_ASSERT((uint64_t)now.tv_sec * 1000 < h->since_ms + 60000);
    coord_lock_listing_free(l);
    CU_ASSERT_EQUAL(coord_unlock(lock, DEADLINE_MS), COORD_OK);
    coord_node_close(node);
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
}

static void test_show__a_lock_being_taken_by_force_shows_as_revoking(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session_for(client, TTL_MS);
    (void)leave_locked("/show/forced", 0);
    CU_ASSERT_EQUAL(coord_unlock_force(s, "/show/forced", DEADLINE_MS), COORD_OK);
    coord_lock_listing *l = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_locks(s, "/show/forced", NULL, 0, DEADLINE_MS, &l), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(l->count, 1);
    CU_ASSERT_EQUAL_FATAL(l->locks[0].holders_count, 1);
    CU_ASSERT(l->locks[0].holders[0].revoking);
    coord_lock_listing_free(l);
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
}

static const coord_session_info *info_of(const coord_session_listing *l, uint64_t id)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->sessions[i].session == id)
            return &l->sessions[i];
    return NULL;
}

static bool is_delayed(void *context)
{
    coord_stat stat;
    return coord_stat_get(context, "/show/delayed", DEADLINE_MS, &stat) == COORD_OK &&
           stat.lock_delayed;
}

static void test_show__a_killed_session_and_then_the_delay_of_its_lock(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session_for(client, TTL_MS);
    uint64_t id = leave_locked("/show/delayed", DELAY_MS);
    CU_ASSERT_EQUAL(coord_session_kill(s, id, DEADLINE_MS), COORD_OK);
    coord_session_listing *sessions = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_sessions(s, 0, 0, DEADLINE_MS, &sessions), COORD_OK);
    CU_ASSERT(sessions->revision > 0);
    const coord_session_info *killed = info_of(sessions, id);
    const coord_session_info *own = info_of(sessions, coord_session_id(s));
    CU_ASSERT(killed != NULL && killed->killed && killed->locks_count == 1);
    CU_ASSERT(own != NULL && !own->killed);
    coord_session_listing_free(sessions);

    CU_ASSERT_FATAL(eventually(is_delayed, s, DEADLINE_MS)); /* its lease has run out */
    coord_lock_listing *l = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_locks(s, "/show/delayed", NULL, 0, DEADLINE_MS, &l), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(l->count, 1);
    CU_ASSERT_EQUAL(l->locks[0].holders_count, 0);
    CU_ASSERT(l->locks[0].delay_left_ms > 0 && l->locks[0].delay_left_ms <= DELAY_MS);
    coord_lock_listing_free(l);
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_show__a_stat_is_as_fresh_as_is_asked_for),
        TEST(test_show__who_holds_and_waits_since_when_and_from_where),
        TEST(test_show__a_lock_being_taken_by_force_shows_as_revoking),
        TEST(test_show__a_killed_session_and_then_the_delay_of_its_lock),
    };
    if (!cell_start(&cell))
        return EXIT_FAILURE;
    int result = run_suite("show", cases, sizeof cases / sizeof cases[0], argc, argv);
    cell_stop(&cell);
    return result;
}
