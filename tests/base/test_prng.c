/* test_prng.c - the deterministic generator: equal seeds, equal runs. */
#include "libcoord/base/prng.h"

#include <string.h>

#include "tests/support/runner.h"

/* The first outputs of xoshiro256** from the state 1, 2, 3, 4, as its authors'
 * reference code gives them. */
static void test_prng__the_sequence_is_that_of_xoshiro256starstar(void)
{
    static const uint64_t expected[] = {
        UINT64_C(11520),
        UINT64_C(0),
        UINT64_C(1509978240),
        UINT64_C(1215971899390074240),
        UINT64_C(1216172134540287360),
        UINT64_C(607988272756665600),
    };
    struct prng p = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        CU_ASSERT_EQUAL(prng_next(&p), expected[i]);
}

/* The first outputs of splitmix64 from 0, which become the state. */
static void test_prng__a_seed_is_spread_by_splitmix64(void)
{
    struct prng p;
    prng_init(&p, 0);
    CU_ASSERT_EQUAL(p.s[0], UINT64_C(0xe220a8397b1dcdaf));
    CU_ASSERT_EQUAL(p.s[1], UINT64_C(0x6e789e6aa1b965f4));
    CU_ASSERT_EQUAL(p.s[2], UINT64_C(0x06c45d188009454f));
    CU_ASSERT_EQUAL(p.s[3], UINT64_C(0xf88bb8a8724c81ec));
}

static void test_prng__equal_seeds_give_equal_sequences(void)
{
    struct prng a, b, c;
    prng_init(&a, 42);
    prng_init(&b, 42);
    prng_init(&c, 43);
    int differing_count = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t v = prng_next(&a);
        CU_ASSERT_EQUAL(v, prng_next(&b));
        differing_count += v != prng_next(&c);
    }
    CU_ASSERT_TRUE(differing_count > 990);
}

static void test_prng__below_stays_below_and_reaches_everything(void)
{
    struct prng p;
    prng_init(&p, 1);
    int seen_count[7] = {0};
    for (int i = 0; i < 7000; i++) {
        uint64_t v = prng_below(&p, 7);
        CU_ASSERT_FATAL(v < 7);
        seen_count[v]++;
    }
    /* 1000 expected each; 150 is five standard deviations. */
    for (int i = 0; i < 7; i++)
        CU_ASSERT_TRUE(seen_count[i] > 850 && seen_count[i] < 1150);
    CU_ASSERT_EQUAL(prng_below(&p, 1), 0);
    for (int i = 0; i < 100; i++)
        CU_ASSERT_TRUE(prng_below(&p, UINT64_MAX) < UINT64_MAX);
}

static void test_prng__between_includes_both_ends(void)
{
    struct prng p;
    prng_init(&p, 2);
    bool low = false, high = false;
    for (int i = 0; i < 200; i++) {
        uint64_t v = prng_between(&p, 10, 12);
        CU_ASSERT_TRUE(v >= 10 && v <= 12);
        low = low || v == 10;
        high = high || v == 12;
    }
    CU_ASSERT_TRUE(low && high);
    CU_ASSERT_EQUAL(prng_between(&p, 5, 5), 5);
    (void)prng_between(&p, 0, UINT64_MAX);
}

static void test_prng__chance_is_near_what_was_asked(void)
{
    struct prng p;
    prng_init(&p, 3);
    int hit_count = 0;
    for (int i = 0; i < 10000; i++) {
        hit_count += prng_chance(&p, 3, 10);
        CU_ASSERT_FALSE(prng_chance(&p, 0, 10));
        CU_ASSERT_TRUE(prng_chance(&p, 10, 10));
    }
    /* 3000 expected; 230 is five standard deviations. */
    CU_ASSERT_TRUE(hit_count > 2770 && hit_count < 3230);
}

/* The bytes are those of the outputs, lowest first, on every machine. */
static void test_prng__fill_writes_just_what_was_asked(void)
{
    for (size_t length = 0; length <= 17; length++) {
        struct prng p, q;
        prng_init(&p, length);
        prng_init(&q, length);
        uint8_t out[20];
        memset(out, 0xee, sizeof out);
        prng_fill(&p, out, length);
        uint64_t v = 0;
        for (size_t i = 0; i < length; i++) {
            if (i % 8 == 0)
                v = prng_next(&q);
            CU_ASSERT_EQUAL(out[i], (v >> (8 * (i % 8))) & 0xff);
        }
        for (size_t i = length; i < sizeof out; i++)
            CU_ASSERT_EQUAL(out[i], 0xee);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_prng__the_sequence_is_that_of_xoshiro256starstar),
        TEST(test_prng__a_seed_is_spread_by_splitmix64),
        TEST(test_prng__equal_seeds_give_equal_sequences),
        TEST(test_prng__below_stays_below_and_reaches_everything),
        TEST(test_prng__between_includes_both_ends),
        TEST(test_prng__chance_is_near_what_was_asked),
        TEST(test_prng__fill_writes_just_what_was_asked),
    };
    return run_suite("prng", cases, sizeof cases / sizeof cases[0], argc, argv);
}
