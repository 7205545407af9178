/* test_session.c - opening, belief, jeopardy, expiry, and finding the leader. */
#include <stdio.h>
#include <string.h>

#include "tests/libcoord/bench.h"
#include "tests/support/runner.h"

static struct bench bench, *const b = &bench;

/* 12 s less one per cent, for two clocks may each be wrong by half a per cent; it
 * is 0.6 ms more than this. */
enum { BELIEF_MS = 11880 };

static void test_session__opens_and_is_safe(void)
{
    bench_init(b);
    CU_ASSERT_EQUAL(b->connects_count, 1);
    bench_up(b);
    CU_ASSERT_EQUAL(b->opens_count, 1);
    CU_ASSERT_EQUAL(client_session_state(b->session), CLIENT_SESSION_OPENING);
    bench_begun(b, ERR_OK);
    CU_ASSERT_EQUAL(b->states_count, 1);
    CU_ASSERT_EQUAL(b->states[0], CLIENT_SESSION_SAFE);
    CU_ASSERT_EQUAL(client_session_id(b->session), BENCH_SESSION);
    CU_ASSERT_EQUAL(b->beats_count, 1);
    bench_release(b);
}

static void test_session__belief_counts_from_before_sending(void)
{
    bench_init(b);
    bench_up(b);
    bench_wait_ms(b, 300);
    bench_begun(b, ERR_OK);
    CU_ASSERT_EQUAL(bench_safe_ms(b), BELIEF_MS - 300);
    bench_wait_ms(b, 200);
    bench_beat(b, ERR_OK); /* was sent 200 ms ago */
    CU_ASSERT_EQUAL(bench_safe_ms(b), BELIEF_MS - 200);
    bench_release(b);
}

static void test_session__an_open_sent_again_keeps_its_nonce_and_counts_from_the_first(void)
{
    bench_init(b);
    bench_up(b);
    uint8_t nonce[16];
    memcpy(nonce, b->nonce, sizeof nonce);
    bench_wait_ms(b, 400);
    bench_down(b);
    bench_up(b);
    CU_ASSERT_EQUAL(b->opens_count, 2);
    CU_ASSERT_EQUAL(memcmp(nonce, b->nonce, sizeof nonce), 0);
    bench_begun(b, ERR_OK);
    CU_ASSERT_EQUAL(bench_safe_ms(b), BELIEF_MS - 400);
    bench_release(b);
}

static void test_session__opened_after_its_lease_is_safe_only_when_a_keepalive_is_answered(void)
{
    bench_init(b);
    bench_up(b);
    for (int i = 0; i < 20; i++) { /* for the cell has no quorum */
        bench_wait_ms(b, 700);
        bench_down(b);
        bench_wait_ms(b, 500);
        bench_up(b);
    }
    bench_begun(b, ERR_OK);
    CU_ASSERT_EQUAL(client_session_state(b->session), CLIENT_SESSION_OPENING);
    CU_ASSERT_EQUAL(b->states_count, 0);
    bench_beat(b, ERR_OK);
    CU_ASSERT_EQUAL(client_session_state(b->session), CLIENT_SESSION_SAFE);
    bench_release(b);
}

static void test_session__a_cell_that_refuses_fails_it_with_the_reason(void)
{
    bench_init(b);
    bench_up(b);
    bench_begun(b, ERR_QUOTA);
    CU_ASSERT_EQUAL(b->states_count, 1);
    CU_ASSERT_EQUAL(b->states[0], CLIENT_SESSION_FAILED);
    CU_ASSERT_EQUAL(b->state_status, ERR_QUOTA);
    CU_ASSERT_EQUAL(b->wake_at_ns, NEVER_NS);
    bench_release(b);
}

static void test_session__beats_at_a_third_of_the_lease(void)
{
    bench_open(b);
    bench_beating_ms(b, 3999);
    CU_ASSERT_EQUAL(b->beats_count, 0);
    bench_beating_ms(b, 1);
    CU_ASSERT_EQUAL(b->beats_count, 1);
    bench_beating_ms(b, 40000);
    CU_ASSERT_EQUAL(b->beats_count, 11);
    CU_ASSERT_EQUAL(b->states_count, 0);
    CU_ASSERT_EQUAL(b->connects_count, 0);
    bench_release(b);
}

