/* words.c - see words.h. */
#include "tests/history/words.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void words_fail(struct words *w, const char *form, ...)
{
    va_list list;
    if (w->failed)
        return;
    w->failed = true;
    va_start(list, form);
    vsnprintf(w->problem, sizeof(w->problem), form, list);
    va_end(list);
}

void words_cut(struct words *w, char *line)
{
    w->count = w->next = 0;
    for (char *at = line; at != NULL;) {
        if (w->count == WORDS_MAX) {
            words_fail(w, "the line has too many words");
            return;
        }
        w->list[w->count++] = at;
        at = strchr(at, ' ');
        if (at != NULL)
            *at++ = '\0';
    }
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c == '\0' ? NULL : strchr(digits, c);
    return found == NULL ? -1 : (int)(found - digits);
}

char *words_unescape(struct words *w, char *text)
{
    char *to = text;
    if (strcmp(text, "%") == 0) {
        *text = '\0';
        return text;
    }
    for (const char *from = text; *from != '\0'; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        int high = hex_digit(from[1]), low = high < 0 ? -1 : hex_digit(from[2]);
        if (low < 0 || high * 16 + low == 0) {
            words_fail(w, "a wrong escape in \"%.60s\"", text);
            break;
        }
        *to++ = (char)(high * 16 + low);
        from += 2;
    }
    *to = '\0';
    return text;
}

uint64_t words_number_of(struct words *w, const char *text, uint64_t max)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number > max)
        words_fail(w, "\"%.60s\" is no number", text);
    return number;
}

char *words_next(struct words *w)
{
    static char none[] = "";
    if (w->next < w->count)
        return w->list[w->next++];
    words_fail(w, "the line is too short");
    none[0] = '\0';
    return none;
}

uint64_t words_number(struct words *w, uint64_t max)
{
    return words_number_of(w, words_next(w), max);
}

const char *words_path(struct words *w)
{
    char *path = words_unescape(w, words_next(w));
    return strcmp(path, "-") == 0 ? NULL : path;
}

int words_name(struct words *w, const char *(*name)(int), int count)
{
    const char *word = words_next(w);
    for (int i = 1; i < count; i++)
        if (strcmp(word, name(i)) == 0)
            return i;
    words_fail(w, "what is \"%.60s\"?", word);
    return 0;
}

char *words_value(struct words *w, char *word)
{
    char *value = strchr(word, '=');
    if (value == NULL) {
        words_fail(w, "\"%.60s\" is no KEY=VALUE", word);
        return NULL;
    }
    *value++ = '\0';
    return value;
}

bool words_left(const struct words *w)
{
    return !w->failed && w->next < w->count;
}
