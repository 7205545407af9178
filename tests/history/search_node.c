/* search_node.c - a node's content as an object to search an order for.
 *
 * Generations and instances are names here: equal or not, or not known, which is what a call
 * that came to no answer gives. They become known by the first answer that shows them. A
 * transaction stands on each path that it names with its parts of that path, which is less
 * than it promises and no less than one path shows. */
#include <string.h>

#include "tests/history/facts.h"
#include "tests/history/search_paths.h"
#include "tests/history/search_writers.h"

struct node {
    uint64_t alive, generation, instance, owner; /* 0: not known; owner: 0: permanent */
    uint64_t writer; /* the id of the operation that wrote it; 0: none that is known */
    const char *value;
};
_Static_assert(sizeof(struct node) <= SEARCH_STATE_BYTES, "the state has room for it");

static struct node get(const struct search_state *s)
{
    struct node n;
    memcpy(&n, s->bytes, sizeof(n));
    return n;
}

static void set(struct search_state *s, const struct node *n)
{
    memset(s, 0, sizeof(*s));
    memcpy(s->bytes, n, sizeof(*n));
}

static bool agree(uint64_t a, uint64_t b)
{
    return a == 0 || b == 0 || a == b;
}

/* ---- what a call does ---- */

static void make(struct node *n, const struct history_call *c, const struct history_ask *a,
                 uint64_t own)
{
    *n = (struct node){.alive = 1, .instance = own, .owner = a->ephemeral ? c->session : 0};
}

/* Whether one part can be done now, and does it. `own` is the revision of the change. */
static bool apply(const struct history_call *c, const struct history_ask *a, const char *empty,
                  uint64_t own, struct node *n)
{
    bool generation = a->generation == 0 || (n->alive && agree(a->generation, n->generation));
    bool instance = a->instance == 0 || (n->alive && agree(a->instance, n->instance));
    bool lock = a->op == HISTORY_ACQUIRE || a->op == HISTORY_TRY || a->op == HISTORY_RELEASE ||
                a->op == HISTORY_CHECK;
    if (!instance || (!generation && !lock))
        return false;
    switch (a->op) {
    case HISTORY_PUT:
        if (!n->alive && !a->makes)
            return false;
        if (!n->alive)
            make(n, c, a, own);
        break;
    case HISTORY_CREATE:
        if (n->alive)
            return false;
        make(n, c, a, own);
        break;
    case HISTORY_DELETE:
        if (!n->alive)
            return false;
        *n = (struct node){0};
        return true;
    case HISTORY_EXISTS:
    case HISTORY_GENERATION:
        return n->alive != 0;
    case HISTORY_ABSENT:
        return n->alive == 0;
    case HISTORY_ACQUIRE:
    case HISTORY_TRY:
    case HISTORY_RELEASE:
        if (!n->alive)
            return false;
        if (a->value == NULL && !a->clears)
            return true;
        break;
    default:
        return true;
    }
    n->generation = own;
    n->value = a->value == NULL ? empty : a->value;
    return true;
}

/* Whether the part can be refused like this now. */
static bool refuses(enum err error, const struct history_ask *a, const struct node *n)
{
    switch (error) {
    case ERR_NO_NODE:
        return !n->alive;
    case ERR_NODE_EXISTS:
    case ERR_NOT_EMPTY:
        return n->alive != 0;
    case ERR_BAD_GENERATION:
        return !n->alive || n->generation == 0 || n->generation != a->generation;
    case ERR_INSTANCE_GONE:
        return !n->alive || n->instance == 0 || n->instance != a->instance;
    default:
        return true; /* says nothing of the content */
    }
}

/* Of a read that succeeded: the state must be what it shows, and is better known then. */
static bool shows(const struct history_call *c, struct node *n)
{
    const struct history_told *t = &c->told;
    if (!n->alive || !agree(t->content_generation, n->generation) ||
        !agree(t->instance, n->instance) || (t->value != NULL && t->value != n->value))
        return false;
    if (n->generation == 0)
        n->generation = t->content_generation;
    if (n->instance == 0)
        n->instance = t->instance;
    return true;
}

static bool step_parts(const struct search_node *x, const struct history_call *c, struct node *n)
{
    uint32_t count;
    const struct history_ask *parts = history_parts(c, &count);
    enum history_outcome outcome = history_outcome(c);
    uint32_t failed = outcome != HISTORY_REFUSED         ? 0
                      : c->ask.op == HISTORY_TRANSACTION ? c->told.failed
                                                         : 1;
    struct node before = *n;
    for (uint32_t i = 0; i < count; i++) {
        bool here = history_place(c, &parts[i]) == x->path;
        if (i + 1 == failed) {
            bool refused = refuses(c->error, &parts[i], n);
            *n = before;
            return refused;
        }
        if (here && !apply(c, &parts[i], x->empty, search_node_revision(c), n))
            return false;
    }
    return true;
}

