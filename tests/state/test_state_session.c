/* test_state_session.c - open, end, expire; exactly once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/state/lab.h"
#include "tests/support/runner.h"

static void test_session__opening_twice_with_one_nonce_is_one_session(void)
{
    struct lab l;
    lab_init(&l);
    uint64_t one = lab_open(&l, 7);
    CU_ASSERT_EQUAL(l.answer->opened->ttl_ms, 12000);
    CU_ASSERT_EQUAL_FATAL(l.answer->opened->secret.len, STATE_SECRET_BYTES);
    uint8_t secret[STATE_SECRET_BYTES];
    memcpy(secret, l.answer->opened->secret.data, sizeof secret);
    CU_ASSERT_EQUAL(l.out.sessions_count, 1);
    CU_ASSERT_EQUAL(l.out.sessions[0].change, STATE_SESSION_OPENED);
    CU_ASSERT_EQUAL(l.out.sessions[0].session, one);
    CU_ASSERT_EQUAL(l.out.sessions[0].ttl_ms, 12000);
    CU_ASSERT_EQUAL(lab_open(&l, 7), one);
    CU_ASSERT_EQUAL(memcmp(l.answer->opened->secret.data, secret, sizeof secret), 0);
    CU_ASSERT_EQUAL(l.out.sessions_count, 0);
    CU_ASSERT_EQUAL(state_sessions_count(l.state), 1);
    CU_ASSERT_TRUE(state_session_authentic(l.state, one, slice_of(secret, sizeof secret)));
    secret[0] ^= 1;
    CU_ASSERT_FALSE(state_session_authentic(l.state, one, slice_of(secret, sizeof secret)));
    CU_ASSERT_FALSE(state_session_authentic(l.state, one, slice_of(secret, 15)));
    CU_ASSERT_FALSE(state_session_authentic(l.state, one + 1, slice_of(secret, 16)));
    lab_release(&l);
}

static void test_session__ids_never_repeat(void)
{
    struct lab l;
    uint64_t last = 0;
    lab_init(&l);
    for (uint64_t i = 0; i < 10; i++) {
        uint64_t id = lab_open(&l, 1); /* the nonce is free again after the end */
        CU_ASSERT_TRUE(id > last);
        last = id;
        CU_ASSERT_EQUAL(lab_end(&l, id), ERR_OK);
        CU_ASSERT_EQUAL(l.out.sessions_count, 1);
        CU_ASSERT_EQUAL(l.out.sessions[0].change, STATE_SESSION_ENDED);
        CU_ASSERT_EQUAL(lab_create(&l, id, "/a", ""), ERR_EXPIRED);
        CU_ASSERT_EQUAL(state_nodes_count(l.state), 1);
    }
    lab_release(&l);
}

static void test_session__are_walked_in_the_order_of_their_ids(void)
{
    struct lab l;
    struct state_session next = {0};
    lab_init(&l);
    uint64_t ids[3];
    for (uint64_t i = 0; i < 3; i++)
        ids[i] = lab_open(&l, 10 - i);
    CU_ASSERT_EQUAL(lab_end(&l, ids[1]), ERR_OK);
    CU_ASSERT_TRUE(state_session_next(l.state, 0, &next) && next.session == ids[0]);
    CU_ASSERT_EQUAL(next.ttl_ms, 12000);
    CU_ASSERT_TRUE(state_session_next(l.state, next.session, &next) && next.session == ids[2]);
    CU_ASSERT_FALSE(state_session_next(l.state, next.session, &next));
    CU_ASSERT_TRUE(state_session_exists(l.state, ids[0]));
    CU_ASSERT_FALSE(state_session_exists(l.state, ids[1]));
    lab_release(&l);
}

/* A deposed leader can expire nobody. */
static void test_session__expiry_of_an_earlier_ballot_is_refused(void)
{
    struct lab l;
    lab_init(&l);
    uint64_t one = lab_open(&l, 1);
    CU_ASSERT_EQUAL(lab_create_ephemeral(&l, one, "/e"), ERR_OK);
    state_apply_leader_start(l.state, 20);
    CU_ASSERT_PTR_NULL(state_check(l.state));
    state_apply_leader_start(l.state, 15); /* never goes back */
    CU_ASSERT_EQUAL(lab_expire(&l, one, 19), ERR_NOT_LEADER);
    CU_ASSERT_TRUE(state_session_exists(l.state, one));
    CU_ASSERT_EQUAL(lab_expire(&l, one, 20), ERR_OK);
    CU_ASSERT_EQUAL(l.out.sessions[0].change, STATE_SESSION_EXPIRED);
    CU_ASSERT_EQUAL(state_nodes_count(l.state), 1);
    CU_ASSERT_EQUAL(lab_expire(&l, one, 20), ERR_EXPIRED);
    lab_release(&l);
}

