/* main.c - coord-sim's command line. See README.md in this folder. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "libcoord/base/check.h"
#include "tests/sim/series.h"
#include "tests/sim/swarm.h"

enum { EXIT_USAGE = 2, SEEDS_MAX = 100000, RUNS_DEFAULT = 100 };

static const char usage[] =
    "usage: coord-sim [--runs N | --minutes M | --seconds S] [--first SEED | --fresh] [--jobs J]\n"
    "       coord-sim --seed SEED [--trace]\n"
    "       coord-sim --seeds FILE\n"
    "\n"
    "  --runs N       N runs with the seeds 1 to N (default 100)\n"
    "  --minutes M    as many runs as M minutes allow; or --seconds S\n"
    "  --first SEED   begin with another seed\n"
    "  --fresh        begin with a seed from the system's generator\n"
    "  --jobs J       processes at a time (default: one for each processor)\n"
    "  --seed SEED    one run, twice, compared\n"
    "  --trace        with --seed: all that happens in it\n"
    "  --seeds FILE   the seeds in FILE, one a line; # begins a comment\n"
    "  --quiet        no progress line\n"
    "\n"
    "Exit status: 0 all was well; 10 safety, 11 liveness, 12 crash; 2 wrong usage.\n"
    "After a failure the last line is the command that shows it again.\n";

struct options {
    uint64_t runs, first, seed;
    uint32_t seconds, jobs;
    bool fresh, has_seed, trace, quiet;
    const char *seeds;
};

/* For what a crash has to say in a signal handler. */
static char crash_text[256];

static void on_abort(int number)
{
    (void)number;
    ssize_t ignored = write(STDOUT_FILENO, crash_text, strlen(crash_text));
    (void)ignored;
    _exit(VERDICT_CRASH);
}

static bool parse_number(const char *text, uint64_t most, uint64_t *ret)
{
    char *end = NULL;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || v > most)
        return false;
    *ret = v;
    return true;
}

static int complain(const char *what)
{
    fprintf(stderr, "coord-sim: %s\n%s", what, usage);
    return EXIT_USAGE;
}

static int parse(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {
        {"runs", required_argument, NULL, 'n'},    {"minutes", required_argument, NULL, 'm'},
        {"seconds", required_argument, NULL, 'e'}, {"first", required_argument, NULL, 'f'},
        {"fresh", no_argument, NULL, 'F'},         {"jobs", required_argument, NULL, 'j'},
        {"seed", required_argument, NULL, 's'},    {"trace", no_argument, NULL, 't'},
        {"seeds", required_argument, NULL, 'S'},   {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    uint64_t v = 0;
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        bool good = true;
        switch (c) {
        case 'n':
            good = parse_number(optarg, UINT32_MAX, &o->runs) && o->runs > 0;
            break;
        case 'm':
            good = parse_number(optarg, 100000, &v) && v > 0;
            o->seconds = 60 * (uint32_t)v;
            break;
        case 'e':
            good = parse_number(optarg, 100000, &v) && v > 0;
            o->seconds = (uint32_t)v;
            break;
        case 'f':
            good = parse_number(optarg, UINT64_MAX, &o->first);
            break;
        case 'F':
            o->fresh = true;
            break;
        case 'j':
            good = parse_number(optarg, 64, &v) && v > 0;
            o->jobs = (uint32_t)v;
            break;
        case 's':
            good = o->has_seed = parse_number(optarg, UINT64_MAX, &o->seed);
            break;
        case 't':
            o->trace = true;
            break;
        case 'S':
            o->seeds = optarg;
            break;
        case 'q':
            o->quiet = true;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            return EXIT_USAGE;
        }
        if (!good)
            return complain("a number is wrong");
    }
    if (optind < argc)
        return complain("too many arguments");
    if (o->trace && !o->has_seed)
        return complain("--trace needs --seed");
    return 0;
}

static int run_one(const struct options *o, const char *program)
{
    struct outcome outcome;
    struct swarm swarm;
    swarm_draw(&swarm, o->seed);
    printf("seed %" PRIu64 ", commit %s\n", o->seed, COORD_SIM_COMMIT);
    swarm_print(&swarm, stdout);
    snprintf(crash_text, sizeof(crash_text),
             "CRASH failure: the run ended the process\n%s --seed %" PRIu64 " --trace\n", program,
             o->seed);
    fflush(stdout);
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    outcome_of(o->seed, true, o->trace ? stdout : NULL, &outcome);
    if (outcome.verdict != VERDICT_OK) {
        printf("%s failure after %.3f s of virtual time: %s\n", verdict_text(outcome.verdict),
               (double)outcome.virtual_ns / 1e9, outcome.what);
        printf("%s --seed %" PRIu64 " --trace\n", program, o->seed);
        return outcome.verdict;
    }
    printf("ok: %" PRIu64 " calls, %.3f s of virtual time, hash %016" PRIx64 ", trace %016" PRIx64
           "\n",
           outcome.counts[COUNT_CALLS], (double)outcome.virtual_ns / 1e9, outcome.hash,
           outcome.trace_hash);
    return 0;
}

/* Returns how many seeds there are, or -1. */
static int64_t read_seeds(const char *name, uint64_t *seeds)
{
    char line[512];
    int64_t count = 0;
    FILE *in = fopen(name, "r");
    if (in == NULL)
        return -1;
    while (count < SEEDS_MAX && fgets(line, sizeof(line), in) != NULL) {
        line[strcspn(line, "#\n")] = '\0';
        line[strcspn(line, " \t")] = '\0';
        if (line[0] == '\0')
            continue;
        if (!parse_number(line, UINT64_MAX, &seeds[count])) {
            count = -1;
            break;
        }
        count++;
    }
    fclose(in);
    return count;
}

static int run_kept(const struct options *o, struct series *series)
{
    uint64_t *seeds = check_calloc(SEEDS_MAX, sizeof(*seeds));
    int64_t count = read_seeds(o->seeds, seeds);
    int status = 0;
    if (count < 0) {
        fprintf(stderr, "coord-sim: %s cannot be read, or has a line that is no seed\n", o->seeds);
        status = EXIT_USAGE;
    } else if (count == 0) {
        printf("no seeds in %s\n", o->seeds);
    } else {
        series->seeds = seeds;
        series->count = (uint64_t)count;
        status = series_run(series);
    }
    free(seeds);
    return status;
}

int main(int argc, char **argv)
{
    struct options o = {.runs = RUNS_DEFAULT, .first = 1};
    int status = parse(argc, argv, &o);
    if (status != 0)
        return status;
    if (o.has_seed)
        return run_one(&o, argv[0]);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct series series = {
        .program = argv[0],
        .commit = COORD_SIM_COMMIT,
        .first = o.first,
        .count = o.seconds > 0 ? UINT32_MAX : o.runs,
        .seconds = o.seconds,
        .jobs = o.jobs > 0       ? o.jobs
                : processors > 0 ? (uint32_t)processors
                                 : 1,
        .quiet = o.quiet,
    };
    if (o.fresh && getrandom(&series.first, sizeof(series.first), 0) != sizeof(series.first)) {
        perror("getrandom");
        return EXIT_USAGE;
    }
    if (o.seeds != NULL)
        return run_kept(&o, &series);
    if (o.fresh)
        series.first >>= 16; /* shorter to type */
    printf("seeds from %" PRIu64 ", commit %s\n", series.first, COORD_SIM_COMMIT);
    return series_run(&series);
}