static bool step(const void *context, const struct search_op *op, const struct search_state *from,
                 struct search_state *ret)
{
    const struct search_node *x = context;
    const struct history_call *c = op->call;
    struct node n = get(from);
    bool fits = true;
    if (op->what == SEARCH_NODE_SESSION_ENDS) {
        fits = n.alive && n.owner == c->session && n.owner != 0;
        n = (struct node){0};
    } else if (history_outcome(c) == HISTORY_DONE &&
               (c->ask.op == HISTORY_GET || c->ask.op == HISTORY_STAT)) {
        fits = shows(c, &n);
    } else {
        fits = step_parts(x, c, &n);
    }
    if (fits && op->what == SEARCH_NODE_CALL && !op->reads && search_node_last_write(x, c) != NULL)
        n.writer = n.alive ? op->id : 0;
    if (fits)
        set(ret, &n);
    return fits;
}

static uint32_t writer(const struct search_state *state)
{
    return (uint32_t)get(state).writer;
}

/* ---- which calls there are ---- */

static bool concerns_content(const struct history_call *c, const struct history_ask *a)
{
    switch (a->op) {
    case HISTORY_GET:
    case HISTORY_STAT:
        return c->freshness != HISTORY_STALE;
    case HISTORY_PUT:
    case HISTORY_CREATE:
    case HISTORY_DELETE:
    case HISTORY_EXISTS:
    case HISTORY_ABSENT:
    case HISTORY_GENERATION:
        return true;
    case HISTORY_ACQUIRE:
    case HISTORY_TRY:
        return a->value != NULL || history_outcome(c) == HISTORY_REFUSED;
    case HISTORY_RELEASE:
        return a->clears;
    default:
        return false;
    }
}

/* The call on the path of part `at`, if it is the first of this path. */
static void add_part(struct search_paths *p, const struct history_call *c,
                     const struct history_ask *parts, uint32_t count, uint32_t at)
{
    enum history_outcome outcome = history_outcome(c);
    const char *path = history_place(c, &parts[at]);
    bool is_read = c->ask.op == HISTORY_GET || c->ask.op == HISTORY_STAT;
    if (path == NULL || outcome == HISTORY_NOTHING || !concerns_content(c, &parts[at]) ||
        (is_read && outcome == HISTORY_UNKNOWN))
        return;
    for (uint32_t i = 0; i < at; i++)
        if (history_place(c, &parts[i]) == path && concerns_content(c, &parts[i]))
            return;
    struct search_op op = {c->invoked_ns, c->returned_ns, c, is_read, SEARCH_NODE_CALL, 0, 0, NULL};
    if (outcome == HISTORY_REFUSED)
        op.reads = true;
    if (outcome == HISTORY_UNKNOWN)
        op.returned_ns = HISTORY_NEVER;
    if (outcome == HISTORY_REFUSED && c->ask.op == HISTORY_TRANSACTION &&
        (c->told.failed == 0 || c->told.failed > count || parts[c->told.failed - 1].path != path))
        return;
    if (outcome == HISTORY_REFUSED && c->ask.op == HISTORY_RELEASE)
        return;
    search_paths_add(p, history_number(path), &op);
}

static void gather(struct search_paths *p, const struct history *h)
{
    for (size_t i = 0; i < h->calls_count; i++) {
        const struct history_call *c = &h->calls[i];
        uint32_t count;
        const struct history_ask *parts = history_parts(c, &count);
        for (uint32_t k = 0; k < count; k++) {
            add_part(p, c, parts, count, k);
            enum history_outcome outcome = history_outcome(c);
            bool made = outcome == HISTORY_DONE || outcome == HISTORY_UNKNOWN;
            const char *path = history_place(c, &parts[k]);
            if (parts[k].ephemeral && made && path != NULL)
                search_paths_add(p, history_number(path),
                                 &(struct search_op){c->invoked_ns, HISTORY_NEVER, c, false,
                                                     SEARCH_NODE_SESSION_ENDS, 0, 0, NULL});
        }
    }
}

void search_nodes(const struct history *h, struct history_report *r)
{
    struct search_paths paths = {0};
    struct facts facts;
    const char *empty = history_known(h, "");
    facts_init(&facts, h);
    gather(&paths, h);
    search_paths_sort(&paths);
    struct search_op *ops = paths.ops;
    for (size_t i = 0, count; i < paths.count; i += count) {
        const uint32_t number = paths.list[i].path;
        const struct history_ask *parts;
        const char *path = NULL;
        uint32_t parts_count;
        count = search_paths_take(&paths, i);
        parts = history_parts(ops[0].call, &parts_count);
        for (uint32_t k = 0; k < parts_count; k++) {
            const char *place = history_place(ops[0].call, &parts[k]);
            if (place != NULL && history_number(place) == number)
                path = place;
        }
        size_t changes;
        facts_of(&facts, path, &changes);
        if (facts.on_the_way[number] || strcmp(path, "/") == 0 || changes == 0) {
            r->left_out++;
            continue;
        }
        struct search_node x = {path, empty == NULL ? "" : empty};
        struct search_object object = {&x, step, writer, {{0}}, NULL};
        search_node_name_writers(&x, ops, count);
        search_judge(r, &object, ops, count, path, "");
    }
    search_paths_release(&paths);
    facts_release(&facts);
}
