/* test_state_ledger.c - hash and dirty tracking, seen from a checkpoint. */
#include "coordd/state/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordd/state/machine.h"
#include "libcoord/base/check.h"
#include "tests/state/lab.h"
#include "tests/state/script.h"
#include "tests/support/runner.h"

/* What a checkpoint has on its disk. */
struct row {
    struct avl_node by_key;
    struct slice key, value; /* owned */
};

static int compare_row(const void *key, const struct avl_node *a)
{
    return slice_compare(*(const struct slice *)key, container_of(a, struct row, by_key)->key);
}

static struct slice copy(struct slice s)
{
    uint8_t *bytes = check_malloc(s.length);
    if (s.length > 0)
        memcpy(bytes, s.data, s.length);
    return slice_of(bytes, s.length);
}

static void row_free(struct avl *rows, struct row *row)
{
    avl_remove(rows, &row->by_key);
    free((void *)row->key.data);
    free((void *)row->value.data);
    free(row);
}

struct checkpoint {
    struct avl rows;
    struct buffer last_key;
    size_t changes, removals;
};

static void save(void *context, struct slice key, struct slice value)
{
    struct checkpoint *c = context;
    CU_ASSERT_TRUE(c->last_key.length == 0 || slice_compare(buffer_slice(&c->last_key), key) < 0);
    buffer_clear(&c->last_key);
    buffer_put(&c->last_key, key.data, key.length);
    struct avl_node *found = avl_find(&c->rows, &key, compare_row);
    if (value.data == NULL) {
        CHECK(found != NULL); /* nothing is removed that is not there */
        c->removals++;
        row_free(&c->rows, container_of(found, struct row, by_key));
        return;
    }
    c->changes++;
    if (found != NULL)
        row_free(&c->rows, container_of(found, struct row, by_key));
    struct row *row = check_calloc(1, sizeof *row);
    row->key = copy(key);
    row->value = copy(value);
    CHECK(avl_insert(&c->rows, &row->by_key, &row->key, compare_row) == NULL);
}

struct comparison {
    struct avl_node *next;
    bool equal;
};

static void compare(void *context, struct slice key, struct slice value)
{
    struct comparison *c = context;
    const struct row *row = container_of_or_null(c->next, struct row, by_key);
    c->equal &= row != NULL && slice_equal(row->key, key) && slice_equal(row->value, value);
    if (c->next != NULL)
        c->next = avl_next(c->next);
}

static bool has_all(const struct checkpoint *c, const struct state *s)
{
    struct comparison comparison = {.next = avl_first(&c->rows), .equal = true};
    state_records(s, compare, &comparison);
    return comparison.equal && comparison.next == NULL;
}

static void checkpoint_take(struct checkpoint *c, struct state *s)
{
    buffer_clear(&c->last_key);
    state_dirty_records(s, save, c);
    state_clean(s);
    CU_ASSERT_TRUE_FATAL(has_all(c, s));
}

static void checkpoint_release(struct checkpoint *c)
{
    struct avl_node *first;
    while ((first = avl_first(&c->rows)) != NULL)
        row_free(&c->rows, container_of(first, struct row, by_key));
    buffer_release(&c->last_key);
}

/* At random intervals; whatever came, changed, went and came back in between. */
static void test_ledger__changes_alone_keep_a_checkpoint_complete(void)
{
    struct script script;
    struct checkpoint c = {.rows = AVL_INIT};
    struct state *s = state_new(lab_cell);
    struct state_output out;
    lab_limit_history(s, LAB_HISTORY_BYTES);
    script_init(&script, 5);
    state_output_init(&out);
    for (int i = 0; i < 3000; i++) {
        struct buffer batch = script_next(&script, s);
        state_apply(s, buffer_slice(&batch), &out);
        buffer_release(&batch);
        script_learn(&script, &out);
        CU_ASSERT_PTR_NULL_FATAL(state_check(s));
        if (prng_chance(&script.prng, 1, 10))
            checkpoint_take(&c, s);
    }
    CU_ASSERT_TRUE(c.changes > 1000 && c.removals > 300);
    checkpoint_release(&c);
    state_output_release(&out);
    script_release(&script);
    state_free(s);
}

