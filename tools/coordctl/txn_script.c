/* txn_script.c - see txn_script.h. */
#include "tools/coordctl/txn_script.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/coordctl/memory.h"
#include "tools/coordctl/units.h"

struct word {
    char *text; /* NUL-terminated behind its length */
    size_t length;
    bool quoted; /* some of it */
};

struct line {
    struct word words[TXN_WORDS_MAX];
    uint32_t count;
};

__attribute__((format(printf, 2, 3))) static bool refuse(char *why, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(why, TXN_WHY_BYTES, format, list);
    va_end(list);
    return false;
}

/* ---- words ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* What stands behind a backslash; how many characters it takes, or 0. */
static size_t unescape(const char *at, const char *end, char *ret)
{
    static const char from[] = "\\\"ntr", to[] = "\\\"\n\t\r";
    if (at == end)
        return 0;
    const char *simple = memchr(from, *at, sizeof(from) - 1);
    if (simple != NULL) {
        *ret = to[simple - from];
        return 1;
    }
    int high = *at == 'x' && end - at > 2 ? hex_digit(at[1]) : -1;
    int low = high >= 0 ? hex_digit(at[2]) : -1;
    if (low < 0)
        return 0;
    *ret = (char)(high << 4 | low);
    return 3;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* A quoted piece from its opening quote on is written to *out; where it ends, or NULL. */
static const char *unquote(const char *at, const char *end, char **out, char *why)
{
    char quote = *at++;
    for (; at < end && *at != quote; at++) {
        if (quote == '"' && *at == '\\') {
            size_t taken = unescape(at + 1, end, *out);
            if (taken == 0) {
                refuse(why, "a \\ in \"...\" is not one of \\\\ \\\" \\n \\t \\r \\xHH");
                return NULL;
            }
            at += taken;
            (*out)++;
        } else {
            *(*out)++ = *at;
        }
    }
    if (at == end) {
        refuse(why, "a quote %c is not closed on its line", quote);
        return NULL;
    }
    return at + 1;
}

/* A line's words. Unquoting never makes them longer, so it is done in place; the NUL
 * behind a word takes the place of the blank or of the line's end. */
static bool split(char *text, const char *end, struct line *ret, char *why)
{
    const char *at = text;
    ret->count = 0;
    for (;;) {
        while (at < end && is_blank(*at))
            at++;
        if (at == end || *at == '#')
            return true;
        if (ret->count == TXN_WORDS_MAX)
            return refuse(why, "has more than %d words", TXN_WORDS_MAX);
        struct word *w = &ret->words[ret->count++];
        char *out = text + (at - text);
        *w = (struct word){.text = out};
        while (at != NULL && at < end && !is_blank(*at)) {
            if (*at == '\0')
                return refuse(why, "has a byte 0; in a VALUE it is written \"\\x00\"");
            if (*at == '\'' || *at == '"') {
                w->quoted = true;
                at = unquote(at, end, &out, why);
            } else {
                *out++ = *at++;
            }
        }
        if (at == NULL)
            return false;
        at += at < end;
        w->length = (size_t)(out - w->text);
        *out = '\0';
    }
}

/* ---- lines ---- */

struct form {
    const char *first, *second; /* second NULL: the verb is one word */
    enum txn_verb verb;
    const char *operands[2]; /* in brackets: may be left out */
    const char *options;
};

static const struct form forms[] = {
    {"check", "exists", TXN_CHECK_EXISTS, {"PATH", NULL}, ""},
    {"check", "absent", TXN_CHECK_ABSENT, {"PATH", NULL}, ""},
    {"check", "generation", TXN_CHECK_GENERATION, {"PATH", "N"}, ""},
    {"check", "sequencer", TXN_CHECK_SEQUENCER, {"SEQUENCER", NULL}, ""},
    {"put", NULL, TXN_PUT, {"PATH", "VALUE"}, "--parents --if-gen --if-seq"},
    {"create", NULL, TXN_CREATE, {"PATH", "[VALUE]"}, "--parents --sequential --if-seq"},
    {"delete", NULL, TXN_DELETE, {"PATH", NULL}, "--if-gen --if-seq"},
};
enum { FORMS_COUNT = sizeof(forms) / sizeof(forms[0]) };

static bool is(const struct word *w, const char *text)
{
    return w->length == strlen(text) && memcmp(w->text, text, w->length) == 0;
}

/* *ret_at is the word behind the verb. */
static const struct form *form_of(const struct line *l, uint32_t *ret_at, char *why)
{
    bool is_check = is(&l->words[0], "check");
    for (int i = 0; i < FORMS_COUNT; i++) {
        const struct form *f = &forms[i];
        if (!is(&l->words[0], f->first))
            continue;
        if (f->second != NULL && (l->count < 2 || !is(&l->words[1], f->second)))
            continue;
        *ret_at = f->second != NULL ? 2 : 1;
        return f;
    }
    if (is_check)
        refuse(why, "check: '%.40s' is not exists, absent, generation or sequencer",
               l->count > 1 ? l->words[1].text : "");
    else
        refuse(why, "'%.40s' is not check, put, create or delete", l->words[0].text);
    return NULL;
}

static bool take_number(const struct word *w, const char *name, uint64_t *ret, char *why)
{
    if (strlen(w->text) != w->length || !units_parse_u64(w->text, ret) || *ret == 0)
        return refuse(why, "%s: '%.40s' is not a number from 1 on", name, w->text);
    return true;
}

static bool is_text(const struct word *w, const char *name, char *why)
{
    return strlen(w->text) == w->length || refuse(why, "%s: has a byte 0", name);
}

/* The option at *at, and its value if it has one. */
static bool take_option(struct txn_part *p, const struct form *f, const struct line *l,
                        uint32_t *at, char *why)
{
    const struct word *option = &l->words[*at];
    const char *known = strstr(f->options, option->text);
    size_t length = strlen(option->text);
    if (option->length <= 2 || known == NULL || (known[length] != ' ' && known[length] != '\0'))
        return refuse(why, "there is no option '%.40s' here", option->text);
    if (is(option, "--parents")) {
        p->parents = true;
        return true;
    }
    if (is(option, "--sequential")) {
        p->sequential = true;
        return true;
    }
    if (++*at == l->count)
        return refuse(why, "%s needs a value", option->text);
    const struct word *value = &l->words[*at];
    if (is(option, "--if-gen"))
        return take_number(value, "--if-gen", &p->generation, why);
    p->sequencer = value->text;
    return is_text(value, "--if-seq", why);
}

static bool take_operand(struct txn_part *p, const struct form *f, uint32_t number,
                         const struct word *w, char *why)
{
    if (number == 0 && f->verb == TXN_CHECK_SEQUENCER) {
        p->sequencer = w->text;
        return is_text(w, "SEQUENCER", why);
    }
    if (number == 0) {
        p->path = w->text;
        return is_text(w, "PATH", why);
    }
    if (f->verb == TXN_CHECK_GENERATION)
        return take_number(w, "N", &p->generation, why);
    p->value = w->text;
    p->value_length = w->length;
    return true;
}

static bool understand(const struct line *l, struct txn_part *p, char *why)
{
    uint32_t at, operands = 0;
    const struct form *f = form_of(l, &at, why);
    if (f == NULL)
        return false;
    p->verb = f->verb;
    p->value = "";
    for (; at < l->count; at++) {
        const struct word *w = &l->words[at];
        if (!w->quoted && strncmp(w->text, "--", 2) == 0) {
            if (!take_option(p, f, l, &at, why))
                return false;
        } else if (operands == 2 || f->operands[operands] == NULL) {
            return refuse(why, "'%.40s' is too much", w->text);
        } else if (!take_operand(p, f, operands++, w, why)) {
            return false;
        }
    }
    if (operands < 2 && f->operands[operands] != NULL && f->operands[operands][0] != '[')
        return refuse(why, "%s is missing", f->operands[operands]);
    return true;
}

bool txn_script_parse(struct txn_script *ret, const char *text, size_t length, uint32_t *ret_line,
                      char why[TXN_WHY_BYTES])
{
    ret->count = 0;
    ret->text = memory_resize(NULL, length + 1, 1);
    if (length > 0)
        memcpy(ret->text, text, length);
    ret->text[length] = '\n';
    char *const end = ret->text + length + 1;
    *ret_line = 0;
    for (char *at = ret->text; at < end;) {
        struct line line;
        char *stop = memchr(at, '\n', (size_t)(end - at));
        char *last = stop > at && stop[-1] == '\r' ? stop - 1 : stop;
        ++*ret_line;
        if (!split(at, last, &line, why))
            return false;
        at = stop + 1;
        if (line.count == 0)
            continue;
        if (ret->count == TXN_PARTS_MAX)
            return refuse(why, "is one too many: at most %d", TXN_PARTS_MAX);
        struct txn_part *part = &ret->parts[ret->count];
        *part = (struct txn_part){.line = *ret_line};
        if (!understand(&line, part, why))
            return false;
        ret->count++;
    }
    return ret->count > 0 || refuse(why, "says nothing");
}

void txn_script_release(struct txn_script *script)
{
    free(script->text);
    script->text = NULL;
}

bool txn_is_check(enum txn_verb verb)
{
    return verb <= TXN_CHECK_SEQUENCER;
}

const char *txn_verb_words(enum txn_verb verb)
{
    static const char *const words[] = {"check exists",    "check absent", "check generation",
                                        "check sequencer", "put",          "create",
                                        "delete"};
    return words[verb];
}
