/* series.c - see series.h. */
#define _GNU_SOURCE
#include "tests/sim/series.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "libcoord/base/check.h"
#include "tests/sim/sim.h"

enum {
    JOBS_MAX = 64,
    TWICE_EVERY = 20,
    HANGS_AFTER_S = 300, /* no run takes a hundredth of it */
    POLL_MS = 500,
};

_Static_assert(sizeof(struct outcome) <= 4096, "one write into a pipe");

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- one run ---- */

void outcome_of(uint64_t seed, bool twice, FILE *trace, struct outcome *ret)
{
    struct sim *s = check_malloc(sizeof(*s));
    struct swarm swarm;
    swarm_draw(&swarm, seed);
    memset(ret, 0, sizeof(*ret));
    ret->twice = twice;
    for (int run = 0; run < (twice ? 2 : 1); run++) {
        sim_run(s, seed, &swarm, run == 0 ? trace : NULL, twice);
        const struct journal *j = &s->journal;
        if (run == 1 && (j->hash != ret->hash || j->trace_hash != ret->trace_hash ||
                         j->verdict != ret->verdict)) {
            ret->verdict = VERDICT_SAFETY;
            snprintf(ret->what, sizeof(ret->what),
                     "two runs of this seed differ (%016" PRIx64 " and %016" PRIx64
                     ", traces %016" PRIx64 " and %016" PRIx64 "): something is not deterministic",
                     ret->hash, j->hash, ret->trace_hash, j->trace_hash);
        } else if (run == 0) {
            ret->seed = seed;
            ret->verdict = j->verdict;
            ret->hash = j->hash;
            ret->trace_hash = j->trace_hash;
            ret->virtual_ns = s->now_ns;
            memcpy(ret->counts, j->counts, sizeof(ret->counts));
            snprintf(ret->what, sizeof(ret->what), "%s", j->what);
        }
        sim_release(s);
    }
    free(s);
}

void outcome_report(const struct outcome *o, const char *program, const char *commit)
{
    struct swarm swarm;
    swarm_draw(&swarm, o->seed);
    printf("seed %" PRIu64 ", commit %s\n", o->seed, commit);
    swarm_print(&swarm, stdout);
    printf("%s failure after %.3f s of virtual time: %s\n", verdict_text(o->verdict),
           (double)o->virtual_ns / 1e9, o->what);
    printf("%s --seed %" PRIu64 " --trace\n", program, o->seed);
    fflush(stdout);
}

/* ---- workers ---- */

struct worker {
    pid_t pid;
    int pipe;
    uint64_t done_count; /* runs reported */
    bool ended;
    double heard_s;
};

static uint64_t seed_at(const struct series *series, uint64_t index)
{
    return series->seeds != NULL ? series->seeds[index] : series->first + index;
}

static void work(const struct series *series, uint32_t worker, int pipe_out, double until_s)
{
    struct outcome o;
    for (uint64_t i = worker; i < series->count; i += series->jobs) {
        if (series->seconds > 0 && seconds_now() > until_s)
            break;
        outcome_of(seed_at(series, i), i % TWICE_EVERY == 0, NULL, &o);
        if (write(pipe_out, &o, sizeof(o)) != (ssize_t)sizeof(o) || o.verdict != VERDICT_OK)
            break;
    }
}

static void start_worker(const struct series *series, struct worker *w, uint32_t index,
                         double until_s)
{
    int ends[2];
    if (pipe(ends) != 0) {
        perror("pipe");
        exit(VERDICT_CRASH);
    }
    fflush(stdout);
    w->pid = fork();
    if (w->pid < 0) {
        perror("fork");
        exit(VERDICT_CRASH);
    }
    if (w->pid == 0) {
        close(ends[0]);
        work(series, index, ends[1], until_s);
        exit(0);
    }
    close(ends[1]);
    w->pipe = ends[0];
    w->done_count = 0;
    w->ended = false;
    w->heard_s = seconds_now();
}

