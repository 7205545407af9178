/* test_state_history.c - the events of the latest revisions. */
#include "coordd/state/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordd/state/machine.h"
#include "tests/state/lab.h"
#include "tests/state/script.h"
#include "tests/support/runner.h"

static void test_history__tells_each_event_once_and_in_order(void)
{
    struct lab l;
    struct state_past past;
    lab_init(&l);
    CU_ASSERT_EQUAL(state_history_floor(l.state), 1);
    CU_ASSERT_FALSE(state_history_next(l.state, 0, UINT32_MAX, &past));
    uint64_t one = lab_open(&l, 1);
    CU_ASSERT_EQUAL(lab_create_parents(&l, one, "/a/b"), ERR_OK);
    CU_ASSERT_EQUAL(lab_campaign(&l, one, 1, "/a", "me"), ERR_OK);
    CU_ASSERT_EQUAL(lab_put(&l, one, "/none", "x"), ERR_NO_NODE);
    CU_ASSERT_EQUAL(lab_delete(&l, one, "/a/b"), ERR_OK);
    static const struct {
        uint64_t revision;
        uint32_t index;
        enum state_event_kind kind;
        const char *path;
    } expected[] = {{2, 0, STATE_EVENT_CREATED, "/a"},
                    {2, 1, STATE_EVENT_CREATED, "/a/b"},
                    {3, 0, STATE_EVENT_CONTENT, "/a"},
                    {3, 1, STATE_EVENT_LOCK_HELD, "/a"},
                    {4, 0, STATE_EVENT_DELETED, "/a/b"}};
    uint64_t revision = 0;
    uint32_t index = UINT32_MAX;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        CU_ASSERT_TRUE_FATAL(state_history_next(l.state, revision, index, &past));
        CU_ASSERT_EQUAL(past.revision, expected[i].revision);
        CU_ASSERT_EQUAL(past.index, expected[i].index);
        CU_ASSERT_EQUAL(past.kind, expected[i].kind);
        CU_ASSERT_STRING_EQUAL((const char *)past.path.data, expected[i].path);
        revision = past.revision;
        index = past.index;
    }
    CU_ASSERT_FALSE(state_history_next(l.state, revision, index, &past));
    CU_ASSERT_FALSE(state_history_next(l.state, UINT64_MAX, UINT32_MAX, &past));
    CU_ASSERT_TRUE(state_history_next(l.state, 2, UINT32_MAX, &past));
    CU_ASSERT_EQUAL(past.revision, 3); /* behind the whole revision */
    CU_ASSERT_TRUE(state_history_next(l.state, 2, UINT32_MAX - 1, &past));
    CU_ASSERT_EQUAL(past.revision, 3);
    lab_release(&l);
}

static void test_history__is_bounded_in_bytes_and_forgets_the_oldest(void)
{
    struct lab l;
    struct state_past past;
    lab_init(&l);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/n", ""), ERR_OK);
    uint32_t each = 1 + 8 + 1 + 4 + 2; /* kind, revision; kind, length, path */
    lab_limit_history(l.state, 10 * each + 3);
    for (int i = 0; i < 50; i++) {
        CU_ASSERT_EQUAL(lab_put(&l, 0, "/n", "x"), ERR_OK);
        uint64_t kept = state_revision(l.state) - state_history_floor(l.state);
        CU_ASSERT_EQUAL(kept, i + 2 < 10 ? (uint64_t)i + 2 : 10);
    }
    uint64_t floor = state_history_floor(l.state);
    CU_ASSERT_TRUE(state_history_next(l.state, 5, 0, &past));
    CU_ASSERT_EQUAL(past.revision, floor + 1);
    CU_ASSERT_TRUE(state_history_next(l.state, floor, UINT32_MAX, &past));
    CU_ASSERT_EQUAL(past.revision, floor + 1);
    lab_release(&l);
}

/* A revision too large to be kept leaves nothing, and says so by the floor. */
static void test_history__what_alone_is_beyond_the_bound_is_not_kept(void)
{
    struct lab l;
    struct state_past past;
    lab_init(&l);
    lab_limit_history(l.state, 100);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/n", ""), ERR_OK);
    CU_ASSERT_EQUAL(lab_create_parents(&l, 0, "/a/b/c/d/e/f/g/h/i/j/k/l"), ERR_OK);
    CU_ASSERT_EQUAL(state_history_floor(l.state), state_revision(l.state));
    CU_ASSERT_FALSE(state_history_next(l.state, 1, UINT32_MAX, &past));
    CU_ASSERT_EQUAL(lab_put(&l, 0, "/n", "x"), ERR_OK);
    CU_ASSERT_TRUE(state_history_next(l.state, 1, UINT32_MAX, &past));
    CU_ASSERT_EQUAL(past.revision, state_revision(l.state));
    lab_release(&l);
}

