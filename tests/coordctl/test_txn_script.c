/* test_txn_script.c - what a file for `txn` says. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/runner.h"
#include "tools/coordctl/txn_script.h"

static bool parse(struct txn_script *s, const char *text, uint32_t *ret_line,
                  char why[TXN_WHY_BYTES])
{
    why[0] = '\0';
    bool good = txn_script_parse(s, text, strlen(text), ret_line, why);
    CU_ASSERT_EQUAL(good, why[0] == '\0');
    return good;
}

static void test_txn_script__each_verb_has_its_words(void)
{
    static const char text[] = "check exists /a\n"
                               "check absent /b\n"
                               "check generation /c 7\n"
                               "check sequencer 00:1:x:2:/l\n"
                               "put /d value --parents --if-gen 9 --if-seq s\n"
                               "create /e\n"
                               "create --sequential /f v --if-seq t\n"
                               "delete /g --if-gen 3";
    struct txn_script s;
    char why[TXN_WHY_BYTES];
    uint32_t line;
    CU_ASSERT_TRUE_FATAL(parse(&s, text, &line, why));
    CU_ASSERT_EQUAL_FATAL(s.count, 8);
    for (uint32_t i = 0; i < s.count; i++) {
        CU_ASSERT_EQUAL(s.parts[i].line, i + 1);
        CU_ASSERT_EQUAL(txn_is_check(s.parts[i].verb), i < 4);
    }
    CU_ASSERT_EQUAL(s.parts[0].verb, TXN_CHECK_EXISTS);
    CU_ASSERT_STRING_EQUAL(s.parts[0].path, "/a");
    CU_ASSERT_EQUAL(s.parts[1].verb, TXN_CHECK_ABSENT);
    CU_ASSERT_EQUAL(s.parts[2].generation, 7);
    CU_ASSERT_PTR_NULL(s.parts[3].path);
    CU_ASSERT_STRING_EQUAL(s.parts[3].sequencer, "00:1:x:2:/l");
    CU_ASSERT_EQUAL(s.parts[4].verb, TXN_PUT);
    CU_ASSERT_STRING_EQUAL(s.parts[4].value, "value");
    CU_ASSERT_TRUE(s.parts[4].parents);
    CU_ASSERT_EQUAL(s.parts[4].generation, 9);
    CU_ASSERT_STRING_EQUAL(s.parts[4].sequencer, "s");
    CU_ASSERT_STRING_EQUAL(s.parts[5].value, "");
    CU_ASSERT_TRUE(s.parts[6].sequential);
    CU_ASSERT_STRING_EQUAL(s.parts[6].path, "/f");
    CU_ASSERT_EQUAL(s.parts[7].verb, TXN_DELETE);
    txn_script_release(&s);
}

static void test_txn_script__quotes_keep_what_is_in_them(void)
{
    static const struct {
        const char *text, *value;
        size_t length;
    } cases[] = {
        {"put /a ''", "", 0},
        {"put /a \"\"", "", 0},
        {"put /a 'b  c'", "b  c", 4},
        {"put /a 'b\\n\"'", "b\\n\"", 4},
        {"put /a \"b\\n\\t\\r\\\\\\\"'\"", "b\n\t\r\\\"'", 7},
        {"put /a \"\\x00\\xfF\"", "\0\xff", 2},
        {"put /a b'c d'\"e f\"g", "bc de fg", 8},
        {"put /a '--parents'", "--parents", 9},
        {"put /a '#'", "#", 1},
        {"put /a b#c", "b#c", 3},
        {"put /a b # c", "b", 1},
        {"  put\t /a   b\t\r", "b", 1},
        {"put /a a\\b", "a\\b", 3},
        {"put /a -", "-", 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct txn_script s;
        char why[TXN_WHY_BYTES];
        uint32_t line;
        bool good = parse(&s, cases[i].text, &line, why);
        CU_ASSERT_TRUE(good);
        if (good && s.count == 1) {
            CU_ASSERT_EQUAL(s.parts[0].value_length, cases[i].length);
            CU_ASSERT_EQUAL(memcmp(s.parts[0].value, cases[i].value, cases[i].length), 0);
            CU_ASSERT_FALSE(s.parts[0].parents);
        } else {
            fprintf(stderr, "  not taken: %s: %s\n", cases[i].text, why);
        }
        txn_script_release(&s);
    }
}

static void test_txn_script__what_is_wrong_is_named_with_its_line(void)
{
    static const struct {
        const char *text, *named;
        uint32_t line;
    } cases[] = {
        {"", "nothing", 1},
        {"# only this\n\n", "nothing", 3},
        {"\n\nfrobnicate /a", "'frobnicate'", 3},
        {"check", "check: ''", 1},
        {"check existence /a", "'existence'", 1},
        {"check exists", "PATH", 1},
        {"check exists /a /b", "'/b'", 1},
        {"check generation /a", "N is missing", 1},
        {"check generation /a b", "N: 'b'", 1},
        {"check generation /a 0", "N: '0'", 1},
        {"check sequencer", "SEQUENCER", 1},
        {"put /a", "VALUE", 1},
        {"put", "PATH", 1},
        {"put /a b c", "'c'", 1},
        {"put /a b --if-gen", "--if-gen", 1},
        {"put /a b --if-gen x", "--if-gen: 'x'", 1},
        {"put /a b --if", "'--if'", 1},
        {"put /a b --", "'--'", 1},
        {"put /a b --sequential", "'--sequential'", 1},
        {"create /a --if-gen 3", "'--if-gen'", 1},
        {"delete /a b", "'b'", 1},
        {"put /a b\nput /b 'c\nput /c d'", "quote '", 2},
        {"put /a \"b", "quote \"", 1},
        {"put /a \"\\q\"", "\\xHH", 1},
        {"put /a \"\\x1\"", "\\xHH", 1},
        {"put \"/a\\x00b\" c", "PATH", 1},
        {"check sequencer \"a\\x00\"", "SEQUENCER", 1},
        {"put /a b --if-seq \"\\x00\"", "--if-seq", 1},
        {"put 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7", "words", 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct txn_script s;
        char why[TXN_WHY_BYTES];
        uint32_t line;
        bool good = parse(&s, cases[i].text, &line, why);
        CU_ASSERT_FALSE(good);
        bool named = strstr(why, cases[i].named) != NULL && line == cases[i].line;
        CU_ASSERT_TRUE(named);
        if (!named)
            fprintf(stderr, "  %s: line %u: %s\n", cases[i].text, line, why);
        txn_script_release(&s);
    }
}

static void test_txn_script__a_raw_byte_0_is_refused(void)
{
    static const char text[] = "put /a b\0c";
    struct txn_script s;
    char why[TXN_WHY_BYTES];
    uint32_t line;
    CU_ASSERT_FALSE(txn_script_parse(&s, text, sizeof(text) - 1, &line, why));
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "byte 0"));
    txn_script_release(&s);
}

static void test_txn_script__one_part_too_many_is_refused(void)
{
    char *text = malloc(TXN_PARTS_MAX * 16);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    size_t length = 0;
    for (int i = 0; i <= TXN_PARTS_MAX; i++) {
        memcpy(text + length, "delete /a\n", 10);
        length += 10;
    }
    struct txn_script s;
    char why[TXN_WHY_BYTES];
    uint32_t line;
    CU_ASSERT_TRUE(txn_script_parse(&s, text, length - 10, &line, why));
    CU_ASSERT_EQUAL(s.count, TXN_PARTS_MAX);
    txn_script_release(&s);
    CU_ASSERT_FALSE(txn_script_parse(&s, text, length, &line, why));
    CU_ASSERT_EQUAL(line, TXN_PARTS_MAX + 1);
    txn_script_release(&s);
    free(text);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_txn_script__each_verb_has_its_words),
        TEST(test_txn_script__quotes_keep_what_is_in_them),
        TEST(test_txn_script__what_is_wrong_is_named_with_its_line),
        TEST(test_txn_script__a_raw_byte_0_is_refused),
        TEST(test_txn_script__one_part_too_many_is_refused),
    };
    return run_suite("txn_script", cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
