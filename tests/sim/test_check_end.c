/* The end of a run, judged on ends that are bad on purpose. */
#include "tests/sim/bench.h"
#include "tests/sim/check_end.h"
#include "tests/support/runner.h"

#include <string.h>

static struct sim sim;

/* Each client has a session, has made its last write, and knows of no lock. */
static void all_are_done(void)
{
    bench_begin(&sim);
    sim.servers[0].is_sick = true; /* it is played: there is no state to look at */
    for (uint32_t i = 0; i < sim.swarm.clients; i++) {
        bench_open(&sim, (uint8_t)(i + 1));
        bench_safe_client(&sim, i, i + 1);
        sim.clients[i].player.final_done = true;
    }
    bench_put(&sim, 1, 1, "/l0", "");
}

static void test_end__is_reached_when_all_are_done(void)
{
    char why[160];
    all_are_done();
    CU_ASSERT_TRUE(check_end_reached(&sim, why, sizeof why));
    bench_end(&sim);
}

static void test_end__is_not_reached_while_a_lock_is_held_that_its_client_does_not_know(void)
{
    char why[160] = "";
    all_are_done();
    bench_acquire(&sim, 1, 2, "/l0");
    CU_ASSERT_FALSE(check_end_reached(&sim, why, sizeof why));
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "/l0"));
    bench_end(&sim);
}

static void test_end__is_not_reached_before_dead_sessions_have_expired(void)
{
    char why[160] = "";
    all_are_done();
    bench_open(&sim, 9); /* of a client that crashed */
    CU_ASSERT_FALSE(check_end_reached(&sim, why, sizeof why));
    bench_end(&sim);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_end__is_reached_when_all_are_done),
        TEST(test_end__is_not_reached_while_a_lock_is_held_that_its_client_does_not_know),
        TEST(test_end__is_not_reached_before_dead_sessions_have_expired),
    };
    return run_suite("sim_check_end", cases, sizeof cases / sizeof cases[0], argc, argv);
}
