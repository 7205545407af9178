/* test_state_node.c - create, put, delete, generations, conditions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"
#include "tests/state/lab.h"
#include "tests/support/runner.h"

static void free_stat(Coord__V1__Stat *stat)
{
    coord__v1__stat__free_unpacked(stat, NULL);
}

static void test_node__a_new_cell_has_a_root_of_revision_1(void)
{
    struct lab l;
    lab_init(&l);
    CU_ASSERT_EQUAL(state_revision(l.state), 1);
    CU_ASSERT_EQUAL(state_nodes_count(l.state), 1);
    Coord__V1__Stat *root = lab_stat(&l, "/");
    CHECK(root != NULL);
    CU_ASSERT_STRING_EQUAL(root->path, "/");
    CU_ASSERT_EQUAL(root->instance, 1);
    free_stat(root);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/", ""), ERR_NODE_EXISTS);
    CU_ASSERT_EQUAL(lab_delete(&l, 0, "/"), ERR_INVALID);
    CU_ASSERT_EQUAL(lab_put(&l, 0, "/", "of the root"), ERR_OK);
    lab_release(&l);
}

static void test_node__create_shows_the_new_node_with_all_its_generations(void)
{
    struct lab l;
    lab_init(&l);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/a", "hello"), ERR_OK);
    const Coord__V1__Stat *s = l.answer->stat;
    CU_ASSERT_STRING_EQUAL(s->path, "/a");
    CU_ASSERT_EQUAL(s->instance, 2);
    CU_ASSERT_EQUAL(s->content_generation, 2);
    CU_ASSERT_EQUAL(s->lock_generation, 2);
    CU_ASSERT_EQUAL(s->acl_generation, 2);
    CU_ASSERT_EQUAL(s->children_generation, 2);
    CU_ASSERT_EQUAL(s->modified_revision, 2);
    CU_ASSERT_EQUAL(s->created_ms, l.time_ms);
    CU_ASSERT_EQUAL(s->modified_ms, l.time_ms);
    CU_ASSERT_EQUAL(s->content_bytes, 5);
    CU_ASSERT_EQUAL(s->content_checksum, hash_bytes(0, slice_of_string("hello")));
    CU_ASSERT_EQUAL(s->owner_session, 0);
    CU_ASSERT_EQUAL(l.answer->revision, 2);
    CU_ASSERT_EQUAL(l.out.answer_revisions[0], 2);
    Coord__V1__Stat *root = lab_stat(&l, "/");
    CU_ASSERT_EQUAL(root->children_generation, 2);
    CU_ASSERT_EQUAL(root->modified_revision, 2);
    CU_ASSERT_EQUAL(root->children_count, 1);
    CU_ASSERT_EQUAL(root->content_generation, 1);
    free_stat(root);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/a", "again"), ERR_NODE_EXISTS);
    CU_ASSERT_EQUAL(state_revision(l.state), 2);
    lab_release(&l);
}

static void test_node__missing_parents_are_made_only_on_request(void)
{
    struct lab l;
    char events[256];
    lab_init(&l);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/a/b/c", ""), ERR_NO_NODE);
    CU_ASSERT_EQUAL(l.out.events_count, 0);
    CU_ASSERT_EQUAL(lab_create_parents(&l, 0, "/a/b/c"), ERR_OK);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events),
                           "created /a, created /a/b, created /a/b/c");
    CU_ASSERT_EQUAL(state_revision(l.state), 2); /* one command, one revision */
    Coord__V1__Stat *made = lab_stat(&l, "/a");
    CU_ASSERT_EQUAL(made->children_count, 1);
    CU_ASSERT_EQUAL(made->instance, 2);
    free_stat(made);
    CU_ASSERT_EQUAL(lab_create_parents(&l, 0, "/a/b/d"), ERR_OK);
    CU_ASSERT_EQUAL(state_nodes_count(l.state), 5);
    lab_release(&l);
}

