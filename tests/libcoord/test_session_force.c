/* test_session_force.c - what an operator takes away: a lock, or the session. */
#include "libcoord/src/session_internal.h"
#include "tests/libcoord/bench.h"
#include "tests/support/runner.h"

static struct bench bench, *const b = &bench;

enum { FOREVER = -1, HANDLE = 7 };

static int count(int write)
{
    int n = 0;
    for (int i = 0; i < b->requests_count; i++)
        n += b->requests[i].write == write;
    return n;
}

static const struct bench_request *last(void)
{
    return &b->requests[b->requests_count - 1];
}

static void reattach(void)
{
    bench_up(b);
    bench_begun(b, ERR_OK);
}

static void test_session_force__a_revoked_lock_is_told_and_released(void)
{
    bench_open(b);
    bench_revoke(b, HANDLE);
    CU_ASSERT_EQUAL_FATAL(b->revoked_count, 1);
    CU_ASSERT_EQUAL(b->revoked[0], HANDLE);
    CU_ASSERT_EQUAL_FATAL(count(COORD__V1__WRITE__OP_RELEASE), 1);
    CU_ASSERT_EQUAL(last()->release_handle, HANDLE);
    bench_answer(b, last()->seq, ERR_OK);
    CU_ASSERT_EQUAL(b->answers_count, 0); /* nobody asked */
    bench_release(b);
}

static void test_session_force__told_again_after_an_attach_it_is_released_once(void)
{
    bench_open(b);
    bench_revoke(b, HANDLE);
    uint64_t seq = last()->seq;
    bench_down(b);
    bench_clear(b);
    reattach();
    bench_revoke(b, HANDLE);
    CU_ASSERT_EQUAL(count(COORD__V1__WRITE__OP_RELEASE), 1);
    CU_ASSERT_EQUAL(last()->seq, seq);
    bench_revoke(b, HANDLE + 1);
    CU_ASSERT_EQUAL(count(COORD__V1__WRITE__OP_RELEASE), 2);
    bench_release(b);
}

static void test_session_force__the_release_does_not_wait_for_a_lease(void)
{
    bench_open(b);
    bench_put(b, FOREVER);
    bench_down(b);
    bench_wait_ms(b, BENCH_TTL_MS);
    CU_ASSERT_EQUAL(client_session_state(b->session), CLIENT_SESSION_JEOPARDY);
    bench_clear(b);
    reattach();
    bench_revoke(b, HANDLE);
    CU_ASSERT_EQUAL(client_session_state(b->session), CLIENT_SESSION_JEOPARDY);
    CU_ASSERT_EQUAL(count(COORD__V1__WRITE__OP_RELEASE), 1);
    bench_beat(b, ERR_NOT_HELD);
    CU_ASSERT_EQUAL(client_session_state(b->session), CLIENT_SESSION_JEOPARDY);
    bench_answer(b, last()->seq, ERR_OK);
    bench_wait_ms(b, CLIENT_SESSION_BEAT_RETRY_MS);
    bench_beat(b, ERR_OK);
    CU_ASSERT_EQUAL(client_session_state(b->session), CLIENT_SESSION_SAFE);
    bench_release(b);
}

static void test_session_force__not_held_says_that_the_link_is_alive_and_renews_nothing(void)
{
    bench_open(b);
    int64_t safe_ms = bench_safe_ms(b);
    bench_wait_ms(b, BENCH_TTL_MS / 3);
    bench_beat(b, ERR_NOT_HELD);
    for (int ms = BENCH_TTL_MS / 3; ms < BENCH_TTL_MS - 1000; ms += CLIENT_SESSION_BEAT_RETRY_MS) {
        bench_wait_ms(b, CLIENT_SESSION_BEAT_RETRY_MS);
        bench_beat(b, ERR_NOT_HELD);
    }
    CU_ASSERT_EQUAL(b->connects_count, 0);
    CU_ASSERT_EQUAL(b->disconnects_count, 0);
    CU_ASSERT(bench_safe_ms(b) < safe_ms - 2 * BENCH_TTL_MS / 3);
    bench_release(b);
}

static void test_session_force__killed_it_is_expired_at_once_and_says_so(void)
{
    bench_open(b);
    uint64_t put = bench_put(b, FOREVER);
    bench_beat(b, ERR_CANCELLED);
    CU_ASSERT_EQUAL(client_session_state(b->session), CLIENT_SESSION_EXPIRED);
    CU_ASSERT_EQUAL(b->states_count, 1);
    CU_ASSERT_EQUAL(bench_safe_ms(b), 0);
    CU_ASSERT_EQUAL(bench_status(b, put), ERR_EXPIRED);
    CU_ASSERT_EQUAL(count(COORD__V1__WRITE__OP_END_SESSION), 1);
    CU_ASSERT_EQUAL(b->disconnects_count, 0);
    CU_ASSERT_EQUAL(bench_status(b, bench_put(b, FOREVER)), ERR_EXPIRED);
    bench_answer(b, last()->seq, ERR_OK);
    CU_ASSERT_EQUAL(b->disconnects_count, 1);
    CU_ASSERT_EQUAL(b->states_count, 1);
    CU_ASSERT_EQUAL(b->wake_at_ns, NEVER_NS);
    bench_release(b);
}

