/* bytes.c - see bytes.h. */
#include "libcoord/base/bytes.h"

#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"

enum {
    BUFFER_CAPACITY_MIN = 64, /* below this, growing costs more than it saves */
};

struct slice slice_of(const void *data, size_t length)
{
    return (struct slice){.data = data, .length = length};
}

struct slice slice_of_string(const char *s)
{
    return slice_of(s, strlen(s));
}

bool slice_equal(struct slice a, struct slice b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

int slice_compare(struct slice a, struct slice b)
{
    size_t common = a.length < b.length ? a.length : b.length;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0)
        return order;
    return (a.length > b.length) - (a.length < b.length);
}

void buffer_release(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer)BUFFER_INIT;
}

void buffer_clear(struct buffer *b)
{
    b->length = 0;
}

uint8_t *buffer_extend(struct buffer *b, size_t length)
{
    CHECK(length <= SIZE_MAX / 2 - b->length);
    size_t needed = b->length + length;
    if (needed > b->capacity || b->data == NULL) {
        size_t capacity = b->capacity * 2;
        if (capacity < needed)
            capacity = needed;
        if (capacity < BUFFER_CAPACITY_MIN)
            capacity = BUFFER_CAPACITY_MIN;
        b->data = check_realloc(b->data, capacity);
        b->capacity = capacity;
    }
    uint8_t *room = b->data + b->length;
    b->length = needed;
    return room;
}

void buffer_put(struct buffer *b, const void *data, size_t length)
{
    if (length > 0)
        memcpy(buffer_extend(b, length), data, length);
}

void buffer_put_u8(struct buffer *b, uint8_t v)
{
    *buffer_extend(b, 1) = v;
}

void buffer_put_u32(struct buffer *b, uint32_t v)
{
    uint8_t *room = buffer_extend(b, 4);
    for (int i = 0; i < 4; i++)
        room[i] = (uint8_t)(v >> (8 * i));
}

void buffer_put_u64(struct buffer *b, uint64_t v)
{
    uint8_t *room = buffer_extend(b, 8);
    for (int i = 0; i < 8; i++)
        room[i] = (uint8_t)(v >> (8 * i));
}

void buffer_put_slice(struct buffer *b, struct slice s)
{
    CHECK(s.length <= UINT32_MAX);
    buffer_put_u32(b, (uint32_t)s.length);
    buffer_put(b, s.data, s.length);
}

struct slice buffer_slice(const struct buffer *b)
{
    return slice_of(b->data, b->length);
}

struct reader reader_of(struct slice s)
{
    return (struct reader){.at = s.data, .left = s.length, .failed = false};
}

/* The next `length` bytes, or NULL and from then on nothing more. */
static const uint8_t *reader_take(struct reader *r, size_t length)
{
    if (r->failed || length > r->left) {
        r->failed = true;
        r->left = 0;
        return NULL;
    }
    const uint8_t *taken = r->at;
    if (length > 0)
        r->at += length;
    r->left -= length;
    return taken;
}

/* Little-endian, of up to eight bytes. */
static uint64_t reader_integer(struct reader *r, int length)
{
    const uint8_t *taken = reader_take(r, (size_t)length);
    uint64_t v = 0;
    for (int i = 0; taken != NULL && i < length; i++)
        v |= (uint64_t)taken[i] << (8 * i);
    return v;
}

uint8_t reader_u8(struct reader *r)
{
    return (uint8_t)reader_integer(r, 1);
}

uint32_t reader_u32(struct reader *r)
{
    return (uint32_t)reader_integer(r, 4);
}

uint64_t reader_u64(struct reader *r)
{
    return reader_integer(r, 8);
}

struct slice reader_slice(struct reader *r)
{
    return reader_bytes(r, reader_u32(r));
}

struct slice reader_bytes(struct reader *r, size_t length)
{
    const uint8_t *taken = reader_take(r, length);
    return slice_of(taken, taken == NULL ? 0 : length);
}

bool reader_done(const struct reader *r)
{
    return !r->failed && r->left == 0;
}

struct blob *blob_new(size_t length)
{
    CHECK(length <= SIZE_MAX - sizeof(struct blob));
    struct blob *b = check_malloc(sizeof *b + length);
    b->references = 1;
    b->length = length;
    return b;
}

struct blob *blob_copy(struct slice s)
{
    struct blob *b = blob_new(s.length);
    if (s.length > 0)
        memcpy(b->data, s.data, s.length);
    return b;
}

struct blob *blob_ref(struct blob *b)
{
    CHECK(b->references > 0 && b->references < UINT32_MAX);
    b->references++;
    return b;
}

void blob_unref(struct blob *b)
{
    if (b == NULL)
        return;
    CHECK(b->references > 0);
    if (--b->references == 0)
        free(b);
}

struct slice blob_slice(const struct blob *b)
{
    return slice_of(b->data, b->length);
}

void hex_encode(const void *data, size_t length, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * length] = '\0';
}

/* 0 to 15, or -1. Not isxdigit, which asks the locale. */
static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_decode(const char *text, void *out, size_t length)
{
    /* Looked at first: `out` stays untouched on failure. */
    for (size_t i = 0; i < 2 * length; i++) {
        if (hex_digit(text[i]) < 0)
            return false;
    }
    if (text[2 * length] != '\0')
        return false;
    uint8_t *bytes = out;
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(hex_digit(text[2 * i]) * 16 + hex_digit(text[2 * i + 1]));
    return true;
}
