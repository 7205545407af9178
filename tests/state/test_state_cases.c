/* test_state_cases.c - cases of docs/testing.md, "Cases that broke others", that one
 * state shows: who is granted what, what ends with a session, what never goes back. */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/state/lab.h"
#include "tests/support/runner.h"

enum { EPHEMERALS = 5 };

static const int OK = COORD__V1__STATUS__OK;
static const int EXPIRED = COORD__V1__STATUS__EXPIRED;

/* ---- locks ---- */

/* One session holds /l, and another one waits for it. */
static void init_line(struct lab *l, uint64_t *ret_holder, uint64_t *ret_waiter)
{
    lab_init(l);
    *ret_holder = lab_open(l, 1);
    *ret_waiter = lab_open(l, 2);
    CU_ASSERT_EQUAL(lab_create(l, 0, "/l", ""), OK);
    CU_ASSERT_EQUAL(lab_acquire(l, *ret_holder, 1, "/l"), OK);
    CU_ASSERT_EQUAL(lab_acquire(l, *ret_waiter, 1, "/l"), LAB_WAITS);
}

static void test_case_03__who_expired_in_line_is_granted_nothing(void)
{
    struct lab l;
    uint64_t holder, gone, next, asked_gone, asked_next;

    init_line(&l, &holder, &gone);
    asked_gone = l.seq[gone];
    next = lab_open(&l, 3);
    CU_ASSERT_EQUAL(lab_acquire(&l, next, 1, "/l"), LAB_WAITS);
    asked_next = l.seq[next];
    CU_ASSERT_EQUAL(lab_expire(&l, gone, 0), OK);
    CU_ASSERT_EQUAL(lab_release_lock(&l, holder, 1, "/l"), OK);
    CU_ASSERT_EQUAL(lab_answered(&l, gone, asked_gone), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_answered(&l, next, asked_next), OK);
    /* Nor what it asks for afterwards. */
    CU_ASSERT_EQUAL(lab_release_lock(&l, next, 1, "/l"), OK);
    CU_ASSERT_EQUAL(lab_try(&l, gone, 2, "/l"), EXPIRED);
    CU_ASSERT_EQUAL(lab_try(&l, holder, 1, "/l"), OK);
    lab_release(&l);
}

/* Holder and first in line end in the same moment: the lock goes to nobody dead. */
static void test_case_03__a_lock_is_not_passed_on_through_the_dead(void)
{
    struct lab l;
    uint64_t holder, gone;

    init_line(&l, &holder, &gone);
    CU_ASSERT_EQUAL(lab_kill(&l, 0, gone), OK);
    CU_ASSERT_EQUAL(lab_expire(&l, holder, 0), OK);
    CU_ASSERT_EQUAL(lab_answered(&l, gone, l.seq[gone]), LAB_WAITS);
    holder = lab_open(&l, 3);
    CU_ASSERT_EQUAL(lab_try(&l, holder, 1, "/l"), OK);
    lab_release(&l);
}

/* ---- ephemeral nodes ---- */

static const char *name_of(int i)
{
    static char name[32];

    (void)snprintf(name, sizeof name, i % 2 == 0 ? "/e%d" : "/dir/e%d", i);
    return name;
}

static int there(const struct lab *l)
{
    int count = 0;

    for (int i = 0; i < EPHEMERALS; i++) {
        char *content = lab_content(l, name_of(i));

        count += content != NULL;
        free(content);
    }
    return count;
}

static void make_all(struct lab *l, uint64_t session)
{
    for (int i = 0; i < EPHEMERALS; i++)
        CU_ASSERT_EQUAL(lab_create_ephemeral(l, session, name_of(i)), OK);
    CU_ASSERT_EQUAL(there(l), EPHEMERALS);
}

static int deletions(const struct lab *l)
{
    int count = 0;

    for (uint32_t i = 0; i < l->out.events_count; i++)
        count += l->out.events[i].kind == STATE_EVENT_DELETED;
    return count;
}

