/* recorder.c - see recorder.h. */
#include "tests/sim/recorder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/history/format.h"
#include "tests/history/judge.h"
#include "tests/sim/paths.h"
#include "tests/sim/sim.h"

enum {
    SEARCH_STEPS_MAX = 50 * 1000, /* of one path */
    LIVES_MAX = 1 << 20,
    NUMBER_BYTES = 24,
};
_Static_assert(COORD__V1__EVENT__KIND__CHILD_REMOVED == (int)HISTORY_EVENT_CHILD_REMOVED,
               "kinds of events are numbered alike");
_Static_assert(COORD__V1__EVENT__KIND__PROGRESS == (int)HISTORY_EVENT_TOLD,
               "kinds of events are numbered alike");
_Static_assert(COORD__V1__EVENT__KIND__RESYNC == (int)HISTORY_EVENT_RESYNC,
               "kinds of events are numbered alike");

void recorder_begin(struct sim *s)
{
    s->history = check_malloc(sizeof(*s->history));
    history_init(s->history);
}

void recorder_end(struct sim *s)
{
    if (s->history == NULL)
        return;
    history_release(s->history);
    free(s->history);
    s->history = NULL;
}

/* As lines of a file that coord-history reads. */
static void trace_history(struct sim *s)
{
    struct buffer file = BUFFER_INIT;
    history_format(&file, s->history);
    for (size_t at = 0, end; at < file.length; at = end + 1) {
        for (end = at; file.data[end] != '\n';)
            end++;
        journal_trace(&s->journal, "history | %.*s", (int)(end - at), (const char *)file.data + at);
    }
    buffer_release(&file);
}

void recorder_judge(struct sim *s)
{
    struct history_report r;
    if (s->history == NULL)
        return;
    history_report_init(&r, SEARCH_STEPS_MAX);
    history_judge(s->history, &r);
    s->journal.counts[COUNT_HISTORY_SEARCHES] += r.searched;
    s->journal.counts[COUNT_HISTORY_SEARCHES_GIVEN_UP] += r.gave_up;
    if (r.gave_up > 0)
        journal_trace(&s->journal, "history, search gave up: %s", r.gave_up_on);
    for (uint32_t i = 0; i < r.kept_count; i++)
        journal_trace(&s->journal, "history, %s: %s", history_checker_name(r.kept[i].by),
                      r.kept[i].text);
    if (history_verdict(&r) != HISTORY_FINE && s->journal.tells)
        trace_history(s);
    if (history_verdict(&r) == HISTORY_ANOMALY)
        journal_fail(&s->journal, VERDICT_SAFETY, "what clients saw (%s): %s",
                     history_checker_name(r.kept[0].by), r.kept[0].text);
}

/* ---- what is asked ---- */

/* One for each session of each client, also of one that is not open yet. */
static uint64_t session_of(const struct client *c)
{
    return (uint64_t)(c->index + 1) * LIVES_MAX + c->life;
}

static uint64_t session_of_id(const struct sim *s, uint64_t id)
{
    for (uint32_t i = 0; i < s->swarm.clients; i++)
        if (s->clients[i].id == id)
            return session_of(&s->clients[i]);
    return 0;
}

/* Contents are known by the number with which they begin. */
static const char *value_text(ProtobufCBinaryData data, char text[NUMBER_BYTES])
{
    uint64_t number = 0;
    for (size_t i = 0; i < 8 && i < data.len; i++)
        number |= (uint64_t)data.data[i] << (8 * i);
    snprintf(text, NUMBER_BYTES, "%" PRIu64, number);
    return data.len == 0 ? "" : text;
}

/* All sequencers are of the last grant that the client has seen. */
static struct history_guard guard_of(const struct client *c, const char *sequencer)
{
    if (sequencer[0] == '\0')
        return (struct history_guard){0};
    return (struct history_guard){path_text(c->player.sequencer.path),
                                  c->player.sequencer.generation, c->player.sequencer.exclusive};
}

static struct history_ask ask_create(const struct client *c, const Coord__V1__Create *m,
                                     char text[NUMBER_BYTES])
{
    return (struct history_ask){.op = HISTORY_CREATE,
                                .path = m->path,
                                .value = value_text(m->content, text),
                                .guard = guard_of(c, m->sequencer),
                                .parents = m->parents,
                                .ephemeral = m->ephemeral,
                                .sequential = m->sequential};
}

static struct history_ask ask_put(const struct client *c, const Coord__V1__Put *m,
                                  char text[NUMBER_BYTES])
{
    const Coord__V1__Condition *condition = m->condition;
    struct history_ask a = {.op = HISTORY_PUT,
                            .path = m->path,
                            .value = value_text(m->content, text),
                            .makes = m->create,
                            .parents = m->parents};
    if (condition == NULL)
        return a;
    a.generation = condition->content_generation;
    a.guard = guard_of(c, condition->sequencer);
    return a;
}

