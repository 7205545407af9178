/* ledger_order.c - what changed, in the order of the keys: for whoever wants all of it at
 * once. A checkpoint is taken piece by piece (ledger.c). */
#include <stdlib.h>

#include "coordd/state/ledger.h"
#include "coordd/state/machine.h"
#include "libcoord/base/check.h"

/* While changes are put in order. */
struct change {
    struct avl_node by_key;
    struct slice key;
    const struct record *record; /* NULL: removed */
};

static int compare_changes(const void *key, const struct avl_node *node)
{
    return slice_compare(*(const struct slice *)key,
                         container_of(node, struct change, by_key)->key);
}

static size_t gather_list(const struct state *s, const struct ledger_list *list,
                          struct change *changes, struct buffer *keys)
{
    for (uint32_t i = 0; i < list->count; i++) {
        size_t start = keys->length;
        record_put_key(s, list->list[i], keys);
        changes[i].key.length = keys->length - start;
        changes[i].record = list->list[i];
    }
    return list->count;
}

/* Fills changes, whose keys are put behind each other in *keys. */
static void gather(const struct state *s, struct change *changes, struct buffer *keys)
{
    const struct ledger *l = &s->ledger;
    size_t n = gather_list(s, &l->lasting, changes, keys), at = 0;
    n += gather_list(s, &l->fleeting, changes + n, keys);
    /* The buffer moved while it grew, so the keys are pointed at now. */
    for (size_t i = 0; i < n; i++) {
        changes[i].key.data = keys->data + at;
        at += changes[i].key.length;
    }
    struct reader gone = reader_of(ledger_gone_left(l));
    while (gone.left > 0)
        changes[n++].key = reader_slice(&gone);
    for (struct avl_node *a = avl_first(&l->removed); a != NULL; a = avl_next(a))
        changes[n++].key = container_of(a, struct ledger_removed, by_key)->key;
}

void ledger_changes(const struct state *s, ledger_take *take, void *context)
{
    size_t count = ledger_changes_count(&s->ledger);
    struct change *changes = check_calloc(count, sizeof *changes);
    struct buffer keys = BUFFER_INIT, value = BUFFER_INIT;
    struct avl ordered = AVL_INIT;
    gather(s, changes, &keys);
    for (size_t i = 0; i < count; i++)
        CHECK(avl_insert(&ordered, &changes[i].by_key, &changes[i].key, compare_changes) == NULL);
    for (struct avl_node *a = avl_first(&ordered); a != NULL; a = avl_next(a)) {
        const struct change *change = container_of(a, struct change, by_key);
        struct slice changed = slice_of(NULL, 0);
        if (change->record != NULL) {
            buffer_clear(&value);
            buffer_extend(&value, 0); /* so that an empty value is not NULL */
            record_put_value(s, change->record, &value);
            changed = buffer_slice(&value);
        }
        take(context, change->key, changed);
    }
    buffer_release(&value);
    buffer_release(&keys);
    free(changes);
}
