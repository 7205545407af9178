/* replay.c - the calls in the order of the revisions that their answers name.
 *
 * That the order agrees with time is seen to in times.c. Here changes and answers are
 * followed in the order of revisions through a model of each node. What it does not know, because
 * the call that did it came to no answer or to one without a revision, it takes from what is shown
 * next, if there is such a call. A path that calls may make on the way to one below is not judged
 * here.
 *
 * Source of the idea: linearizability is to agree with time and with one sequential run
 * (Herlihy and Wing 1990); the revision says which. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/history/facts.h"
#include "tests/history/judge.h"
#include "tests/history/times.h"

/* ---- the model ---- */

enum look_kind {
    LOOK_CHANGE, /* a fact whose revision is known */
    LOOK_NODE,   /* the node was there, with these generations, as far as they are known */
    LOOK_ABSENT,
    LOOK_OTHER_GENERATION, /* the content has not the one that was asked for */
};

struct look {
    enum look_kind kind;
    uint64_t revision;
    const char *path;
    const struct history_call *call;
    struct fact *fact; /* LOOK_CHANGE */
    const char *value; /* LOOK_NODE; NULL: not known */
    uint64_t content_generation, instance, lock_generation;
};

/* What the model has of a path: as its last change of known revision left it. */
struct node {
    struct fact *last; /* NULL: there was none, and it is absent */
    uint64_t revision; /* of that, or of a call of unknown outcome that was seen since */
    const char *value; /* NULL: not known */
    bool alive;
    uint64_t made;     /* at the latest made in this revision; 0: not known */
    uint64_t unmade;   /* was certainly not there in this revision */
    uint32_t removals; /* taken so far from calls of unknown outcome */
    uint64_t granted;  /* the highest grant up to here */
};

struct replay {
    struct history_report *report;
    struct facts facts;
    struct node *nodes; /* owned; by string number of the path */
    struct look *looks; /* owned */
    size_t count, capacity;
};

__attribute__((format(printf, 3, 4))) static void wrong(struct replay *p, const struct look *l,
                                                        const char *form, ...)
{
    char text[200], name[HISTORY_NAME_BYTES];
    va_list list;
    va_start(list, form);
    vsnprintf(text, sizeof(text), form, list);
    va_end(list);
    history_anomaly(p->report, HISTORY_BY_REPLAY, "%s, revision %" PRIu64 ": %.100s %s",
                    history_call_name(l->call, name), l->revision, l->path, text);
}

/* A change of unknown revision that was made by then and may have done this. */
static struct fact *perhaps(struct replay *p, const struct look *l, bool removal, const char *value,
                            uint64_t generation)
{
    size_t count;
    struct fact *list = facts_of(&p->facts, l->path, &count);
    for (size_t i = 0; i < count && list[i].revision == 0; i++) {
        struct fact *f = &list[i];
        if ((f->kind == FACT_DELETE) != removal || f->call->invoked_ns > l->call->returned_ns)
            continue;
        bool taken = f->found != 0 && generation != 0 && f->found != generation;
        if (!taken && (value == NULL || f->value == value))
            return f;
    }
    return NULL;
}

/* Between the last that is known and now it must have been removed; each call removes once. */
static bool may_be_removed(struct replay *p, const struct look *l, struct node *n)
{
    size_t count;
    uint32_t possible = 0;
    const struct fact *list = facts_of(&p->facts, l->path, &count);
    for (size_t i = 0; i < count && list[i].revision == 0; i++)
        possible += list[i].kind == FACT_DELETE && list[i].call->invoked_ns <= l->call->returned_ns;
    if (possible <= n->removals)
        return false;
    n->removals++;
    return true;
}

/* In the entry in which a leader resigns the next may be elected. */
static bool is_handed_on(const struct node *n)
{
    return n->last != NULL && n->last->call->ask.op == HISTORY_RELEASE;
}

static void check_there(struct replay *p, const struct look *l, const struct node *n)
{
    if (!n->alive && perhaps(p, l, false, NULL, 0) == NULL)
        wrong(p, l, "is there, but nothing made it since revision %" PRIu64, n->revision);
}

static void check_absent(struct replay *p, const struct look *l, struct node *n)
{
    if (n->alive && !may_be_removed(p, l, n))
        wrong(p, l, "is missing, but was there in revision %" PRIu64 " and nobody removed it",
              n->revision);
}

/* The content is of a generation that no answer to a writer has named. */
static void check_unknown(struct replay *p, const struct look *l, struct node *n)
{
    struct fact *f = perhaps(p, l, false, l->value, l->content_generation);
    if (f == NULL) {
        wrong(p, l, "has %s%s of generation %" PRIu64 ", which nobody wrote",
              l->value == NULL ? "content" : "value ", l->value == NULL ? "" : l->value,
              l->content_generation);
        return;
    }
    if (l->value != NULL)
        f->found = l->content_generation;
    n->alive = true;
    n->revision = l->content_generation;
    n->value = l->value;
    n->last = f;
}

