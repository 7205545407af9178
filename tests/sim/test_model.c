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

static void test_model__history_is_kept_up_to_its_bytes(void)
{
    enum { REVISION_BYTES = 9 + 5 + 3 }; /* one event of "/d0" */
    bench_begin(&sim);
    sim.model.history_bytes_max = 2 * REVISION_BYTES;
    bench_put(&sim, 0, 0, "/d0", "1");
    bench_put(&sim, 0, 0, "/d0", "2");
    CU_ASSERT_EQUAL(sim.model.history_floor, 1);
    bench_put(&sim, 0, 0, "/d0", "3");
    CU_ASSERT_EQUAL(sim.model.history_floor, 2);
    bench_end(&sim);
}

/* Deletes /l0, which session 1 has locked, and asks of /d0 that it exist. */
static void delete_locked(bool exists)
{
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    Coord__V1__Transaction t = COORD__V1__TRANSACTION__INIT;
    Coord__V1__Change first = COORD__V1__CHANGE__INIT, second = COORD__V1__CHANGE__INIT;
    Coord__V1__Change *changes[2] = {&first, &second};
    Coord__V1__Delete delete = COORD__V1__DELETE__INIT;
    Coord__V1__Put put = COORD__V1__PUT__INIT;
    char locked[] = "/l0", other[] = "/d0";
    bench_begin(&sim);
    bench_open(&sim, 1);
    bench_put(&sim, 1, 1, "/l0", "");
    if (exists)
        bench_put(&sim, 1, 2, "/d0", "");
    bench_acquire(&sim, 1, 3, "/l0");
    delete.path = locked;
    delete.handle = BENCH_HANDLE_OFFSET + 3;
    put.path = other;
    first.op_case = COORD__V1__CHANGE__OP_DELETE;
    first.delete_ = &delete;
    second.op_case = COORD__V1__CHANGE__OP_PUT;
    second.put = &put;
    t.n_changes = 2;
    t.changes = changes;
    c.session = 1;
    c.seq = 4;
    c.op_case = COORD__V1__COMMAND__OP_TRANSACTION;
    c.transaction = &t;
    bench_choose(&sim, &c);
}

static void test_model__a_transaction_deletes_what_its_session_has_locked(void)
{
    delete_locked(true);
    CU_ASSERT_FALSE(now("/l0")->alive);
    CU_ASSERT_EQUAL(model_answer(&sim.model, 1, 4)->status, ERR_OK);
    bench_end(&sim);
}

static void test_model__a_refused_transaction_leaves_the_lock_as_it_was(void)
{
    delete_locked(false);
    CU_ASSERT_EQUAL(model_answer(&sim.model, 1, 4)->status, ERR_NO_NODE);
    CU_ASSERT_TRUE(now("/l0")->alive);
    bench_open(&sim, 2);
    bench_acquire(&sim, 2, 1, "/l0");
    CU_ASSERT_TRUE(model_answer(&sim.model, 2, 1)->waiting);
    bench_end(&sim);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_model__a_repeated_seq_is_applied_once),
        TEST(test_model__release_hands_the_lock_to_the_next_in_one_revision),
        TEST(test_model__an_expired_session_gives_up_what_it_held),
        TEST(test_model__history_is_kept_up_to_its_bytes),
        TEST(test_model__a_transaction_deletes_what_its_session_has_locked),
        TEST(test_model__a_refused_transaction_leaves_the_lock_as_it_was),
    };
    return run_suite("sim_model", cases, sizeof cases / sizeof cases[0], argc, argv);
}
