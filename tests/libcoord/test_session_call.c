/* test_session_call.c - writes and reads: exactly once, deadlines, cancels, bounds. */
#include "tests/libcoord/bench.h"
#include "tests/support/runner.h"

static struct bench bench, *const b = &bench;

enum { FOREVER = -1 };

/* Until the session has a server again, whichever it tries. */
static void reattach(void)
{
    bench_up(b);
    bench_begun(b, ERR_OK);
    bench_beat(b, ERR_OK);
}

static void into_jeopardy(void)
{
    bench_wait_ms(b, BENCH_TTL_MS);
    CU_ASSERT_EQUAL(client_session_state(b->session), CLIENT_SESSION_JEOPARDY);
}

static void test_session_call__writes_are_numbered_from_one(void)
{
    bench_open(b);
    uint64_t first = bench_put(b, FOREVER), second = bench_put(b, FOREVER);
    CU_ASSERT_EQUAL(b->requests_count, 2);
    CU_ASSERT_EQUAL(b->requests[0].seq, 1);
    CU_ASSERT_EQUAL(b->requests[1].seq, 2);
    CU_ASSERT_EQUAL(b->requests[1].lowest, 1);
    bench_answer(b, 2, ERR_OK);
    CU_ASSERT_EQUAL(bench_status(b, second), ERR_OK);
    bench_answer(b, 1, ERR_NO_NODE);
    CU_ASSERT_EQUAL(bench_status(b, first), ERR_NO_NODE);
    bench_put(b, FOREVER);
    CU_ASSERT_EQUAL(bench_sent(b, 3)->lowest, 3);
    bench_answer(b, 1, ERR_OK); /* again */
    CU_ASSERT_EQUAL(b->answers_count, 2);
    bench_release(b);
}

static void test_session_call__unanswered_writes_are_sent_again_in_order_with_their_numbers(void)
{
    bench_open(b);
    for (int i = 0; i < 5; i++)
        bench_put(b, FOREVER);
    bench_answer(b, 2, ERR_OK);
    bench_answer(b, 4, ERR_OK);
    bench_down(b);
    bench_put(b, FOREVER);
    bench_clear(b);
    reattach();
    CU_ASSERT_EQUAL(b->requests_count, 4);
    static const uint64_t seqs[] = {1, 3, 5, 6};
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(b->requests[i].seq, seqs[i]);
        CU_ASSERT_EQUAL(b->requests[i].lowest, 1);
    }
    bench_release(b);
}

static void test_session_call__a_deadline_before_sending_leaves_no_trace(void)
{
    bench_open(b);
    bench_down(b);
    uint64_t put = bench_put(b, 100), acquire = bench_acquire(b, 100), get = bench_get(b, 100);
    bench_wait_ms(b, 100);
    CU_ASSERT_EQUAL(bench_status(b, put), ERR_TIMEOUT);
    CU_ASSERT_EQUAL(bench_status(b, acquire), ERR_TIMEOUT);
    CU_ASSERT_EQUAL(bench_status(b, get), ERR_TIMEOUT);
    reattach();
    CU_ASSERT_EQUAL(b->requests_count, 0);
    bench_put(b, FOREVER);
    CU_ASSERT_EQUAL(b->requests[0].seq, 1);
    bench_release(b);
}

static void test_session_call__a_deadline_that_has_passed_is_told_at_once(void)
{
    bench_open(b);
    CU_ASSERT_EQUAL(bench_status(b, bench_put(b, 0)), ERR_TIMEOUT);
    CU_ASSERT_EQUAL(bench_status(b, bench_get(b, 0)), ERR_TIMEOUT);
    CU_ASSERT_EQUAL(bench_status(b, bench_watch(b, 1, 0)), ERR_TIMEOUT);
    CU_ASSERT_EQUAL(b->requests_count, 0);
    bench_release(b);
}

