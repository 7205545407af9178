/* test_state_read.c - get, stat, lists and their pages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/state/lab.h"
#include "tests/support/runner.h"

static void done(Coord__V1__Answer *answer)
{
    coord__v1__answer__free_unpacked(answer, NULL);
}

static Coord__V1__Answer *get(const struct lab *l, const char *path, uint64_t instance)
{
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__Get op = COORD__V1__GET__INIT;
    op.path = (char *)path;
    op.instance = instance;
    read.op_case = COORD__V1__READ__OP_GET;
    read.get = &op;
    return lab_read(l, &read);
}

static Coord__V1__Answer *stat(const struct lab *l, const char *path, uint64_t instance)
{
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__GetStat op = COORD__V1__GET_STAT__INIT;
    op.path = (char *)path;
    op.instance = instance;
    read.op_case = COORD__V1__READ__OP_STAT;
    read.stat = &op;
    return lab_read(l, &read);
}

static Coord__V1__Answer *list(const struct lab *l, const char *path, const char *after,
                               uint32_t limit)
{
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__List op = COORD__V1__LIST__INIT;
    op.path = (char *)path;
    op.after = (char *)after;
    op.limit = limit;
    read.op_case = COORD__V1__READ__OP_LIST;
    read.list = &op;
    return lab_read(l, &read);
}

static Coord__V1__Answer *locks(const struct lab *l, const char *path, const char *after,
                                uint32_t limit)
{
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__ListLocks op = COORD__V1__LIST_LOCKS__INIT;
    op.path = (char *)path;
    op.after = (char *)after;
    op.limit = limit;
    read.op_case = COORD__V1__READ__OP_LOCKS;
    read.locks = &op;
    return lab_read(l, &read);
}

static Coord__V1__Answer *sessions(const struct lab *l, uint64_t after, uint32_t limit)
{
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__ListSessions op = COORD__V1__LIST_SESSIONS__INIT;
    op.after = after;
    op.limit = limit;
    read.op_case = COORD__V1__READ__OP_SESSIONS;
    read.sessions = &op;
    return lab_read(l, &read);
}

static void expect(Coord__V1__Answer *answer, enum err status)
{
    CU_ASSERT_EQUAL(answer->status, (Coord__V1__Status)status);
    CU_ASSERT_EQUAL(answer->body_case, COORD__V1__ANSWER__BODY__NOT_SET);
    CU_ASSERT_NOT_EQUAL(*answer->message, '\0');
    done(answer);
}

static void test_read__get_shows_content_and_stat_at_a_revision(void)
{
    struct lab l;
    lab_init(&l);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/a", "text"), ERR_OK);
    Coord__V1__Answer *answer = get(&l, "/a", 2);
    CU_ASSERT_EQUAL_FATAL(answer->body_case, COORD__V1__ANSWER__BODY_CONTENT);
    CU_ASSERT_EQUAL(answer->revision, 2);
    CU_ASSERT_EQUAL(answer->content->data.len, 4);
    CU_ASSERT_EQUAL(memcmp(answer->content->data.data, "text", 4), 0);
    CU_ASSERT_STRING_EQUAL(answer->content->stat->path, "/a");
    CU_ASSERT_EQUAL(answer->content->stat->instance, 2);
    done(answer);
    answer = get(&l, "/", 0);
    CU_ASSERT_EQUAL(answer->status, COORD__V1__STATUS__OK);
    CU_ASSERT_EQUAL(answer->content->data.len, 0);
    done(answer);
    answer = stat(&l, "/a", 0);
    CU_ASSERT_EQUAL_FATAL(answer->body_case, COORD__V1__ANSWER__BODY_STAT);
    CU_ASSERT_EQUAL(answer->stat->content_bytes, 4);
    done(answer);
    lab_release(&l);
}

static void test_read__says_what_is_wrong(void)
{
    struct lab l;
    lab_init(&l);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/a", ""), ERR_OK);
    expect(get(&l, "/b", 0), ERR_NO_NODE);
    expect(get(&l, "/b", 2), ERR_INSTANCE_GONE);
    expect(get(&l, "/a", 1), ERR_INSTANCE_GONE);
    expect(get(&l, "a", 0), ERR_INVALID);
    expect(stat(&l, "/b", 0), ERR_NO_NODE);
    expect(stat(&l, "", 0), ERR_INVALID);
    expect(list(&l, "/b", "", 0), ERR_NO_NODE);
    expect(list(&l, "/a", "x/y", 0), ERR_INVALID);
    expect(locks(&l, "a", "", 0), ERR_INVALID);
    expect(locks(&l, "/", "a", 0), ERR_INVALID);
    Coord__V1__Read none = COORD__V1__READ__INIT;
    expect(lab_read(&l, &none), ERR_INVALID);
    lab_release(&l);
}

static void test_read__pages_give_every_name_once_and_in_order(void)
{
    struct lab l;
    char path[32], after[32] = "", last[32] = "";
    int seen = 0;
    bool more = true;
    lab_init(&l);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/d", ""), ERR_OK);
    for (int i = 0; i < 57; i++) {
        snprintf(path, sizeof path, "/d/%d", i * 7919 % 1000);
        CU_ASSERT_EQUAL(lab_create(&l, 0, path, ""), ERR_OK);
    }
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/d2", ""), ERR_OK);
    while (more) {
        Coord__V1__Answer *answer = list(&l, "/d", after, 10);
        CU_ASSERT_EQUAL_FATAL(answer->body_case, COORD__V1__ANSWER__BODY_LISTING);
        more = answer->listing->more;
        CU_ASSERT_EQUAL(answer->listing->n_children, more ? 10 : 7);
        for (size_t i = 0; i < answer->listing->n_children; i++) {
            const char *child = answer->listing->children[i]->path;
            CU_ASSERT_EQUAL(strncmp(child, "/d/", 3), 0);
            CU_ASSERT_TRUE(strcmp(child, last) > 0);
            snprintf(last, sizeof last, "%s", child);
            snprintf(after, sizeof after, "%s", child + 3);
            seen++;
        }
        done(answer);
    }
    CU_ASSERT_EQUAL(seen, 57);
    Coord__V1__Answer *root = list(&l, "/", "", 0);
    CU_ASSERT_EQUAL(root->listing->n_children, 2);
    CU_ASSERT_STRING_EQUAL(root->listing->children[0]->path, "/d");
    CU_ASSERT_FALSE(root->listing->more);
    done(root);
    Coord__V1__Answer *empty = list(&l, "/d2", "", 0);
    CU_ASSERT_EQUAL(empty->listing->n_children, 0);
    CU_ASSERT_FALSE(empty->listing->more);
    done(empty);
    lab_release(&l);
}

/* Names of 255 bytes fill a page before its number of entries does. */
static void test_read__a_page_is_bounded_in_bytes(void)
{
    struct lab l;
    char path[300], parent[1000] = "";
    lab_init(&l);
    for (int i = 0; i < 3; i++) { /* a long path before every name */
        size_t at = strlen(parent);
        parent[at] = '/';
        memset(parent + at + 1, 'p', 240);
        parent[at + 241] = '\0';
    }
    CU_ASSERT_EQUAL(lab_create_parents(&l, 0, parent), ERR_OK);
    Coord__V1__Command *commands[500];
    for (int i = 0; i < 500; i++) {
        Coord__V1__Create *create = check_malloc(sizeof *create);
        commands[i] = check_malloc(sizeof *commands[i]);
        coord__v1__create__init(create);
        coord__v1__command__init(commands[i]);
        snprintf(path, sizeof path, "/%03d", i);
        memset(path + 4, 'n', 200);
        path[204] = '\0';
        size_t size = strlen(parent) + strlen(path) + 1;
        create->path = check_malloc(size);
        snprintf(create->path, size, "%s%s", parent, path);
        commands[i]->op_case = COORD__V1__COMMAND__OP_CREATE;
        commands[i]->create = create;
    }
    struct buffer batch = lab_batch(1, commands, 500);
    state_apply(l.state, buffer_slice(&batch), &l.out);
    buffer_release(&batch);
    for (int i = 0; i < 500; i++) {
        free(commands[i]->create->path);
        free(commands[i]->create);
        free(commands[i]);
    }
    Coord__V1__Answer *answer = list(&l, parent, "", 0);
    CU_ASSERT_TRUE(answer->listing->more);
    CU_ASSERT_TRUE(answer->listing->n_children > 200);
    CU_ASSERT_TRUE(coord__v1__answer__get_packed_size(answer) < READ_PAGE_BYTES_MAX + 4096);
    done(answer);
    lab_release(&l);
}

