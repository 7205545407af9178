/* parse.c - lines to histories: see format.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/history/format.h"

enum { WORDS_MAX = HISTORY_PARTS_MAX + 32, FIELDS_MAX = 16 };

struct parser {
    struct history *history; /* borrowed */
    struct history_problem problem;
    char *line; /* a copy, cut into words as it is read */
    char *words[WORDS_MAX];
    uint32_t words_count, next;
    bool failed;
    /* Open addressing: (client, number) to place + 1 in `calls`. */
    size_t *places;
    size_t places_count, places_capacity;
};

__attribute__((format(printf, 2, 3))) static void fail(struct parser *p, const char *form, ...)
{
    va_list list;
    if (p->failed)
        return;
    p->failed = true;
    va_start(list, form);
    vsnprintf(p->problem.text, sizeof(p->problem.text), form, list);
    va_end(list);
}

/* ---- which call is which ---- */

static size_t *place_of(const struct parser *p, uint32_t client, uint64_t number)
{
    uint64_t hash = (number * 1000003 + client) * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (hash >> 20) & (p->places_capacity - 1);
    while (p->places[at] != 0) {
        const struct history_call *c = &p->history->calls[p->places[at] - 1];
        if (c->client == client && c->number == number)
            break;
        at = (at + 1) & (p->places_capacity - 1);
    }
    return &p->places[at];
}

static void index_calls(struct parser *p)
{
    size_t wanted = 1024;
    while (wanted < 4 * (p->history->calls_count + 1))
        wanted *= 2;
    free(p->places);
    p->places_capacity = wanted;
    p->places = check_calloc(wanted, sizeof(p->places[0]));
    for (size_t i = 0; i < p->history->calls_count; i++) {
        const struct history_call *c = &p->history->calls[i];
        *place_of(p, c->client, c->number) = i + 1;
    }
}

/* ---- words ---- */

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c == '\0' ? NULL : strchr(digits, c);
    return found == NULL ? -1 : (int)(found - digits);
}

/* In place; the lone % is the empty text. */
static char *unescape(struct parser *p, char *text)
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
            fail(p, "a wrong escape in \"%.60s\"", text);
            break;
        }
        *to++ = (char)(high * 16 + low);
        from += 2;
    }
    *to = '\0';
    return text;
}

static uint64_t number_of(struct parser *p, const char *text, uint64_t max)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number > max)
        fail(p, "\"%.60s\" is no number", text);
    return number;
}

static char *next_word(struct parser *p)
{
    static char none[] = "";
    if (p->next < p->words_count)
        return p->words[p->next++];
    fail(p, "the line is too short");
    none[0] = '\0';
    return none;
}

static uint64_t next_number(struct parser *p, uint64_t max)
{
    return number_of(p, next_word(p), max);
}

static const char *next_path(struct parser *p)
{
    char *path = unescape(p, next_word(p));
    return strcmp(path, "-") == 0 ? NULL : path;
}

/* The index of a name, from 1. */
static int next_name(struct parser *p, const char *(*name)(int), int count)
{
    const char *word = next_word(p);
    for (int i = 1; i < count; i++)
        if (strcmp(word, name(i)) == 0)
            return i;
    fail(p, "what is \"%.60s\"?", word);
    return 0;
}

static const char *op_name(int i)
{
    return history_op_name((enum history_op)i);
}

static const char *event_name(int i)
{
    return history_event_name((enum history_event_kind)i);
}

static const char *session_name(int i)
{
    return history_session_name((enum history_session_state)i);
}

static const char *error_name(int i)
{
    return err_name((enum err)(i - 1));
}

/* Cuts KEY=VALUE; NULL: it is none. */
static char *cut_value(struct parser *p, char *word)
{
    char *value = strchr(word, '=');
    if (value == NULL) {
        fail(p, "\"%.60s\" is no KEY=VALUE", word);
        return NULL;
    }
    *value++ = '\0';
    return value;
}

/* ---- calls ---- */

/* False: the key is none of these. */
static bool read_ask(struct parser *p, struct history_ask *ask, const char *key, char *value)
{
    struct {
        const char *key;
        bool *flag;
    } flags[] = {
        {"makes", &ask->makes},
        {"parents", &ask->parents},
        {"ephemeral", &ask->ephemeral},
        {"sequential", &ask->sequential},
        {"clears", &ask->clears},
        {"exclusive", &ask->exclusive},
        {"guard-exclusive", &ask->guard.exclusive},
    };
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (strcmp(key, flags[i].key) == 0) {
            *flags[i].flag = number_of(p, value, 1) == 1;
            return true;
        }
    if (strcmp(key, "value") == 0)
        ask->value = unescape(p, value);
    else if (strcmp(key, "generation") == 0)
        ask->generation = number_of(p, value, UINT64_MAX);
    else if (strcmp(key, "instance") == 0)
        ask->instance = number_of(p, value, UINT64_MAX);
    else if (strcmp(key, "guard") == 0)
        ask->guard.path = unescape(p, value);
    else if (strcmp(key, "guard-generation") == 0)
        ask->guard.generation = number_of(p, value, UINT64_MAX);
    else
        return false;
    return true;
}