static void test_session_call__a_deadline_after_sending_may_have_applied_and_goes_on(void)
{
    bench_open(b);
    uint64_t put = bench_put(b, 100);
    bench_beating_ms(b, 100);
    CU_ASSERT_EQUAL(bench_status(b, put), ERR_MAYBE_APPLIED);
    bench_down(b);
    bench_clear(b);
    reattach();
    CU_ASSERT_EQUAL(b->requests_count, 1);
    CU_ASSERT_EQUAL(b->requests[0].seq, 1);
    bench_answer(b, 1, ERR_OK);
    CU_ASSERT_EQUAL(b->answers_count, 0);
    bench_put(b, FOREVER);
    CU_ASSERT_EQUAL(bench_sent(b, 2)->lowest, 2); /* the window moved */
    bench_release(b);
}

static void test_session_call__a_read_past_its_deadline_is_forgotten(void)
{
    bench_open(b);
    uint64_t get = bench_get(b, 100);
    uint64_t number = b->requests[0].seq;
    bench_beating_ms(b, 100);
    CU_ASSERT_EQUAL(bench_status(b, get), ERR_TIMEOUT);
    bench_answer(b, number, ERR_OK);
    CU_ASSERT_EQUAL(b->answers_count, 1);
    bench_down(b);
    bench_clear(b);
    reattach();
    CU_ASSERT_EQUAL(b->requests_count, 0);
    bench_release(b);
}

static void test_session_call__reads_are_asked_again(void)
{
    bench_open(b);
    uint64_t get = bench_get(b, FOREVER), other = bench_get(b, FOREVER);
    bench_down(b);
    bench_clear(b);
    reattach();
    CU_ASSERT_EQUAL(b->requests_count, 2);
    CU_ASSERT(b->requests[0].seq < b->requests[1].seq);
    bench_answer(b, b->requests[1].seq, ERR_OK);
    CU_ASSERT_EQUAL(bench_status(b, other), ERR_OK);
    bench_answer(b, b->requests[0].seq, ERR_NO_NODE);
    CU_ASSERT_EQUAL(bench_status(b, get), ERR_NO_NODE);
    bench_release(b);
}

static void test_session_call__an_acquire_given_up_is_cancelled(void)
{
    bench_open(b);
    uint64_t acquire = bench_acquire(b, 100);
    bench_beating_ms(b, 100);
    CU_ASSERT_EQUAL(bench_status(b, acquire), ERR_TIMEOUT);
    CU_ASSERT_EQUAL(b->requests_count, 2);
    CU_ASSERT_EQUAL(b->requests[1].write, COORD__V1__WRITE__OP_CANCEL);
    CU_ASSERT_EQUAL(b->requests[1].acquire_seq, 1);
    bench_answer(b, 1, ERR_CANCELLED);
    bench_answer(b, 2, ERR_OK);
    CU_ASSERT_EQUAL(b->late_grants_count, 0);
    bench_put(b, FOREVER);
    CU_ASSERT_EQUAL(bench_sent(b, 3)->lowest, 3);
    CU_ASSERT_EQUAL(b->answers_count, 1);
    bench_release(b);
}

static void test_session_call__a_cancel_is_sent_until_it_is_answered(void)
{
    bench_open(b);
    bench_acquire(b, 100);
    bench_beating_ms(b, 100);
    for (int i = 0; i < 3; i++) {
        bench_down(b);
        bench_clear(b);
        reattach();
        bench_beating_ms(b, 500); /* or else all servers broke a moment ago */
        CU_ASSERT_EQUAL(b->requests_count, 2);
        CU_ASSERT_EQUAL(b->requests[0].seq, 1);
        CU_ASSERT_EQUAL(b->requests[1].seq, 2);
        CU_ASSERT_EQUAL(b->requests[1].write, COORD__V1__WRITE__OP_CANCEL);
    }
    bench_release(b);
}

