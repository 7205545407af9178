/* test_state_line.c - the line before a lock against a model of a few lines.
 *
 * The model: for each lock an array of claims; the first one holds it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/base/prng.h"
#include "tests/state/lab.h"
#include "tests/support/runner.h"

enum { LOCKS = 3, SESSIONS = 4, HANDLES = 3, CLAIMS_MAX = SESSIONS * HANDLES, STEPS = 6000 };

static const char *const paths[LOCKS] = {"/x", "/y", "/y/z"};

struct claim {
    uint64_t session, handle, seq;
};

struct model {
    struct claim line[LOCKS][CLAIMS_MAX];
    int length[LOCKS];
    uint64_t alive[SESSIONS]; /* session ids */
    uint64_t nonce;
    struct prng prng;
    struct lab lab;
    /* What the next command should bring about, besides its own answer. */
    struct claim granted[LOCKS];
    int granted_count;
    int passes, waits, cancels;
};

static void set_up(struct model *m, uint64_t seed)
{
    memset(m, 0, sizeof *m);
    prng_init(&m->prng, seed);
    lab_init(&m->lab);
    lab_limit_history(m->lab.state, 500);
    for (int i = 0; i < LOCKS; i++)
        CU_ASSERT_EQUAL_FATAL(lab_create(&m->lab, 0, paths[i], ""), ERR_OK);
    for (int i = 0; i < SESSIONS; i++)
        m->alive[i] = lab_open(&m->lab, ++m->nonce);
}

static bool claims_already(const struct model *m, uint64_t session, uint64_t handle)
{
    for (int k = 0; k < LOCKS; k++) {
        for (int i = 0; i < m->length[k]; i++) {
            if (m->line[k][i].session == session && m->line[k][i].handle == handle)
                return true;
        }
    }
    return false;
}

/* Takes out the i-th of a line; who moves up to the front is granted. */
static void take_out(struct model *m, int k, int i, bool note)
{
    memmove(&m->line[k][i], &m->line[k][i + 1],
            sizeof m->line[k][0] * (size_t)(m->length[k] - i - 1));
    m->length[k]--;
    if (i == 0 && m->length[k] > 0 && note)
        m->granted[m->granted_count++] = m->line[k][0];
}

static void model_acquire(struct model *m, uint64_t session, uint64_t handle, int k)
{
    bool twice = claims_already(m, session, handle), wait = prng_chance(&m->prng, 3, 4);
    int status = wait ? lab_acquire(&m->lab, session, handle, paths[k])
                      : lab_try(&m->lab, session, handle, paths[k]);
    if (twice) {
        CU_ASSERT_EQUAL(status, ERR_INVALID);
        return;
    }
    if (m->length[k] > 0 && !wait) {
        CU_ASSERT_EQUAL(status, ERR_LOCK_HELD);
        return;
    }
    CU_ASSERT_EQUAL(status, m->length[k] == 0 ? ERR_OK : LAB_WAITS);
    m->waits += status == LAB_WAITS;
    m->line[k][m->length[k]++] =
        (struct claim){.session = session, .handle = handle, .seq = m->lab.seq[session]};
}

static void model_release(struct model *m, uint64_t session, uint64_t handle, int k)
{
    const struct claim *first = &m->line[k][0];
    bool holds = m->length[k] > 0 && first->session == session && first->handle == handle;
    if (holds)
        take_out(m, k, 0, true);
    int status = lab_release_lock(&m->lab, session, handle, paths[k]);
    CU_ASSERT_EQUAL(status, holds ? ERR_OK : ERR_NOT_HELD);
}

static void model_cancel(struct model *m, uint64_t session)
{
    uint64_t last = m->lab.seq[session];
    uint64_t seq = last == 0 ? 0 : last - prng_below(&m->prng, last < 8 ? last : 8);
    uint64_t waiting = 0;
    for (int k = 0; k < LOCKS; k++) {
        for (int i = 0; i < m->length[k]; i++) {
            if (m->line[k][i].session != session || m->line[k][i].seq != seq)
                continue;
            waiting = i > 0 ? seq : 0;
            take_out(m, k, i, true);
            break;
        }
    }
    int status = lab_cancel(&m->lab, session, seq);
    CU_ASSERT_EQUAL(status, seq == 0 ? ERR_INVALID : ERR_OK);
    if (waiting != 0) {
        m->cancels++;
        CU_ASSERT_EQUAL(lab_answered(&m->lab, session, waiting), ERR_CANCELLED);
    }
}

