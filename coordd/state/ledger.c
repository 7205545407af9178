/* ledger.c - see ledger.h. */
#include "coordd/state/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "coordd/state/machine.h"
#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"

/* The first digits of pi: nothing up the sleeve, and never to be changed. */
static const uint64_t lane_seeds[2] = {UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)};

struct ledger_removed {
    struct avl_node by_key;
    struct slice key; /* owned */
};

void ledger_init(struct ledger *l)
{
    *l = (struct ledger){.removed = AVL_INIT, .gone = BUFFER_INIT, .scratch = BUFFER_INIT};
}

static int compare_removed(const void *key, const struct avl_node *node)
{
    const struct slice *k = key;
    return slice_compare(*k, container_of(node, struct ledger_removed, by_key)->key);
}

static void free_removed(struct ledger *l, struct ledger_removed *removed)
{
    avl_remove(&l->removed, &removed->by_key);
    free((void *)removed->key.data);
    free(removed);
}

static void forget_gone(struct ledger *l)
{
    buffer_clear(&l->gone);
    l->gone_taken = 0;
    l->gone_count = 0;
}

void ledger_forget_removed(struct ledger *l)
{
    forget_gone(l);
    struct avl_node *first;
    while ((first = avl_first(&l->removed)) != NULL)
        free_removed(l, container_of(first, struct ledger_removed, by_key));
}

void ledger_release(struct ledger *l)
{
    ledger_forget_removed(l);
    free(l->touched.list);
    free(l->lasting.list);
    free(l->fleeting.list);
    buffer_release(&l->gone);
    buffer_release(&l->scratch);
}

static uint32_t list_add(struct ledger_list *list, struct record *r)
{
    if (list->count == list->capacity) {
        CHECK(list->count < RECORDS_MAX);
        list->capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        list->list = check_realloc(list->list, list->capacity * sizeof(struct record *));
    }
    list->list[list->count++] = r;
    return list->count;
}

/* Fills the gap at 1-based `place` with the last; tells which that was, or NULL. */
static struct record *list_take_out(struct ledger_list *list, uint32_t place)
{
    struct record *last = list->list[--list->count];
    if (place - 1 == list->count)
        return NULL;
    list->list[place - 1] = last;
    return last;
}

void ledger_touch(struct ledger *l, struct record *r)
{
    if (r->touched == 0)
        r->touched = list_add(&l->touched, r) & 0x3fffffffu;
}

static void untouch(struct ledger *l, struct record *r)
{
    struct record *moved = list_take_out(&l->touched, r->touched);
    if (moved != NULL)
        moved->touched = r->touched;
    r->touched = 0;
}

static bool is_fleeting(const struct record *r)
{
    return r->kind == RECORD_ANSWER || r->kind == RECORD_SESSION || r->kind == RECORD_META;
}

static struct ledger_list *dirty_of(struct ledger *l, const struct record *r)
{
    return is_fleeting(r) ? &l->fleeting : &l->lasting;
}

static void make_dirty(struct ledger *l, struct record *r)
{
    if (r->dirty == 0)
        r->dirty = list_add(dirty_of(l, r), r) & 0xfffffffu;
}

static void undirty(struct ledger *l, struct record *r)
{
    struct record *moved = list_take_out(dirty_of(l, r), r->dirty);
    if (moved != NULL)
        moved->dirty = r->dirty;
    r->dirty = 0;
}

static void count_out(struct ledger *l, struct record *r)
{
    if (!r->counted)
        return;
    for (int lane = 0; lane < 2; lane++)
        l->hash[lane] -= r->hash[lane];
    r->counted = 0;
}

static void count_in(struct ledger *l, struct record *r)
{
    for (int lane = 0; lane < 2; lane++)
        l->hash[lane] += r->hash[lane];
    r->counted = 1;
}

/* Their keys have a number that only rises: once removed, never there again. */
static bool goes_for_ever(const struct record *r)
{
    return r->kind == RECORD_ANSWER || r->kind == RECORD_PAST || r->kind == RECORD_SESSION;
}

static void note_removed(struct ledger *l, struct slice key)
{
    struct ledger_removed *removed = check_malloc(sizeof *removed);
    uint8_t *copy = check_malloc(key.length);
    memcpy(copy, key.data, key.length);
    removed->key = slice_of(copy, key.length);
    CHECK(avl_insert(&l->removed, &removed->by_key, &removed->key, compare_removed) == NULL);
}

void ledger_remove(struct state *s, struct record *r)
{
    struct ledger *l = &s->ledger;
    count_out(l, r);
    if (r->touched != 0)
        untouch(l, r);
    if (r->dirty != 0)
        undirty(l, r);
    if (!r->stored)
        return;
    buffer_clear(&l->scratch);
    record_put_key(s, r, &l->scratch);
    if (goes_for_ever(r)) {
        buffer_put_slice(&l->gone, buffer_slice(&l->scratch));
        l->gone_count++;
    } else {
        note_removed(l, buffer_slice(&l->scratch));
    }
    r->stored = 0;
}

/* The scratch buffer holds length of key, key, value: one text for one record. */
static void hash_scratch(struct ledger *l, uint64_t hash[2])
{
    struct slice encoding = buffer_slice(&l->scratch);
    for (int lane = 0; lane < 2; lane++)
        hash[lane] = hash_bytes(lane_seeds[lane], encoding);
}

