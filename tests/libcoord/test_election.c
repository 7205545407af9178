/* test_election.c - many candidates in one process, and an observer that hears of every
 * leader in order, whatever happens to its link meanwhile. */
#define _GNU_SOURCE
#include <coord/coord.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/libcoord/clients.h"
#include "tests/libcoord/leaders.h"
#include "tests/support/runner.h"

enum {
    DEADLINE_MS = 30000,
    CAMPAIGNS = 50,
    SESSIONS = 10,
    HAND_OVERS = 6,
    MANY = 1200, /* elections: their events are more than one watch may leave waiting */
};

static struct cell cell;

static struct rules ruled, told;
static struct rule leaders[RULES_MAX];

static int by_generation(const void *a, const void *b)
{
    const struct rule *x = a, *y = b;
    return x->generation < y->generation ? -1 : x->generation > y->generation;
}

static bool all_told(void *context)
{
    (void)context;
    return rules_leaders(&told, leaders) >= ruled.count;
}

/* Each who led was told once, in order, under its name, with its value while it had one. */
static void expect_all_told(void)
{
    CU_ASSERT(eventually(all_told, NULL, DEADLINE_MS));
    int count = rules_leaders(&told, leaders), superseded = 0;
    qsort(ruled.list, (size_t)ruled.count, sizeof ruled.list[0], by_generation);
    CU_ASSERT_EQUAL(count, ruled.count);
    for (int i = 0; i < count && i < ruled.count; i++) {
        CU_ASSERT_EQUAL(leaders[i].generation, ruled.list[i].generation);
        CU_ASSERT(!leaders[i].missed);
        CU_ASSERT_STRING_EQUAL(leaders[i].value, leaders[i].superseded ? "" : ruled.list[i].value);
        superseded += leaders[i].superseded;
    }
    printf(" %d leaders, %d superseded ", count, superseded);
}

struct candidate {
    coord_session *session;
    const char *path;
    int number, times;
    const char *wrong; /* NULL: nothing */
    atomic_int *leading;
};

static void *campaign(void *argument)
{
    struct candidate *c = argument;
    for (int i = 0; i < c->times && c->wrong == NULL; i++) {
        struct rule rule = {.generation = 0};
        coord_election *e = NULL;
        c->wrong = "a campaign or its end failed";
        (void)snprintf(rule.value, sizeof rule.value, "%d of %d", i, c->number);
        if (coord_campaign(c->session, c->path, rule.value, strlen(rule.value), DEADLINE_MS, &e) !=
            COORD_OK)
            break;
        rule.generation = leader_generation(coord_election_sequencer(e));
        rules_add(&ruled, rule);
        bool alone = atomic_fetch_add(c->leading, 1) == 0;
        alone &= atomic_fetch_sub(c->leading, 1) == 1;
        if (coord_resign(e, DEADLINE_MS) != COORD_OK)
            break;
        c->wrong = alone ? NULL : "two led at a time";
    }
    return NULL;
}

static atomic_int leading;
static pthread_t threads[CAMPAIGNS];
static struct candidate candidates[CAMPAIGNS];

static void campaigns_start(coord_session **sessions, int count, const char *path, int times)
{
    for (int i = 0; i < count; i++) {
        candidates[i] = (struct candidate){sessions[i % SESSIONS], path, i, times, NULL, &leading};
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, campaign, &candidates[i]), 0);
    }
}

static void campaigns_join(int count)
{
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT_PTR_NULL(candidates[i].wrong);
        if (candidates[i].wrong != NULL)
            printf(" %s ", candidates[i].wrong);
    }
}

static void begin(coord_client **client, coord_session **sessions, const char *path,
                  coord_observer **o)
{
    rules_init(&ruled);
    rules_init(&told);
    *client = open_client(&cell);
    for (int i = 0; i < SESSIONS; i++)
        sessions[i] = open_session(*client);
    CU_ASSERT_EQUAL_FATAL(coord_observe(sessions[0], path, rules_on_leader, &told, DEADLINE_MS, o),
                          COORD_OK);
}

static void end(coord_client *client, coord_session **sessions, coord_observer *o)
{
    coord_observe_close(o);
    for (int i = 0; i < SESSIONS; i++)
        CU_ASSERT_EQUAL(coord_session_close(sessions[i], DEADLINE_MS), COORD_OK);
    coord_client_close(client);
}

static void test_election__fifty_campaigns_on_ten_sessions_lead_once_each(void)
{
    coord_client *client;
    coord_session *sessions[SESSIONS];
    coord_observer *o = NULL;
    begin(&client, sessions, "/fifty/leader", &o);
    campaigns_start(sessions, CAMPAIGNS, "/fifty/leader", 1);
    campaigns_join(CAMPAIGNS);
    CU_ASSERT_EQUAL(ruled.count, CAMPAIGNS);
    expect_all_told();
    end(client, sessions, o);
}

