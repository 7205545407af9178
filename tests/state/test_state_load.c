/* test_state_load.c - a state from records: good ones, and any others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/base/prng.h"
#include "tests/state/lab.h"
#include "tests/state/script.h"
#include "tests/support/runner.h"

enum { ROWS_MAX = 4096 };

struct rows {
    struct buffer keys[ROWS_MAX], values[ROWS_MAX];
    size_t count;
};

static void collect(void *context, struct slice key, struct slice value)
{
    struct rows *rows = context;
    CHECK(rows->count < ROWS_MAX);
    rows->keys[rows->count] = rows->values[rows->count] = (struct buffer)BUFFER_INIT;
    buffer_put(&rows->keys[rows->count], key.data, key.length);
    buffer_put(&rows->values[rows->count], value.data, value.length);
    rows->count++;
}

static struct rows *rows_of(const struct state *s)
{
    struct rows *rows = check_calloc(1, sizeof *rows);
    state_records(s, collect, rows);
    return rows;
}

static void rows_free(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        buffer_release(&rows->keys[i]);
        buffer_release(&rows->values[i]);
    }
    free(rows);
}

/* NULL unless they are a state. */
static struct state *load(const struct rows *rows)
{
    struct state *s = state_new(lab_cell);
    for (size_t i = 0; i < rows->count; i++) {
        if (state_load_record(s, buffer_slice(&rows->keys[i]), buffer_slice(&rows->values[i])) ==
            ERR_OK)
            continue;
        state_free(s);
        return NULL;
    }
    if (state_loaded(s) != ERR_OK) {
        state_free(s);
        return NULL;
    }
    return s;
}

static void hand_over(struct lab *l, uint64_t session)
{
    Coord__V1__LeaseLeft lease = COORD__V1__LEASE_LEFT__INIT, *leases[1] = {&lease};
    Coord__V1__DelayLeft delay = COORD__V1__DELAY_LEFT__INIT, *delays[1] = {&delay};
    Coord__V1__HandOver h = COORD__V1__HAND_OVER__INIT;
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    lease.session = session;
    lease.left_ms = delay.left_ms = 500;
    delay.path = (char *)"/d";
    h.leases = leases;
    h.delays = delays;
    h.n_leases = h.n_delays = 1;
    c.op_case = COORD__V1__COMMAND__OP_HAND_OVER;
    c.hand_over = &h;
    CU_ASSERT_EQUAL(lab_run(l, &c), ERR_OK);
}

