/* timeline.c - how many writes were acknowledged in each moment around a kill. */
#include <pthread.h>

#include "tools/bench/measure.h"

enum {
    STEP_MS = 20,
    BEFORE_MS = WRITING_MS,
    AFTER_MS = 5000,
    STEPS = (BEFORE_MS + AFTER_MS) / STEP_MS,
    TIMES_MAX = 65536, /* before the kill */
};

static struct {
    uint64_t before[TIMES_MAX], killed_ns;
    uint32_t before_count;
    uint32_t steps[KILLS_COUNT][STEPS];
    uint32_t kills;
} timeline;

/* A write of long before, or long after, is none of it. */
static void count_at(uint64_t now)
{
    uint64_t start = timeline.killed_ns - (uint64_t)BEFORE_MS * NS_PER_MS;
    uint64_t step = now < start ? STEPS : (now - start) / ((uint64_t)STEP_MS * NS_PER_MS);
    if (step < STEPS && timeline.kills <= KILLS_COUNT)
        timeline.steps[timeline.kills - 1][step]++;
}

void timeline_start(void)
{
    timeline.killed_ns = 0;
    timeline.before_count = 0;
}

void timeline_add(uint64_t now)
{
    if (timeline.killed_ns != 0)
        count_at(now);
    else if (timeline.before_count < TIMES_MAX)
        timeline.before[timeline.before_count++] = now;
}

void timeline_kill(uint64_t now)
{
    timeline.killed_ns = now;
    timeline.kills++;
    for (uint32_t i = 0; i < timeline.before_count; i++)
        count_at(timeline.before[i]);
}

void report_timelines(void)
{
    report("\"timeline_step_ms\":%d,\"timeline_before_ms\":%d,\"timelines\":[", STEP_MS, BEFORE_MS);
    for (uint32_t kill = 0; kill < timeline.kills && kill < KILLS_COUNT; kill++)
        for (uint32_t i = 0; i < STEPS; i++)
            report("%s%u%s",
                   i > 0      ? ","
                   : kill > 0 ? ",["
                              : "[",
                   timeline.steps[kill][i], i + 1 == STEPS ? "]" : "");
    report("],");
}
