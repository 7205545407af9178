/* arguments.c - see arguments.h. */
#define _GNU_SOURCE
#include "tools/coordctl/arguments.h"

#include <getopt.h>
#include <stdarg.h>
#include <string.h>

#include "tools/coordctl/units.h"

enum option_kind {
    OPTION_SWITCH,   /* bool */
    OPTION_TEXT,     /* const char * */
    OPTION_NUMBER,   /* uint64_t, at least 1 */
    OPTION_DURATION, /* int64_t, minimum_ms to maximum_ms */
    OPTION_FORMAT,   /* enum output_format */
};

struct option_row {
    uint32_t takes;
    const char *name;
    char letter; /* 0: none */
    enum option_kind kind;
    size_t offset; /* of the field in struct arguments */
    const char *argument;
    const char *help;
    int64_t minimum_ms, maximum_ms;
};

#define FIELD(name) offsetof(struct arguments, name)

static const struct option_row rows[] = {
    {TAKES_LONG, "long", 'l', OPTION_SWITCH, FIELD(details), NULL, "tell more of each node", 0, 0},
    {TAKES_RECURSIVE_LIST, "recursive", 'R', OPTION_SWITCH, FIELD(recursive), NULL,
     "all that is below, too", 0, 0},
    {TAKES_RECURSIVE, "recursive", 'r', OPTION_SWITCH, FIELD(recursive), NULL,
     "all that is below, too; not one atomic step", 0, 0},
    {TAKES_SUBTREE, "recursive", 'r', OPTION_SWITCH, FIELD(recursive), NULL,
     "of all nodes below, too", 0, 0},
    {TAKES_CHILDREN, "children", 0, OPTION_SWITCH, FIELD(children), NULL,
     "of children added and removed, too", 0, 0},
    {TAKES_FROM, "from", 0, OPTION_NUMBER, FIELD(from_revision), "REVISION",
     "of all that came after it, in full, as long as the cell\n"
     "                            remembers it (else: resync)",
     0, 0},
    {TAKES_EXEC, "exec", 0, OPTION_TEXT, FIELD(exec), "CMD",
     "run CMD by sh for each, one after the other", 0, 0},
    {TAKES_FRESHNESS, "stale", 0, OPTION_SWITCH, FIELD(stale), NULL,
     "what any one server has, also while nobody leads", 0, 0},
    {TAKES_FRESHNESS, "quorum", 0, OPTION_SWITCH, FIELD(quorum), NULL,
     "trust no clock: ask a majority", 0, 0},
    {TAKES_FILE, "file", 'f', OPTION_TEXT, FIELD(file), "FILE", "what to do; - is standard input",
     0, 0},
    {TAKES_PARENTS, "parents", 'p', OPTION_SWITCH, FIELD(parents), NULL,
     "make missing ancestors, too", 0, 0},
    {TAKES_EPHEMERAL, "ephemeral", 'e', OPTION_SWITCH, FIELD(ephemeral), NULL,
     "the node lives as long as this command runs", 0, 0},
    {TAKES_SEQUENTIAL, "sequential", 's', OPTION_SWITCH, FIELD(sequential), NULL,
     "behind the name a number of 20 digits that only rises", 0, 0},
    {TAKES_IF_GENERATION, "if-gen", 0, OPTION_NUMBER, FIELD(if_generation), "N",
     "only if the content generation is N", 0, 0},
    {TAKES_IF_SEQUENCER, "if-seq", 0, OPTION_TEXT, FIELD(if_sequencer), "SEQUENCER",
     "only if the lock that it names is still held", 0, 0},
    {TAKES_SHARED, "shared", 0, OPTION_SWITCH, FIELD(shared), NULL,
     "hold it together with others that share it", 0, 0},
    {TAKES_DELAY, "delay", 0, OPTION_DURATION, FIELD(delay_ms), "DURATION",
     "if our session dies with it nobody gets it for so long,\n"
     "                            0s to 60s (default 0s)",
     0, 60000},
    {TAKES_FORCE, "force", 0, OPTION_SWITCH, FIELD(force), NULL, "take it away from who holds it",
     0, 0},
    {TAKES_FOLLOW, "follow", 0, OPTION_SWITCH, FIELD(follow), NULL,
     "go on and tell of every leader, until INT or TERM", 0, 0},
    {TAKES_TO, "to", 0, OPTION_NUMBER, FIELD(to), "ID", "the member to lead (default: any)", 0, 0},
    {TAKES_TRY, "try", 0, OPTION_SWITCH, FIELD(try_once), NULL, "do not wait in line", 0, 0},
    {TAKES_WAIT, "wait", 0, OPTION_DURATION, FIELD(wait_ms), "DURATION",
     "wait in line for so long (default: for ever)", 0, UNITS_DURATION_MS_MAX},
    {TAKES_WAIT_FORCE, "wait", 0, OPTION_DURATION, FIELD(wait_ms), "DURATION",
     "wait for so long until it is done (default: for ever, as\n"
     "                            it takes no longer than a lease does)",
     0, UNITS_DURATION_MS_MAX},
    {TAKES_TTL, "ttl", 0, OPTION_DURATION, FIELD(ttl_ms), "DURATION",
     "lease of the session, 2s to 60s (default 12s): how long a\n"
     "                            crash of this command goes unnoticed",
     2000, 60000},
    {TAKES_CONTAIN, "contain", 0, OPTION_SWITCH, FIELD(contain), NULL,
     "run CMD in a PID namespace, if one can be had", 0, 0},
    {TAKES_VALUE_TEXT, "value", 0, OPTION_TEXT, FIELD(value), "VALUE",
     "what the node holds while we lead, such as an address", 0, 0},
    {TAKES_VALUE_SHOWN, "value", 0, OPTION_SWITCH, FIELD(show_value), NULL, "show the content, too",
     0, 0},
    {TAKES_GLOBAL, "endpoints", 0, OPTION_TEXT, FIELD(endpoints), "HOST:PORT,...",
     "some servers of the cell (default $COORD_ENDPOINTS)", 0, 0},
    {TAKES_GLOBAL, "deadline", 0, OPTION_DURATION, FIELD(deadline_ms), "DURATION",
     "for each answer of the cell, as 250ms, 5s, 2m (default 10s)", 1, UNITS_DURATION_MS_MAX},
    {TAKES_GLOBAL, "output", 'o', OPTION_FORMAT, FIELD(format), "table|json|raw",
     "for a person, a program, or without any dressing", 0, 0},
    {TAKES_GLOBAL, "help", 'h', OPTION_SWITCH, FIELD(help), NULL, "tell how to use it", 0, 0},
    {TAKES_GLOBAL, "version", 0, OPTION_SWITCH, FIELD(version), NULL, "tell the version", 0, 0},
};
enum { ROWS_COUNT = sizeof(rows) / sizeof(rows[0]) };

