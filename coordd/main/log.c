/* log.c - see log.h. */
#define _GNU_SOURCE
#include "coordd/main/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "coordd/main/clock.h"

/* A line under construction. Once full it takes nothing more. */
struct line {
    char *out;
    size_t length;
};

static void put(struct line *l, const char *text, size_t length)
{
    size_t room = LOG_LINE_BYTES_MAX - 2 - l->length; /* newline and NUL */
    if (length > room)
        length = room;
    memcpy(l->out + l->length, text, length);
    l->length += length;
}

static void put_string(struct line *l, const char *text)
{
    put(l, text, strlen(text));
}

static bool is_plain(const char *text)
{
    if (*text == '\0')
        return false;
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c <= ' ' || *c == '"' || *c == '\\' || *c == '=' || *c == 0x7f)
            return false;
    }
    return true;
}

static void put_quoted(struct line *l, const char *text)
{
    put(l, "\"", 1);
    for (const char *c = text; *c != '\0'; c++) {
        char escaped[8];
        if (*c == '"' || *c == '\\') {
            put(l, "\\", 1);
            put(l, c, 1);
        } else if ((unsigned char)*c < ' ' || *c == 0x7f) {
            (void)snprintf(escaped, sizeof escaped, "\\x%02x", (unsigned char)*c);
            put_string(l, escaped);
        } else {
            put(l, c, 1);
        }
    }
    put(l, "\"", 1);
}

static void put_time(struct line *l, int64_t wall_ms)
{
    char text[64];
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc;
    if (gmtime_r(&seconds, &utc) == NULL)
        memset(&utc, 0, sizeof utc);
    size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    put(l, text, length);
    (void)snprintf(text, sizeof text, ".%03dZ ", (int)(wall_ms % 1000));
    put_string(l, text);
}

size_t log_format(char *out, int64_t wall_ms, enum log_level level, const char *event,
                  const struct log_field *fields, size_t count)
{
    static const char *const levels[] = {
        [LOG_LEVEL_ERROR] = "error ", [LOG_LEVEL_WARNING] = "warning ", [LOG_LEVEL_INFO] = "info "};
    struct line l = {.out = out};
    put_time(&l, wall_ms);
    put_string(&l, levels[level]);
    put_string(&l, event);
    for (size_t i = 0; i < count; i++) {
        char number[24];
        put(&l, " ", 1);
        put_string(&l, fields[i].key);
        put(&l, "=", 1);
        if (fields[i].text == NULL) {
            (void)snprintf(number, sizeof number, "%" PRIu64, fields[i].number);
            put_string(&l, number);
        } else if (is_plain(fields[i].text)) {
            put_string(&l, fields[i].text);
        } else {
            put_quoted(&l, fields[i].text);
        }
    }
    out[l.length++] = '\n';
    out[l.length] = '\0';
    return l.length;
}

void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t count)
{
    char line[LOG_LINE_BYTES_MAX];
    size_t length = log_format(line, clock_wall_ms(), level, event, fields, count);
    /* A log that cannot be written must not stop a lock service. */
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written;
}