/* A state with some of everything in it. */
static void populate(struct lab *l)
{
    lab_init(l);
    uint64_t one = lab_open(l, 1), two = lab_open(l, 2);
    CU_ASSERT_EQUAL(lab_create_parents(l, one, "/a/b"), ERR_OK);
    CU_ASSERT_EQUAL(lab_create(l, 0, "/a-", "content"), ERR_OK);
    CU_ASSERT_EQUAL(lab_put(l, 0, "/", "of the root"), ERR_OK);
    CU_ASSERT_EQUAL(lab_create_ephemeral(l, two, "/a/e"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(l, one, 1, "/a"), ERR_OK);
    CU_ASSERT_EQUAL(lab_campaign(l, two, 1, "/a", "two"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_campaign(l, one, 2, "/a", ""), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_acquire(l, two, 3, "/a/e"), ERR_OK);
    CU_ASSERT_EQUAL(lab_create(l, 0, "/d", ""), ERR_OK);
    uint64_t three = lab_open(l, 3), four = lab_open(l, 4);
    CU_ASSERT_EQUAL(lab_share(l, one, 8, "/d"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire_as(l, three, 1, "/d", COORD__V1__LOCK_MODE__LOCK_SHARED, true, 900),
                    ERR_OK);
    CU_ASSERT_EQUAL(lab_expire(l, three, 1), ERR_OK);
    CU_ASSERT_EQUAL(lab_share(l, two, 9, "/d"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_force(l, 0, "/d"), ERR_OK);
    CU_ASSERT_EQUAL(lab_kill(l, 0, four), ERR_OK);
    hand_over(l, one);
    state_apply_leader_start(l->state, 65537);
}

static void test_load__a_state_goes_through_its_records_unchanged(void)
{
    struct lab l;
    populate(&l);
    struct rows *rows = rows_of(l.state);
    struct state *copy = load(rows);
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    CU_ASSERT_TRUE(lab_same_hash(l.state, copy));
    CU_ASSERT_EQUAL(state_revision(copy), state_revision(l.state));
    CU_ASSERT_EQUAL(state_nodes_count(copy), state_nodes_count(l.state));
    CU_ASSERT_EQUAL(state_sessions_count(copy), 3);
    CU_ASSERT_TRUE(state_handed_over(copy));
    CU_ASSERT_EQUAL(state_history_floor(copy), state_history_floor(l.state));
    struct rows *again = rows_of(copy);
    CU_ASSERT_EQUAL_FATAL(again->count, rows->count);
    for (size_t i = 0; i < rows->count; i++) {
        CU_ASSERT_TRUE(slice_equal(buffer_slice(&rows->keys[i]), buffer_slice(&again->keys[i])));
        CU_ASSERT_TRUE(
            slice_equal(buffer_slice(&rows->values[i]), buffer_slice(&again->values[i])));
    }
    /* The waiting election goes on where it was. */
    state_free(l.state);
    l.state = copy;
    CU_ASSERT_EQUAL(lab_release_lock(&l, 1, 1, "/a"), ERR_OK);
    char *content = lab_content(&l, "/a");
    CU_ASSERT_STRING_EQUAL(content, "two");
    free(content);
    rows_free(rows);
    rows_free(again);
    lab_release(&l);
}

static void test_load__what_was_loaded_is_not_dirty(void)
{
    struct lab l;
    populate(&l);
    struct state *copy = lab_reload(l.state);
    struct rows *rows = check_calloc(1, sizeof *rows);
    state_dirty_records(copy, collect, rows);
    CU_ASSERT_EQUAL(rows->count, 0);
    rows_free(rows);
    state_free(copy);
    lab_release(&l);
}

static void drop_row(struct rows *rows, size_t i)
{
    buffer_release(&rows->keys[i]);
    buffer_release(&rows->values[i]);
    memmove(&rows->keys[i], &rows->keys[i + 1], sizeof rows->keys[0] * (rows->count - i - 1));
    memmove(&rows->values[i], &rows->values[i + 1], sizeof rows->values[0] * (rows->count - i - 1));
    rows->count--;
}

/* Without a record that others refer to it is no state. Leaves may be missing:
 * what is left is a state, though another. */
static void test_load__a_missing_record_is_noticed_or_changes_the_hash(void)
{
    struct lab l;
    populate(&l);
    struct rows *whole = rows_of(l.state);
    size_t refused = 0;
    for (size_t i = 0; i < whole->count; i++) {
        struct rows *rows = rows_of(l.state);
        drop_row(rows, i);
        struct state *copy = load(rows);
        if (copy != NULL)
            CU_ASSERT_FALSE(lab_same_hash(l.state, copy));
        refused += copy == NULL;
        state_free(copy);
        rows_free(rows);
    }
    CU_ASSERT_TRUE(refused >= 8);
    rows_free(whole);
    lab_release(&l);
}

static void test_load__records_come_in_order_and_once(void)
{
    struct lab l;
    populate(&l);
    struct rows *rows = rows_of(l.state);
    for (size_t i = 0; i + 1 < rows->count; i++) {
        struct state *s = state_new(lab_cell);
        enum err e = ERR_OK;
        for (size_t j = 0; j <= i && e == ERR_OK; j++)
            e = state_load_record(s, buffer_slice(&rows->keys[j]), buffer_slice(&rows->values[j]));
        CU_ASSERT_EQUAL(e, ERR_OK);
        CU_ASSERT_EQUAL(
            state_load_record(s, buffer_slice(&rows->keys[i]), buffer_slice(&rows->values[i])),
            ERR_INVALID);
        state_free(s);
    }
    CU_ASSERT_EQUAL(rows->keys[0].length, 1); /* the first is the META record */
    drop_row(rows, 0);
    CU_ASSERT_PTR_NULL(load(rows));
    while (rows->count > 0)
        drop_row(rows, 0);
    CU_ASSERT_PTR_NULL(load(rows));
    rows_free(rows);
    lab_release(&l);
}

static void test_load__another_cells_records_are_refused(void)
{
    uint8_t other[STATE_CELL_ID_BYTES] = {9};
    struct state *s = state_new(other);
    struct rows *rows = rows_of(s);
    CU_ASSERT_PTR_NULL(load(rows));
    rows_free(rows);
    state_free(s);
}

static void damage(struct rows *rows, struct prng *p)
{
    size_t i = (size_t)prng_below(p, rows->count);
    struct buffer *b = prng_chance(p, 1, 2) ? &rows->keys[i] : &rows->values[i];
    if (b->length == 0 || prng_chance(p, 1, 8)) {
        buffer_put_u8(b, (uint8_t)prng_next(p));
    } else if (prng_chance(p, 1, 8)) {
        b->length -= 1 + prng_below(p, b->length);
    } else {
        b->data[prng_below(p, b->length)] ^= (uint8_t)(1u << prng_below(p, 8));
    }
}

/* Any damage: refused, or a sound state that goes on working. */
static void test_load__damaged_records_never_make_a_broken_state(void)
{
    struct prng p;
    struct lab l;
    size_t loaded = 0;
    populate(&l);
    prng_init(&p, 7);
    for (int i = 0; i < 4000; i++) {
        struct rows *rows = rows_of(l.state);
        for (uint64_t n = 1 + prng_below(&p, 3); n > 0; n--)
            damage(rows, &p);
        struct state *copy = load(rows);
        if (copy != NULL) {
            struct script script;
            struct state_output out;
            script_init(&script, (uint64_t)i);
            script.newest = 2;
            state_output_init(&out);
            for (int n = 0; n < 5; n++) {
                struct buffer batch = script_next(&script, copy);
                state_apply(copy, buffer_slice(&batch), &out);
                buffer_release(&batch);
            }
            state_output_release(&out);
            script_release(&script);
            loaded++;
        }
        state_free(copy);
        rows_free(rows);
    }
    CU_ASSERT_TRUE(loaded > 100 && loaded < 3900);
    lab_release(&l);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_load__a_state_goes_through_its_records_unchanged),
        TEST(test_load__what_was_loaded_is_not_dirty),
        TEST(test_load__a_missing_record_is_noticed_or_changes_the_hash),
        TEST(test_load__records_come_in_order_and_once),
        TEST(test_load__another_cells_records_are_refused),
        TEST(test_load__damaged_records_never_make_a_broken_state),
    };
    return run_suite("state load", cases, sizeof cases / sizeof cases[0], argc, argv);
}