/* ---- an observer of its own process, so that it can be stopped ---- */

/* A line on stdout for each leader. */
static void print_leader(void *context, const coord_leadership *l)
{
    (void)context;
    if (l->sequencer == NULL)
        return;
    (void)printf("%" PRIu64 " %d %d '%s'\n", leader_generation(l->sequencer), l->superseded,
                 l->missed, (const char *)l->value);
    (void)fflush(stdout);
}

static int observe(const char *endpoints, const char *path)
{
    coord_client *client = NULL;
    coord_session *s = NULL;
    coord_observer *o = NULL;
    if (coord_client_open(endpoints, NULL, &client) != COORD_OK ||
        coord_session_open(client, NULL, &s) != COORD_OK ||
        coord_observe(s, path, print_leader, NULL, DEADLINE_MS, &o) != COORD_OK)
        return EXIT_FAILURE;
    (void)printf("ready\n");
    (void)fflush(stdout);
    while (true)
        (void)pause(); /* until it is killed */
}

static bool next_line(FILE *from, char line[128])
{
    struct pollfd p = {.fd = fileno(from), .events = POLLIN};
    return poll(&p, 1, DEADLINE_MS) > 0 && fgets(line, 128, from) != NULL;
}

static bool next_told(FILE *from)
{
    char line[128];
    struct rule rule = {.generation = 0};
    int superseded = 0, missed = 0;
    if (!next_line(from, line) || sscanf(line, "%" SCNu64 " %d %d '%23[^']'", &rule.generation,
                                         &superseded, &missed, rule.value) < 3)
        return false;
    rule.superseded = superseded != 0;
    rule.missed = missed != 0;
    rules_add(&told, rule);
    return true;
}

/* While it is stopped its stream ends and many are elected, of whom history alone can
 * tell it. */
static void test_election__leaders_that_were_replaced_while_the_link_was_lost_are_told(void)
{
    enum { BEFORE = 20, MEANWHILE = 200 };
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client), *sessions[SESSIONS];
    for (int i = 0; i < SESSIONS; i++)
        sessions[i] = s;
    rules_init(&ruled);
    rules_init(&told);
    int fds[2];
    CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC), 0);
    const char *const arguments[] = {"/proc/self/exe", "--observe", cell.endpoints, "/stopped",
                                     NULL};
    pid_t observer = child_spawn(arguments, fds[1]);
    FILE *from = fdopen(fds[0], "r");
    (void)close(fds[1]);
    (void)setvbuf(from, NULL, _IONBF, 0); /* what poll sees is all that there is */
    char line[128];
    CU_ASSERT_FATAL(observer > 0 && next_line(from, line) && strcmp(line, "ready\n") == 0);
    campaigns_start(sessions, 1, "/stopped", BEFORE);
    campaigns_join(1);
    (void)kill(observer, SIGSTOP);
    CU_ASSERT_EQUAL(coord_step_down(client, 0, DEADLINE_MS), COORD_OK);
    campaigns_start(sessions, 2, "/stopped", MEANWHILE / 2);
    campaigns_join(2);
    (void)kill(observer, SIGCONT);
    while (rules_leaders(&told, leaders) < ruled.count && next_told(from))
        continue;
    expect_all_told();
    int superseded = 0;
    for (int i = 0; i < ruled.count; i++)
        superseded += leaders[i].superseded;
    CU_ASSERT(superseded >= MEANWHILE / 2);
    (void)kill(observer, SIGKILL);
    (void)waitpid(observer, NULL, 0);
    (void)fclose(from);
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
}

/* Each change of leader in the cell breaks the observer's link while others go on to be
 * elected: what it hears of them then comes from history. */
static void test_election__every_leader_is_told_across_changes_of_the_cells_leader(void)
{
    enum { CANDIDATES = 5, TIMES = 300 };
    coord_client *client;
    coord_session *sessions[SESSIONS];
    coord_observer *o = NULL;
    begin(&client, sessions, "/moving", &o);
    campaigns_start(sessions, CANDIDATES, "/moving", TIMES);
    for (int i = 0; i < HAND_OVERS; i++) {
        sleep_ms(150);
        CU_ASSERT_EQUAL(coord_step_down(client, 0, DEADLINE_MS), COORD_OK);
    }
    campaigns_join(CANDIDATES);
    CU_ASSERT_EQUAL(ruled.count, CANDIDATES * TIMES);
    expect_all_told();
    end(client, sessions, o);
}

