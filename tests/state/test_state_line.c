/* test_state_line.c - the line before a lock against a model of a few lines.
 *
 * The model: for each lock an array of claims in the order of asking, those that
 * hold it in front, and whether it is delayed. After every command all that the
 * state shows, answers and notes must be what the arrays say. */
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
    bool shared, held, revoked;
    uint32_t delay_ms;
};

struct line {
    struct claim claims[CLAIMS_MAX];
    int length;
    uint32_t delay_ms; /* 0: not delayed */
};

struct model {
    struct line lines[LOCKS];
    uint64_t alive[SESSIONS]; /* session ids */
    bool killed[SESSIONS];
    enum state_hold hold[SESSIONS]; /* before the step */
    uint64_t nonce;
    struct prng prng;
    struct lab lab;
    /* What the next command should bring about, besides its own answer. */
    struct claim granted[LOCKS * CLAIMS_MAX];
    int granted_count, revoked_count, cancelled_count;
    int passes, batches, waits, cancels, forced, delays;
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
        for (int i = 0; i < m->lines[k].length; i++) {
            const struct claim *c = &m->lines[k].claims[i];
            if (c->session == session && c->handle == handle)
                return true;
        }
    }
    return false;
}

/* Could the i-th hold the lock, given those before it? */
static bool admitted(const struct line *line, int i)
{
    if (line->delay_ms > 0)
        return false;
    for (int before = 0; before < i; before++) {
        if (!line->claims[before].shared || !line->claims[before].held || !line->claims[i].shared)
            return false;
    }
    return true;
}

static void admit(struct model *m, struct line *line)
{
    for (int i = 0; i < line->length; i++) {
        if (line->claims[i].held)
            continue;
        if (!admitted(line, i))
            return;
        line->claims[i].held = true;
        m->granted[m->granted_count++] = line->claims[i];
    }
}

static void take_out(struct line *line, int i, bool died)
{
    const struct claim *c = &line->claims[i];
    if (died && c->held && c->delay_ms > line->delay_ms)
        line->delay_ms = c->delay_ms;
    memmove(&line->claims[i], &line->claims[i + 1],
            sizeof line->claims[0] * (size_t)(line->length - i - 1));
    line->length--;
}

/* All of a session, or only those that wait; then whoever is next. */
static void take_out_all(struct model *m, uint64_t session, bool held_too, bool died)
{
    for (int k = 0; k < LOCKS; k++) {
        for (int i = m->lines[k].length - 1; i >= 0; i--) {
            const struct claim *c = &m->lines[k].claims[i];
            if (c->session == session && (held_too || !c->held))
                take_out(&m->lines[k], i, died);
        }
        admit(m, &m->lines[k]);
    }
}

static void model_acquire(struct model *m, int which, uint64_t handle, struct line *line,
                          const char *path)
{
    bool twice = claims_already(m, m->alive[which], handle), wait = prng_chance(&m->prng, 3, 4);
    struct claim claim = {
        .session = m->alive[which],
        .handle = handle,
        .shared = prng_chance(&m->prng, 1, 2),
        .delay_ms = prng_chance(&m->prng, 1, 4) ? (uint32_t)prng_between(&m->prng, 1, 60000) : 0};
    int status = lab_acquire_as(&m->lab, claim.session, handle, path,
                                claim.shared ? COORD__V1__LOCK_MODE__LOCK_SHARED
                                             : COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE,
                                wait, claim.delay_ms);
    claim.seq = m->lab.seq[claim.session];
    if (m->killed[which] || twice) {
        CU_ASSERT_EQUAL(status, m->killed[which] ? ERR_CANCELLED : ERR_INVALID);
        return;
    }
    line->claims[line->length++] = claim;
    bool free = admitted(line, line->length - 1);
    CU_ASSERT_EQUAL(status, free ? ERR_OK : wait ? LAB_WAITS : ERR_LOCK_HELD);
    m->waits += status == LAB_WAITS;
    if (!free && !wait)
        line->length--;
    else
        line->claims[line->length - 1].held = free;
}

static void model_release(struct model *m, uint64_t session, uint64_t handle, struct line *line,
                          const char *path)
{
    bool holds = false;
    for (int i = 0; i < line->length; i++) {
        const struct claim *c = &line->claims[i];
        if (c->session != session || c->handle != handle || !c->held)
            continue;
        holds = true;
        take_out(line, i, false);
        admit(m, line);
        break;
    }
    int status = lab_release_lock(&m->lab, session, handle, path);
    CU_ASSERT_EQUAL(status, holds ? ERR_OK : ERR_NOT_HELD);
}

