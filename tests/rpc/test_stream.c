/* One client's stream: order, joining, bounds and every way of ending. */
#include <string.h>

#include "tests/rpc/bench.h"
#include "tests/support/runner.h"

enum {
    LAG_PIECES = 7,
};
#define SESSION "/coord.v1.Coord/Session"
#define EXECUTE "/coord.v1.Coord/Execute"

struct fixture {
    struct server server;
    struct client client;
    struct bench bench;
};

static struct fixture *fixture_open(const char *method, bool reads)
{
    static struct fixture f; /* large; one at a time */
    memset(&f, 0, sizeof f);
    server_open(&f.server, 1, 7);
    client_open(&f.client, bench_target(1));
    f.bench.servers[f.bench.servers_count++] = &f.server;
    f.bench.clients[f.bench.clients_count++] = &f.client;
    client_start(&f.client, method, reads);
    return &f;
}

static void fixture_close(struct fixture *f)
{
    client_close(&f->client);
    server_close(&f->server);
}

static bool opened(void *f)
{
    return ((struct fixture *)f)->server.opened > 0;
}

static bool closed(void *f)
{
    return ((struct fixture *)f)->server.closed > 0;
}

static bool ended(void *f)
{
    return ((struct fixture *)f)->client.ended;
}

static bool idle(void *f)
{
    return !((struct fixture *)f)->client.sending;
}

static bool has_message(void *f)
{
    return ((struct fixture *)f)->client.messages > 0;
}

static bool greeted(void *f)
{
    return ((struct fixture *)f)->client.greeted;
}

static bool got_ten(void *f)
{
    return ((struct fixture *)f)->client.received.length >= 10;
}

static bool got_eleven(void *f)
{
    return ((struct fixture *)f)->client.received.length >= 11;
}

static bool all_freed(void *f)
{
    return rpc_streams_count(((struct fixture *)f)->server.rpc) == 0;
}

static void send_to_client(struct fixture *f, const char *text)
{
    struct blob *b = blob_copy(slice_of_string(text));
    rpc_send_stream(f->server.rpc, f->server.stream, b);
    blob_unref(b);
}

static void test_stream__messages_come_back_in_order(void)
{
    struct fixture *f = fixture_open(SESSION, true);
    f->server.echoes = true;
    static const char letters[] = "abcdefghij";
    for (int i = 0; i < 10; i++) {
        CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, idle, f));
        CU_ASSERT_TRUE(client_send(&f->client, letters + i, 1));
    }
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, got_ten, f));
    CU_ASSERT_EQUAL(memcmp(f->client.received.data, letters, 10), 0);
    CU_ASSERT_EQUAL(f->server.opened, 1);
    CU_ASSERT_EQUAL(f->server.seen[0].kind, REPLICA_EVENT_STREAM_OPENED);
    CU_ASSERT_NOT_EQUAL(f->server.stream, 0);
    fixture_close(f);
}

/* What is queued while a write is under way leaves as one message, in order. */
static void test_stream__queued_blobs_are_joined(void)
{
    struct fixture *f = fixture_open(SESSION, true);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, opened, f));
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, greeted, f));
    bench_for_ms(&f->bench, 2); /* the server, too, knows that its greeting has left */
    send_to_client(f, "one");
    rpc_flush(f->server.rpc);
    send_to_client(f, "two");
    rpc_flush(f->server.rpc); /* must wait for the first */
    send_to_client(f, "three");
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, got_eleven, f));
    CU_ASSERT_EQUAL(memcmp(f->client.received.data, "onetwothree", 11), 0);
    CU_ASSERT_EQUAL(f->client.messages, 2);
    CU_ASSERT_EQUAL(f->client.lengths[0], 3);
    CU_ASSERT_EQUAL(f->client.lengths[1], 8);
    fixture_close(f);
}

