/* test_arguments.c - command lines, against the real table of commands. */
#include <string.h>

#include "tests/support/runner.h"
#include "tools/coordctl/command.h"

enum { WORDS_MAX = 16, LINE_BYTES_MAX = 256 };

struct line {
    char text[LINE_BYTES_MAX];
    char *argv[WORDS_MAX + 1];
    int argc;
};

/* Words apart by single spaces; the struct must outlive what was parsed. */
static void split(struct line *l, const char *text)
{
    CU_ASSERT_FATAL(strlen(text) < sizeof(l->text));
    memcpy(l->text, text, strlen(text) + 1);
    l->argc = 0;
    for (char *at = l->text; at != NULL && l->argc < WORDS_MAX;) {
        char *space = strchr(at, ' ');
        if (space != NULL)
            *space = '\0';
        l->argv[l->argc++] = at;
        at = space != NULL ? space + 1 : NULL;
    }
    l->argv[l->argc] = NULL;
}

static const struct command *command_of(const char *name)
{
    const struct command *c = commands;
    while (c->name != NULL && strcmp(c->name, name) != 0)
        c++;
    CU_ASSERT_PTR_NOT_NULL_FATAL(c->name);
    return c;
}

/* As main does it. */
static bool parse(struct line *l, const char *text, struct arguments *a)
{
    char why[ARGUMENTS_WHY_BYTES] = "";
    int at;
    split(l, text);
    arguments_init(a);
    bool good = arguments_parse_global(a, l->argc, l->argv, &at, why);
    if (good)
        good = arguments_parse(a, &command_of(l->argv[at])->form, l->argc - at, l->argv + at, why);
    CU_ASSERT_EQUAL(good, why[0] == '\0');
    return good;
}

static void test_arguments__global_options_stand_before_and_behind_the_command(void)
{
    struct line l;
    struct arguments a;
    CU_ASSERT_TRUE(parse(&l, "coordctl --deadline 2s status -o json --endpoints h:1", &a));
    CU_ASSERT_EQUAL(a.deadline_ms, 2000);
    CU_ASSERT_EQUAL(a.format, OUTPUT_JSON);
    CU_ASSERT_STRING_EQUAL(a.endpoints, "h:1");
    CU_ASSERT_EQUAL(a.operands_count, 0);
}

static void test_arguments__defaults_stay_where_nothing_is_said(void)
{
    struct line l;
    struct arguments a;
    CU_ASSERT_TRUE(parse(&l, "coordctl lock /a", &a));
    CU_ASSERT_EQUAL(a.deadline_ms, ARGUMENTS_DEADLINE_MS_DEFAULT);
    CU_ASSERT_EQUAL(a.ttl_ms, ARGUMENTS_TTL_MS_DEFAULT);
    CU_ASSERT_EQUAL(a.wait_ms, -1);
    CU_ASSERT_EQUAL(a.format, OUTPUT_TABLE);
    CU_ASSERT_PTR_NULL(a.endpoints);
    CU_ASSERT_PTR_NULL(a.child);
}

static void test_arguments__nothing_behind_the_dashes_is_ours(void)
{
    struct line l;
    struct arguments a;
    CU_ASSERT_TRUE(parse(&l, "coordctl lock --wait 5s /a -- sh -c -o --help", &a));
    CU_ASSERT_EQUAL(a.wait_ms, 5000);
    CU_ASSERT_FALSE(a.help);
    CU_ASSERT_STRING_EQUAL(a.operands[0], "/a");
    CU_ASSERT_PTR_NOT_NULL(a.child);
    if (a.child == NULL)
        return;
    CU_ASSERT_STRING_EQUAL(a.child[0], "sh");
    CU_ASSERT_STRING_EQUAL(a.child[3], "--help");
    CU_ASSERT_PTR_NULL(a.child[4]);
}