static void model_cancel(struct model *m, uint64_t session)
{
    uint64_t last = m->lab.seq[session];
    uint64_t seq = last == 0 ? 0 : last - prng_below(&m->prng, last < 8 ? last : 8);
    uint64_t waiting = 0;
    for (int k = 0; k < LOCKS; k++) {
        for (int i = 0; i < m->lines[k].length; i++) {
            const struct claim *c = &m->lines[k].claims[i];
            if (c->session != session || c->seq != seq)
                continue;
            waiting = c->held ? 0 : seq;
            take_out(&m->lines[k], i, false);
            admit(m, &m->lines[k]);
            break;
        }
    }
    int status = lab_cancel(&m->lab, session, seq);
    CU_ASSERT_EQUAL(status, seq == 0 ? ERR_INVALID : ERR_OK);
    if (waiting != 0) {
        m->cancels++;
        m->cancelled_count++;
        CU_ASSERT_EQUAL(lab_answered(&m->lab, session, waiting), ERR_CANCELLED);
    }
}

static void model_end(struct model *m, int which)
{
    bool expires = prng_chance(&m->prng, 1, 2);
    uint64_t session = m->alive[which];
    take_out_all(m, session, true, expires || m->killed[which]);
    int status = expires ? lab_expire(&m->lab, session, 1) : lab_end(&m->lab, session);
    CU_ASSERT_EQUAL(status, ERR_OK);
    CU_ASSERT_EQUAL(lab_notes(&m->lab, session, STATE_SESSION_EXPIRED), expires);
    CU_ASSERT_EQUAL(lab_notes(&m->lab, session, STATE_SESSION_ENDED), !expires);
    m->alive[which] = 0;
}

static void model_force(struct model *m, struct line *line, const char *path)
{
    bool held = false;
    for (int i = 0; i < line->length && line->claims[i].held; i++) {
        held = true;
        m->revoked_count += !line->claims[i].revoked;
        line->claims[i].revoked = true;
    }
    CU_ASSERT_EQUAL(lab_force(&m->lab, 0, path), held ? ERR_OK : ERR_NOT_HELD);
    m->forced += m->revoked_count;
}

static void model_kill(struct model *m, int which)
{
    bool again = m->killed[which];
    m->killed[which] = true;
    take_out_all(m, m->alive[which], false, false);
    CU_ASSERT_EQUAL(lab_kill(&m->lab, 0, m->alive[which]), ERR_OK);
    CU_ASSERT_EQUAL(lab_notes(&m->lab, m->alive[which], STATE_SESSION_KILLED), !again);
}

static void model_end_delay(struct model *m)
{
    struct slice after = slice_of(NULL, 0);
    struct state_delay delay;
    for (int k = 0; k < LOCKS; k++) {
        if (m->lines[k].delay_ms == 0)
            continue;
        CU_ASSERT_TRUE_FATAL(state_delay_next(m->lab.state, after, &delay));
        CU_ASSERT_TRUE(slice_equal(delay.path, slice_of_string(paths[k])));
        CU_ASSERT_EQUAL(delay.delay_ms, m->lines[k].delay_ms);
        after = slice_of_string(paths[k]);
        if (prng_chance(&m->prng, 1, 2))
            continue;
        m->lines[k].delay_ms = 0;
        admit(m, &m->lines[k]);
        CU_ASSERT_EQUAL(lab_end_delay(&m->lab, paths[k], delay.instance, delay.generation, 1),
                        ERR_OK);
        m->delays++;
        return;
    }
    CU_ASSERT_NOT_EQUAL(lab_end_delay(&m->lab, paths[0], 2, 1, 1), ERR_OK);
}

static void expect_grants(struct model *m)
{
    for (int i = 0; i < m->granted_count; i++)
        CU_ASSERT_EQUAL(lab_answered(&m->lab, m->granted[i].session, m->granted[i].seq), ERR_OK);
    int own = m->lab.answer != NULL;
    CU_ASSERT_EQUAL((int)m->lab.out.answers_count, own + m->granted_count + m->cancelled_count);
    m->passes += m->granted_count;
    m->batches += m->granted_count > 1;
}

static enum state_hold hold_of(const struct model *m, int which)
{
    bool revoked = false;
    for (int k = 0; k < LOCKS; k++) {
        for (int i = 0; i < m->lines[k].length; i++)
            revoked |=
                m->lines[k].claims[i].session == m->alive[which] && m->lines[k].claims[i].revoked;
    }
    if (m->killed[which])
        return STATE_HOLD_KILLED;
    return revoked ? STATE_HOLD_REVOKED : STATE_HOLD_NONE;
}