static Coord__V1__Command create_command(Coord__V1__Create *create, uint64_t session, uint64_t seq,
                                         uint64_t lowest, const char *path)
{
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    coord__v1__create__init(create);
    create->path = (char *)path;
    c.session = session;
    c.seq = seq;
    c.lowest = lowest;
    c.op_case = COORD__V1__COMMAND__OP_CREATE;
    c.create = create;
    return c;
}

static int create_at(struct lab *l, uint64_t session, uint64_t seq, uint64_t lowest,
                     const char *path)
{
    Coord__V1__Create create;
    Coord__V1__Command c = create_command(&create, session, seq, lowest, path);
    return lab_run(l, &c);
}

static enum state_seq seq_state(const struct lab *l, uint64_t session, uint64_t seq)
{
    struct slice kept;
    enum state_seq known = state_session_seq(l->state, session, seq, &kept);
    CU_ASSERT_EQUAL(kept.length > 0, known == STATE_SEQ_ANSWERED);
    return known;
}

static void test_session__a_seq_asked_again_gets_the_answer_that_was_kept(void)
{
    struct lab l;
    lab_init(&l);
    uint64_t one = lab_open(&l, 1);
    CU_ASSERT_EQUAL(seq_state(&l, one, 1), STATE_SEQ_NEW);
    CU_ASSERT_EQUAL(create_at(&l, one, 1, 1, "/a"), ERR_OK);
    uint64_t revision = l.answer->revision;
    CU_ASSERT_EQUAL(seq_state(&l, one, 1), STATE_SEQ_ANSWERED);
    CU_ASSERT_EQUAL(create_at(&l, one, 2, 1, "/a"), ERR_NODE_EXISTS);
    CU_ASSERT_EQUAL(lab_delete(&l, 0, "/a"), ERR_OK);
    /* Both again, the second with another question: what was answered counts. */
    CU_ASSERT_EQUAL(create_at(&l, one, 1, 1, "/a"), ERR_OK);
    CU_ASSERT_EQUAL(l.answer->revision, revision);
    CU_ASSERT_EQUAL(create_at(&l, one, 2, 1, "/b"), ERR_NODE_EXISTS);
    CU_ASSERT_EQUAL(state_nodes_count(l.state), 1);
    CU_ASSERT_EQUAL(l.out.events_count, 0);
    lab_release(&l);
}

static void test_session__a_seq_passed_over_is_never_applied(void)
{
    struct lab l;
    lab_init(&l);
    uint64_t one = lab_open(&l, 1);
    CU_ASSERT_EQUAL(create_at(&l, one, 5, 1, "/a"), ERR_OK);
    CU_ASSERT_EQUAL(seq_state(&l, one, 4), STATE_SEQ_REFUSED);
    CU_ASSERT_EQUAL(create_at(&l, one, 4, 1, "/b"), ERR_MAYBE_APPLIED);
    CU_ASSERT_EQUAL(create_at(&l, one, 4, 1, "/b"), ERR_MAYBE_APPLIED);
    CU_ASSERT_EQUAL(state_nodes_count(l.state), 2);
    CU_ASSERT_EQUAL(create_at(&l, one, 0, 0, "/b"), ERR_INVALID);
    CU_ASSERT_EQUAL(create_at(&l, one, 6, 7, "/b"), ERR_INVALID);
    CU_ASSERT_EQUAL(state_nodes_count(l.state), 2);
    lab_release(&l);
}

static void test_session__what_the_client_has_had_is_forgotten(void)
{
    struct lab l;
    lab_init(&l);
    uint64_t one = lab_open(&l, 1);
    for (uint64_t seq = 1; seq <= 5; seq++)
        (void)create_at(&l, one, seq, 1, "/a");
    CU_ASSERT_EQUAL(create_at(&l, one, 6, 4, "/b"), ERR_OK);
    CU_ASSERT_EQUAL(seq_state(&l, one, 3), STATE_SEQ_REFUSED);
    CU_ASSERT_EQUAL(seq_state(&l, one, 4), STATE_SEQ_ANSWERED);
    /* An old message that comes late does not bring the window back. */
    CU_ASSERT_EQUAL(create_at(&l, one, 3, 1, "/c"), ERR_MAYBE_APPLIED);
    CU_ASSERT_EQUAL(seq_state(&l, one, 5), STATE_SEQ_ANSWERED);
    CU_ASSERT_EQUAL(state_nodes_count(l.state), 3);
    lab_release(&l);
}

