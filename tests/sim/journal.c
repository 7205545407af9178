/* journal.c - see journal.h. */
#include "tests/sim/journal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "libcoord/base/hash.h"

const char *verdict_text(enum verdict v)
{
    switch (v) {
    case VERDICT_OK:
        return "ok";
    case VERDICT_SAFETY:
        return "SAFETY";
    case VERDICT_LIVENESS:
        return "LIVENESS";
    case VERDICT_CRASH:
        return "CRASH";
    }
    return "?";
}

static const char *const count_names[COUNT_KINDS] = {
    [COUNT_LEADER_CHANGES] = "leader changes",
    [COUNT_LEADERS_STALLED] = "leaders gone while their disk stalled",
    [COUNT_REPAIRS] = "members repaired from others",
    [COUNT_DEATHS_IN_STEP] = "deaths within a step",
    [COUNT_DEATHS_AT_COMMIT] = "deaths right after a commit",
    [COUNT_DEATHS_AT_CHECKPOINT] = "deaths right after a checkpoint",
    [COUNT_TORN_WRITES] = "last writes torn or lost",
    [COUNT_SYNCS_FAILED] = "failed syncs",
    [COUNT_ROWS_ROTTEN] = "rows of the log corrupted",
    [COUNT_RECORDS_ROTTEN] = "records of the state corrupted",
    [COUNT_SLOW_LOGS] = "servers with a slow log",
    [COUNT_SLOW_CHECKPOINTS] = "servers with a slow checkpoint",
    [COUNT_PAUSES_IN_STEP] = "pauses within a step",
    [COUNT_CLOCK_LEAPS] = "clocks that leapt",
    [COUNT_CHECKPOINTS_AHEAD] = "checkpoints durable before their log",
    [COUNT_STARTS_WITH_OLD_ROWS] = "starts with rows that were replaced",
    [COUNT_CRASHES] = "crashes",
    [COUNT_POWER_CUTS] = "power cuts of one",
    [COUNT_BLACKOUTS] = "power cuts of all",
    [COUNT_PARTITIONS] = "partitions",
    [COUNT_ONE_WAY_PARTITIONS] = "one-way partitions",
    [COUNT_FLAPS] = "flaps",
    [COUNT_REPLICA_PAUSES] = "replica pauses",
    [COUNT_CLIENT_PAUSES] = "client pauses",
    [COUNT_CLIENT_CRASHES] = "client crashes",
    [COUNT_DISK_STALLS] = "disk stalls",
    [COUNT_DISK_FULL] = "full disks",
    [COUNT_ALL_FULL] = "all disks full",
    [COUNT_REFUSED_FOR_SPACE] = "writes refused for space",
    [COUNT_ON_RESERVE] = "commits on a reserve",
    [COUNT_CHECKPOINTS_FULL] = "checkpoints without space",
    [COUNT_CLOCK_TURNS] = "clock rate changes",
    [COUNT_WALL_JUMPS] = "wall clock jumps",
    [COUNT_MESSAGES_LOST] = "messages lost",
    [COUNT_MESSAGES_DUPLICATED] = "messages duplicated",
    [COUNT_MESSAGES_REORDERED] = "messages reordered",
    [COUNT_STREAMS_BROKEN] = "client streams broken",
    [COUNT_REDIRECTS] = "redirects",
    [COUNT_CALLS] = "calls",
    [COUNT_WRITES_ACKNOWLEDGED] = "writes acknowledged",
    [COUNT_READS_ANSWERED] = "reads answered",
    [COUNT_CALLS_OF_UNKNOWN_OUTCOME] = "calls of unknown outcome",
    [COUNT_SESSIONS_OPENED] = "sessions opened",
    [COUNT_SESSIONS_ENDED] = "sessions ended",
    [COUNT_SESSIONS_EXPIRED] = "sessions expired",
    [COUNT_EXPIRIES_WITH_LOCKS] = "expiries under contention",
    [COUNT_JEOPARDIES] = "jeopardies",
    [COUNT_JEOPARDIES_SURVIVED] = "jeopardies survived",
    [COUNT_GRANTS] = "grants",
    [COUNT_HAND_OFFS] = "hand-offs",
    [COUNT_LOCK_DELAYS] = "lock delays",
    [COUNT_LOCKS_FORCED] = "locks taken by force",
    [COUNT_LOCKED_NODES_DELETED] = "locked nodes deleted",
    [COUNT_SESSIONS_KILLED] = "sessions killed",
    [COUNT_STEP_DOWNS] = "leaders that stepped down",
    [COUNT_TRANSACTIONS] = "transactions",
    [COUNT_TRANSACTIONS_REFUSED] = "transactions refused",
    [COUNT_GRANTS_THAT_CROSSED_A_CANCEL] = "grants that crossed a cancel",
    [COUNT_STALE_SEQUENCERS_REFUSED] = "stale sequencers refused",
    [COUNT_DUPLICATES_IN_LOG] = "duplicate commands in the log",
    [COUNT_ANSWERS_GIVEN_AGAIN] = "answers given again",
    [COUNT_WATCH_EVENTS] = "watch events",
    [COUNT_WATCH_RESYNCS] = "watches told to read anew",
    [COUNT_WATCH_RESYNCS_OF_LOST_HISTORY] = "watches whose history was gone",
    [COUNT_SLOW_READERS] = "slow readers",
    [COUNT_CATCH_UPS] = "catch-ups",
    [COUNT_CHECKPOINTS] = "checkpoints",
    [COUNT_TRANSFERS] = "states taken over from others",
    [COUNT_STATES_LOST] = "states lost",
    [COUNT_LOGS_DAMAGED] = "logs damaged",
    [COUNT_STATES_FLIPPED] = "states with a wrong bit",
    [COUNT_QUARANTINES] = "members quarantined",
    [COUNT_CROWDED] = "members crowded, without a state",
    [COUNT_HISTORY_SEARCHES] = "searches in histories",
    [COUNT_HISTORY_SEARCHES_GIVEN_UP] = "searches that gave up",
};

const char *count_name(enum count c)
{
    return count_names[c];
}

void journal_init(struct journal *r, const int64_t *now_ns, FILE *trace)
{
    memset(r, 0, sizeof(*r));
    r->verdict = VERDICT_OK;
    r->now_ns = now_ns;
    r->trace = trace;
    r->tells = trace != NULL;
    r->hash = UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t stir(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0xff51afd7ed558ccd);
    return h ^ (h >> 32);
}

void journal_mix(struct journal *r, uint64_t a, uint64_t b)
{
    r->hash = stir(stir(stir(r->hash, (uint64_t)*r->now_ns), a), b);
}

void journal_trace_always(struct journal *r, const char *format, ...)
{
    char line[1024];
    int64_t us = *r->now_ns / 1000;
    int time =
        snprintf(line, sizeof(line), "%4" PRId64 ".%06" PRId64 " ", us / 1000000, us % 1000000);
    va_list list;
    va_start(list, format);
    vsnprintf(line + time, sizeof(line) - (size_t)time, format, list);
    va_end(list);
    r->trace_hash = hash_bytes(r->trace_hash, slice_of_string(line));
    if (r->trace != NULL)
        fprintf(r->trace, "%s\n", line);
}

void journal_fail(struct journal *r, enum verdict v, const char *format, ...)
{
    char text[sizeof(r->what)];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    journal_trace(r, "%s failure: %s", verdict_text(v), text);
    if (journal_failed(r))
        return;
    r->verdict = v;
    r->failed_at_ns = *r->now_ns;
    memcpy(r->what, text, sizeof(text));
}