static void test_node__put_replaces_content_and_raises_its_generation_alone(void)
{
    struct lab l;
    char events[256];
    lab_init(&l);
    CU_ASSERT_EQUAL(lab_put(&l, 0, "/a", "x"), ERR_NO_NODE);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/a", "one"), ERR_OK);
    CU_ASSERT_EQUAL(lab_put(&l, 0, "/a", "two"), ERR_OK);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "content /a");
    CU_ASSERT_EQUAL(l.out.events[0].revision, 3);
    CU_ASSERT_EQUAL(l.answer->stat->content_generation, 3);
    CU_ASSERT_EQUAL(l.answer->stat->instance, 2);
    CU_ASSERT_EQUAL(l.answer->stat->lock_generation, 2);
    CU_ASSERT_TRUE(l.answer->stat->modified_ms > l.answer->stat->created_ms);
    char *content = lab_content(&l, "/a");
    CU_ASSERT_STRING_EQUAL(content, "two");
    free(content);
    CU_ASSERT_EQUAL(lab_put(&l, 0, "/a", ""), ERR_OK);
    CU_ASSERT_EQUAL(l.answer->stat->content_bytes, 0);
    CU_ASSERT_EQUAL(l.answer->stat->content_checksum, hash_bytes(0, slice_of_string("")));
    lab_release(&l);
}

static int put_create(struct lab *l, const char *path, bool parents, uint64_t content_generation,
                      uint64_t instance)
{
    Coord__V1__Put put = COORD__V1__PUT__INIT;
    Coord__V1__Condition condition = COORD__V1__CONDITION__INIT;
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    condition.content_generation = content_generation;
    condition.instance = instance;
    put.path = (char *)path;
    put.create = true;
    put.parents = parents;
    put.condition = content_generation == 0 && instance == 0 ? NULL : &condition;
    c.op_case = COORD__V1__COMMAND__OP_PUT;
    c.put = &put;
    return lab_run(l, &c);
}

static void test_node__put_may_make_the_node(void)
{
    struct lab l;
    char events[256];
    lab_init(&l);
    CU_ASSERT_EQUAL(put_create(&l, "/a/b", false, 0, 0), ERR_NO_NODE);
    CU_ASSERT_EQUAL(put_create(&l, "/a/b", true, 9, 0), ERR_BAD_GENERATION);
    CU_ASSERT_EQUAL(put_create(&l, "/a/b", true, 0, 9), ERR_INSTANCE_GONE);
    CU_ASSERT_EQUAL(state_revision(l.state), 1);
    CU_ASSERT_EQUAL(put_create(&l, "/a/b", true, 0, 0), ERR_OK);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "created /a, created /a/b");
    CU_ASSERT_EQUAL(l.answer->stat->owner_session, 0);
    CU_ASSERT_EQUAL(put_create(&l, "/a/b", true, 0, 0), ERR_OK);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "content /a/b");
    lab_release(&l);
}

static void test_node__a_condition_that_does_not_hold_changes_nothing(void)
{
    struct lab l;
    lab_init(&l);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/a", "one"), ERR_OK); /* revision 2 */
    CU_ASSERT_EQUAL(lab_put_if(&l, 0, "/a", "x", 1, 0, ""), ERR_BAD_GENERATION);
    CU_ASSERT_EQUAL(lab_put_if(&l, 0, "/a", "x", 0, 1, ""), ERR_INSTANCE_GONE);
    CU_ASSERT_EQUAL(lab_put_if(&l, 0, "/b", "x", 0, 2, ""), ERR_INSTANCE_GONE);
    CU_ASSERT_EQUAL(lab_put_if(&l, 0, "/b", "x", 2, 0, ""), ERR_NO_NODE);
    CU_ASSERT_EQUAL(state_revision(l.state), 2);
    CU_ASSERT_EQUAL(lab_put_if(&l, 0, "/a", "two", 2, 2, ""), ERR_OK);
    CU_ASSERT_EQUAL(lab_put_if(&l, 0, "/a", "three", 2, 2, ""), ERR_BAD_GENERATION);
    CU_ASSERT_EQUAL(lab_put_if(&l, 0, "/a", "three", 3, 2, ""), ERR_OK);
    lab_release(&l);
}

static void test_node__only_childless_nodes_are_deleted(void)
{
    struct lab l;
    char events[256];
    lab_init(&l);
    CU_ASSERT_EQUAL(lab_create_parents(&l, 0, "/a/b"), ERR_OK);
    CU_ASSERT_EQUAL(lab_delete(&l, 0, "/a"), ERR_NOT_EMPTY);
    CU_ASSERT_EQUAL(lab_delete(&l, 0, "/c"), ERR_NO_NODE);
    CU_ASSERT_EQUAL(lab_delete(&l, 0, "/a/b"), ERR_OK);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "deleted /a/b");
    CU_ASSERT_EQUAL(l.out.events[0].stat.length, 0);
    CU_ASSERT_EQUAL(l.out.events[0].revision, 3);
    CU_ASSERT_EQUAL(lab_delete(&l, 0, "/a/b"), ERR_NO_NODE);
    CU_ASSERT_EQUAL(lab_delete(&l, 0, "/a"), ERR_OK);
    CU_ASSERT_EQUAL(state_nodes_count(l.state), 1);
    lab_release(&l);
}

