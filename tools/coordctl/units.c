/* units.c - see units.h. */
#define _GNU_SOURCE
#include "tools/coordctl/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tools/coordctl/memory.h"

enum { PORT_MAX = 65535 };

/* The number at the start of the text, and where it ends; NULL if there is none. */
static const char *parse_digits(const char *text, uint64_t *ret)
{
    const char *at = text;
    uint64_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return NULL;
        value = value * 10 + digit;
    }
    if (at == text)
        return NULL;
    *ret = value;
    return at;
}

bool units_parse_u64(const char *text, uint64_t *ret)
{
    uint64_t value;
    const char *end = parse_digits(text, &value);
    if (end == NULL || *end != '\0')
        return false;
    *ret = value;
    return true;
}

bool units_parse_duration_ms(const char *text, int64_t *ret_ms)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}};

    uint64_t value;
    const char *unit = parse_digits(text, &value);
    if (unit == NULL || value > UNITS_DURATION_MS_MAX)
        return false;
    if (*unit == '\0' && value == 0) {
        *ret_ms = 0;
        return true;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(unit, units[i].name) != 0)
            continue;
        if (value * units[i].ms > UNITS_DURATION_MS_MAX)
            return false;
        *ret_ms = (int64_t)(value * units[i].ms);
        return true;
    }
    return false;
}

/* One endpoint of the list. */
static const char *check_endpoint(const char *text, size_t length)
{
    if (length == 0)
        return "an endpoint is empty";
    if (length > 5 && memcmp(text, "unix:", 5) == 0)
        return text[5] == '/' ? NULL : "the path of a unix: endpoint is not absolute";
    const char *colon = memrchr(text, ':', length);
    if (colon == NULL)
        return "an endpoint has no port";
    size_t host_length = (size_t)(colon - text);
    if (host_length == 0)
        return "an endpoint has no host";
    bool bracketed = text[0] == '[' && colon[-1] == ']' && host_length > 2;
    if (!bracketed && memchr(text, ':', host_length) != NULL)
        return "an IPv6 address stands in brackets, [::1]:7400";
    if (!bracketed && strcspn(text, " []") < host_length)
        return "an endpoint is host:port, [address]:port or unix:/path";

    uint64_t port = 0;
    const char *end = parse_digits(colon + 1, &port);
    if (end != text + length || port == 0 || port > PORT_MAX)
        return "a port is a number from 1 to 65535";
    return NULL;
}

const char *units_check_endpoints(const char *text)
{
    for (const char *at = text;; at++) {
        const char *end = strchrnul(at, ',');
        const char *wrong = check_endpoint(at, (size_t)(end - at));
        if (wrong != NULL || *end == '\0')
            return wrong;
        at = end;
    }
}

void units_format_time(uint64_t unix_ms, char text[UNITS_TIME_BYTES])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm broken_down;
    char date[UNITS_TIME_BYTES];
    if (unix_ms == 0 || gmtime_r(&seconds, &broken_down) == NULL ||
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &broken_down) == 0) {
        snprintf(text, UNITS_TIME_BYTES, "-");
        return;
    }
    snprintf(text, UNITS_TIME_BYTES, "%.20s.%03uZ", date, (unsigned)(unix_ms % 1000));
}

/* The length of the UTF-8 sequence at the start of `data`; 0 if it is none. */
static size_t utf8_sequence(const uint8_t *data, size_t length)
{
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = data[0];
    if (first < 0x80)
        return first != 0;
    size_t count = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || count > length)
        return 0;
    uint32_t code = first & (0x7fu >> count);
    for (size_t i = 1; i < count; i++) {
        if ((data[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (data[i] & 0x3fu);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < lowest[count] || code > 0x10ffff || surrogate ? 0 : count;
}

bool units_is_text(const void *data, size_t length)
{
    const uint8_t *at = data;
    while (length > 0) {
        size_t count = utf8_sequence(at, length);
        if (count == 0)
            return false;
        at += count;
        length -= count;
    }
    return true;
}

size_t units_columns(const char *text)
{
    size_t columns = 0;
    for (; *text != '\0'; text++)
        columns += ((uint8_t)*text & 0xc0) != 0x80;
    return columns;
}

char *units_base64(const void *data, size_t length)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *in = data;
    char *text = memory_resize(NULL, (length + 2) / 3 * 4 + 1, 1);
    char *out = text;
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t group = (uint32_t)in[i] << 16;
        group |= left > 1 ? (uint32_t)in[i + 1] << 8 : 0;
        group |= left > 2 ? in[i + 2] : 0;
        *out++ = alphabet[group >> 18 & 63];
        *out++ = alphabet[group >> 12 & 63];
        *out++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
        *out++ = left > 2 ? alphabet[group & 63] : '=';
    }
    *out = '\0';
    return text;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

enum { WORD_BYTES_MAX = 32 };

size_t units_distance(const char *a, const char *b)
{
    /* of[i][j]: between the first i letters of a and the first j of b */
    size_t of[WORD_BYTES_MAX + 1][WORD_BYTES_MAX + 1], a_length = strlen(a), b_length = strlen(b);
    if (a_length > WORD_BYTES_MAX || b_length > WORD_BYTES_MAX)
        return SIZE_MAX;
    for (size_t i = 0; i <= a_length; i++) {
        for (size_t j = 0; j <= b_length; j++) {
            of[i][j] = i + j;
            if (i == 0 || j == 0)
                continue;
            bool same = a[i - 1] == b[j - 1];
            of[i][j] = smaller(smaller(of[i - 1][j], of[i][j - 1]) + 1, of[i - 1][j - 1] + !same);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                of[i][j] = smaller(of[i][j], of[i - 2][j - 2] + 1);
        }
    }
    return of[a_length][b_length];
}
