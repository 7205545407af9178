/* test_hash.c - the checksum that is stored and compared between replicas. */
#include "libcoord/base/hash.h"

#include <string.h>

#include "tests/support/runner.h"

/* What was stored with one version of the library must be readable with the
 * next. */
static void test_hash__the_values_are_those_of_xxh3(void)
{
    uint8_t longer[300];
    for (size_t i = 0; i < sizeof longer; i++)
        longer[i] = (uint8_t)i;
    CU_ASSERT_EQUAL(hash_bytes(0, slice_of(NULL, 0)), UINT64_C(0x2d06800538d394c2));
    CU_ASSERT_EQUAL(hash_bytes(0, slice_of_string("a")), UINT64_C(0xe6c632b61e964e1f));
    CU_ASSERT_EQUAL(hash_bytes(0, slice_of_string("coord")), UINT64_C(0x5302ba69a6cf60a1));
    CU_ASSERT_EQUAL(hash_bytes(7, slice_of(longer, sizeof longer)), UINT64_C(0xb863d8c6eef5bca4));
}

static void test_hash__the_seed_and_every_bit_matter(void)
{
    uint8_t data[300];
    memset(data, 7, sizeof data);
    uint64_t before = hash_bytes(1, slice_of(data, sizeof data));
    CU_ASSERT_NOT_EQUAL(before, hash_bytes(2, slice_of(data, sizeof data)));
    for (size_t i = 0; i < 8 * sizeof data; i++) {
        data[i / 8] = (uint8_t)(data[i / 8] ^ (1u << (i % 8)));
        CU_ASSERT_NOT_EQUAL(before, hash_bytes(1, slice_of(data, sizeof data)));
        data[i / 8] = (uint8_t)(data[i / 8] ^ (1u << (i % 8)));
    }
    CU_ASSERT_EQUAL(before, hash_bytes(1, slice_of(data, sizeof data)));
}

static void test_hash__the_place_in_memory_does_not_matter(void)
{
    uint8_t room[64 + 8];
    uint64_t first = 0;
    for (size_t shift = 0; shift < 8; shift++) {
        for (size_t i = 0; i < 64; i++)
            room[shift + i] = (uint8_t)i;
        uint64_t h = hash_bytes(0, slice_of(room + shift, 64));
        if (shift == 0)
            first = h;
        CU_ASSERT_EQUAL(h, first);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_hash__the_values_are_those_of_xxh3),
        TEST(test_hash__the_seed_and_every_bit_matter),
        TEST(test_hash__the_place_in_memory_does_not_matter),
    };
    return run_suite("hash", cases, sizeof cases / sizeof cases[0], argc, argv);
}
