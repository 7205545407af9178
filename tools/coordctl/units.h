/* units.h - numbers, durations and endpoints as people write them. Pure. */
#ifndef COORDCTL_UNITS_H
#define COORDCTL_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    UNITS_DURATION_MS_MAX = 24 * 60 * 60 * 1000,
    UNITS_TIME_BYTES = 32,
};

/* Digits and nothing else. False, and *ret untouched, if it is no number or too large. */
bool units_parse_u64(const char *text, uint64_t *ret);

/* A whole number with its unit, "250ms", "5s" or "2m", at most a day; a bare 0
 * needs none. */
bool units_parse_duration_ms(const char *text, int64_t *ret_ms);

/* "host:port", "[address]:port" or "unix:/path", separated by commas. Returns NULL,
 * or a phrase that says what is wrong. Names are not looked up. */
const char *units_check_endpoints(const char *text);

/* Unix time as 2006-01-02T15:04:05.678Z; "-" for 0. */
void units_format_time(uint64_t unix_ms, char text[UNITS_TIME_BYTES]);

/* Bytes that can stand in a text as they are: UTF-8 without a NUL. */
bool units_is_text(const void *data, size_t length);

/* The columns that a UTF-8 text takes on a terminal, one for each code point. */
size_t units_columns(const char *text);

/* How many letters must be put, removed, replaced or swapped with the next to make the one
 * word of the other; much, if one is longer than any command. */
size_t units_distance(const char *a, const char *b);

/* Base64 with padding, NUL-terminated, to be freed. */
char *units_base64(const void *data, size_t length);

#endif
