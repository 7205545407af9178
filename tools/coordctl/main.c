/* main.c - find the command, run it, tell how it went.
 *
 *   coordctl [GLOBAL OPTIONS] COMMAND [OPTIONS] OPERANDS
 *
 * A command group has a file; commands.c is the table; arguments.c knows every
 * option. All talk to the cell through <coord/coord.h> alone. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "tools/coordctl/command.h"
#include "tools/coordctl/guardian.h"
#include "tools/coordctl/output.h"
#include "tools/coordctl/signals.h"
#include "tools/coordctl/units.h"

static void print_overview(FILE *out)
{
    fputs("Usage: coordctl [OPTION...] COMMAND [OPTION...] [OPERAND...]\n\nCommands:\n", out);
    for (const struct command *c = commands; c->name != NULL; c++)
        fprintf(out, "  %-12s  %s\n", c->name, c->summary);
    fputs("\nOptions of every command:\n", out);
    arguments_print_options(out, TAKES_GLOBAL);
    fputs("\nExit codes: 0 done, 1 refused, 2 usage, 69 cell not reachable, 70 nobody leads "
          "(status),\n"
          "75 lock not acquired, 76 lock or leadership lost; otherwise the code of the command "
          "that was run.\n"
          "'coordctl help COMMAND' tells more.\n",
          out);
}

static void print_usage(const struct command *c, FILE *out)
{
    const char *operands = c->form.operands;
    fprintf(out, "Usage: coordctl %s [OPTION...]%s%s\n", c->name, operands[0] != '\0' ? " " : "",
            operands);
}

static void print_help(const struct command *c, FILE *out)
{
    print_usage(c, out);
    fprintf(out, "\n%s.\n%s", c->summary, c->details);
    if (c->form.takes != 0) {
        fputs("\nOptions:\n", out);
        arguments_print_options(out, c->form.takes);
    }
    fputs("\nOptions of every command:\n", out);
    arguments_print_options(out, TAKES_GLOBAL);
    fprintf(out, "\nExample:\n  coordctl %s\n", c->example);
}

/* Those whose first of two words this is; false if there is none. */
static bool print_group(const char *word, FILE *out)
{
    size_t length = strlen(word);
    bool some = false;
    for (const struct command *c = commands; c->name != NULL; c++) {
        if (strncmp(c->name, word, length) != 0 || c->name[length] != ' ')
            continue;
        print_usage(c, out);
        some = true;
    }
    return some;
}

static int usage(const struct command *c, const char *why)
{
    if (c == NULL) {
        fprintf(stderr, "coordctl: %s; 'coordctl --help' tells more\n", why);
        return EXIT_USAGE;
    }
    fprintf(stderr, "coordctl: %s: %s\n", c->name, why);
    print_usage(c, stderr);
    return EXIT_USAGE;
}

static int no_command(const char *word, bool help)
{
    char why[ARGUMENTS_WHY_BYTES];
    if (print_group(word, help ? stdout : stderr))
        return help ? EXIT_DONE : EXIT_USAGE;
    const char *nearest = command_nearest(word);
    snprintf(why, sizeof(why), "there is no command '%.64s'%s%s%s", word,
             nearest != NULL ? ", the nearest is '" : "", nearest != NULL ? nearest : "",
             nearest != NULL ? "'" : "");
    return usage(NULL, why);
}

static int run(const struct command *c, struct arguments *a)
{
    bool is_given = a->endpoints != NULL;
    if (!is_given)
        a->endpoints = getenv("COORD_ENDPOINTS");
    if (is_given && a->endpoints[0] == '\0')
        return usage(c, "--endpoints is empty");
    if (a->endpoints == NULL || a->endpoints[0] == '\0')
        return usage(c, "where is the cell? Give --endpoints or set COORD_ENDPOINTS");
    const char *wrong = units_check_endpoints(a->endpoints);
    if (wrong != NULL) {
        char why[ARGUMENTS_WHY_BYTES];
        snprintf(why, sizeof(why), "%s '%.128s': %s", is_given ? "--endpoints" : "COORD_ENDPOINTS",
                 a->endpoints, wrong);
        return usage(c, why);
    }

    if (c->holds)
        signals_hold();
    struct cell cell;
    cell_init(&cell, a);
    int code = c->run(&cell, a);
    if (!output_flush() && code == EXIT_DONE) {
        fputs("coordctl: standard output cannot be written\n", stderr);
        code = EXIT_REFUSED;
    }
    cell_release(&cell);
    return code;
}

int main(int argc, char **argv)
{
    if (guardian_is_meant(argc, argv))
        guardian_run(argv);

    struct arguments a;
    char why[ARGUMENTS_WHY_BYTES];
    int at;
    arguments_init(&a);
    if (!arguments_parse_global(&a, argc, argv, &at, why))
        return usage(NULL, why);
    if (a.version) {
        printf("coordctl %s\n", coord_version());
        return EXIT_DONE;
    }
    if (at == argc) {
        print_overview(a.help ? stdout : stderr);
        return a.help ? EXIT_DONE : EXIT_USAGE;
    }
    if (strcmp(argv[at], "help") == 0) {
        if (++at == argc) {
            print_overview(stdout);
            return EXIT_DONE;
        }
        a.help = true;
    }
    int words;
    const struct command *c = command_find(argc - at, argv + at, &words);
    if (c == NULL) {
        bool help = at + 1 < argc && strcmp(argv[at + 1], "--help") == 0;
        return no_command(argv[at], a.help || help);
    }
    at += words - 1; /* getopt skips the first */
    if (!arguments_parse(&a, &c->form, argc - at, argv + at, why))
        return usage(c, why);
    if (a.help) {
        print_help(c, stdout);
        return EXIT_DONE;
    }
    return run(c, &a);
}
