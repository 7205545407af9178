/* format.c - histories to lines: see format.h. Reading them is in parse.c. */
#include "tests/history/format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcoord/base/check.h"

__attribute__((format(printf, 2, 3))) static void put(struct buffer *out, const char *form, ...)
{
    char text[128];
    va_list list;
    va_start(list, form);
    int length = vsnprintf(text, sizeof(text), form, list);
    va_end(list);
    CHECK(length >= 0 && (size_t)length < sizeof(text));
    buffer_put(out, text, (size_t)length);
}

static bool is_plain(unsigned char c)
{
    return c > ' ' && c < 0x7f && c != '%' && c != '=' && c != ',';
}

/* The empty text is a lone %. */
static void put_text(struct buffer *out, const char *text)
{
    if (*text == '\0')
        buffer_put_u8(out, '%');
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (is_plain(c))
            buffer_put_u8(out, c);
        else
            put(out, "%%%02x", c);
    }
}

static void put_path(struct buffer *out, const char *path)
{
    buffer_put_u8(out, ' ');
    put_text(out, path == NULL ? "-" : path);
}

static void put_key(struct buffer *out, const char *separator, const char *key, const char *text)
{
    if (text == NULL)
        return;
    put(out, "%s%s=", separator, key);
    put_text(out, text);
}

static void put_number(struct buffer *out, const char *separator, const char *key, uint64_t number)
{
    if (number != 0)
        put(out, "%s%s=%" PRIu64, separator, key, number);
}

static void put_flag(struct buffer *out, const char *separator, const char *flag, bool set)
{
    if (set)
        put(out, "%s%s=1", separator, flag);
}

static void put_ask(struct buffer *out, const char *separator, const struct history_ask *ask)
{
    put_key(out, separator, "value", ask->value);
    put_number(out, separator, "generation", ask->generation);
    put_number(out, separator, "instance", ask->instance);
    if (ask->guard.generation != 0) {
        put_key(out, separator, "guard", ask->guard.path);
        put_number(out, separator, "guard-generation", ask->guard.generation);
        put_flag(out, separator, "guard-exclusive", ask->guard.exclusive);
    }
    put_flag(out, separator, "makes", ask->makes);
    put_flag(out, separator, "parents", ask->parents);
    put_flag(out, separator, "ephemeral", ask->ephemeral);
    put_flag(out, separator, "sequential", ask->sequential);
    put_flag(out, separator, "clears", ask->clears);
    put_flag(out, separator, "exclusive", ask->exclusive);
}

void history_format_head(struct buffer *out)
{
    put(out, "coord-history 1\n");
}

void history_format_invoke(struct buffer *out, const struct history_call *c)
{
    put(out, "invoke %" PRId64 " %" PRIu32 " %" PRIu64 " %s", c->invoked_ns, c->client, c->number,
        history_op_name(c->ask.op));
    put_path(out, c->ask.path);
    put_ask(out, " ", &c->ask);
    put_number(out, " ", "session", c->session);
    put_number(out, " ", "freshness", (uint64_t)c->freshness);
    put_number(out, " ", "watch", c->watch);
    put_number(out, " ", "watches", c->watches);
    put_number(out, " ", "from", c->from);
    for (uint32_t i = 0; i < c->parts_count; i++) {
        put(out, " part=%s,", history_op_name(c->parts[i].op));
        put_text(out, c->parts[i].path == NULL ? "-" : c->parts[i].path);
        put_ask(out, ",", &c->parts[i]);
    }
    put(out, "\n");
}

void history_format_return(struct buffer *out, const struct history_call *c)
{
    const struct history_told *t = &c->told;
    put(out, "return %" PRId64 " %" PRIu32 " %" PRIu64 " %s", c->returned_ns, c->client, c->number,
        err_name(c->error));
    put_flag(out, " ", "not-applied", c->not_applied);
    put_number(out, " ", "revision", t->revision);
    put_number(out, " ", "instance", t->instance);
    put_number(out, " ", "content", t->content_generation);
    put_number(out, " ", "lock", t->lock_generation);
    put_number(out, " ", "grant", t->grant);
    put_number(out, " ", "session", t->session);
    put_number(out, " ", "failed", t->failed);
    put_key(out, " ", "value", t->value);
    put_key(out, " ", "path", t->path);
    put(out, "\n");
}