/* OP,PATH[,KEY=VALUE ...] */
static void read_part(struct parser *p, struct history_ask *part, char *text)
{
    char *fields[FIELDS_MAX];
    uint32_t count = 0;
    for (char *at = text; at != NULL && count < FIELDS_MAX; count++) {
        fields[count] = at;
        at = strchr(at, ',');
        if (at != NULL)
            *at++ = '\0';
    }
    if (count < 2) {
        fail(p, "a part is too short");
        return;
    }
    for (int i = 1; i < HISTORY_OPS; i++)
        if (strcmp(fields[0], op_name(i)) == 0)
            part->op = (enum history_op)i;
    if (part->op == HISTORY_NONE)
        fail(p, "what is \"%.60s\"?", fields[0]);
    char *path = unescape(p, fields[1]);
    part->path = strcmp(path, "-") == 0 ? NULL : path;
    for (uint32_t i = 2; i < count; i++) {
        char *value = cut_value(p, fields[i]);
        if (value != NULL && !read_ask(p, part, fields[i], value))
            fail(p, "what is \"%.60s\" of a part?", fields[i]);
    }
}

static void read_invoke(struct parser *p, struct history_call *c)
{
    struct history_ask parts[HISTORY_PARTS_MAX] = {{0}};
    c->number = next_number(p, UINT64_MAX);
    c->ask.op = (enum history_op)next_name(p, op_name, HISTORY_OPS);
    c->ask.path = next_path(p);
    c->parts = parts;
    while (!p->failed && p->next < p->words_count) {
        char *key = next_word(p), *value = cut_value(p, key);
        if (value == NULL || read_ask(p, &c->ask, key, value))
            continue;
        if (strcmp(key, "session") == 0)
            c->session = number_of(p, value, UINT64_MAX);
        else if (strcmp(key, "freshness") == 0)
            c->freshness = (enum history_freshness)number_of(p, value, HISTORY_STALE);
        else if (strcmp(key, "watch") == 0)
            c->watch = number_of(p, value, UINT64_MAX);
        else if (strcmp(key, "watches") == 0)
            c->watches = (uint32_t)number_of(p, value, UINT32_MAX);
        else if (strcmp(key, "from") == 0)
            c->from = number_of(p, value, UINT64_MAX);
        else if (strcmp(key, "part") == 0 && c->parts_count < HISTORY_PARTS_MAX)
            read_part(p, &parts[c->parts_count++], value);
        else
            fail(p, "what is \"%.60s\" of an invocation?", key);
    }
    if (!p->failed && *place_of(p, c->client, c->number) != 0)
        fail(p, "this client has invoked a call of this number before");
    if (p->failed)
        return;
    size_t place = history_invoke(p->history, c);
    if (4 * (++p->places_count) > p->places_capacity)
        index_calls(p);
    else
        *place_of(p, c->client, c->number) = place + 1;
}

