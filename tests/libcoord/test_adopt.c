/* test_adopt.c - a session that another process opened: what it holds can be seen, and
 * taken up as locks of this one. The other process is a client that was closed without a
 * word, as if it had been killed. */
#define _GNU_SOURCE
#include <coord/coord.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/libcoord/clients.h"
#include "tests/support/runner.h"

enum { DEADLINE_MS = 10000, NAME_BYTES = 256 };

static struct cell cell;

/* A session of a process that is no more, and what it left behind. */
struct left {
    uint64_t id;
    uint8_t secret[COORD_SECRET_BYTES];
    char sequencer[NAME_BYTES];
};

static void remember(struct left *l, coord_session *s, const coord_lock *lock)
{
    l->id = coord_session_id(s);
    coord_session_secret(s, l->secret);
    (void)snprintf(l->sequencer, sizeof l->sequencer, "%s", coord_lock_sequencer(lock));
}

/* The lock is not given back: only the client's own memory of it goes. */
static void vanish(coord_client *client, coord_session *s, coord_node *node, coord_lock *lock)
{
    coord_client_close(client);
    CU_ASSERT_NOT_EQUAL(coord_unlock(lock, 0), COORD_OK);
    coord_node_close(node);
    (void)s;
}

static void leave(struct left *l, const char *path, const coord_lock_options *o)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    coord_node *node = open_node(s, path);
    coord_lock *lock = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire_with(node, o, DEADLINE_MS, &lock), COORD_OK);
    remember(l, s, lock);
    vanish(client, s, node, lock);
}

static coord_session *attach(coord_client *client, const struct left *l)
{
    coord_session *s = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_session_attach(client, NULL, l->id, l->secret, &s), COORD_OK);
    return s;
}

static void test_adopt__a_lock_of_another_process_is_taken_up_and_given_back(void)
{
    struct left left;
    leave(&left, "/adopt/x", NULL);
    coord_client *client = open_client(&cell);
    coord_session *s = attach(client, &left), *other = open_session(client);
    coord_node *node = open_node(s, "/adopt/x"), *again = open_node(s, "/adopt/x"),
               *theirs = open_node(other, "/adopt/x");
    coord_lock *lock = NULL, *second = NULL;
    CU_ASSERT_EQUAL(coord_trylock(theirs, DEADLINE_MS, &second), COORD_ERR_LOCK_HELD);
    CU_ASSERT_EQUAL_FATAL(coord_lock_adopt(node, 0, DEADLINE_MS, &lock), COORD_OK);
    CU_ASSERT_STRING_EQUAL(coord_lock_sequencer(lock), left.sequencer);
    CU_ASSERT(coord_lock_safe_ms(lock) > 0);
    CU_ASSERT(!coord_lock_lost(lock));
    CU_ASSERT_EQUAL(coord_check_sequencer(s, left.sequencer, DEADLINE_MS), COORD_OK);

    /* It is this handle's now, and there is no other. */
    CU_ASSERT_EQUAL(coord_lock_acquire(node, DEADLINE_MS, &second), COORD_ERR_INVALID);
    CU_ASSERT_EQUAL(coord_lock_adopt(node, 0, DEADLINE_MS, &second), COORD_ERR_INVALID);
    CU_ASSERT_EQUAL(coord_lock_adopt(again, 0, DEADLINE_MS, &second), COORD_ERR_NOT_HELD);
    CU_ASSERT_EQUAL(coord_lock_adopt(theirs, 0, DEADLINE_MS, &second), COORD_ERR_NOT_HELD);
    CU_ASSERT_PTR_NULL(second);

    CU_ASSERT_EQUAL(coord_unlock(lock, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(coord_lock_adopt(node, 0, DEADLINE_MS, &lock), COORD_ERR_NOT_HELD);
    CU_ASSERT_EQUAL(coord_trylock(theirs, DEADLINE_MS, &second), COORD_OK);
    CU_ASSERT_EQUAL(coord_unlock(second, DEADLINE_MS), COORD_OK);
    coord_node_close(node);
    coord_node_close(again);
    coord_node_close(theirs);
    CU_ASSERT_EQUAL(coord_session_close(other, DEADLINE_MS), COORD_OK);
    close_all(client, s);
}

/* Where several are held, the list of locks names them. */
static void test_adopt__of_several_shared_ones_that_is_taken_which_is_named(void)
{
    coord_client *gone = open_client(&cell);
    coord_session *before = open_session(gone);
    coord_node *a = open_node(before, "/adopt/many"), *b = open_node(before, "/adopt/many");
    coord_lock *first = NULL, *second = NULL;
    coord_lock_options o = COORD_LOCK_OPTIONS_INIT;
    o.shared = true;
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire_with(a, &o, DEADLINE_MS, &first), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire_with(b, &o, DEADLINE_MS, &second), COORD_OK);
    struct left left;
    remember(&left, before, first);
    coord_client_close(gone);
    CU_ASSERT_NOT_EQUAL(coord_unlock(first, 0), COORD_OK);
    CU_ASSERT_NOT_EQUAL(coord_unlock(second, 0), COORD_OK);
    coord_node_close(a);
    coord_node_close(b);

    coord_client *client = open_client(&cell);
    coord_session *s = attach(client, &left);
    coord_lock_listing *list = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_locks(s, "/adopt/many", NULL, 0, DEADLINE_MS, &list), COORD_OK);
    CU_ASSERT_EQUAL_FATAL(list->count, 1);
    CU_ASSERT_EQUAL_FATAL(list->locks[0].holders_count, 2);
    CU_ASSERT_EQUAL(list->locks[0].holders[0].session, coord_session_id(s));
    coord_node *nodes[3];
    coord_lock *locks[2] = {NULL, NULL}, *none = NULL;
    for (int i = 0; i < 3; i++)
        nodes[i] = open_node(s, "/adopt/many");
    uint64_t named = list->locks[0].holders[1].handle;
    CU_ASSERT_EQUAL_FATAL(coord_lock_adopt(nodes[1], named, DEADLINE_MS, &locks[1]), COORD_OK);
    CU_ASSERT_EQUAL(coord_lock_adopt(nodes[0], named, DEADLINE_MS, &none), COORD_ERR_NOT_HELD);
    CU_ASSERT_EQUAL(coord_lock_adopt(nodes[0], 12345, DEADLINE_MS, &none), COORD_ERR_NOT_HELD);
    CU_ASSERT_EQUAL_FATAL(coord_lock_adopt(nodes[0], 0, DEADLINE_MS, &locks[0]), COORD_OK);
    CU_ASSERT_EQUAL(coord_lock_adopt(nodes[2], 0, DEADLINE_MS, &none), COORD_ERR_NOT_HELD);
    coord_sequencer parsed;
    CU_ASSERT_EQUAL(coord_sequencer_parse(coord_lock_sequencer(locks[1]), &parsed), COORD_OK);
    CU_ASSERT(!parsed.exclusive);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(coord_check_sequencer(s, coord_lock_sequencer(locks[i]), DEADLINE_MS),
                        COORD_OK);
        CU_ASSERT_EQUAL(coord_unlock(locks[i], DEADLINE_MS), COORD_OK);
    }
    for (int i = 0; i < 3; i++)
        coord_node_close(nodes[i]);
    coord_lock_listing_free(list);
    close_all(client, s);
}