static void test_election__a_name_made_again_is_another_instance(void)
{
    coord_client *client;
    coord_session *sessions[SESSIONS];
    coord_observer *o = NULL;
    coord_election *e = NULL;
    begin(&client, sessions, "/again", &o);
    char names[2][256];
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(coord_campaign(sessions[1], "/again", "x", 1, DEADLINE_MS, &e),
                              COORD_OK);
        struct rule rule = {.value = "x"};
        (void)snprintf(names[i], sizeof names[i], "%s", coord_election_sequencer(e));
        rule.generation = leader_generation(names[i]);
        rules_add(&ruled, rule);
        CU_ASSERT_EQUAL(coord_resign(e, DEADLINE_MS), COORD_OK);
        CU_ASSERT_EQUAL(coord_delete(sessions[1], "/again", NULL, DEADLINE_MS), COORD_OK);
    }
    expect_all_told();
    end(client, sessions, o);
}

static bool is_told(void *context)
{
    const uint64_t *generation = context;
    int count = rules_leaders(&told, leaders);
    return count > 0 && leaders[count - 1].generation == *generation;
}

/* Its callback blocks while more happens than is kept for it. */
static void test_election__an_observer_that_fell_behind_is_told_so_and_told_the_last(void)
{
    coord_client *client;
    coord_session *sessions[SESSIONS];
    coord_observer *o = NULL;
    coord_election *e = NULL;
    begin(&client, sessions, "/behind", &o);
    atomic_store(&told.held_up, true);
    uint64_t last = 0;
    coord_client *other = open_client(&cell); /* whose callbacks are not held up */
    coord_session *s = open_session(other);
    for (int i = 0; i < MANY; i++) {
        CU_ASSERT_EQUAL_FATAL(coord_campaign(s, "/behind", "x", 1, DEADLINE_MS, &e), COORD_OK);
        last = leader_generation(coord_election_sequencer(e));
        if (i < MANY - 1)
            CU_ASSERT_EQUAL(coord_resign(e, DEADLINE_MS), COORD_OK);
    }
    atomic_store(&told.held_up, false);
    CU_ASSERT(eventually(is_told, &last, DEADLINE_MS));
    int missed = 0, count = rules_leaders(&told, leaders);
    for (int i = 0; i < told.count; i++)
        missed += told.list[i].missed;
    CU_ASSERT(missed >= 1);
    CU_ASSERT(count < MANY);
    for (int i = 1; i < count; i++)
        CU_ASSERT(leaders[i].generation > leaders[i - 1].generation);
    CU_ASSERT_STRING_EQUAL(leaders[count - 1].value, "x");
    CU_ASSERT_EQUAL(coord_resign(e, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    coord_client_close(other);
    end(client, sessions, o);
}

/* A lock that is no election's ends a leadership, and is none itself. */
static void test_election__who_only_locks_does_not_lead(void)
{
    coord_client *client;
    coord_session *sessions[SESSIONS];
    coord_observer *o = NULL;
    coord_election *e = NULL;
    coord_node *node = NULL;
    coord_lock *lock = NULL;
    begin(&client, sessions, "/mixed", &o);
    CU_ASSERT_EQUAL_FATAL(coord_campaign(sessions[1], "/mixed", "a", 1, DEADLINE_MS, &e), COORD_OK);
    rules_add(&ruled, (struct rule){.generation = leader_generation(coord_election_sequencer(e)),
                                    .value = "a"});
    CU_ASSERT_EQUAL(coord_resign(e, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_open(sessions[1], "/mixed", 0, DEADLINE_MS, &node), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(node, DEADLINE_MS, &lock), COORD_OK);
    void *value = NULL;
    size_t length = 0;
    CU_ASSERT_EQUAL(coord_leader(sessions[1], "/mixed", DEADLINE_MS, &value, &length, NULL),
                    COORD_ERR_NOT_HELD);
    CU_ASSERT_EQUAL(coord_unlock(lock, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_campaign(sessions[1], "/mixed", "b", 1, DEADLINE_MS, &e), COORD_OK);
    rules_add(&ruled, (struct rule){.generation = leader_generation(coord_election_sequencer(e)),
                                    .value = "b"});
    expect_all_told();
    CU_ASSERT_EQUAL(coord_resign(e, DEADLINE_MS), COORD_OK);
    coord_node_close(node);
    end(client, sessions, o);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_election__fifty_campaigns_on_ten_sessions_lead_once_each),
        TEST(test_election__leaders_that_were_replaced_while_the_link_was_lost_are_told),
        TEST(test_election__every_leader_is_told_across_changes_of_the_cells_leader),
        TEST(test_election__a_name_made_again_is_another_instance),
        TEST(test_election__an_observer_that_fell_behind_is_told_so_and_told_the_last),
        TEST(test_election__who_only_locks_does_not_lead),
    };
    if (argc == 4 && strcmp(argv[1], "--observe") == 0)
        return observe(argv[2], argv[3]);
    if (!cell_start(&cell))
        return EXIT_FAILURE;
    int result = run_suite("election", cases, sizeof cases / sizeof cases[0], argc, argv);
    cell_stop(&cell);
    return result;
}
