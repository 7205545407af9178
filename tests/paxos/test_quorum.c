/* test_quorum.c - how many are enough. */
#include "coordd/paxos/quorum.h"
#include "tests/support/runner.h"

#include <CUnit/CUnit.h>

static void test_quorum__majorities_are_the_default(void)
{
    struct quorums q;

    CU_ASSERT_TRUE_FATAL(quorums_init(&q, 5, 0, 0));
    CU_ASSERT_FALSE(quorum_prepared(&q, 0x03));
    CU_ASSERT_TRUE(quorum_prepared(&q, 0x13));
    CU_ASSERT_FALSE(quorum_accepted(&q, 0x18));
    CU_ASSERT_TRUE(quorum_accepted(&q, 0x1c));
}

static void test_quorum__quorums_that_would_not_meet_are_refused(void)
{
    struct quorums q;

    CU_ASSERT_FALSE(quorums_init(&q, 5, 2, 3));
    CU_ASSERT_FALSE(quorums_init(&q, 4, 2, 2));
    CU_ASSERT_FALSE(quorums_init(&q, 3, 4, 1));
    CU_ASSERT_FALSE(quorums_init(&q, 0, 0, 0));
    CU_ASSERT_TRUE(quorums_init(&q, 5, 4, 2));
    CU_ASSERT_TRUE(quorums_init(&q, 1, 0, 0));
}

static void test_quorum__what_a_quorum_reached_is_the_third_of_five(void)
{
    struct quorums q;
    const uint64_t each[] = {7, 3, 9, 0, 5};
    const int64_t since[] = {-7, 3, 9, INT64_MIN / 2, INT64_MAX};

    CU_ASSERT_TRUE_FATAL(quorums_init(&q, 5, 0, 0));
    CU_ASSERT_EQUAL(quorum_accepted_through(&q, each), 5);
    CU_ASSERT_EQUAL(quorum_accepted_since(&q, since), 3);
}

static void test_quorum__unequal_quorums_count_by_their_own_size(void)
{
    struct quorums q;
    const uint64_t each[] = {7, 3, 9, 0, 5};

    CU_ASSERT_TRUE_FATAL(quorums_init(&q, 5, 4, 2));
    CU_ASSERT_EQUAL(quorum_accepted_through(&q, each), 7);
    CU_ASSERT_FALSE(quorum_prepared(&q, 0x07));
}

static const struct test_case cases[] = {
    TEST(test_quorum__majorities_are_the_default),
    TEST(test_quorum__quorums_that_would_not_meet_are_refused),
    TEST(test_quorum__what_a_quorum_reached_is_the_third_of_five),
    TEST(test_quorum__unequal_quorums_count_by_their_own_size),
};

int main(int argc, char **argv)
{
    return run_suite("quorum", cases, sizeof cases / sizeof *cases, argc, argv);
}