static void check_node(struct replay *p, const struct look *l, struct node *n)
{
    uint64_t g = l->content_generation;
    if (g == 0) {
        check_there(p, l, n);
        return;
    }
    if (l->revision != 0 && g > l->revision) {
        wrong(p, l, "has generation %" PRIu64 ", which is of the future", g);
    } else if (g > n->revision) {
        check_unknown(p, l, n);
    } else if (g < n->revision) {
        wrong(p, l, "has generation %" PRIu64 ", but was %s in revision %" PRIu64, g,
              n->alive ? "written" : "deleted", n->revision);
    } else if (!n->alive) {
        wrong(p, l, "has generation %" PRIu64 ", but was missing in revision %" PRIu64, g,
              n->unmade);
    } else if (l->value != NULL &&
               (n->value == NULL || (n->value != l->value && is_handed_on(n)))) {
        check_unknown(p, l, n);
    } else if (l->value != NULL && l->value != n->value) {
        wrong(p, l, "has value %.60s, but %.60s was written", l->value, n->value);
    }
    if (l->instance != 0 && (l->instance > g || l->instance < n->made || l->instance <= n->unmade))
        wrong(p, l, "is of instance %" PRIu64 ", but was missing in revision %" PRIu64, l->instance,
              n->made > n->unmade ? n->made - 1 : n->unmade);
    bool same = l->instance != 0 && l->instance < n->granted;
    if (l->lock_generation != 0 && l->lock_generation < n->granted && same)
        wrong(p, l, "has lock generation %" PRIu64 ", but was locked in revision %" PRIu64,
              l->lock_generation, n->granted);
}

static void check_change(struct replay *p, const struct look *l, struct node *n)
{
    struct fact *f = l->fact;
    bool first = n->last == NULL || n->last->call != f->call;
    if (first && f->kind == FACT_CREATE)
        check_absent(p, l, n);
    else if (first && (f->kind == FACT_PUT || f->kind == FACT_DELETE))
        check_there(p, l, n);
    if (first && f->condition != 0 && f->condition < n->revision)
        wrong(p, l, "was to have generation %" PRIu64 ", but was changed in revision %" PRIu64,
              f->condition, n->revision);
    else if (first && f->condition > n->revision && perhaps(p, l, false, NULL, 0) == NULL)
        wrong(p, l, "was to have generation %" PRIu64 ", which nobody wrote", f->condition);
    if (first && n->last != NULL && n->revision == f->revision && !is_handed_on(n))
        wrong(p, l, "was changed twice in it");
    n->last = f;
    n->revision = f->revision;
    n->alive = f->kind != FACT_DELETE;
    n->value = f->kind == FACT_DELETE ? NULL : f->value;
    if (f->kind == FACT_CREATE)
        n->made = f->revision;
    else if (f->kind == FACT_DELETE)
        n->unmade = f->revision;
    if (n->alive && n->unmade >= f->revision)
        n->unmade = f->revision - 1; /* by a transaction that made it anew */
}

static void follow(struct replay *p, const struct look *l)
{
    struct node *n = &p->nodes[history_number(l->path)];
    p->report->judged[HISTORY_BY_REPLAY]++;
    switch (l->kind) {
    case LOOK_CHANGE:
        if (l->fact == NULL)
            n->granted = l->revision;
        else
            check_change(p, l, n);
        break;
    case LOOK_NODE:
        check_node(p, l, n);
        break;
    case LOOK_ABSENT:
        check_absent(p, l, n);
        n->alive = false;
        n->unmade = l->revision;
        break;
    case LOOK_OTHER_GENERATION:
        if (n->alive && n->revision == l->content_generation &&
            perhaps(p, l, false, NULL, 0) == NULL && perhaps(p, l, true, NULL, 0) == NULL)
            wrong(p, l, "has generation %" PRIu64 ", but was said not to", l->content_generation);
        break;
    }
}

/* ---- what the answers say ---- */

static void add_look(struct replay *p, const struct look *l)
{
    size_t count;
    if (l->path == NULL)
        return;
    /* Judged is what calls write; not the root, which was there before. */
    facts_of(&p->facts, l->path, &count);
    if (count == 0 || p->facts.on_the_way[history_number(l->path)] || strcmp(l->path, "/") == 0)
        return;
    if (p->count == p->capacity) {
        p->capacity = p->capacity == 0 ? 256 : 2 * p->capacity;
        p->looks = check_realloc(p->looks, p->capacity * sizeof(p->looks[0]));
    }
    p->looks[p->count++] = *l;
}

