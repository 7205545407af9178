/* test_state_compare.c - what the members say of their states: checked, passed on, and
 * without any effect on the state itself. */
#include <string.h>

#include "libcoord/base/bytes.h"
#include "tests/state/lab.h"
#include "tests/support/runner.h"

enum { SAID = 3 };

/* Three members and what they say of slot 9. */
struct specimen {
    Coord__V1__Command command;
    Coord__V1__CompareStates states;
    Coord__V1__MemberHash hashes[STATE_COMPARED_MAX + 1], *pointers[STATE_COMPARED_MAX + 1];
    uint8_t bytes[STATE_COMPARED_MAX + 1][STATE_HASH_BYTES];
};

static void specimen_init(struct specimen *s)
{
    memset(s, 0, sizeof *s);
    coord__v1__command__init(&s->command);
    coord__v1__compare_states__init(&s->states);
    for (uint32_t i = 0; i <= STATE_COMPARED_MAX; i++) {
        const uint64_t hash[2] = {UINT64_MAX - i, 10 + i};

        coord__v1__member_hash__init(&s->hashes[i]);
        state_hash_put(hash, s->bytes[i]);
        s->hashes[i].member = i + 1;
        s->hashes[i].hash.data = s->bytes[i];
        s->hashes[i].hash.len = STATE_HASH_BYTES;
        s->pointers[i] = &s->hashes[i];
    }
    s->states.slot = 9;
    s->states.hashes = s->pointers;
    s->states.n_hashes = SAID;
    s->command.op_case = COORD__V1__COMMAND__OP_COMPARE_STATES;
    s->command.compare_states = &s->states;
}

static enum err check(const struct specimen *s, const char *why_begins)
{
    char why[100] = "";
    enum err e = state_check_command(&s->command, why, sizeof why);

    CU_ASSERT_EQUAL(strncmp(why, why_begins, strlen(why_begins)), 0);
    return e;
}

static void test_compare__what_is_not_well_formed_is_refused(void)
{
    struct specimen s;

    specimen_init(&s);
    CU_ASSERT_EQUAL(check(&s, ""), ERR_OK);
    s.states.n_hashes = STATE_COMPARED_MAX;
    CU_ASSERT_EQUAL(check(&s, ""), ERR_OK);
    s.states.n_hashes = STATE_COMPARED_MAX + 1;
    CU_ASSERT_EQUAL(check(&s, "hashes: too many"), ERR_TOO_LARGE);
    s.states.n_hashes = SAID;
    s.states.slot = 0;
    CU_ASSERT_EQUAL(check(&s, "slot:"), ERR_INVALID);
    s.states.n_hashes = 0;
    CU_ASSERT_EQUAL(check(&s, ""), ERR_OK);
    specimen_init(&s);
    s.hashes[1].hash.len = STATE_HASH_BYTES - 1;
    CU_ASSERT_EQUAL(check(&s, "hash:"), ERR_INVALID);
    specimen_init(&s);
    s.hashes[1].member = 1;
    CU_ASSERT_EQUAL(check(&s, "hashes: not in the order"), ERR_INVALID);
    specimen_init(&s);
    s.command.session = s.command.seq = 1;
    CU_ASSERT_EQUAL(check(&s, "session:"), ERR_INVALID);
}

static void test_compare__it_is_passed_on_as_it_was_said(void)
{
    struct specimen s;
    struct lab l;

    lab_init(&l);
    specimen_init(&s);
    CU_ASSERT_EQUAL(lab_run(&l, &s.command), ERR_OK);
    CU_ASSERT_TRUE(l.out.comparison.asked && l.out.comparison.alone);
    CU_ASSERT_EQUAL(l.out.comparison.slot, 9);
    CU_ASSERT_EQUAL(l.out.comparison.count, SAID);
    for (uint32_t i = 0; i < SAID; i++) {
        CU_ASSERT_EQUAL(l.out.comparison.said[i].member, i + 1);
        CU_ASSERT_EQUAL(l.out.comparison.said[i].hash[0], UINT64_MAX - i);
        CU_ASSERT_EQUAL(l.out.comparison.said[i].hash[1], 10 + i);
    }
    CU_ASSERT_EQUAL(lab_put(&l, 0, "/", "x"), ERR_OK);
    CU_ASSERT_FALSE(l.out.comparison.asked);
    lab_release(&l);
}

static void test_compare__it_is_not_alone_beside_another_command(void)
{
    struct specimen s, other;
    struct lab l;

    lab_init(&l);
    specimen_init(&s);
    specimen_init(&other);
    other.command.op_case = COORD__V1__COMMAND__OP__NOT_SET;
    Coord__V1__Command *both[] = {&other.command, &s.command};
    struct buffer batch = lab_batch(5, both, 2);
    state_apply(l.state, buffer_slice(&batch), &l.out);
    CU_ASSERT_TRUE(l.out.comparison.asked);
    CU_ASSERT_FALSE(l.out.comparison.alone);
    buffer_release(&batch);
    lab_release(&l);
}

/* A version that does not know it sees a command without a known operation. */
static void test_compare__whoever_does_not_know_it_has_the_same_state(void)
{
    struct specimen s;
    struct lab one, other;

    lab_init(&one);
    lab_init(&other);
    specimen_init(&s);
    (void)lab_run(&one, &s.command);
    s.command.op_case = COORD__V1__COMMAND__OP__NOT_SET;
    s.command.compare_states = NULL;
    (void)lab_run(&other, &s.command);
    CU_ASSERT_TRUE(lab_same_hash(one.state, other.state));
    lab_release(&one);
    lab_release(&other);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_compare__what_is_not_well_formed_is_refused),
        TEST(test_compare__it_is_passed_on_as_it_was_said),
        TEST(test_compare__it_is_not_alone_beside_another_command),
        TEST(test_compare__whoever_does_not_know_it_has_the_same_state),
    };
    return run_suite("state_compare", cases, sizeof cases / sizeof cases[0], argc, argv);
}
