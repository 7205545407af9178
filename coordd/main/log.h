/* log.h - one line on stderr for what somebody may want to know later:
 *
 *   2026-03-01T12:00:00.123Z info serving member=2 ballot=131074
 *
 * Only the edge logs: serve, driver and the log thread. A value with a space, a
 * quote or a control character is written in quotes, so a line stays a line and
 * a key=value stays one word to the eye of a program. Each line is one write,
 * so threads do not mix theirs. */
#ifndef COORD_MAIN_LOG_H
#define COORD_MAIN_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOG_LINE_BYTES_MAX = 1024, /* what is longer is cut */
};

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO };

struct log_field {
    const char *key;
    const char *text; /* borrowed; NULL: number */
    uint64_t number;
};

static inline struct log_field log_text(const char *key, const char *text)
{
    return (struct log_field){.key = key, .text = text == NULL ? "" : text};
}

static inline struct log_field log_number(const char *key, uint64_t number)
{
    return (struct log_field){.key = key, .number = number};
}

/* The line with its newline and a NUL; returns its length. `out` holds
 * LOG_LINE_BYTES_MAX bytes. */
size_t log_format(char *out, int64_t wall_ms, enum log_level level, const char *event,
                  const struct log_field *fields, size_t count);

void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t count);

#define LOG_FIELDS_(level, event, ...)                               \
    log_write(level, event, (const struct log_field[]){__VA_ARGS__}, \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
/* LOG_INFO("serving", log_number("ballot", b)): at least one field. */
#define LOG_INFO(event, ...)    LOG_FIELDS_(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define LOG_WARNING(event, ...) LOG_FIELDS_(LOG_LEVEL_WARNING, event, __VA_ARGS__)
#define LOG_ERROR(event, ...)   LOG_FIELDS_(LOG_LEVEL_ERROR, event, __VA_ARGS__)

#endif