static void test_session_call__a_grant_that_crosses_its_cancel_is_not_told(void)
{
    bench_open(b);
    bench_acquire(b, 100);
    bench_beating_ms(b, 100);
    bench_answer(b, 1, ERR_OK);
    CU_ASSERT_EQUAL(b->late_grants_count, 1);
    CU_ASSERT_EQUAL(b->answers_count, 1);
    bench_put(b, FOREVER);
    /* The Cancel still has to find the grant by its seq. */
    CU_ASSERT_EQUAL(bench_sent(b, 3)->lowest, 1);
    bench_answer(b, 2, ERR_OK);
    bench_put(b, FOREVER);
    CU_ASSERT_EQUAL(bench_sent(b, 4)->lowest, 3);
    bench_release(b);
}

static void test_session_call__an_acquire_given_up_while_away_is_cancelled_on_return(void)
{
    bench_open(b);
    uint64_t acquire = bench_acquire(b, 100);
    bench_down(b);
    bench_wait_ms(b, 100);
    CU_ASSERT_EQUAL(bench_status(b, acquire), ERR_TIMEOUT);
    bench_clear(b);
    reattach();
    CU_ASSERT_EQUAL(b->requests_count, 2); /* the Acquire too: it may not have arrived */
    CU_ASSERT_EQUAL(b->requests[1].acquire_seq, 1);
    bench_release(b);
}

static void test_session_call__giving_up_is_like_a_deadline_but_says_cancelled(void)
{
    bench_open(b);
    uint64_t put = bench_put(b, FOREVER), acquire = bench_acquire(b, FOREVER);
    uint64_t get = bench_get(b, FOREVER), watch = bench_watch(b, 1, FOREVER);
    bench_give_up(b, put);
    bench_give_up(b, acquire);
    bench_give_up(b, get);
    bench_give_up(b, watch);
    CU_ASSERT_EQUAL(bench_status(b, put), ERR_MAYBE_APPLIED);
    CU_ASSERT_EQUAL(bench_status(b, acquire), ERR_CANCELLED);
    CU_ASSERT_EQUAL(bench_status(b, get), ERR_CANCELLED);
    CU_ASSERT_EQUAL(bench_status(b, watch), ERR_CANCELLED);
    bench_give_up(b, put);
    bench_give_up(b, 12345);
    CU_ASSERT_EQUAL(b->answers_count, 4);
    bench_release(b);
}

static void test_session_call__a_release_is_never_dropped(void)
{
    bench_open(b);
    bench_down(b);
    uint64_t release = bench_release_lock(b, 100);
    bench_wait_ms(b, 100);
    CU_ASSERT_EQUAL(bench_status(b, release), ERR_MAYBE_APPLIED);
    uint64_t late = bench_release_lock(b, 0);
    CU_ASSERT_EQUAL(bench_status(b, late), ERR_MAYBE_APPLIED);
    bench_clear(b);
    reattach();
    CU_ASSERT_EQUAL(b->requests_count, 2);
    CU_ASSERT_EQUAL(b->requests[0].write, COORD__V1__WRITE__OP_RELEASE);
    bench_answer(b, 1, ERR_THROTTLED);
    bench_beating_ms(b, CLIENT_SESSION_THROTTLED_MS);
    /* Not applied, and 2 may be by now: it needs a new number. */
    CU_ASSERT_EQUAL(b->requests_count, 3);
    CU_ASSERT_EQUAL(b->requests[2].write, COORD__V1__WRITE__OP_RELEASE);
    CU_ASSERT_EQUAL(b->requests[2].seq, 3);
    bench_release(b);
}

