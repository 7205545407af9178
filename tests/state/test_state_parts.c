/* test_state_parts.c - random transactions against a copy that does their parts one
 * by one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordd/state/machine.h"
#include "coordd/state/node.h"
#include "coordd/state/session.h"
#include "tests/state/lab.h"
#include "tests/state/script.h"
#include "tests/support/runner.h"

static void evaluate(struct lab *copy, const Coord__V1__Check *c, enum err *e)
{
    bool asked = c->exists || c->absent || c->instance != 0 || c->content_generation != 0;
    Coord__V1__Stat *stat = lab_stat(copy, c->path);
    *e = ERR_OK;
    if (*c->sequencer != '\0')
        *e = (enum err)lab_check(copy, c->sequencer);
    if (*e == ERR_OK && asked) {
        if (c->absent)
            *e = stat == NULL ? ERR_OK : ERR_NODE_EXISTS;
        else if (c->instance != 0 && (stat == NULL || stat->instance != c->instance))
            *e = ERR_INSTANCE_GONE;
        else if (stat == NULL)
            *e = ERR_NO_NODE;
        else if (c->content_generation != 0 && stat->content_generation != c->content_generation)
            *e = ERR_BAD_GENERATION;
    }
    if (stat != NULL)
        coord__v1__stat__free_unpacked(stat, NULL);
}

/* The parts alone, one after the other. Returns the place of the first that is
 * refused, from 1, or 0. */
static uint32_t one_by_one(struct lab *copy, uint64_t session, const Coord__V1__Transaction *t,
                           enum err *ret)
{
    uint32_t place = 0;
    for (size_t i = 0; i < t->n_checks; i++) {
        place++;
        evaluate(copy, t->checks[i], ret);
        if (*ret != ERR_OK)
            return place;
    }
    for (size_t i = 0; i < t->n_changes; i++) {
        Coord__V1__Command c = COORD__V1__COMMAND__INIT;
        const Coord__V1__Change *change = t->changes[i];
        place++;
        c.session = session;
        c.seq = session == 0 ? 0 : ++copy->seq[session];
        /* Of the same numbers and at the same place in both unions. */
        if (change->op_case == COORD__V1__CHANGE__OP_CREATE)
            c.op_case = COORD__V1__COMMAND__OP_CREATE;
        else if (change->op_case == COORD__V1__CHANGE__OP_PUT)
            c.op_case = COORD__V1__COMMAND__OP_PUT;
        else
            c.op_case = COORD__V1__COMMAND__OP_DELETE;
        c.create = change->create;
        *ret = (enum err)lab_run(copy, &c);
        if (*ret != ERR_OK)
            return place;
    }
    return 0;
}

/* The same nodes with the same content, owners and locks; what is newer than
 * `revision` is newer in both. */
static bool alike(const struct state *a, const struct state *b, uint64_t revision)
{
    const struct node *n = a->root, *m = b->root;
    for (; n != NULL && m != NULL; n = node_next(n), m = node_next(m)) {
        const uint64_t left[] = {n->instance, n->content_generation, n->children_generation,
                                 n->lock_generation};
        const uint64_t right[] = {m->instance, m->content_generation, m->children_generation,
                                  m->lock_generation};
        for (size_t i = 0; i < 4; i++) {
            if (left[i] != right[i] && (left[i] <= revision || right[i] <= revision))
                return false;
        }
        if (!slice_equal(node_name(n), node_name(m)) ||
            !slice_equal(node_content(n), node_content(m)) ||
            n->children.count != m->children.count || (n->lock == NULL) != (m->lock == NULL) ||
            (n->ephemeral == NULL) != (m->ephemeral == NULL) ||
            (n->ephemeral != NULL && n->ephemeral->owner->id != m->ephemeral->owner->id))
            return false;
    }
    return n == NULL && m == NULL && a->suffixes_given == b->suffixes_given;
}

static bool well_formed(const Coord__V1__Transaction *t, uint64_t session)
{
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    char why[100];
    c.op_case = COORD__V1__COMMAND__OP_TRANSACTION;
    c.transaction = (Coord__V1__Transaction *)t;
    c.session = session;
    c.seq = session == 0 ? 0 : 1;
    return state_check_command(&c, why, sizeof why) == ERR_OK;
}

