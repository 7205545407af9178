/* test_state_stat.c - the Stat written by hand against protobuf-c's. */
#include "coordd/state/stat.h"

#include <stdio.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/base/prng.h"
#include "tests/state/lab.h"
#include "tests/state/script.h"
#include "tests/support/runner.h"

static bool same(const struct node *node)
{
    char path[STATE_PATH_BYTES_HARD + 1];
    uint8_t by_hand[STAT_BYTES_MAX], by_library[STAT_BYTES_MAX];
    struct slice name = node_path(node, path);
    Coord__V1__Stat stat;
    node_stat(node, path, &stat);
    CHECK(coord__v1__stat__get_packed_size(&stat) <= sizeof by_library);
    size_t expected = coord__v1__stat__pack(&stat, by_library);
    size_t written = stat_pack(node, name, by_hand);
    return slice_equal(slice_of(by_hand, written), slice_of(by_library, expected));
}

static void test_stat__is_what_the_library_would_write(void)
{
    struct script script;
    struct state_output out;
    struct state *s = state_new(lab_cell);
    size_t compared = 0, wrong = 0;
    script_init(&script, 31);
    state_output_init(&out);
    for (int i = 0; i < 500; i++) {
        struct buffer batch = script_next(&script, s);
        state_apply(s, buffer_slice(&batch), &out);
        buffer_release(&batch);
        script_learn(&script, &out);
        for (const struct node *n = s->root; n != NULL; n = node_next(n)) {
            wrong += !same(n);
            compared++;
        }
    }
    CU_ASSERT_TRUE(compared > 5000);
    CU_ASSERT_EQUAL(wrong, 0);
    state_output_release(&out);
    script_release(&script);
    state_free(s);
}

/* All fields as large as they get, on the longest path. */
static void test_stat__fits_its_bound(void)
{
    struct lab l;
    char path[STATE_PATH_BYTES_HARD + 1] = "";
    lab_init(&l);
    for (int i = 0; i < 8; i++) {
        path[128 * i] = '/';
        memset(path + 128 * i + 1, 'x', 127);
    }
    uint64_t one = lab_open(&l, 1);
    CU_ASSERT_EQUAL(lab_create_parents(&l, one, path), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, one, 1, path), ERR_OK);
    struct node *n = node_find(l.state, slice_of_string(path));
    CHECK(n != NULL);
    struct node was = *n;
    n->instance = n->content_generation = n->lock_generation = UINT64_MAX;
    n->acl_generation = n->children_generation = UINT64_MAX;
    n->created_ms = n->modified_ms = UINT64_MAX;
    CU_ASSERT_TRUE(same(n));
    n->instance = was.instance;
    n->content_generation = was.content_generation;
    n->lock_generation = was.lock_generation;
    n->acl_generation = was.acl_generation;
    n->children_generation = was.children_generation;
    n->created_ms = was.created_ms;
    n->modified_ms = was.modified_ms;
    CU_ASSERT_PTR_NULL(state_check(l.state));
    lab_release(&l);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_stat__is_what_the_library_would_write),
        TEST(test_stat__fits_its_bound),
    };
    return run_suite("state stat", cases, sizeof cases / sizeof cases[0], argc, argv);
}
