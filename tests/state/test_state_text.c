/* test_state_text.c - UTF-8, looked at from every side. */
#include "coordd/state/text.h"

#include "tests/support/runner.h"

static void put_utf8(struct buffer *b, uint32_t code)
{
    if (code < 0x80) {
        buffer_put_u8(b, (uint8_t)code);
    } else if (code < 0x800) {
        buffer_put_u8(b, (uint8_t)(0xc0 | code >> 6));
        buffer_put_u8(b, (uint8_t)(0x80 | (code & 0x3f)));
    } else if (code < 0x10000) {
        buffer_put_u8(b, (uint8_t)(0xe0 | code >> 12));
        buffer_put_u8(b, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
        buffer_put_u8(b, (uint8_t)(0x80 | (code & 0x3f)));
    } else {
        buffer_put_u8(b, (uint8_t)(0xf0 | code >> 18));
        buffer_put_u8(b, (uint8_t)(0x80 | (code >> 12 & 0x3f)));
        buffer_put_u8(b, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
        buffer_put_u8(b, (uint8_t)(0x80 | (code & 0x3f)));
    }
}

static void test_text__every_code_point_is_judged_by_the_standard(void)
{
    struct buffer b = BUFFER_INIT;
    uint32_t wrong = 0;
    for (uint32_t code = 0; code < 0x120000; code++) {
        buffer_clear(&b);
        put_utf8(&b, code);
        bool scalar = code < 0xd800 || (code > 0xdfff && code <= 0x10ffff);
        bool control = code < 0x20 || (code >= 0x7f && code <= 0x9f);
        enum text_flaw expected = !scalar ? TEXT_NOT_UTF8 : control ? TEXT_CONTROL : TEXT_GOOD;
        wrong += text_flaw(buffer_slice(&b)) != expected;
        wrong += text_is_utf8(buffer_slice(&b)) != (scalar && code != 0);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    buffer_release(&b);
}

/* Of all pairs of bytes exactly those of the standard's table are text. */
static void test_text__every_pair_of_bytes_is_judged_by_the_standard(void)
{
    uint32_t wrong = 0;
    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            uint8_t pair[2] = {(uint8_t)a, (uint8_t)b};
            bool ascii = a > 0 && a < 0x80 && b > 0 && b < 0x80;
            bool two = a >= 0xc2 && a <= 0xdf && b >= 0x80 && b <= 0xbf;
            wrong += text_is_utf8(slice_of(pair, 2)) != (ascii || two);
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void test_text__the_empty_text_is_text(void)
{
    CU_ASSERT_TRUE(text_is_utf8(slice_of(NULL, 0)));
    CU_ASSERT_EQUAL(text_flaw(slice_of(NULL, 0)), TEXT_GOOD);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_text__every_code_point_is_judged_by_the_standard),
        TEST(test_text__every_pair_of_bytes_is_judged_by_the_standard),
        TEST(test_text__the_empty_text_is_text),
    };
    return run_suite("state text", cases, sizeof cases / sizeof cases[0], argc, argv);
}