static struct history_ask ask_check(const struct client *c, const Coord__V1__Check *m)
{
    struct history_guard guard = guard_of(c, m->sequencer);
    enum history_op op = m->absent                    ? HISTORY_ABSENT
                         : m->content_generation != 0 ? HISTORY_GENERATION
                                                      : HISTORY_EXISTS;
    if (guard.generation != 0)
        return (struct history_ask){.op = HISTORY_CHECK,
                                    .path = guard.path,
                                    .generation = guard.generation,
                                    .exclusive = guard.exclusive};
    return (struct history_ask){.op = op, .path = m->path, .generation = m->content_generation};
}

static void ask_transaction(const struct client *c, const Coord__V1__Transaction *m,
                            struct history_call *h, char texts[][NUMBER_BYTES])
{
    h->ask.op = HISTORY_TRANSACTION;
    for (size_t i = 0; i < m->n_checks; i++)
        h->parts[h->parts_count++] = ask_check(c, m->checks[i]);
    for (size_t i = 0; i < m->n_changes; i++) {
        const Coord__V1__Change *change = m->changes[i];
        struct history_ask *a = &h->parts[h->parts_count++];
        if (change->op_case == COORD__V1__CHANGE__OP_CREATE)
            *a = ask_create(c, change->create, texts[i]);
        else if (change->op_case == COORD__V1__CHANGE__OP_PUT)
            *a = ask_put(c, change->put, texts[i]);
        else
            *a = (struct history_ask){.op = HISTORY_DELETE, .path = change->delete_->path};
    }
}

static void invoke(struct client *c, struct call *call, struct history_call *h)
{
    h->client = c->index;
    h->number = call->token;
    h->invoked_ns = c->sim->now_ns;
    h->freshness = call->stale ? HISTORY_STALE : HISTORY_LEASE;
    call->record = history_invoke(c->sim->history, h) + 1;
}

void record_write(struct client *c, struct call *call, const Coord__V1__Write *w)
{
    struct history_ask parts[2 + PLAYER_CHANGES_MAX];
    struct history_call h = {.session = call->channel == 0 ? session_of(c) : 0, .parts = parts};
    char texts[PLAYER_CHANGES_MAX][NUMBER_BYTES];
    if (c->sim->history == NULL)
        return;
    switch (w->op_case) {
    case COORD__V1__WRITE__OP_CREATE:
        h.ask = ask_create(c, w->create, texts[0]);
        break;
    case COORD__V1__WRITE__OP_PUT:
        h.ask = ask_put(c, w->put, texts[0]);
        break;
    case COORD__V1__WRITE__OP_DELETE:
        h.ask = (struct history_ask){.op = HISTORY_DELETE, .path = w->delete_->path};
        break;
    case COORD__V1__WRITE__OP_ACQUIRE:
        h.ask = (struct history_ask){.op = w->acquire->wait ? HISTORY_ACQUIRE : HISTORY_TRY,
                                     .path = w->acquire->path,
                                     .exclusive =
                                         w->acquire->mode == COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE};
        if (w->acquire->on_grant_case == COORD__V1__ACQUIRE__ON_GRANT_CONTENT)
            h.ask.value = value_text(w->acquire->content, texts[0]);
        break;
    case COORD__V1__WRITE__OP_RELEASE:
        h.ask = (struct history_ask){.op = HISTORY_RELEASE,
                                     .path = w->release->path,
                                     .generation = call->generation,
                                     .instance = w->release->instance,
                                     .clears = w->release->clear_content};
        break;
    case COORD__V1__WRITE__OP_TRANSACTION:
        ask_transaction(c, w->transaction, &h, texts);
        break;
    case COORD__V1__WRITE__OP_FORCE_UNLOCK:
        h.ask = (struct history_ask){.op = HISTORY_FORCE, .path = w->force_unlock->path};
        break;
    case COORD__V1__WRITE__OP_KILL_SESSION:
        h.ask.op = HISTORY_KILL;
        h.session = session_of_id(c->sim, w->kill_session->session);
        break;
    default:
        return;
    }
    invoke(c, call, &h);
}

void record_read(struct client *c, struct call *call, const Coord__V1__Read *r)
{
    struct history_call h = {.session = call->channel == 0 ? session_of(c) : 0};
    if (c->sim->history == NULL)
        return;
    if (r->op_case == COORD__V1__READ__OP_GET)
        h.ask = (struct history_ask){.op = HISTORY_GET, .path = r->get->path};
    else if (r->op_case == COORD__V1__READ__OP_STAT)
        h.ask = (struct history_ask){.op = HISTORY_STAT, .path = r->stat->path};
    else if (r->op_case == COORD__V1__READ__OP_CHECK)
        h.ask = (struct history_ask){.op = HISTORY_CHECK,
                                     .path = path_text(call->path),
                                     .generation = call->generation,
                                     .exclusive = call->exclusive};
    else
        return; /* a listing */
    invoke(c, call, &h);
}

