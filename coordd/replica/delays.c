/* delays.c - locks whose holder died: how long each stays closed, at the leader.
 *
 * The delay is state; its end is an entry that names the ballot. A new leader
 * starts each anew at its full length, unless the one before handed it over. */
#include <stdlib.h>
#include <string.h>

#include "coordd/replica/inner.h"
#include "libcoord/base/check.h"

static int by_path(const void *key, const struct avl_node *node)
{
    const struct delay *d = container_of(node, struct delay, by_path);

    return slice_compare(*(const struct slice *)key, slice_of(d->path, d->length));
}

static int by_deadline(const void *key, const struct avl_node *node)
{
    const struct delay *a = key, *b = container_of(node, struct delay, by_deadline);

    if (a->deadline_ns != b->deadline_ns)
        return a->deadline_ns < b->deadline_ns ? -1 : 1;
    return slice_compare(slice_of(a->path, a->length), slice_of(b->path, b->length));
}

static struct delay *find(const struct replica *r, struct slice path)
{
    return container_of_or_null(avl_find(&r->delays, &path, by_path), struct delay, by_path);
}

static void drop(struct replica *r, struct delay *d)
{
    avl_remove(&r->delays, &d->by_path);
    avl_remove(&r->delay_deadlines, &d->by_deadline);
    free(d);
}

static void start(struct replica *r, const struct state_delay *delay)
{
    struct delay *d = find(r, delay->path);
    uint32_t left_ms = delay->delay_ms;

    if (d != NULL && d->instance == delay->instance && d->generation == delay->generation)
        return;
    if (d != NULL)
        drop(r, d);
    (void)state_delay_handed_over(r->state, delay->path, delay->generation, &left_ms);
    d = check_calloc(1, sizeof *d + delay->path.length + 1);
    d->length = delay->path.length;
    memcpy(d->path, delay->path.data, delay->path.length);
    d->instance = delay->instance;
    d->generation = delay->generation;
    d->deadline_ns = leases_clock_ns(r) + ms_to_ns(left_ms);
    avl_insert(&r->delays, &d->by_path, &delay->path, by_path);
    avl_insert(&r->delay_deadlines, &d->by_deadline, d, by_deadline);
}

void delays_look(struct replica *r)
{
    struct state_delay delay = {.path = {NULL, 0}};

    while (state_delay_next(r->state, delay.path, &delay))
        start(r, &delay);
}

void delays_end(struct replica *r)
{
    struct avl_node *node;

    while ((node = avl_first(&r->delays)) != NULL)
        drop(r, container_of(node, struct delay, by_path));
}

/* Proposes the end of what is over. One for which the queue has no room stays, and
 * is looked at again with the next step. The end of one that ended otherwise (its
 * node was deleted) is refused when it is applied, and so is a second end. */
void delays_tick(struct replica *r)
{
    struct avl_node *node;

    while ((node = avl_first(&r->delay_deadlines)) != NULL) {
        struct delay *d = container_of(node, struct delay, by_deadline);
        Coord__V1__Command command = COORD__V1__COMMAND__INIT;
        Coord__V1__EndLockDelay end = COORD__V1__END_LOCK_DELAY__INIT;
        uint32_t ahead;

        if (d->deadline_ns > leases_clock_ns(r))
            return;
        end.path = (char *)d->path;
        end.instance = d->instance;
        end.generation = d->generation;
        end.ballot = r->leading_ballot;
        command.op_case = COORD__V1__COMMAND__OP_END_LOCK_DELAY;
        command.end_lock_delay = &end;
        if (!batch_queue_add(&r->queue, &command, 0, &ahead))
            return;
        drop(r, d);
    }
}

uint64_t delays_left_ms(void *replica, struct slice path)
{
    const struct replica *r = replica;
    const struct delay *d = find(r, path);

    if (d == NULL || d->deadline_ns <= leases_clock_ns(r))
        return 0;
    return (uint64_t)((d->deadline_ns - leases_clock_ns(r)) / NS_PER_MS);
}

int64_t delays_wake_at(const struct replica *r)
{
    const struct avl_node *node = avl_first(&r->delay_deadlines);

    if (node == NULL)
        return NEVER_NS;
    return container_of(node, struct delay, by_deadline)->deadline_ns + r->stalled_ns;
}
