/* grpc.health.v1.Health as any of its clients sees it: Check, Watch, and every
 * way of asking wrongly. */
#include <string.h>

#include "tests/rpc/bench.h"
#include "tests/support/runner.h"

enum {
    SERVING = 1,
    NOT_SERVING = 2,
    SERVICE_UNKNOWN = 3,
};
#define HEALTH_CHECK "/grpc.health.v1.Health/Check"
#define HEALTH_WATCH "/grpc.health.v1.Health/Watch"

/* HealthCheckRequest{service}, packed. */
#define WHOLE   ""
#define COORD   "\012\016coord.v1.Coord"
#define UNKNOWN "\012\016coord.v1.Chord"

struct fixture {
    struct server server;
    struct client client;
    struct bench bench;
    unsigned want; /* messages */
};

static struct fixture *fixture_open(const char *method)
{
    static struct fixture f; /* large; one at a time */
    memset(&f, 0, sizeof f);
    server_open(&f.server, 1, 7);
    client_open(&f.client, bench_target(1));
    f.bench.servers[f.bench.servers_count++] = &f.server;
    f.bench.clients[f.bench.clients_count++] = &f.client;
    client_start(&f.client, method, true);
    return &f;
}

static void fixture_close(struct fixture *f)
{
    client_close(&f->client);
    server_close(&f->server);
}

static bool ended(void *f)
{
    return ((struct fixture *)f)->client.ended;
}

static bool idle(void *f)
{
    return !((struct fixture *)f)->client.sending;
}

static bool has_messages(void *context)
{
    struct fixture *f = context;
    return f->client.messages >= f->want;
}

static void ask(struct fixture *f, const char *request, size_t length)
{
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, idle, f));
    CU_ASSERT_TRUE(client_send(&f->client, request, length));
}

/* The status in the message of that number; each message is two bytes. */
static int status_in(const struct fixture *f, unsigned message)
{
    CU_ASSERT_TRUE_FATAL(f->client.received.length >= (size_t)2 * message + 2);
    CU_ASSERT_EQUAL(f->client.received.data[2 * message], 0x08);
    return f->client.received.data[2 * message + 1];
}

static void expect_check(bool serving, const char *request, size_t length, int status)
{
    struct fixture *f = fixture_open(HEALTH_CHECK);
    rpc_set_serving(f->server.rpc, serving);
    ask(f, request, length);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, ended, f));
    CU_ASSERT_EQUAL(f->client.status, GRPC_STATUS_OK);
    CU_ASSERT_EQUAL(f->client.messages, 1);
    CU_ASSERT_EQUAL(status_in(f, 0), status);
    CU_ASSERT_EQUAL(f->server.seen_count, 0); /* no business of the replica's */
    fixture_close(f);
}

static void test_health__check_says_what_was_set(void)
{
    expect_check(false, WHOLE, 0, NOT_SERVING);
    expect_check(true, WHOLE, 0, SERVING);
    expect_check(false, COORD, sizeof COORD - 1, NOT_SERVING);
    expect_check(true, COORD, sizeof COORD - 1, SERVING);
}

static void expect_refused(const char *request, size_t length, grpc_status_code status)
{
    struct fixture *f = fixture_open(HEALTH_CHECK);
    ask(f, request, length);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, ended, f));
    CU_ASSERT_EQUAL(f->client.status, status);
    CU_ASSERT_EQUAL(f->client.messages, 0);
    CU_ASSERT_NOT_EQUAL(f->client.details[0], '\0');
    fixture_close(f);
}

static void test_health__check_of_an_unknown_service_is_not_found(void)
{
    expect_refused(UNKNOWN, sizeof UNKNOWN - 1, GRPC_STATUS_NOT_FOUND);
}

static void test_health__what_is_no_request_is_refused(void)
{
    char large[2048] = {0x0a, (char)0xfd, 0x0f}; /* a service of 2045 letters */
    memset(large + 3, 'x', sizeof large - 3);
    expect_refused(large, sizeof large, GRPC_STATUS_INVALID_ARGUMENT);
    expect_refused("\xff\xff\xff", 3, GRPC_STATUS_INVALID_ARGUMENT);

    struct fixture *f = fixture_open(HEALTH_CHECK);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, idle, f));
    client_half_close(&f->client);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, ended, f));
    CU_ASSERT_EQUAL(f->client.status, GRPC_STATUS_INVALID_ARGUMENT);
    fixture_close(f);
}

static void expect_told(struct fixture *f, int status)
{
    f->want++;
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, has_messages, f));
    CU_ASSERT_EQUAL(status_in(f, f->want - 1), status);
}

static void test_health__watch_tells_the_present_and_each_change(void)
{
    struct fixture *f = fixture_open(HEALTH_WATCH);
    ask(f, COORD, sizeof COORD - 1);
    client_half_close(&f->client); /* as generated clients do */
    expect_told(f, NOT_SERVING);
    for (int i = 0; i < 3; i++) {
        rpc_set_serving(f->server.rpc, true);
        expect_told(f, SERVING);
        rpc_set_serving(f->server.rpc, true);
        bench_for_ms(&f->bench, 10); /* nothing new */
        rpc_set_serving(f->server.rpc, false);
        expect_told(f, NOT_SERVING);
    }
    CU_ASSERT_EQUAL(f->client.messages, 7);
    CU_ASSERT_FALSE(f->client.ended);
    fixture_close(f);
}

