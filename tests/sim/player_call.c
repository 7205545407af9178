/* player_call.c - one call of each kind, as an application makes it through its
 * session. */
#include <inttypes.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/sim/paths.h"
#include "tests/sim/player_internal.h"
#include "tests/sim/recorder.h"
#include "tests/sim/sim.h"

enum { CONTENT_BYTES_MAX = 4096 };

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

static struct call *last_call(struct client *c)
{
    return &c->player.calls[c->player.calls_count - 1];
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

static void submit(struct client *c, const struct call *call, Coord__V1__Write *w)
{
    trace_call(c, call);
    record_write(c, last_call(c), w);
    client_step(c, &(struct client_event){.kind = CLIENT_EVENT_SUBMIT_WRITE,
                                          .token = call->token,
                                          .deadline_ns = deadline(c),
                                          .write = w});
}

void player_put(struct client *c, enum op op, uint32_t path)
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
    submit(c, &copy, &w);
}

void player_create(struct client *c, enum op op, uint32_t path)
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
    submit(c, &copy, &w);
}

void player_delete(struct client *c, uint32_t path)
{
    struct call *call = new_call(c, OP_DELETE, path);
    Coord__V1__Write w = COORD__V1__WRITE__INIT;
    Coord__V1__Delete m = COORD__V1__DELETE__INIT;
    if (player_give_lock(c, call)) {
        call->path = path = call->given.path;
        m.handle = call->given.handle;
    }
    m.path = (char *)path_text(path);
    w.op_case = COORD__V1__WRITE__OP_DELETE;
    w.delete_ = &m;
    struct call copy = *call;
    submit(c, &copy, &w);
}

void player_lock(struct client *c, enum op op, uint32_t path)
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
    submit(c, &copy, &w);
}

void player_drop_hold(struct player *p, uint32_t at)
{
    p->holds[at] = p->holds[--p->holds_count];
}

void player_add_hold(struct player *p, const struct hold *hold)
{
    if (p->holds_count == p->holds_capacity) {
        p->holds_capacity = p->holds_capacity == 0 ? 8 : 2 * p->holds_capacity;
        p->holds = check_realloc(p->holds, p->holds_capacity * sizeof(p->holds[0]));
    }
    p->holds[p->holds_count++] = *hold;
}

bool player_give_lock(struct client *c, struct call *call)
{
    struct player *p = &c->player;
    if (p->holds_count == 0 || call->gives_up_lock || prng_chance(&c->sim->work_random, 1, 2))
        return false;
    uint32_t at = (uint32_t)prng_below(&c->sim->work_random, p->holds_count);
    call->gives_up_lock = true;
    call->given = p->holds[at];
    player_drop_hold(p, at);
    return true;
}

/* From the moment of asking it is no longer believed in. */
void player_release_hold(struct client *c, uint32_t at)
{
    struct hold hold = c->player.holds[at];
    player_drop_hold(&c->player, at);
    struct call *call = new_call(c, OP_RELEASE, hold.path);
    Coord__V1__Write w = COORD__V1__WRITE__INIT;
    Coord__V1__Release m = COORD__V1__RELEASE__INIT;
    call->handle = hold.handle;
    call->generation = hold.generation;
    m.path = (char *)path_text(hold.path);
    m.handle = hold.handle;
    m.instance = hold.instance;
    m.clear_content = prng_chance(&c->sim->work_random, 1, 4);
    w.op_case = COORD__V1__WRITE__OP_RELEASE;
    w.release = &m;
    struct call copy = *call;
    submit(c, &copy, &w);
}

void player_create_sequential(struct client *c)
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
    submit(c, &copy, &w);
}

void player_transact(struct client *c)
{
    struct call *call = new_call(c, OP_TRANSACTION, 0);
    struct transaction_parts parts;
    Coord__V1__Write w = COORD__V1__WRITE__INIT;
    player_make_transaction(c, call, true, &parts);
    w.op_case = COORD__V1__WRITE__OP_TRANSACTION;
    w.transaction = &parts.transaction;
    struct call copy = *call;
    submit(c, &copy, &w);
}

void player_force(struct client *c, uint32_t path)
{
    struct call *call = new_call(c, OP_FORCE, path);
    Coord__V1__Write w = COORD__V1__WRITE__INIT;
    Coord__V1__ForceUnlock m = COORD__V1__FORCE_UNLOCK__INIT;
    m.path = (char *)path_text(path);
    w.op_case = COORD__V1__WRITE__OP_FORCE_UNLOCK;
    w.force_unlock = &m;
    struct call copy = *call;
    submit(c, &copy, &w);
}

/* Any client's session, its own too. */
void player_kill_session(struct client *c)
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
    submit(c, &copy, &w);
}

void player_read(struct client *c, enum op op, uint32_t path)
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
    record_read(c, last_call(c), &r);
    client_step(c, &(struct client_event){.kind = CLIENT_EVENT_SUBMIT_READ,
                                          .token = copy.token,
                                          .deadline_ns = deadline(c),
                                          .read = &r});
}

void player_watch(struct client *c, uint32_t path)
{
    struct sim *s = c->sim;
    struct call *call = new_call(c, OP_WATCH, path);
    call->stale = s->swarm.wild_clocks != 0 && s->swarm.distrusts_clocks == 0;
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
    record_watch(c, last_call(c), &m);
    client_step(c, &(struct client_event){.kind = CLIENT_EVENT_WATCH,
                                          .token = copy.token,
                                          .deadline_ns = deadline(c),
                                          .watch = &m});
}

void player_unwatch(struct client *c)
{
    struct watcher *w = &c->watcher;
    if (w->count == 0)
        return;
    uint64_t id = w->list[prng_below(&c->sim->work_random, w->count)].id;
    watcher_remove(w, id);
    client_step(c, &(struct client_event){.kind = CLIENT_EVENT_UNWATCH, .watch_id = id});
}

void player_give_up(struct client *c)
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

void player_close(struct client *c)
{
    struct call *call = new_call(c, OP_CLOSE, 0);
    struct call copy = *call;
    c->player.holds_count = 0;
    c->player.closing = true;
    trace_call(c, &copy);
    record_close(c, last_call(c));
    client_step(c, &(struct client_event){.kind = CLIENT_EVENT_CLOSE,
                                          .token = copy.token,
                                          .deadline_ns = deadline(c)});
}
