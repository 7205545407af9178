/* player_answer.c - a call is answered: compare with what must be true.
 *
 * Linearizable, judged by revisions: the state machine gives each change one, so
 * an answer that shows revision r stands at r. It must not be older than what
 * anybody was shown before the call was made, nor newer than what is chosen; and
 * what it shows must be what the model had at r. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <stdlib.h>

#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"
#include "tests/sim/check_belief.h"
#include "tests/sim/check_read.h"
#include "tests/sim/paths.h"
#include "tests/sim/player.h"
#include "tests/sim/player_internal.h"
#include "tests/sim/recorder.h"
#include "tests/sim/sim.h"

void player_never(struct player *p, uint64_t content)
{
    if (content == 0)
        return;
    if (p->never_count == p->never_capacity) {
        p->never_capacity = p->never_capacity == 0 ? 32 : 2 * p->never_capacity;
        p->never = check_realloc(p->never, p->never_capacity * sizeof(p->never[0]));
    }
    p->never[p->never_count++] = content;
}

void player_never_of(struct player *p, const struct call *call)
{
    player_never(p, call->content);
    for (uint32_t i = 0; i < call->changes; i++)
        player_never(p, call->contents[i]);
}

static bool is_revoked(const struct player *p, uint64_t handle)
{
    for (uint32_t i = 0; i < PLAYER_REVOKED_MAX; i++)
        if (p->revoked[i] == handle)
            return true;
    return false;
}

void player_revoked(struct client *c, uint64_t handle)
{
    struct player *p = &c->player;
    journal_trace(&c->sim->journal, "c%" PRIu32 " loses the lock of handle %" PRIu64, c->index,
                  handle);
    p->revoked[p->revoked_count++ % PLAYER_REVOKED_MAX] = handle;
    for (uint32_t i = p->holds_count; i-- > 0;)
        if (p->holds[i].handle == handle) {
            record_loss(c, &p->holds[i]);
            player_drop_hold(p, i);
        }
}

static void believe(struct client *c, const struct call *call, const Coord__V1__Answer *a)
{
    struct sim *s = c->sim;
    struct player *p = &c->player;
    if (a == NULL || a->body_case != COORD__V1__ANSWER__BODY_GRANTED) {
        journal_fail(&s->journal, VERDICT_SAFETY,
                     "client %" PRIu32 " was granted %s without a sequencer", c->index,
                     path_text(call->path));
        return;
    }
    const Coord__V1__Sequencer *g = a->granted;
    bool exclusive = g->mode == COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE;
    char cell[2 * REPLICA_CELL_ID_BYTES + 1] = "";
    if (g->cell.len == REPLICA_CELL_ID_BYTES)
        hex_encode(g->cell.data, g->cell.len, cell);
    snprintf(p->sequencer.text, sizeof(p->sequencer.text), "%s:%" PRIu64 ":%c:%" PRIu64 ":%s", cell,
             g->instance, exclusive ? 'x' : 's', g->generation, g->path);
    p->sequencer.path = call->path;
    p->sequencer.generation = g->generation;
    p->sequencer.exclusive = exclusive;
    check_granted(s, c, call, g);
    if (p->closing || is_revoked(p, call->handle))
        return;
    player_add_hold(p, &(struct hold){.path = call->path,
                                      .handle = call->handle,
                                      .instance = g->instance,
                                      .generation = g->generation,
                                      .exclusive = exclusive,
                                      .until_ns = s->now_ns + sim_around_ms(&s->work_random,
                                                                            s->swarm.hold_ms)});
    check_belief(s, c);
}

/* Certainly not, whatever else happened. An acquire that timed out may have been
 * granted, and given back, meanwhile. */
static bool certainly_not(const struct call *call, const struct client_effect *e)
{
    if (call->op == OP_ELECT)
        return false;
    if (e->status == ERR_EXPIRED)
        return !e->maybe_applied && e->answer == NULL;
    return e->status != ERR_OK && e->status != ERR_MAYBE_APPLIED && e->status != ERR_INTERNAL;
}

