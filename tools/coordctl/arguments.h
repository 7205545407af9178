/* arguments.h - the options of all commands: one table says how each is
 * written, and each command says which of them it takes. Pure but for getopt's
 * own globals: not to be called from two threads. */
#ifndef COORDCTL_ARGUMENTS_H
#define COORDCTL_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    ARGUMENTS_OPERANDS_MAX = 2,
    ARGUMENTS_WHY_BYTES = 256,
    ARGUMENTS_DEADLINE_MS_DEFAULT = 10000,
    ARGUMENTS_TTL_MS_DEFAULT = 12000,
};

enum output_format { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_RAW };

/* Which options a command takes besides the global ones. */
enum option_set {
    TAKES_LONG = 1 << 0,           /* -l */
    TAKES_RECURSIVE_LIST = 1 << 1, /* -R */
    TAKES_RECURSIVE = 1 << 2,      /* -r */
    TAKES_PARENTS = 1 << 3,
    TAKES_EPHEMERAL = 1 << 4,
    TAKES_IF_GENERATION = 1 << 5,
    TAKES_IF_SEQUENCER = 1 << 6,
    TAKES_TRY = 1 << 7,
    TAKES_WAIT = 1 << 8,
    TAKES_TTL = 1 << 9,
    TAKES_VALUE_TEXT = 1 << 10,  /* --value V */
    TAKES_VALUE_SHOWN = 1 << 11, /* --value, of watch */
    TAKES_GLOBAL = 1 << 12,
    TAKES_CONTAIN = 1 << 13,
};

struct arguments {
    const char *endpoints; /* NULL: not given */
    int64_t deadline_ms;
    enum output_format format;
    bool help;
    bool version;

    bool details, recursive, parents, ephemeral, try_once, show_value, contain;
    uint64_t if_generation;   /* 0: none */
    const char *if_sequencer; /* NULL: none */
    const char *value;        /* NULL: none */
    int64_t wait_ms;          /* -1: for ever */
    int64_t ttl_ms;

    const char *operands[ARGUMENTS_OPERANDS_MAX];
    uint32_t operands_count;
    char **child; /* what stands behind --, NULL-terminated; NULL if there is no -- */
};

/* What a command line must look like. */
struct arguments_form {
    uint32_t takes; /* of enum option_set */
    uint32_t operands_min, operands_max;
    bool takes_child;
};

void arguments_init(struct arguments *a);

/* The global options before the command's name. *ret_index is where the name
 * stands, or argc. False, with a phrase in `why`, on an option that is none. */
bool arguments_parse_global(struct arguments *a, int argc, char **argv, int *ret_index,
                            char why[ARGUMENTS_WHY_BYTES]);

/* The rest; argv[0] is the command's name. argv may be put into another order.
 * With --help given nothing is demanded of the operands. */
bool arguments_parse(struct arguments *a, const struct arguments_form *form, int argc, char **argv,
                     char why[ARGUMENTS_WHY_BYTES]);

/* One line for each option of the set. */
void arguments_print_options(FILE *out, uint32_t takes);

#endif