static void expect_holds(struct model *m)
{
    int notes = 0;
    for (int i = 0; i < SESSIONS; i++) {
        enum state_hold before = m->hold[i];
        m->hold[i] = hold_of(m, i);
        if (m->alive[i] == 0)
            continue;
        CU_ASSERT_EQUAL(state_session_hold(m->lab.state, m->alive[i]), m->hold[i]);
        bool restored = before == STATE_HOLD_REVOKED && m->hold[i] == STATE_HOLD_NONE;
        CU_ASSERT_EQUAL(lab_notes(&m->lab, m->alive[i], STATE_SESSION_RESTORED), restored);
        notes += lab_notes(&m->lab, m->alive[i], STATE_SESSION_REVOKED);
        int revoked = 0;
        struct state_revoked r = {.handle = 0};
        while (state_revoked_next(m->lab.state, m->alive[i], r.handle, &r))
            revoked++;
        for (int k = 0; k < LOCKS; k++) {
            for (int n = 0; n < m->lines[k].length; n++)
                revoked -=
                    m->lines[k].claims[n].session == m->alive[i] && m->lines[k].claims[n].revoked;
        }
        CU_ASSERT_EQUAL(revoked, 0);
    }
    CU_ASSERT_EQUAL(notes, m->revoked_count);
}

static void expect_line(const struct line *line, const Coord__V1__LockState *lock)
{
    size_t held = 0;
    while ((int)held < line->length && line->claims[held].held)
        held++;
    CU_ASSERT_EQUAL_FATAL(lock->n_holders, held);
    CU_ASSERT_EQUAL_FATAL(lock->n_holders + lock->n_waiters, (size_t)line->length);
    for (size_t i = 0; i < (size_t)line->length; i++) {
        const struct claim *expected = &line->claims[i];
        const Coord__V1__LockClaim *c = i < held ? lock->holders[i] : lock->waiters[i - held];
        CU_ASSERT_EQUAL(c->session, expected->session);
        CU_ASSERT_EQUAL(c->handle, expected->handle);
        CU_ASSERT_EQUAL(c->mode == COORD__V1__LOCK_MODE__LOCK_SHARED, expected->shared);
        CU_ASSERT_EQUAL(c->revoking, expected->revoked);
        CU_ASSERT_EQUAL(c->generation != 0, expected->held);
    }
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
        const struct line *line = &m->lines[k];
        Coord__V1__Stat *stat = lab_stat(&m->lab, paths[k]);
        CU_ASSERT_EQUAL(stat->lock_delayed, line->delay_ms > 0);
        coord__v1__stat__free_unpacked(stat, NULL);
        if (line->length == 0 && line->delay_ms == 0)
            continue;
        CU_ASSERT_TRUE_FATAL(n < answer->locks->n_locks);
        CU_ASSERT_STRING_EQUAL_FATAL(answer->locks->locks[n]->path, paths[k]);
        expect_line(line, answer->locks->locks[n++]);
    }
    CU_ASSERT_EQUAL(n, answer->locks->n_locks);
    coord__v1__answer__free_unpacked(answer, NULL);
}

static void step(struct model *m)
{
    int which = (int)prng_below(&m->prng, SESSIONS), k = (int)prng_below(&m->prng, LOCKS);
    uint64_t session = m->alive[which], handle = 1 + prng_below(&m->prng, HANDLES);
    uint64_t dice = prng_below(&m->prng, 100);
    if (m->killed[which] && prng_chance(&m->prng, 1, 3))
        dice = 99;
    if (dice >= 50 && dice < 77 && m->lines[k].length > 0 && prng_chance(&m->prng, 1, 3)) {
        session = m->lines[k].claims[0].session; /* so that the release does something */
        handle = m->lines[k].claims[0].handle;
    }
    m->granted_count = m->revoked_count = m->cancelled_count = 0;
    if (dice < 50)
        model_acquire(m, which, handle, &m->lines[k], paths[k]);
    else if (dice < 77)
        model_release(m, session, handle, &m->lines[k], paths[k]);
    else if (dice < 84)
        model_cancel(m, session);
    else if (dice < 88)
        model_force(m, &m->lines[k], paths[k]);
    else if (dice < 90)
        model_kill(m, which);
    else if (dice < 95)
        model_end_delay(m);
    else
        model_end(m, which);
    expect_grants(m);
    expect_holds(m);
    expect_lines(m);
    if (m->alive[which] == 0) {
        m->alive[which] = lab_open(&m->lab, ++m->nonce);
        m->killed[which] = false;
        m->hold[which] = STATE_HOLD_NONE;
    }
}

static void test_line__behaves_like_an_array_of_claims(void)
{
    static struct model m;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        set_up(&m, seed);
        for (int i = 0; i < STEPS; i++)
            step(&m);
        CU_ASSERT_TRUE(m.passes > 200 && m.batches > 20 && m.waits > 200 && m.cancels > 20);
        CU_ASSERT_TRUE(m.forced > 50 && m.delays > 20);
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
