/* times.h - whether the order of revisions agrees with time: a part of replay.
 *
 * A call shows at least what anybody had been shown when it was made, and a change comes
 * behind that. Stale reads are free of this, but what they show counts for others. Answers
 * that say no revision are held to the generations of their path. */
#ifndef TESTS_HISTORY_TIMES_H
#define TESTS_HISTORY_TIMES_H

#include "tests/history/judge.h"

struct shown {
    int64_t at_ns;
    uint64_t revision;
    const struct history_call *call; /* NULL: an event */
};

/* What had been shown when: by time, each with the highest of all up to it. */
struct floors {
    struct shown *list; /* owned */
    size_t count;
};

void floors_init(struct floors *f, const struct history *h);
void floors_release(struct floors *f);
/* The highest that was shown earlier than this moment; revision 0: none was. */
struct shown floor_before(const struct floors *f, int64_t at_ns);

void check_times(const struct floors *f, const struct history *h, struct history_report *r);

#endif
