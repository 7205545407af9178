/* model_transaction.c - several checks and changes, all of them or none, in one
 * revision; each sees what those before it did. */
#include "libcoord/base/check.h"
#include "tests/sim/model_internal.h"

enum { CHANGES_MAX = 8 };

static enum err judge(const struct model *m, const Coord__V1__Check *c)
{
    enum err e = model_guard(m, c->sequencer);
    bool asks = c->exists || c->absent || c->instance != 0 || c->content_generation != 0;
    if (e != ERR_OK || !asks)
        return e;
    uint32_t node = model_find(m, c->path);
    const struct model_version *v = node == UINT32_MAX ? NULL : model_now(m, node);
    bool there = v != NULL && v->alive;
    if (c->absent)
        return there ? ERR_NODE_EXISTS : ERR_OK;
    if (c->instance != 0 && (!there || v->instance != c->instance))
        return ERR_INSTANCE_GONE;
    if (!there)
        return ERR_NO_NODE;
    if (c->content_generation != 0 && c->content_generation != v->content_generation)
        return ERR_BAD_GENERATION;
    return ERR_OK;
}

static enum err change(struct model *m, const struct model_session *s, const Coord__V1__Change *c)
{
    switch (c->op_case) {
    case COORD__V1__CHANGE__OP_CREATE:
        return model_create(m, s, c->create);
    case COORD__V1__CHANGE__OP_PUT:
        return model_put(m, c->put);
    case COORD__V1__CHANGE__OP_DELETE:
        return model_delete(m, s == NULL ? 0 : s->id, c->delete_);
    case COORD__V1__CHANGE__OP__NOT_SET:
    default:
        return ERR_UNSUPPORTED;
    }
}

static void unwrite(struct model *m, const Coord__V1__Transaction *t)
{
    for (size_t i = 0; i < t->n_changes; i++) {
        const Coord__V1__Change *c = t->changes[i];
        if (c->op_case == COORD__V1__CHANGE__OP_CREATE)
            model_unwrite(m, model_content_of(c->create->content).number);
        else if (c->op_case == COORD__V1__CHANGE__OP_PUT)
            model_unwrite(m, model_content_of(c->put->content).number);
    }
}

/* A change can delete a node with its lock, that of the one who asks: with the
 * transaction refused the lock is there again. */
struct lost_lock {
    uint32_t path;
    struct model_claim claim;
};

static uint32_t note_locks(const struct model *m, const Coord__V1__Transaction *t,
                           struct lost_lock lost[CHANGES_MAX])
{
    uint32_t count = 0;
    CHECK(t->n_changes <= CHANGES_MAX);
    for (size_t i = 0; i < t->n_changes; i++) {
        const Coord__V1__Change *c = t->changes[i];
        uint32_t path = c->op_case == COORD__V1__CHANGE__OP_DELETE ? model_find(m, c->delete_->path)
                                                                   : UINT32_MAX;
        if (path != UINT32_MAX && m->paths[path].claims_count == 1)
            lost[count++] = (struct lost_lock){path, m->paths[path].claims[0]};
    }
    return count;
}

static void give_locks_back(struct model *m, const struct lost_lock *lost, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        m->paths[lost[i].path].claims[0] = lost[i].claim;
        m->paths[lost[i].path].claims_count = 1;
    }
}

enum err model_transaction(struct model *m, const struct model_session *s,
                           const Coord__V1__Transaction *t)
{
    enum err e = ERR_OK;
    uint32_t part = 0;
    uint64_t suffixes = m->suffixes;
    struct lost_lock lost[CHANGES_MAX];
    uint32_t lost_count = note_locks(m, t, lost);
    for (size_t i = 0; i < t->n_checks && e == ERR_OK; i++, part++)
        e = judge(m, t->checks[i]);
    for (size_t i = 0; i < t->n_changes && e == ERR_OK; i++, part++)
        e = change(m, s, t->changes[i]);
    if (e == ERR_OK) {
        m->journal->counts[COUNT_TRANSACTIONS]++;
        return e;
    }
    m->failed = part;
    m->suffixes = suffixes;
    m->journal->counts[COUNT_TRANSACTIONS_REFUSED]++;
    model_take_back(m);
    give_locks_back(m, lost, lost_count);
    unwrite(m, t);
    return e;
}