static void test_read__a_page_is_bounded_in_entries(void)
{
    struct lab l;
    lab_init(&l);
    for (uint64_t i = 1; i <= READ_SESSIONS_MAX + 5; i++)
        CU_ASSERT_EQUAL_FATAL(lab_open(&l, i), i);
    Coord__V1__Answer *first = sessions(&l, 0, 0);
    CU_ASSERT_EQUAL(first->sessions->n_sessions, READ_SESSIONS_MAX);
    CU_ASSERT_TRUE(first->sessions->more);
    done(first);
    Coord__V1__Answer *rest = sessions(&l, READ_SESSIONS_MAX, 5000);
    CU_ASSERT_EQUAL(rest->sessions->n_sessions, 5);
    CU_ASSERT_FALSE(rest->sessions->more);
    done(rest);
    lab_release(&l);
}

static void test_read__sessions_show_who_they_are_and_what_they_have(void)
{
    struct lab l;
    lab_init(&l);
    uint64_t one = lab_open(&l, 1), two = lab_open(&l, 2);
    uint64_t opened_ms = l.time_ms;
    CU_ASSERT_EQUAL(lab_create_ephemeral(&l, two, "/e"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, two, 1, "/"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, two, 2, "/"), LAB_WAITS);
    Coord__V1__Answer *answer = sessions(&l, one, 1);
    CU_ASSERT_EQUAL_FATAL(answer->body_case, COORD__V1__ANSWER__BODY_SESSIONS);
    CU_ASSERT_EQUAL_FATAL(answer->sessions->n_sessions, 1);
    const Coord__V1__SessionInfo *info = answer->sessions->sessions[0];
    CU_ASSERT_EQUAL(info->session, two);
    CU_ASSERT_EQUAL(info->ttl_ms, 12000);
    CU_ASSERT_STRING_EQUAL(info->host, "host.example");
    CU_ASSERT_STRING_EQUAL(info->principal, "somebody");
    CU_ASSERT_EQUAL(info->pid, 77);
    CU_ASSERT_EQUAL(info->opened_ms, opened_ms);
    CU_ASSERT_EQUAL(info->ephemerals_count, 1);
    CU_ASSERT_EQUAL(info->locks_count, 1);
    CU_ASSERT_EQUAL(info->waits_count, 1);
    CU_ASSERT_EQUAL(info->lease_left_ms, 6000 + two);
    done(answer);
    lab_release(&l);
}