static void test_history__survives_its_records(void)
{
    struct lab l;
    lab_init(&l);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/n", ""), ERR_OK);
    for (int i = 0; i < 800; i++)
        CU_ASSERT_EQUAL(lab_put(&l, 0, "/n", "x"), ERR_OK);
    struct state *copy = lab_reload(l.state);
    CU_ASSERT_TRUE(state_history_floor(copy) > 1);
    CU_ASSERT_EQUAL(state_history_floor(copy), state_history_floor(l.state));
    struct state_past a = {0}, b = {0};
    while (state_history_next(l.state, a.revision, a.index, &a)) {
        CU_ASSERT_TRUE_FATAL(state_history_next(copy, b.revision, b.index, &b));
        CU_ASSERT_TRUE(a.revision == b.revision && a.index == b.index && a.kind == b.kind);
        CU_ASSERT_TRUE(slice_equal(a.path, b.path));
    }
    CU_ASSERT_EQUAL(a.revision, state_revision(l.state));
    state_free(copy);
    lab_release(&l);
}

/* A piece goes as a whole, never in the middle of a revision. */
static void test_history__several_revisions_are_one_record(void)
{
    enum { REVISIONS = 2000, BYTES = 8000, EACH = 1 + 4 + 2 }; /* kind, length, "/n" */
    struct lab l;
    lab_init(&l);
    lab_limit_history(l.state, BYTES);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/n", ""), ERR_OK);
    for (int i = 0; i < REVISIONS; i++) {
        CU_ASSERT_EQUAL(lab_put(&l, 0, "/n", "x"), ERR_OK);
        CU_ASSERT_PTR_NULL_FATAL(state_check(l.state));
        CU_ASSERT(l.state->history.pieces_count <= 9);
    }
    uint64_t kept = state_revision(l.state) - state_history_floor(l.state);
    CU_ASSERT(kept > BYTES * 3 / 4 / EACH && kept < BYTES / EACH);
    struct state *copy = lab_reload(l.state);
    CU_ASSERT_TRUE(lab_same_hash(l.state, copy));
    struct state_past past;
    for (uint64_t r = state_history_floor(copy); r < state_revision(copy); r++) {
        CU_ASSERT_TRUE_FATAL(state_history_next(copy, r, UINT32_MAX, &past));
        CU_ASSERT_TRUE_FATAL(past.revision == r + 1 && past.index == 0);
        CU_ASSERT_EQUAL(state_history_next(copy, r, 0, &past), r + 1 <= state_revision(copy));
        CU_ASSERT_TRUE_FATAL(past.revision == r + 1);
    }
    state_free(copy);
    lab_release(&l);
}

/* What a watch was told as it happened is what one that comes back is told. */
static void test_history__has_what_was_told(void)
{
    struct script script;
    struct state_output out;
    struct state *s = state_new(lab_cell);
    script_init(&script, 17);
    state_output_init(&out);
    for (int i = 0; i < 2000; i++) {
        struct state_past past;
        uint64_t revision = state_revision(s);
        uint32_t index = UINT32_MAX;
        struct buffer batch = script_next(&script, s);
        state_apply(s, buffer_slice(&batch), &out);
        buffer_release(&batch);
        script_learn(&script, &out);
        for (uint32_t e = 0; e < out.events_count; e++) {
            CU_ASSERT_TRUE_FATAL(state_history_next(s, revision, index, &past));
            revision = past.revision;
            index = past.index;
            CU_ASSERT_EQUAL(revision, out.events[e].revision);
            CU_ASSERT_EQUAL(past.kind, out.events[e].kind);
            CU_ASSERT_TRUE(slice_equal(past.path, out.events[e].path));
        }
        CU_ASSERT_FALSE(state_history_next(s, revision, index, &past));
    }
    CU_ASSERT_TRUE(state_revision(s) > 1000);
    state_output_release(&out);
    script_release(&script);
    state_free(s);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_history__tells_each_event_once_and_in_order),
        TEST(test_history__is_bounded_in_bytes_and_forgets_the_oldest),
        TEST(test_history__what_alone_is_beyond_the_bound_is_not_kept),
        TEST(test_history__survives_its_records),
        TEST(test_history__several_revisions_are_one_record),
        TEST(test_history__has_what_was_told),
    };
    return run_suite("state history", cases, sizeof cases / sizeof cases[0], argc, argv);
}