static void judge(struct client *c, const struct call *call, enum err status,
                  const Coord__V1__Answer *a)
{
    struct sim *s = c->sim;
    bool lock =
        call->op == OP_LOCK || call->op == OP_SHARED || call->op == OP_TRY || call->op == OP_ELECT;
    if (lock && status == ERR_OK)
        believe(c, call, a);
    if (a == NULL || a->revision == 0)
        return;
    check_answer(s, c->index, call, status, a);
    if (call->op == OP_WATCH)
        watcher_answer(c, call->watch, a);
    if (a->body_case == COORD__V1__ANSWER__BODY_CONTENT && a->content->stat != NULL)
        c->player.generations[call->path] = a->content->stat->content_generation;
    if (a->body_case == COORD__V1__ANSWER__BODY_STAT)
        c->player.generations[call->path] = a->stat->content_generation;
}

static void tally(struct sim *s, const struct call *call, enum err status)
{
    bool is_read = call->op >= OP_GET && call->op <= OP_LOCKS;
    if (status == ERR_MAYBE_APPLIED)
        s->journal.counts[COUNT_CALLS_OF_UNKNOWN_OUTCOME]++;
    else if (status == ERR_STALE_SEQUENCER)
        s->journal.counts[COUNT_STALE_SEQUENCERS_REFUSED]++;
    if (status != ERR_OK)
        return;
    s->journal.counts[is_read ? COUNT_READS_ANSWERED : COUNT_WRITES_ACKNOWLEDGED]++;
}

/* A node that its holder deletes takes the lock with it. If it does not, or nobody
 * knows, the lock is given back the usual way. */
static void not_deleted(struct client *c, const struct call *call)
{
    struct player *p = &c->player;
    struct hold hold = call->given;
    if (p->closing || is_revoked(p, hold.handle))
        return;
    hold.doubted = true;
    hold.until_ns = c->sim->now_ns;
    player_add_hold(p, &hold);
}

void player_answered(struct client *c, const struct client_effect *e)
{
    struct sim *s = c->sim;
    struct player *p = &c->player;
    uint32_t at = 0;
    while (at < p->calls_count && p->calls[at].token != e->token)
        at++;
    if (at == p->calls_count) {
        journal_fail(&s->journal, VERDICT_SAFETY,
                     "client %" PRIu32 " is answered a call it did not wait for (%" PRIu64 ")",
                     c->index, e->token);
        return;
    }
    struct call call = p->calls[at];
    p->calls[at] = p->calls[--p->calls_count];
    if (c->state == CLIENT_SESSION_JEOPARDY && e->status == ERR_OK)
        journal_fail(&s->journal, VERDICT_SAFETY,
                     "client %" PRIu32 " is told in jeopardy that call #%" PRIu64 " is done",
                     c->index, call.token);
    uint64_t revision = e->answer != NULL ? e->answer->revision : 0;
    journal_mix(&s->journal, 128 + (uint64_t)e->status, revision);
    journal_trace(&s->journal, "c%" PRIu32 " #%" PRIu64 " %s %s: %s, revision %" PRIu64, c->index,
                  call.token, op_text(call.op), path_text(call.path), err_name(e->status),
                  revision);
    tally(s, &call, e->status);
    record_answer(c, &call, e->status, e->status == ERR_EXPIRED && certainly_not(&call, e),
                  e->answer);
    if (certainly_not(&call, e))
        player_never_of(p, &call);
    if (revision > 0 && !call.stale)
        watcher_shown(c, revision); /* what is stale promises no order */
    judge(c, &call, e->status, e->answer);
    if (call.op == OP_WATCH && e->status != ERR_OK)
        watcher_remove(&c->watcher, call.watch);
    if (call.gives_up_lock && e->status != ERR_OK)
        not_deleted(c, &call);
    else if (call.gives_up_lock)
        s->journal.counts[COUNT_LOCKED_NODES_DELETED]++;
    if (call.path == PATHS_FINAL + c->index && call.op == OP_PUT && e->status == ERR_OK)
        p->final_done = true;
    else if (call.path == PATHS_FINAL + c->index && call.op == OP_PUT)
        p->final_sent = false;
}

void player_session_over(struct client *c)
{
    struct sim *s = c->sim;
    if (c->player.calls_count > 0)
        journal_fail(&s->journal, VERDICT_SAFETY,
                     "the session of client %" PRIu32 " is over, and call #%" PRIu64
                     " was not answered",
                     c->index, c->player.calls[0].token);
}
