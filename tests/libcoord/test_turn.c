/* test_turn.c - how many sessions of a client begin at the same time. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"
#include "tests/support/runner.h"

enum { SESSIONS = 1500, AT_ONCE = 1024 };

static struct coord_client client;
static struct coord_session sessions[SESSIONS];

/* A clock whose thread does not run: who is to be called is seen by `timed`. */
static void begin(void)
{
    memset(&client, 0, sizeof client);
    memset(sessions, 0, sizeof sessions);
    CHECK(pthread_mutex_init(&client.mutex, NULL) == 0);
    CHECK(pthread_mutex_init(&client.timers.mutex, NULL) == 0);
    client.timers.by_time = (struct avl)AVL_INIT;
    client.timers.fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);
    CHECK(client.timers.fd >= 0);
    list_init(&client.turns_waiting);
    for (int i = 0; i < SESSIONS; i++) {
        sessions[i].client = &client;
        CU_ASSERT_EQUAL(turn_take(&sessions[i]), i < AT_ONCE);
    }
}

static void end(void)
{
    for (int i = 0; i < SESSIONS; i++)
        turn_over(&sessions[i]);
    CU_ASSERT_EQUAL(client.turns_count, 0);
    CU_ASSERT(list_empty(&client.turns_waiting));
    (void)close(client.timers.fd);
    pthread_mutex_destroy(&client.timers.mutex);
    pthread_mutex_destroy(&client.mutex);
}

static void test_turn__comes_to_each_in_order_when_one_has_begun(void)
{
    begin();
    for (int i = AT_ONCE; i < SESSIONS; i++) {
        CU_ASSERT_FALSE(turn_take(&sessions[i])); /* to ask again changes nothing */
        CU_ASSERT_FALSE(sessions[i].timed);
        turn_over(&sessions[i - AT_ONCE]);
        CU_ASSERT_TRUE(sessions[i].timed);
        CU_ASSERT_TRUE(turn_take(&sessions[i]));
        CU_ASSERT_EQUAL(client.turns_count, AT_ONCE);
    }
    end();
}

static void test_turn__goes_back_to_the_end_of_the_line_and_passes_who_left_it(void)
{
    begin();
    turn_over(&sessions[AT_ONCE]); /* wants to no more */
    turn_over(&sessions[0]);
    CU_ASSERT_FALSE(sessions[AT_ONCE].timed);
    CU_ASSERT_TRUE(sessions[AT_ONCE + 1].timed);
    CU_ASSERT_FALSE(turn_take(&sessions[0]));
    for (int i = AT_ONCE + 2; i < SESSIONS; i++)
        turn_over(&sessions[i - AT_ONCE]);
    CU_ASSERT_TRUE(sessions[SESSIONS - 1].timed);
    CU_ASSERT_FALSE(sessions[0].timed);
    turn_over(&sessions[AT_ONCE - 1]);
    CU_ASSERT_TRUE(sessions[0].timed);
    end();
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_turn__comes_to_each_in_order_when_one_has_begun),
        TEST(test_turn__goes_back_to_the_end_of_the_line_and_passes_who_left_it),
    };
    return run_suite("turn", cases, sizeof cases / sizeof cases[0], argc, argv);
}
