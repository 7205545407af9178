/* The server as a whole: methods, strangers on the port, the local socket,
 * waking, stopping. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "coordd/rpc/probe.h"
#include "tests/rpc/bench.h"
#include "tests/support/runner.h"

enum { TARGET_BYTES = 64 };

struct fixture {
    struct server server;
    struct client client;
    struct bench bench;
};

/* @cell: as the client's greeting says; NULL: it says nothing. */
static struct fixture *fixture_open_for(const char *target, const char *method, const char *cell)
{
    static struct fixture f; /* large; one at a time */
    memset(&f, 0, sizeof f);
    server_open(&f.server, 1, 7);
    client_open(&f.client, target);
    f.bench.servers[f.bench.servers_count++] = &f.server;
    f.bench.clients[f.bench.clients_count++] = &f.client;
    if (cell != NULL)
        client_header(&f.client, "coord-cell", cell);
    client_start(&f.client, method, true);
    return &f;
}

static struct fixture *fixture_open(const char *target, const char *method)
{
    return fixture_open_for(target, method, NULL);
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

static bool opened(void *f)
{
    return ((struct fixture *)f)->server.opened > 0;
}

static bool got_ten(void *f)
{
    return ((struct fixture *)f)->client.received.length >= 10;
}

static void expect_unimplemented(const char *method)
{
    struct fixture *f = fixture_open(bench_target(1), method);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, ended, f));
    CU_ASSERT_EQUAL(f->client.status, GRPC_STATUS_UNIMPLEMENTED);
    CU_ASSERT_EQUAL(f->server.seen_count, 0);
    fixture_close(f);
}

static void test_server__unknown_methods_are_unimplemented(void)
{
    expect_unimplemented("/coord.v1.Coord/Nothing");
    expect_unimplemented("/coord.v1.Coord/SessionX");
    expect_unimplemented("/another.Service/Execute");
}

static void test_server__is_reached_by_the_abstract_unix_socket(void)
{
    char target[TARGET_BYTES];
    (void)snprintf(target, sizeof target, "unix-abstract:coord-127.0.0.1-%u", bench_port(1));
    struct fixture *f = fixture_open(target, "/coord.v1.Coord/KeepAlive");
    CU_ASSERT_TRUE(bench_until(&f->bench, opened, f));
    fixture_close(f);
}

/* What a client says of its cell. */
static void expect_for_cell(const char *cell, bool taken)
{
    struct fixture *f = fixture_open_for(bench_target(1), "/coord.v1.Coord/Session", cell);
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, taken ? opened : ended, f));
    CU_ASSERT_EQUAL(f->server.opened, taken ? 1 : 0);
    if (!taken) {
        CU_ASSERT_EQUAL(f->client.status, GRPC_STATUS_FAILED_PRECONDITION);
        CU_ASSERT_PTR_NOT_NULL(strstr(f->client.details, "wrong cell"));
    }
    fixture_close(f);
}

static void test_server__a_client_of_another_cell_is_refused(void)
{
    expect_for_cell("07070707070707070707070707070707", true);
    expect_for_cell("08070707070707070707070707070707", false);
    expect_for_cell("nonsense", false);
}

static enum rpc_result try_listen(const char *address, char *why)
{
    struct replica_member member = {.id = 1};
    (void)snprintf(member.address, sizeof member.address, "%s", bench_address(1));
    struct rpc_options options = {
        .self = 1, .incarnation = 1, .members = &member, .members_count = 1, .listen = address};
    struct rpc *rpc = NULL;
    enum rpc_result result = rpc_new(&options, &rpc, why);
    rpc_free(rpc, "");
    return result;
}

static void test_server__says_why_it_cannot_listen(void)
{
    char why[RPC_WHY_BYTES] = "", text[TARGET_BYTES];
    struct fixture *f = fixture_open(bench_target(1), "/coord.v1.Coord/Session");
    CU_ASSERT_EQUAL(try_listen(bench_address(1), why), RPC_ADDRESS_TAKEN);
    (void)snprintf(text, sizeof text, "%s: the port is taken", bench_address(1));
    CU_ASSERT_PTR_NOT_NULL(strstr(why, text));
    /* Another address, and so another local socket, is free. */
    (void)snprintf(text, sizeof text, "127.0.0.2:%u", bench_port(1));
    CU_ASSERT_EQUAL(try_listen(text, why), RPC_OK);
    (void)snprintf(text, sizeof text, "192.0.2.1:%u", bench_port(1));
    CU_ASSERT_EQUAL(try_listen(text, why), RPC_ADDRESS_FAILED);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "assign requested address"));
    CU_ASSERT_EQUAL(try_listen("nonsense", why), RPC_ADDRESS_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "nonsense"));
    fixture_close(f);
}

