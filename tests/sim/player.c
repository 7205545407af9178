/* player.c - see player.h. What is called when; answers are in player_answer.c. */
#include "tests/sim/player.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/sim/paths.h"
#include "tests/sim/player_internal.h"
#include "tests/sim/sim.h"

enum { CONTENT_BYTES_MAX = 4096, FINISH_MS = 50, REOPEN_MS = 100 };

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

static struct call *new_call(struct client *c, enum op op, uint32_t path)
{
    struct player *p = &c->player;
    struct sim *s = c->sim;
    if (p->calls_count == p->calls_capacity) {
        p->calls_capacity = p->calls_capacity == 0 ? 16 : 2 * p->calls_capacity;
        p->calls = check_realloc(p->calls, p->calls_capacity * sizeof(p->calls[0]));
    }
    struct call *call = &p->calls[p->calls_count++];
    memset(call, 0, sizeof(*call));
    call->token = p->next_token++;
    call->op = op;
    call->path = path;
    call->floor = s->acknowledged_revision;
    s->journal.counts[COUNT_CALLS]++;
    return call;
}

static int64_t deadline(struct client *c)
{
    struct sim *s = c->sim;
    if (c->player.finishing)
        return NEVER_NS;
    return host_now_ns(c->host) + sim_around_ms(&s->work_random, s->swarm.deadline_ms);
}

static void trace_call(const struct client *c, const struct call *call)
{
    journal_trace(&c->sim->journal, "c%" PRIu32 " #%" PRIu64 " %s %s%s%s", c->index, call->token,
                  op_text(call->op), path_text(call->path),
                  call->sequencer[0] != '\0' ? " if " : "", call->sequencer);
}

static void name_grant(const struct client *c, struct call *call)
{
    memcpy(call->sequencer, c->player.sequencer.text, sizeof(call->sequencer));
    call->generation = c->player.sequencer.generation;
    call->exclusive = c->player.sequencer.exclusive;
}

/* ---- content ---- */

/* The number first, then as many bytes as the number says. */
static size_t make_content(struct sim *s, uint64_t number, uint8_t *out)
{
    size_t length = 8 + number % 41;
    if (prng_chance(&s->work_random, 1, 50))
        length = CONTENT_BYTES_MAX;
    memset(out, (int)(number & 0x7f), length);
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(number >> (8 * i));
    return length;
}

/* ---- calls ---- */

void player_write(struct client *c, const struct call *call, Coord__V1__Write *w)
{
    trace_call(c, call);
    client_step(c, &(struct client_event){.kind = CLIENT_EVENT_SUBMIT_WRITE,
                                          .token = call->token,
                                          .deadline_ns = deadline(c),
                                          .write = w});
}

static void put(struct client *c, enum op op, uint32_t path)
{
    struct sim *s = c->sim;
    struct call *call = new_call(c, op, path);
    uint8_t content[CONTENT_BYTES_MAX];
    Coord__V1__Write w = COORD__V1__WRITE__INIT;
    Coord__V1__Put m = COORD__V1__PUT__INIT;
    Coord__V1__Condition condition = COORD__V1__CONDITION__INIT;
    call->content = s->next_content++;
    m.path = (char *)path_text(path);
    m.content.data = content;
    m.content.len = make_content(s, call->content, content);
    m.create = m.parents = op == OP_PUT;
    if (op == OP_PUT_IF)
        call->condition = condition.content_generation = c->player.generations[path];
    if (op == OP_PUT_GUARDED) {
        name_grant(c, call);
        condition.sequencer = call->sequencer;
    }
    if (op != OP_PUT)
        m.condition = &condition;
    w.op_case = COORD__V1__WRITE__OP_PUT;
    w.put = &m;
    struct call copy = *call; /* an answer within the step may move the list */
    player_write(c, &copy, &w);
}

