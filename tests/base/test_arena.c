/* test_arena.c - memory that is given back all at once. */
#include "libcoord/base/arena.h"

#include <stdint.h>
#include <string.h>

#include "tests/support/runner.h"

static void test_arena__what_is_taken_is_apart_and_aligned(void)
{
    struct arena a;
    arena_init(&a, SIZE_MAX);
    for (int round = 0; round < 3; round++) {
        uint8_t *taken[500];
        for (size_t i = 0; i < 500; i++) {
            taken[i] = arena_take(&a, i);
            CU_ASSERT_EQUAL((uintptr_t)taken[i] % 16, 0);
            memset(taken[i], (int)(i & 0xff), i);
        }
        size_t wrong = 0;
        for (size_t i = 0; i < 500; i++) {
            for (size_t at = 0; at < i; at++)
                wrong += taken[i][at] != (i & 0xff);
        }
        CU_ASSERT_EQUAL(wrong, 0);
        arena_reset(&a);
    }
    arena_release(&a);
}

static void test_arena__gives_nothing_beyond_its_bound(void)
{
    struct arena a;
    arena_init(&a, 1000);
    CU_ASSERT_PTR_NOT_NULL(arena_try(&a, 900));
    CU_ASSERT_PTR_NULL(arena_try(&a, 200));
    CU_ASSERT_PTR_NULL(arena_try(&a, SIZE_MAX));
    CU_ASSERT_PTR_NOT_NULL(arena_try(&a, 50));
    arena_reset(&a);
    CU_ASSERT_PTR_NOT_NULL(arena_try(&a, 900));
    ProtobufCAllocator allocator = arena_allocator(&a);
    CU_ASSERT_PTR_NULL(allocator.alloc(allocator.allocator_data, 900));
    arena_release(&a);
}

static void test_arena__large_pieces_go_back_to_the_system(void)
{
    struct arena a;
    arena_init(&a, SIZE_MAX);
    uint8_t *large = arena_take(&a, 64u << 20);
    large[0] = large[(64u << 20) - 1] = 1;
    arena_reset(&a);
    CU_ASSERT_PTR_NULL(a.chunks);
    arena_release(&a);
}

static void test_arena__a_small_one_keeps_little(void)
{
    struct arena a;
    arena_init_small(&a, SIZE_MAX, 64 * 1024);
    for (int i = 0; i < 3; i++)
        (void)arena_take(&a, 10000);
    arena_reset(&a);
    struct arena_chunk *kept = a.chunks;
    CU_ASSERT_PTR_NOT_NULL(kept);
    (void)arena_take(&a, 40000); /* as much as was kept has room */
    CU_ASSERT_PTR_EQUAL(a.chunks, kept);
    (void)arena_take(&a, 40000);
    arena_reset(&a);
    CU_ASSERT_PTR_NULL(a.chunks);
    arena_release(&a);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_arena__what_is_taken_is_apart_and_aligned),
        TEST(test_arena__gives_nothing_beyond_its_bound),
        TEST(test_arena__large_pieces_go_back_to_the_system),
        TEST(test_arena__a_small_one_keeps_little),
    };
    return run_suite("arena", cases, sizeof cases / sizeof cases[0], argc, argv);
}
