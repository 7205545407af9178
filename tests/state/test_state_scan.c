/* test_state_scan.c - strings in packed messages. */
#include "coordd/state/scan.h"

#include <stdlib.h>
#include <string.h>

#include "coord/v1/coord.pb-c.h"
#include "libcoord/base/check.h"
#include "libcoord/base/prng.h"
#include "tests/support/runner.h"

/* A session's request with one put of `path` in it, packed. */
static struct buffer pack(const char *path)
{
    Coord__V1__SessionRequest message = COORD__V1__SESSION_REQUEST__INIT;
    Coord__V1__Request request = COORD__V1__REQUEST__INIT, *requests[1] = {&request};
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    Coord__V1__Put put = COORD__V1__PUT__INIT;
    uint8_t content[3] = {0, 0xff, 0};
    put.path = (char *)path;
    put.content = (ProtobufCBinaryData){.data = content, .len = sizeof content};
    write.op_case = COORD__V1__WRITE__OP_PUT;
    write.put = &put;
    request.kind_case = COORD__V1__REQUEST__KIND_WRITE;
    request.write = &write;
    request.seq = 7;
    message.requests = requests;
    message.n_requests = 1;
    struct buffer packed = BUFFER_INIT;
    size_t size = coord__v1__session_request__get_packed_size(&message);
    coord__v1__session_request__pack(&message, buffer_extend(&packed, size));
    return packed;
}

static enum err scan(const struct buffer *packed, const char **field)
{
    return scan_strings(&coord__v1__session_request__descriptor, buffer_slice(packed), field);
}

static void test_scan__bytes_may_be_anything_strings_may_not(void)
{
    const char *field;
    struct buffer good = pack("/a/b");
    CU_ASSERT_EQUAL(scan(&good, &field), ERR_OK);
    /* decoded, the path would end at the NUL */
    uint8_t *b = memchr(good.data, 'b', good.length);
    CHECK(b != NULL);
    *b = 0;
    CU_ASSERT_EQUAL(scan(&good, &field), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(field, "path");
    *b = 0xc0;
    CU_ASSERT_EQUAL(scan(&good, &field), ERR_INVALID);
    buffer_release(&good);
}

static void test_scan__what_is_cut_off_is_no_message(void)
{
    const char *field;
    struct buffer packed = pack("/a/b");
    size_t length = packed.length;
    for (size_t cut = 1; cut < length; cut++) {
        packed.length = cut;
        CU_ASSERT_EQUAL(scan(&packed, &field), ERR_INVALID);
    }
    packed.length = 0;
    CU_ASSERT_EQUAL(scan(&packed, &field), ERR_OK); /* nothing is an empty message */
    buffer_release(&packed);
}

static void test_scan__unknown_fields_are_passed_over(void)
{
    static const uint8_t unknown[] = {
        0xf8, 0x06, 0x96, 0x01,                      /* 111: varint */
        0xfa, 0x06, 0x02, 0xff, 0xff,                /* 111: bytes */
        0xfd, 0x06, 1,    2,    3,    4,             /* 111: fixed32 */
        0xf9, 0x06, 1,    2,    3,    4, 5, 6, 7, 8, /* 111: fixed64 */
    };
    const char *field;
    struct buffer packed = pack("/a");
    buffer_put(&packed, unknown, sizeof unknown);
    CU_ASSERT_EQUAL(scan(&packed, &field), ERR_OK);
    buffer_put_u8(&packed, 0xfb); /* 111: a group */
    buffer_put_u8(&packed, 0x06);
    CU_ASSERT_EQUAL(scan(&packed, &field), ERR_INVALID);
    buffer_release(&packed);
}

static void test_scan__varints_end(void)
{
    const char *field;
    struct buffer packed = BUFFER_INIT;
    buffer_put_u8(&packed, 0x18); /* lowest */
    for (int i = 0; i < 10; i++)
        buffer_put_u8(&packed, 0xff);
    buffer_put_u8(&packed, 0x01);
    CU_ASSERT_EQUAL(scan(&packed, &field), ERR_INVALID);
    buffer_clear(&packed);
    buffer_put_u8(&packed, 0x00); /* field number 0 */
    buffer_put_u8(&packed, 0x00);
    CU_ASSERT_EQUAL(scan(&packed, &field), ERR_INVALID);
    buffer_release(&packed);
}

/* Whatever is scanned as good, the decoder takes; with random damage. */
static void test_scan__never_stumbles_over_garbage(void)
{
    struct prng p;
    int refused = 0, taken = 0;
    prng_init(&p, 42);
    for (int i = 0; i < 20000; i++) {
        const char *field;
        struct buffer packed = pack("/some/path");
        for (uint64_t n = prng_below(&p, 4); n > 0; n--)
            packed.data[prng_below(&p, packed.length)] = (uint8_t)prng_next(&p);
        enum err e = scan(&packed, &field);
        CU_ASSERT_TRUE(e == ERR_OK || e == ERR_INVALID);
        taken += e == ERR_OK;
        refused += e != ERR_OK;
        buffer_release(&packed);
    }
    CU_ASSERT_TRUE(taken > 1000 && refused > 1000);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_scan__bytes_may_be_anything_strings_may_not),
        TEST(test_scan__what_is_cut_off_is_no_message),
        TEST(test_scan__unknown_fields_are_passed_over),
        TEST(test_scan__varints_end),
        TEST(test_scan__never_stumbles_over_garbage),
    };
    return run_suite("state scan", cases, sizeof cases / sizeof cases[0], argc, argv);
}
