/* ledger.c - see ledger.h. */
#include "coordd/state/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "coordd/state/machine.h"
#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"

/* The first digits of pi: nothing up the sleeve, and never to be changed. */
static const uint64_t lane_seeds[2] = {UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)};

void ledger_init(struct ledger *l)
{
    *l = (struct ledger){.removed = AVL_INIT,
                         .handed_removed = AVL_INIT,
                         .gone = BUFFER_INIT,
                         .scratch = BUFFER_INIT};
}

static int compare_removed(const void *key, const struct avl_node *node)
{
    const struct slice *k = key;
    return slice_compare(*k, container_of(node, struct ledger_removed, by_key)->key);
}

static void free_removed(struct avl *of, struct ledger_removed *removed)
{
    avl_remove(of, &removed->by_key);
    free((void *)removed->key.data);
    free(removed);
}

static void forget_gone(struct ledger *l)
{
    buffer_clear(&l->gone);
    l->gone_taken = 0;
    l->gone_count = l->gone_handed = 0;
}

static void free_all_removed(struct avl *of)
{
    struct avl_node *first;
    while ((first = avl_first(of)) != NULL)
        free_removed(of, container_of(first, struct ledger_removed, by_key));
}

/* What is in its list does not count any more; the records need not be told (unhand). */
static void forget_handed(struct ledger *l)
{
    l->keeps = false;
    l->handed.count = 0;
    free_all_removed(&l->handed_removed);
}

void ledger_forget_removed(struct ledger *l)
{
    forget_gone(l);
    forget_handed(l);
    free_all_removed(&l->removed);
}

void ledger_release(struct ledger *l)
{
    ledger_forget_removed(l);
    free(l->touched.list);
    free(l->lasting.list);
    free(l->fleeting.list);
    free(l->handed.list);
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
        r->touched = list_add(&l->touched, r) & 0x1fffffffu;
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

/* Is it in the list? What was handed over with an earlier checkpoint only thinks so. */
static void unhand(struct ledger *l, struct record *r)
{
    uint32_t place = r->dirty;
    r->handed = 0;
    r->dirty = 0;
    if (place > l->handed.count || l->handed.list[place - 1] != r)
        return;
    struct record *moved = list_take_out(&l->handed, place);
    if (moved != NULL)
        moved->dirty = place & 0xfffffffu;
}

static void make_dirty(struct ledger *l, struct record *r)
{
    if (r->handed)
        unhand(l, r);
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
    if (r->handed)
        unhand(l, r);
    else if (r->dirty != 0)
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

static bool take_back_to_life(struct avl *from, struct slice key)
{
    if (from->count == 0)
        return false;
    struct avl_node *found = avl_find(from, &key, compare_removed);
    if (found == NULL)
        return false;
    free_removed(from, container_of(found, struct ledger_removed, by_key));
    return true;
}

/* A key that the last checkpoint has, and that came back to life. */
static bool was_removed(struct ledger *l, struct slice key)
{
    return take_back_to_life(&l->removed, key) || take_back_to_life(&l->handed_removed, key);
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
        list->list[i]->handed = 0;
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

struct slice ledger_gone_left(const struct ledger *l)
{
    if (l->gone_count == 0)
        return slice_of(NULL, 0);
    return slice_of(l->gone.data + l->gone_taken, l->gone.length - l->gone_taken);
}

/* ---- piece by piece ---- */

size_t ledger_changes_count(const struct ledger *l)
{
    return (size_t)l->lasting.count + l->fleeting.count + l->removed.count + l->gone_count;
}

static size_t take_gone(struct ledger *l, ledger_take *take, void *context)
{
    struct slice left = ledger_gone_left(l);
    struct reader r = reader_of(left);
    struct slice key = reader_slice(&r);
    take(context, key, slice_of(NULL, 0));
    l->gone_taken += left.length - r.left;
    l->gone_handed++;
    if (--l->gone_count == 0 && !l->keeps)
        forget_gone(l);
    return key.length;
}

static size_t take_removed(struct ledger *l, ledger_take *take, void *context)
{
    struct ledger_removed *removed =
        container_of(avl_first(&l->removed), struct ledger_removed, by_key);
    size_t length = removed->key.length;
    take(context, removed->key, slice_of(NULL, 0));
    if (!l->keeps) {
        free_removed(&l->removed, removed);
        return length;
    }
    avl_remove(&l->removed, &removed->by_key);
    CHECK(avl_insert(&l->handed_removed, &removed->by_key, &removed->key, compare_removed) == NULL);
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
    if (l->keeps) {
        r->dirty = list_add(&l->handed, r) & 0xfffffffu;
        r->handed = 1;
    }
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

/* ---- what was handed over, until it is known to be saved ---- */

/* The first keys of `gone` are not needed any more. */
static void drop_gone(struct ledger *l)
{
    struct slice left = ledger_gone_left(l);
    if (left.length > 0)
        memmove(l->gone.data, left.data, left.length);
    l->gone.length = left.length;
    l->gone_taken = 0;
    l->gone_handed = 0;
}

void ledger_begin(struct ledger *l, bool keeps)
{
    forget_handed(l);
    drop_gone(l);
    l->keeps = keeps;
}

void ledger_saved(struct ledger *l)
{
    ledger_begin(l, false);
}

bool ledger_lost(struct ledger *l)
{
    struct avl_node *first;
    if (!l->keeps)
        return false;
    l->keeps = false;
    while (l->handed.count > 0)
        make_dirty(l, l->handed.list[l->handed.count - 1]);
    while ((first = avl_first(&l->handed_removed)) != NULL) {
        struct ledger_removed *removed = container_of(first, struct ledger_removed, by_key);
        avl_remove(&l->handed_removed, first);
        CHECK(avl_insert(&l->removed, first, &removed->key, compare_removed) == NULL);
    }
    l->gone_count += l->gone_handed;
    l->gone_taken = l->gone_handed = 0;
    return true;
}

void ledger_unclean(struct ledger *l, struct record *r)
{
    r->stored = 0;
    make_dirty(l, r);
}