void record_watch(struct client *c, struct call *call, const Coord__V1__Watch *w)
{
    struct history_call h = {.session = session_of(c),
                             .ask = {.op = HISTORY_WATCH, .path = w->path},
                             .watch = w->id,
                             .from = w->known_revision};
    if (c->sim->history == NULL)
        return;
    h.watches = HISTORY_WATCH_EVERY;
    h.watches |= w->content ? HISTORY_WATCH_CONTENT : 0;
    h.watches |= w->lock ? HISTORY_WATCH_LOCK : 0;
    h.watches |= w->children ? HISTORY_WATCH_CHILDREN : 0;
    h.watches |= w->subtree ? HISTORY_WATCH_SUBTREE : 0;
    invoke(c, call, &h);
}

void record_close(struct client *c, struct call *call)
{
    struct history_call h = {.session = session_of(c), .ask = {.op = HISTORY_CLOSE}};
    if (c->sim->history != NULL)
        invoke(c, call, &h);
}

/* ---- what is told ---- */

static void tell_stat(struct history_told *t, const Coord__V1__Stat *stat)
{
    if (stat == NULL)
        return;
    t->instance = stat->instance;
    t->content_generation = stat->content_generation;
    t->lock_generation = stat->lock_generation;
}

void record_answer(struct client *c, const struct call *call, enum err status, bool not_applied,
                   const Coord__V1__Answer *a)
{
    struct history_call h = {
        .returned_ns = c->sim->now_ns, .error = status, .not_applied = not_applied};
    char text[NUMBER_BYTES];
    if (c->sim->history == NULL || call->record == 0)
        return;
    if (a != NULL) {
        h.told.revision = a->revision;
        switch (a->body_case) {
        case COORD__V1__ANSWER__BODY_STAT:
            tell_stat(&h.told, a->stat);
            if (call->op == OP_SEQUENTIAL)
                h.told.path = a->stat->path;
            break;
        case COORD__V1__ANSWER__BODY_CONTENT:
            tell_stat(&h.told, a->content->stat);
            h.told.value = value_text(a->content->data, text);
            break;
        case COORD__V1__ANSWER__BODY_GRANTED:
            h.told.grant = a->granted->generation;
            break;
        case COORD__V1__ANSWER__BODY_DONE:
            h.told.failed = a->done->failed;
            break;
        default:
            break;
        }
    }
    history_return(c->sim->history, call->record - 1, &h);
}

void record_event(struct client *c, const Coord__V1__Event *event)
{
    struct sim *s = c->sim;
    struct history_event e = {.client = c->index,
                              .watch = event->watch,
                              .kind = (enum history_event_kind)event->kind,
                              .revision = event->revision,
                              .at_ns = s->now_ns};
    char text[NUMBER_BYTES];
    if (s->history == NULL)
        return;
    for (uint32_t i = 0; event->path[0] == '\0' && i < c->watcher.count; i++)
        if (c->watcher.list[i].id == event->watch)
            e.path = path_text(c->watcher.list[i].path);
    if (event->path[0] != '\0')
        e.path = event->path;
    if (e.path == NULL)
        return; /* of a watch that it has not: said elsewhere */
    if (event->value.len > 0)
        e.value = value_text(event->value, text);
    if (event->stat != NULL) {
        e.instance = event->stat->instance;
        e.content_generation = event->stat->content_generation;
    }
    history_event(s->history, &e);
}

/* ---- beliefs ---- */

/* From when the grant is first believed in to when it is last. */
void record_beliefs(struct client *c)
{
    struct history *h = c->sim->history;
    if (h == NULL || c->sim->swarm.wild_clocks != 0)
        return;
    for (uint32_t i = 0; i < c->player.holds_count; i++) {
        struct hold *hold = &c->player.holds[i];
        if (hold->doubted)
            continue;
        if (hold->belief == 0) {
            history_believe(h, &(struct history_belief){.client = c->index,
                                                        .path = path_text(hold->path),
                                                        .exclusive = hold->exclusive,
                                                        .generation = hold->generation,
                                                        .from_ns = c->sim->now_ns});
            hold->belief = h->beliefs_count;
        }
        h->beliefs[hold->belief - 1].until_ns = c->sim->now_ns;
    }
}

void record_loss(struct client *c, const struct hold *hold)
{
    if (c->sim->history != NULL)
        history_lose(c->sim->history, &(struct history_loss){.client = c->index,
                                                             .path = path_text(hold->path),
                                                             .generation = hold->generation,
                                                             .at_ns = c->sim->now_ns});
}
