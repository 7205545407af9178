/* script.c - see script.h. */
#include "tests/state/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"

void script_init(struct script *s, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    prng_init(&s->prng, seed);
    arena_init(&s->arena, SIZE_MAX);
    s->time_ms = 1000;
}

void script_release(struct script *s)
{
    for (size_t i = 0; i < SCRIPT_SEQUENCERS; i++)
        free(s->sequencers[i]);
    arena_release(&s->arena);
}

static uint64_t below(struct script *s, uint64_t bound)
{
    return prng_below(&s->prng, bound);
}

static bool chance(struct script *s, uint64_t percent)
{
    return prng_chance(&s->prng, percent, 100);
}

static void *take(struct script *s, size_t size)
{
    return arena_take(&s->arena, size);
}

static char *random_path(struct script *s)
{
    static const char *const names[] = {"a", "b", "a-", "\xc3\xa4"};
    static const char *const bad[] = {"", "a", "/a/", "/..", "/a\x01", "/\xff"};
    if (chance(s, 2))
        return (char *)bad[below(s, sizeof bad / sizeof bad[0])];
    if (chance(s, 3))
        return (char *)"/";
    char *path = take(s, 32);
    size_t at = 0;
    for (uint64_t levels = 1 + below(s, 3); levels > 0; levels--)
        at += (size_t)snprintf(path + at, 32 - at, "/%s", names[below(s, 4)]);
    return path;
}

static ProtobufCBinaryData random_content(struct script *s)
{
    size_t length = chance(s, 20) ? 0 : (size_t)below(s, 40);
    if (prng_chance(&s->prng, 1, 2000))
        length = LIMIT_CONTENT_BYTES + (size_t)below(s, 2);
    uint8_t *bytes = take(s, length);
    prng_fill(&s->prng, bytes, length);
    return (ProtobufCBinaryData){.data = bytes, .len = length};
}

static char *random_sequencer(struct script *s)
{
    char *known = s->sequencers[below(s, SCRIPT_SEQUENCERS)];
    if (known == NULL || !chance(s, 15))
        return (char *)"";
    char *copy = take(s, strlen(known) + 1); /* may be replaced before it is packed */
    memcpy(copy, known, strlen(known) + 1);
    return copy;
}

/* The right number, a wrong one, or none. */
static uint64_t about(struct script *s, uint64_t right)
{
    if (!chance(s, 30))
        return 0;
    return chance(s, 70) ? right : 1 + below(s, 50);
}

static Coord__V1__Condition *random_condition(struct script *s, const struct state *state,
                                              const char *path)
{
    if (chance(s, 40))
        return NULL;
    Coord__V1__Condition *condition = take(s, sizeof *condition);
    coord__v1__condition__init(condition);
    struct buffer packed = BUFFER_INIT;
    if (state_stat(state, slice_of_string(path), &packed)) {
        Coord__V1__Stat *stat = coord__v1__stat__unpack(NULL, packed.length, packed.data);
        condition->content_generation = about(s, stat->content_generation);
        condition->instance = about(s, stat->instance);
        coord__v1__stat__free_unpacked(stat, NULL);
    } else {
        condition->instance = about(s, 0);
    }
    condition->sequencer = random_sequencer(s);
    buffer_release(&packed);
    return condition;
}

static Coord__V1__Create *random_create(struct script *s)
{
    Coord__V1__Create *op = take(s, sizeof *op);
    coord__v1__create__init(op);
    op->path = random_path(s);
    op->content = random_content(s);
    op->ephemeral = chance(s, 30);
    op->parents = chance(s, 50);
    op->sequencer = random_sequencer(s);
    op->sequential = chance(s, 5);
    return op;
}

static Coord__V1__Put *random_put(struct script *s, const struct state *state)
{
    Coord__V1__Put *op = take(s, sizeof *op);
    coord__v1__put__init(op);
    op->path = random_path(s);
    op->content = random_content(s);
    op->create = chance(s, 30);
    op->parents = chance(s, 50);
    op->condition = random_condition(s, state, op->path);
    return op;
}

static Coord__V1__Delete *random_delete(struct script *s, const struct state *state)
{
    Coord__V1__Delete *op = take(s, sizeof *op);
    coord__v1__delete__init(op);
    op->path = random_path(s);
    op->condition = random_condition(s, state, op->path);
    op->handle = below(s, 4);
    return op;
}

static void put_create(struct script *s, Coord__V1__Command *c)
{
    c->op_case = COORD__V1__COMMAND__OP_CREATE;
    c->create = random_create(s);
}