void history_format_belief(struct buffer *out, const struct history_belief *b)
{
    put(out, "belief %" PRId64 " %" PRIu32 " %" PRId64, b->from_ns, b->client, b->until_ns);
    put_path(out, b->path);
    put(out, " %s %" PRIu64 "\n", b->exclusive ? "exclusive" : "shared", b->generation);
}

void history_format_loss(struct buffer *out, const struct history_loss *l)
{
    put(out, "loss %" PRId64 " %" PRIu32, l->at_ns, l->client);
    put_path(out, l->path);
    put(out, " %" PRIu64 "\n", l->generation);
}

void history_format_session(struct buffer *out, const struct history_session *s)
{
    put(out, "session %" PRId64 " %" PRIu32 " %" PRIu64 " %s\n", s->at_ns, s->client, s->session,
        history_session_name(s->state));
}

void history_format_event(struct buffer *out, const struct history_event *e)
{
    put(out, "event %" PRId64 " %" PRIu32 " %" PRIu64 " %s", e->at_ns, e->client, e->watch,
        history_event_name(e->kind));
    put_path(out, e->path);
    put(out, " %" PRIu64, e->revision);
    put_key(out, " ", "value", e->value);
    put_number(out, " ", "instance", e->instance);
    put_number(out, " ", "content", e->content_generation);
    put(out, "\n");
}

void history_format(struct buffer *out, const struct history *h)
{
    history_format_head(out);
    for (size_t i = 0; i < h->calls_count; i++) {
        history_format_invoke(out, &h->calls[i]);
        if (h->calls[i].returned_ns != HISTORY_NEVER)
            history_format_return(out, &h->calls[i]);
    }
    for (size_t i = 0; i < h->beliefs_count; i++)
        history_format_belief(out, &h->beliefs[i]);
    for (size_t i = 0; i < h->losses_count; i++)
        history_format_loss(out, &h->losses[i]);
    for (size_t i = 0; i < h->sessions_count; i++)
        history_format_session(out, &h->sessions[i]);
    for (size_t i = 0; i < h->events_count; i++)
        history_format_event(out, &h->events[i]);
}

/* ---- to a file ---- */

static bool append(int fd, struct buffer *line)
{
    CHECK(line->length <= HISTORY_LINE_BYTES_MAX);
    ssize_t written;
    do
        written = write(fd, line->data, line->length);
    while (written < 0 && errno == EINTR);
    bool whole = written >= 0 && (size_t)written == line->length;
    buffer_release(line);
    return whole;
}

bool history_write_head(int fd)
{
    struct buffer line = BUFFER_INIT;
    history_format_head(&line);
    return append(fd, &line);
}

bool history_write_invoke(int fd, const struct history_call *call)
{
    struct buffer line = BUFFER_INIT;
    history_format_invoke(&line, call);
    return append(fd, &line);
}

bool history_write_return(int fd, const struct history_call *call)
{
    struct buffer line = BUFFER_INIT;
    history_format_return(&line, call);
    return append(fd, &line);
}

bool history_write_belief(int fd, const struct history_belief *belief)
{
    struct buffer line = BUFFER_INIT;
    history_format_belief(&line, belief);
    return append(fd, &line);
}

bool history_write_loss(int fd, const struct history_loss *loss)
{
    struct buffer line = BUFFER_INIT;
    history_format_loss(&line, loss);
    return append(fd, &line);
}

bool history_write_session(int fd, const struct history_session *session)
{
    struct buffer line = BUFFER_INIT;
    history_format_session(&line, session);
    return append(fd, &line);
}

bool history_write_event(int fd, const struct history_event *event)
{
    struct buffer line = BUFFER_INIT;
    history_format_event(&line, event);
    return append(fd, &line);
}
