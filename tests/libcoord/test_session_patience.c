/* test_session_patience.c - how long a session with a short lease waits for a server
 * that is silent: no longer than leaves it the time to find the next leader. */
#include <stdio.h>
#include <string.h>

#include "libcoord/base/err.h"
#include "tests/libcoord/bench.h"
#include "tests/support/runner.h"

enum { TTL_MS = 2000, BEAT_MS = TTL_MS / 3 + 1, SILENCE_MS = TTL_MS / 6 };

static struct bench bench;
static struct bench *const b = &bench;

static void open_short(void)
{
    bench_init_with(
        b, (struct client_session_config){.ttl_ms = TTL_MS, .grace_ms = BENCH_GRACE_MS, .seed = 1});
    b->ttl_ms = TTL_MS;
    bench_attach(b);
    CU_ASSERT_EQUAL_FATAL(client_session_state(b->session), CLIENT_SESSION_SAFE);
    bench_clear(b);
}

static void test_session_patience__a_silent_server_is_left_after_a_sixth_of_a_short_lease(void)
{
    open_short();
    bench_wait_ms(b, BEAT_MS);
    CU_ASSERT_EQUAL(b->beats_count, 1);
    bench_wait_ms(b, SILENCE_MS - 2);
    CU_ASSERT_EQUAL(b->connects_count, 0);
    bench_wait_ms(b, 2);
    CU_ASSERT_EQUAL(b->connects_count, 1);
    bench_attach(b);
    CU_ASSERT_EQUAL(b->states_count, 0);
    CU_ASSERT(bench_safe_ms(b) > TTL_MS * 9 / 10);
    bench_release(b);
}

/* The leader stops just behind an answer. Its followers send everybody back to it, until
 * they have a new one; it takes connections, as a stopped process does, but no more. */
static void stop_leader(int64_t elected_after_ms)
{
    open_short();
    char stopped[sizeof b->address], next[sizeof b->address] = "";
    snprintf(stopped, sizeof stopped, "%s", b->address);
    int64_t elected_ns = b->now_ns + ms_to_ns(elected_after_ms);
    uint64_t link = b->link;
    while (b->states_count == 0 && b->now_ns < elected_ns + ms_to_ns(TTL_MS)) {
        bench_wait_ms(b, 1);
        if (b->link == link)
            continue;
        link = b->link;
        bench_up(b);
        if (strcmp(b->address, stopped) == 0)
            continue;
        if (next[0] == '\0')
            snprintf(next, sizeof next, "%s", b->address);
        if (b->now_ns < elected_ns) {
            bench_redirect(b, stopped);
        } else if (strcmp(b->address, next) == 0) {
            bench_begun(b, ERR_OK);
            bench_beat(b, ERR_OK);
            break;
        } else {
            bench_redirect(b, next);
        }
    }
    CU_ASSERT_EQUAL(b->states_count, 0); /* no jeopardy */
    CU_ASSERT(bench_safe_ms(b) > 0);
    bench_release(b);
}

static void test_session_patience__a_leader_that_stops_brings_no_jeopardy(void)
{
    for (int64_t ms = 300; ms <= 1400; ms += 100)
        stop_leader(ms);
}

static void test_session_patience__one_that_was_slow_is_found_again_in_time(void)
{
    open_short();
    char leader[sizeof b->address];
    snprintf(leader, sizeof leader, "%s", b->address);
    bench_wait_ms(b, BEAT_MS + SILENCE_MS);
    CU_ASSERT_STRING_NOT_EQUAL(b->address, leader);
    uint64_t link = 0;
    while (strcmp(b->address, leader) != 0 && b->states_count == 0) {
        if (b->link != link) {
            link = b->link;
            bench_up(b);
            bench_redirect(b, leader);
        } else {
            bench_wait_ms(b, 1);
        }
    }
    bench_attach(b);
    CU_ASSERT_EQUAL(b->states_count, 0);
    CU_ASSERT(bench_safe_ms(b) > 0);
    bench_release(b);
}

/* Two servers are cut off from the others: one still names the other, which knows
 * nobody. Before long the third is asked, whatever the two say. */
static void test_session_patience__two_that_know_no_better_are_not_all_that_is_asked(void)
{
    for (int i = 0; i < 2; i++) {
        const char *names = i == 0 ? "a:1" : "b:1", *named = i == 0 ? "b:1" : "a:1";
        int others = 0;
        bench_init(b);
        for (uint64_t link = 0; others < 20; bench_wait_ms(b, 1)) {
            if (b->link == link)
                continue;
            link = b->link;
            bench_up(b);
            if (b->address[0] == 'c' && others > 1)
                break;
            others++;
            bench_redirect(b, b->address[0] == names[0] ? named : "");
        }
        CU_ASSERT(others < 20);
        bench_release(b);
    }
}

static void test_session_patience__with_a_long_lease_it_is_what_it_is_at_most(void)
{
    bench_open(b);
    bench_wait_ms(b, BENCH_TTL_MS / 3 + CLIENT_SESSION_BEAT_TIMEOUT_MS - 1);
    CU_ASSERT_EQUAL(b->connects_count, 0);
    bench_wait_ms(b, 1);
    CU_ASSERT_EQUAL(b->connects_count, 1);
    bench_release(b);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_session_patience__a_silent_server_is_left_after_a_sixth_of_a_short_lease),
        TEST(test_session_patience__a_leader_that_stops_brings_no_jeopardy),
        TEST(test_session_patience__one_that_was_slow_is_found_again_in_time),
        TEST(test_session_patience__two_that_know_no_better_are_not_all_that_is_asked),
        TEST(test_session_patience__with_a_long_lease_it_is_what_it_is_at_most),
    };
    return run_suite("session_patience", cases, sizeof cases / sizeof cases[0], argc, argv);
}