static void test_session__an_unanswered_beat_is_sent_again_and_then_the_server_is_left(void)
{
    bench_open(b);
    bench_wait_ms(b, 4000);
    CU_ASSERT_EQUAL(b->beats_count, 1);
    bench_wait_ms(b, CLIENT_SESSION_BEAT_TIMEOUT_MS - 1);
    CU_ASSERT_EQUAL(b->beats_count, 3);
    CU_ASSERT_EQUAL(b->connects_count, 0);
    char before[sizeof b->address];
    snprintf(before, sizeof before, "%s", b->address);
    bench_wait_ms(b, 1);
    CU_ASSERT_EQUAL(b->connects_count, 1);
    CU_ASSERT_STRING_NOT_EQUAL(b->address, before);
    bench_release(b);
}

static void test_session__jeopardy_and_safe_are_told_once_per_episode(void)
{
    bench_open(b);
    uint64_t opened_on = b->link;
    bench_wait_ms(b, BELIEF_MS);
    CU_ASSERT_EQUAL(b->states_count, 0);
    CU_ASSERT(b->link != opened_on);
    bench_wait_ms(b, 1);
    CU_ASSERT_EQUAL(b->states_count, 1);
    CU_ASSERT_EQUAL(b->states[0], CLIENT_SESSION_JEOPARDY);
    CU_ASSERT_EQUAL(bench_safe_ms(b), 0);
    bench_wait_ms(b, 20000);
    CU_ASSERT_EQUAL(b->states_count, 1);
    while (b->connects_count == 0 || client_session_state(b->session) != CLIENT_SESSION_SAFE)
        bench_attach(b);
    CU_ASSERT_EQUAL(b->states_count, 2);
    CU_ASSERT_EQUAL(b->states[1], CLIENT_SESSION_SAFE);
    bench_wait_ms(b, BELIEF_MS + 1);
    CU_ASSERT_EQUAL(b->states_count, 3);
    CU_ASSERT_EQUAL(b->states[2], CLIENT_SESSION_JEOPARDY);
    bench_release(b);
}

static void test_session__grace_ends_in_expiry_and_every_call_says_so(void)
{
    bench_open(b);
    uint64_t sent = bench_put(b, -1);
    bench_wait_ms(b, BELIEF_MS + 10);
    uint64_t unsent = bench_put(b, -1);
    uint64_t read = bench_get(b, -1);
    bench_wait_ms(b, BENCH_GRACE_MS - 10);
    CU_ASSERT_EQUAL(b->answers_count, 0);
    bench_wait_ms(b, 1);
    CU_ASSERT_EQUAL(b->states_count, 2);
    CU_ASSERT_EQUAL(b->states[1], CLIENT_SESSION_EXPIRED);
    CU_ASSERT_EQUAL(bench_status(b, sent), ERR_EXPIRED);
    CU_ASSERT_EQUAL(bench_status(b, unsent), ERR_EXPIRED);
    CU_ASSERT_EQUAL(bench_status(b, read), ERR_EXPIRED);
    CU_ASSERT_TRUE(b->answers[0].maybe_applied);
    CU_ASSERT_FALSE(b->answers[1].maybe_applied);
    CU_ASSERT_EQUAL(bench_status(b, bench_put(b, -1)), ERR_EXPIRED);
    CU_ASSERT_EQUAL(bench_status(b, bench_get(b, -1)), ERR_EXPIRED);
    CU_ASSERT_EQUAL(bench_status(b, bench_watch(b, 1, -1)), ERR_EXPIRED);
    CU_ASSERT_EQUAL(b->wake_at_ns, NEVER_NS);
    bench_release(b);
}

static void test_session__a_process_that_slept_hears_jeopardy_then_expired(void)
{
    bench_open(b);
    b->now_ns += ms_to_ns(BELIEF_MS + BENCH_GRACE_MS + 1000);
    bench_wait_ms(b, 0);
    CU_ASSERT_EQUAL(b->states_count, 2);
    CU_ASSERT_EQUAL(b->states[0], CLIENT_SESSION_JEOPARDY);
    CU_ASSERT_EQUAL(b->states[1], CLIENT_SESSION_EXPIRED);
    bench_release(b);
}