static void test_stream__closing_sends_what_was_queued_first(void)
{
    struct fixture *f = fixture_open(SESSION, true);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, opened, f));
    send_to_client(f, "last words");
    rpc_close_stream(f->server.rpc, f->server.stream, STREAM_STATUS_OK, "");
    send_to_client(f, "too late");
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, ended, f));
    CU_ASSERT_EQUAL(f->client.status, GRPC_STATUS_OK);
    CU_ASSERT_EQUAL_FATAL(f->client.received.length, 10);
    CU_ASSERT_EQUAL(memcmp(f->client.received.data, "last words", 10), 0);
    CU_ASSERT_TRUE(bench_until(&f->bench, closed, f));
    CU_ASSERT_TRUE(bench_until(&f->bench, all_freed, f));
    CU_ASSERT_EQUAL(f->server.closed, 1);
    fixture_close(f);
}

static void test_stream__a_status_carries_its_text(void)
{
    struct fixture *f = fixture_open(SESSION, true);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, opened, f));
    rpc_close_stream(f->server.rpc, f->server.stream, STREAM_STATUS_INVALID_ARGUMENT, "bad begin");
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, ended, f));
    CU_ASSERT_EQUAL(f->client.status, GRPC_STATUS_INVALID_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(f->client.details, "bad begin");
    fixture_close(f);
}

static void test_stream__a_client_that_cancels_is_told_once(void)
{
    struct fixture *f = fixture_open(SESSION, true);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, opened, f));
    client_cancel(&f->client);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, all_freed, f));
    CU_ASSERT_EQUAL(f->server.closed, 1);
    send_to_client(f, "nobody"); /* unknown by now: ignored */
    rpc_close_stream(f->server.rpc, f->server.stream, STREAM_STATUS_OK, "");
    fixture_close(f);
}

static void test_stream__a_half_closed_client_still_gets_answers(void)
{
    struct fixture *f = fixture_open(SESSION, true);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, opened, f));
    client_half_close(&f->client);
    bench_for_ms(&f->bench, 20);
    CU_ASSERT_EQUAL(f->server.closed, 0);
    send_to_client(f, "answer");
    CU_ASSERT_TRUE(bench_until(&f->bench, has_message, f));
    fixture_close(f);
}

static void test_stream__a_reader_that_stops_is_ended_at_the_bound(void)
{
    struct fixture *f = fixture_open(SESSION, false);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, opened, f));
    struct blob *b = blob_new(1024 * 1024);
    memset(b->data, 'x', b->length);
    /* Some of it fits into the windows of the connection; the rest must not pile up. */
    for (int i = 0; i < 32 && f->server.closed == 0; i++) {
        rpc_send_stream(f->server.rpc, f->server.stream, b);
        bench_for_ms(&f->bench, 2);
    }
    blob_unref(b);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, closed, f));
    CU_ASSERT_TRUE(bench_until(&f->bench, all_freed, f));
    client_read(&f->client); /* core hands over the status behind what did arrive */
    CU_ASSERT_TRUE(bench_until(&f->bench, ended, f));
    CU_ASSERT_EQUAL(f->client.status, GRPC_STATUS_RESOURCE_EXHAUSTED);
    fixture_close(f);
}

static bool drained(void *f)
{
    return ((struct fixture *)f)->server.drained > 0;
}

static bool got_much(void *f)
{
    return ((struct fixture *)f)->client.received.length >= STREAM_LAG_BYTES - 1;
}

static void send_bytes(struct fixture *f, size_t length)
{
    struct blob *b = blob_new(length);
    memset(b->data, 'x', b->length);
    rpc_send_stream(f->server.rpc, f->server.stream, b);
    blob_unref(b);
}

/* More than the windows of the connection take from a client that does not read,
 * less than the bound at which its stream is ended. */
static void send_much(struct fixture *f)
{
    unsigned lagged = f->server.lagged;
    for (int i = 0; i < LAG_PIECES; i++)
        send_bytes(f, STREAM_LAG_BYTES);
    CU_ASSERT_EQUAL(f->server.lagged, lagged); /* never from inside */
    bench_for_ms(&f->bench, 50);
    CU_ASSERT_EQUAL(f->server.lagged, lagged + 1);
}