static void go_on_from_records(struct lab *l)
{
    struct state *reloaded = lab_reload(l->state);

    CU_ASSERT_PTR_NOT_NULL_FATAL(reloaded);
    CU_ASSERT_TRUE(lab_same_hash(l->state, reloaded));
    state_free(l->state);
    l->state = reloaded;
}

/* With a state that is saved and loaded at each point of it. */
static void test_case_15__ephemeral_nodes_end_once_and_all(void)
{
    struct lab l;
    uint64_t gone, heir;

    lab_init(&l);
    gone = lab_open(&l, 1);
    heir = lab_open(&l, 2);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/dir", ""), OK);
    make_all(&l, gone);
    go_on_from_records(&l);
    CU_ASSERT_EQUAL(lab_expire(&l, gone, 0), OK);
    CU_ASSERT_EQUAL(there(&l), 0);
    CU_ASSERT_EQUAL(deletions(&l), EPHEMERALS);
    go_on_from_records(&l);
    CU_ASSERT_EQUAL(there(&l), 0);
    /* The names are somebody else's now; the first one's end comes again. */
    make_all(&l, heir);
    go_on_from_records(&l);
    CU_ASSERT_EQUAL(lab_expire(&l, gone, 0), EXPIRED);
    CU_ASSERT_EQUAL(deletions(&l), 0);
    CU_ASSERT_EQUAL(lab_end(&l, gone), EXPIRED);
    CU_ASSERT_EQUAL(there(&l), EPHEMERALS);
    CU_ASSERT_EQUAL(lab_create_ephemeral(&l, gone, "/late"), EXPIRED);
    CU_ASSERT_EQUAL(lab_end(&l, heir), OK);
    CU_ASSERT_EQUAL(deletions(&l), EPHEMERALS);
    CU_ASSERT_EQUAL(there(&l), 0);
    lab_release(&l);
}

/* ---- what only rises ---- */

/* Those of its content and of its lock; each is higher than it was. */
static void check_risen(const struct lab *l, const char *path, uint64_t *content, uint64_t *lock)
{
    Coord__V1__Stat *stat = lab_stat(l, path);

    CU_ASSERT_PTR_NOT_NULL_FATAL(stat);
    CU_ASSERT_TRUE(stat->content_generation > *content);
    CU_ASSERT_TRUE(stat->lock_generation > *lock);
    *content = stat->content_generation;
    *lock = stat->lock_generation;
    coord__v1__stat__free_unpacked(stat, NULL);
}

/* A state that goes on from what was saved counts on from there: also for a node that
 * was deleted, and made again afterwards. */
static void test_case_24__no_number_goes_back_behind_a_saved_state(void)
{
    struct lab l;
    uint64_t s, highest = 0, lock_highest = 0;

    lab_init(&l);
    s = lab_open(&l, 1);
    for (int turn = 0; turn < 4; turn++) {
        uint64_t before = state_revision(l.state);

        CU_ASSERT_EQUAL(lab_create(&l, s, "/n", "x"), OK);
        CU_ASSERT_EQUAL(lab_put(&l, s, "/n", "y"), OK);
        CU_ASSERT_EQUAL(lab_acquire(&l, s, 1, "/n"), OK);
        CU_ASSERT_TRUE(state_revision(l.state) > before);
        check_risen(&l, "/n", &highest, &lock_highest);
        CU_ASSERT_EQUAL(lab_release_lock(&l, s, 1, "/n"), OK);
        CU_ASSERT_EQUAL(lab_delete(&l, s, "/n"), OK);
        before = state_revision(l.state);
        go_on_from_records(&l);
        CU_ASSERT_EQUAL(state_revision(l.state), before);
    }
    lab_release(&l);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_case_03__who_expired_in_line_is_granted_nothing),
        TEST(test_case_03__a_lock_is_not_passed_on_through_the_dead),
        TEST(test_case_15__ephemeral_nodes_end_once_and_all),
        TEST(test_case_24__no_number_goes_back_behind_a_saved_state),
    };

    return run_suite("state_cases", cases, sizeof cases / sizeof cases[0], argc, argv);
}