void arguments_init(struct arguments *a)
{
    *a = (struct arguments){
        .deadline_ms = ARGUMENTS_DEADLINE_MS_DEFAULT,
        .ttl_ms = ARGUMENTS_TTL_MS_DEFAULT,
        .wait_ms = -1,
    };
}

__attribute__((format(printf, 2, 3))) static bool refuse(char *why, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(why, ARGUMENTS_WHY_BYTES, format, list);
    va_end(list);
    return false;
}

static bool parse_format(const char *text, enum output_format *ret)
{
    static const char *const names[] = {"table", "json", "raw"};
    for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum output_format)i;
            return true;
        }
    }
    return false;
}

static bool take_option(struct arguments *a, const struct option_row *row, const char *text,
                        char *why)
{
    void *field = (char *)a + row->offset;
    uint64_t number;
    int64_t duration_ms;
    switch (row->kind) {
    case OPTION_SWITCH:
        *(bool *)field = true;
        return true;
    case OPTION_TEXT:
        *(const char **)field = text;
        return true;
    case OPTION_NUMBER:
        if (!units_parse_u64(text, &number) || number == 0)
            return refuse(why, "--%s: '%.64s' is not a number from 1 on", row->name, text);
        *(uint64_t *)field = number;
        return true;
    case OPTION_DURATION:
        if (!units_parse_duration_ms(text, &duration_ms))
            return refuse(why, "--%s: '%.64s' is not a duration such as 250ms, 5s or 2m", row->name,
                          text);
        if (duration_ms < row->minimum_ms || duration_ms > row->maximum_ms)
            return refuse(why, "--%s: '%.64s' is not from %lldms to %llds", row->name, text,
                          (long long)row->minimum_ms, (long long)row->maximum_ms / 1000);
        *(int64_t *)field = duration_ms;
        return true;
    case OPTION_FORMAT:
        if (!parse_format(text, field))
            return refuse(why, "-o: '%.64s' is not table, json or raw", text);
        return true;
    }
    return false;
}

/* getopt's two descriptions of the rows in `takes`. A long option's value is its
 * row's number above the letters. */
enum { ROW_BASE = 256 };
struct getopt_form {
    char letters[2 + 2 * ROWS_COUNT + 1];
    struct option names[ROWS_COUNT + 1];
};

static void describe(uint32_t takes, const char *prefix, struct getopt_form *ret)
{
    memset(ret, 0, sizeof(*ret));
    char *letter = ret->letters;
    for (; *prefix != '\0'; prefix++)
        *letter++ = *prefix;
    uint32_t count = 0;
    for (int i = 0; i < ROWS_COUNT; i++) {
        if ((rows[i].takes & takes) == 0)
            continue;
        int has_argument = rows[i].kind == OPTION_SWITCH ? no_argument : required_argument;
        ret->names[count++] = (struct option){rows[i].name, has_argument, NULL, ROW_BASE + i};
        if (rows[i].letter != 0) {
            *letter++ = rows[i].letter;
            if (has_argument == required_argument)
                *letter++ = ':';
        }
    }
}