static void test_stream__a_slow_reader_lags_once_and_drains_once_all_has_left(void)
{
    struct fixture *f = fixture_open(SESSION, false);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, opened, f));
    send_much(f);
    send_to_client(f, "and");
    bench_for_ms(&f->bench, 20);
    CU_ASSERT_EQUAL(f->server.lagged, 1);
    CU_ASSERT_EQUAL(f->server.drained, 0);
    client_read(&f->client);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, drained, f));
    bench_for_ms(&f->bench, 50);
    CU_ASSERT_EQUAL(f->server.drained, 1);
    CU_ASSERT_EQUAL(f->client.received.length, (size_t)LAG_PIECES * STREAM_LAG_BYTES + 3);
    CU_ASSERT_EQUAL(f->server.lagged, 1);
    CU_ASSERT_EQUAL(f->server.closed, 0);
    fixture_close(f);
}

/* Waiting is what is being written, too. */
static void test_stream__each_time_that_much_waits_is_told(void)
{
    struct fixture *f = fixture_open(SESSION, true);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, greeted, f));
    bench_for_ms(&f->bench, 2);
    for (unsigned time = 1; time <= 3; time++) {
        f->server.drained = 0;
        send_bytes(f, STREAM_LAG_BYTES - 1);
        rpc_poll(f->server.rpc, 0); /* it is being written now, or has left */
        CU_ASSERT_EQUAL(f->server.lagged, time - 1);
        send_bytes(f, STREAM_LAG_BYTES);
        CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, drained, f));
        CU_ASSERT_EQUAL(f->server.lagged, time);
    }
    fixture_close(f);
}

static void test_stream__less_is_no_lag(void)
{
    struct fixture *f = fixture_open(SESSION, true);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, opened, f));
    send_bytes(f, STREAM_LAG_BYTES - 1);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, got_much, f));
    CU_ASSERT_EQUAL(f->server.lagged, 0);
    CU_ASSERT_EQUAL(f->server.drained, 0);
    fixture_close(f);
}

static void test_stream__a_stream_that_lags_and_goes_is_not_drained(void)
{
    struct fixture *f = fixture_open(SESSION, false);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, opened, f));
    send_much(f);
    client_cancel(&f->client);
    CU_ASSERT_TRUE(bench_until(&f->bench, all_freed, f));
    CU_ASSERT_EQUAL(f->server.drained, 0);
    CU_ASSERT_EQUAL(f->server.closed, 1);
    fixture_close(f);
}

/* Its answer is the last word. */
static void test_stream__an_execute_never_lags(void)
{
    struct fixture *f = fixture_open(EXECUTE, true);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, idle, f));
    CU_ASSERT_TRUE(client_send(&f->client, "ask", 3));
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, opened, f));
    send_bytes(f, (size_t)2 * STREAM_LAG_BYTES);
    CU_ASSERT_TRUE(bench_until(&f->bench, all_freed, f));
    CU_ASSERT_EQUAL(f->server.lagged, 0);
    CU_ASSERT_EQUAL(f->server.drained, 0);
    fixture_close(f);
}

static void test_stream__an_ending_stream_does_not_wait_for_ever(void)
{
    struct fixture *f = fixture_open(SESSION, false);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, opened, f));
    struct blob *b = blob_new(4 * 1024 * 1024);
    memset(b->data, 'x', b->length);
    rpc_send_stream(f->server.rpc, f->server.stream, b);
    blob_unref(b);
    rpc_close_stream(f->server.rpc, f->server.stream, STREAM_STATUS_OK, "");
    CU_ASSERT_TRUE(bench_until(&f->bench, all_freed, f)); /* RPC_LINGER_MS */
    CU_ASSERT_EQUAL(f->server.closed, 1);
    fixture_close(f);
}

static void send_large(struct fixture *f, size_t length)
{
    struct blob *b = blob_new(length);
    memset(b->data, 'y', length);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, idle, f));
    CU_ASSERT_TRUE(client_send(&f->client, b->data, length));
    blob_unref(b);
}

static bool got_large(void *f)
{
    return ((struct fixture *)f)->client.received.length == RPC_CLIENT_MESSAGE_BYTES_MAX;
}

static void test_stream__the_largest_message_passes_and_no_larger(void)
{
    struct fixture *f = fixture_open(SESSION, true);
    f->server.echoes = true;
    send_large(f, RPC_CLIENT_MESSAGE_BYTES_MAX);
    CU_ASSERT_TRUE(bench_until(&f->bench, got_large, f));
    send_large(f, RPC_CLIENT_MESSAGE_BYTES_MAX + 1);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, ended, f));
    CU_ASSERT_EQUAL(f->client.status, GRPC_STATUS_RESOURCE_EXHAUSTED);
    CU_ASSERT_EQUAL(f->server.messages, 1);
    fixture_close(f);
}

