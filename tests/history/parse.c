/* parse.c - lines to histories: see format.h. */
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/history/format.h"
#include "tests/history/words.h"

enum { FIELDS_MAX = 16 };

struct parser {
    struct history *history; /* borrowed */
    struct words words;
    size_t line; /* from 1 */
    /* Open addressing: (client, number) to place + 1 in `calls`. */
    size_t *places;
    size_t places_count, places_capacity;
};

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
            *flags[i].flag = words_number_of(&p->words, value, 1) == 1;
            return true;
        }
    if (strcmp(key, "value") == 0)
        ask->value = words_unescape(&p->words, value);
    else if (strcmp(key, "generation") == 0)
        ask->generation = words_number_of(&p->words, value, UINT64_MAX);
    else if (strcmp(key, "instance") == 0)
        ask->instance = words_number_of(&p->words, value, UINT64_MAX);
    else if (strcmp(key, "guard") == 0)
        ask->guard.path = words_unescape(&p->words, value);
    else if (strcmp(key, "guard-generation") == 0)
        ask->guard.generation = words_number_of(&p->words, value, UINT64_MAX);
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
        words_fail(&p->words, "a part is too short");
        return;
    }
    for (int i = 1; i < HISTORY_OPS; i++)
        if (strcmp(fields[0], op_name(i)) == 0)
            part->op = (enum history_op)i;
    if (part->op == HISTORY_NONE)
        words_fail(&p->words, "what is \"%.60s\"?", fields[0]);
    char *path = words_unescape(&p->words, fields[1]);
    part->path = strcmp(path, "-") == 0 ? NULL : path;
    for (uint32_t i = 2; i < count; i++) {
        char *value = words_value(&p->words, fields[i]);
        if (value != NULL && !read_ask(p, part, fields[i], value))
            words_fail(&p->words, "what is \"%.60s\" of a part?", fields[i]);
    }
}

static void read_invoke(struct parser *p, struct history_call *c)
{
    struct history_ask parts[HISTORY_PARTS_MAX] = {{0}};
    c->number = words_number(&p->words, UINT64_MAX);
    c->ask.op = (enum history_op)words_name(&p->words, op_name, HISTORY_OPS);
    c->ask.path = words_path(&p->words);
    c->parts = parts;
    while (words_left(&p->words)) {
        char *key = words_next(&p->words), *value = words_value(&p->words, key);
        if (value == NULL || read_ask(p, &c->ask, key, value))
            continue;
        if (strcmp(key, "session") == 0)
            c->session = words_number_of(&p->words, value, UINT64_MAX);
        else if (strcmp(key, "freshness") == 0)
            c->freshness = (enum history_freshness)words_number_of(&p->words, value, HISTORY_STALE);
        else if (strcmp(key, "watch") == 0)
            c->watch = words_number_of(&p->words, value, UINT64_MAX);
        else if (strcmp(key, "watches") == 0)
            c->watches = (uint32_t)words_number_of(&p->words, value, UINT32_MAX);
        else if (strcmp(key, "from") == 0)
            c->from = words_number_of(&p->words, value, UINT64_MAX);
        else if (strcmp(key, "part") == 0 && c->parts_count < HISTORY_PARTS_MAX)
            read_part(p, &parts[c->parts_count++], value);
        else
            words_fail(&p->words, "what is \"%.60s\" of an invocation?", key);
    }
    if (!p->words.failed && *place_of(p, c->client, c->number) != 0)
        words_fail(&p->words, "this client has invoked a call of this number before");
    if (p->words.failed)
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
            *numbers[i].number = words_number_of(&p->words, value, UINT64_MAX);
            return;
        }
    if (strcmp(key, "not-applied") == 0)
        c->not_applied = words_number_of(&p->words, value, 1) == 1;
    else if (strcmp(key, "failed") == 0)
        c->told.failed = (uint32_t)words_number_of(&p->words, value, HISTORY_PARTS_MAX);
    else if (strcmp(key, "value") == 0)
        c->told.value = words_unescape(&p->words, value);
    else if (strcmp(key, "path") == 0)
        c->told.path = words_unescape(&p->words, value);
    else
        words_fail(&p->words, "what is \"%.60s\" of a return?", key);
}

static void read_return(struct parser *p, struct history_call *c)
{
    c->number = words_number(&p->words, UINT64_MAX);
    c->error = (enum err)(words_name(&p->words, error_name, ERR_NO_SPACE + 2) - 1);
    while (words_left(&p->words)) {
        char *key = words_next(&p->words), *value = words_value(&p->words, key);
        if (value != NULL)
            read_told(p, c, key, value);
    }
    if (p->words.failed)
        return;
    size_t place = *place_of(p, c->client, c->number);
    if (place == 0)
        words_fail(&p->words, "it returns, but was not invoked");
    else if (p->history->calls[place - 1].returned_ns != HISTORY_NEVER)
        words_fail(&p->words, "it returns a second time");
    else if (p->history->calls[place - 1].invoked_ns > c->returned_ns)
        words_fail(&p->words, "it returns before it was invoked");
    else
        history_return(p->history, place - 1, c);
}

