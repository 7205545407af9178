/* settings.h - key = value, from a command line or from a file.
 *
 * A program lists its settings in a table that says where each value goes;
 * --lease-ms 500 and `lease_ms = 500` are the same setting. Every error names
 * the flag, or the file, line and key. */
#ifndef COORD_MAIN_SETTINGS_H
#define COORD_MAIN_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoord/base/err.h"

enum {
    SETTING_TEXT_BYTES_MAX = 4096, /* of a value, with its NUL */
    SETTINGS_WHY_BYTES = 512,
};

enum setting_kind {
    SETTING_TEXT,   /* char[SETTING_TEXT_BYTES_MAX] */
    SETTING_NUMBER, /* uint64_t, decimal, low <= value <= high */
};

struct setting {
    const char *key; /* with underscores */
    enum setting_kind kind;
    bool in_file; /* may stand in a file, too */
    void *value;  /* borrowed */
    uint64_t low, high;
};

/* ERR_INVALID and `why` (SETTINGS_WHY_BYTES) if not all is well. */
MUST_USE enum err settings_take_arguments(const struct setting *settings, size_t count, int argc,
                                          char **argv, char *why);
/* ERR_NO_NODE if there is no such file. */
MUST_USE enum err settings_take_file(const struct setting *settings, size_t count, const char *path,
                                     char *why);

#endif