static void test_read__locks_show_holders_and_the_line(void)
{
    struct lab l;
    lab_init(&l);
    uint64_t one = lab_open(&l, 1), two = lab_open(&l, 2), three = lab_open(&l, 3);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/l", ""), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, one, 4, "/l"), ERR_OK);
    uint64_t held_ms = l.time_ms;
    char *sequencer = lab_sequencer(&l);
    CU_ASSERT_EQUAL(lab_acquire(&l, three, 5, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_acquire(&l, two, 6, "/l"), LAB_WAITS);
    Coord__V1__Answer *answer = locks(&l, "/l", "", 0);
    CU_ASSERT_EQUAL_FATAL(answer->body_case, COORD__V1__ANSWER__BODY_LOCKS);
    CU_ASSERT_EQUAL_FATAL(answer->locks->n_locks, 1);
    const Coord__V1__LockState *lock = answer->locks->locks[0];
    CU_ASSERT_STRING_EQUAL(lock->path, "/l");
    CU_ASSERT_STRING_EQUAL(lock->sequencer, sequencer);
    CU_ASSERT_EQUAL_FATAL(lock->n_holders, 1);
    CU_ASSERT_EQUAL(lock->holders[0]->session, one);
    CU_ASSERT_EQUAL(lock->holders[0]->handle, 4);
    CU_ASSERT_EQUAL(lock->holders[0]->since_ms, held_ms);
    CU_ASSERT_STRING_EQUAL(lock->holders[0]->host, "host.example");
    CU_ASSERT_EQUAL(lock->holders[0]->pid, 77);
    CU_ASSERT_EQUAL(lock->holders[0]->lease_left_ms, 6000 + one);
    CU_ASSERT_TRUE(lock->holders[0]->generation > 0);
    CU_ASSERT_EQUAL_FATAL(lock->n_waiters, 2);
    CU_ASSERT_EQUAL(lock->waiters[0]->session, three);
    CU_ASSERT_EQUAL(lock->waiters[1]->session, two);
    CU_ASSERT_EQUAL(lock->waiters[1]->generation, 0);
    done(answer);
    free(sequencer);
    lab_release(&l);
}

static void test_read__locks_show_what_was_taken_and_what_waits(void)
{
    struct lab l;
    lab_init(&l);
    uint64_t one = lab_open(&l, 1), two = lab_open(&l, 2);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/l", ""), ERR_OK);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/m", ""), ERR_OK);
    CU_ASSERT_EQUAL(
        lab_acquire_as(&l, one, 1, "/l", COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE, true, 90), ERR_OK);
    CU_ASSERT_EQUAL(lab_share(&l, two, 1, "/l"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_share(&l, two, 2, "/m"), ERR_OK);
    CU_ASSERT_EQUAL(lab_expire(&l, one, 1), ERR_OK);
    CU_ASSERT_EQUAL(lab_force(&l, 0, "/m"), ERR_OK);
    CU_ASSERT_EQUAL(lab_kill(&l, 0, lab_open(&l, 3)), ERR_OK);
    Coord__V1__Answer *answer = locks(&l, "/", "", 0);
    CU_ASSERT_EQUAL_FATAL(answer->locks->n_locks, 2);
    const Coord__V1__LockState *delayed = answer->locks->locks[0], *taken = answer->locks->locks[1];
    CU_ASSERT_EQUAL(delayed->delay_left_ms, 502);
    CU_ASSERT_EQUAL(delayed->n_holders, 0);
    CU_ASSERT_EQUAL(delayed->n_waiters, 1);
    CU_ASSERT_STRING_EQUAL(delayed->sequencer, "");
    CU_ASSERT_EQUAL(taken->delay_left_ms, 0);
    CU_ASSERT_EQUAL_FATAL(taken->n_holders, 1);
    CU_ASSERT_TRUE(taken->holders[0]->revoking);
    CU_ASSERT_EQUAL(taken->holders[0]->mode, COORD__V1__LOCK_MODE__LOCK_SHARED);
    CU_ASSERT_STRING_EQUAL(taken->sequencer, "");
    done(answer);
    answer = sessions(&l, 0, 0);
    CU_ASSERT_EQUAL_FATAL(answer->sessions->n_sessions, 2);
    CU_ASSERT_FALSE(answer->sessions->sessions[0]->killed);
    CU_ASSERT_TRUE(answer->sessions->sessions[1]->killed);
    done(answer);
    lab_release(&l);
}