static void create(struct client *c, enum op op, uint32_t path)
{
    struct sim *s = c->sim;
    struct call *call = new_call(c, op, path);
    uint8_t content[CONTENT_BYTES_MAX];
    Coord__V1__Write w = COORD__V1__WRITE__INIT;
    Coord__V1__Create m = COORD__V1__CREATE__INIT;
    call->content = s->next_content++;
    m.path = (char *)path_text(path);
    m.content.data = content;
    m.content.len = make_content(s, call->content, content);
    m.ephemeral = op == OP_EPHEMERAL;
    m.parents = prng_chance(&s->work_random, 3, 4);
    w.op_case = COORD__V1__WRITE__OP_CREATE;
    w.create = &m;
    struct call copy = *call;
    player_write(c, &copy, &w);
}

static void delete (struct client *c, uint32_t path)
{
    struct call *call = new_call(c, OP_DELETE, path);
    Coord__V1__Write w = COORD__V1__WRITE__INIT;
    Coord__V1__Delete m = COORD__V1__DELETE__INIT;
    m.path = (char *)path_text(path);
    w.op_case = COORD__V1__WRITE__OP_DELETE;
    w.delete_ = &m;
    struct call copy = *call;
    player_write(c, &copy, &w);
}

static void lock(struct client *c, enum op op, uint32_t path)
{
    struct sim *s = c->sim;
    struct call *call = new_call(c, op, path);
    uint8_t content[CONTENT_BYTES_MAX];
    Coord__V1__Write w = COORD__V1__WRITE__INIT;
    Coord__V1__Acquire m = COORD__V1__ACQUIRE__INIT;
    call->handle = c->player.next_handle++;
    m.path = (char *)path_text(path);
    m.handle = call->handle;
    m.mode =
        op == OP_SHARED ? COORD__V1__LOCK_MODE__LOCK_SHARED : COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE;
    m.wait = op != OP_TRY;
    m.lock_delay_ms = s->swarm.lock_delay_ms;
    if (op == OP_ELECT) {
        call->content = s->next_content++;
        m.on_grant_case = COORD__V1__ACQUIRE__ON_GRANT_CONTENT;
        m.content.data = content;
        m.content.len = make_content(s, call->content, content);
    }
    w.op_case = COORD__V1__WRITE__OP_ACQUIRE;
    w.acquire = &m;
    struct call copy = *call;
    player_write(c, &copy, &w);
}

void player_drop_hold(struct player *p, uint32_t at)
{
    p->holds[at] = p->holds[--p->holds_count];
}

/* From the moment of asking it is no longer believed in. */
static void release(struct client *c, uint32_t at)
{
    struct hold hold = c->player.holds[at];
    player_drop_hold(&c->player, at);
    struct call *call = new_call(c, OP_RELEASE, hold.path);
    Coord__V1__Write w = COORD__V1__WRITE__INIT;
    Coord__V1__Release m = COORD__V1__RELEASE__INIT;
    call->handle = hold.handle;
    m.path = (char *)path_text(hold.path);
    m.handle = hold.handle;
    m.instance = hold.instance;
    m.clear_content = prng_chance(&c->sim->work_random, 1, 4);
    w.op_case = COORD__V1__WRITE__OP_RELEASE;
    w.release = &m;
    struct call copy = *call;
    player_write(c, &copy, &w);
}

static void create_sequential(struct client *c)
{
    struct sim *s = c->sim;
    struct call *call = new_call(c, OP_SEQUENTIAL, 0);
    char directory[] = "/dir/s", root[] = "/q";
    uint8_t content[CONTENT_BYTES_MAX];
    Coord__V1__Write w = COORD__V1__WRITE__INIT;
    Coord__V1__Create m = COORD__V1__CREATE__INIT;
    call->content = s->next_content++;
    m.path = prng_chance(&s->work_random, 1, 2) ? directory : root;
    m.content.data = content;
    m.content.len = make_content(s, call->content, content);
    m.sequential = true;
    m.ephemeral = prng_chance(&s->work_random, 1, 2);
    m.parents = prng_chance(&s->work_random, 3, 4);
    w.op_case = COORD__V1__WRITE__OP_CREATE;
    w.create = &m;
    struct call copy = *call;
    player_write(c, &copy, &w);
}