static void put_put(struct script *s, const struct state *state, Coord__V1__Command *c)
{
    c->op_case = COORD__V1__COMMAND__OP_PUT;
    c->put = random_put(s, state);
}

static void put_delete(struct script *s, const struct state *state, Coord__V1__Command *c)
{
    c->op_case = COORD__V1__COMMAND__OP_DELETE;
    c->delete_ = random_delete(s, state);
}

/* Mostly what is true, so that there is something to do behind it. */
static Coord__V1__Check *random_check(struct script *s, const struct state *state)
{
    Coord__V1__Check *check = take(s, sizeof *check);
    struct buffer packed = BUFFER_INIT;
    coord__v1__check__init(check);
    check->path = random_path(s);
    check->sequencer = random_sequencer(s);
    if (state_stat(state, slice_of_string(check->path), &packed) == chance(s, 80)) {
        check->exists = chance(s, 90);
        check->content_generation = chance(s, 5) ? 1 + below(s, 50) : 0;
        check->instance = chance(s, 5) ? 1 + below(s, 50) : 0;
    } else {
        check->absent = true;
    }
    buffer_release(&packed);
    return check;
}

static Coord__V1__Change *random_change(struct script *s, const struct state *state)
{
    Coord__V1__Change *change = take(s, sizeof *change);
    coord__v1__change__init(change);
    uint64_t dice = below(s, 100);
    if (dice < 50) {
        change->op_case = COORD__V1__CHANGE__OP_CREATE;
        change->create = random_create(s);
    } else if (dice < 75) {
        change->op_case = COORD__V1__CHANGE__OP_PUT;
        change->put = random_put(s, state);
    } else if (dice < 99) {
        change->op_case = COORD__V1__CHANGE__OP_DELETE;
        change->delete_ = random_delete(s, state);
    }
    return change;
}

Coord__V1__Transaction *script_transaction(struct script *s, const struct state *state)
{
    Coord__V1__Transaction *t = take(s, sizeof *t);
    coord__v1__transaction__init(t);
    t->n_checks = (size_t)below(s, 3);
    t->n_changes = (size_t)below(s, 6);
    t->checks = take(s, t->n_checks * sizeof(Coord__V1__Check *));
    t->changes = take(s, t->n_changes * sizeof(Coord__V1__Change *));
    for (size_t i = 0; i < t->n_checks; i++)
        t->checks[i] = random_check(s, state);
    for (size_t i = 0; i < t->n_changes; i++)
        t->changes[i] = random_change(s, state);
    return t;
}

static void put_transaction(struct script *s, const struct state *state, Coord__V1__Command *c)
{
    c->op_case = COORD__V1__COMMAND__OP_TRANSACTION;
    c->transaction = script_transaction(s, state);
}

static void put_acquire(struct script *s, Coord__V1__Command *c)
{
    Coord__V1__Acquire *op = take(s, sizeof *op);
    coord__v1__acquire__init(op);
    op->path = random_path(s);
    op->handle = below(s, 40) == 0 ? 0 : 1 + below(s, 4);
    op->mode =
        chance(s, 98) ? 1 + (Coord__V1__LockMode)below(s, 2) : (Coord__V1__LockMode)below(s, 4);
    op->wait = chance(s, 80);
    op->lock_delay_ms = chance(s, 30) ? (uint32_t)below(s, 100) : 0;
    if (chance(s, op->mode == COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE ? 40 : 5)) {
        op->on_grant_case = COORD__V1__ACQUIRE__ON_GRANT_CONTENT;
        op->content = random_content(s);
    }
    c->op_case = COORD__V1__COMMAND__OP_ACQUIRE;
    c->acquire = op;
}

static void put_release(struct script *s, Coord__V1__Command *c)
{
    Coord__V1__Release *op = take(s, sizeof *op);
    coord__v1__release__init(op);
    op->path = random_path(s);
    op->handle = 1 + below(s, 4);
    op->clear_content = chance(s, 30);
    c->op_case = COORD__V1__COMMAND__OP_RELEASE;
    c->release = op;
}

static void put_cancel(struct script *s, Coord__V1__Command *c)
{
    Coord__V1__Cancel *op = take(s, sizeof *op);
    coord__v1__cancel__init(op);
    op->acquire_seq = c->seq <= 1 ? 0 : c->seq - 1 - below(s, c->seq < 20 ? c->seq : 20);
    c->op_case = COORD__V1__COMMAND__OP_CANCEL;
    c->cancel = op;
}

