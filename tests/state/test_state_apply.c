/* test_state_apply.c - equal histories give equal states, outputs and hashes;
 * also from records half way; and what holds of every history. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/state/lab.h"
#include "tests/state/script.h"
#include "tests/support/runner.h"

enum { BATCHES = 3000, RELOAD_EVERY = 97 };

static void expect_sound(const struct state *s)
{
    const char *broken = state_check(s);
    if (broken != NULL)
        fprintf(stderr, "broken: %s\n", broken);
    CU_ASSERT_PTR_NULL_FATAL(broken);
}

struct twin {
    struct state *state;
    struct state_output out;
    struct buffer said;
};

static void twin_init(struct twin *t)
{
    *t = (struct twin){.state = state_new(lab_cell)};
    state_output_init(&t->out);
    lab_limit_history(t->state, LAB_HISTORY_BYTES);
}

static void twin_release(struct twin *t)
{
    state_free(t->state);
    state_output_release(&t->out);
    buffer_release(&t->said);
}

static void twin_apply(struct twin *t, struct slice batch)
{
    state_apply(t->state, batch, &t->out);
    buffer_clear(&t->said);
    lab_put_output(&t->out, &t->said);
}

static void expect_alike(const struct twin *a, const struct twin *b)
{
    CU_ASSERT_TRUE_FATAL(slice_equal(buffer_slice(&a->said), buffer_slice(&b->said)));
    CU_ASSERT_TRUE_FATAL(lab_same_hash(a->state, b->state));
    CU_ASSERT_EQUAL(state_revision(a->state), state_revision(b->state));
    CU_ASSERT_EQUAL(state_time_ms(a->state), state_time_ms(b->state));
    CU_ASSERT_EQUAL(state_nodes_count(a->state), state_nodes_count(b->state));
}

/* One state lives through; one is built anew from the other's records now and
 * then, as after a transfer; each does and says the same. */
static void twins(uint64_t seed, uint64_t seen[SCRIPT_STATUSES])
{
    struct script script;
    struct twin a, b;
    int handed_over = 0;
    uint64_t ballot = 0;
    script_init(&script, seed);
    twin_init(&a);
    twin_init(&b);
    for (int i = 0; i < BATCHES; i++) {
        struct buffer batch = script_next(&script, a.state);
        twin_apply(&a, buffer_slice(&batch));
        twin_apply(&b, buffer_slice(&batch));
        buffer_release(&batch);
        expect_alike(&a, &b);
        expect_sound(a.state);
        script_learn(&script, &a.out);
        if (i % RELOAD_EVERY == 0) {
            struct state *again = lab_reload(a.state);
            state_free(b.state);
            b.state = again;
            CU_ASSERT_TRUE_FATAL(lab_same_hash(a.state, b.state));
        }
        if (i % 13 == 0 || script.hands_over) {
            state_apply_leader_start(a.state, ++ballot);
            state_apply_leader_start(b.state, ballot);
            handed_over += state_handed_over(a.state);
        }
    }
    for (size_t i = 0; i < SCRIPT_STATUSES; i++)
        seen[i] += script.seen[i];
    CU_ASSERT_TRUE(handed_over > 0);
    twin_release(&a);
    twin_release(&b);
    script_release(&script);
}

static void test_apply__equal_histories_give_equal_states_and_outputs(void)
{
    uint64_t seen[SCRIPT_STATUSES] = {0};
    for (uint64_t seed = 1; seed <= 4; seed++)
        twins(seed, seen);
    /* The script is worth something only if it gets everywhere. */
    static const enum err expected[] = {ERR_OK,
                                        ERR_INVALID,
                                        ERR_NO_NODE,
                                        ERR_NODE_EXISTS,
                                        ERR_NOT_EMPTY,
                                        ERR_EPHEMERAL,
                                        ERR_BAD_GENERATION,
                                        ERR_INSTANCE_GONE,
                                        ERR_STALE_SEQUENCER,
                                        ERR_LOCK_HELD,
                                        ERR_MAYBE_APPLIED,
                                        ERR_EXPIRED,
                                        ERR_TOO_LARGE,
                                        ERR_NOT_HELD,
                                        ERR_CANCELLED,
                                        ERR_NOT_LEADER};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        if (seen[expected[i]] == 0)
            fprintf(stderr, "never answered: %s\n", err_name(expected[i]));
        CU_ASSERT_TRUE(seen[expected[i]] > 0);
    }
}

/* The last grant of each lock that was seen. */
struct grant {
    char path[32];
    uint64_t generation, session, seq;
};
enum { GRANTS_MAX = 256 };

static struct grant *grant_of(struct grant *grants, const char *path)
{
    size_t i = 0;
    while (grants[i].path[0] != '\0' && strcmp(grants[i].path, path) != 0)
        i++;
    CU_ASSERT_TRUE_FATAL(i < GRANTS_MAX - 1);
    snprintf(grants[i].path, sizeof grants[i].path, "%s", path);
    return &grants[i];
}