/* ---- the other lines ---- */

static void read_belief(struct parser *p, uint32_t client, int64_t ns)
{
    struct history_belief b = {.client = client, .from_ns = ns};
    b.until_ns = (int64_t)words_number(&p->words, INT64_MAX);
    b.path = words_path(&p->words);
    const char *mode = words_next(&p->words);
    b.exclusive = strcmp(mode, "exclusive") == 0;
    if (!b.exclusive && strcmp(mode, "shared") != 0)
        words_fail(&p->words, "what is \"%.60s\"?", mode);
    b.generation = words_number(&p->words, UINT64_MAX);
    if (b.path == NULL)
        words_fail(&p->words, "a belief needs a path");
    if (!p->words.failed)
        history_believe(p->history, &b);
}

static void read_loss(struct parser *p, uint32_t client, int64_t ns)
{
    struct history_loss l = {.client = client, .at_ns = ns};
    l.path = words_path(&p->words);
    l.generation = words_number(&p->words, UINT64_MAX);
    if (l.path == NULL)
        words_fail(&p->words, "a loss needs a path");
    if (!p->words.failed)
        history_lose(p->history, &l);
}

static void read_session(struct parser *p, uint32_t client, int64_t ns)
{
    struct history_session s = {.client = client, .at_ns = ns};
    s.session = words_number(&p->words, UINT64_MAX);
    s.state =
        (enum history_session_state)words_name(&p->words, session_name, HISTORY_SESSION_CLOSED + 1);
    if (!p->words.failed)
        history_session(p->history, &s);
}

static void read_event(struct parser *p, uint32_t client, int64_t ns)
{
    struct history_event e = {.client = client, .at_ns = ns};
    e.watch = words_number(&p->words, UINT64_MAX);
    e.kind = (enum history_event_kind)words_name(&p->words, event_name, HISTORY_EVENT_RESYNC + 1);
    e.path = words_path(&p->words);
    e.revision = words_number(&p->words, UINT64_MAX);
    while (words_left(&p->words)) {
        char *key = words_next(&p->words), *value = words_value(&p->words, key);
        if (value == NULL)
            break;
        if (strcmp(key, "value") == 0)
            e.value = words_unescape(&p->words, value);
        else if (strcmp(key, "instance") == 0)
            e.instance = words_number_of(&p->words, value, UINT64_MAX);
        else if (strcmp(key, "content") == 0)
            e.content_generation = words_number_of(&p->words, value, UINT64_MAX);
        else
            words_fail(&p->words, "what is \"%.60s\" of an event?", key);
    }
    if (e.path == NULL && e.kind != HISTORY_EVENT_RESYNC && e.kind != HISTORY_EVENT_TOLD)
        words_fail(&p->words, "an event needs a path");
    if (!p->words.failed)
        history_event(p->history, &e);
}

static void read_line(struct parser *p)
{
    const char *word = words_next(&p->words);
    if (strcmp(word, "coord-history") == 0) {
        if (words_number(&p->words, UINT64_MAX) != 1)
            words_fail(&p->words, "it is of a later format");
        return;
    }
    int64_t ns = (int64_t)words_number(&p->words, INT64_MAX);
    struct history_call call = {.client = (uint32_t)words_number(&p->words, UINT32_MAX)};
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
        words_fail(&p->words, "what is \"%.60s\"?", word);
}

bool history_read(struct history *h, struct slice file, struct history_problem *ret_problem)
{
    struct parser p = {.history = h};
    p.places_count = h->calls_count;
    index_calls(&p);
    const char *at = (const char *)file.data, *end = at + file.length;
    while (!p.words.failed && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL)
            break; /* the writer was killed in the middle of it */
        p.line++;
        if (newline - at > HISTORY_LINE_BYTES_MAX)
            words_fail(&p.words, "the line is too long");
        else if (memchr(at, 0, (size_t)(newline - at)) != NULL)
            words_fail(&p.words, "the line has a NUL in it");
        else {
            char *line = check_strndup(at, (size_t)(newline - at));
            words_cut(&p.words, line);
            read_line(&p);
            free(line);
        }
        at = newline + 1;
    }
    free(p.places);
    if (p.words.failed) {
        ret_problem->line = p.line;
        memcpy(ret_problem->text, p.words.problem, sizeof(ret_problem->text));
    }
    return !p.words.failed;
}