static void test_node__generations_rise_through_re_creation(void)
{
    struct lab l;
    uint64_t last = 0;
    lab_init(&l);
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(lab_create(&l, 0, "/a", "x"), ERR_OK);
        CU_ASSERT_TRUE(l.answer->stat->instance > last);
        CU_ASSERT_EQUAL(lab_put(&l, 0, "/a", "y"), ERR_OK);
        last = l.answer->stat->content_generation;
        CU_ASSERT_EQUAL(lab_delete(&l, 0, "/a"), ERR_OK);
    }
    lab_release(&l);
}

static void test_node__an_ephemeral_node_belongs_to_its_session_and_has_no_children(void)
{
    struct lab l;
    char events[256];
    lab_init(&l);
    uint64_t one = lab_open(&l, 1), two = lab_open(&l, 2);
    CU_ASSERT_EQUAL(lab_create_ephemeral(&l, 0, "/e"), ERR_INVALID);
    CU_ASSERT_EQUAL(lab_create_ephemeral(&l, one, "/e"), ERR_OK);
    CU_ASSERT_EQUAL(l.answer->stat->owner_session, one);
    CU_ASSERT_EQUAL(lab_create(&l, one, "/e/child", ""), ERR_EPHEMERAL);
    CU_ASSERT_EQUAL(lab_create_parents(&l, two, "/e/x/y"), ERR_EPHEMERAL);
    CU_ASSERT_EQUAL(put_create(&l, "/e/z", true, 0, 0), ERR_EPHEMERAL);
    CU_ASSERT_EQUAL(lab_put(&l, two, "/e", "by another"), ERR_OK);
    CU_ASSERT_EQUAL(lab_end(&l, two), ERR_OK);
    CU_ASSERT_EQUAL(l.out.events_count, 0);
    CU_ASSERT_EQUAL(lab_end(&l, one), ERR_OK);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "deleted /e");
    lab_release(&l);
}

static void test_node__an_ephemeral_node_that_was_deleted_does_not_die_twice(void)
{
    struct lab l;
    lab_init(&l);
    uint64_t one = lab_open(&l, 1);
    CU_ASSERT_EQUAL(lab_create_ephemeral(&l, one, "/e"), ERR_OK);
    CU_ASSERT_EQUAL(lab_delete(&l, 0, "/e"), ERR_OK);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/e", "permanent now"), ERR_OK);
    CU_ASSERT_EQUAL(lab_end(&l, one), ERR_OK);
    CU_ASSERT_EQUAL(l.out.events_count, 0);
    char *content = lab_content(&l, "/e");
    CU_ASSERT_STRING_EQUAL_FATAL(content, "permanent now");
    free(content);
    lab_release(&l);
}

static void test_node__content_is_limited(void)
{
    struct lab l;
    lab_init(&l);
    char *content = check_malloc(LIMIT_CONTENT_BYTES + 2);
    memset(content, 'x', LIMIT_CONTENT_BYTES + 1);
    content[LIMIT_CONTENT_BYTES + 1] = '\0';
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/a", content), ERR_TOO_LARGE);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/a", ""), ERR_OK);
    CU_ASSERT_EQUAL(lab_put(&l, 0, "/a", content), ERR_TOO_LARGE);
    content[LIMIT_CONTENT_BYTES] = '\0';
    CU_ASSERT_EQUAL(lab_put(&l, 0, "/a", content), ERR_OK);
    char *read = lab_content(&l, "/a");
    CU_ASSERT_STRING_EQUAL(read, content);
    free(read);
    free(content);
    lab_release(&l);
}