static void model_end(struct model *m, int which)
{
    uint64_t session = m->alive[which];
    for (int k = 0; k < LOCKS; k++) {
        uint64_t holder = m->length[k] > 0 ? m->line[k][0].session : 0;
        for (int i = m->length[k] - 1; i >= 0; i--) {
            if (m->line[k][i].session == session)
                take_out(m, k, i, false);
        }
        if (holder == session && m->length[k] > 0)
            m->granted[m->granted_count++] = m->line[k][0];
    }
    int status =
        prng_chance(&m->prng, 1, 2) ? lab_end(&m->lab, session) : lab_expire(&m->lab, session, 1);
    CU_ASSERT_EQUAL(status, ERR_OK);
}

static void expect_grants(struct model *m)
{
    for (int i = 0; i < m->granted_count; i++)
        CU_ASSERT_EQUAL(lab_answered(&m->lab, m->granted[i].session, m->granted[i].seq), ERR_OK);
    m->passes += m->granted_count;
}

static void expect_lines(struct model *m)
{
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__ListLocks list = COORD__V1__LIST_LOCKS__INIT;
    list.path = (char *)"/";
    read.op_case = COORD__V1__READ__OP_LOCKS;
    read.locks = &list;
    Coord__V1__Answer *answer = lab_read(&m->lab, &read);
    size_t n = 0;
    for (int k = 0; k < LOCKS; k++) {
        if (m->length[k] == 0)
            continue;
        CU_ASSERT_TRUE_FATAL(n < answer->locks->n_locks);
        const Coord__V1__LockState *lock = answer->locks->locks[n++];
        CU_ASSERT_STRING_EQUAL_FATAL(lock->path, paths[k]);
        CU_ASSERT_EQUAL_FATAL(lock->n_holders, 1);
        CU_ASSERT_EQUAL_FATAL((int)lock->n_waiters, m->length[k] - 1);
        for (int i = 0; i < m->length[k]; i++) {
            const Coord__V1__LockClaim *c = i == 0 ? lock->holders[0] : lock->waiters[i - 1];
            CU_ASSERT_EQUAL_FATAL(c->session, m->line[k][i].session);
            CU_ASSERT_EQUAL_FATAL(c->handle, m->line[k][i].handle);
        }
    }
    CU_ASSERT_EQUAL(n, answer->locks->n_locks);
    coord__v1__answer__free_unpacked(answer, NULL);
}

static void step(struct model *m)
{
    int which = (int)prng_below(&m->prng, SESSIONS), k = (int)prng_below(&m->prng, LOCKS);
    uint64_t session = m->alive[which], handle = 1 + prng_below(&m->prng, HANDLES);
    uint64_t dice = prng_below(&m->prng, 100);
    m->granted_count = 0;
    if (dice < 50)
        model_acquire(m, session, handle, k);
    else if (dice < 85)
        model_release(m, session, handle, k);
    else if (dice < 97)
        model_cancel(m, session);
    else
        model_end(m, which);
    expect_grants(m);
    expect_lines(m);
    if (dice >= 97)
        m->alive[which] = lab_open(&m->lab, ++m->nonce);
}

static void test_line__behaves_like_an_array_of_claims(void)
{
    static struct model m;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        set_up(&m, seed);
        for (int i = 0; i < STEPS; i++)
            step(&m);
        CU_ASSERT_TRUE(m.passes > 200 && m.waits > 200 && m.cancels > 50);
        lab_release(&m.lab);
    }
}

/* Everybody gets it once, in the order of asking, whatever the number. */
static void test_line__a_thousand_contenders_are_served_in_order(void)
{
    enum { CONTENDERS = 1000 };
    struct lab l;
    lab_init(&l);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/l", ""), ERR_OK);
    for (uint64_t i = 1; i <= CONTENDERS; i++) {
        CU_ASSERT_EQUAL_FATAL(lab_open(&l, i), i);
        CU_ASSERT_EQUAL(lab_acquire(&l, i, 1, "/l"), i == 1 ? ERR_OK : LAB_WAITS);
    }
    for (uint64_t i = 1; i <= CONTENDERS; i++) {
        CU_ASSERT_EQUAL(lab_release_lock(&l, i, 1, "/l"), ERR_OK);
        if (i < CONTENDERS)
            CU_ASSERT_EQUAL(lab_answered(&l, i + 1, 1), ERR_OK);
        CU_ASSERT_EQUAL(l.out.events_count, 1); /* no herd: one hears, one is granted */
        CU_ASSERT_EQUAL(l.out.answers_count, i < CONTENDERS ? 2 : 1);
    }
    lab_release(&l);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_line__behaves_like_an_array_of_claims),
        TEST(test_line__a_thousand_contenders_are_served_in_order),
    };
    return run_suite("state line", cases, sizeof cases / sizeof cases[0], argc, argv);
}