static void test_arguments__a_value_may_look_like_an_option(void)
{
    struct line l;
    struct arguments a;
    CU_ASSERT_TRUE(parse(&l, "coordctl put --parents /a -- -5", &a));
    CU_ASSERT_TRUE(a.parents);
    CU_ASSERT_STRING_EQUAL(a.operands[1], "-5");
    CU_ASSERT_TRUE(parse(&l, "coordctl put /a -", &a));
    CU_ASSERT_STRING_EQUAL(a.operands[1], "-");
    CU_ASSERT_TRUE(parse(&l, "coordctl put /a v --if-gen 7 --if-seq s", &a));
    CU_ASSERT_EQUAL(a.if_generation, 7);
    CU_ASSERT_STRING_EQUAL(a.if_sequencer, "s");
}

static void test_arguments__what_makes_no_sense_is_refused(void)
{
    static const char *const bad[] = {
        "coordctl --nonsense status",
        "coordctl -x status",
        "coordctl status --nonsense",
        "coordctl status -x",
        "coordctl status extra",
        "coordctl status --deadline",
        "coordctl status --deadline 5",
        "coordctl status --deadline 0s",
        "coordctl status --deadline -5s",
        "coordctl status -o xml",
        "coordctl status -o",
        "coordctl get",
        "coordctl get /a /b",
        "coordctl get -r /a",
        "coordctl put",
        "coordctl put /a b c",
        "coordctl put /a b --if-gen x",
        "coordctl put /a b --if-gen 0",
        "coordctl lock",
        "coordctl lock /a --",
        "coordctl lock /a sh",
        "coordctl lock /a --ttl 1s",
        "coordctl lock /a --ttl 61s",
        "coordctl lock /a --wait 5",
        "coordctl elect /a --try --value x",
        "coordctl session",
        "coordctl locks /a /b",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct line l;
        struct arguments a;
        bool good = parse(&l, bad[i], &a);
        CU_ASSERT_FALSE(good);
        if (good)
            fprintf(stderr, "  taken: %s\n", bad[i]);
    }
}

static void test_arguments__help_demands_no_operands(void)
{
    for (const struct command *c = commands; c->name != NULL; c++) {
        struct arguments a;
        char why[ARGUMENTS_WHY_BYTES], name[LINE_BYTES_MAX], help[] = "--help";
        snprintf(name, sizeof(name), "%s", c->name);
        char *argv[] = {name, help, NULL};
        arguments_init(&a);
        CU_ASSERT_TRUE(arguments_parse(&a, &c->form, 2, argv, why));
        CU_ASSERT_TRUE(a.help);
        CU_ASSERT_TRUE(c->form.operands_max <= ARGUMENTS_OPERANDS_MAX);
    }
}

static void test_arguments__the_same_letter_means_what_its_command_says(void)
{
    struct line l;
    struct arguments a;
    CU_ASSERT_TRUE(parse(&l, "coordctl ls -lR /", &a));
    CU_ASSERT_TRUE(a.details && a.recursive);
    CU_ASSERT_TRUE(parse(&l, "coordctl rm -r /a", &a));
    CU_ASSERT_TRUE(a.recursive);
    CU_ASSERT_TRUE(parse(&l, "coordctl watch --value /a", &a));
    CU_ASSERT_TRUE(a.show_value);
    CU_ASSERT_TRUE(parse(&l, "coordctl elect --value v /a", &a));
    CU_ASSERT_STRING_EQUAL(a.value, "v");
    CU_ASSERT_TRUE(parse(&l, "coordctl mkdir -p /a", &a));
    CU_ASSERT_TRUE(a.parents);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_arguments__global_options_stand_before_and_behind_the_command),
        TEST(test_arguments__defaults_stay_where_nothing_is_said),
        TEST(test_arguments__nothing_behind_the_dashes_is_ours),
        TEST(test_arguments__a_value_may_look_like_an_option),
        TEST(test_arguments__what_makes_no_sense_is_refused),
        TEST(test_arguments__help_demands_no_operands),
        TEST(test_arguments__the_same_letter_means_what_its_command_says),
    };
    return run_suite("arguments", cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