/* True when a whole outcome came. */
static bool hear(struct worker *w, struct outcome *ret)
{
    size_t have = 0;
    while (have < sizeof(*ret)) {
        ssize_t got = read(w->pipe, (char *)ret + have, sizeof(*ret) - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        have += (size_t)got;
    }
    w->done_count++;
    w->heard_s = seconds_now();
    return true;
}

/* The worker is gone. True if it died of what it ran. */
static bool bury(const struct series *series, struct worker *w, uint32_t index, struct outcome *ret)
{
    int status = 0;
    w->ended = true;
    close(w->pipe);
    if (waitpid(w->pid, &status, 0) < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
        return false;
    memset(ret, 0, sizeof(*ret));
    ret->seed = seed_at(series, index + w->done_count * series->jobs);
    ret->verdict = VERDICT_CRASH;
    if (WIFSIGNALED(status))
        snprintf(ret->what, sizeof(ret->what), "the run died of signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(ret->what, sizeof(ret->what), "the run ended the process with status %d",
                 WEXITSTATUS(status));
    return true;
}

static void end_workers(struct worker *workers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (workers[i].ended)
            continue;
        kill(workers[i].pid, SIGKILL);
        waitpid(workers[i].pid, NULL, 0);
        close(workers[i].pipe);
        workers[i].ended = true;
    }
}

/* ---- the series ---- */

struct sum {
    uint64_t runs, virtual_ms, fewest_calls, twice;
    uint64_t counts[COUNT_KINDS];
    double began_s, shown_s;
    struct outcome failed; /* the first */
    bool has_failed;
};

static void add(struct sum *sum, const struct outcome *o)
{
    sum->runs++;
    sum->virtual_ms += (uint64_t)(o->virtual_ns / NS_PER_MS);
    sum->twice += o->twice;
    if (sum->runs == 1 || o->counts[COUNT_CALLS] < sum->fewest_calls)
        sum->fewest_calls = o->counts[COUNT_CALLS];
    for (int i = 0; i < COUNT_KINDS; i++)
        sum->counts[i] += o->counts[i];
}

static void show_progress(const struct series *series, struct sum *sum, bool last)
{
    double now_s = seconds_now();
    if (series->quiet || !isatty(STDOUT_FILENO) || (!last && now_s - sum->shown_s < 0.5))
        return;
    sum->shown_s = now_s;
    printf("\r%" PRIu64 " runs, %.1f a second%s", sum->runs,
           (double)sum->runs / (now_s - sum->began_s + 1e-9), last ? "\n" : " ");
    fflush(stdout);
}

static void summarize(const struct sum *sum)
{
    double took_s = seconds_now() - sum->began_s;
    bool none = false;
    printf("%" PRIu64 " runs, %.0f s of virtual time, in %.1f s (%.1f runs a second)\n", sum->runs,
           (double)sum->virtual_ms / 1e3, took_s, (double)sum->runs / took_s);
    printf("%" PRIu64 " calls of clients, at least %" PRIu64 " in each run; %" PRIu64
           " runs made twice and compared\n",
           sum->counts[COUNT_CALLS], sum->fewest_calls, sum->twice);
    for (int i = 0; i < COUNT_KINDS; i++) {
        if (i == 0 || i == COUNT_FAULTS)
            printf("%s\n", i == 0 ? "faults injected by kind:" : "what happened:");
        printf("  %-36s %12" PRIu64 "\n", count_name((enum count)i), sum->counts[i]);
    }
    for (int i = 0; i < COUNT_KINDS; i++) {
        if (sum->counts[i] > 0)
            continue;
        printf("%s%s", none ? ", " : "never happened: ", count_name((enum count)i));
        none = true;
    }
    if (none)
        printf("\n");
}

/* False when nothing more is to be heard of it. */
static bool attend(const struct series *series, struct worker *w, uint32_t index, struct sum *sum)
{
    struct outcome o;
    if (hear(w, &o)) {
        add(sum, &o);
        if (o.verdict != VERDICT_OK && !sum->has_failed) {
            sum->failed = o;
            sum->has_failed = true;
        }
        return true;
    }
    if (bury(series, w, index, &o) && !sum->has_failed) {
        sum->failed = o;
        sum->has_failed = true;
    }
    return false;
}

static void check_hanging(const struct series *series, struct worker *w, uint32_t index,
                          struct sum *sum)
{
    if (w->ended || seconds_now() - w->heard_s < HANGS_AFTER_S)
        return;
    memset(&sum->failed, 0, sizeof(sum->failed));
    sum->failed.seed = seed_at(series, index + w->done_count * series->jobs);
    sum->failed.verdict = VERDICT_LIVENESS;
    snprintf(sum->failed.what, sizeof(sum->failed.what), "the run hangs: %d s without an end",
             HANGS_AFTER_S);
    sum->has_failed = true;
}

enum verdict series_run(const struct series *asked)
{
    struct series series = *asked;
    struct worker workers[JOBS_MAX];
    struct pollfd polls[JOBS_MAX];
    struct sum sum = {.began_s = seconds_now()};
    if (series.jobs > JOBS_MAX)
        series.jobs = JOBS_MAX;
    if (series.jobs > series.count)
        series.jobs = (uint32_t)series.count;
    for (uint32_t i = 0; i < series.jobs; i++)
        start_worker(&series, &workers[i], i, sum.began_s + series.seconds);
    uint32_t left = series.jobs;
    while (left > 0 && !sum.has_failed) {
        for (uint32_t i = 0; i < series.jobs; i++)
            polls[i] = (struct pollfd){workers[i].ended ? -1 : workers[i].pipe, POLLIN, 0};
        (void)poll(polls, series.jobs, POLL_MS);
        for (uint32_t i = 0; i < series.jobs && !sum.has_failed; i++) {
            if (polls[i].revents != 0 && !attend(&series, &workers[i], i, &sum))
                left--;
            check_hanging(&series, &workers[i], i, &sum);
        }
        show_progress(&series, &sum, false);
    }
    end_workers(workers, series.jobs);
    show_progress(&series, &sum, true);
    summarize(&sum);
    if (!sum.has_failed)
        return VERDICT_OK;
    outcome_report(&sum.failed, series.program, series.commit);
    return sum.failed.verdict;
}
