/* test_address.c - endpoints as a person writes them. */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libcoord/src/address.h"
#include "tests/support/runner.h"

static void check(const char *text, const char *target, const char *local)
{
    struct address a;
    CU_ASSERT_TRUE_FATAL(address_parse_endpoint(text, &a));
    CU_ASSERT_STRING_EQUAL(a.target, target);
    CU_ASSERT_STRING_EQUAL(a.local, local);
}

static void test_address__becomes_what_grpc_dials(void)
{
    check("10.1.2.3:7400", "ipv4:10.1.2.3:7400", "");
    check("127.0.0.1:7400", "ipv4:127.0.0.1:7400", "coord-127.0.0.1-7400");
    check("127.9.9.9:1", "ipv4:127.9.9.9:1", "coord-127.9.9.9-1");
    check("[::1]:7400", "ipv6:[::1]:7400", "coord-::1-7400");
    check("[fe80::2]:7400", "ipv6:[fe80::2]:7400", "");
    check("db-1.example.org:7400", "dns:///db-1.example.org:7400", "");
    check("localhost:7400", "dns:///localhost:7400", "coord-127.0.0.1-7400");
    check("LOCALHOST:65535", "dns:///LOCALHOST:65535", "coord-127.0.0.1-65535");
    check("[0:0:0::1]:07400", "ipv6:[0:0:0::1]:07400", "coord-::1-7400");
    check("unix:/run/coord", "unix:/run/coord", "");
    check("unix-abstract:coord-7400", "unix-abstract:coord-7400", "");
}

static void test_address__what_is_none_is_refused(void)
{
    static const char *const wrong[] = {
        "",      "a",        ":",       "a:",    ":1",     "a:0",           "a:65536", "a:-1",
        "a:1x",  "a:123456", "a b:1",   "[::1]", "[zz]:1", "::1:1",         "[]:1",    "http://a:1",
        "a/b:1", "unix:",    "a:1,b:2", "a:1 ",  "\xff:1", "300.1.1.1:1/x",
    };
    struct address a;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CU_ASSERT_FALSE(address_parse_endpoint(wrong[i], &a));
        if (address_parse_endpoint(wrong[i], &a))
            printf(" taken: %s ", wrong[i]);
    }
    char long_name[400];
    memset(long_name, 'a', sizeof long_name);
    memcpy(long_name + sizeof long_name - 3, ":1", 3);
    CU_ASSERT_FALSE(address_parse_endpoint(long_name, &a));
}

static void test_address__lists_are_parted_at_commas(void)
{
    struct address_list l;
    CU_ASSERT_PTR_NULL(address_list_parse("a:1, b:2 ,c:3", &l));
    CU_ASSERT_EQUAL(l.count, 3);
    CU_ASSERT_STRING_EQUAL(l.list[1], "b:2");
    CU_ASSERT_PTR_NULL(address_list_parse("a:1,a:1", &l));
    CU_ASSERT_EQUAL(l.count, 1);
    static const char *const wrong[] = {"", ",", "a:1,", ",a:1", "a:1,,b:2", "a:1;b:2", "a:1 b:2"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CU_ASSERT_PTR_NOT_NULL(address_list_parse(wrong[i], &l));
    char many[400] = "a:1";
    for (int i = 2; i <= CLIENT_SESSION_ENDPOINTS_MAX + 1; i++) {
        size_t length = strlen(many);
        (void)snprintf(many + length, sizeof many - length, ",a:%d", i);
    }
    CU_ASSERT_PTR_NOT_NULL(address_list_parse(many, &l));
    *strrchr(many, ',') = '\0';
    CU_ASSERT_PTR_NULL(address_list_parse(many, &l));
    CU_ASSERT_EQUAL(l.count, CLIENT_SESSION_ENDPOINTS_MAX);
}

static void test_address__knows_whether_somebody_listens_beside_the_port(void)
{
    struct address a = {.local = ""};
    CU_ASSERT_FALSE(address_local_listens(&a));
    (void)snprintf(a.local, sizeof a.local, "coord-test-%d", (int)getpid());
    CU_ASSERT_FALSE(address_local_listens(&a));
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    (void)memcpy(name.sun_path + 1, a.local, strlen(a.local));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(
        bind(fd, (struct sockaddr *)&name,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(a.local))),
        0);
    CU_ASSERT_EQUAL_FATAL(listen(fd, 4), 0);
    CU_ASSERT_TRUE(address_local_listens(&a));
    (void)close(fd);
    CU_ASSERT_FALSE(address_local_listens(&a));
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_address__becomes_what_grpc_dials),
        TEST(test_address__what_is_none_is_refused),
        TEST(test_address__lists_are_parted_at_commas),
        TEST(test_address__knows_whether_somebody_listens_beside_the_port),
    };
    return run_suite("address", cases, sizeof cases / sizeof cases[0], argc, argv);
}
