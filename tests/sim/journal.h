/* journal.h - what a run says of itself: verdict, trace and counts.
 *
 * The trace is text for people, off unless asked for. The hash takes in every
 * event of the run whether or not the trace is written: two runs of one seed
 * must end with the same hash, or something in the code that ships is not
 * deterministic. The trace has a hash of its own, if that is asked for. */
#ifndef TESTS_SIM_JOURNAL_H
#define TESTS_SIM_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Also the exit status of coord-sim. */
enum verdict {
    VERDICT_OK = 0,
    VERDICT_SAFETY = 10,
    VERDICT_LIVENESS = 11,
    VERDICT_CRASH = 12,
};
const char *verdict_text(enum verdict v);

/* Things that should happen somewhere in every few hundred runs. A kind that
 * stays at zero over a long series is a hole in the simulator. */
enum count {
    /* faults */
    COUNT_CRASHES,
    COUNT_POWER_CUTS,
    COUNT_BLACKOUTS,
    COUNT_DEATHS_IN_STEP,
    COUNT_DEATHS_AT_COMMIT,
    COUNT_DEATHS_AT_CHECKPOINT,
    COUNT_TORN_WRITES,
    COUNT_SYNCS_FAILED,
    COUNT_ROWS_ROTTEN,
    COUNT_RECORDS_ROTTEN,
    COUNT_LOGS_DAMAGED,
    COUNT_STATES_LOST,
    COUNT_DISK_STALLS,
    COUNT_DISK_FULL,
    COUNT_ALL_FULL,
    COUNT_ON_RESERVE,
    COUNT_CHECKPOINTS_FULL,
    COUNT_REFUSED_FOR_SPACE,
    COUNT_SLOW_LOGS,
    COUNT_SLOW_CHECKPOINTS,
    COUNT_REPLICA_PAUSES,
    COUNT_PAUSES_IN_STEP,
    COUNT_CLIENT_PAUSES,
    COUNT_CLIENT_CRASHES,
    COUNT_SLOW_READERS,
    COUNT_CLOCK_TURNS,
    COUNT_CLOCK_LEAPS,
    COUNT_WALL_JUMPS,
    COUNT_PARTITIONS,
    COUNT_ONE_WAY_PARTITIONS,
    COUNT_FLAPS,
    COUNT_MESSAGES_LOST,
    COUNT_MESSAGES_DUPLICATED,
    COUNT_MESSAGES_REORDERED,
    COUNT_STREAMS_BROKEN,
    COUNT_FAULTS, /* so many kinds of them */
    /* what came of them */
    COUNT_LEADER_CHANGES = COUNT_FAULTS,
    COUNT_LEADERS_STALLED,
    COUNT_REPAIRS,
    COUNT_REDIRECTS,
    COUNT_CALLS,
    COUNT_WRITES_ACKNOWLEDGED,
    COUNT_READS_ANSWERED,
    COUNT_CALLS_OF_UNKNOWN_OUTCOME,
    COUNT_SESSIONS_OPENED,
    COUNT_SESSIONS_ENDED,
    COUNT_SESSIONS_EXPIRED,
    COUNT_EXPIRIES_WITH_LOCKS,
    COUNT_JEOPARDIES,
    COUNT_JEOPARDIES_SURVIVED,
    COUNT_GRANTS,
    COUNT_HAND_OFFS,
    COUNT_LOCK_DELAYS,
    COUNT_LOCKS_FORCED,
    COUNT_LOCKED_NODES_DELETED,
    COUNT_SESSIONS_KILLED,
    COUNT_STEP_DOWNS,
    COUNT_TRANSACTIONS,
    COUNT_TRANSACTIONS_REFUSED,
    COUNT_GRANTS_THAT_CROSSED_A_CANCEL,
    COUNT_STALE_SEQUENCERS_REFUSED,
    COUNT_DUPLICATES_IN_LOG,
    COUNT_ANSWERS_GIVEN_AGAIN,
    COUNT_WATCH_EVENTS,
    COUNT_WATCH_RESYNCS,
    COUNT_WATCH_RESYNCS_OF_LOST_HISTORY,
    COUNT_CATCH_UPS,
    COUNT_CHECKPOINTS,
    COUNT_CHECKPOINTS_AHEAD,
    COUNT_STARTS_WITH_OLD_ROWS,
    COUNT_TRANSFERS,
    COUNT_STATES_FLIPPED,
    COUNT_QUARANTINES,
    COUNT_CROWDED,
    COUNT_HISTORY_SEARCHES,
    COUNT_HISTORY_SEARCHES_GIVEN_UP,
    COUNT_KINDS,
};
const char *count_name(enum count c);

struct journal {
    enum verdict verdict;
    char what[768]; /* of the first failure */
    int64_t failed_at_ns;
    uint64_t hash;
    FILE *trace;           /* borrowed; NULL: none */
    bool tells;            /* there is a trace, or its hash is wanted */
    uint64_t trace_hash;   /* of its text */
    const int64_t *now_ns; /* borrowed: the run's time */
    uint64_t counts[COUNT_KINDS];
};

void journal_init(struct journal *r, const int64_t *now_ns, FILE *trace);
void journal_mix(struct journal *r, uint64_t a, uint64_t b);
/* Only the first failure is kept: the ones behind it are its children. */
void journal_fail(struct journal *r, enum verdict v, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void journal_trace_always(struct journal *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline bool journal_failed(const struct journal *r)
{
    return r->verdict != VERDICT_OK;
}

/* The arguments are not evaluated when there is no trace. */
#define journal_trace(r, ...) ((r)->tells ? journal_trace_always((r), __VA_ARGS__) : (void)0)

#endif