static void transact(struct client *c)
{
    struct call *call = new_call(c, OP_TRANSACTION, 0);
    struct transaction_parts parts;
    Coord__V1__Write w = COORD__V1__WRITE__INIT;
    player_make_transaction(c, call, &parts);
    w.op_case = COORD__V1__WRITE__OP_TRANSACTION;
    w.transaction = &parts.transaction;
    struct call copy = *call;
    player_write(c, &copy, &w);
}

static void force(struct client *c, uint32_t path)
{
    struct call *call = new_call(c, OP_FORCE, path);
    Coord__V1__Write w = COORD__V1__WRITE__INIT;
    Coord__V1__ForceUnlock m = COORD__V1__FORCE_UNLOCK__INIT;
    m.path = (char *)path_text(path);
    w.op_case = COORD__V1__WRITE__OP_FORCE_UNLOCK;
    w.force_unlock = &m;
    struct call copy = *call;
    player_write(c, &copy, &w);
}

/* Any client's session, its own too. */
static void kill_session(struct client *c)
{
    struct sim *s = c->sim;
    uint64_t session = s->clients[prng_below(&s->work_random, s->swarm.clients)].id;
    if (session == 0)
        return;
    struct call *call = new_call(c, OP_KILL, 0);
    Coord__V1__Write w = COORD__V1__WRITE__INIT;
    Coord__V1__KillSession m = COORD__V1__KILL_SESSION__INIT;
    m.session = session;
    w.op_case = COORD__V1__WRITE__OP_KILL_SESSION;
    w.kill_session = &m;
    struct call copy = *call;
    player_write(c, &copy, &w);
}

static void read(struct client *c, enum op op, uint32_t path)
{
    char directory[] = "/dir", root[] = "/";
    struct call *call = new_call(c, op, path);
    Coord__V1__Read r = COORD__V1__READ__INIT;
    Coord__V1__Get get = COORD__V1__GET__INIT;
    Coord__V1__GetStat stat = COORD__V1__GET_STAT__INIT;
    Coord__V1__List list = COORD__V1__LIST__INIT;
    Coord__V1__CheckSequencer check = COORD__V1__CHECK_SEQUENCER__INIT;
    Coord__V1__ListLocks locks = COORD__V1__LIST_LOCKS__INIT;
    switch (op) {
    case OP_GET:
        get.path = (char *)path_text(path);
        r.op_case = COORD__V1__READ__OP_GET;
        r.get = &get;
        break;
    case OP_STAT:
        stat.path = (char *)path_text(path);
        r.op_case = COORD__V1__READ__OP_STAT;
        r.stat = &stat;
        break;
    case OP_LIST:
        list.path = directory;
        r.op_case = COORD__V1__READ__OP_LIST;
        r.list = &list;
        break;
    case OP_LOCKS:
        locks.path = root;
        r.op_case = COORD__V1__READ__OP_LOCKS;
        r.locks = &locks;
        break;
    default:
        call->path = c->player.sequencer.path;
        name_grant(c, call);
        r.op_case = COORD__V1__READ__OP_CHECK;
        r.check = &check;
        break;
    }
    r.freshness = player_freshness(c->sim, call);
    struct call copy = *call;
    check.sequencer = copy.sequencer;
    trace_call(c, &copy);
    client_step(c, &(struct client_event){.kind = CLIENT_EVENT_SUBMIT_READ,
                                          .token = copy.token,
                                          .deadline_ns = deadline(c),
                                          .read = &r});
}

static void watch(struct client *c, uint32_t path)
{
    struct sim *s = c->sim;
    struct call *call = new_call(c, OP_WATCH, path);
    Coord__V1__Watch m = COORD__V1__WATCH__INIT;
    call->watch = m.id = c->player.next_watch++;
    m.path = (char *)path_text(path);
    m.lock = prng_chance(&s->work_random, 1, 2);
    m.content = !m.lock || prng_chance(&s->work_random, 1, 2);
    m.subtree = prng_chance(&s->work_random, 1, 6);
    m.children = prng_chance(&s->work_random, 1, 6);
    m.value = prng_chance(&s->work_random, 1, 3);
    if (prng_chance(&s->work_random, 1, 3) && s->acknowledged_revision > 0)
        m.known_revision = 1 + prng_below(&s->work_random, s->acknowledged_revision);
    watcher_add(&c->watcher, path, &m);
    struct call copy = *call;
    trace_call(c, &copy);
    client_step(c, &(struct client_event){.kind = CLIENT_EVENT_WATCH,
                                          .token = copy.token,
                                          .deadline_ns = deadline(c),
                                          .watch = &m});
}