static void test_node__a_session_has_a_bounded_number_of_ephemeral_nodes(void)
{
    struct lab l;
    char path[32];
    lab_init(&l);
    uint64_t one = lab_open(&l, 1);
    for (int i = 0; i < LIMIT_SESSION_EPHEMERALS; i++) {
        snprintf(path, sizeof path, "/e%d", i);
        l.lowest[one] = l.seq[one] + 1;
        CU_ASSERT_EQUAL(lab_create_ephemeral(&l, one, path), ERR_OK);
    }
    CU_ASSERT_EQUAL(lab_create_ephemeral(&l, one, "/more"), ERR_QUOTA);
    CU_ASSERT_EQUAL(lab_create(&l, one, "/more", ""), ERR_OK);
    CU_ASSERT_EQUAL(lab_delete(&l, one, "/e0"), ERR_OK);
    CU_ASSERT_EQUAL(lab_create_ephemeral(&l, one, "/e0"), ERR_OK);
    uint64_t before = state_revision(l.state);
    CU_ASSERT_EQUAL(lab_end(&l, one), ERR_OK);
    CU_ASSERT_EQUAL(state_revision(l.state), before + 1); /* with all it takes: one revision */
    CU_ASSERT_EQUAL(l.out.events_count, LIMIT_SESSION_EPHEMERALS);
    CU_ASSERT_EQUAL(state_nodes_count(l.state), 2);
    lab_release(&l);
}

/* The leader's clock may be set back; the state's time stands still then. */
static void test_node__time_never_goes_back(void)
{
    struct lab l;
    lab_init(&l);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/a", ""), ERR_OK);
    uint64_t then = state_time_ms(l.state);
    l.time_ms -= 1000000;
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/b", ""), ERR_OK);
    CU_ASSERT_EQUAL(l.answer->stat->created_ms, then);
    CU_ASSERT_EQUAL(state_time_ms(l.state), then);
    lab_release(&l);
}

static void test_node__a_batch_is_applied_in_order_under_one_time(void)
{
    struct lab l;
    lab_init(&l);
    Coord__V1__Command commands[3], *list[3];
    Coord__V1__Create creates[3];
    static const char *const paths[3] = {"/a", "/a", "/a/b"};
    for (int i = 0; i < 3; i++) {
        coord__v1__command__init(&commands[i]);
        coord__v1__create__init(&creates[i]);
        creates[i].path = (char *)paths[i];
        commands[i].op_case = COORD__V1__COMMAND__OP_CREATE;
        commands[i].create = &creates[i];
        list[i] = &commands[i];
    }
    struct buffer batch = lab_batch(5, list, 3);
    state_apply(l.state, buffer_slice(&batch), &l.out);
    buffer_release(&batch);
    CU_ASSERT_EQUAL_FATAL(l.out.answers_count, 3);
    static const Coord__V1__Status expected[3] = {
        COORD__V1__STATUS__OK, COORD__V1__STATUS__NODE_EXISTS, COORD__V1__STATUS__OK};
    for (uint32_t i = 0; i < 3; i++) {
        struct slice e = l.out.answers[i].encoded;
        CU_ASSERT_EQUAL(l.out.answers[i].index, i);
        Coord__V1__Answer *answer = coord__v1__answer__unpack(NULL, e.length, e.data);
        CU_ASSERT_EQUAL(answer->status, expected[i]);
        CU_ASSERT_EQUAL(*answer->message == '\0', answer->status == COORD__V1__STATUS__OK);
        coord__v1__answer__free_unpacked(answer, NULL);
    }
    CU_ASSERT_PTR_NULL(state_check(l.state));
    lab_release(&l);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_node__a_new_cell_has_a_root_of_revision_1),
        TEST(test_node__create_shows_the_new_node_with_all_its_generations),
        TEST(test_node__missing_parents_are_made_only_on_request),
        TEST(test_node__put_replaces_content_and_raises_its_generation_alone),
        TEST(test_node__put_may_make_the_node),
        TEST(test_node__a_condition_that_does_not_hold_changes_nothing),
        TEST(test_node__only_childless_nodes_are_deleted),
        TEST(test_node__generations_rise_through_re_creation),
        TEST(test_node__an_ephemeral_node_belongs_to_its_session_and_has_no_children),
        TEST(test_node__an_ephemeral_node_that_was_deleted_does_not_die_twice),
        TEST(test_node__content_is_limited),
        TEST(test_node__a_session_has_a_bounded_number_of_ephemeral_nodes),
        TEST(test_node__time_never_goes_back),
        TEST(test_node__a_batch_is_applied_in_order_under_one_time),
    };
    return run_suite("state node", cases, sizeof cases / sizeof cases[0], argc, argv);
}