/* The process before was still in line when it went. */
struct adopting {
    coord_node *node;
    coord_lock *lock;
};

static bool is_adopted(void *context)
{
    struct adopting *a = context;
    return coord_lock_adopt(a->node, 0, DEADLINE_MS, &a->lock) == COORD_OK;
}

static bool is_waited_for(void *context)
{
    coord_stat stat;
    return coord_stat_get(context, "/adopt/line", DEADLINE_MS, &stat) == COORD_OK &&
           stat.lock_waiters_count == 1;
}

/* What this program does as `--wait`: waits in line, for ever. */
static int wait_in_line(const char *endpoints, const char *path)
{
    coord_client *client = NULL;
    coord_session *s = NULL;
    coord_node *node = NULL;
    coord_lock *lock = NULL;
    uint8_t secret[COORD_SECRET_BYTES];
    if (coord_client_open(endpoints, NULL, &client) != COORD_OK ||
        coord_session_open(client, NULL, &s) != COORD_OK ||
        coord_open(s, path, 0, DEADLINE_MS, &node) != COORD_OK)
        return EXIT_FAILURE;
    coord_session_secret(s, secret);
    (void)printf("%" PRIu64 "\n", coord_session_id(s));
    (void)fwrite(secret, 1, sizeof secret, stdout);
    (void)fflush(stdout);
    return coord_lock_acquire(node, COORD_FOREVER, &lock) == COORD_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void test_adopt__what_is_granted_to_it_later_can_be_adopted_then(void)
{
    coord_client *client = open_client(&cell);
    coord_session *holder = open_session(client);
    coord_node *held = open_node(holder, "/adopt/line");
    coord_lock *lock = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(held, DEADLINE_MS, &lock), COORD_OK);
    struct left left;
    int fds[2];
    CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC), 0);
    const char *const arguments[] = {"/proc/self/exe", "--wait", cell.endpoints, "/adopt/line",
                                     NULL};
    pid_t waits = child_spawn(arguments, fds[1]);
    FILE *from = fdopen(fds[0], "r");
    (void)close(fds[1]);
    CU_ASSERT_EQUAL_FATAL(fscanf(from, "%" SCNu64, &left.id), 1);
    (void)fgetc(from);
    CU_ASSERT_EQUAL_FATAL(fread(left.secret, sizeof left.secret, 1, from), 1);
    CU_ASSERT(eventually(is_waited_for, holder, DEADLINE_MS));
    (void)kill(waits, SIGKILL);
    (void)waitpid(waits, NULL, 0);
    (void)fclose(from);

    coord_session *s = attach(client, &left);
    struct adopting a = {open_node(s, "/adopt/line"), NULL};
    CU_ASSERT_EQUAL(coord_lock_adopt(a.node, 0, DEADLINE_MS, &a.lock), COORD_ERR_NOT_HELD);
    CU_ASSERT_EQUAL(coord_unlock(lock, DEADLINE_MS), COORD_OK);
    CU_ASSERT_FATAL(eventually(is_adopted, &a, DEADLINE_MS));
    CU_ASSERT_EQUAL(coord_unlock(a.lock, DEADLINE_MS), COORD_OK);
    coord_node_close(a.node);
    coord_node_close(held);
    CU_ASSERT_EQUAL(coord_session_close(holder, DEADLINE_MS), COORD_OK);
    close_all(client, s);
}

