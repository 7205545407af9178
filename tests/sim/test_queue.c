/* The order in which things happen. */
#include "tests/sim/clock.h"
#include "tests/sim/queue.h"
#include "tests/support/runner.h"

#include "libcoord/base/prng.h"
#include "libcoord/base/units.h"

static void nothing(void *object, const struct queue_item *item)
{
    (void)object;
    (void)item;
}

static void add(struct queue *q, int64_t at_ns, uint64_t name)
{
    queue_add(q, (struct queue_item){.at_ns = at_ns, .run = nothing, .a = name});
}

static void test_queue__the_earliest_comes_first(void)
{
    struct queue q;
    struct queue_item item;
    queue_init(&q);
    add(&q, 30, 3);
    add(&q, 10, 1);
    add(&q, 20, 2);
    for (uint64_t name = 1; name <= 3; name++) {
        CU_ASSERT_TRUE_FATAL(queue_take(&q, &item));
        CU_ASSERT_EQUAL(item.a, name);
    }
    CU_ASSERT_FALSE(queue_take(&q, &item));
    queue_release(&q);
}

static void test_queue__equal_times_keep_the_order_of_asking(void)
{
    struct queue q;
    struct queue_item item;
    queue_init(&q);
    for (uint64_t name = 0; name < 100; name++)
        add(&q, 5, name);
    for (uint64_t name = 0; name < 100; name++) {
        CU_ASSERT_TRUE_FATAL(queue_take(&q, &item));
        CU_ASSERT_EQUAL(item.a, name);
    }
    queue_release(&q);
}

static void test_queue__a_thousand_random_times_come_in_order(void)
{
    struct queue q;
    struct queue_item item;
    struct prng random;
    int64_t last = 0;
    queue_init(&q);
    prng_init(&random, 1);
    for (uint64_t i = 0; i < 1000; i++) {
        add(&q, last + (int64_t)prng_below(&random, 50), i);
        if (i % 3 != 0)
            continue;
        CU_ASSERT_TRUE_FATAL(queue_take(&q, &item));
        CU_ASSERT_TRUE(item.at_ns >= last);
        last = item.at_ns;
    }
    while (queue_take(&q, &item)) {
        CU_ASSERT_TRUE(item.at_ns >= last);
        last = item.at_ns;
    }
    queue_release(&q);
}

static void test_queue__what_was_not_run_is_dropped(void)
{
    struct queue q;
    struct blob *bytes = blob_new(8);
    queue_init(&q);
    queue_add(&q, (struct queue_item){.run = nothing, .bytes = blob_ref(bytes)});
    queue_release(&q);
    CU_ASSERT_EQUAL(bytes->references, 1);
    blob_unref(bytes);
}

static void test_clock__a_fast_clock_gains_what_its_rate_says(void)
{
    struct clock c;
    clock_init(&c, 7 * NS_PER_S, 2500, 0);
    CU_ASSERT_EQUAL(clock_local(&c, 0), 7 * NS_PER_S);
    CU_ASSERT_EQUAL(clock_local(&c, 10 * NS_PER_S), 17 * NS_PER_S + 25 * NS_PER_MS);
}

static void test_clock__a_new_rate_makes_no_jump(void)
{
    struct clock c;
    clock_init(&c, 0, -2500, 0);
    int64_t before = clock_local(&c, 5 * NS_PER_S);
    clock_turn(&c, 5 * NS_PER_S, 2500);
    CU_ASSERT_EQUAL(clock_local(&c, 5 * NS_PER_S), before);
    CU_ASSERT_TRUE(clock_local(&c, 6 * NS_PER_S) > before + NS_PER_S);
}

/* A timer must not ring before the clock shows its time, nor a tick later. */
static void test_clock__true_time_is_the_first_that_shows_the_local_one(void)
{
    struct prng random;
    prng_init(&random, 2);
    for (int i = 0; i < 1000; i++) {
        struct clock c;
        clock_init(&c, (int64_t)prng_below(&random, UINT64_C(1000000000000)),
                   (int64_t)prng_below(&random, 5001) - 2500, 0);
        int64_t local = c.base_local_ns + (int64_t)prng_below(&random, UINT64_C(60000000000));
        int64_t at = clock_true(&c, local);
        CU_ASSERT_TRUE(clock_local(&c, at) >= local);
        CU_ASSERT_TRUE(clock_local(&c, at - 1) < local);
    }
}

static void test_clock__never_is_never(void)
{
    struct clock c;
    clock_init(&c, 5, 100, 0);
    CU_ASSERT_EQUAL(clock_true(&c, NEVER_NS), NEVER_NS);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_queue__the_earliest_comes_first),
        TEST(test_queue__equal_times_keep_the_order_of_asking),
        TEST(test_queue__a_thousand_random_times_come_in_order),
        TEST(test_queue__what_was_not_run_is_dropped),
        TEST(test_clock__a_fast_clock_gains_what_its_rate_says),
        TEST(test_clock__a_new_rate_makes_no_jump),
        TEST(test_clock__true_time_is_the_first_that_shows_the_local_one),
        TEST(test_clock__never_is_never),
    };
    return run_suite("sim_queue", cases, sizeof cases / sizeof cases[0], argc, argv);
}