static void test_read__locks_of_a_subtree_come_in_pages(void)
{
    static const char *const paths[] = {"/a", "/a/b", "/a/b/c", "/a-x", "/a.y", "/b"};
    struct lab l;
    lab_init(&l);
    uint64_t one = lab_open(&l, 1);
    for (uint64_t i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(lab_create(&l, 0, paths[i], ""), ERR_OK);
        CU_ASSERT_EQUAL(lab_acquire(&l, one, i + 1, paths[i]), ERR_OK);
    }
    Coord__V1__Answer *answer = locks(&l, "/a", "", 2);
    CU_ASSERT_EQUAL_FATAL(answer->locks->n_locks, 2);
    CU_ASSERT_STRING_EQUAL(answer->locks->locks[0]->path, "/a");
    CU_ASSERT_STRING_EQUAL(answer->locks->locks[1]->path, "/a/b");
    CU_ASSERT_TRUE(answer->locks->more);
    done(answer);
    answer = locks(&l, "/a", "/a/b", 2);
    CU_ASSERT_EQUAL_FATAL(answer->locks->n_locks, 1);
    CU_ASSERT_STRING_EQUAL(answer->locks->locks[0]->path, "/a/b/c");
    CU_ASSERT_FALSE(answer->locks->more);
    done(answer);
    answer = locks(&l, "/", "", 0);
    CU_ASSERT_EQUAL_FATAL(answer->locks->n_locks, 6);
    for (size_t i = 0; i < 6; i++)
        CU_ASSERT_STRING_EQUAL(answer->locks->locks[i]->path, paths[i]);
    CU_ASSERT_FALSE(answer->locks->more);
    done(answer);
    answer = locks(&l, "/nobody/here", "", 0);
    CU_ASSERT_EQUAL(answer->locks->n_locks, 0);
    done(answer);
    lab_release(&l);
}

static void test_read__state_stat_tells_of_any_path(void)
{
    struct lab l;
    lab_init(&l);
    CU_ASSERT_PTR_NULL(lab_stat(&l, "/a"));
    CU_ASSERT_PTR_NULL(lab_stat(&l, "no path"));
    CU_ASSERT_EQUAL(lab_create_parents(&l, 0, "/a/b"), ERR_OK);
    Coord__V1__Stat *found = lab_stat(&l, "/a/b");
    CU_ASSERT_STRING_EQUAL(found->path, "/a/b");
    coord__v1__stat__free_unpacked(found, NULL);
    lab_release(&l);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_read__get_shows_content_and_stat_at_a_revision),
        TEST(test_read__says_what_is_wrong),
        TEST(test_read__pages_give_every_name_once_and_in_order),
        TEST(test_read__a_page_is_bounded_in_bytes),
        TEST(test_read__a_page_is_bounded_in_entries),
        TEST(test_read__sessions_show_who_they_are_and_what_they_have),
        TEST(test_read__locks_show_holders_and_the_line),
        TEST(test_read__locks_show_what_was_taken_and_what_waits),
        TEST(test_read__locks_of_a_subtree_come_in_pages),
        TEST(test_read__state_stat_tells_of_any_path),
    };
    return run_suite("state read", cases, sizeof cases / sizeof cases[0], argc, argv);
}
