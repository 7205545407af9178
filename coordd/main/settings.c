/* settings.c - see settings.h. */
#define _GNU_SOURCE
#include "coordd/main/settings.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"

enum {
    KEY_BYTES_MAX = 64,
    LINE_BYTES_MAX = SETTING_TEXT_BYTES_MAX + 256,
    NUMBER_DIGITS_MAX = 19, /* what surely fits into 64 bits */
    SETTINGS_MAX = 64,      /* as many as a mask has bits */
};

/* Each is given once: of two values one would be dropped without a word. */
static bool is_first(const struct setting *settings, const struct setting *s, uint64_t *given)
{
    uint64_t bit = UINT64_C(1) << (s - settings);
    bool first = (*given & bit) == 0;
    *given |= bit;
    return first;
}

/* Keys are written with underscores or dashes. */
static const struct setting *find(const struct setting *settings, size_t count, const char *key)
{
    char plain[KEY_BYTES_MAX];
    size_t length = strlen(key);
    if (length >= sizeof plain)
        return NULL;
    for (size_t i = 0; i <= length; i++)
        plain[i] = key[i] == '-' ? '_' : key[i];
    for (size_t i = 0; i < count; i++) {
        if (strcmp(settings[i].key, plain) == 0)
            return &settings[i];
    }
    return NULL;
}

/* `where` and `key` name the place for the error. */
static enum err take(const struct setting *s, const char *where, const char *key, const char *value,
                     char *why)
{
    if (value[0] == '\0') {
        (void)snprintf(why, SETTINGS_WHY_BYTES, "%s%s: a value is missing", where, key);
        return ERR_INVALID;
    }
    if (s->kind == SETTING_TEXT) {
        if (strlen(value) >= SETTING_TEXT_BYTES_MAX) {
            (void)snprintf(why, SETTINGS_WHY_BYTES, "%s%s: too long", where, key);
            return ERR_INVALID;
        }
        memcpy(s->value, value, strlen(value) + 1);
        return ERR_OK;
    }
    size_t digits = strspn(value, "0123456789");
    uint64_t number = 0;
    bool sound = digits > 0 && digits <= NUMBER_DIGITS_MAX && value[digits] == '\0';
    if (sound)
        number = strtoull(value, NULL, 10);
    if (!sound || number < s->low || number > s->high) {
        (void)snprintf(why, SETTINGS_WHY_BYTES,
                       "%s%s: wanted a number from %" PRIu64 " to %" PRIu64 ", not '%.64s'", where,
                       key, s->low, s->high, value);
        return ERR_INVALID;
    }
    memcpy(s->value, &number, sizeof number);
    return ERR_OK;
}

enum err settings_take_arguments(const struct setting *settings, size_t count, int argc,
                                 char **argv, char *why)
{
    uint64_t given = 0;
    CHECK(count <= SETTINGS_MAX);
    for (int i = 0; i < argc; i++) {
        char key[KEY_BYTES_MAX];
        const char *argument = argv[i];
        if (strncmp(argument, "--", 2) != 0 || argument[2] == '\0') {
            (void)snprintf(why, SETTINGS_WHY_BYTES, "unexpected argument '%.64s'", argument);
            return ERR_INVALID;
        }
        const char *equals = strchr(argument, '=');
        size_t length = equals == NULL ? strlen(argument + 2) : (size_t)(equals - argument) - 2;
        const struct setting *s = NULL;
        if (length < sizeof key) {
            memcpy(key, argument + 2, length);
            key[length] = '\0';
            s = find(settings, count, key);
        }
        if (s == NULL) {
            (void)snprintf(why, SETTINGS_WHY_BYTES, "unknown option %.64s", argument);
            return ERR_INVALID;
        }
        if (!is_first(settings, s, &given)) {
            (void)snprintf(why, SETTINGS_WHY_BYTES, "--%s is given twice", key);
            return ERR_INVALID;
        }
        /* What looks like an option is one: a value like that is written behind a "=". */
        if (equals == NULL && (++i == argc || strncmp(argv[i], "--", 2) == 0)) {
            (void)snprintf(why, SETTINGS_WHY_BYTES, "%s: a value is missing", argument);
            return ERR_INVALID;
        }
        enum err e = take(s, "--", key, equals == NULL ? argv[i] : equals + 1, why);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

/* Cuts blanks off both ends, in place. */
static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    return text;
}

static enum err take_line(const struct setting *settings, size_t count, const char *path,
                          unsigned number, char *line, uint64_t *given, char *why)
{
    char *text = trim(line);
    if (*text == '\0' || *text == '#')
        return ERR_OK;
    char *equals = strchr(text, '=');
    if (equals == NULL) {
        (void)snprintf(why, SETTINGS_WHY_BYTES, "%s:%u: wanted key = value", path, number);
        return ERR_INVALID;
    }
    *equals = '\0';
    const char *key = trim(text), *value = trim(equals + 1);
    const struct setting *s = find(settings, count, key);
    if (s == NULL || !s->in_file) {
        (void)snprintf(why, SETTINGS_WHY_BYTES, "%s:%u: %s '%.64s'", path, number,
                       s == NULL ? "unknown key" : "not a key for a file:", key);
        return ERR_INVALID;
    }
    if (!is_first(settings, s, given)) {
        (void)snprintf(why, SETTINGS_WHY_BYTES, "%s:%u: %s is given twice", path, number, key);
        return ERR_INVALID;
    }
    char where[SETTINGS_WHY_BYTES / 2];
    (void)snprintf(where, sizeof where, "%s:%u: ", path, number);
    return take(s, where, key, value, why);
}

enum err settings_take_file(const struct setting *settings, size_t count, const char *path,
                            char *why)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        (void)snprintf(why, SETTINGS_WHY_BYTES, "%s: %s", path, strerror(errno));
        return errno == ENOENT ? ERR_NO_NODE : ERR_INVALID;
    }
    char line[LINE_BYTES_MAX];
    uint64_t given = 0;
    enum err result = ERR_OK;
    for (unsigned number = 1; result == ERR_OK && fgets(line, sizeof line, file) != NULL;
         number++) {
        if (strchr(line, '\n') == NULL && !feof(file)) {
            (void)snprintf(why, SETTINGS_WHY_BYTES, "%s:%u: line too long", path, number);
            result = ERR_INVALID;
        } else {
            result = take_line(settings, count, path, number, line, &given, why);
        }
    }
    if (result == ERR_OK && ferror(file)) {
        (void)snprintf(why, SETTINGS_WHY_BYTES, "%s: cannot be read", path);
        result = ERR_INVALID;
    }
    (void)fclose(file);
    return result;
}
