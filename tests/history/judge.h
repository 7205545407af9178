/* judge.h - is a history one that the service promises?
 *
 * Six checkers, which share nothing but what each needs to know of the calls (facts.h):
 *
 * replay   orders the calls by the revisions in their answers, sees that time agrees, and
 *          follows them through a model of nodes. Linear. Rests on revisions.
 * search   looks for any order of the calls on one path, or of those on its lock, that
 *          fits their times and results (Wing and Gong; with Lowe's memo). Knows nothing
 *          of revisions; generations are names to it, without an order.
 * once     no value comes of two writes, of none, of one that did not happen, or of one
 *          that was not yet made.
 * beliefs  nobody believes in a lock while another does, one of them exclusively.
 * locks    generations of grants rise; a sequencer is valid while it is held, and not
 *          after a newer one was given out.
 * watches  events are what happened, in order, once, and all, but behind a RESYNC.
 *
 * An anomaly is something that cannot have been under the promises; each is told with
 * the calls that it is about. That a search ended at its bound is neither fine nor an
 * anomaly. */
#ifndef TESTS_HISTORY_JUDGE_H
#define TESTS_HISTORY_JUDGE_H

#include "tests/history/history.h"

enum {
    HISTORY_KEPT_MAX = 16, /* anomalies whose words are kept */
    HISTORY_KEPT_BYTES = 480,
    /* Of one path, and then of its lock: attempts to put a call next. */
    HISTORY_SEARCH_STEPS_MAX = 20 * 1000 * 1000,
    HISTORY_SEARCH_MEMO_MAX = 1 << 21,
    HISTORY_SEARCH_HOLDERS_MAX = 16,
};

enum history_checker {
    HISTORY_BY_REPLAY,
    HISTORY_BY_SEARCH,
    HISTORY_BY_ONCE,
    HISTORY_BY_BELIEFS,
    HISTORY_BY_LOCKS,
    HISTORY_BY_WATCHES,
    HISTORY_CHECKERS,
};

struct history_report {
    uint64_t judged[HISTORY_CHECKERS]; /* answers, values, intervals, grants and checks, events */
    uint64_t anomalies[HISTORY_CHECKERS];
    uint64_t gave_up;          /* searches that ended at their bound */
    uint64_t searched;         /* that were made */
    uint64_t left_out;         /* paths that cannot be judged: some call makes them on its way */
    uint64_t search_steps;     /* in all */
    uint64_t search_steps_max; /* bound of one search, from 1 */
    char gave_up_on[HISTORY_KEPT_BYTES]; /* the first: which, and how large it is */
    uint32_t kept_count;
    struct {
        enum history_checker by;
        char text[HISTORY_KEPT_BYTES];
    } kept[HISTORY_KEPT_MAX];
};

enum history_verdict { HISTORY_FINE, HISTORY_ANOMALY, HISTORY_GAVE_UP };

/* search_steps_max 0: HISTORY_SEARCH_STEPS_MAX. */
void history_report_init(struct history_report *r, uint64_t search_steps_max);
/* All of them. The calls of the history may be in any order, its events must be in that of
 * their telling. */
void history_judge(const struct history *h, struct history_report *r);
enum history_verdict history_verdict(const struct history_report *r);
const char *history_checker_name(enum history_checker by);

/* Each alone. */
void history_replay(const struct history *h, struct history_report *r);
void history_search(const struct history *h, struct history_report *r);
void history_once(const struct history *h, struct history_report *r);
void history_beliefs(const struct history *h, struct history_report *r);
void history_locks(const struct history *h, struct history_report *r);
void history_watches(const struct history *h, struct history_report *r);

/* For the checkers. */
__attribute__((format(printf, 3, 4))) void
history_anomaly(struct history_report *r, enum history_checker by, const char *form, ...);
/* "client 3, call 17 (put /a)", in ret. */
enum { HISTORY_NAME_BYTES = 160 };
const char *history_call_name(const struct history_call *c, char ret[HISTORY_NAME_BYTES]);

#endif
