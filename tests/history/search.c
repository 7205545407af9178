/* search.c - see search.h.
 *
 * Depth first: from what has been put in order, and the state of the object after it, each
 * operation that may be next is tried, which is each that was invoked before the first return of
 * those that are left (Wing and Gong, 1993). A pair of set and state that came to nothing
 * once is not tried again (Lowe, 2017). Five rules keep the number of pairs small, and lose no
 * order that exists:
 *
 * 1. One that reads, and fits, is put next at once, without an alternative: in any order that
 *    exists it could be moved here.
 * 2. One that need not have happened is put only where the next makes a difference of it: where
 *    the next would not fit, or leave another state, without it, and with it afterwards.
 *    Else it could be moved behind the next, or left out.
 * 3. Those that must be in the order are tried before those that need not, and in the order of
 *    their returns: what came back first was most likely first.
 * 4. But if the one that has to be next, because it returned first, does not fit yet, those
 *    are tried first after which it does.
 *
 * 5. What somebody left, and others that must be in the order were answered in, is not
 *    overwritten before those are put: it never comes back.
 *
 * Sets are known by the exclusive or of random 128-bit numbers, one for each member: two that are
 * different are taken for the same once in 2^128 pairs. */
#include "tests/history/search.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"
#include "libcoord/base/prng.h"
#include "tests/history/search_memo.h"

/* An invocation or return in the list of those that must be put and are not yet. */
struct end {
    int64_t at_ns;
    uint32_t op;
    bool is_return;
    uint32_t before, after; /* in the list; 0 is its head */
};

struct frame {
    struct search_state state;
    struct search_state earlier; /* before the last, if that was one that need not be */
    uint32_t pending;            /* the last + 1, if it was such; 0: it was not */
    uint32_t put;                /* by which this frame was reached; its op + 1 */
    uint32_t tried;              /* the return of the one that was tried last; 0: none was */
    uint32_t next_optional;
    bool second; /* rule 4: those that help were tried */
    bool forced; /* rule 1: there is nothing else to try */
};

struct searcher {
    const struct search_object *object;
    struct search_op *ops; /* those that must be put first, by invocation; then the others */
    uint32_t count, must;
    struct end *ends;          /* owned; from 1 */
    uint32_t *ends_of;         /* owned; of each that must be: its invocation's end */
    uint32_t *return_of;       /* owned */
    bool *taken;               /* owned; of those that need not be */
    uint32_t *waiting;         /* owned; by id: how many that must be put and are not yet need it */
    struct search_name *names; /* owned; of each op */
    struct search_name set;
    struct search_memo memo;
    struct frame *frames; /* owned */
    uint32_t depth, put, best;
    struct search_outcome *out;
};

/* ---- the list ---- */

static int by_time(const void *left, const void *right)
{
    const struct end *a = left, *b = right;
    if (a->at_ns != b->at_ns)
        return a->at_ns < b->at_ns ? -1 : 1;
    if (a->is_return != b->is_return)
        return a->is_return ? 1 : -1; /* at the same moment: they overlap */
    return a->op < b->op ? -1 : a->op > b->op;
}

static void make_list(struct searcher *s)
{
    uint32_t count = 2 * s->must;
    s->ends = check_calloc(count + 1, sizeof(s->ends[0]));
    s->ends_of = check_calloc(s->must + 1, sizeof(s->ends_of[0]));
    s->return_of = check_calloc(s->must + 1, sizeof(s->return_of[0]));
    for (uint32_t i = 0; i < s->must; i++) {
        s->ends[1 + 2 * i] = (struct end){s->ops[i].invoked_ns, i, false, 0, 0};
        s->ends[2 + 2 * i] = (struct end){s->ops[i].returned_ns, i, true, 0, 0};
    }
    qsort(s->ends + 1, count, sizeof(s->ends[0]), by_time);
    for (uint32_t i = 0; i <= count; i++) {
        s->ends[i].before = i == 0 ? count : i - 1;
        s->ends[i].after = i == count ? 0 : i + 1;
        if (i > 0)
            (s->ends[i].is_return ? s->return_of : s->ends_of)[s->ends[i].op] = i;
    }
}

static void unlink_end(struct searcher *s, uint32_t at)
{
    struct end *e = &s->ends[at];
    s->ends[e->before].after = e->after;
    s->ends[e->after].before = e->before;
}

static void link_end(struct searcher *s, uint32_t at)
{
    struct end *e = &s->ends[at];
    s->ends[e->before].after = at;
    s->ends[e->after].before = at;
}

static void name(struct searcher *s, uint32_t op)
{
    s->set.a ^= s->names[op].a;
    s->set.b ^= s->names[op].b;
}