static void test_session__at_most_a_window_of_answers_is_kept(void)
{
    struct lab l;
    lab_init(&l);
    uint64_t one = lab_open(&l, 1);
    for (uint64_t seq = 1; seq <= LIMIT_SESSION_WINDOW; seq++)
        (void)create_at(&l, one, seq, 1, "/a");
    CU_ASSERT_EQUAL(seq_state(&l, one, 1), STATE_SEQ_ANSWERED);
    (void)create_at(&l, one, LIMIT_SESSION_WINDOW + 1, 1, "/b");
    CU_ASSERT_EQUAL(seq_state(&l, one, 1), STATE_SEQ_REFUSED);
    CU_ASSERT_EQUAL(seq_state(&l, one, 2), STATE_SEQ_ANSWERED);
    CU_ASSERT_EQUAL(create_at(&l, one, 1, 1, "/c"), ERR_MAYBE_APPLIED);
    CU_ASSERT_EQUAL(state_nodes_count(l.state), 3);
    lab_release(&l);
}

/* A session may stand in line for hours and go on writing; when the grant comes
 * at last it is the newest answer, though its seq is the lowest. */
static void test_session__a_late_grant_is_kept_like_any_new_answer(void)
{
    struct lab l;
    lab_init(&l);
    uint64_t one = lab_open(&l, 1), two = lab_open(&l, 2);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/l", ""), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, one, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, two, 1, "/l"), LAB_WAITS);
    uint64_t waiting = l.seq[two];
    l.lowest[two] = waiting;
    for (int i = 0; i < 2 * LIMIT_SESSION_WINDOW; i++)
        CU_ASSERT_EQUAL(lab_put(&l, two, "/l", "x"), ERR_OK);
    CU_ASSERT_EQUAL(seq_state(&l, two, waiting), STATE_SEQ_WAITING);
    CU_ASSERT_EQUAL(lab_release_lock(&l, one, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_answered(&l, two, waiting), ERR_OK);
    for (int i = 0; i < LIMIT_SESSION_WINDOW - 1; i++)
        CU_ASSERT_EQUAL(lab_put(&l, two, "/l", "x"), ERR_OK);
    CU_ASSERT_EQUAL(seq_state(&l, two, waiting), STATE_SEQ_ANSWERED);
    CU_ASSERT_EQUAL(lab_put(&l, two, "/l", "x"), ERR_OK);
    CU_ASSERT_EQUAL(seq_state(&l, two, waiting), STATE_SEQ_REFUSED);
    lab_release(&l);
}

static void test_session__an_unknown_session_is_answered_expired_and_changes_nothing(void)
{
    struct lab l;
    lab_init(&l);
    CU_ASSERT_EQUAL(create_at(&l, 99, 1, 1, "/a"), ERR_EXPIRED);
    CU_ASSERT_EQUAL(l.out.answers[0].session, 99);
    CU_ASSERT_EQUAL(l.out.answers[0].seq, 1);
    CU_ASSERT_EQUAL(state_nodes_count(l.state), 1);
    CU_ASSERT_EQUAL(seq_state(&l, 99, 1), STATE_SEQ_REFUSED);
    lab_release(&l);
}

static void test_session__what_needs_a_session_is_refused_without_one(void)
{
    struct lab l;
    lab_init(&l);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/l", ""), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, 0, 1, "/l"), ERR_INVALID);
    CU_ASSERT_EQUAL(lab_release_lock(&l, 0, 1, "/l"), ERR_INVALID);
    CU_ASSERT_EQUAL(lab_cancel(&l, 0, 1), ERR_INVALID);
    CU_ASSERT_EQUAL(lab_end(&l, 0), ERR_INVALID);
    lab_release(&l);
}

/* Its ephemeral nodes, its place in every line, its locks: all in one entry and
 * one revision, and no grant ever goes to it. */
static void test_session__its_end_takes_everything_at_once(void)
{
    struct lab l;
    char events[512];
    lab_init(&l);
    uint64_t one = lab_open(&l, 1), two = lab_open(&l, 2), three = lab_open(&l, 3);
    static const char *const paths[] = {"/d", "/l", "/m", "/n"};
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(lab_create(&l, 0, paths[i], ""), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, one, 1, "/l"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, one, 2, "/l"), LAB_WAITS); /* next in its own line */
    CU_ASSERT_EQUAL(lab_acquire(&l, two, 1, "/l"), LAB_WAITS);
    uint64_t waiting = l.seq[two];
    CU_ASSERT_EQUAL(lab_acquire(&l, three, 3, "/m"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, one, 3, "/m"), LAB_WAITS);
    CU_ASSERT_EQUAL(lab_acquire(&l, one, 4, "/d"), ERR_OK);
    CU_ASSERT_EQUAL(lab_create_ephemeral(&l, one, "/d/e"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, one, 5, "/d/e"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, one, 6, "/d/e"), LAB_WAITS);

    uint64_t before = state_revision(l.state);
    CU_ASSERT_EQUAL(lab_expire(&l, one, 1), ERR_OK);
    CU_ASSERT_EQUAL(state_revision(l.state), before + 1);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "deleted /d/e, held /l, free /d");
    for (uint32_t i = 0; i < l.out.events_count; i++)
        CU_ASSERT_EQUAL(l.out.events[i].revision, before + 1);
    CU_ASSERT_EQUAL(l.out.answers_count, 2);
    CU_ASSERT_EQUAL(lab_answered(&l, two, waiting), ERR_OK);
    Coord__V1__Stat *m = lab_stat(&l, "/m");
    CU_ASSERT_EQUAL(m->lock_waiters_count, 0);
    CU_ASSERT_EQUAL(m->lock_holders_count, 1);
    coord__v1__stat__free_unpacked(m, NULL);
    lab_release(&l);
}

