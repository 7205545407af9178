/* judge.c - see judge.h. */
#include "tests/history/judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void history_report_init(struct history_report *r, uint64_t search_steps_max)
{
    memset(r, 0, sizeof(*r));
    r->search_steps_max = search_steps_max == 0 ? HISTORY_SEARCH_STEPS_MAX : search_steps_max;
}

void history_judge(const struct history *h, struct history_report *r)
{
    history_replay(h, r);
    history_once(h, r);
    history_locks(h, r);
    history_beliefs(h, r);
    history_watches(h, r);
    history_search(h, r);
}

enum history_verdict history_verdict(const struct history_report *r)
{
    for (int i = 0; i < HISTORY_CHECKERS; i++)
        if (r->anomalies[i] > 0)
            return HISTORY_ANOMALY;
    return r->gave_up > 0 ? HISTORY_GAVE_UP : HISTORY_FINE;
}

const char *history_checker_name(enum history_checker by)
{
    static const char *const names[HISTORY_CHECKERS] = {"replay",  "search", "once",
                                                        "beliefs", "locks",  "watches"};
    return (unsigned)by < HISTORY_CHECKERS ? names[by] : "none";
}

void history_anomaly(struct history_report *r, enum history_checker by, const char *form, ...)
{
    r->anomalies[by]++;
    if (r->kept_count == HISTORY_KEPT_MAX)
        return;
    va_list list;
    va_start(list, form);
    r->kept[r->kept_count].by = by;
    vsnprintf(r->kept[r->kept_count++].text, HISTORY_KEPT_BYTES, form, list);
    va_end(list);
}

const char *history_call_name(const struct history_call *c, char ret[HISTORY_NAME_BYTES])
{
    snprintf(ret, HISTORY_NAME_BYTES, "client %" PRIu32 ", call %" PRIu64 " (%s %.100s)", c->client,
             c->number, history_op_name(c->ask.op), c->ask.path == NULL ? "" : c->ask.path);
    return ret;
}
