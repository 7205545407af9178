/* test_state_changes.c - saving a state piece by piece while it goes on changing. */
#include <stdlib.h>
#include <string.h>

#include "coordd/state/record.h"
#include "libcoord/base/avl.h"
#include "libcoord/base/check.h"
#include "tests/state/lab.h"
#include "tests/state/script.h"
#include "tests/support/runner.h"

/* What a checkpoint would hold. */
struct saved {
    struct avl by_key;
    size_t taken; /* records, since it was last set to 0 */
};

struct saved_record {
    struct avl_node node;
    struct buffer key, value;
};

static int compare(const void *key, const struct avl_node *node)
{
    return slice_compare(*(const struct slice *)key,
                         buffer_slice(&container_of(node, struct saved_record, node)->key));
}

static void drop(struct saved *saved, struct avl_node *node)
{
    struct saved_record *r = container_of(node, struct saved_record, node);
    avl_remove(&saved->by_key, node);
    buffer_release(&r->key);
    buffer_release(&r->value);
    free(r);
}

static void take(void *context, struct slice key, struct slice value)
{
    struct saved *saved = context;
    struct avl_node *old = avl_find(&saved->by_key, &key, compare);
    saved->taken++;
    if (old != NULL)
        drop(saved, old);
    if (value.data == NULL) {
        CU_ASSERT_PTR_NOT_NULL(old); /* only what is there is removed */
        return;
    }
    struct saved_record *r = check_calloc(1, sizeof *r);
    buffer_put(&r->key, key.data, key.length);
    buffer_put(&r->value, value.data, value.length);
    struct slice own = buffer_slice(&r->key);
    CHECK(avl_insert(&saved->by_key, &r->node, &own, compare) == NULL);
}

static void forget(struct saved *saved)
{
    struct avl_node *first;
    while ((first = avl_first(&saved->by_key)) != NULL)
        drop(saved, first);
}

static bool is_state(const struct saved *saved, const struct state *s)
{
    struct state *loaded = state_new(lab_cell);
    uint64_t expected[2], got[2];
    bool good = true;
    for (struct avl_node *at = avl_first(&saved->by_key); good && at != NULL; at = avl_next(at)) {
        struct saved_record *r = container_of(at, struct saved_record, node);
        good = state_load_record(loaded, buffer_slice(&r->key), buffer_slice(&r->value)) == ERR_OK;
    }
    good = good && state_loaded(loaded) == ERR_OK;
    state_hash(s, expected);
    state_hash(loaded, got);
    state_free(loaded);
    return good && expected[0] == got[0] && expected[1] == got[1];
}

/* A state that goes on changing, and what was saved of it. */
struct life {
    struct state *state;
    struct saved saved;
    struct state_output out;
    struct script script;
    struct prng random;
};

static void life_begin(struct life *l, uint64_t seed)
{
    l->state = state_new(lab_cell);
    l->saved = (struct saved){.by_key = AVL_INIT};
    prng_init(&l->random, seed);
    script_init(&l->script, seed);
    state_output_init(&l->out);
    lab_limit_history(l->state, LAB_HISTORY_BYTES);
}

static void life_end(struct life *l)
{
    forget(&l->saved);
    state_output_release(&l->out);
    script_release(&l->script);
    state_free(l->state);
}

/* Fewer batches than `most`. */
static void go_on(struct life *l, uint64_t most)
{
    for (uint64_t left = prng_below(&l->random, most); left > 0; left--) {
        struct buffer batch = script_next(&l->script, l->state);
        state_apply(l->state, buffer_slice(&batch), &l->out);
        script_learn(&l->script, &l->out);
        buffer_release(&batch);
    }
}

static void take_some(struct life *l, state_record *into, void *context)
{
    state_take_changes(l->state, 1 + prng_below(&l->random, 400), into, context);
}

