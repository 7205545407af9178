/* A leader whose log stands still is told from one that waits, or does not lead. */
#include "tests/sim/bench.h"
#include "tests/sim/check_stall.h"
#include "tests/support/runner.h"

static struct sim sim;

/* The one server leads, and has written for `ms` milliseconds. */
static struct server *leads(uint32_t ms)
{
    static const struct effect promise = {
        .kind = EFFECT_PERSIST_PROMISE, .sequence = 1, .ballot = 65537};
    struct server *n = &sim.servers[0];
    bench_begin(&sim);
    sim.swarm.lease_ms = 100;
    n->view.serving = true;
    n->disk_spoke_ns = NS_PER_S;
    CU_ASSERT_TRUE(disk_hand_over(&n->disk, &promise, 1));
    CU_ASSERT_EQUAL(disk_begin(&n->disk), 1);
    sim.now_ns = NS_PER_S + ms_to_ns(ms);
    return n;
}

static bool fails(const struct server *n)
{
    check_stall(&sim, n);
    bool failed = sim.journal.verdict == VERDICT_LIVENESS;
    bench_end(&sim);
    return failed;
}

static void test_stall__a_leader_whose_log_stands_still_is_found(void)
{
    CU_ASSERT_FALSE(fails(leads(600)));
    CU_ASSERT_TRUE(fails(leads(610)));
}

static void test_stall__one_that_does_not_lead_or_write_or_run_is_not(void)
{
    struct server *n = leads(1000);
    n->view.serving = false;
    CU_ASSERT_FALSE(fails(n));
    n = leads(1000);
    disk_finish(&n->disk);
    CU_ASSERT_FALSE(fails(n));
    n = leads(1000);
    n->paused = true;
    CU_ASSERT_FALSE(fails(n));
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_stall__a_leader_whose_log_stands_still_is_found),
        TEST(test_stall__one_that_does_not_lead_or_write_or_run_is_not),
    };
    return run_suite("sim_check_stall", cases, sizeof cases / sizeof cases[0], argc, argv);
}
