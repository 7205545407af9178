/* test_compared.c - members that compare their states, when a start brings another
 * program: what it replays is not what was noted of the same slots. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "coordd/state/state.h"
#include "tests/replica/cell.h"
#include "tests/support/runner.h"

enum { COMPARE_MS = 200, CHANGES = 20, SOON_MS = 1000, LONG_MS = 5000, OTHERS = 2 };

/* Some changes, and their states compared; all are down then. */
static struct cell *cell_that_compared(void)
{
    struct cell *c = cell_new();
    struct replica_view view;
    struct cell_session s;
    uint64_t seq = 0;

    c->config.compare_ms = COMPARE_MS;
    cell_start_all(c);
    s = cell_session(c, cell_leader(c), 1);
    cell_change(c, &s, &seq, CHANGES);
    cell_run(c, SOON_MS);
    for (int i = 0; i < CELL_MEMBERS; i++) {
        cell_view(c, i, &view);
        CU_ASSERT_NOT_EQUAL(view.compared, 0);
    }
    for (int i = 0; i < CELL_MEMBERS; i++)
        cell_crash(c, i);
    return c;
}

/* A program that makes another state of the same log is, to this member, the same program
 * with another log. */
static void replay_otherwise(struct cell *c, int i)
{
    for (uint64_t slot = 0; slot < c->members[i].durable.last_slot; slot++) {
        struct blob *value = c->members[i].rows[slot].value;

        for (uint32_t at = 0; value != NULL && at + 3 <= value->length; at++)
            if (memcmp(value->data + at, "/n7", 3) == 0) {
                struct blob *other = blob_copy(blob_slice(value));

                other->data[at + 2] = 'x';
                blob_unref(value);
                c->members[i].rows[slot].value = value = other;
            }
    }
}

static int in_order_count(const struct cell *c)
{
    int count = 0;

    for (int i = 0; i < CELL_MEMBERS; i++) {
        struct replica_view view;

        cell_view(c, i, &view);
        count += !view.quarantined && !view.lost && !c->members[i].halted;
    }
    return count;
}

static void test_compared__a_start_with_a_program_that_replays_otherwise_judges_nobody(void)
{
    struct cell *c = cell_that_compared();
    struct replica_view view;

    for (int i = 0; i < CELL_MEMBERS; i++)
        replay_otherwise(c, i);
    cell_start_all(c);
    cell_run(c, LONG_MS);
    CU_ASSERT_EQUAL(in_order_count(c), CELL_MEMBERS);
    cell_view(c, cell_leader(c), &view);
    CU_ASSERT_TRUE(view.applied - view.compared <= 2); /* what they have now was compared */
    cell_settle(c);
    cell_free(c);
}

/* Of five, two go on with a program of another encoding. */
static void start_two_others(struct cell *c, uint32_t encoding)
{
    for (int i = 0; i < OTHERS; i++)
        replay_otherwise(c, i);
    for (int i = 0; i < CELL_MEMBERS; i++) {
        c->config.state_encoding = i < OTHERS ? encoding : STATE_ENCODING;
        cell_start(c, i);
    }
    CU_ASSERT_EQUAL(cell_put_done(c, cell_leader(c), "/later", "x"), COORD__V1__STATUS__OK);
    cell_run(c, LONG_MS);
}

static void test_compared__states_of_different_encodings_are_not_compared(void)
{
    struct cell *c = cell_that_compared();

    start_two_others(c, STATE_ENCODING + 1);
    CU_ASSERT_EQUAL(in_order_count(c), CELL_MEMBERS);
    CU_ASSERT_FALSE(cell_same_state(c, 0, CELL_MEMBERS - 1));
    cell_free(c);
}

static void test_compared__states_of_the_same_encoding_are(void)
{
    struct cell *c = cell_that_compared();

    start_two_others(c, STATE_ENCODING);
    CU_ASSERT_TRUE(cell_same_state(c, 0, CELL_MEMBERS - 1)); /* quarantined, and healed */
    cell_free(c);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_compared__a_start_with_a_program_that_replays_otherwise_judges_nobody),
        TEST(test_compared__states_of_different_encodings_are_not_compared),
        TEST(test_compared__states_of_the_same_encoding_are),
    };

    return run_suite("compared", cases, sizeof cases / sizeof cases[0], argc, argv);
}