static void test_session__an_end_without_anything_to_take_raises_no_revision(void)
{
    struct lab l;
    lab_init(&l);
    uint64_t one = lab_open(&l, 1);
    CU_ASSERT_EQUAL(state_revision(l.state), 1);
    CU_ASSERT_EQUAL(lab_end(&l, one), ERR_OK);
    CU_ASSERT_EQUAL(state_revision(l.state), 1);
    lab_release(&l);
}

static void test_session__opening_wants_well_formed_terms(void)
{
    struct lab l;
    uint8_t bytes[32] = {1};
    lab_init(&l);
    static const struct {
        size_t nonce, secret;
        uint32_t ttl_ms;
        enum err expected;
    } terms[] = {{16, 16, 2000, ERR_OK},      {15, 16, 2000, ERR_INVALID},
                 {17, 16, 2000, ERR_INVALID}, {16, 0, 2000, ERR_INVALID},
                 {16, 16, 1999, ERR_INVALID}, {16, 16, 60001, ERR_INVALID},
                 {16, 16, 60000, ERR_OK}};
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
        Coord__V1__OpenSession open = COORD__V1__OPEN_SESSION__INIT;
        Coord__V1__Command c = COORD__V1__COMMAND__INIT;
        bytes[0] = (uint8_t)i;
        open.nonce = (ProtobufCBinaryData){.data = bytes, .len = terms[i].nonce};
        open.secret = (ProtobufCBinaryData){.data = bytes, .len = terms[i].secret};
        open.ttl_ms = terms[i].ttl_ms;
        c.op_case = COORD__V1__COMMAND__OP_OPEN_SESSION;
        c.open_session = &open;
        CU_ASSERT_EQUAL(lab_run(&l, &c), terms[i].expected);
    }
    lab_release(&l);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_session__opening_twice_with_one_nonce_is_one_session),
        TEST(test_session__ids_never_repeat),
        TEST(test_session__are_walked_in_the_order_of_their_ids),
        TEST(test_session__expiry_of_an_earlier_ballot_is_refused),
        TEST(test_session__a_seq_asked_again_gets_the_answer_that_was_kept),
        TEST(test_session__a_seq_passed_over_is_never_applied),
        TEST(test_session__what_the_client_has_had_is_forgotten),
        TEST(test_session__at_most_a_window_of_answers_is_kept),
        TEST(test_session__a_late_grant_is_kept_like_any_new_answer),
        TEST(test_session__an_unknown_session_is_answered_expired_and_changes_nothing),
        TEST(test_session__what_needs_a_session_is_refused_without_one),
        TEST(test_session__its_end_takes_everything_at_once),
        TEST(test_session__an_end_without_anything_to_take_raises_no_revision),
        TEST(test_session__opening_wants_well_formed_terms),
    };
    return run_suite("state session", cases, sizeof cases / sizeof cases[0], argc, argv);
}