static void read_told(struct parser *p, struct history_call *c, const char *key, char *value)
{
    struct {
        const char *key;
        uint64_t *number;
    } numbers[] = {
        {"revision", &c->told.revision},
        {"instance", &c->told.instance},
        {"content", &c->told.content_generation},
        {"lock", &c->told.lock_generation},
        {"grant", &c->told.grant},
        {"session", &c->told.session},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (strcmp(key, numbers[i].key) == 0) {
            *numbers[i].number = number_of(p, value, UINT64_MAX);
            return;
        }
    if (strcmp(key, "not-applied") == 0)
        c->not_applied = number_of(p, value, 1) == 1;
    else if (strcmp(key, "failed") == 0)
        c->told.failed = (uint32_t)number_of(p, value, HISTORY_PARTS_MAX);
    else if (strcmp(key, "value") == 0)
        c->told.value = unescape(p, value);
    else if (strcmp(key, "path") == 0)
        c->told.path = unescape(p, value);
    else
        fail(p, "what is \"%.60s\" of a return?", key);
}

static void read_return(struct parser *p, struct history_call *c)
{
    c->number = next_number(p, UINT64_MAX);
    c->error = (enum err)(next_name(p, error_name, ERR_NOT_LEADER + 2) - 1);
    while (!p->failed && p->next < p->words_count) {
        char *key = next_word(p), *value = cut_value(p, key);
        if (value != NULL)
            read_told(p, c, key, value);
    }
    if (p->failed)
        return;
    size_t place = *place_of(p, c->client, c->number);
    if (place == 0)
        fail(p, "it returns, but was not invoked");
    else if (p->history->calls[place - 1].returned_ns != HISTORY_NEVER)
        fail(p, "it returns a second time");
    else if (p->history->calls[place - 1].invoked_ns > c->returned_ns)
        fail(p, "it returns before it was invoked");
    else
        history_return(p->history, place - 1, c);
}

/* ---- the other lines ---- */

static void read_belief(struct parser *p, uint32_t client, int64_t ns)
{
    struct history_belief b = {.client = client, .from_ns = ns};
    b.until_ns = (int64_t)next_number(p, INT64_MAX);
    b.path = next_path(p);
    const char *mode = next_word(p);
    b.exclusive = strcmp(mode, "exclusive") == 0;
    if (!b.exclusive && strcmp(mode, "shared") != 0)
        fail(p, "what is \"%.60s\"?", mode);
    b.generation = next_number(p, UINT64_MAX);
    if (b.path == NULL)
        fail(p, "a belief needs a path");
    if (!p->failed)
        history_believe(p->history, &b);
}

static void read_loss(struct parser *p, uint32_t client, int64_t ns)
{
    struct history_loss l = {.client = client, .at_ns = ns};
    l.path = next_path(p);
    l.generation = next_number(p, UINT64_MAX);
    if (l.path == NULL)
        fail(p, "a loss needs a path");
    if (!p->failed)
        history_lose(p->history, &l);
}

static void read_session(struct parser *p, uint32_t client, int64_t ns)
{
    struct history_session s = {.client = client, .at_ns = ns};
    s.session = next_number(p, UINT64_MAX);
    s.state = (enum history_session_state)next_name(p, session_name, HISTORY_SESSION_CLOSED + 1);
    if (!p->failed)
        history_session(p->history, &s);
}

static void read_event(struct parser *p, uint32_t client, int64_t ns)
{
    struct history_event e = {.client = client, .at_ns = ns};
    e.watch = next_number(p, UINT64_MAX);
    e.kind = (enum history_event_kind)next_name(p, event_name, HISTORY_EVENT_RESYNC + 1);
    e.path = next_path(p);
    e.revision = next_number(p, UINT64_MAX);
    while (!p->failed && p->next < p->words_count) {
        char *key = next_word(p), *value = cut_value(p, key);
        if (value == NULL)
            break;
        if (strcmp(key, "value") == 0)
            e.value = unescape(p, value);
        else if (strcmp(key, "instance") == 0)
            e.instance = number_of(p, value, UINT64_MAX);
        else if (strcmp(key, "content") == 0)
            e.content_generation = number_of(p, value, UINT64_MAX);
        else
            fail(p, "what is \"%.60s\" of an event?", key);
    }
    if (e.path == NULL && e.kind != HISTORY_EVENT_RESYNC && e.kind != HISTORY_EVENT_TOLD)
        fail(p, "an event needs a path");
    if (!p->failed)
        history_event(p->history, &e);
}

static void cut_words(struct parser *p)
{
    p->words_count = p->next = 0;
    for (char *at = p->line; at != NULL;) {
        if (p->words_count == WORDS_MAX) {
            fail(p, "the line has too many words");
            return;
        }
        p->words[p->words_count++] = at;
        at = strchr(at, ' ');
        if (at != NULL)
            *at++ = '\0';
    }
}

static void read_line(struct parser *p)
{
    cut_words(p);
    const char *word = next_word(p);
    if (strcmp(word, "coord-history") == 0) {
        if (next_number(p, UINT64_MAX) != 1)
            fail(p, "it is of a later format");
        return;
    }
    int64_t ns = (int64_t)next_number(p, INT64_MAX);
    struct history_call call = {.client = (uint32_t)next_number(p, UINT32_MAX)};
    call.invoked_ns = call.returned_ns = ns;
    if (strcmp(word, "invoke") == 0)
        read_invoke(p, &call);
    else if (strcmp(word, "return") == 0)
        read_return(p, &call);
    else if (strcmp(word, "belief") == 0)
        read_belief(p, call.client, ns);
    else if (strcmp(word, "loss") == 0)
        read_loss(p, call.client, ns);
    else if (strcmp(word, "session") == 0)
        read_session(p, call.client, ns);
    else if (strcmp(word, "event") == 0)
        read_event(p, call.client, ns);
    else
        fail(p, "what is \"%.60s\"?", word);
}

bool history_read(struct history *h, struct slice file, struct history_problem *ret_problem)
{
    struct parser p = {.history = h};
    p.places_count = h->calls_count;
    index_calls(&p);
    const char *at = (const char *)file.data, *end = at + file.length;
    while (!p.failed && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL)
            break; /* the writer was killed in the middle of it */
        p.problem.line++;
        if (newline - at > HISTORY_LINE_BYTES_MAX)
            fail(&p, "the line is too long");
        else if (memchr(at, 0, (size_t)(newline - at)) != NULL)
            fail(&p, "the line has a NUL in it");
        else {
            p.line = check_strndup(at, (size_t)(newline - at));
            read_line(&p);
            free(p.line);
        }
        at = newline + 1;
    }
    free(p.places);
    if (p.failed)
        *ret_problem = p.problem;
    return !p.failed;
}