static void take(struct searcher *s, uint32_t op)
{
    name(s, op);
    if (op >= s->must) {
        s->taken[op - s->must] = true;
        return;
    }
    s->waiting[s->ops[op].needs]--;
    unlink_end(s, s->ends_of[op]);
    unlink_end(s, s->return_of[op]);
    s->put++;
}

static void give_back(struct searcher *s, uint32_t op)
{
    name(s, op);
    if (op >= s->must) {
        s->taken[op - s->must] = false;
        return;
    }
    s->waiting[s->ops[op].needs]++;
    link_end(s, s->return_of[op]);
    link_end(s, s->ends_of[op]);
    s->put--;
}

/* ---- the memo ---- */

static struct slice bytes_of(const struct search_state *state)
{
    return slice_of(state->bytes, sizeof(state->bytes));
}

/* False: it was there, or there is no room. */
static bool remember(struct searcher *s, const struct frame *f)
{
    struct search_name key = s->set;
    key.a ^= hash_bytes(1, bytes_of(&f->state));
    key.b ^= hash_bytes(2, bytes_of(&f->state));
    if (f->pending != 0) {
        key.a += hash_bytes(3 + f->pending, bytes_of(&f->earlier));
        key.b += hash_bytes(4 + f->pending, bytes_of(&f->earlier));
    }
    enum search_memo_result result = search_memo_add(&s->memo, key);
    if (result == SEARCH_MEMO_FULL)
        s->out->result = SEARCH_GAVE_UP;
    return result == SEARCH_MEMO_NEW;
}

/* ---- the search ---- */

static bool step(struct searcher *s, uint32_t op, const struct search_state *from,
                 struct search_state *ret)
{
    s->out->steps++;
    return s->object->step(s->object->context, &s->ops[op], from, ret);
}

