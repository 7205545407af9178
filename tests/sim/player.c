/* player.c - see player.h. What is called when. How is in player_call.c, what
 * comes of it in player_answer.c. */
#include "tests/sim/player.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/sim/paths.h"
#include "tests/sim/player_internal.h"
#include "tests/sim/sim.h"

enum { FINISH_MS = 50, REOPEN_MS = 100, HASTE_MS = 20 };

static const char *const op_names[OP_KINDS] = {
    "put",
    "put if",
    "guarded put",
    "create",
    "create ephemeral",
    "delete",
    "get",
    "stat",
    "list",
    "check",
    "list locks",
    "lock",
    "lock shared",
    "try",
    "elect",
    "release",
    "transaction",
    "create sequential",
    "force unlock",
    "kill session",
    "step down",
    "watch",
    "close",
};

const char *op_text(enum op op)
{
    return op_names[op];
}

void player_init(struct client *c)
{
    struct player *p = &c->player;
    memset(p, 0, sizeof(*p));
    p->next_token = p->next_handle = p->next_watch = 1;
}

void player_release(struct client *c)
{
    free(c->player.calls);
    free(c->player.executes);
    free(c->player.holds);
    free(c->player.never);
}

bool player_is_idle(const struct client *c)
{
    return c->player.calls_count == 0 && c->player.executes_count == 0;
}

void player_forget(struct client *c)
{
    c->player.calls_count = 0;
    c->player.holds_count = 0;
    c->player.closing = false;
    if (!c->player.final_done)
        c->player.final_sent = false;
}

static uint32_t some_path(struct sim *s, uint32_t first, uint32_t count)
{
    return first + (uint32_t)prng_below(&s->work_random, count);
}

static uint32_t any_path(struct sim *s)
{
    uint64_t dice = prng_below(&s->work_random, 10);
    if (dice < 6)
        return some_path(s, PATHS_DATA, s->swarm.data_paths);
    if (dice < 8)
        return some_path(s, PATHS_LOCK, s->swarm.lock_paths);
    return some_path(s, PATHS_EPHEMERAL, PATHS_EPHEMERAL_COUNT);
}

static void act(struct client *c)
{
    struct sim *s = c->sim;
    const struct swarm *w = &s->swarm;
    uint32_t data = some_path(s, PATHS_DATA, w->data_paths);
    uint32_t locked = some_path(s, PATHS_LOCK, w->lock_paths);
    const uint32_t weights[] = {
        w->weight_put,        w->weight_put_if,  w->weight_put_guarded, w->weight_create,
        w->weight_ephemeral,  w->weight_delete,  w->weight_get,         w->weight_list,
        w->weight_check,      w->weight_lock,    w->weight_shared,      w->weight_try,
        w->weight_elect,      w->weight_watch,   w->weight_unwatch,     w->weight_give_up,
        w->weight_close,      w->weight_execute, w->weight_expire,      w->weight_transaction,
        w->weight_sequential, w->weight_force,   w->weight_kill,        w->weight_step_down,
    };
    uint32_t kinds = sizeof(weights) / sizeof(weights[0]), sum = 0, kind = 0;
    for (uint32_t i = 0; i < kinds; i++)
        sum += weights[i];
    for (uint64_t dice = prng_below(&s->work_random, sum); dice >= weights[kind]; kind++)
        dice -= weights[kind];
    switch (kind) {
    case 0:
        player_put(c, OP_PUT, prng_chance(&s->work_random, 1, 6) ? locked : data);
        break;
    case 1:
        player_put(c, OP_PUT_IF, data);
        break;
    case 2:
        player_put(c, OP_PUT_GUARDED, data);
        break;
    case 3:
        player_create(c, OP_CREATE, prng_chance(&s->work_random, 1, 4) ? locked : data);
        break;
    case 4:
        player_create(c, OP_EPHEMERAL, some_path(s, PATHS_EPHEMERAL, PATHS_EPHEMERAL_COUNT));
        break;
    case 5:
        player_delete(c, any_path(s));
        break;
    case 6:
        player_read(c, prng_chance(&s->work_random, 3, 4) ? OP_GET : OP_STAT, any_path(s));
        break;
    case 7:
        player_read(c, prng_chance(&s->work_random, 1, 2) ? OP_LIST : OP_LOCKS, data);
        break;
    case 8:
        if (c->player.sequencer.text[0] != '\0')
            player_read(c, OP_CHECK, locked);
        break;
    case 9:
        player_lock(c, OP_LOCK, locked);
        break;
    case 10:
        player_lock(c, OP_SHARED, locked);
        break;
    case 11:
        player_lock(c, OP_TRY, locked);
        break;
    case 12:
        player_lock(c, OP_ELECT, locked);
        break;
    case 13:
        if (c->watcher.count < 8)
            player_watch(c, any_path(s));
        break;
    case 14:
        player_unwatch(c);
        break;
    case 15:
        player_give_up(c);
        break;
    case 16:
        if (prng_chance(&s->work_random, 1, 4))
            player_close(c);
        break;
    case 17:
        player_execute(c);
        break;
    case 19:
        player_transact(c);
        break;
    case 20:
        player_create_sequential(c);
        break;
    case 21:
        player_force(c, locked);
        break;
    case 22:
        if (prng_chance(&s->work_random, 1, 4))
            player_kill_session(c);
        break;
    case 23:
        if (prng_chance(&s->work_random, 1, 4))
            player_step_down(c);
        break;
    default:
        /* Dies the slow way: the others wait for its lease to run out. */
        if (c->player.holds_count > 0 && prng_chance(&s->work_random, 1, 2)) {
            client_crash(c);
            player_reopen_later(c);
        }
        break;
    }
}

