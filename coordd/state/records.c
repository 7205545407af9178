/* records.c - the state as records: all, or what changed (record.h, ledger.h). */
#include "coordd/state/hand_over.h"
#include "coordd/state/history.h"
#include "coordd/state/lock.h"
#include "coordd/state/machine.h"
#include "coordd/state/node.h"
#include "coordd/state/session.h"
#include "coordd/state/state.h"

struct encoder {
    const struct state *state;
    struct buffer key, value;
    state_record *take;
    void *context;
};

static void put(void *encoder, const struct record *r)
{
    struct encoder *e = encoder;
    buffer_clear(&e->key);
    buffer_clear(&e->value);
    record_put_key(e->state, r, &e->key);
    record_put_value(e->state, r, &e->value);
    e->take(e->context, buffer_slice(&e->key), buffer_slice(&e->value));
}

typedef void visit(void *context, const struct record *r);

static void walk_claims(const struct list *head, visit *see, void *context)
{
    for (const struct list *at = head->next; at != head; at = at->next)
        see(context, &container_of(at, struct claim, place)->record);
}

/* Every record, in the order of the keys. */
static void walk(const struct state *s, visit *see, void *context)
{
    see(context, &s->record);
    for (const struct session *n = sessions_above(s, 0); n != NULL; n = sessions_above(s, n->id))
        see(context, &n->record);
    for (const struct node *n = s->root; n != NULL; n = node_next(n))
        see(context, &n->record);
    for (const struct node *n = s->root; n != NULL; n = node_next(n)) {
        if (n->content != NULL)
            see(context, &n->content->record);
    }
    for (struct avl_node *a = avl_first(&s->locks); a != NULL; a = avl_next(a)) {
        const struct lock *lock = container_of(a, struct lock, by_path);
        walk_claims(&lock->holders, see, context);
        walk_claims(&lock->line, see, context);
    }
    for (const struct session *n = sessions_above(s, 0); n != NULL; n = sessions_above(s, n->id)) {
        const struct list *head = &n->kept_in_order;
        for (const struct list *at = head->next; at != head; at = at->next)
            see(context, &container_of(at, struct kept, in_order)->record);
    }
    struct slice first = slice_of(NULL, 0);
    for (const struct delay *d = delay_above(s, first); d != NULL;
         d = delay_above(s, lock_path(d->lock)))
        see(context, &d->record);
    for (uint32_t i = 0; i < s->history.pieces_count; i++)
        see(context, &history_piece(&s->history, i)->record);
    if (s->hand_over != NULL)
        see(context, &s->hand_over->record);
}

void state_records(const struct state *s, state_record *take, void *context)
{
    struct encoder e = {.state = s, .take = take, .context = context};
    walk(s, put, &e);
    buffer_release(&e.key);
    buffer_release(&e.value);
}

static void unclean(void *state, const struct record *r)
{
    ledger_unclean(&((struct state *)state)->ledger, (struct record *)(uintptr_t)r);
}

void state_unclean(struct state *s)
{
    ledger_forget_removed(&s->ledger);
    walk(s, unclean, s);
}

void state_dirty_records(const struct state *s, state_record *take, void *context)
{
    ledger_changes(s, take, context);
}

void state_clean(struct state *s)
{
    ledger_clean(&s->ledger);
}

void state_changes_begin(struct state *s, bool keeps)
{
    ledger_begin(&s->ledger, keeps);
}

void state_changes_saved(struct state *s)
{
    ledger_saved(&s->ledger);
}

bool state_changes_lost(struct state *s)
{
    return ledger_lost(&s->ledger);
}

size_t state_changes(const struct state *s)
{
    return ledger_changes_count(&s->ledger);
}

void state_take_changes(struct state *s, size_t bytes, state_record *take, void *context)
{
    ledger_take_changes(s, bytes, take, context);
}