static void test_session_call__nothing_is_sent_or_told_in_jeopardy(void)
{
    bench_open(b);
    uint64_t before = bench_put(b, FOREVER);
    into_jeopardy();
    uint64_t during = bench_put(b, FOREVER), get = bench_get(b, FOREVER);
    bench_clear(b);
    while (b->attaches_count == 0)
        bench_up(b);
    bench_begun(b, ERR_OK);
    CU_ASSERT_EQUAL(b->requests_count, 1); /* sent again, for it was sent before */
    bench_answer(b, 1, ERR_OK);
    CU_ASSERT_EQUAL(b->answers_count, 0);
    bench_beat(b, ERR_OK);
    CU_ASSERT_EQUAL(b->states[b->states_count - 1], CLIENT_SESSION_SAFE);
    CU_ASSERT_EQUAL(bench_status(b, before), ERR_OK);
    CU_ASSERT_EQUAL(b->answers[0].revision, 1001);
    CU_ASSERT_EQUAL(b->requests_count, 3);
    bench_answer(b, 2, ERR_OK);
    CU_ASSERT_EQUAL(bench_status(b, during), ERR_OK);
    CU_ASSERT_EQUAL(bench_status(b, get), -1);
    bench_release(b);
}

static void test_session_call__a_grant_that_comes_in_jeopardy_is_not_held_before_safe(void)
{
    bench_open(b);
    uint64_t kept = bench_acquire(b, FOREVER), late = bench_acquire(b, BENCH_TTL_MS + 1000);
    uint64_t refused = bench_acquire(b, BENCH_TTL_MS + 1000);
    into_jeopardy();
    bench_clear(b);
    while (b->attaches_count == 0)
        bench_up(b);
    bench_begun(b, ERR_OK);
    bench_answer(b, 1, ERR_OK);
    bench_answer(b, 2, ERR_OK);
    bench_answer(b, 3, ERR_INSTANCE_GONE);
    CU_ASSERT_EQUAL(b->answers_count, 0);
    bench_wait_ms(b, 1000);
    CU_ASSERT_EQUAL(bench_status(b, late), ERR_TIMEOUT);
    CU_ASSERT_EQUAL(bench_status(b, refused), ERR_TIMEOUT);
    CU_ASSERT_EQUAL(bench_status(b, kept), -1);
    CU_ASSERT_EQUAL(bench_sent(b, 4)->acquire_seq, 2); /* cancelled, even in jeopardy */
    bench_beat(b, ERR_OK);
    CU_ASSERT_EQUAL(bench_status(b, kept), ERR_OK);
    CU_ASSERT_EQUAL(b->answers_count, 3);
    bench_release(b);
}

static void test_session_call__a_kept_answer_of_an_expired_session_is_expired(void)
{
    bench_open(b);
    uint64_t acquire = bench_acquire(b, FOREVER);
    into_jeopardy();
    while (b->attaches_count == 0)
        bench_up(b);
    bench_begun(b, ERR_OK);
    bench_answer(b, 1, ERR_OK);
    bench_beat(b, ERR_EXPIRED);
    CU_ASSERT_EQUAL(bench_status(b, acquire), ERR_EXPIRED);
    CU_ASSERT_TRUE(b->answers[0].maybe_applied);
    bench_release(b);
}

static void test_session_call__belief_is_judged_before_the_answer(void)
{
    bench_open(b);
    uint64_t acquire = bench_acquire(b, FOREVER);
    b->now_ns += ms_to_ns(BENCH_TTL_MS); /* stopped, and the answer waited in a socket */
    bench_answer(b, 1, ERR_OK);
    CU_ASSERT_EQUAL(b->states[0], CLIENT_SESSION_JEOPARDY);
    CU_ASSERT_EQUAL(bench_status(b, acquire), -1);
    bench_release(b);
}