static void test_adopt__a_node_made_again_is_told_apart(void)
{
    struct left left;
    coord_client *client = open_client(&cell), *gone = open_client(&cell);
    coord_session *before = open_session(gone);
    coord_node *old = open_node(before, "/adopt/again");
    coord_lock *lock = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(old, DEADLINE_MS, &lock), COORD_OK);
    remember(&left, before, lock);
    coord_session *s = attach(client, &left);
    coord_node *node = open_node(s, "/adopt/again"); /* the instance that goes */
    CU_ASSERT_EQUAL(coord_node_delete(old, DEADLINE_MS), COORD_OK);
    (void)coord_unlock(lock, DEADLINE_MS);
    coord_node_close(old);
    old = open_node(before, "/adopt/again");
    CU_ASSERT_EQUAL_FATAL(coord_lock_acquire(old, DEADLINE_MS, &lock), COORD_OK);
    vanish(gone, before, old, lock);
    coord_lock *none = NULL, *found = NULL;
    CU_ASSERT_EQUAL(coord_lock_adopt(node, 0, DEADLINE_MS, &none), COORD_ERR_INSTANCE_GONE);
    coord_node *now = open_node(s, "/adopt/again");
    CU_ASSERT_EQUAL(coord_lock_adopt(now, 0, DEADLINE_MS, &found), COORD_OK);
    CU_ASSERT_EQUAL(coord_unlock(found, DEADLINE_MS), COORD_OK);
    coord_node_close(node);
    coord_node_close(now);
    close_all(client, s);
}

/* @late: whoever attaches lets go of its locks late; of this one, which it does not know,
 * at once all the same. */
static void expect_forced_is_gone(bool late)
{
    struct left left;
    leave(&left, "/adopt/forced", NULL);
    coord_client *client = open_client(&cell);
    coord_session *other = open_session(client);
    CU_ASSERT_EQUAL(coord_unlock_force(other, "/adopt/forced", DEADLINE_MS), COORD_OK);
    coord_session_options options = COORD_SESSION_OPTIONS_INIT;
    options.lets_go_late = late;
    coord_session *s = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_session_attach(client, &options, left.id, left.secret, &s),
                          COORD_OK);
    int64_t start_ms = now_ms();
    coord_node *node = open_node(s, "/adopt/forced"), *theirs = open_node(other, "/adopt/forced");
    coord_lock *lock = NULL, *passed = NULL;
    CU_ASSERT_EQUAL(coord_lock_adopt(node, 0, DEADLINE_MS, &lock), COORD_ERR_NOT_HELD);
    CU_ASSERT_EQUAL(coord_lock_acquire(theirs, DEADLINE_MS, &passed), COORD_OK);
    CU_ASSERT(now_ms() - start_ms < 5000); /* no lease had to run out */
    CU_ASSERT_EQUAL(coord_unlock(passed, DEADLINE_MS), COORD_OK);
    coord_node_close(node);
    coord_node_close(theirs);
    CU_ASSERT_EQUAL(coord_session_close(other, DEADLINE_MS), COORD_OK);
    close_all(client, s);
}

static void test_adopt__what_was_taken_by_force_is_no_more_to_be_had(void)
{
    expect_forced_is_gone(false);
    expect_forced_is_gone(true);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_adopt__a_lock_of_another_process_is_taken_up_and_given_back),
        TEST(test_adopt__of_several_shared_ones_that_is_taken_which_is_named),
        TEST(test_adopt__what_is_granted_to_it_later_can_be_adopted_then),
        TEST(test_adopt__a_node_made_again_is_told_apart),
        TEST(test_adopt__what_was_taken_by_force_is_no_more_to_be_had),
    };
    if (argc == 4 && strcmp(argv[1], "--wait") == 0)
        return wait_in_line(argv[2], argv[3]);
    if (!cell_start(&cell))
        return EXIT_FAILURE;
    int result = run_suite("adopt", cases, sizeof cases / sizeof cases[0], argc, argv);
    cell_stop(&cell);
    return result;
}
