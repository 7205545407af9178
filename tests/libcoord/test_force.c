/* test_force.c - what an operator takes away and moves, against five real servers;
 * and locks that are shared, or have a delay. */
#define _GNU_SOURCE
#include <coord/coord.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/libcoord/clients.h"
#include "tests/support/runner.h"

enum { DEADLINE_MS = 10000 };

static struct cell cell;

static bool is_lost(void *context)
{
    return coord_lock_lost(context) && coord_lock_safe_ms(context) == 0;
}

static bool is_expired(void *context)
{
    return coord_session_state_now(context) == COORD_SESSION_EXPIRED;
}

static void test_force__a_lock_taken_away_passes_on_and_its_holder_knows(void)
{
    coord_client *client = open_client(&cell);
    coord_session *holder = open_session(client), *next = open_session(client);
    coord_node *held = open_node(holder, "/force/lock"), *wanted = open_node(next, "/force/lock");
    coord_node *other = open_node(holder, "/force/other");
    coord_lock *lock = NULL, *kept = NULL, *passed = NULL;
    CU_ASSERT_EQUAL(coord_unlock_force(next, "/force/lock", DEADLINE_MS), COORD_ERR_NOT_HELD);
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(other, DEADLINE_MS, &kept), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(held, DEADLINE_MS, &lock), COORD_OK);
    CU_ASSERT(!coord_lock_lost(lock));
    CU_ASSERT_EQUAL(coord_unlock_force(next, "/force/lock", DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(wanted, DEADLINE_MS, &passed), COORD_OK);
    CU_ASSERT(coord_lock_lost(lock)); /* it knew before another had it */
    CU_ASSERT_EQUAL(coord_lock_safe_ms(lock), 0);
    CU_ASSERT(!coord_lock_lost(kept));
    CU_ASSERT(coord_lock_safe_ms(kept) > 0);
    CU_ASSERT_EQUAL(coord_unlock(lock, DEADLINE_MS), COORD_ERR_NOT_HELD);
    CU_ASSERT_EQUAL(coord_unlock(kept, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_unlock(passed, DEADLINE_MS), COORD_OK);
    coord_node_close(held);
    coord_node_close(wanted);
    coord_node_close(other);
    CU_ASSERT_EQUAL(coord_session_close(holder, DEADLINE_MS), COORD_OK);
    close_all(client, next);
}

static coord_session *open_late_session(coord_client *client)
{
    coord_session *session = NULL;
    coord_session_options options = COORD_SESSION_OPTIONS_INIT;
    options.lets_go_late = true;
    CU_ASSERT_EQUAL_FATAL(coord_session_open(client, &options, &session), COORD_OK);
    return session;
}

static void test_force__who_lets_go_late_keeps_others_out_until_he_does(void)
{
    coord_client *client = open_client(&cell);
    coord_session *holder = open_late_session(client), *next = open_session(client);
    coord_node *held = open_node(holder, "/force/late"), *wanted = open_node(next, "/force/late");
    coord_lock *lock = NULL, *passed = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(held, DEADLINE_MS, &lock), COORD_OK);
    CU_ASSERT_EQUAL(coord_unlock_force(next, "/force/late", DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_lock_acquire(wanted, 1000, &passed), COORD_ERR_TIMEOUT);
    CU_ASSERT(coord_lock_lost(lock));
    CU_ASSERT_EQUAL(coord_lock_safe_ms(lock), 0);
    CU_ASSERT(coord_session_safe_ms(holder) > 0);
    CU_ASSERT_EQUAL(coord_unlock(lock, DEADLINE_MS), COORD_ERR_NOT_HELD);
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(wanted, DEADLINE_MS, &passed), COORD_OK);
    CU_ASSERT_EQUAL(coord_unlock(passed, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(held, DEADLINE_MS, &lock), COORD_OK);
    CU_ASSERT_EQUAL(coord_unlock(lock, DEADLINE_MS), COORD_OK);
    coord_node_close(held);
    coord_node_close(wanted);
    CU_ASSERT_EQUAL(coord_session_close(holder, DEADLINE_MS), COORD_OK);
    close_all(client, next);
}

enum { LOSSES_MAX = 8 };

struct losses {
    pthread_mutex_t mutex;
    coord_session *session;
    char paths[LOSSES_MAX][64], sequencers[LOSSES_MAX][128];
    uint64_t generations[LOSSES_MAX];
    int count, wanted;
};

static void on_loss(void *context, coord_session *session, const coord_loss *loss)
{
    struct losses *l = context;
    pthread_mutex_lock(&l->mutex);
    if (l->count < LOSSES_MAX) {
        (void)snprintf(l->paths[l->count], sizeof l->paths[0], "%s", loss->path);
        (void)snprintf(l->sequencers[l->count], sizeof l->sequencers[0], "%s", loss->sequencer);
        l->generations[l->count++] = loss->generation;
        l->session = session;
    }
    pthread_mutex_unlock(&l->mutex);
}

static bool are_told(void *context)
{
    struct losses *l = context;
    pthread_mutex_lock(&l->mutex);
    bool told = l->count >= l->wanted;
    pthread_mutex_unlock(&l->mutex);
    return told;
}

/* One for a lock, one for a leadership; none for a lock that is only given back. */
static void test_force__the_application_is_told_once_of_each_lock_that_was_taken(void)
{
    coord_client *client = open_client(&cell);
    coord_session *holder = NULL, *other = open_session(client);
    struct losses losses = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    coord_session_options o = COORD_SESSION_OPTIONS_INIT;
    o.on_loss = on_loss;
    o.context = &losses;
    CU_ASSERT_EQUAL_FATAL(coord_session_open(client, &o, &holder), COORD_OK);
    coord_node *held = open_node(holder, "/told/lock"), *kept = open_node(holder, "/told/kept");
    coord_lock *lock = NULL, *back = NULL;
    coord_election *election = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(held, DEADLINE_MS, &lock), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(kept, DEADLINE_MS, &back), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_campaign(holder, "/told/leader", "", 0, DEADLINE_MS, &election),
                          COORD_OK);
    CU_ASSERT_EQUAL(coord_unlock(back, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_unlock_force(other, "/told/lock", DEADLINE_MS), COORD_OK);
    losses.wanted = 1;
    CU_ASSERT_FATAL(eventually(are_told, &losses, DEADLINE_MS));
    CU_ASSERT(coord_lock_lost(lock));
    CU_ASSERT_EQUAL(coord_unlock_force(other, "/told/leader", DEADLINE_MS), COORD_OK);
    losses.wanted = 2;
    CU_ASSERT_FATAL(eventually(are_told, &losses, DEADLINE_MS));
    CU_ASSERT_STRING_EQUAL(losses.paths[0], "/told/lock");
    CU_ASSERT_STRING_EQUAL(losses.sequencers[0], coord_lock_sequencer(lock));
    CU_ASSERT_STRING_EQUAL(losses.paths[1], "/told/leader");
    CU_ASSERT_STRING_EQUAL(losses.sequencers[1], coord_election_sequencer(election));
    CU_ASSERT_EQUAL(coord_election_safe_ms(election), 0);
    coord_sequencer parsed;
    CU_ASSERT_EQUAL(coord_sequencer_parse(losses.sequencers[0], &parsed), COORD_OK);
    CU_ASSERT_EQUAL(parsed.generation, losses.generations[0]);
    CU_ASSERT_PTR_EQUAL(losses.session, holder);

    /* Told anew to whoever attaches, until the lock was let go: to the application once. */
    CU_ASSERT_EQUAL(coord_step_down(client, 0, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_unlock(lock, DEADLINE_MS), COORD_ERR_NOT_HELD);
    CU_ASSERT_EQUAL(coord_resign(election, DEADLINE_MS), COORD_ERR_NOT_HELD);
    coord_node_close(held);
    coord_node_close(kept);
    CU_ASSERT_EQUAL(coord_session_close(holder, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(losses.count, 2);
    close_all(client, other);
}

static void test_force__several_locks_of_one_session_are_taken_away(void)
{
    enum { LOCKS = 4 };
    static const char *const paths[LOCKS] = {"/many/a", "/many/b", "/many/c", "/many/d"};
    coord_client *client = open_client(&cell);
    coord_session *holder = open_session(client), *other = open_session(client);
    coord_node *nodes[LOCKS];
    coord_lock *locks[LOCKS] = {NULL};
    for (int i = 0; i < LOCKS; i++) {
        nodes[i] = open_node(holder, paths[i]);
        CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(nodes[i], DEADLINE_MS, &locks[i]), COORD_OK);
    }
    for (int i = LOCKS; i-- > 0;)
        CU_ASSERT_EQUAL(coord_unlock_force(other, paths[i], DEADLINE_MS), COORD_OK);
    for (int i = 0; i < LOCKS; i++) {
        CU_ASSERT(eventually(is_lost, locks[i], DEADLINE_MS));
        CU_ASSERT_EQUAL(coord_unlock(locks[i], DEADLINE_MS), COORD_ERR_NOT_HELD);
        coord_node_close(nodes[i]);
    }
    CU_ASSERT_EQUAL(coord_session_close(holder, DEADLINE_MS), COORD_OK);
    close_all(client, other);
}

static void test_force__a_killed_session_expires_and_its_locks_pass_on(void)
{
    coord_client *client = open_client(&cell);
    coord_session *killer = open_session(client), *victim = NULL;
    coord_session_options o = COORD_SESSION_OPTIONS_INIT;
    o.ttl_ms = 6000; /* a KeepAlive each 2 s */
    CU_ASSERT_EQUAL_FATAL(coord_session_open(client, &o, &victim), COORD_OK);
    coord_node *held = open_node(victim, "/kill"), *wanted = open_node(killer, "/kill");
    coord_lock *lock = NULL, *passed = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(held, DEADLINE_MS, &lock), COORD_OK);
    int64_t start_ms = now_ms();
    CU_ASSERT_EQUAL(coord_session_kill(killer, coord_session_id(victim), DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(wanted, 3 * DEADLINE_MS, &passed), COORD_OK);
    CU_ASSERT(now_ms() - start_ms < 5000); /* no lease had to run out */
    CU_ASSERT(eventually(is_expired, victim, DEADLINE_MS));
    CU_ASSERT_EQUAL(coord_unlock(passed, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_unlock(lock, DEADLINE_MS), COORD_ERR_EXPIRED);
    CU_ASSERT_EQUAL(coord_session_kill(killer, 999999, DEADLINE_MS), COORD_ERR_NO_NODE);
    coord_node_close(held);
    coord_node_close(wanted);
    CU_ASSERT_EQUAL(coord_session_close(victim, DEADLINE_MS), COORD_ERR_EXPIRED);
    close_all(client, killer);
}

static uint32_t leader(coord_client *client)
{
    coord_status *status = NULL;
    uint32_t id = 0;
    if (coord_status_get(client, DEADLINE_MS, &status) == COORD_OK)
        id = status->leader;
    coord_status_free(status);
    return id;
}

struct wish {
    coord_client *client;
    uint32_t id;
};

static bool leads(void *context)
{
    const struct wish *wish = context;
    return leader(wish->client) == wish->id;
}

static void test_force__leadership_is_handed_over(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    uint32_t before = leader(client);
    struct wish wish = {client, before % CELL_MEMBERS + 1};
    CU_ASSERT_EQUAL(coord_step_down(client, 99, DEADLINE_MS), COORD_ERR_INVALID);
    CU_ASSERT_EQUAL(coord_step_down(client, wish.id, DEADLINE_MS), COORD_OK);
    CU_ASSERT(eventually(leads, &wish, DEADLINE_MS));
    coord_write_options make = COORD_WRITE_OPTIONS_INIT;
    make.flags = COORD_CREATE;
    CU_ASSERT_EQUAL(coord_set(s, "/after", "x", 1, &make, DEADLINE_MS, NULL), COORD_OK);
    close_all(client, s);
}

static void test_force__a_shared_lock_is_held_by_many(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    coord_node *a = open_node(s, "/shared"), *b = open_node(s, "/shared"),
               *c = open_node(s, "/shared");
    coord_lock *first = NULL, *second = NULL, *third = NULL;
    coord_lock_options o = COORD_LOCK_OPTIONS_INIT;
    o.shared = true;
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire_with(a, &o, DEADLINE_MS, &first), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_trylock_with(b, &o, DEADLINE_MS, &second), COORD_OK);
    CU_ASSERT_EQUAL(coord_trylock(c, DEADLINE_MS, &third), COORD_ERR_LOCK_HELD);
    coord_sequencer parsed;
    CU_ASSERT_EQUAL(coord_sequencer_parse(coord_lock_sequencer(first), &parsed), COORD_OK);
    CU_ASSERT(!parsed.exclusive);
    CU_ASSERT_EQUAL(coord_unlock(first, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_unlock(second, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_trylock(c, DEADLINE_MS, &third), COORD_OK);
    CU_ASSERT_EQUAL(coord_unlock(third, DEADLINE_MS), COORD_OK);
    o.delay_ms = 60001;
    CU_ASSERT_EQUAL(coord_lock_acquire_with(a, &o, DEADLINE_MS, &first), COORD_ERR_INVALID);
    coord_node_close(a);
    coord_node_close(b);
    coord_node_close(c);
    close_all(client, s);
}

static void test_force__a_delay_holds_the_lock_back_when_its_session_is_killed(void)
{
    enum { DELAY_MS = 3000 };
    coord_client *client = open_client(&cell);
    coord_session *killer = open_session(client), *victim = NULL;
    coord_session_options so = COORD_SESSION_OPTIONS_INIT;
    so.ttl_ms = 2000;
    CU_ASSERT_EQUAL_FATAL(coord_session_open(client, &so, &victim), COORD_OK);
    coord_node *held = open_node(victim, "/delay"), *wanted = open_node(killer, "/delay");
    coord_lock *lock = NULL, *passed = NULL;
    coord_lock_options o = COORD_LOCK_OPTIONS_INIT;
    o.delay_ms = DELAY_MS;
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire_with(held, &o, DEADLINE_MS, &lock), COORD_OK);
    int64_t start_ms = now_ms();
    CU_ASSERT_EQUAL(coord_session_kill(killer, coord_session_id(victim), DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(wanted, 3 * DEADLINE_MS, &passed), COORD_OK);
    CU_ASSERT(now_ms() - start_ms >= DELAY_MS);
    CU_ASSERT_EQUAL(coord_unlock(passed, DEADLINE_MS), COORD_OK);
    (void)coord_unlock(lock, DEADLINE_MS);
    coord_node_close(held);
    coord_node_close(wanted);
    CU_ASSERT_EQUAL(coord_session_close(victim, DEADLINE_MS), COORD_ERR_EXPIRED);
    close_all(client, killer);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_force__a_lock_taken_away_passes_on_and_its_holder_knows),
        TEST(test_force__who_lets_go_late_keeps_others_out_until_he_does),
        TEST(test_force__the_application_is_told_once_of_each_lock_that_was_taken),
        TEST(test_force__several_locks_of_one_session_are_taken_away),
        TEST(test_force__a_killed_session_expires_and_its_locks_pass_on),
        TEST(test_force__leadership_is_handed_over),
        TEST(test_force__a_shared_lock_is_held_by_many),
        TEST(test_force__a_delay_holds_the_lock_back_when_its_session_is_killed),
    };
    if (!cell_start(&cell))
        return EXIT_FAILURE;
    int result = run_suite("force", cases, sizeof cases / sizeof cases[0], argc, argv);
    cell_stop(&cell);
    return result;
}