static void unwatch(struct client *c)
{
    struct watcher *w = &c->watcher;
    if (w->count == 0)
        return;
    uint64_t id = w->list[prng_below(&c->sim->work_random, w->count)].id;
    watcher_remove(w, id);
    client_step(c, &(struct client_event){.kind = CLIENT_EVENT_UNWATCH, .watch_id = id});
}

static void give_up(struct client *c)
{
    struct player *p = &c->player;
    if (p->calls_count == 0)
        return;
    struct call *call = &p->calls[prng_below(&c->sim->work_random, p->calls_count)];
    if (call->op == OP_CLOSE)
        return;
    call->given_up = true;
    journal_trace(&c->sim->journal, "c%" PRIu32 " #%" PRIu64 " gives up", c->index, call->token);
    client_step(c, &(struct client_event){.kind = CLIENT_EVENT_GIVE_UP, .token = call->token});
}

static void close_session(struct client *c)
{
    struct call *call = new_call(c, OP_CLOSE, 0);
    struct call copy = *call;
    c->player.holds_count = 0;
    c->player.closing = true;
    trace_call(c, &copy);
    client_step(c, &(struct client_event){.kind = CLIENT_EVENT_CLOSE,
                                          .token = copy.token,
                                          .deadline_ns = deadline(c)});
}

/* ---- what next ---- */

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
        put(c, OP_PUT, prng_chance(&s->work_random, 1, 6) ? locked : data);
        break;
    case 1:
        put(c, OP_PUT_IF, data);
        break;
    case 2:
        put(c, OP_PUT_GUARDED, data);
        break;
    case 3:
        create(c, OP_CREATE, prng_chance(&s->work_random, 1, 4) ? locked : data);
        break;
    case 4:
        create(c, OP_EPHEMERAL, some_path(s, PATHS_EPHEMERAL, PATHS_EPHEMERAL_COUNT));
        break;
    case 5:
        delete (c, any_path(s));
        break;
    case 6:
        read(c, prng_chance(&s->work_random, 3, 4) ? OP_GET : OP_STAT, any_path(s));
        break;
    case 7:
        read(c, prng_chance(&s->work_random, 1, 2) ? OP_LIST : OP_LOCKS, data);
        break;
    case 8:
        if (c->player.sequencer.text[0] != '\0')
            read(c, OP_CHECK, locked);
        break;
    case 9:
        lock(c, OP_LOCK, locked);
        break;
    case 10:
        lock(c, OP_SHARED, locked);
        break;
    case 11:
        lock(c, OP_TRY, locked);
        break;
    case 12:
        lock(c, OP_ELECT, locked);
        break;
    case 13:
        if (c->watcher.count < 8)
            watch(c, any_path(s));
        break;
    case 14:
        unwatch(c);
        break;
    case 15:
        give_up(c);
        break;
    case 16:
        if (prng_chance(&s->work_random, 1, 4))
            close_session(c);
        break;
    case 17:
        player_execute(c);
        break;
    case 19:
        transact(c);
        break;
    case 20:
        create_sequential(c);
        break;
    case 21:
        force(c, locked);
        break;
    case 22:
        if (prng_chance(&s->work_random, 1, 4))
            kill_session(c);
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
            release(c, i);
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
    put(c, OP_PUT, PATHS_FINAL + c->index);
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
    think_later(c, p->finishing ? FINISH_MS : c->sim->swarm.think_ms);
    if (c->session == NULL || c->host->paused || p->closing)
        return;
    if (p->finishing)
        finish(c);
    else if (!release_one(c, false) && p->calls_count < c->sim->swarm.outstanding)
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