static void test_session__the_servers_word_ends_it(void)
{
    bench_open(b);
    bench_wait_ms(b, 4000);
    bench_beat(b, ERR_EXPIRED);
    CU_ASSERT_EQUAL(b->states[0], CLIENT_SESSION_EXPIRED);
    bench_release(b);

    bench_open(b);
    bench_down(b);
    bench_up(b);
    bench_begun(b, ERR_EXPIRED);
    CU_ASSERT_EQUAL(b->states_count, 1);
    CU_ASSERT_EQUAL(b->states[0], CLIENT_SESSION_EXPIRED);
    bench_release(b);
}

static void test_session__an_answer_to_a_beat_not_sent_is_nothing(void)
{
    bench_open(b);
    int64_t safe_ms = bench_safe_ms(b);
    b->stamp += 1000000000000;
    bench_beat(b, ERR_OK);
    CU_ASSERT_EQUAL(bench_safe_ms(b), safe_ms);
    bench_beat(b, ERR_EXPIRED);
    CU_ASSERT_EQUAL(b->states_count, 0);
    bench_release(b);
}

static void test_session__an_attach_alone_renews_nothing(void)
{
    bench_open(b);
    bench_wait_ms(b, 1000);
    int64_t safe_ms = bench_safe_ms(b);
    bench_down(b);
    bench_up(b);
    bench_begun(b, ERR_OK);
    CU_ASSERT_EQUAL(b->attaches_count, 1);
    CU_ASSERT_EQUAL(bench_safe_ms(b), safe_ms);
    CU_ASSERT_EQUAL(b->beats_count, 1); /* at once on a new connection */
    bench_release(b);
}

static void test_session__a_redirect_is_followed_at_once(void)
{
    bench_init(b);
    bench_up(b);
    bench_redirect(b, "elsewhere:9");
    CU_ASSERT_EQUAL(b->connects_count, 2);
    CU_ASSERT_STRING_EQUAL(b->address, "elsewhere:9");
    bench_attach(b);
    CU_ASSERT_EQUAL(client_session_state(b->session), CLIENT_SESSION_SAFE);
    bench_release(b);
}

static void test_session__redirects_in_a_circle_end_in_a_pause(void)
{
    bench_init(b);
    for (int i = 0; i < 10 && b->disconnects_count == 0; i++) {
        bench_up(b);
        bench_redirect(b, strcmp(b->address, "x:1") == 0 ? "y:1" : "x:1");
    }
    CU_ASSERT_EQUAL(b->disconnects_count, 1);
    int64_t pause_ms = (b->wake_at_ns - b->now_ns) / NS_PER_MS;
    CU_ASSERT(pause_ms >= CLIENT_SESSION_BACKOFF_MIN_MS &&
              pause_ms <= CLIENT_SESSION_BACKOFF_MAX_MS);
    bench_release(b);
}

static void test_session__without_a_leader_each_is_asked_once_before_a_pause(void)
{
    bench_init(b);
    bool seen[3] = {false};
    for (int i = 0; i < 3; i++) {
        seen[b->address[0] - 'a'] = true;
        bench_up(b);
        bench_redirect(b, "");
    }
    CU_ASSERT(seen[0] && seen[1] && seen[2]);
    CU_ASSERT_EQUAL(b->connects_count, 3);
    for (int i = 0; i < 30; i++) {
        int64_t pause_ms = (b->wake_at_ns - b->now_ns) / NS_PER_MS;
        CU_ASSERT(pause_ms >= CLIENT_SESSION_BACKOFF_MIN_MS - 1 &&
                  pause_ms <= CLIENT_SESSION_BACKOFF_MAX_MS);
        bench_wait_ms(b, pause_ms + 1);
        for (int k = 0; k < 3; k++) {
            bench_up(b);
            bench_redirect(b, "");
        }
    }
    CU_ASSERT_EQUAL(b->connects_count, 93);
    bench_release(b);
}

static void test_session__a_redirect_to_a_server_that_just_broke_means_a_pause(void)
{
    bench_open(b);
    char leader[sizeof b->address];
    snprintf(leader, sizeof leader, "%s", b->address);
    bench_down(b);
    bench_up(b);
    bench_redirect(b, leader);
    CU_ASSERT_EQUAL(b->connects_count, 1);
    CU_ASSERT_EQUAL(b->disconnects_count, 1);
    bench_wait_ms(b, 100);
    CU_ASSERT_EQUAL(b->connects_count, 2);
    bench_up(b);
    bench_redirect(b, leader); /* by then it may be back */
    CU_ASSERT_STRING_EQUAL(b->address, leader);
    bench_release(b);
}