static int raw_connect(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(bench_port(1))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/* Sends it as a client that speaks no gRPC would, and reads what comes. */
static void speak(struct fixture *f, const void *bytes, size_t length)
{
    char answer[256];
    int fd = raw_connect();
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(send(fd, bytes, length, MSG_NOSIGNAL), (ssize_t)length);
    for (int i = 0; i < 10; i++) {
        bench_for_ms(&f->bench, 2);
        (void)recv(fd, answer, sizeof answer, MSG_DONTWAIT);
    }
    (void)close(fd);
}

static void test_server__garbage_on_the_port_hurts_nobody(void)
{
    static const char http1[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    /* HTTP/2's preface, then a HEADERS frame whose block is no HPACK. */
    static const char bad_frame[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                                    "\0\0\x04\x01\x04\0\0\0\x01\xff\xff\xff\xff";
    unsigned char noise[4096];
    struct fixture *f = fixture_open(bench_target(1), "/coord.v1.Coord/Session");
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, opened, f));
    speak(f, http1, sizeof http1 - 1);
    speak(f, bad_frame, sizeof bad_frame - 1);
    uint32_t x = 12345;
    for (int round = 0; round < 8; round++) {
        for (size_t i = 0; i < sizeof noise; i++) {
            x = x * 1664525 + 1013904223;
            noise[i] = (unsigned char)(x >> 24);
        }
        speak(f, noise, sizeof noise);
    }
    int silent = raw_connect(); /* says nothing and stays */
    CU_ASSERT_TRUE(silent >= 0);
    CU_ASSERT_EQUAL(f->server.opened, 1);
    CU_ASSERT_EQUAL(f->server.closed, 0);
    f->server.echoes = true;
    CU_ASSERT_TRUE(client_send(&f->client, "still here", 10));
    CU_ASSERT_TRUE(bench_until(&f->bench, got_ten, f));
    fixture_close(f);
    (void)close(silent);
}

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *wake_later(void *rpc)
{
    struct timespec wait = {.tv_nsec = 50 * 1000 * 1000};
    (void)nanosleep(&wait, NULL);
    rpc_wake(rpc);
    rpc_wake(rpc); /* the second changes nothing */
    return NULL;
}

static void test_server__another_thread_can_wake_it(void)
{
    struct server s;
    server_open(&s, 1, 7);
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        int64_t before_ns = now_ns();
        CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, wake_later, s.rpc), 0);
        rpc_poll(s.rpc, before_ns + 8 * INT64_C(1000000000));
        int64_t took_ns = now_ns() - before_ns;
        CU_ASSERT_TRUE(took_ns > 40 * 1000 * 1000);
        CU_ASSERT_TRUE(took_ns < 4 * INT64_C(1000000000));
        CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
        rpc_poll(s.rpc, now_ns()); /* the second wake, if it was one */
    }
    server_close(&s);
}

static void test_server__returns_at_the_deadline(void)
{
    struct server s;
    server_open(&s, 1, 7);
    int64_t before_ns = now_ns();
    rpc_poll(s.rpc, before_ns + 30 * 1000 * 1000);
    int64_t took_ns = now_ns() - before_ns;
    CU_ASSERT_TRUE(took_ns >= 29 * 1000 * 1000);
    CU_ASSERT_TRUE(took_ns < 2 * INT64_C(1000000000));
    server_close(&s);
}

/* Stopping tells clients where they stand, and comes to an end even if one of
 * them does not read. */
static void test_server__stops_with_a_word_to_its_clients(void)
{
    struct fixture *f = fixture_open(bench_target(1), "/coord.v1.Coord/Session");
    CU_ASSERT_TRUE_FATAL(bench_until(&f->bench, opened, f));
    server_close(&f->server);
    CU_ASSERT_TRUE(bench_until(&f->bench, ended, f));
    CU_ASSERT_EQUAL(f->client.status, GRPC_STATUS_UNAVAILABLE);
    CU_ASSERT_STRING_EQUAL(f->client.details, "the test is over");
    client_close(&f->client);
}

static void test_server__a_probe_of_nobody_says_no(void)
{
    CU_ASSERT_FALSE(probe_serves(bench_address(BENCH_NOBODY), 500));
    CU_ASSERT_FALSE(probe_serves("nonsense", 500));
}

int main(int argc, char **argv)
{
    (void)setenv("GRPC_VERBOSITY", "NONE", 0); /* what fails here fails on purpose */
    static const struct test_case cases[] = {
        TEST(test_server__unknown_methods_are_unimplemented),
        TEST(test_server__is_reached_by_the_abstract_unix_socket),
        TEST(test_server__a_client_of_another_cell_is_refused),
        TEST(test_server__says_why_it_cannot_listen),
        TEST(test_server__garbage_on_the_port_hurts_nobody),
        TEST(test_server__another_thread_can_wake_it),
        TEST(test_server__returns_at_the_deadline),
        TEST(test_server__stops_with_a_word_to_its_clients),
        TEST(test_server__a_probe_of_nobody_says_no),
    };
    return run_suite("server", cases, sizeof cases / sizeof cases[0], argc, argv);
}
