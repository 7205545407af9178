/* The account of what the log means. */
#include "tests/sim/bench.h"
#include "tests/support/runner.h"

static struct sim sim;

static const struct model_version *now(const char *path)
{
    uint32_t found = model_find(&sim.model, path);
    return found == UINT32_MAX ? NULL : model_now(&sim.model, found);
}

static void test_model__a_repeated_seq_is_applied_once(void)
{
    bench_begin(&sim);
    bench_open(&sim, 1);
    bench_put(&sim, 1, 1, "/d0", "first");
    uint64_t revision = sim.model.revision;
    bench_put(&sim, 1, 1, "/d0", "first");
    CU_ASSERT_EQUAL(sim.model.revision, revision);
    CU_ASSERT_EQUAL(sim.journal.counts[COUNT_DUPLICATES_IN_LOG], 1);
    bench_end(&sim);
}

static void test_model__release_hands_the_lock_to_the_next_in_one_revision(void)
{
    bench_begin(&sim);
    bench_open(&sim, 1);
    bench_open(&sim, 2);
    bench_put(&sim, 1, 1, "/l0", "");
    bench_acquire(&sim, 1, 2, "/l0");
    bench_acquire(&sim, 2, 1, "/l0");
    CU_ASSERT_TRUE(model_answer(&sim.model, 2, 1)->waiting);
    uint64_t revision = sim.model.revision;
    bench_release(&sim, 1, 3, "/l0", 2);
    CU_ASSERT_EQUAL(sim.model.revision, revision + 1);
    CU_ASSERT_FALSE(model_answer(&sim.model, 2, 1)->waiting);
    CU_ASSERT_EQUAL(model_answer(&sim.model, 2, 1)->generation, revision + 1);
    CU_ASSERT_EQUAL(now("/l0")->holders[0], revision + 1);
    bench_end(&sim);
}

static void test_model__an_expired_session_gives_up_what_it_held(void)
{
    bench_begin(&sim);
    bench_open(&sim, 1);
    bench_put(&sim, 1, 1, "/l0", "");
    bench_acquire(&sim, 1, 2, "/l0");
    CU_ASSERT_EQUAL(now("/l0")->holders_count, 1);
    bench_expire(&sim, 1);
    CU_ASSERT_EQUAL(now("/l0")->holders_count, 0);
    CU_ASSERT_FALSE(model_session(&sim.model, 1)->alive);
    bench_end(&sim);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_model__a_repeated_seq_is_applied_once),
        TEST(test_model__release_hands_the_lock_to_the_next_in_one_revision),
        TEST(test_model__an_expired_session_gives_up_what_it_held),
    };
    return run_suite("sim_model", cases, sizeof cases / sizeof cases[0], argc, argv);
}
