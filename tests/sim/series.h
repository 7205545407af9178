/* series.h - many runs, several at a time, each process with its share of the
 * seeds: a run that dies takes only its own process with it, and the seed is
 * known. */
#ifndef TESTS_SIM_SERIES_H
#define TESTS_SIM_SERIES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/sim/journal.h"

enum { SERIES_WHAT_BYTES = 768 };

/* Of one run. Small enough to be written into a pipe in one piece. */
struct outcome {
    uint64_t seed;
    enum verdict verdict;
    uint64_t hash;
    uint64_t trace_hash; /* of the trace's text; 0: there was none */
    bool twice;          /* and both were the same */
    int64_t virtual_ns;
    uint64_t counts[COUNT_KINDS];
    char what[SERIES_WHAT_BYTES];
};

/* One run, in this process; twice if asked, for the hashes must be equal, of what
 * happened and of the trace. */
void outcome_of(uint64_t seed, bool twice, FILE *trace, struct outcome *ret);
/* What broke, in which run, how to see it again: the last line is the command. */
void outcome_report(const struct outcome *o, const char *program, const char *commit);

struct series {
    const char *program, *commit;
    const uint64_t *seeds; /* borrowed; NULL: from `first` on */
    uint64_t first, count;
    uint32_t seconds; /* 0: all `count`; else as many as that time allows */
    uint32_t jobs;
    bool quiet; /* no progress line */
};

/* Prints a summary. The verdict of the first run that failed, or VERDICT_OK. */
enum verdict series_run(const struct series *series);

#endif