static void test_session_call__one_more_than_the_bound_is_throttled(void)
{
    bench_open(b);
    for (int i = 0; i < CLIENT_SESSION_OUTSTANDING_MAX; i++)
        bench_put(b, FOREVER);
    CU_ASSERT_EQUAL(b->answers_count, 0);
    int sent_count = b->requests_count;
    CU_ASSERT(sent_count <= CLIENT_SESSION_OUTSTANDING_MAX);
    CU_ASSERT_EQUAL(bench_status(b, bench_put(b, FOREVER)), ERR_THROTTLED);
    uint64_t release = bench_release_lock(b, FOREVER);
    CU_ASSERT_EQUAL(bench_status(b, release), -1); /* taken: it makes room */
    bench_answer(b, 1, ERR_OK);
    CU_ASSERT_EQUAL(b->requests_count, sent_count + 1);
    CU_ASSERT_EQUAL(bench_status(b, bench_put(b, FOREVER)), -1);
    for (uint64_t seq = 2; seq <= CLIENT_SESSION_OUTSTANDING_MAX + 2; seq++)
        bench_answer(b, seq, ERR_OK);
    CU_ASSERT_EQUAL(b->answers_count, 3 + CLIENT_SESSION_OUTSTANDING_MAX);
    bench_release(b);
}

static void test_session_call__a_full_window_still_lets_cancels_through(void)
{
    bench_open(b);
    for (int i = 0; i < CLIENT_SESSION_OUTSTANDING_MAX; i++)
        bench_acquire(b, 500);
    int sent_count = b->requests_count;
    bench_beating_ms(b, 500);
    CU_ASSERT_EQUAL(b->answers_count, CLIENT_SESSION_OUTSTANDING_MAX);
    CU_ASSERT(b->requests_count > sent_count);
    /* As each Cancel is answered the next goes out, until all are done. */
    for (int i = 0; i < b->requests_count; i++) {
        struct bench_request r = b->requests[i];
        if (r.write == COORD__V1__WRITE__OP_CANCEL) {
            bench_answer(b, r.acquire_seq, ERR_CANCELLED);
            bench_answer(b, r.seq, ERR_OK);
        }
    }
    CU_ASSERT_EQUAL(b->requests_count, 2 * sent_count);
    bench_put(b, FOREVER);
    uint64_t last = b->requests[b->requests_count - 1].seq;
    CU_ASSERT_EQUAL(b->requests[b->requests_count - 1].lowest, last);
    bench_release(b);
}

static void test_session_call__a_long_wait_does_not_stop_other_writes(void)
{
    bench_open(b);
    uint64_t acquire = bench_acquire(b, FOREVER);
    for (uint64_t seq = 2; seq < 5000; seq++) {
        uint64_t put = bench_put(b, FOREVER);
        CU_ASSERT_EQUAL(b->requests[b->requests_count - 1].seq, seq);
        bench_answer(b, seq, ERR_OK);
        CU_ASSERT_EQUAL(bench_status(b, put), ERR_OK);
        bench_clear(b);
    }
    bench_answer(b, 1, ERR_OK);
    CU_ASSERT_EQUAL(bench_status(b, acquire), ERR_OK);
    bench_release(b);
}

static void test_session_call__not_leader_never_reaches_a_caller(void)
{
    bench_open(b);
    uint64_t put = bench_put(b, FOREVER), get = bench_get(b, FOREVER);
    bench_answer(b, 1, ERR_NOT_LEADER);
    CU_ASSERT_EQUAL(b->answers_count, 0);
    CU_ASSERT_EQUAL(b->connects_count, 1);
    reattach();
    bench_answer(b, 1, ERR_OK);
    bench_answer(b, b->requests[b->requests_count - 1].seq, ERR_OK);
    CU_ASSERT_EQUAL(bench_status(b, put), ERR_OK);
    CU_ASSERT_EQUAL(bench_status(b, get), ERR_OK);
    bench_release(b);
}

/* It was not ordered. But an earlier sending may have been, through a leader that knew
 * more than the one that refuses. */
