/* test_output.c - tables and JSON. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "tests/support/runner.h"
#include "tools/coordctl/output.h"

static char *printed_json(cJSON *object)
{
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    json_finish(object, true, out);
    fclose(out);
    return text;
}

static void test_output__columns_are_as_wide_as_their_widest_cell(void)
{
    struct table t;
    table_init(&t, 3);
    static const char *const cells[] = {"ID", "NAME", "X", "1", "z\xc3\xbcrich", "y"};
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
        table_add(&t, "%s", cells[i]);
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    table_print(&t, out);
    fclose(out);
    CU_ASSERT_STRING_EQUAL(text, "ID  NAME    X\n1   z\xc3\xbcrich  y\n");
    free(text);
    table_release(&t);
}

static void test_output__json_numbers_are_exact_above_two_to_the_53(void)
{
    cJSON *object = cJSON_CreateObject();
    json_add_u64(object, "n", UINT64_MAX);
    char *text = printed_json(object);
    CU_ASSERT_STRING_EQUAL(text, "{\"n\":18446744073709551615}\n");
    free(text);
}

static void test_output__content_that_is_no_text_is_base64(void)
{
    cJSON *object = cJSON_CreateObject();
    json_add_content(object, "a", "q\"\n\\", 4);
    json_add_content(object, "b", "\xff\x00\x01", 3);
    json_add_content(object, "c", NULL, 0);
    char *text = printed_json(object);
    CU_ASSERT_STRING_EQUAL(text, "{\"a\":\"q\\\"\\n\\\\\",\"b_base64\":\"/wAB\",\"c\":\"\"}\n");
    free(text);
}

static void test_output__a_stat_says_all_of_itself(void)
{
    cJSON *object = cJSON_CreateObject();
    coord_stat stat = {.size = sizeof(stat),
                       .content_checksum = 0xab,
                       .lock_exclusive = true,
                       .owner_session = UINT64_MAX};
    json_add_stat(object, &stat);
    char *text = printed_json(object);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"content_checksum\":\"00000000000000ab\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"lock\":\"exclusive\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"ephemeral\":true"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"owner_session\":18446744073709551615"));
    free(text);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_output__columns_are_as_wide_as_their_widest_cell),
        TEST(test_output__json_numbers_are_exact_above_two_to_the_53),
        TEST(test_output__content_that_is_no_text_is_base64),
        TEST(test_output__a_stat_says_all_of_itself),
    };
    return run_suite("output", cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
