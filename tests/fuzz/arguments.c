/* arguments.c - command lines of coordctl, each word on a line of its own; and what
 * people write as numbers, durations and endpoints. */
#include "tools/coordctl/arguments.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tools/coordctl/command.h"
#include "tools/coordctl/units.h"

enum { WORDS_MAX = 32 };

static int split(char *text, char *words[WORDS_MAX + 1])
{
    int count = 0;

    while (count < WORDS_MAX && *text != '\0') {
        char *end = text + strcspn(text, "\n");
        bool last = *end == '\0';

        *end = '\0';
        words[count++] = text;
        text = last ? end : end + 1;
    }
    words[count] = NULL;
    return count;
}

static void judge_why(const char why[ARGUMENTS_WHY_BYTES])
{
    DEMAND(why[0] != '\0' && memchr(why, 0, ARGUMENTS_WHY_BYTES) != NULL);
}

static void judge_command(int argc, char **argv)
{
    struct arguments a;
    char why[ARGUMENTS_WHY_BYTES] = "";
    int index, words;

    arguments_init(&a);
    if (!arguments_parse_global(&a, argc, argv, &index, why)) {
        judge_why(why);
        return;
    }
    DEMAND(index > 0 && index <= argc);
    const struct command *c = command_find(argc - index, argv + index, &words);
    if (c == NULL)
        return;
    index += words - 1;
    DEMAND(index < argc);
    if (!arguments_parse(&a, &c->form, argc - index, argv + index, why)) {
        judge_why(why);
        return;
    }
    DEMAND(a.operands_count <= ARGUMENTS_OPERANDS_MAX);
    DEMAND(a.help || a.operands_count >= c->form.operands_min);
    DEMAND(a.operands_count <= c->form.operands_max);
    DEMAND(a.child == NULL || c->form.takes_child || a.help);
}

static void judge_units(const char *text, size_t size)
{
    uint64_t number;
    int64_t ms;
    char time[UNITS_TIME_BYTES];
    char *base64 = units_base64(text, size);

    DEMAND(strlen(base64) == (size + 2) / 3 * 4);
    free(base64);
    if (units_parse_u64(text, &number)) {
        units_format_time(number, time);
        DEMAND(memchr(time, 0, sizeof time) != NULL);
    }
    if (units_parse_duration_ms(text, &ms))
        DEMAND(ms >= 0 && ms <= UNITS_DURATION_MS_MAX);
    (void)units_check_endpoints(text);
    if (units_is_text(text, size))
        DEMAND(units_columns(text) <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(slice_of(data, size)), *words[WORDS_MAX + 2];
    char program[] = "coordctl";

    judge_units(text, strlen(text));
    words[0] = program;
    judge_command(1 + split(text, words + 1), words);
    free(text);
    return 0;
}
