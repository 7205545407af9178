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
    TAKES_RECURSIVE = 1 << 2,      /* -r, of rm */
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
    TAKES_FRESHNESS = 1 << 14, /* --stale, --quorum */
    TAKES_FILE = 1 << 15,
    TAKES_FORCE = 1 << 16,
    TAKES_SUBTREE = 1 << 17, /* -r, of watch */
    TAKES_FROM = 1 << 18,
    TAKES_CHILDREN = 1 << 19,
    TAKES_EXEC = 1 << 20,
    TAKES_TO = 1 << 21,
    TAKES_FOLLOW = 1 << 22,
    TAKES_SHARED = 1 << 23,
    TAKES_DELAY = 1 << 24,
    TAKES_SEQUENTIAL = 1 << 25,
    TAKES_WAIT_FORCE = 1 << 26, /* --wait, of what takes something away */
};

struct arguments {
    const char *endpoints; /* NULL: not given */
    int64_t deadline_ms;
    enum output_format format;
    bool help;
    bool version;

    bool details, recursive, parents, ephemeral, sequential, try_once, show_value, contain;
    bool stale, quorum, force, children, follow, shared;
    uint64_t if_generation;   /* 0: none */
    uint64_t from_revision;   /* 0: from now */
    uint64_t to;              /* a member, 0: any */
    const char *if_sequencer; /* NULL: none, and so below */
    const char *value;
    const char *file;
    const char *exec;
    int64_t wait_ms; /* -1: for ever */
    int64_t delay_ms;
    int64_t ttl_ms;

    const char *operands[ARGUMENTS_OPERANDS_MAX];
    uint32_t operands_count;
    char **child; /* what stands behind --, NULL-terminated; NULL if there is no -- */
};

/* What a command line must look like. */
struct arguments_form {
    const char *operands; /* for a person, one word for each */
    uint32_t takes;       /* of enum option_set */
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
