/* test_memory.c - when memory runs out, at whichever of the library's allocations, the
 * process ends at once and says why, as coord.h promises. It does not go on with half of
 * what it needs, crash, or hang.
 *
 * The allocations of the library are counted by functions that the linker puts in place
 * of the C library's; each child makes the same calls, and one more of them succeeds. */
#define _GNU_SOURCE
#include <coord/coord.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/libcoord/cell.h"
#include "tests/support/runner.h"

enum { DEADLINE_MS = 10000, CHILDREN_MAX = 100, CHILD_S = 30, SAID_BYTES = 4096 };

/* ---- allocations ---- */

static atomic_long taken, fails_at = -1;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static bool fails(void)
{
    return atomic_fetch_add(&taken, 1) == atomic_load(&fails_at);
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

/* ---- the child ---- */

static void on_event(void *context, const coord_event *event)
{
    (void)context;
    (void)event;
}

static void on_leader(void *context, const coord_leadership *leadership)
{
    (void)context;
    (void)leadership;
}

static void on_done(void *context, const coord_result *result)
{
    (void)context;
    (void)result;
}

#define MUST(call)                    \
    do {                              \
        if ((call) != COORD_OK) {     \
            (void)printf(#call "\n"); \
            return EXIT_FAILURE;      \
        }                             \
    } while (0)

static int write_and_read(coord_session *s)
{
    void *content = NULL;
    size_t length = 0;
    coord_stat stat;
    coord_listing *listing = NULL;
    coord_txn *txn = NULL;
    coord_txn_result *done = NULL;
    coord_write_options make = COORD_WRITE_OPTIONS_INIT;
    make.flags = COORD_CREATE | COORD_PARENTS;
    MUST(coord_set(s, "/memory/a", "x", 1, &make, DEADLINE_MS, NULL));
    MUST(coord_get(s, "/memory/a", DEADLINE_MS, &content, &length, &stat));
    coord_free(content);
    MUST(coord_list(s, "/memory", NULL, 0, DEADLINE_MS, &listing));
    coord_listing_free(listing);
    MUST(coord_txn_new(s, &txn));
    MUST(coord_txn_check_exists(txn, "/memory/a", 0));
    MUST(coord_txn_set(txn, "/memory/a", "y", 1, NULL));
    MUST(coord_txn_commit(txn, DEADLINE_MS, &done));
    coord_txn_result_free(done);
    coord_txn_free(txn);
    MUST(coord_set_async(s, "/memory/a", "z", 1, NULL, DEADLINE_MS, on_done, NULL));
    return EXIT_SUCCESS;
}

static int lock_and_lead(coord_session *s)
{
    coord_node *node = NULL;
    coord_lock *lock = NULL;
    coord_election *election = NULL;
    coord_lock_listing *locks = NULL;
    coord_observer *observer = NULL;
    coord_watch *watch = NULL;
    char path[64];
    (void)snprintf(path, sizeof path, "/memory/%d", (int)getpid());
    MUST(coord_watch_open(s, path, COORD_WATCH_CONTENT | COORD_WATCH_LOCK, on_event, NULL,
                          DEADLINE_MS, NULL, &watch));
    MUST(coord_observe(s, path, on_leader, NULL, DEADLINE_MS, &observer));
    MUST(coord_campaign(s, path, "me", 2, DEADLINE_MS, &election));
    MUST(coord_resign(election, DEADLINE_MS));
    MUST(coord_open(s, path, 0, DEADLINE_MS, &node));
    MUST(coord_lock_acquire(node, DEADLINE_MS, &lock));
    MUST(coord_locks(s, path, NULL, 0, DEADLINE_MS, &locks));
    coord_lock_listing_free(locks);
    MUST(coord_unlock(lock, DEADLINE_MS));
    coord_node_close(node);
    coord_observe_close(observer);
    coord_watch_close(watch);
    return EXIT_SUCCESS;
}

/* Prints how many allocations there were. */
static int use_all(const char *endpoints, long at)
{
    const struct rlimit no_core = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)alarm(CHILD_S);
    atomic_store(&taken, 0);
    atomic_store(&fails_at, at);
    coord_client *client = NULL;
    coord_session *s = NULL;
    coord_status *status = NULL;
    coord_session_options o = COORD_SESSION_OPTIONS_INIT;
    o.ttl_ms = 2000;
    MUST(coord_client_open(endpoints, NULL, &client));
    MUST(coord_session_open(client, &o, &s));
    if (write_and_read(s) != EXIT_SUCCESS || lock_and_lead(s) != EXIT_SUCCESS)
        return EXIT_FAILURE;
    MUST(coord_status_get(client, DEADLINE_MS, &status));
    coord_status_free(status);
    MUST(coord_session_close(s, DEADLINE_MS));
    coord_client_close(client);
    (void)printf("%ld", atomic_load(&taken));
    return EXIT_SUCCESS;
}

/* ---- the test ---- */

static struct cell cell;

/* What it said, and how it ended. */
static int run_child(long at, char said[SAID_BYTES])
{
    char number[24];
    int fds[2], status = -1;
    (void)snprintf(number, sizeof number, "%ld", at);
    CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
    const char *const arguments[] = {"/proc/self/exe", "--fail-at", cell.endpoints, number, NULL};
    pid_t pid = child_spawn(arguments, fds[1]);
    (void)close(fds[1]);
    size_t length = 0;
    for (ssize_t got; length < SAID_BYTES - 1; length += (size_t)got) {
        got = read(fds[0], said + length, SAID_BYTES - 1 - length);
        if (got <= 0)
            break;
    }
    said[length] = '\0';
    (void)close(fds[0]);
    CU_ASSERT_FATAL(pid > 0 && waitpid(pid, &status, 0) == pid);
    return status;
}

static void test_memory__out_of_memory_ends_the_process_and_says_so(void)
{
    char said[SAID_BYTES];
    int status = run_child(-1, said);
    CU_ASSERT_FATAL(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    long all = strtol(said, NULL, 10), ended = 0;
    CU_ASSERT_FATAL(all > CHILDREN_MAX);
    /* Each of the first ones, in opening; then as many as there is time for. */
    for (long at = 0; at < all; at += at < CHILDREN_MAX / 4 ? 1 : 1 + all / CHILDREN_MAX) {
        status = run_child(at, said);
        bool aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
                       strstr(said, "out of memory") != NULL;
        bool done = WIFEXITED(status) && WEXITSTATUS(status) == 0; /* it needed fewer */
        CU_ASSERT(aborted || (done && at > all / 2));
        if (!aborted && !done)
            printf(" at %ld of %ld: status %x, said \"%s\" ", at, all, (unsigned)status, said);
        ended += aborted;
    }
    CU_ASSERT(ended > CHILDREN_MAX / 2);
    printf(" %ld allocations, %ld children ended ", all, ended);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_memory__out_of_memory_ends_the_process_and_says_so),
    };
    if (argc == 4 && strcmp(argv[1], "--fail-at") == 0)
        return use_all(argv[2], strtol(argv[3], NULL, 10));
    if (!cell_start(&cell))
        return EXIT_FAILURE;
    int result = run_suite("memory", cases, sizeof cases / sizeof cases[0], argc, argv);
    cell_stop(&cell);
    return result;
}
