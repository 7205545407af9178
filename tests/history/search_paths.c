/* search_paths.c - see search_paths.h. */
#include "tests/history/search_paths.h"

#include <stdio.h>
#include <stdlib.h>

#include "libcoord/base/check.h"

void search_paths_add(struct search_paths *p, uint32_t path, const struct search_op *op)
{
    if (p->count == p->capacity) {
        p->capacity = p->capacity == 0 ? 256 : 2 * p->capacity;
        p->list = check_realloc(p->list, p->capacity * sizeof(p->list[0]));
    }
    p->list[p->count++] = (struct search_placed){path, *op};
}

static int by_path(const void *left, const void *right)
{
    const struct search_placed *a = left, *b = right;
    if (a->path != b->path)
        return a->path < b->path ? -1 : 1;
    if (a->op.call != b->op.call)
        return a->op.call < b->op.call ? -1 : 1;
    if (a->op.what != b->op.what)
        return a->op.what < b->op.what ? -1 : 1;
    return a->op.detail < b->op.detail ? -1 : a->op.detail > b->op.detail;
}

void search_paths_sort(struct search_paths *p)
{
    if (p->count > 0)
        qsort(p->list, p->count, sizeof(p->list[0]), by_path);
    p->ops = check_calloc(p->count + 1, sizeof(p->ops[0]));
}

size_t search_paths_take(struct search_paths *p, size_t at)
{
    size_t count = 0;
    for (; at + count < p->count && p->list[at + count].path == p->list[at].path; count++)
        p->ops[count] = p->list[at + count].op;
    return count;
}

void search_paths_release(struct search_paths *p)
{
    free(p->list);
    free(p->ops);
}

void search_judge(struct history_report *r, const struct search_object *o, struct search_op *ops,
                  size_t count, const char *path, const char *what)
{
    struct search_outcome out;
    char text[HISTORY_NAME_BYTES];
    search(o, ops, count, r->search_steps_max, &out);
    r->searched++;
    r->judged[HISTORY_BY_SEARCH] += count;
    r->search_steps += out.steps;
    if (out.result == SEARCH_GAVE_UP && r->gave_up++ == 0)
        snprintf(r->gave_up_on, sizeof(r->gave_up_on), "%.100s%s, %zu calls, got to %s", path, what,
                 count, out.stuck == NULL ? "the last" : history_call_name(out.stuck->call, text));
    if (out.result != SEARCH_NONE)
        return;
    history_anomaly(
        r, HISTORY_BY_SEARCH,
        "%.100s%s: no order of the calls fits what they told; as far as one goes, what "
        "must be next and cannot is %s: %s%s%.64s",
        path, what, out.stuck == NULL ? "nothing" : history_call_name(out.stuck->call, text),
        out.stuck == NULL ? "" : err_name(out.stuck->call->error),
        out.stuck != NULL && out.stuck->call->told.value != NULL ? ", value " : "",
        out.stuck != NULL && out.stuck->call->told.value != NULL ? out.stuck->call->told.value
                                                                 : "");
}

void history_search(const struct history *h, struct history_report *r)
{
    search_nodes(h, r);
    search_locks(h, r);
}
