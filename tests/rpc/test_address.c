/* host:port, and what gRPC is told. */
#include <string.h>

#include "coordd/rpc/address.h"
#include "tests/support/runner.h"

static void test_address__takes_the_three_forms_of_a_host(void)
{
    struct address a;
    char target[ADDRESS_TARGET_BYTES_MAX];

    CU_ASSERT_TRUE_FATAL(address_parse("127.0.0.1:7400", &a));
    CU_ASSERT_EQUAL(a.kind, ADDRESS_IPV4);
    CU_ASSERT_EQUAL(a.port, 7400);
    address_target(&a, target, sizeof target);
    CU_ASSERT_STRING_EQUAL(target, "ipv4:127.0.0.1:7400");

    CU_ASSERT_TRUE_FATAL(address_parse("[::1]:65535", &a));
    CU_ASSERT_EQUAL(a.kind, ADDRESS_IPV6);
    CU_ASSERT_STRING_EQUAL(a.host, "::1");
    address_target(&a, target, sizeof target);
    CU_ASSERT_STRING_EQUAL(target, "ipv6:[::1]:65535");

    CU_ASSERT_TRUE_FATAL(address_parse("lock-1.example:1", &a));
    CU_ASSERT_EQUAL(a.kind, ADDRESS_NAME);
    address_target(&a, target, sizeof target);
    CU_ASSERT_STRING_EQUAL(target, "dns:///lock-1.example:1");
}

static void test_address__refuses_what_is_no_address(void)
{
    static const char *const wrong[] = {
        "",      ":",        "host",      "host:",       ":7400",      "host:0",   "host:65536",
        "h:-1",  "h:1x",     "h: 1",      "::1:7400",    "[::1]",      "[]:1",     "[fe80]:1",
        "a/b:1", "a b:7400", "h:0000001", "[::1]x:7400", "dns:///a:1", "unix:/x:1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct address a = {.port = 9};
        CU_ASSERT_FALSE(address_parse(wrong[i], &a));
        CU_ASSERT_EQUAL(a.port, 9); /* untouched */
    }
    char longest[ADDRESS_HOST_BYTES_MAX + 8];
    memset(longest, 'a', sizeof longest);
    memcpy(longest + ADDRESS_HOST_BYTES_MAX + 1, ":1", 3);
    struct address a;
    CU_ASSERT_FALSE(address_parse(longest, &a));
    CU_ASSERT_TRUE(address_parse(longest + 1, &a));
}

static void test_address__names_a_local_socket_where_loopback_reaches(void)
{
    static const char *const covered[][2] = {
        {"127.0.0.1:1", "coord-127.0.0.1-1"},
        {"127.9.9.9:7400", "coord-127.9.9.9-7400"},
        {"0.0.0.0:1", "coord-127.0.0.1-1"},
        {"localhost:1", "coord-127.0.0.1-1"},
        {"LocalHost:65535", "coord-127.0.0.1-65535"},
        {"[::1]:1", "coord-::1-1"},
        {"[0:0::1]:1", "coord-::1-1"},
        {"[::]:1", "coord-::1-1"},
    };
    static const char *const others[] = {"10.0.0.1:1", "128.0.0.1:1", "[fe80::1]:1", "host:1"};
    char name[ADDRESS_LOCAL_BYTES_MAX] = "";
    struct address a;
    for (size_t i = 0; i < sizeof covered / sizeof covered[0]; i++) {
        CU_ASSERT_TRUE_FATAL(address_parse(covered[i][0], &a));
        CU_ASSERT_TRUE(address_local_name(&a, name));
        CU_ASSERT_STRING_EQUAL(name, covered[i][1]);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        CU_ASSERT_TRUE_FATAL(address_parse(others[i], &a));
        CU_ASSERT_FALSE(address_local_name(&a, name));
    }
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_address__takes_the_three_forms_of_a_host),
        TEST(test_address__refuses_what_is_no_address),
        TEST(test_address__names_a_local_socket_where_loopback_reaches),
    };
    return run_suite("address", cases, sizeof cases / sizeof cases[0], argc, argv);
}