static void test_session__a_silent_begin_goes_on_elsewhere(void)
{
    bench_init(b);
    bench_up(b);
    bench_wait_ms(b, CLIENT_SESSION_BEGIN_TIMEOUT_MS);
    CU_ASSERT_EQUAL(b->connects_count, 2);
    bench_up(b);
    bench_wait_ms(b, 2 * CLIENT_SESSION_BEGIN_TIMEOUT_MS - 1); /* more patient now */
    CU_ASSERT_EQUAL(b->connects_count, 2);
    bench_wait_ms(b, 1);
    CU_ASSERT_EQUAL(b->connects_count, 3);
    bench_release(b);
}

static void test_session__events_of_an_old_link_are_nothing(void)
{
    bench_open(b);
    uint64_t old = b->link;
    bench_down(b);
    uint64_t link = b->link;
    b->link = old;
    bench_begun(b, ERR_EXPIRED);
    bench_down(b);
    CU_ASSERT_EQUAL(b->states_count, 0);
    CU_ASSERT_EQUAL(b->connects_count, 1);
    b->link = link;
    bench_attach(b);
    CU_ASSERT_EQUAL(b->attaches_count, 1);
    bench_release(b);
}

static void test_session__garbage_breaks_the_link(void)
{
    bench_open(b);
    bench_raw(b, "\xff\xff\xff", 3);
    CU_ASSERT_EQUAL(b->connects_count, 1);
    bench_release(b);
}

static void test_session__a_redirect_of_the_keepalive_stream_counts_while_asked(void)
{
    bench_open(b);
    bench_beat(b, ERR_NOT_LEADER); /* late, of a beat that was answered */
    CU_ASSERT_EQUAL(b->connects_count, 0);
    bench_wait_ms(b, 4000);
    bench_beat(b, ERR_NOT_LEADER);
    CU_ASSERT_EQUAL(b->connects_count, 1);
    bench_release(b);
}

static void test_session__closing_ends_it(void)
{
    bench_open(b);
    uint64_t put = bench_put(b, -1);
    uint64_t end = bench_close(b, 5000);
    CU_ASSERT_EQUAL(bench_sent(b, 2)->write, COORD__V1__WRITE__OP_END_SESSION);
    bench_answer(b, 2, ERR_OK);
    CU_ASSERT_EQUAL(b->states_count, 1);
    CU_ASSERT_EQUAL(b->states[0], CLIENT_SESSION_ENDED);
    CU_ASSERT_EQUAL(bench_status(b, end), ERR_OK);
    CU_ASSERT_EQUAL(bench_status(b, put), ERR_EXPIRED);
    bench_release(b);
}

static void test_session__closing_goes_on_over_a_lost_link(void)
{
    bench_open(b);
    uint64_t end = bench_close(b, 5000);
    bench_down(b);
    bench_up(b);
    bench_begun(b, ERR_EXPIRED); /* for the first sending ended it */
    CU_ASSERT_EQUAL(b->states[0], CLIENT_SESSION_ENDED);
    CU_ASSERT_EQUAL(bench_status(b, end), ERR_OK);
    bench_release(b);
}

static void test_session__closing_in_jeopardy_does_not_wait_to_be_safe(void)
{
    bench_open(b);
    bench_wait_ms(b, BELIEF_MS + 1);
    uint64_t end = bench_close(b, 5000);
    while (b->attaches_count == 0)
        bench_up(b);
    bench_begun(b, ERR_OK);
    CU_ASSERT_EQUAL(bench_sent(b, 1)->write, COORD__V1__WRITE__OP_END_SESSION);
    bench_answer(b, 1, ERR_OK);
    CU_ASSERT_EQUAL(bench_status(b, end), ERR_OK);
    bench_release(b);
}

static void test_session__closing_past_its_deadline_may_have_ended_it(void)
{
    bench_open(b);
    uint64_t end = bench_close(b, 5000);
    bench_beating_ms(b, 5000);
    CU_ASSERT_EQUAL(bench_status(b, end), ERR_MAYBE_APPLIED);
    bench_release(b);
}