static void add_refusal(struct replay *p, const struct history_call *c)
{
    struct look l = {.revision = c->told.revision, .path = c->ask.path, .call = c};
    const struct history_ask *a = &c->ask;
    uint32_t failed = c->told.failed;
    if (a->op == HISTORY_TRANSACTION) {
        if (failed == 0 || failed > c->parts_count)
            return;
        a = &c->parts[failed - 1];
        l.path = a->path;
        for (uint32_t i = 0; i + 1 < failed; i++)
            if (c->parts[i].path == l.path)
                return; /* it may have seen what that did */
    }
    if (l.revision == 0 || a->sequential)
        return;
    switch (c->error) {
    case ERR_NO_NODE:
        l.kind = LOOK_ABSENT;
        break;
    case ERR_NODE_EXISTS:
    case ERR_NOT_EMPTY:
        l.kind = LOOK_NODE;
        break;
    case ERR_BAD_GENERATION:
        l.kind = LOOK_OTHER_GENERATION;
        l.content_generation = a->generation;
        break;
    default:
        return;
    }
    add_look(p, &l);
}

static void add_answer(struct replay *p, const struct history_call *c)
{
    enum history_outcome outcome = history_outcome(c);
    if (outcome == HISTORY_REFUSED && c->ask.op != HISTORY_KILL)
        add_refusal(p, c);
    if (outcome != HISTORY_DONE)
        return;
    if (c->told.grant != 0)
        add_look(
            p, &(struct look){
                   .kind = LOOK_CHANGE, .revision = c->told.grant, .path = c->ask.path, .call = c});
    if (c->ask.op != HISTORY_GET && c->ask.op != HISTORY_STAT)
        return;
    /* Without a revision it stands at the one that it shows, which says less. */
    uint64_t revision = c->told.revision != 0 ? c->told.revision : c->told.content_generation;
    if (revision != 0)
        add_look(p, &(struct look){.kind = LOOK_NODE,
                                   .revision = revision,
                                   .path = c->ask.path,
                                   .call = c,
                                   .value = c->told.value,
                                   .content_generation = c->told.content_generation,
                                   .instance = c->told.instance,
                                   .lock_generation = c->told.lock_generation});
}

static int by_revision(const void *left, const void *right)
{
    const struct look *a = left, *b = right;
    if (a->revision != b->revision)
        return a->revision < b->revision ? -1 : 1;
    if ((a->kind == LOOK_CHANGE) != (b->kind == LOOK_CHANGE))
        return a->kind == LOOK_CHANGE ? -1 : 1;
    size_t x = a->fact == NULL ? 0 : a->fact->order + 1,
           y = b->fact == NULL ? 0 : b->fact->order + 1;
    if (x != y)
        return x < y ? -1 : 1;
    return a->call < b->call ? -1 : a->call > b->call;
}

/* A call of unknown outcome that turns out to have happened did so after it was made. */
static void check_found(struct replay *p, const struct floors *floors)
{
    char name[HISTORY_NAME_BYTES], other[HISTORY_NAME_BYTES];
    for (size_t i = 0; i < p->facts.count; i++) {
        const struct fact *f = &p->facts.list[i];
        struct shown floor = floor_before(floors, f->call->invoked_ns);
        if (f->found == 0 || floor.revision < f->found)
            continue;
        history_anomaly(
            p->report, HISTORY_BY_REPLAY,
            "%s had revision %" PRIu64 ", but %s had shown revision %" PRIu64 " before it was made",
            history_call_name(f->call, name), f->found,
            floor.call == NULL ? "an event" : history_call_name(floor.call, other), floor.revision);
    }
}

void history_replay(const struct history *h, struct history_report *r)
{
    struct replay p = {.report = r};
    struct floors floors;
    floors_init(&floors, h);
    check_times(&floors, h, r);
    facts_init(&p.facts, h);
    p.nodes = check_calloc(history_strings_count(h) + 1, sizeof(p.nodes[0]));
    for (size_t i = 0; i < p.facts.count; i++) {
        struct fact *f = &p.facts.list[i];
        if (f->revision != 0)
            add_look(&p, &(struct look){.kind = LOOK_CHANGE,
                                        .revision = f->revision,
                                        .path = f->path,
                                        .call = f->call,
                                        .fact = f});
    }
    for (size_t i = 0; i < h->calls_count; i++)
        add_answer(&p, &h->calls[i]);
    if (p.count > 0)
        qsort(p.looks, p.count, sizeof(p.looks[0]), by_revision);
    for (size_t i = 0; i < p.count; i++)
        follow(&p, &p.looks[i]);
    check_found(&p, &floors);
    floors_release(&floors);
    free(p.nodes);
    free(p.looks);
    facts_release(&p.facts);
}