static void put_key_length(struct buffer *b, size_t key_length)
{
    CHECK(key_length <= UINT32_MAX);
    for (int i = 0; i < 4; i++)
        b->data[i] = (uint8_t)(key_length >> (8 * i));
}

/* A key that the last checkpoint has, and that came back to life. */
static bool was_removed(struct ledger *l, struct slice key)
{
    if (l->removed.count == 0)
        return false;
    struct avl_node *found = avl_find(&l->removed, &key, compare_removed);
    if (found == NULL)
        return false;
    free_removed(l, container_of(found, struct ledger_removed, by_key));
    return true;
}

static void settle(struct state *s, struct record *r)
{
    struct ledger *l = &s->ledger;
    bool is_new = !r->counted;
    count_out(l, r);
    buffer_clear(&l->scratch);
    buffer_put_u32(&l->scratch, 0);
    record_put_key(s, r, &l->scratch);
    size_t key_length = l->scratch.length - 4;
    put_key_length(&l->scratch, key_length);
    if (is_new && !goes_for_ever(r) && was_removed(l, slice_of(l->scratch.data + 4, key_length)))
        r->stored = 1;
    record_put_value(s, r, &l->scratch);
    hash_scratch(l, r->hash);
    count_in(l, r);
    make_dirty(l, r);
}

void ledger_settle(struct state *s)
{
    struct ledger *l = &s->ledger;
    for (uint32_t i = 0; i < l->touched.count; i++) {
        l->touched.list[i]->touched = 0;
        settle(s, l->touched.list[i]);
    }
    l->touched.count = 0;
}

void ledger_hash(uint64_t sum[2], struct slice key, struct slice value)
{
    struct buffer b = BUFFER_INIT;
    buffer_put_slice(&b, key);
    buffer_put(&b, value.data, value.length);
    for (int lane = 0; lane < 2; lane++)
        sum[lane] += hash_bytes(lane_seeds[lane], buffer_slice(&b));
    buffer_release(&b);
}

void ledger_loaded(struct ledger *l, struct record *r, struct slice key, struct slice value)
{
    r->hash[0] = r->hash[1] = 0;
    ledger_hash(r->hash, key, value);
    count_in(l, r);
    r->stored = 1;
}

static void clean_list(struct ledger_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        list->list[i]->dirty = 0;
        list->list[i]->stored = 1;
    }
    list->count = 0;
}

void ledger_clean(struct ledger *l)
{
    clean_list(&l->lasting);
    clean_list(&l->fleeting);
    ledger_forget_removed(l);
}

static struct slice gone_left(const struct ledger *l)
{
    if (l->gone_count == 0)
        return slice_of(NULL, 0);
    return slice_of(l->gone.data + l->gone_taken, l->gone.length - l->gone_taken);
}

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
    struct reader gone = reader_of(gone_left(l));
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

/* ---- piece by piece ---- */

size_t ledger_changes_count(const struct ledger *l)
{
    return (size_t)l->lasting.count + l->fleeting.count + l->removed.count + l->gone_count;
}

static size_t take_gone(struct ledger *l, ledger_take *take, void *context)
{
    struct slice left = gone_left(l);
    struct reader r = reader_of(left);
    struct slice key = reader_slice(&r);
    take(context, key, slice_of(NULL, 0));
    l->gone_taken += left.length - r.left;
    if (--l->gone_count == 0)
        forget_gone(l);
    return key.length;
}

static size_t take_removed(struct ledger *l, ledger_take *take, void *context)
{
    struct ledger_removed *removed =
        container_of(avl_first(&l->removed), struct ledger_removed, by_key);
    size_t length = removed->key.length;
    take(context, removed->key, slice_of(NULL, 0));
    free_removed(l, removed);
    return length;
}

/* What changes all the time comes last: taken earlier it would have to be taken
 * again. Of the rest, each in its turn: the place of one that was taken goes to the
 * latest change, which then waits for all others. */
static struct record *next_dirty(struct ledger *l)
{
    struct ledger_list *list = l->lasting.count > 0 ? &l->lasting : &l->fleeting;
    if (l->hand >= list->count)
        l->hand = 0;
    return list->list[l->hand++];
}

static size_t take_dirty(struct state *s, struct buffer *value, ledger_take *take, void *context)
{
    struct ledger *l = &s->ledger;
    struct record *r = next_dirty(l);
    buffer_clear(&l->scratch);
    record_put_key(s, r, &l->scratch);
    buffer_clear(value);
    buffer_extend(value, 0); /* so that an empty value is not NULL */
    record_put_value(s, r, value);
    take(context, buffer_slice(&l->scratch), buffer_slice(value));
    undirty(l, r);
    r->stored = 1;
    return l->scratch.length + value->length;
}

void ledger_take_changes(struct state *s, size_t bytes, ledger_take *take, void *context)
{
    struct ledger *l = &s->ledger;
    struct buffer value = BUFFER_INIT;
    size_t taken = 0;
    CHECK(l->touched.count == 0);
    /* What was removed first: a key that comes back is put later than it is removed. */
    while (l->gone_count > 0 && taken < bytes)
        taken += take_gone(l, take, context);
    while (l->removed.count > 0 && taken < bytes)
        taken += take_removed(l, take, context);
    while (l->lasting.count + l->fleeting.count > 0 && taken < bytes)
        taken += take_dirty(s, &value, take, context);
    buffer_release(&value);
}

void ledger_unclean(struct ledger *l, struct record *r)
{
    r->stored = 0;
    make_dirty(l, r);
}