static void test_stream__an_execute_is_one_message_and_its_answer(void)
{
    struct fixture *f = fixture_open(EXECUTE, true);
    f->server.echoes = true;
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, idle, f));
    CU_ASSERT_EQUAL(f->server.opened, 0); /* nothing to tell before the request */
    CU_ASSERT_TRUE(client_send(&f->client, "ask", 3));
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, ended, f));
    CU_ASSERT_EQUAL(f->client.status, GRPC_STATUS_OK);
    CU_ASSERT_EQUAL(f->client.messages, 1);
    CU_ASSERT_EQUAL(f->client.received.length, 3);
    CU_ASSERT_TRUE(bench_until(&f->bench, all_freed, f));
    CU_ASSERT_EQUAL(f->server.closed, 1);
    fixture_close(f);
}

/* All fields at their defaults: the answer has no bytes but is one. */
static void test_stream__an_execute_may_be_answered_with_an_empty_message(void)
{
    struct fixture *f = fixture_open(EXECUTE, true);
    f->server.echoes = true;
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, idle, f));
    CU_ASSERT_TRUE(client_send(&f->client, "", 0));
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, ended, f));
    CU_ASSERT_EQUAL(f->client.status, GRPC_STATUS_OK);
    CU_ASSERT_EQUAL(f->client.messages, 1);
    fixture_close(f);
}

/* The replica may also say it so: no bytes to send, and the end. */
static void test_stream__an_execute_that_is_closed_with_ok_was_answered(void)
{
    struct fixture *f = fixture_open(EXECUTE, true);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, idle, f));
    CU_ASSERT_TRUE(client_send(&f->client, "ask", 3));
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, opened, f));
    rpc_close_stream(f->server.rpc, f->server.stream, STREAM_STATUS_OK, "");
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, ended, f));
    CU_ASSERT_EQUAL(f->client.status, GRPC_STATUS_OK);
    CU_ASSERT_EQUAL(f->client.messages, 1);
    CU_ASSERT_EQUAL(f->client.received.length, 0);
    fixture_close(f);
}

static void test_stream__an_execute_without_a_request_is_refused(void)
{
    struct fixture *f = fixture_open(EXECUTE, true);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, idle, f));
    client_half_close(&f->client);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, ended, f));
    CU_ASSERT_EQUAL(f->client.status, GRPC_STATUS_INVALID_ARGUMENT);
    CU_ASSERT_EQUAL(f->server.seen_count, 0);
    CU_ASSERT_TRUE(bench_until(&f->bench, all_freed, f));
    fixture_close(f);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_stream__messages_come_back_in_order),
        TEST(test_stream__queued_blobs_are_joined),
        TEST(test_stream__closing_sends_what_was_queued_first),
        TEST(test_stream__a_status_carries_its_text),
        TEST(test_stream__a_client_that_cancels_is_told_once),
        TEST(test_stream__a_half_closed_client_still_gets_answers),
        TEST(test_stream__a_reader_that_stops_is_ended_at_the_bound),
        TEST(test_stream__a_slow_reader_lags_once_and_drains_once_all_has_left),
        TEST(test_stream__each_time_that_much_waits_is_told),
        TEST(test_stream__less_is_no_lag),
        TEST(test_stream__a_stream_that_lags_and_goes_is_not_drained),
        TEST(test_stream__an_execute_never_lags),
        TEST(test_stream__an_ending_stream_does_not_wait_for_ever),
        TEST(test_stream__the_largest_message_passes_and_no_larger),
        TEST(test_stream__an_execute_is_one_message_and_its_answer),
        TEST(test_stream__an_execute_may_be_answered_with_an_empty_message),
        TEST(test_stream__an_execute_that_is_closed_with_ok_was_answered),
        TEST(test_stream__an_execute_without_a_request_is_refused),
    };
    return run_suite("stream", cases, sizeof cases / sizeof cases[0], argc, argv);
}