static void refused_is_told_once_but_of_a_resent_write_tried_again(enum err refusal)
{
    bench_open(b);
    uint64_t put = bench_put(b, FOREVER);
    bench_answer(b, 1, refusal);
    CU_ASSERT_EQUAL(bench_status(b, put), refusal);
    put = bench_put(b, FOREVER);
    bench_down(b);
    reattach();
    bench_clear(b);
    bench_answer(b, 2, refusal);
    CU_ASSERT_EQUAL(b->answers_count, 0);
    bench_beating_ms(b, CLIENT_SESSION_THROTTLED_MS);
    CU_ASSERT_EQUAL(b->requests_count, 1);
    CU_ASSERT_EQUAL(b->requests[0].seq, 2);
    bench_answer(b, 2, ERR_OK);
    CU_ASSERT_EQUAL(bench_status(b, put), ERR_OK);
    bench_release(b);
}

static void test_session_call__throttled_is_told_once_but_of_a_resent_write_tried_again(void)
{
    refused_is_told_once_but_of_a_resent_write_tried_again(ERR_THROTTLED);
}

static void test_session_call__no_space_is_told_once_but_of_a_resent_write_tried_again(void)
{
    refused_is_told_once_but_of_a_resent_write_tried_again(ERR_NO_SPACE);
}

/* ... until its time is over: then nobody knows. */
static void test_session_call__no_space_of_a_resent_write_leaves_it_unknown(void)
{
    bench_open(b);
    uint64_t put = bench_put(b, 1000);
    bench_down(b);
    reattach();
    for (int i = 0; i < 4 && b->answers_count == 0; i++) {
        bench_answer(b, 1, ERR_NO_SPACE);
        bench_beating_ms(b, 400);
    }
    CU_ASSERT_EQUAL(bench_status(b, put), ERR_MAYBE_APPLIED);
    bench_release(b);
}

static void test_session_call__a_server_that_answers_nothing_is_probed_and_left(void)
{
    bench_open(b);
    bench_acquire(b, FOREVER); /* waits in line: silence is right */
    bench_beating_ms(b, 3000);
    CU_ASSERT_EQUAL(b->beats_count, 0);
    bench_put(b, FOREVER);
    bench_wait_ms(b, CLIENT_SESSION_PROBE_MS);
    CU_ASSERT_EQUAL(b->beats_count, 1);
    bench_wait_ms(b, CLIENT_SESSION_BEAT_TIMEOUT_MS - 1);
    CU_ASSERT_EQUAL(b->connects_count, 0);
    bench_wait_ms(b, 1);
    CU_ASSERT_EQUAL(b->connects_count, 1);
    bench_release(b);
}

static void test_session_call__calls_wait_for_the_session_to_open(void)
{
    bench_init(b);
    uint64_t put = bench_put(b, FOREVER);
    bench_attach(b);
    CU_ASSERT_EQUAL(b->requests_count, 1);
    bench_answer(b, 1, ERR_OK);
    CU_ASSERT_EQUAL(bench_status(b, put), ERR_OK);
    bench_release(b);
}

static void test_session_call__a_write_answered_expired_ends_the_session(void)
{
    bench_open(b);
    uint64_t put = bench_put(b, FOREVER), other = bench_put(b, FOREVER);
    bench_answer(b, 2, ERR_EXPIRED);
    CU_ASSERT_EQUAL(b->states[0], CLIENT_SESSION_EXPIRED);
    CU_ASSERT_EQUAL(bench_status(b, put), ERR_EXPIRED);
    CU_ASSERT_EQUAL(bench_status(b, other), ERR_EXPIRED);
    bench_release(b);
}

static void test_session_call__large_batches_go_in_several_messages(void)
{
    bench_open(b);
    static uint8_t content[200 * 1024];
    Coord__V1__Put put = COORD__V1__PUT__INIT;
    put.path = (char[]){"/a"};
    put.content = (ProtobufCBinaryData){sizeof content, content};
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    write.op_case = COORD__V1__WRITE__OP_PUT;
    write.put = &put;
    for (uint64_t i = 1; i <= 12; i++)
        client_session_step(b->session,
                            &(struct client_event){.kind = CLIENT_EVENT_SUBMIT_WRITE,
                                                   .now_ns = b->now_ns,
                                                   .token = 100 + i,
                                                   .deadline_ns = NEVER_NS,
                                                   .write = &write},
                            &b->out);
    bench_down(b);
    bench_clear(b);
    reattach();
    CU_ASSERT_EQUAL(b->requests_count, 12);
    CU_ASSERT_EQUAL(b->sends_count, 1 + 3); /* Attach, and five 200 KiB to a MiB */
    bench_release(b);
}