static void put_open(struct script *s, Coord__V1__Command *c)
{
    Coord__V1__OpenSession *op = take(s, sizeof *op);
    coord__v1__open_session__init(op);
    uint8_t *bytes = take(s, 32);
    memset(bytes, 0, 32);
    bytes[0] = (uint8_t)below(s, 2 * SCRIPT_SESSIONS);
    prng_fill(&s->prng, bytes + 16, 16);
    op->nonce = (ProtobufCBinaryData){.data = bytes, .len = 16};
    op->secret = (ProtobufCBinaryData){.data = bytes + 16, .len = 16};
    op->ttl_ms = chance(s, 95) ? 2000 : 10;
    op->host = (char *)"h\xc3\xb6st";
    op->pid = (uint32_t)below(s, 1000);
    c->session = 0;
    c->op_case = COORD__V1__COMMAND__OP_OPEN_SESSION;
    c->open_session = op;
}

static void put_expire(struct script *s, Coord__V1__Command *c)
{
    Coord__V1__ExpireSession *op = take(s, sizeof *op);
    coord__v1__expire_session__init(op);
    op->session = 1 + below(s, s->newest + 1);
    op->ballot = below(s, 400);
    c->session = 0;
    c->op_case = COORD__V1__COMMAND__OP_EXPIRE_SESSION;
    c->expire_session = op;
}

static void put_end_delay(struct script *s, const struct state *state, Coord__V1__Command *c)
{
    Coord__V1__EndLockDelay *op = take(s, sizeof *op);
    struct state_delay delay;
    coord__v1__end_lock_delay__init(op);
    op->path = random_path(s);
    op->instance = 1;
    op->ballot = below(s, 400);
    if (state_delay_next(state, slice_of(NULL, 0), &delay)) {
        op->path = take(s, delay.path.length + 1);
        memcpy(op->path, delay.path.data, delay.path.length);
        op->path[delay.path.length] = '\0';
        op->instance = delay.instance;
        op->generation = delay.generation + chance(s, 10);
    }
    c->session = 0;
    c->op_case = COORD__V1__COMMAND__OP_END_LOCK_DELAY;
    c->end_lock_delay = op;
}

static void put_force(struct script *s, Coord__V1__Command *c)
{
    Coord__V1__ForceUnlock *op = take(s, sizeof *op);
    coord__v1__force_unlock__init(op);
    op->path = random_path(s);
    op->instance = chance(s, 10) ? 1 + below(s, 50) : 0;
    c->op_case = COORD__V1__COMMAND__OP_FORCE_UNLOCK;
    c->force_unlock = op;
}

static void put_kill(struct script *s, Coord__V1__Command *c)
{
    Coord__V1__KillSession *op = take(s, sizeof *op);
    coord__v1__kill_session__init(op);
    op->session = 1 + below(s, s->newest + 1);
    c->op_case = COORD__V1__COMMAND__OP_KILL_SESSION;
    c->kill_session = op;
}

/* Of everything, in order, but for now and then. */
static void put_hand_over(struct script *s, const struct state *state, Coord__V1__Command *c)
{
    enum { SESSIONS_MAX = 8, DELAYS_MAX = 4 };
    Coord__V1__HandOver *op = take(s, sizeof *op);
    struct state_session session = {.session = 0};
    struct state_delay delay;
    coord__v1__hand_over__init(op);
    op->leases = take(s, SESSIONS_MAX * sizeof(Coord__V1__LeaseLeft *));
    op->delays = take(s, DELAYS_MAX * sizeof(Coord__V1__DelayLeft *));
    op->ballot = below(s, 400);
    while (op->n_leases < SESSIONS_MAX && state_session_next(state, session.session, &session)) {
        Coord__V1__LeaseLeft *left = take(s, sizeof *left);
        coord__v1__lease_left__init(left);
        left->session = chance(s, 2) ? 1 : session.session;
        left->left_ms = (uint32_t)below(s, 2000);
        op->leases[op->n_leases++] = left;
    }
    if (state_delay_next(state, slice_of(NULL, 0), &delay)) {
        Coord__V1__DelayLeft *left = take(s, sizeof *left);
        coord__v1__delay_left__init(left);
        left->path = take(s, delay.path.length + 1);
        memcpy(left->path, delay.path.data, delay.path.length);
        left->path[delay.path.length] = '\0';
        left->instance = delay.instance;
        left->generation = delay.generation;
        left->left_ms = (uint32_t)below(s, 100);
        op->delays[op->n_delays++] = left;
    }
    c->session = 0;
    c->op_case = COORD__V1__COMMAND__OP_HAND_OVER;
    c->hand_over = op;
}