static void test_state_changes__pieces_taken_between_batches_are_the_state_once_none_is_left(void)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct life l;
        life_begin(&l, seed);
        for (int checkpoint = 0; checkpoint < 6; checkpoint++) {
            go_on(&l, 40);
            /* Not while it changes as fast as it is taken. */
            for (int piece = 0; piece < 30; piece++) {
                take_some(&l, take, &l.saved);
                go_on(&l, 3);
            }
            while (state_changes(l.state) > 0)
                take_some(&l, take, &l.saved);
            CU_ASSERT_TRUE(is_state(&l.saved, l.state));
        }
        life_end(&l);
    }
}

static void test_state_changes__a_piece_ends_where_it_was_asked_to(void)
{
    struct lab lab;
    struct saved saved = {.by_key = AVL_INIT};
    lab_init(&lab);
    for (char name = 'a'; name <= 'z'; name++) {
        const char path[] = {'/', name, '\0'};
        CU_ASSERT_EQUAL(lab_create(&lab, 0, path, "some content"), 0);
    }
    size_t changes = state_changes(lab.state);
    state_take_changes(lab.state, 1, take, &saved);
    CU_ASSERT_EQUAL(saved.taken, 1);
    CU_ASSERT_EQUAL(state_changes(lab.state), changes - 1);
    state_take_changes(lab.state, 200, take, &saved);
    CU_ASSERT(saved.taken > 2 && saved.taken < 10);
    state_take_changes(lab.state, SIZE_MAX, take, &saved);
    CU_ASSERT_EQUAL(saved.taken, changes);
    CU_ASSERT_EQUAL(state_changes(lab.state), 0);
    forget(&saved);
    lab_release(&lab);
}

struct order {
    int nodes, contents, fleeting;
    bool mixed; /* a node came behind an answer, a session or the counters */
};

static void note_order(void *context, struct slice key, struct slice value)
{
    struct order *order = context;
    (void)value;
    if (key.data[0] == RECORD_NODE)
        order->nodes++;
    if (key.data[0] == RECORD_CONTENT)
        order->contents++;
    if (key.data[0] == RECORD_META || key.data[0] == RECORD_SESSION || key.data[0] == RECORD_ANSWER)
        order->fleeting++;
    order->mixed |= key.data[0] == RECORD_NODE && order->fleeting > 0;
}

/* While one node and its writer change between all pieces, each other node is taken in
 * its turn, and only once; then what changes all the time. */
static void test_state_changes__the_hot_waits_for_the_cold(void)
{
    enum { NODES = 26 };
    struct lab lab;
    struct order order = {0};
    lab_init(&lab);
    uint64_t one = lab_open(&lab, 1);
    for (char name = 'a'; name < 'a' + NODES; name++)
        CU_ASSERT_EQUAL(lab_create(&lab, 0, (const char[]){'/', name, '\0'}, ""), ERR_OK);
    for (int piece = 0; piece < 4 * NODES && order.fleeting == 0; piece++) {
        CU_ASSERT_EQUAL(lab_put(&lab, one, "/a", "x"), ERR_OK);
        for (int record = 0; record < 4; record++) /* of lasting ones a put changes 3 */
            state_take_changes(lab.state, 1, note_order, &order);
    }
    CU_ASSERT(order.nodes > NODES && order.nodes <= NODES + 10);
    CU_ASSERT(order.contents > 0 && order.contents <= 10);
    state_take_changes(lab.state, SIZE_MAX, note_order, &order);
    CU_ASSERT_FALSE(order.mixed);
    CU_ASSERT(order.fleeting > 2);
    lab_release(&lab);
}

static void test_state_changes__unclean_it_is_taken_whole_once_more(void)
{
    struct lab lab;
    struct saved saved = {.by_key = AVL_INIT}, again = {.by_key = AVL_INIT};
    lab_init(&lab);
    lab_create(&lab, 0, "/a", "1");
    lab_create(&lab, 0, "/b", "2");
    state_take_changes(lab.state, SIZE_MAX, take, &saved);
    lab_delete(&lab, 0, "/a");
    lab_put(&lab, 0, "/b", "3");
    state_unclean(lab.state);
    state_take_changes(lab.state, SIZE_MAX, take, &again);
    CU_ASSERT_TRUE(is_state(&again, lab.state));
    lab_delete(&lab, 0, "/b");
    state_take_changes(lab.state, SIZE_MAX, take, &again);
    CU_ASSERT_TRUE(is_state(&again, lab.state));
    forget(&saved);
    forget(&again);
    lab_release(&lab);
}