static void count(void *context, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    ++*(int *)context;
}

static int dirty_count(const struct state *s)
{
    int n = 0;
    state_dirty_records(s, count, &n);
    return n;
}

/* However large the state, a command touches the few records it is about. */
static void test_ledger__a_command_touches_a_bounded_number_of_records(void)
{
    struct lab l;
    char path[32];
    lab_init(&l);
    uint64_t one = lab_open(&l, 1);
    for (int i = 0; i < 200; i++) {
        snprintf(path, sizeof path, "/n%d", i);
        CU_ASSERT_EQUAL(lab_create(&l, 0, path, "content"), ERR_OK);
    }
    state_clean(l.state);
    CU_ASSERT_EQUAL(dirty_count(l.state), 0);
    CU_ASSERT_EQUAL(lab_put(&l, one, "/n7", "other"), ERR_OK);
    CU_ASSERT_EQUAL(dirty_count(l.state), 6); /* meta, session, node, content, answer, past */
    state_clean(l.state);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/n7/child", ""), ERR_OK);
    CU_ASSERT_EQUAL(dirty_count(l.state), 4); /* meta, parent, child, past */
    state_clean(l.state);
    CU_ASSERT_EQUAL(lab_acquire(&l, one, 1, "/n7"), ERR_OK);
    CU_ASSERT_EQUAL(dirty_count(l.state), 6); /* meta, session, node, claim, answer, past */
    state_clean(l.state);
    CU_ASSERT_EQUAL(lab_release_lock(&l, one, 1, "/n7"), ERR_OK);
    CU_ASSERT_EQUAL(dirty_count(l.state), 6); /* ... with the claim removed */
    lab_release(&l);
}

static void test_ledger__without_checkpoints_nothing_piles_up(void)
{
    struct lab l;
    lab_init(&l);
    lab_limit_history(l.state, 0);
    uint64_t one = lab_open(&l, 1);
    for (int i = 0; i < 3000; i++) {
        l.lowest[one] = l.seq[one] + 1;
        CU_ASSERT_EQUAL(lab_create(&l, one, "/a", "x"), ERR_OK);
        CU_ASSERT_EQUAL(lab_delete(&l, one, "/a"), ERR_OK);
    }
    CU_ASSERT_TRUE(dirty_count(l.state) <= 6);
    CU_ASSERT_EQUAL(l.state->ledger.removed.count, 0);
    lab_release(&l);
}

static void test_ledger__the_hash_forgets_what_was_undone(void)
{
    struct lab l, m;
    lab_init(&l);
    lab_init(&m);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/a", "x"), ERR_OK);
    CU_ASSERT_EQUAL(lab_put(&l, 0, "/a", "y"), ERR_OK);
    CU_ASSERT_EQUAL(lab_create(&m, 0, "/a", "x"), ERR_OK);
    CU_ASSERT_FALSE(lab_same_hash(l.state, m.state));
    CU_ASSERT_EQUAL(lab_put(&m, 0, "/a", "z"), ERR_OK);
    CU_ASSERT_FALSE(lab_same_hash(l.state, m.state)); /* one byte of content */
    CU_ASSERT_EQUAL(lab_put(&l, 0, "/a", "same"), ERR_OK);
    CU_ASSERT_EQUAL(lab_put(&m, 0, "/a", "same"), ERR_OK);
    CU_ASSERT_TRUE(lab_same_hash(l.state, m.state));
    lab_release(&l);
    lab_release(&m);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_ledger__changes_alone_keep_a_checkpoint_complete),
        TEST(test_ledger__a_command_touches_a_bounded_number_of_records),
        TEST(test_ledger__without_checkpoints_nothing_piles_up),
        TEST(test_ledger__the_hash_forgets_what_was_undone),
    };
    return run_suite("state ledger", cases, sizeof cases / sizeof cases[0], argc, argv);
}
