/* What clients believe, judged on histories that are bad on purpose: each must be
 * found, and the good one beside it must pass. */
#include "libcoord/base/check.h"
#include "tests/sim/bench.h"
#include "tests/sim/check_belief.h"
#include "tests/sim/paths.h"
#include "tests/support/runner.h"

static struct sim sim;

static void hold(uint32_t client, const char *path, uint64_t generation)
{
    struct player *p = &sim.clients[client].player;
    static struct hold holds[3][1];
    holds[client][0] =
        (struct hold){.path = path_index(path), .generation = generation, .exclusive = true};
    p->holds = holds[client];
    p->holds_count = 1;
}

static void end(void)
{
    for (uint32_t i = 0; i < sim.swarm.clients; i++)
        sim.clients[i].player.holds = NULL; /* the test's own */
    bench_end(&sim);
}

static void test_belief__two_believers_are_found(void)
{
    bench_begin(&sim);
    bench_safe_client(&sim, 0, 1);
    bench_safe_client(&sim, 1, 2);
    hold(0, "/l0", 5);
    check_belief(&sim, &sim.clients[0]);
    CU_ASSERT_FALSE(bench_failed(&sim));
    hold(1, "/l0", 6);
    check_belief(&sim, &sim.clients[1]);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

static void test_belief__those_who_share_may_be_many_but_not_beside_an_exclusive(void)
{
    bench_begin(&sim);
    bench_safe_client(&sim, 0, 1);
    bench_safe_client(&sim, 1, 2);
    hold(0, "/l0", 5);
    hold(1, "/l0", 5);
    sim.clients[0].player.holds[0].exclusive = sim.clients[1].player.holds[0].exclusive = false;
    check_belief(&sim, &sim.clients[1]);
    CU_ASSERT_FALSE(bench_failed(&sim));
    sim.clients[0].player.holds[0].exclusive = true;
    check_belief(&sim, &sim.clients[1]);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

static void test_belief__a_delay_cut_short_is_found(void)
{
    bench_begin(&sim);
    check_delay_began(&sim, path_index("/l0"), 1000);
    sim.now_ns += NS_PER_S;
    check_delay_over(&sim, path_index("/l0"));
    CU_ASSERT_FALSE(bench_failed(&sim));
    check_delay_began(&sim, path_index("/l0"), 1000);
    sim.now_ns += NS_PER_S / 2;
    check_delay_over(&sim, path_index("/l0"));
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

static void test_belief__whose_lease_ran_out_believes_no_more(void)
{
    bench_begin(&sim);
    bench_safe_client(&sim, 0, 1);
    sim.now_ns += 11 * NS_PER_S;
    bench_safe_client(&sim, 1, 2);
    hold(0, "/l0", 5);
    hold(1, "/l0", 6);
    check_belief(&sim, &sim.clients[1]);
    CU_ASSERT_FALSE(bench_failed(&sim));
    end();
}

static void test_belief__a_grant_over_a_believer_is_found(void)
{
    bench_begin(&sim);
    bench_open(&sim, 1);
    bench_open(&sim, 2);
    bench_put(&sim, 1, 1, "/l0", "");
    bench_safe_client(&sim, 0, 1);
    hold(0, "/l0", 2); /* of which the log knows nothing */
    bench_acquire(&sim, 2, 1, "/l0");
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

static void test_belief__an_expiry_within_the_lease_is_found(void)
{
    bench_begin(&sim);
    bench_open(&sim, 1);
    bench_safe_client(&sim, 0, 1);
    sim.now_ns += 9 * NS_PER_S;
    bench_expire(&sim, 1);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

static void test_belief__an_expiry_after_the_lease_is_well(void)
{
    bench_begin(&sim);
    bench_open(&sim, 1);
    bench_safe_client(&sim, 0, 1);
    sim.now_ns += 10 * NS_PER_S;
    bench_expire(&sim, 1);
    CU_ASSERT_FALSE(bench_failed(&sim));
    end();
}

static void test_belief__a_belief_in_what_is_expired_is_found(void)
{
    bench_begin(&sim);
    bench_open(&sim, 1);
    bench_expire(&sim, 1);
    bench_safe_client(&sim, 1, 2);
    check_alive(&sim, &sim.clients[1]);
    CU_ASSERT_FALSE(bench_failed(&sim));
    bench_safe_client(&sim, 0, 1);
    check_alive(&sim, &sim.clients[0]);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

static void test_belief__a_grant_that_nobody_made_is_found(void)
{
    struct call call = {.path = path_index("/l0")};
    Coord__V1__Sequencer granted = COORD__V1__SEQUENCER__INIT;
    bench_begin(&sim);
    bench_put(&sim, 0, 0, "/l0", "");
    granted.generation = granted.instance = sim.model.revision;
    check_granted(&sim, &sim.clients[0], &call, &granted);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

/* Taken by force and told so: then it may be granted to others, not before. */
static void revoke(bool told)
{
    bench_begin(&sim);
    bench_open(&sim, 1);
    bench_open(&sim, 2);
    bench_put(&sim, 1, 1, "/l0", "");
    bench_acquire(&sim, 1, 2, "/l0");
    bench_safe_client(&sim, 0, 1);
    hold(0, "/l0", sim.model.revision);
    sim.clients[0].player.holds[0].handle = 7;
    if (told)
        player_revoked(&sim.clients[0], 7);
    bench_release(&sim, 1, 3, "/l0", 2);
    bench_acquire(&sim, 2, 1, "/l0");
}

static void test_belief__who_was_told_of_force_believes_no_more(void)
{
    revoke(true);
    CU_ASSERT_FALSE(bench_failed(&sim));
    end();
}

static void test_belief__a_lock_that_passes_on_before_its_holder_is_told_is_found(void)
{
    revoke(false);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

/* A lock whose node its holder may have deleted is not believed in. */
static void test_belief__a_doubted_lock_may_be_granted_to_others(void)
{
    bench_begin(&sim);
    bench_open(&sim, 1);
    bench_open(&sim, 2);
    bench_put(&sim, 1, 1, "/l0", "");
    bench_safe_client(&sim, 0, 1);
    hold(0, "/l0", 2);
    sim.clients[0].player.holds[0].doubted = true;
    bench_acquire(&sim, 2, 1, "/l0");
    CU_ASSERT_FALSE(bench_failed(&sim));
    end();
}

static void test_belief__nothing_is_judged_of_wild_clocks(void)
{
    bench_begin(&sim);
    sim.swarm.wild_clocks = 1;
    bench_open(&sim, 1);
    bench_safe_client(&sim, 0, 1);
    bench_expire(&sim, 1);
    CU_ASSERT_FALSE(bench_failed(&sim));
    end();
}

/* Calls block in jeopardy: nothing that was asked for is said to be done. */
static void test_belief__an_answer_in_jeopardy_is_found(void)
{
    struct client_effect answer = {.kind = CLIENT_EFFECT_ANSWER, .token = 1, .status = ERR_TIMEOUT};
    bench_begin(&sim);
    struct client *c = &sim.clients[0];
    c->state = CLIENT_SESSION_JEOPARDY;
    c->player.calls = check_calloc(2, sizeof(c->player.calls[0]));
    c->player.calls_count = c->player.calls_capacity = 2;
    c->player.calls[0] = (struct call){.token = 1, .op = OP_DELETE};
    c->player.calls[1] = (struct call){.token = 2, .op = OP_DELETE};
    player_answered(c, &answer);
    CU_ASSERT_FALSE(bench_failed(&sim));
    answer.token = 2;
    answer.status = ERR_OK;
    player_answered(c, &answer);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_belief__two_believers_are_found),
        TEST(test_belief__those_who_share_may_be_many_but_not_beside_an_exclusive),
        TEST(test_belief__a_delay_cut_short_is_found),
        TEST(test_belief__whose_lease_ran_out_believes_no_more),
        TEST(test_belief__a_grant_over_a_believer_is_found),
        TEST(test_belief__an_expiry_within_the_lease_is_found),
        TEST(test_belief__an_expiry_after_the_lease_is_well),
        TEST(test_belief__a_belief_in_what_is_expired_is_found),
        TEST(test_belief__a_grant_that_nobody_made_is_found),
        TEST(test_belief__who_was_told_of_force_believes_no_more),
        TEST(test_belief__a_lock_that_passes_on_before_its_holder_is_told_is_found),
        TEST(test_belief__a_doubted_lock_may_be_granted_to_others),
        TEST(test_belief__nothing_is_judged_of_wild_clocks),
        TEST(test_belief__an_answer_in_jeopardy_is_found),
    };
    return run_suite("sim_check_belief", cases, sizeof cases / sizeof cases[0], argc, argv);
}