/* ---- checkpoints that are lost ---- */

/* What is on its way into `saved`: keys, whether they are removed, and values. */
static void take_later(void *context, struct slice key, struct slice value)
{
    struct buffer *way = context;
    buffer_put_slice(way, key);
    buffer_put_u32(way, value.data == NULL);
    buffer_put_slice(way, value);
}

static void arrive(struct saved *saved, const struct buffer *way)
{
    struct reader r = reader_of(buffer_slice(way));
    while (r.left > 0) {
        struct slice key = reader_slice(&r);
        bool removed = reader_u32(&r) != 0;
        struct slice value = reader_slice(&r);
        struct avl_node *old = avl_find(&saved->by_key, &key, compare);
        if (removed && old != NULL)
            drop(saved, old); /* a lost one may have had it: then there is nothing to remove */
        else if (!removed)
            take(saved, key, value);
    }
    CU_ASSERT_TRUE(reader_done(&r));
}

/* Whatever was handed over with one that is lost, at any point of it, is handed over with
 * the next, and not more than that. */
static void test_state_changes__what_a_lost_checkpoint_took_the_next_one_takes(void)
{
    uint64_t lost = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct buffer way = BUFFER_INIT;
        struct life l;
        life_begin(&l, seed);
        for (int checkpoint = 0; checkpoint < 12; checkpoint++) {
            bool loses = checkpoint > 0 && prng_chance(&l.random, 1, 2);
            bool midway = loses && prng_chance(&l.random, 1, 2);
            go_on(&l, 40);
            state_changes_begin(l.state, true);
            buffer_clear(&way);
            for (uint64_t piece = prng_below(&l.random, 30); piece > 0; piece--) {
                take_some(&l, take_later, &way);
                go_on(&l, 3);
            }
            while (!midway && state_changes(l.state) > 0)
                take_some(&l, take_later, &way);
            if (!loses) {
                arrive(&l.saved, &way);
                CU_ASSERT_TRUE(is_state(&l.saved, l.state));
            }
            go_on(&l, 5); /* nobody knows yet */
            CU_ASSERT_PTR_NULL(state_check(l.state));
            if (!loses)
                state_changes_saved(l.state);
            else
                CU_ASSERT_TRUE(state_changes_lost(l.state));
            CU_ASSERT_PTR_NULL(state_check(l.state));
            lost += loses;
        }
        buffer_release(&way);
        life_end(&l);
    }
    CU_ASSERT_TRUE(lost > 100);
}

static void test_state_changes__a_lost_checkpoint_that_was_not_kept_says_so(void)
{
    struct lab lab;
    struct saved saved = {.by_key = AVL_INIT};
    lab_init(&lab);
    state_changes_begin(lab.state, false);
    state_take_changes(lab.state, SIZE_MAX, take, &saved);
    CU_ASSERT_FALSE(state_changes_lost(lab.state));
    CU_ASSERT_EQUAL(state_changes(lab.state), 0);
    state_unclean(lab.state);
    CU_ASSERT_TRUE(state_changes(lab.state) > 0);
    forget(&saved);
    lab_release(&lab);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_state_changes__pieces_taken_between_batches_are_the_state_once_none_is_left),
        TEST(test_state_changes__a_piece_ends_where_it_was_asked_to),
        TEST(test_state_changes__the_hot_waits_for_the_cold),
        TEST(test_state_changes__what_a_lost_checkpoint_took_the_next_one_takes),
        TEST(test_state_changes__a_lost_checkpoint_that_was_not_kept_says_so),
        TEST(test_state_changes__unclean_it_is_taken_whole_once_more),
    };
    return run_suite("state_changes", cases, sizeof cases / sizeof cases[0], argc, argv);
}