static bool is_equal(const struct search_state *a, const struct search_state *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Rule 2, of `op`, which leaves `after`. */
static bool makes_no_difference(struct searcher *s, const struct frame *f, uint32_t op,
                                const struct search_state *after)
{
    struct search_state without, swapped;
    if (f->pending == 0 || !step(s, op, &f->earlier, &without))
        return false;
    if (is_equal(&without, after))
        return true;
    /* Of two that need not be, and may be swapped, the first of them comes first. */
    bool swap = op < s->must || op < f->pending - 1;
    return swap && step(s, f->pending - 1, &without, &swapped) && is_equal(&swapped, after);
}

/* Rule 5. */
static bool overwrites(const struct searcher *s, const struct frame *f, uint32_t op,
                       const struct search_state *after)
{
    if (s->object->writer == NULL)
        return false;
    uint32_t writer = s->object->writer(&f->state);
    bool own = op < s->must && s->ops[op].needs == writer;
    return writer != 0 && writer != s->object->writer(after) &&
           s->waiting[writer] > (own ? 1U : 0U);
}

static void push(struct searcher *s, uint32_t op, const struct search_state *state)
{
    struct frame *from = &s->frames[s->depth++], *to = &s->frames[s->depth];
    take(s, op);
    *to = (struct frame){.state = *state, .put = op + 1};
    if (op >= s->must) {
        to->earlier = from->state;
        to->pending = op + 1;
    }
    if (s->put > s->best || s->out->stuck == NULL) {
        s->best = s->put;
        uint32_t at = s->ends[0].after;
        while (at != 0 && !s->ends[at].is_return)
            at = s->ends[at].after;
        s->out->stuck = at == 0 ? NULL : &s->ops[s->ends[at].op];
    }
}

/* Rule 1. False: there is none such. */
static bool push_forced(struct searcher *s, struct frame *f)
{
    struct search_state after;
    for (uint32_t at = s->ends[0].after; at != 0 && !s->ends[at].is_return;
         at = s->ends[at].after) {
        uint32_t op = s->ends[at].op;
        if (!s->ops[op].reads || !step(s, op, &f->state, &after) || !is_equal(&f->state, &after) ||
            makes_no_difference(s, f, op, &after))
            continue;
        f->forced = true;
        push(s, op, &after);
        return true;
    }
    return false;
}

/* Of those that may be next, and have not been tried, the one that returned first: it is the
 * likeliest. Its return; 0: none. Ends are numbered in the order of time. */
static uint32_t next_return(const struct searcher *s, const struct frame *f, int64_t *ret_until_ns)
{
    uint32_t best = 0, at = s->ends[0].after;
    for (; at != 0 && !s->ends[at].is_return; at = s->ends[at].after) {
        uint32_t end = s->return_of[s->ends[at].op];
        if (end > f->tried && (best == 0 || end < best))
            best = end;
    }
    *ret_until_ns = at == 0 ? HISTORY_NEVER : s->ends[at].at_ns;
    return best;
}

/* Whether it can be put next, and lets `urgent` (UINT32_MAX: there is none) fit as is wanted. */
static bool is_worth(struct searcher *s, const struct frame *f, uint32_t op, uint32_t urgent,
                     bool wanted, struct search_state *ret_after)
{
    struct search_state then;
    if (!step(s, op, &f->state, ret_after) || (op >= s->must && is_equal(&f->state, ret_after)) ||
        overwrites(s, f, op, ret_after) || makes_no_difference(s, f, op, ret_after))
        return false;
    bool helps = urgent != UINT32_MAX && op != urgent && step(s, urgent, ret_after, &then);
    return helps == wanted;
}

static bool push_wanted(struct searcher *s, struct frame *f, uint32_t urgent, bool wanted)
{
    struct search_state after;
    int64_t until_ns;
    for (uint32_t end; (end = next_return(s, f, &until_ns)) != 0;) {
        f->tried = end;
        if (is_worth(s, f, s->ends[end].op, urgent, wanted, &after)) {
            push(s, s->ends[end].op, &after);
            return true;
        }
    }
    while (s->must + f->next_optional < s->count) {
        uint32_t op = s->must + f->next_optional;
        if (s->ops[op].invoked_ns > until_ns)
            return false;
        f->next_optional++;
        if (!s->taken[op - s->must] && is_worth(s, f, op, urgent, wanted, &after)) {
            push(s, op, &after);
            return true;
        }
    }
    return false;
}

/* Rule 4. */
static bool push_next(struct searcher *s, struct frame *f)
{
    struct search_state then;
    uint32_t at = s->ends[0].after;
    while (!s->ends[at].is_return)
        at = s->ends[at].after;
    uint32_t urgent = s->ends[at].op;
    if (step(s, urgent, &f->state, &then))
        urgent = UINT32_MAX;
    if (!f->second && urgent != UINT32_MAX && push_wanted(s, f, urgent, true))
        return true;
    if (!f->second) {
        f->second = true;
        f->tried = f->next_optional = 0;
    }
    return push_wanted(s, f, urgent, false);
}

static void run(struct searcher *s, uint64_t steps_max)
{
    bool fresh = true;
    s->frames[0] = (struct frame){.state = s->object->start};
    for (;;) {
        struct frame *f = &s->frames[s->depth];
        if (s->ends[0].after == 0) {
            s->out->result = SEARCH_FOUND;
            return;
        }
        if (s->out->result == SEARCH_GAVE_UP || s->out->steps > steps_max) {
            s->out->result = SEARCH_GAVE_UP;
            return;
        }
        bool dead = f->forced || (fresh && !remember(s, f));
        if (!dead && ((fresh && push_forced(s, f)) || push_next(s, f))) {
            fresh = true;
            continue;
        }
        if (s->depth == 0)
            return;
        give_back(s, f->put - 1);
        s->depth--;
        fresh = false;
    }
}

static int by_invocation(const void *left, const void *right)
{
    const struct search_op *a = left, *b = right;
    bool x = a->returned_ns == HISTORY_NEVER, y = b->returned_ns == HISTORY_NEVER;
    if (x != y)
        return x ? 1 : -1;
    if (a->invoked_ns != b->invoked_ns)
        return a->invoked_ns < b->invoked_ns ? -1 : 1;
    if (a->call != b->call)
        return a->call < b->call ? -1 : 1;
    return a->what < b->what ? -1 : a->what > b->what;
}

void search(const struct search_object *o, struct search_op *ops, size_t count, uint64_t steps_max,
            struct search_outcome *ret)
{
    struct searcher s = {.object = o, .ops = ops, .count = (uint32_t)count, .out = ret};
    struct prng random;
    memset(ret, 0, sizeof(*ret));
    ret->result = SEARCH_NONE;
    CHECK(count < UINT32_MAX / 2);
    qsort(ops, count, sizeof(ops[0]), by_invocation);
    while (s.must < s.count && ops[s.must].returned_ns != HISTORY_NEVER)
        s.must++;
    make_list(&s);
    s.waiting = check_calloc(count + 1, sizeof(s.waiting[0]));
    for (uint32_t i = 0; i < s.must; i++)
        s.waiting[ops[i].needs]++;
    s.taken = check_calloc(count + 1, sizeof(s.taken[0]));
    s.names = check_calloc(count + 1, sizeof(s.names[0]));
    s.frames = check_calloc(count + 1, sizeof(s.frames[0]));
    prng_init(&random, 1);
    for (size_t i = 0; i < count; i++)
        s.names[i] = (struct search_name){prng_next(&random), prng_next(&random)};
    run(&s, steps_max);
    if (ret->result == SEARCH_NONE && o->crowded != NULL && *o->crowded)
        ret->result = SEARCH_GAVE_UP;
    free(s.ends);
    free(s.ends_of);
    free(s.return_of);
    free(s.taken);
    free(s.waiting);
    free(s.names);
    search_memo_release(&s.memo);
    free(s.frames);
}