static const struct option_row *row_of(uint32_t takes, int found)
{
    if (found >= ROW_BASE)
        return &rows[found - ROW_BASE];
    for (int i = 0; i < ROWS_COUNT; i++)
        if ((rows[i].takes & takes) != 0 && rows[i].letter == found)
            return &rows[i];
    return NULL;
}

/* Options up to the first operand (prefix "+:") or among operands (prefix ":"). */
static bool parse_options(struct arguments *a, uint32_t takes, const char *prefix, int argc,
                          char **argv, char *why)
{
    struct getopt_form form;
    describe(takes, prefix, &form);
    opterr = 0;
    optind = 0; /* a GNU extension: forget the last run altogether */
    for (;;) {
        int found = getopt_long(argc, argv, form.letters, form.names, NULL);
        if (found == -1)
            return true;
        if (found == ':')
            return refuse(why, "%.64s needs a value", argv[optind - 1]);
        const struct option_row *row = found == '?' ? NULL : row_of(takes, found);
        if (row == NULL) {
            if (optopt > 0 && optopt < ROW_BASE)
                return refuse(why, "there is no option -%c here", optopt);
            return refuse(why, "there is no option %.64s here", argv[optind - 1]);
        }
        if (!take_option(a, row, optarg, why))
            return false;
    }
}

bool arguments_parse_global(struct arguments *a, int argc, char **argv, int *ret_index,
                            char why[ARGUMENTS_WHY_BYTES])
{
    if (!parse_options(a, TAKES_GLOBAL, "+:", argc, argv, why))
        return false;
    *ret_index = optind;
    return true;
}

/* Names the operand behind `count` others. */
static bool missing(const struct arguments_form *form, uint32_t count, char *why)
{
    const char *at = form->operands;
    for (uint32_t i = 0; i < count; i++) {
        at += strcspn(at, " ");
        at += strspn(at, " ");
    }
    return refuse(why, "%.*s is missing", (int)strcspn(at, " "), at);
}

static bool check_together(const struct arguments_form *form, const struct arguments *a, char *why)
{
    if ((form->takes & TAKES_VALUE_TEXT) != 0 && a->value == NULL)
        return refuse(why, "--value is missing");
    if ((form->takes & TAKES_FILE) != 0 && a->file == NULL)
        return refuse(why, "-f is missing");
    if ((form->takes & TAKES_FORCE) != 0 && !a->force)
        return refuse(why, "--force is missing: other than by force only its holder releases it");
    if (a->stale && a->quorum)
        return refuse(why, "--stale and --quorum exclude each other");
    if (a->try_once && a->wait_ms >= 0)
        return refuse(why, "--try and --wait exclude each other");
    if (a->recursive && a->children)
        return refuse(why, "-r and --children exclude each other: -r tells of all below");
    return true;
}

bool arguments_parse(struct arguments *a, const struct arguments_form *form, int argc, char **argv,
                     char why[ARGUMENTS_WHY_BYTES])
{
    if (form->takes_child) {
        /* Nothing behind -- is ours, whatever it looks like. */
        for (int i = 1; i < argc; i++) {
            if (strcmp(argv[i], "--") != 0)
                continue;
            if (i + 1 == argc)
                return refuse(why, "there is no command behind --");
            a->child = argv + i + 1;
            argc = i;
        }
    }
    if (!parse_options(a, form->takes | TAKES_GLOBAL, ":", argc, argv, why))
        return false;
    if (a->help)
        return true;

    uint32_t count = (uint32_t)(argc - optind);
    if (count < form->operands_min)
        return missing(form, count, why);
    if (count > form->operands_max)
        return refuse(why,
                      form->takes_child ? "'%.64s' is too much; a command to run stands behind --"
                                        : "'%.64s' is too much",
                      argv[optind + (int)form->operands_max]);
    for (uint32_t i = 0; i < count; i++)
        a->operands[i] = argv[optind + (int)i];
    a->operands_count = count;
    return check_together(form, a, why);
}

void arguments_print_options(FILE *out, uint32_t takes)
{
    for (int i = 0; i < ROWS_COUNT; i++) {
        if ((rows[i].takes & takes) == 0)
            continue;
        char left[64];
        snprintf(left, sizeof(left), "%s%s%s", rows[i].name, rows[i].argument ? " " : "",
                 rows[i].argument ? rows[i].argument : "");
        if (rows[i].letter != 0)
            fprintf(out, "  -%c, --%-19s %s\n", rows[i].letter, left, rows[i].help);
        else
            fprintf(out, "      --%-19s %s\n", left, rows[i].help);
    }
}