static void test_session_call__bytes_outstanding_are_bounded(void)
{
    bench_open(b);
    static uint8_t content[1024 * 1024];
    Coord__V1__Put put = COORD__V1__PUT__INIT;
    put.path = (char[]){"/a"};
    put.content = (ProtobufCBinaryData){sizeof content, content};
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    write.op_case = COORD__V1__WRITE__OP_PUT;
    write.put = &put;
    uint32_t taken = 0;
    for (uint64_t i = 1; i <= 100; i++) {
        client_session_step(b->session,
                            &(struct client_event){.kind = CLIENT_EVENT_SUBMIT_WRITE,
                                                   .now_ns = b->now_ns,
                                                   .token = 100 + i,
                                                   .deadline_ns = NEVER_NS,
                                                   .write = &write},
                            &b->out);
        if (b->out.list[0].kind == CLIENT_EFFECT_SEND)
            taken++;
        else
            CU_ASSERT_EQUAL(b->out.list[0].status, ERR_THROTTLED);
    }
    CU_ASSERT_EQUAL(taken, 64);
    bench_release(b);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_session_call__writes_are_numbered_from_one),
        TEST(test_session_call__unanswered_writes_are_sent_again_in_order_with_their_numbers),
        TEST(test_session_call__a_deadline_before_sending_leaves_no_trace),
        TEST(test_session_call__a_deadline_that_has_passed_is_told_at_once),
        TEST(test_session_call__a_deadline_after_sending_may_have_applied_and_goes_on),
        TEST(test_session_call__a_read_past_its_deadline_is_forgotten),
        TEST(test_session_call__reads_are_asked_again),
        TEST(test_session_call__an_acquire_given_up_is_cancelled),
        TEST(test_session_call__a_cancel_is_sent_until_it_is_answered),
        TEST(test_session_call__a_grant_that_crosses_its_cancel_is_not_told),
        TEST(test_session_call__an_acquire_given_up_while_away_is_cancelled_on_return),
        TEST(test_session_call__giving_up_is_like_a_deadline_but_says_cancelled),
        TEST(test_session_call__a_release_is_never_dropped),
        TEST(test_session_call__nothing_is_sent_or_told_in_jeopardy),
        TEST(test_session_call__a_grant_that_comes_in_jeopardy_is_not_held_before_safe),
        TEST(test_session_call__a_kept_answer_of_an_expired_session_is_expired),
        TEST(test_session_call__belief_is_judged_before_the_answer),
        TEST(test_session_call__one_more_than_the_bound_is_throttled),
        TEST(test_session_call__a_full_window_still_lets_cancels_through),
        TEST(test_session_call__a_long_wait_does_not_stop_other_writes),
        TEST(test_session_call__not_leader_never_reaches_a_caller),
        TEST(test_session_call__throttled_is_told_once_but_of_a_resent_write_tried_again),
        TEST(test_session_call__no_space_is_told_once_but_of_a_resent_write_tried_again),
        TEST(test_session_call__no_space_of_a_resent_write_leaves_it_unknown),
        TEST(test_session_call__a_server_that_answers_nothing_is_probed_and_left),
        TEST(test_session_call__calls_wait_for_the_session_to_open),
        TEST(test_session_call__a_write_answered_expired_ends_the_session),
        TEST(test_session_call__large_batches_go_in_several_messages),
        TEST(test_session_call__bytes_outstanding_are_bounded),
    };
    return run_suite("session_call", cases, sizeof cases / sizeof cases[0], argc, argv);
}
