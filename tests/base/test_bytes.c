/* test_bytes.c - slices, buffers, readers, blobs, hexadecimal. */
#include "libcoord/base/bytes.h"

#include <stdlib.h>
#include <string.h>

#include "libcoord/base/prng.h"
#include "tests/support/runner.h"

static void test_bytes__slices_sort_as_memcmp_and_a_prefix_first(void)
{
    static const char *const rising[] = {"", "a", "a/b", "aa", "b", "\xc3\xa4"};
    size_t count = sizeof rising / sizeof rising[0];
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            struct slice a = slice_of_string(rising[i]);
            struct slice b = slice_of_string(rising[j]);
            CU_ASSERT_EQUAL(slice_equal(a, b), i == j);
            int order = slice_compare(a, b);
            CU_ASSERT_EQUAL((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}

static void test_bytes__an_empty_slice_needs_no_memory(void)
{
    CU_ASSERT_TRUE(slice_equal(slice_of(NULL, 0), slice_of_string("")));
    CU_ASSERT_EQUAL(slice_compare(slice_of(NULL, 0), slice_of_string("")), 0);
    CU_ASSERT_TRUE(slice_compare(slice_of(NULL, 0), slice_of_string("x")) < 0);
    struct blob *b = blob_copy(slice_of(NULL, 0));
    CU_ASSERT_EQUAL(blob_slice(b).length, 0);
    blob_unref(b);
}

static void test_bytes__integers_are_little_endian_of_fixed_width(void)
{
    static const uint8_t expected[] = {0x7f, 4, 3, 2, 1, 8, 7, 6,   5,  4,
                                       3,    2, 1, 2, 0, 0, 0, 'h', 'i'};
    struct buffer b = BUFFER_INIT;
    buffer_put_u8(&b, 0x7f);
    buffer_put_u32(&b, 0x01020304);
    buffer_put_u64(&b, UINT64_C(0x0102030405060708));
    buffer_put_slice(&b, slice_of_string("hi"));
    CU_ASSERT_TRUE(slice_equal(buffer_slice(&b), slice_of(expected, sizeof expected)));
    buffer_release(&b);
    CU_ASSERT_PTR_NULL(b.data);
    CU_ASSERT_EQUAL(b.length, 0);
}

static void test_bytes__a_cleared_buffer_keeps_its_memory(void)
{
    struct buffer b = BUFFER_INIT;
    buffer_put(&b, "0123456789", 10);
    size_t capacity = b.capacity;
    buffer_clear(&b);
    CU_ASSERT_EQUAL(b.length, 0);
    CU_ASSERT_EQUAL(b.capacity, capacity);
    buffer_put(&b, NULL, 0);
    CU_ASSERT_EQUAL(b.length, 0);
    CU_ASSERT_PTR_NOT_NULL(buffer_extend(&b, 0));
    buffer_release(&b);
    CU_ASSERT_PTR_NOT_NULL(buffer_extend(&b, 0));
    buffer_release(&b);
}

/* Whatever is put in whatever order is read back, and nothing is left. */
static void test_bytes__what_was_put_is_read_back(void)
{
    enum { KINDS = 4, ITEMS = 200, ROUNDS = 20, LENGTH_MAX = 100 };
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        struct prng p;
        struct buffer b = BUFFER_INIT;
        uint8_t data[LENGTH_MAX];
        prng_init(&p, seed);
        for (int i = 0; i < ITEMS; i++) {
            uint64_t kind = prng_below(&p, KINDS);
            uint64_t v = prng_next(&p);
            size_t length = (size_t)prng_below(&p, LENGTH_MAX + 1);
            prng_fill(&p, data, length);
            if (kind == 0)
                buffer_put_u8(&b, (uint8_t)v);
            else if (kind == 1)
                buffer_put_u32(&b, (uint32_t)v);
            else if (kind == 2)
                buffer_put_u64(&b, v);
            else
                buffer_put_slice(&b, slice_of(data, length));
        }
        prng_init(&p, seed);
        struct reader r = reader_of(buffer_slice(&b));
        for (int i = 0; i < ITEMS; i++) {
            CU_ASSERT_FALSE(reader_done(&r));
            uint64_t kind = prng_below(&p, KINDS);
            uint64_t v = prng_next(&p);
            size_t length = (size_t)prng_below(&p, LENGTH_MAX + 1);
            prng_fill(&p, data, length);
            if (kind == 0)
                CU_ASSERT_EQUAL(reader_u8(&r), (uint8_t)v)
            else if (kind == 1)
                CU_ASSERT_EQUAL(reader_u32(&r), (uint32_t)v)
            else if (kind == 2)
                CU_ASSERT_EQUAL(reader_u64(&r), v)
            else
                CU_ASSERT_TRUE(slice_equal(reader_slice(&r), slice_of(data, length)))
        }
        CU_ASSERT_TRUE(reader_done(&r));
        buffer_release(&b);
    }
}

static void test_bytes__a_read_past_the_end_fails_for_good_and_yields_zeros(void)
{
    static const uint8_t data[] = {1, 2, 3, 4, 5};
    struct reader r = reader_of(slice_of(data, sizeof data));
    CU_ASSERT_EQUAL(reader_u8(&r), 1);
    CU_ASSERT_EQUAL(reader_u64(&r), 0);
    CU_ASSERT_TRUE(r.failed);
    /* Four bytes would have been left. */
    CU_ASSERT_EQUAL(reader_u32(&r), 0);
    CU_ASSERT_EQUAL(reader_u8(&r), 0);
    CU_ASSERT_EQUAL(reader_slice(&r).length, 0);
    CU_ASSERT_EQUAL(reader_bytes(&r, 0).length, 0);
    CU_ASSERT_FALSE(reader_done(&r));
}

/* A length that lies must not be believed, however big. */
static void test_bytes__a_length_beyond_the_end_is_refused(void)
{
    struct buffer b = BUFFER_INIT;
    buffer_put_u32(&b, UINT32_MAX);
    buffer_put(&b, "abc", 3);
    struct reader r = reader_of(buffer_slice(&b));
    struct slice s = reader_slice(&r);
    CU_ASSERT_PTR_NULL(s.data);
    CU_ASSERT_EQUAL(s.length, 0);
    CU_ASSERT_TRUE(r.failed);
    r = reader_of(buffer_slice(&b));
    CU_ASSERT_EQUAL(reader_bytes(&r, SIZE_MAX).length, 0);
    CU_ASSERT_TRUE(r.failed);
    buffer_release(&b);
}

static void test_bytes__left_over_bytes_are_not_done(void)
{
    struct reader r = reader_of(slice_of_string("ab"));
    (void)reader_u8(&r);
    CU_ASSERT_FALSE(reader_done(&r));
    (void)reader_u8(&r);
    CU_ASSERT_TRUE(reader_done(&r));
    r = reader_of(slice_of(NULL, 0));
    CU_ASSERT_TRUE(reader_done(&r));
}

/* The address sanitizer would see a blob freed too early, or never. */
static void test_bytes__a_blob_lives_until_its_last_reference(void)
{
    struct blob *b = blob_copy(slice_of_string("value"));
    CU_ASSERT_EQUAL(b->references, 1);
    CU_ASSERT_PTR_EQUAL(blob_ref(b), b);
    blob_unref(b);
    CU_ASSERT_TRUE(slice_equal(blob_slice(b), slice_of_string("value")));
    blob_unref(b);
    blob_unref(NULL);
    b = blob_new(3);
    memcpy(b->data, "abc", 3);
    CU_ASSERT_EQUAL(b->length, 3);
    blob_unref(b);
}

static void test_bytes__hexadecimal_there_and_back(void)
{
    static const uint8_t data[] = {0x00, 0x1f, 0xa9, 0xff};
    char text[2 * sizeof data + 1];
    uint8_t back[sizeof data];
    hex_encode(data, sizeof data, text);
    CU_ASSERT_STRING_EQUAL(text, "001fa9ff");
    CU_ASSERT_TRUE(hex_decode(text, back, sizeof back));
    CU_ASSERT_EQUAL(memcmp(data, back, sizeof data), 0);
    CU_ASSERT_TRUE(hex_decode("001FA9FF", back, sizeof back));
    CU_ASSERT_EQUAL(memcmp(data, back, sizeof data), 0);
    hex_encode(NULL, 0, text);
    CU_ASSERT_STRING_EQUAL(text, "");
    CU_ASSERT_TRUE(hex_decode("", back, 0));
}

static void test_bytes__what_is_not_hexadecimal_changes_nothing(void)
{
    static const char *const bad[] = {"",     "0",    "001",  "00112", "001g",
                                      "00 1", "0x11", "00:1", "-111"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t out[2] = {9, 9};
        CU_ASSERT_FALSE(hex_decode(bad[i], out, sizeof out));
        CU_ASSERT_TRUE(out[0] == 9 && out[1] == 9);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_bytes__slices_sort_as_memcmp_and_a_prefix_first),
        TEST(test_bytes__an_empty_slice_needs_no_memory),
        TEST(test_bytes__integers_are_little_endian_of_fixed_width),
        TEST(test_bytes__a_cleared_buffer_keeps_its_memory),
        TEST(test_bytes__what_was_put_is_read_back),
        TEST(test_bytes__a_read_past_the_end_fails_for_good_and_yields_zeros),
        TEST(test_bytes__a_length_beyond_the_end_is_refused),
        TEST(test_bytes__left_over_bytes_are_not_done),
        TEST(test_bytes__a_blob_lives_until_its_last_reference),
        TEST(test_bytes__hexadecimal_there_and_back),
        TEST(test_bytes__what_is_not_hexadecimal_changes_nothing),
    };
    return run_suite("bytes", cases, sizeof cases / sizeof cases[0], argc, argv);
}
