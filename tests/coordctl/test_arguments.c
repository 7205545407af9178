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

/* As main does it. */
static bool parse_why(struct line *l, const char *text, struct arguments *a,
                      char why[ARGUMENTS_WHY_BYTES])
{
    int at, words;
    why[0] = '\0';
    split(l, text);
    arguments_init(a);
    bool good = arguments_parse_global(a, l->argc, l->argv, &at, why);
    if (good) {
        const struct command *c = command_find(l->argc - at, l->argv + at, &words);
        CU_ASSERT_PTR_NOT_NULL_FATAL(c);
        at += words - 1;
        good = arguments_parse(a, &c->form, l->argc - at, l->argv + at, why);
    }
    CU_ASSERT_EQUAL(good, why[0] == '\0');
    return good;
}

static bool parse(struct line *l, const char *text, struct arguments *a)
{
    char why[ARGUMENTS_WHY_BYTES];
    return parse_why(l, text, a, why);
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
        "coordctl lock /a --try --wait 1s",
        "coordctl lock /a --delay 61s",
        "coordctl elect /a",
        "coordctl elect /a --shared --value x",
        "coordctl session ls x",
        "coordctl session kill",
        "coordctl get --stale --quorum /a",
        "coordctl put --stale /a b",
        "coordctl txn",
        "coordctl txn -f x y",
        "coordctl unlock /a",
        "coordctl unlock --force",
        "coordctl watch /a --from 0",
        "coordctl watch /a --from x",
        "coordctl watch /a --exec",
        "coordctl watch /a -r --children",
        "coordctl step-down 3",
        "coordctl step-down --to x",
        "coordctl resign /a /b",
        "coordctl tree /a /b",
        "coordctl hash /a",
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

static void test_arguments__what_is_wrong_is_named(void)
{
    static const struct {
        const char *line, *named;
    } bad[] = {
        {"coordctl get", "PATH"},
        {"coordctl check", "SEQUENCER"},
        {"coordctl session kill", "ID"},
        {"coordctl put", "PATH"},
        {"coordctl elect /a", "--value"},
        {"coordctl txn", "-f"},
        {"coordctl unlock /a", "--force"},
        {"coordctl get /a /b", "'/b'"},
        {"coordctl lock /a --delay 2m", "--delay: '2m'"},
        {"coordctl watch /a --from 1x", "--from: '1x'"},
        {"coordctl step-down --to", "--to"},
        {"coordctl get --stale --quorum /a", "--quorum"},
        {"coordctl lock --try --wait 1s /a", "--wait"},
        {"coordctl get -q /a", "-q"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct line l;
        struct arguments a;
        char why[ARGUMENTS_WHY_BYTES];
        CU_ASSERT_FALSE(parse_why(&l, bad[i].line, &a, why));
        CU_ASSERT_PTR_NOT_NULL(strstr(why, bad[i].named));
    }
}

static void test_arguments__each_command_takes_its_own(void)
{
    struct line l;
    struct arguments a;
    CU_ASSERT_TRUE(parse(&l, "coordctl get --stale /a", &a));
    CU_ASSERT_TRUE(a.stale && !a.quorum);
    CU_ASSERT_TRUE(parse(&l, "coordctl stat --quorum /a", &a));
    CU_ASSERT_TRUE(a.quorum && !a.stale);
    CU_ASSERT_TRUE(parse(&l, "coordctl create -s -p /a/b- v", &a));
    CU_ASSERT_TRUE(a.sequential && a.parents);
    CU_ASSERT_TRUE(parse(&l, "coordctl lock --shared --delay 10s --wait 5s /a", &a));
    CU_ASSERT_TRUE(a.shared && a.delay_ms == 10000 && a.wait_ms == 5000);
    CU_ASSERT_TRUE(parse(&l, "coordctl elect --try --delay 1s --value v /a", &a));
    CU_ASSERT_TRUE(a.try_once && a.delay_ms == 1000);
    CU_ASSERT_TRUE(parse(&l, "coordctl watch -r --from 7 --value --exec true /a", &a));
    CU_ASSERT_TRUE(a.recursive && a.from_revision == 7 && a.show_value);
    CU_ASSERT_STRING_EQUAL(a.exec, "true");
    CU_ASSERT_TRUE(parse(&l, "coordctl watch --children /a", &a));
    CU_ASSERT_TRUE(a.children && !a.recursive);
    CU_ASSERT_TRUE(parse(&l, "coordctl txn -f -", &a));
    CU_ASSERT_STRING_EQUAL(a.file, "-");
    CU_ASSERT_TRUE(parse(&l, "coordctl unlock --force --wait 0s /a", &a));
    CU_ASSERT_TRUE(a.force && a.wait_ms == 0);
    CU_ASSERT_TRUE(parse(&l, "coordctl session kill 12 --wait 3s", &a));
    CU_ASSERT_STRING_EQUAL(a.operands[0], "12");
    CU_ASSERT_TRUE(parse(&l, "coordctl session ls -o json", &a));
    CU_ASSERT_EQUAL(a.operands_count, 0);
    CU_ASSERT_TRUE(parse(&l, "coordctl step-down --to 3", &a));
    CU_ASSERT_EQUAL(a.to, 3);
    CU_ASSERT_TRUE(parse(&l, "coordctl leader --follow /a", &a));
    CU_ASSERT_TRUE(a.follow);
    CU_ASSERT_TRUE(parse(&l, "coordctl resign --if-seq s", &a));
    CU_ASSERT_STRING_EQUAL(a.if_sequencer, "s");
    CU_ASSERT_TRUE(parse(&l, "coordctl tree -l", &a));
    CU_ASSERT_TRUE(a.details && a.operands_count == 0);
}

static void test_arguments__the_table_of_commands_is_whole(void)
{
    for (const struct command *c = commands; c->name != NULL; c++) {
        char name[LINE_BYTES_MAX];
        char *argv[3] = {name, NULL, NULL};
        int words;
        snprintf(name, sizeof(name), "%s", c->name);
        char *second = strchr(name, ' ');
        if (second != NULL) {
            *second = '\0';
            argv[1] = second + 1;
        }
        CU_ASSERT_PTR_EQUAL(command_find(second != NULL ? 2 : 1, argv, &words), c);
        CU_ASSERT_EQUAL(words, second != NULL ? 2 : 1);
        CU_ASSERT_EQUAL(strncmp(c->example, c->name, strlen(c->name)), 0);
        CU_ASSERT_TRUE(c->summary[0] != '\0' && c->run != NULL);
        CU_ASSERT_TRUE(c->details[0] == '\0' || c->details[strlen(c->details) - 1] == '\n');
    }
    char nonsense[] = "nonsense", session[] = "session";
    int words;
    CU_ASSERT_PTR_NULL(command_find(1, (char *[]){nonsense, NULL}, &words));
    CU_ASSERT_PTR_NULL(command_find(2, (char *[]){session, nonsense, NULL}, &words));
}

static void test_arguments__a_command_is_guessed_from_a_slip(void)
{
    static const struct {
        const char *word, *meant; /* NULL: nobody knows */
    } slips[] = {
        {"lok", "lock"},
        {"staus", "status"},
        {"stauts", "status"},
        {"gte", "get"},
        {"resing", "resign"},
        {"lss", "ls"},
        {"stepdown", "step-down"},
        {"session-ls", "session ls"},
        {"x", NULL},
        {"nonsense", NULL},
        {"", NULL},
        {"a-word-that-is-longer-than-any-command-there-is", NULL},
    };
    for (size_t i = 0; i < sizeof(slips) / sizeof(slips[0]); i++) {
        const char *nearest = command_nearest(slips[i].word);
        bool is_right = slips[i].meant == NULL
                            ? nearest == NULL
                            : nearest != NULL && strcmp(nearest, slips[i].meant) == 0;
        CU_ASSERT_TRUE(is_right);
        if (!is_right)
            fprintf(stderr, "  '%s': %s\n", slips[i].word, nearest != NULL ? nearest : "none");
    }
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
        TEST(test_arguments__what_is_wrong_is_named),
        TEST(test_arguments__each_command_takes_its_own),
        TEST(test_arguments__the_table_of_commands_is_whole),
        TEST(test_arguments__a_command_is_guessed_from_a_slip),
    };
    return run_suite("arguments", cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