/* `before`: the revision before the batch; an older grant is one answered again. */
static void check_answer(struct grant *grants, const struct state_answer *given, uint64_t before)
{
    struct slice e = given->encoded;
    Coord__V1__Answer *answer = coord__v1__answer__unpack(NULL, e.length, e.data);
    CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
    CU_ASSERT_EQUAL(*answer->message == '\0', answer->status == COORD__V1__STATUS__OK);
    CU_ASSERT_TRUE(answer->status == COORD__V1__STATUS__OK ||
                   answer->body_case == COORD__V1__ANSWER__BODY__NOT_SET ||
                   (answer->body_case == COORD__V1__ANSWER__BODY_DONE && answer->done->failed > 0 &&
                    answer->done->n_stats == 0));
    if (answer->body_case == COORD__V1__ANSWER__BODY_GRANTED && answer->revision > before) {
        const Coord__V1__Sequencer *granted = answer->granted;
        struct grant *last = grant_of(grants, granted->path);
        bool again = last->session == given->session && last->seq == given->seq;
        bool shares = granted->mode == COORD__V1__LOCK_MODE__LOCK_SHARED;
        CU_ASSERT_TRUE(granted->generation > last->generation || again ||
                       (shares && granted->generation == last->generation));
        CU_ASSERT_TRUE(granted->instance < granted->generation);
        last->generation = granted->generation;
        last->session = given->session;
        last->seq = given->seq;
    }
    coord__v1__answer__free_unpacked(answer, NULL);
}

static void test_apply__revisions_and_lock_generations_only_rise(void)
{
    struct script script;
    struct twin t;
    static struct grant grants[GRANTS_MAX];
    script_init(&script, 99);
    twin_init(&t);
    for (int i = 0; i < BATCHES; i++) {
        struct buffer batch = script_next(&script, t.state);
        uint64_t before = state_revision(t.state), event_revision = before;
        twin_apply(&t, buffer_slice(&batch));
        buffer_release(&batch);
        CU_ASSERT_TRUE(state_revision(t.state) >= before);
        for (uint32_t e = 0; e < t.out.events_count; e++) {
            CU_ASSERT_TRUE(t.out.events[e].revision > before);
            CU_ASSERT_TRUE(t.out.events[e].revision >= event_revision);
            event_revision = t.out.events[e].revision;
        }
        CU_ASSERT_EQUAL(event_revision, state_revision(t.state)); /* no change without one */
        for (uint32_t a = 0; a < t.out.answers_count; a++)
            check_answer(grants, &t.out.answers[a], before);
        script_learn(&script, &t.out);
    }
    twin_release(&t);
    script_release(&script);
}

/* The whole batch sent twice, as a new leader may propose again what the old one
 * had in flight: what sessions ask for happens once. */
static void test_apply__a_batch_applied_twice_changes_sessions_nodes_once(void)
{
    struct lab l;
    lab_init(&l);
    uint64_t one = lab_open(&l, 1);
    Coord__V1__Create creates[3];
    Coord__V1__Acquire acquire = COORD__V1__ACQUIRE__INIT;
    Coord__V1__Command commands[4], *list[4];
    static const char *const paths[3] = {"/a", "/a/b", "/c"};
    for (uint64_t i = 0; i < 4; i++) {
        coord__v1__command__init(&commands[i]);
        commands[i].session = one;
        commands[i].seq = i + 1;
        list[i] = &commands[i];
        if (i == 3)
            break;
        coord__v1__create__init(&creates[i]);
        creates[i].path = (char *)paths[i];
        commands[i].op_case = COORD__V1__COMMAND__OP_CREATE;
        commands[i].create = &creates[i];
    }
    acquire.path = (char *)"/c";
    acquire.handle = 1;
    acquire.mode = COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE;
    commands[3].op_case = COORD__V1__COMMAND__OP_ACQUIRE;
    commands[3].acquire = &acquire;
    struct buffer batch = lab_batch(l.time_ms, list, 4), first = BUFFER_INIT;
    state_apply(l.state, buffer_slice(&batch), &l.out);
    for (uint32_t i = 0; i < l.out.answers_count; i++)
        buffer_put_slice(&first, l.out.answers[i].encoded);
    uint64_t revision = state_revision(l.state);
    state_apply(l.state, buffer_slice(&batch), &l.out);
    struct buffer second = BUFFER_INIT;
    for (uint32_t i = 0; i < l.out.answers_count; i++)
        buffer_put_slice(&second, l.out.answers[i].encoded);
    CU_ASSERT_TRUE(slice_equal(buffer_slice(&first), buffer_slice(&second)));
    CU_ASSERT_EQUAL(l.out.events_count, 0);
    CU_ASSERT_EQUAL(state_revision(l.state), revision);
    buffer_release(&batch);
    buffer_release(&first);
    buffer_release(&second);
    lab_release(&l);
}

static void test_apply__cells_of_another_id_have_another_hash(void)
{
    uint8_t other[STATE_CELL_ID_BYTES] = {1};
    struct state *a = state_new(lab_cell), *b = state_new(other), *c = state_new(lab_cell);
    CU_ASSERT_FALSE(lab_same_hash(a, b));
    CU_ASSERT_TRUE(lab_same_hash(a, c));
    state_apply_leader_start(c, 5);
    CU_ASSERT_FALSE(lab_same_hash(a, c));
    state_free(a);
    state_free(b);
    state_free(c);
}

static void test_apply__an_empty_batch_moves_the_time_alone(void)
{
    struct lab l;
    lab_init(&l);
    struct buffer batch = lab_batch(777, NULL, 0);
    state_apply(l.state, buffer_slice(&batch), &l.out);
    CU_ASSERT_EQUAL(state_time_ms(l.state), 777);
    CU_ASSERT_EQUAL(state_revision(l.state), 1);
    CU_ASSERT_EQUAL(l.out.answers_count + l.out.events_count + l.out.sessions_count, 0);
    buffer_release(&batch);
    lab_release(&l);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_apply__equal_histories_give_equal_states_and_outputs),
        TEST(test_apply__revisions_and_lock_generations_only_rise),
        TEST(test_apply__a_batch_applied_twice_changes_sessions_nodes_once),
        TEST(test_apply__cells_of_another_id_have_another_hash),
        TEST(test_apply__an_empty_batch_moves_the_time_alone),
    };
    return run_suite("state apply", cases, sizeof cases / sizeof cases[0], argc, argv);
}