/* It may be here one day, so the stream stays (the specification wants it so). */
static void test_health__watch_of_an_unknown_service_says_so_and_stays(void)
{
    struct fixture *f = fixture_open(HEALTH_WATCH);
    ask(f, UNKNOWN, sizeof UNKNOWN - 1);
    expect_told(f, SERVICE_UNKNOWN);
    rpc_set_serving(f->server.rpc, true);
    bench_for_ms(&f->bench, 20);
    CU_ASSERT_EQUAL(f->client.messages, 1);
    CU_ASSERT_FALSE(f->client.ended);
    fixture_close(f);
}

/* Changes gather while it does not read; afterwards it knows the last one. */
static void test_health__a_watcher_that_does_not_read_is_told_the_last_state(void)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    server_open(&f.server, 1, 7);
    client_open(&f.client, bench_target(1));
    f.bench.servers[f.bench.servers_count++] = &f.server;
    f.bench.clients[f.bench.clients_count++] = &f.client;
    client_start(&f.client, HEALTH_WATCH, false);
    ask(&f, WHOLE, 0);
    bench_for_ms(&f.bench, 10);
    for (int i = 0; i < 100001; i++) {
        rpc_set_serving(f.server.rpc, i % 2 == 0);
        if (i % 1000 == 0)
            bench_for_ms(&f.bench, 1);
    }
    client_read(&f.client);
    bench_for_ms(&f.bench, 50);
    CU_ASSERT_TRUE_FATAL(f.client.messages > 0);
    CU_ASSERT_EQUAL(status_in(&f, f.client.messages - 1), SERVING);
    fixture_close(&f);
}

static void test_health__a_watcher_that_goes_is_forgotten(void)
{
    struct fixture *f = fixture_open(HEALTH_WATCH);
    ask(f, WHOLE, 0);
    expect_told(f, NOT_SERVING);
    client_cancel(&f->client);
    for (int i = 0; i < 20; i++) {
        rpc_set_serving(f->server.rpc, i % 2 == 0);
        bench_for_ms(&f->bench, 2);
    }
    CU_ASSERT_EQUAL(f->client.messages, 1);
    fixture_close(f); /* which checks that no call is left */
}

static void test_health__a_server_that_stops_ends_its_watches(void)
{
    struct fixture *f = fixture_open(HEALTH_WATCH);
    ask(f, WHOLE, 0);
    expect_told(f, NOT_SERVING);
    server_close(&f->server);
    CU_ASSERT_TRUE(bench_until(&f->bench, ended, f));
    CU_ASSERT_EQUAL(f->client.status, GRPC_STATUS_UNAVAILABLE);
    CU_ASSERT_STRING_EQUAL(f->client.details, "the test is over");
    client_close(&f->client);
}

static bool client_ended(void *client)
{
    return ((struct client *)client)->ended;
}

static void test_health__one_call_too_many_is_refused(void)
{
    static grpc_call *calls[RPC_HEALTH_CALLS_MAX];
    struct fixture *f = fixture_open("/coord.v1.Coord/KeepAlive");
    grpc_completion_queue *queue = grpc_completion_queue_create_for_next(NULL);
    for (unsigned i = 0; i < RPC_HEALTH_CALLS_MAX; i++) {
        calls[i] = grpc_channel_create_call(f->client.channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue,
                                            grpc_slice_from_static_string(HEALTH_WATCH), NULL,
                                            gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        grpc_op op = {.op = GRPC_OP_SEND_INITIAL_METADATA};
        CU_ASSERT_EQUAL_FATAL(grpc_call_start_batch(calls[i], &op, 1, calls, NULL), GRPC_CALL_OK);
        bench_for_ms(&f->bench, i % 8 == 0);
    }
    bench_for_ms(&f->bench, 100);
    struct client more;
    client_open(&more, bench_target(1));
    f->bench.clients[f->bench.clients_count++] = &more;
    client_start(&more, HEALTH_CHECK, true);
    CU_ASSERT_TRUE(bench_until(&f->bench, client_ended, &more));
    CU_ASSERT_EQUAL(more.status, GRPC_STATUS_RESOURCE_EXHAUSTED);
    client_close(&more);
    f->bench.clients_count--;
    for (unsigned i = 0; i < RPC_HEALTH_CALLS_MAX; i++) {
        (void)grpc_call_cancel(calls[i], NULL);
        grpc_call_unref(calls[i]);
    }
    unsigned events = 0;
    while (events < RPC_HEALTH_CALLS_MAX &&
           grpc_completion_queue_next(queue, gpr_time_0(GPR_CLOCK_MONOTONIC), NULL).type ==
               GRPC_OP_COMPLETE)
        events++;
    CU_ASSERT_EQUAL(events, RPC_HEALTH_CALLS_MAX);
    grpc_completion_queue_shutdown(queue);
    (void)grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    grpc_completion_queue_destroy(queue);
    fixture_close(f);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_health__check_says_what_was_set),
        TEST(test_health__check_of_an_unknown_service_is_not_found),
        TEST(test_health__what_is_no_request_is_refused),
        TEST(test_health__watch_tells_the_present_and_each_change),
        TEST(test_health__watch_of_an_unknown_service_says_so_and_stays),
        TEST(test_health__a_watcher_that_does_not_read_is_told_the_last_state),
        TEST(test_health__a_watcher_that_goes_is_forgotten),
        TEST(test_health__a_server_that_stops_ends_its_watches),
        TEST(test_health__one_call_too_many_is_refused),
    };
    return run_suite("health", cases, sizeof cases / sizeof cases[0], argc, argv);
}
