/* player_transaction.c - transactions of a few checks and changes, made at random. */
#include "tests/sim/paths.h"
#include "tests/sim/player_internal.h"
#include "tests/sim/sim.h"

static uint32_t some_path(struct sim *s)
{
    uint64_t dice = prng_below(&s->work_random, 8);
    if (dice == 0)
        return PATHS_LOCK + (uint32_t)prng_below(&s->work_random, s->swarm.lock_paths);
    return PATHS_DATA + (uint32_t)prng_below(&s->work_random, s->swarm.data_paths);
}

static void make_check(struct client *c, Coord__V1__Check *check)
{
    struct sim *s = c->sim;
    uint32_t path = some_path(s);
    coord__v1__check__init(check);
    check->path = (char *)path_text(path);
    switch (prng_below(&s->work_random, 6)) {
    case 0:
        check->absent = true;
        break;
    case 1:
        check->content_generation = c->player.generations[path];
        break;
    case 2:
        check->sequencer = c->player.sequencer.text;
        break;
    default:
        check->exists = true;
        break;
    }
    if (!check->absent && check->content_generation == 0 && check->sequencer[0] == '\0')
        check->exists = true; /* something is asked for */
}

static void put_number(uint8_t bytes[8], uint64_t number, ProtobufCBinaryData *ret)
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(number >> (8 * i));
    *ret = (ProtobufCBinaryData){8, bytes};
}

/* Returns the number of the content that it writes, or 0. */
static uint64_t make_change(struct client *c, struct call *call, bool in_session,
                            struct transaction_parts *t, uint32_t at)
{
    struct sim *s = c->sim;
    Coord__V1__Change *change = &t->changes[at];
    uint32_t path = some_path(s);
    coord__v1__change__init(change);
    coord__v1__put__init(&t->puts[at]);
    coord__v1__create__init(&t->creates[at]);
    coord__v1__delete__init(&t->deletes[at]);
    coord__v1__condition__init(&t->conditions[at]);
    uint64_t dice = prng_below(&s->work_random, 10);
    if (dice == 0) {
        change->op_case = COORD__V1__CHANGE__OP_DELETE;
        change->delete_ = &t->deletes[at];
        if (in_session && player_give_lock(c, call)) {
            path = call->given.path;
            t->deletes[at].handle = call->given.handle;
        }
        t->deletes[at].path = (char *)path_text(path);
        return 0;
    }
    uint64_t number = s->next_content++;
    if (dice < 3) {
        change->op_case = COORD__V1__CHANGE__OP_CREATE;
        change->create = &t->creates[at];
        t->creates[at].path = (char *)path_text(path);
        t->creates[at].parents = true;
        put_number(t->contents[at], number, &t->creates[at].content);
        return number;
    }
    change->op_case = COORD__V1__CHANGE__OP_PUT;
    change->put = &t->puts[at];
    t->puts[at].path = (char *)path_text(path);
    t->puts[at].create = t->puts[at].parents = dice < 9;
    put_number(t->contents[at], number, &t->puts[at].content);
    if (dice == 9) {
        t->conditions[at].content_generation = c->player.generations[path];
        t->puts[at].condition = &t->conditions[at];
    }
    return number;
}

void player_make_transaction(struct client *c, struct call *call, bool in_session,
                             struct transaction_parts *t)
{
    struct sim *s = c->sim;
    uint64_t checks = prng_below(&s->work_random, 3);
    coord__v1__transaction__init(&t->transaction);
    for (uint64_t i = 0; i < checks; i++) {
        make_check(c, &t->checks[i]);
        t->checks_list[i] = &t->checks[i];
    }
    call->changes = 1 + (uint32_t)prng_below(&s->work_random, PLAYER_CHANGES_MAX);
    for (uint32_t i = 0; i < call->changes; i++) {
        call->contents[i] = make_change(c, call, in_session, t, i);
        t->changes_list[i] = &t->changes[i];
    }
    t->transaction.n_checks = checks;
    t->transaction.checks = t->checks_list;
    t->transaction.n_changes = call->changes;
    t->transaction.changes = t->changes_list;
}

Coord__V1__Freshness player_freshness(struct sim *s, struct call *call)
{
    if (prng_chance(&s->work_random, s->swarm.stale_ppm, PPM)) {
        call->stale = true;
        return COORD__V1__FRESHNESS__STALE;
    }
    if (prng_chance(&s->work_random, s->swarm.quorum_ppm, PPM))
        return COORD__V1__FRESHNESS__QUORUM;
    /* A lease is worth nothing then. */
    call->stale = s->swarm.wild_clocks != 0 && s->swarm.distrusts_clocks == 0;
    return COORD__V1__FRESHNESS__LEASE;
}