static bool release_one(struct client *c, bool all)
{
    struct player *p = &c->player;
    for (uint32_t i = 0; i < p->holds_count; i++)
        if (all || p->holds[i].until_ns <= c->sim->now_ns) {
            player_release_hold(c, i);
            return true;
        }
    return false;
}

static void finish(struct client *c)
{
    struct player *p = &c->player;
    if (release_one(c, true) || p->final_sent || p->closing)
        return;
    p->final_sent = true;
    player_put(c, OP_PUT, PATHS_FINAL + c->index);
}

static void on_think(void *object, const struct queue_item *item);

static void think_later(struct client *c, uint32_t mean_ms)
{
    sim_after(c->sim, sim_around_ms(&c->sim->work_random, mean_ms), on_think, c, 0, 0, 0, NULL);
}

static void on_think(void *object, const struct queue_item *item)
{
    struct client *c = object;
    struct player *p = &c->player;
    (void)item;
    /* After healing they only make up for the calls that are missing. */
    bool hurries = c->sim->phase == PHASE_HEALED;
    uint32_t think_ms = hurries ? HASTE_MS : c->sim->swarm.think_ms;
    think_later(c, p->finishing ? FINISH_MS : think_ms);
    if (c->session == NULL || c->host->paused || p->closing)
        return;
    if (p->finishing)
        finish(c);
    else if (!release_one(c, hurries) && p->calls_count < c->sim->swarm.outstanding)
        act(c);
}

void player_start(struct client *c)
{
    think_later(c, c->sim->swarm.think_ms);
}

void player_finish(struct client *c)
{
    c->player.finishing = true;
    if (c->session == NULL)
        player_reopen_later(c);
}

/* a: life */
static void on_reopen(void *object, const struct queue_item *item)
{
    struct client *c = object;
    if (c->session != NULL || c->life != item->a)
        return;
    if (c->host->paused)
        player_reopen_later(c);
    else
        client_open(c);
}

void player_reopen_later(struct client *c)
{
    sim_after(c->sim, sim_around_ms(&c->sim->work_random, REOPEN_MS), on_reopen, c, c->life, 0, 0,
              NULL);
}