static void test_session_force__killed_it_does_not_wait_long_to_say_so(void)
{
    bench_open(b);
    bench_beat(b, ERR_CANCELLED);
    bench_wait_ms(b, CLIENT_SESSION_BEAT_TIMEOUT_MS);
    CU_ASSERT_EQUAL(b->disconnects_count, 1);
    CU_ASSERT_EQUAL(b->wake_at_ns, NEVER_NS);
    bench_release(b);
    bench_open(b);
    bench_beat(b, ERR_CANCELLED);
    bench_down(b);
    CU_ASSERT_EQUAL(b->connects_count, 0);
    CU_ASSERT_EQUAL(b->wake_at_ns, NEVER_NS);
    bench_release(b);
    bench_open(b);
    bench_beat(b, ERR_CANCELLED);
    bench_redirect(b, "b:1");
    CU_ASSERT_EQUAL(b->wake_at_ns, NEVER_NS);
    bench_release(b);
}

static void test_session_force__killed_while_it_closes_it_just_ends(void)
{
    bench_open(b);
    uint64_t end = bench_close(b, FOREVER);
    bench_beat(b, ERR_CANCELLED);
    CU_ASSERT_EQUAL(bench_status(b, end), -1);
    bench_answer(b, last()->seq, ERR_OK);
    CU_ASSERT_EQUAL(bench_status(b, end), ERR_OK);
    CU_ASSERT_EQUAL(client_session_state(b->session), CLIENT_SESSION_ENDED);
    bench_release(b);
}

static void test_session_force__who_lets_go_late_is_told_and_releases_by_himself(void)
{
    bench_open(b);
    b->session->lets_go_late = true;
    bench_revoke(b, HANDLE);
    CU_ASSERT_EQUAL_FATAL(b->revoked_count, 1);
    CU_ASSERT_EQUAL(b->revoked[0], HANDLE);
    CU_ASSERT_EQUAL(count(COORD__V1__WRITE__OP_RELEASE), 0);
    CU_ASSERT(bench_safe_ms(b) > 0); /* the time that there is for it */
    bench_down(b);
    reattach();
    CU_ASSERT_EQUAL(count(COORD__V1__WRITE__OP_RELEASE), 0);
    bench_release(b);
}

static void test_session_force__who_lets_go_late_is_heard_in_jeopardy(void)
{
    bench_open(b);
    b->session->lets_go_late = true;
    bench_revoke(b, HANDLE);
    for (int ms = 0; ms < BENCH_TTL_MS; ms += CLIENT_SESSION_BEAT_RETRY_MS) {
        bench_wait_ms(b, CLIENT_SESSION_BEAT_RETRY_MS);
        if (b->beats_count > 0)
            bench_beat(b, ERR_NOT_HELD);
    }
    CU_ASSERT_EQUAL(client_session_state(b->session), CLIENT_SESSION_JEOPARDY);
    uint64_t call = bench_let_go(b, HANDLE, FOREVER);
    CU_ASSERT_EQUAL(count(COORD__V1__WRITE__OP_RELEASE), 1);
    CU_ASSERT_EQUAL(bench_status(b, bench_let_go(b, HANDLE, FOREVER)), ERR_NOT_HELD);
    CU_ASSERT_EQUAL(count(COORD__V1__WRITE__OP_RELEASE), 1);
    bench_answer(b, last()->seq, ERR_OK);
    CU_ASSERT_EQUAL(bench_status(b, call), -1); /* kept until it is safe */
    bench_wait_ms(b, CLIENT_SESSION_BEAT_RETRY_MS);
    bench_beat(b, ERR_OK);
    CU_ASSERT_EQUAL(client_session_state(b->session), CLIENT_SESSION_SAFE);
    CU_ASSERT_EQUAL(bench_status(b, call), ERR_OK);
    bench_release(b);
}

static void test_session_force__who_lets_go_late_is_not_ended_before_his_lease(void)
{
    bench_open(b);
    b->session->lets_go_late = true;
    bench_beat(b, ERR_CANCELLED);
    CU_ASSERT_EQUAL(client_session_state(b->session), CLIENT_SESSION_EXPIRED);
    CU_ASSERT_EQUAL(b->states_count, 1);
    CU_ASSERT_EQUAL(count(COORD__V1__WRITE__OP_END_SESSION), 0);
    CU_ASSERT_EQUAL(b->disconnects_count, 1);
    CU_ASSERT_EQUAL(b->wake_at_ns, NEVER_NS);
    bench_release(b);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_session_force__a_revoked_lock_is_told_and_released),
        TEST(test_session_force__told_again_after_an_attach_it_is_released_once),
        TEST(test_session_force__the_release_does_not_wait_for_a_lease),
        TEST(test_session_force__not_held_says_that_the_link_is_alive_and_renews_nothing),
        TEST(test_session_force__killed_it_is_expired_at_once_and_says_so),
        TEST(test_session_force__killed_it_does_not_wait_long_to_say_so),
        TEST(test_session_force__killed_while_it_closes_it_just_ends),
        TEST(test_session_force__who_lets_go_late_is_told_and_releases_by_himself),
        TEST(test_session_force__who_lets_go_late_is_heard_in_jeopardy),
        TEST(test_session_force__who_lets_go_late_is_not_ended_before_his_lease),
    };
    return run_suite("session_force", cases, sizeof cases / sizeof cases[0], argc, argv);
}
