/* test_event_run.c - a command for an event: what it finds, what becomes of its end. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/runner.h"
#include "tools/coordctl/event_run.h"
#include "tools/coordctl/signals.h"

static const struct event_words plain = {
    .kind = "content", .path = "/a b", .revision = UINT64_MAX, .generation = 7, .exists = true};

static int run(const char *command, const struct event_words *event)
{
    bool told = false;
    int code = event_run(command, event, &told);
    CU_ASSERT_FALSE(told);
    return code;
}

static void test_event_run__it_finds_the_event_in_its_environment(void)
{
    setenv("COORD_EVENT_OLD", "1", 1); /* as in a watch below a watch */
    CU_ASSERT_EQUAL(run("test \"$COORD_EVENT_KIND\" = content && "
                        "test \"$COORD_EVENT_PATH\" = '/a b' && "
                        "test \"$COORD_EVENT_REVISION\" = 18446744073709551615 && "
                        "test \"$COORD_EVENT_EXISTS\" = 1 && "
                        "test \"$COORD_EVENT_GENERATION\" = 7 && "
                        "test -z \"$COORD_EVENT_OLD\" && test -n \"$PATH\"",
                        &plain),
                    0);
}

static void test_event_run__its_end_is_told_as_by_a_shell(void)
{
    CU_ASSERT_EQUAL(run("exit 3", &plain), 3);
    CU_ASSERT_EQUAL(run("kill -9 $$", &plain), 128 + SIGKILL);
    CU_ASSERT_EQUAL(run("/no/such/program 2>/dev/null", &plain), 127);
}

static void test_event_run__the_value_is_its_standard_input(void)
{
    struct event_words event = plain;
    event.value = "a\0b\n";
    event.value_length = 4;
    CU_ASSERT_EQUAL(run("test $(od -An -tx1 | tr -d ' \n') = 6100620a", &event), 0);
    CU_ASSERT_EQUAL(run("true", &event), 0); /* and need not be read */
    CU_ASSERT_EQUAL(run("test $(wc -c) = 0", &plain), 0);
}

static void test_event_run__no_signal_is_held_back_from_it(void)
{
    CU_ASSERT_EQUAL(run("kill -TERM $$; exit 1", &plain), 128 + SIGTERM);
}

static void test_event_run__what_asks_us_to_end_asks_it(void)
{
    bool told = false;
    kill(getpid(), SIGTERM); /* waits until it is taken */
    CU_ASSERT_EQUAL(event_run("sleep 30", &plain, &told), 128 + SIGTERM);
    CU_ASSERT_TRUE(told);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_event_run__it_finds_the_event_in_its_environment),
        TEST(test_event_run__its_end_is_told_as_by_a_shell),
        TEST(test_event_run__the_value_is_its_standard_input),
        TEST(test_event_run__no_signal_is_held_back_from_it),
        TEST(test_event_run__what_asks_us_to_end_asks_it),
    };
    signals_hold();
    return run_suite("event_run", cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