static void raise(uint64_t *generation, uint64_t revision)
{
    if (*generation > revision)
        *generation += 1u << 20; /* neither of the two will get there */
}

static void make_comparable(Coord__V1__Transaction *t, uint64_t revision)
{
    for (size_t i = 0; i < t->n_changes; i++) {
        Coord__V1__Condition *condition = NULL;
        if (t->changes[i]->op_case == COORD__V1__CHANGE__OP_PUT)
            condition = t->changes[i]->put->condition;
        else if (t->changes[i]->op_case == COORD__V1__CHANGE__OP_DELETE)
            condition = t->changes[i]->delete_->condition;
        if (condition == NULL)
            continue;
        raise(&condition->instance, revision);
        raise(&condition->content_generation, revision);
    }
}

static void compare(struct script *script, const struct state *s, int *done, int *refused)
{
    struct lab one, copy;
    uint64_t revision = state_revision(s);
    uint64_t session = prng_chance(&script->prng, 1, 2) ? script->newest : 0;
    Coord__V1__Transaction *t = script_transaction(script, s);
    if (!state_session_exists(s, session) || state_session_hold(s, session) == STATE_HOLD_KILLED)
        session = 0;
    make_comparable(t, revision);
    if (!well_formed(t, session))
        return;
    lab_init(&one);
    lab_init(&copy);
    state_free(one.state);
    state_free(copy.state);
    one.state = lab_reload(s);
    copy.state = lab_reload(s);
    if (session != 0)
        one.seq[session] = copy.seq[session] = sessions_find(s, session)->highest;
    one.time_ms = copy.time_ms = 0; /* time stands still */
    struct buffer empty = lab_batch(0, NULL, 0);
    state_apply(one.state, buffer_slice(&empty), &one.out); /* any batch ends a hand-over */
    buffer_release(&empty);
    uint64_t before[2], after[2];
    state_hash(one.state, before);
    enum err expected = ERR_OK;
    uint32_t place = one_by_one(&copy, session, t, &expected);

    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    c.op_case = COORD__V1__COMMAND__OP_TRANSACTION;
    c.transaction = t;
    c.session = session;
    c.seq = session == 0 ? 0 : ++one.seq[session];
    CU_ASSERT_EQUAL_FATAL(lab_run(&one, &c), expected);
    CU_ASSERT_EQUAL(one.answer->done->failed, place);
    if (expected == ERR_OK) {
        CU_ASSERT_TRUE(alike(one.state, copy.state, revision));
        CU_ASSERT_EQUAL(one.answer->done->n_stats, t->n_changes);
        CU_ASSERT_EQUAL(state_revision(one.state), revision + (t->n_changes > 0));
        *done += t->n_changes > 1;
    } else if (session == 0) {
        state_hash(one.state, after);
        CU_ASSERT_TRUE_FATAL(before[0] == after[0] && before[1] == after[1]);
        *refused += place > t->n_checks + 1;
    } else {
        CU_ASSERT_TRUE_FATAL(alike(one.state, s, UINT64_MAX));
    }
    lab_release(&one);
    lab_release(&copy);
}

static void test_parts__a_transaction_does_what_its_parts_do_or_nothing(void)
{
    struct script script;
    struct state_output out;
    struct state *s = state_new(lab_cell);
    int done = 0, refused = 0;
    lab_limit_history(s, 500);
    script_init(&script, 77);
    state_output_init(&out);
    for (int i = 0; i < 4000; i++) {
        struct buffer batch = script_next(&script, s);
        state_apply(s, buffer_slice(&batch), &out);
        buffer_release(&batch);
        script_learn(&script, &out);
        compare(&script, s, &done, &refused);
    }
    CU_ASSERT_TRUE(done > 30);
    CU_ASSERT_TRUE(refused > 100);
    state_output_release(&out);
    script_release(&script);
    state_free(s);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_parts__a_transaction_does_what_its_parts_do_or_nothing),
    };
    return run_suite("state parts", cases, sizeof cases / sizeof cases[0], argc, argv);
}
