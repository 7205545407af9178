/* test_state_path.c - which names are paths, and their order. */
#include "coordd/state/path.h"

#include <string.h>

#include "coordd/state/state.h"
#include "tests/support/runner.h"

static enum err judge(const char *path)
{
    const char *why = NULL;
    enum err e = path_check(slice_of_string(path), &limits_of_a_new_cell, &why);
    if (e != ERR_OK)
        CU_ASSERT_PTR_NOT_NULL(why);
    return e;
}

static void test_path__names_of_nodes_are_accepted(void)
{
    static const char *const good[] = {
        "/",    "/a", "/a/b",        "/.a",    "/a.",           "/...",
        "/a b", "/:", "/\xc3\xa4/b", "/a/..b", "/\xe2\x82\xac", "/\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CU_ASSERT_EQUAL(judge(good[i]), ERR_OK);
}

static void test_path__what_is_no_path_is_invalid(void)
{
    static const char *const bad[] = {"",      "a",    "a/b",   "//",        "/a/",
                                      "/a//b", "//a",  "/.",    "/..",       "/a/./b",
                                      "/a/..", "/a\n", "/\x7f", "/\xc2\x85", "/a\x01/b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_EQUAL(judge(bad[i]), ERR_INVALID);
    const char *why;
    CU_ASSERT_EQUAL(path_check(slice_of("/a\0b", 4), &limits_of_a_new_cell, &why), ERR_INVALID);
}

static void test_path__only_shortest_utf8_without_surrogates_is_accepted(void)
{
    static const char *const bad[] = {"/\xc0\xaf",         /* an overlong slash */
                                      "/\xc1\x81",         /* an overlong A */
                                      "/\xe0\x80\xaf",     /* overlong in three */
                                      "/\xf0\x80\x80\xaf", /* and in four */
                                      "/\xed\xa0\x80",     /* a surrogate */
                                      "/\xed\xbf\xbf",
                                      "/\xf4\x90\x80\x80" /* above U+10FFFF */,
                                      "/\xf8\x88\x80\x80\x80",
                                      "/\x80",
                                      "/\xc3",
                                      "/\xe2\x82",
                                      "/\xff",
                                      "/\xc3/b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_EQUAL(judge(bad[i]), ERR_INVALID);
}

static void test_path__a_component_has_at_most_255_bytes(void)
{
    char path[300] = "/";
    memset(path + 1, 'x', 255);
    CU_ASSERT_EQUAL(judge(path), ERR_OK);
    path[256] = 'x';
    CU_ASSERT_EQUAL(judge(path), ERR_TOO_LARGE);
}

static void test_path__a_path_has_at_most_64_levels(void)
{
    char path[2 * 65 + 1] = "";
    for (int i = 0; i < 64; i++)
        memcpy(path + 2 * i, "/a", 3);
    CU_ASSERT_EQUAL(judge(path), ERR_OK);
    memcpy(path + 2 * 64, "/a", 3);
    CU_ASSERT_EQUAL(judge(path), ERR_TOO_LARGE);
}

static void test_path__a_path_has_at_most_1024_bytes(void)
{
    char path[1100] = "";
    for (int i = 0; i < 8; i++) { /* eight components of 127 bytes */
        path[128 * i] = '/';
        memset(path + 128 * i + 1, 'x', 127);
    }
    CU_ASSERT_EQUAL(strlen(path), 1024);
    CU_ASSERT_EQUAL(judge(path), ERR_OK);
    path[1024] = 'x';
    CU_ASSERT_EQUAL(judge(path), ERR_TOO_LARGE);
}

static bool is(struct slice s, const char *expected)
{
    return slice_equal(s, slice_of_string(expected));
}

static void test_path__comes_apart_into_parent_and_name(void)
{
    CU_ASSERT_TRUE(is(path_parent(slice_of_string("/a/b/c")), "/a/b"));
    CU_ASSERT_TRUE(is(path_parent(slice_of_string("/a")), "/"));
    CU_ASSERT_TRUE(is(path_name(slice_of_string("/a/b")), "b"));
    struct slice rest = slice_of_string("/a/bc"), component;
    CU_ASSERT_TRUE(path_next(&rest, &component) && is(component, "a") && is(rest, "/bc"));
    CU_ASSERT_TRUE(path_next(&rest, &component) && is(component, "bc") && is(rest, ""));
    CU_ASSERT_FALSE(path_next(&rest, &component));
    rest = slice_of_string("/");
    CU_ASSERT_FALSE(path_next(&rest, &component));
}

/* In the order of a walk through the tree, and so are the keys. '-' and '.' sort
 * below the slash as bytes. */
static void test_path__a_subtree_is_one_range_in_order_and_in_keys(void)
{
    static const char *const rising[] = {"/",    "/a",   "/a/b", "/a/b/c", "/a/b-c",
                                         "/a-b", "/a.b", "/a0",  "/b"};
    size_t count = sizeof rising / sizeof rising[0];
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            struct slice a = slice_of_string(rising[i]), b = slice_of_string(rising[j]);
            struct buffer x = BUFFER_INIT, y = BUFFER_INIT;
            path_put_key(&x, a);
            path_put_key(&y, b);
            int order = path_compare(a, b);
            int keys = slice_compare(buffer_slice(&x), buffer_slice(&y));
            CU_ASSERT_EQUAL((order > 0) - (order < 0), (i > j) - (i < j));
            CU_ASSERT_EQUAL((keys > 0) - (keys < 0), (i > j) - (i < j));
            buffer_release(&x);
            buffer_release(&y);
        }
    }
}

static void test_path__a_key_gives_the_path_back(void)
{
    static const char *const paths[] = {"/", "/a", "/a/b", "/\xc3\xa4/ /x"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct buffer key = BUFFER_INIT, path = BUFFER_INIT;
        path_put_key(&key, slice_of_string(paths[i]));
        path_from_key(&path, buffer_slice(&key));
        CU_ASSERT_TRUE(is(buffer_slice(&path), paths[i]));
        buffer_release(&key);
        buffer_release(&path);
    }
}

static bool within(const char *path, const char *top)
{
    return path_within(slice_of_string(path), slice_of_string(top));
}

static void test_path__lies_within_itself_and_its_ancestors(void)
{
    CU_ASSERT_TRUE(within("/a", "/a") && within("/a/b", "/a") && within("/a", "/"));
    CU_ASSERT_TRUE(within("/", "/"));
    CU_ASSERT_FALSE(within("/ab", "/a") || within("/a", "/a/b") || within("/", "/a"));
    CU_ASSERT_FALSE(within("/a-b", "/a"));
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_path__names_of_nodes_are_accepted),
        TEST(test_path__what_is_no_path_is_invalid),
        TEST(test_path__only_shortest_utf8_without_surrogates_is_accepted),
        TEST(test_path__a_component_has_at_most_255_bytes),
        TEST(test_path__a_path_has_at_most_64_levels),
        TEST(test_path__a_path_has_at_most_1024_bytes),
        TEST(test_path__comes_apart_into_parent_and_name),
        TEST(test_path__a_subtree_is_one_range_in_order_and_in_keys),
        TEST(test_path__a_key_gives_the_path_back),
        TEST(test_path__lies_within_itself_and_its_ancestors),
    };
    return run_suite("state path", cases, sizeof cases / sizeof cases[0], argc, argv);
}
