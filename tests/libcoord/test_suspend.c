/* test_suspend.c - a machine that sleeps for longer than a lease, against five real
 * servers. Which clock counts suspend is all that matters here, so this program's own
 * clock_gettime stands in for the kernel: CLOCK_BOOTTIME jumps, the others do not. */
#define _GNU_SOURCE
#include <coord/coord.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/libcoord/clients.h"
#include "tests/support/runner.h"

enum { DEADLINE_MS = 10000, TTL_MS = 4000 };

static struct cell cell;
static atomic_int slept_s;

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    int result = (int)syscall(SYS_clock_gettime, clock, ret);
    if (result == 0 && clock == CLOCK_BOOTTIME)
        ret->tv_sec += atomic_load(&slept_s);
    return result;
}

/* No KeepAlive was missed, and for any other clock no time has passed. */
static void test_case_21__the_time_of_a_suspended_machine_counts(void)
{
    coord_client *client = open_client(&cell);
    coord_session_options o = COORD_SESSION_OPTIONS_INIT;
    coord_session *s = NULL;
    coord_node *node = NULL;
    coord_lock *lock = NULL;
    o.ttl_ms = TTL_MS;
    CU_ASSERT_EQUAL_FATAL(coord_session_open(client, &o, &s), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_open(s, "/suspend", COORD_CREATE, DEADLINE_MS, &node), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(node, DEADLINE_MS, &lock), COORD_OK);
    CU_ASSERT(coord_lock_safe_ms(lock) > 0);
    atomic_fetch_add(&slept_s, TTL_MS / 1000);
    CU_ASSERT_EQUAL(coord_lock_safe_ms(lock), 0);
    CU_ASSERT_EQUAL(coord_session_safe_ms(s), 0);
    /* The cell has not slept: it is asked, and says that the session lives. */
    CU_ASSERT_EQUAL(coord_check_sequencer(s, coord_lock_sequencer(lock), DEADLINE_MS), COORD_OK);
    CU_ASSERT(coord_lock_safe_ms(lock) > 0);
    CU_ASSERT_EQUAL(coord_unlock(lock, DEADLINE_MS), COORD_OK);
    coord_node_close(node);
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_case_21__the_time_of_a_suspended_machine_counts),
    };
    if (!cell_start(&cell))
        return EXIT_FAILURE;
    int result = run_suite("suspend", cases, sizeof cases / sizeof cases[0], argc, argv);
    cell_stop(&cell);
    return result;
}