static void put_end(struct script *s, Coord__V1__Command *c)
{
    Coord__V1__EndSession *op = take(s, sizeof *op);
    coord__v1__end_session__init(op);
    c->op_case = COORD__V1__COMMAND__OP_END_SESSION;
    c->end_session = op;
}

/* Whose it is and which number it has: mostly the next one, sometimes one that
 * was used before, sometimes one too far. */
static void sign(struct script *s, Coord__V1__Command *c)
{
    if (s->newest == 0 || chance(s, 5))
        return;
    uint64_t oldest = s->newest > SCRIPT_SESSIONS ? s->newest - SCRIPT_SESSIONS : 1;
    c->session = prng_between(&s->prng, oldest, s->newest);
    uint64_t *last = &s->seq[c->session % LAB_SESSIONS_MAX];
    if (*last > 0 && chance(s, 8))
        c->seq = *last - below(s, *last < 6 ? *last : 6);
    else
        c->seq = *last += chance(s, 5) ? 2 : 1;
    c->lowest = c->seq > 10 && chance(s, 80) ? c->seq - below(s, 10) : 0;
    if (prng_chance(&s->prng, 1, 500))
        c->lowest = c->seq + 1;
}

static Coord__V1__Command *random_command(struct script *s, const struct state *state)
{
    Coord__V1__Command *c = take(s, sizeof *c);
    coord__v1__command__init(c);
    c->principal = (char *)"tester";
    sign(s, c);
    uint64_t dice = below(s, 1000);
    if (dice < 150)
        put_create(s, c);
    else if (dice < 300)
        put_put(s, state, c);
    else if (dice < 370)
        put_delete(s, state, c);
    else if (dice < 500)
        put_transaction(s, state, c);
    else if (dice < 700)
        put_acquire(s, c);
    else if (dice < 850)
        put_release(s, c);
    else if (dice < 890)
        put_cancel(s, c);
    else if (dice < 910)
        put_force(s, c);
    else if (dice < 930)
        put_end_delay(s, state, c);
    else if (dice < 960)
        put_open(s, c);
    else if (dice < 965)
        put_kill(s, c);
    else if (dice < 970)
        put_hand_over(s, state, c);
    else if (dice < 985)
        put_expire(s, c);
    else if (dice < 995)
        put_end(s, c);
    return c;
}

struct buffer script_next(struct script *s, const struct state *state)
{
    Coord__V1__Command *commands[SCRIPT_BATCH_MAX];
    arena_reset(&s->arena);
    size_t count = 1 + (size_t)below(s, SCRIPT_BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        commands[i] = random_command(s, state);
        s->hands_over = commands[i]->op_case == COORD__V1__COMMAND__OP_HAND_OVER;
    }
    s->time_ms += below(s, 5);
    if (chance(s, 2))
        s->time_ms -= 100; /* the clock was set back */
    return lab_batch(s->time_ms, commands, count);
}

static void learn_grant(struct script *s, const Coord__V1__Sequencer *granted)
{
    char cell[2 * STATE_CELL_ID_BYTES + 1];
    hex_encode(granted->cell.data, granted->cell.len, cell);
    char **place = &s->sequencers[below(s, SCRIPT_SEQUENCERS)];
    size_t size = strlen(granted->path) + 128;
    free(*place);
    *place = check_malloc(size);
    snprintf(*place, size, "%s:%llu:%s:%llu:%s", cell, (unsigned long long)granted->instance,
             granted->mode == COORD__V1__LOCK_MODE__LOCK_SHARED ? "s" : "x",
             (unsigned long long)granted->generation, granted->path);
}

void script_learn(struct script *s, const struct state_output *out)
{
    for (uint32_t i = 0; i < out->answers_count; i++) {
        struct slice e = out->answers[i].encoded;
        Coord__V1__Answer *answer = coord__v1__answer__unpack(NULL, e.length, e.data);
        CHECK(answer != NULL && (int)answer->status < (int)SCRIPT_STATUSES);
        s->seen[answer->status]++;
        if (answer->body_case == COORD__V1__ANSWER__BODY_GRANTED)
            learn_grant(s, answer->granted);
        coord__v1__answer__free_unpacked(answer, NULL);
    }
    for (uint32_t i = 0; i < out->sessions_count; i++) {
        if (out->sessions[i].change != STATE_SESSION_OPENED)
            continue;
        s->newest = out->sessions[i].session;
        s->seq[s->newest % LAB_SESSIONS_MAX] = 0;
    }
}
