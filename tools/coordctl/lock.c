/* lock.c - lock and elect: two things to hold. */
#include <stddef.h>
#include <string.h>

#include "tools/coordctl/command.h"
#include "tools/coordctl/hold.h"

struct lock_self {
    coord_node *node;
    coord_lock *lock;
    coord_lock_options options;
    int64_t deadline_ms;
};

static coord_lock_options options_of(const struct arguments *a)
{
    coord_lock_options options = COORD_LOCK_OPTIONS_INIT;
    options.shared = a->shared;
    options.delay_ms = (uint32_t)a->delay_ms;
    return options;
}

static coord_error lock_acquire(void *self, int64_t timeout_ms)
{
    struct lock_self *l = self;
    if (timeout_ms == 0)
        return coord_trylock_with(l->node, &l->options, l->deadline_ms, &l->lock);
    return coord_lock_acquire_with(l->node, &l->options, timeout_ms, &l->lock);
}

static const char *lock_sequencer(void *self)
{
    return coord_lock_sequencer(((struct lock_self *)self)->lock);
}

static coord_error lock_release(void *self, int64_t deadline_ms)
{
    return coord_unlock(((struct lock_self *)self)->lock, deadline_ms);
}

int lock_hold(struct cell *cell, const struct arguments *a)
{
    const char *path = a->operands[0];
    int code = cell_need_holding_session(cell);
    if (code != EXIT_DONE)
        return code;
    struct lock_self self = {.options = options_of(a), .deadline_ms = a->deadline_ms};
    coord_error error =
        coord_open(cell->session, path, COORD_CREATE | COORD_PARENTS, a->deadline_ms, &self.node);
    if (error != COORD_OK)
        return cell_refused(cell, path, error);
    const struct holding holding = {&self, path, lock_acquire, lock_sequencer, lock_release};
    code = hold_run(cell, a, &holding);
    coord_node_close(self.node);
    return code;
}

struct elect_self {
    coord_session *session;
    const char *path, *value;
    coord_lock_options options;
    coord_election *election;
};

static coord_error elect_acquire(void *self, int64_t timeout_ms)
{
    struct elect_self *e = self;
    return coord_campaign_with(e->session, e->path, e->value, strlen(e->value), &e->options,
                               timeout_ms, &e->election);
}

static const char *elect_sequencer(void *self)
{
    return coord_election_sequencer(((struct elect_self *)self)->election);
}

static coord_error elect_release(void *self, int64_t deadline_ms)
{
    return coord_resign(((struct elect_self *)self)->election, deadline_ms);
}

int lock_elect(struct cell *cell, const struct arguments *a)
{
    const char *path = a->operands[0];
    int code = cell_need_holding_session(cell);
    if (code != EXIT_DONE)
        return code;
    struct elect_self self = {
        .session = cell->session, .path = path, .value = a->value, .options = options_of(a)};
    const struct holding holding = {&self, path, elect_acquire, elect_sequencer, elect_release};
    return hold_run(cell, a, &holding);
}
