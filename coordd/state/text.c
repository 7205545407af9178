/* text.c - see text.h. */
#include "coordd/state/text.h"

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* Length of the sequence that `lead` opens, and the least code point that needs
 * so many bytes; 0 if nothing begins with it. */
static size_t sequence_length(uint8_t lead, uint32_t *bits, uint32_t *least)
{
    if ((lead & 0xe0) == 0xc0) {
        *bits = lead & 0x1fu;
        *least = 0x80;
        return 2;
    }
    if ((lead & 0xf0) == 0xe0) {
        *bits = lead & 0x0fu;
        *least = 0x800;
        return 3;
    }
    if ((lead & 0xf8) == 0xf0) {
        *bits = lead & 0x07u;
        *least = 0x10000;
        return 4;
    }
    return 0;
}

/* The length of the character at `at`, or 0 if it is no UTF-8. */
static size_t decode(const uint8_t *at, size_t left, uint32_t *ret_code)
{
    if (at[0] < 0x80) {
        *ret_code = at[0];
        return 1;
    }
    uint32_t code, least;
    size_t length = sequence_length(at[0], &code, &least);
    if (length == 0 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if (!is_continuation(at[i]))
            return 0;
        code = code << 6 | (at[i] & 0x3fu);
    }
    if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *ret_code = code;
    return length;
}

enum text_flaw text_flaw(struct slice text)
{
    for (size_t i = 0; i < text.length;) {
        uint32_t code;
        size_t length = decode(text.data + i, text.length - i, &code);
        if (length == 0)
            return TEXT_NOT_UTF8;
        if (code < 0x20 || (code >= 0x7f && code <= 0x9f))
            return TEXT_CONTROL;
        i += length;
    }
    return TEXT_GOOD;
}

bool text_is_utf8(struct slice text)
{
    for (size_t i = 0; i < text.length;) {
        uint32_t code;
        size_t length = decode(text.data + i, text.length - i, &code);
        if (length == 0 || code == 0)
            return false;
        i += length;
    }
    return true;
}