static void test_session__never_opened_it_closes_at_once(void)
{
    bench_init(b);
    uint64_t end = bench_close(b, 5000);
    CU_ASSERT_EQUAL(bench_status(b, end), ERR_OK);
    CU_ASSERT_EQUAL(client_session_state(b->session), CLIENT_SESSION_ENDED);
    bench_release(b);
}

static void test_session__of_another_process_uses_no_number_again_and_waits_for_a_keepalive(void)
{
    bench_init_with(b, (struct client_session_config){
                           .ttl_ms = 2000, .session = BENCH_SESSION, .secret = "0123456789abcde"});
    b->last_seq = 500;
    bench_up(b);
    CU_ASSERT_EQUAL(b->attaches_count, 1);
    CU_ASSERT_EQUAL(b->opens_count, 0);
    bench_put(b, -1);
    bench_begun(b, ERR_OK);
    CU_ASSERT_EQUAL(client_session_state(b->session), CLIENT_SESSION_OPENING);
    CU_ASSERT_EQUAL(b->requests_count, 0);
    bench_beat(b, ERR_OK);
    CU_ASSERT_EQUAL(client_session_state(b->session), CLIENT_SESSION_SAFE);
    CU_ASSERT_EQUAL(client_session_ttl_ms(b->session), BENCH_TTL_MS);
    CU_ASSERT_EQUAL_FATAL(b->requests_count, 1);
    CU_ASSERT_EQUAL(b->requests[0].seq, 500 + 1024 + 1);
    b->last_seq = 9999; /* later it knows better */
    bench_down(b);
    bench_up(b);
    bench_begun(b, ERR_OK);
    bench_beat(b, ERR_OK);
    bench_put(b, -1);
    CU_ASSERT_PTR_NOT_NULL(bench_sent(b, 500 + 1024 + 2));
    bench_release(b);
}

static void test_session__of_another_process_that_is_gone_is_expired(void)
{
    bench_init_with(b, (struct client_session_config){.session = BENCH_SESSION});
    bench_up(b);
    bench_begun(b, ERR_EXPIRED);
    CU_ASSERT_EQUAL(client_session_state(b->session), CLIENT_SESSION_EXPIRED);
    bench_release(b);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_session__opens_and_is_safe),
        TEST(test_session__belief_counts_from_before_sending),
        TEST(test_session__an_open_sent_again_keeps_its_nonce_and_counts_from_the_first),
        TEST(test_session__opened_after_its_lease_is_safe_only_when_a_keepalive_is_answered),
        TEST(test_session__a_cell_that_refuses_fails_it_with_the_reason),
        TEST(test_session__beats_at_a_third_of_the_lease),
        TEST(test_session__an_unanswered_beat_is_sent_again_and_then_the_server_is_left),
        TEST(test_session__jeopardy_and_safe_are_told_once_per_episode),
        TEST(test_session__grace_ends_in_expiry_and_every_call_says_so),
        TEST(test_session__a_process_that_slept_hears_jeopardy_then_expired),
        TEST(test_session__the_servers_word_ends_it),
        TEST(test_session__an_answer_to_a_beat_not_sent_is_nothing),
        TEST(test_session__an_attach_alone_renews_nothing),
        TEST(test_session__a_redirect_is_followed_at_once),
        TEST(test_session__redirects_in_a_circle_end_in_a_pause),
        TEST(test_session__without_a_leader_each_is_asked_once_before_a_pause),
        TEST(test_session__a_redirect_to_a_server_that_just_broke_means_a_pause),
        TEST(test_session__a_silent_begin_goes_on_elsewhere),
        TEST(test_session__events_of_an_old_link_are_nothing),
        TEST(test_session__garbage_breaks_the_link),
        TEST(test_session__a_redirect_of_the_keepalive_stream_counts_while_asked),
        TEST(test_session__closing_ends_it),
        TEST(test_session__closing_goes_on_over_a_lost_link),
        TEST(test_session__closing_in_jeopardy_does_not_wait_to_be_safe),
        TEST(test_session__closing_past_its_deadline_may_have_ended_it),
        TEST(test_session__of_another_process_uses_no_number_again_and_waits_for_a_keepalive),
        TEST(test_session__of_another_process_that_is_gone_is_expired),
        TEST(test_session__never_opened_it_closes_at_once),
    };
    return run_suite("session", cases, sizeof cases / sizeof cases[0], argc, argv);
}
