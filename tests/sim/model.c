/* model.c - see model.h. Entries and sessions; versions, nodes and locks have files
 * of their own. */
#include "tests/sim/model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"
#include "tests/sim/model_internal.h"

/* ---- life ---- */

void model_init(struct model *m, struct journal *journal, const struct model_listener *listener,
                uint64_t history_bytes_max)
{
    memset(m, 0, sizeof(*m));
    m->journal = journal;
    m->listener = *listener;
    m->history_bytes_max = history_bytes_max == 0 ? UINT64_MAX : history_bytes_max;
    m->history_floor = 1;
    /* A new cell: revision 1 made the root. */
    struct model_version *root = model_change(m, model_name(m, "/"));
    root->alive = true;
    root->instance = root->content_generation = root->lock_generation = 1;
    root->children_generation = 1;
    m->changed = false;
}

void model_release(struct model *m)
{
    for (uint32_t i = 0; i < m->paths_count; i++) {
        free(m->paths[i].versions);
        free(m->paths[i].claims);
    }
    for (uint32_t i = 0; i < m->sessions_count; i++)
        free(m->sessions[i].answers);
    free(m->paths);
    free(m->sessions);
    free(m->events);
    free(m->revision_after);
    free(m->written);
    memset(m, 0, sizeof(*m));
}

/* ---- sessions ---- */

static struct model_session *session_of(struct model *m, uint64_t session)
{
    return session == 0 || session > m->sessions_count ? NULL : &m->sessions[session - 1];
}

const struct model_session *model_session(const struct model *m, uint64_t session)
{
    return session == 0 || session > m->sessions_count ? NULL : &m->sessions[session - 1];
}

struct model_answer *model_answer(struct model *m, uint64_t session, uint64_t seq)
{
    struct model_session *s = session_of(m, session);
    if (s == NULL)
        return NULL;
    uint32_t low = 0, high = s->answers_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (s->answers[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->answers_count && s->answers[low].seq == seq ? &s->answers[low] : NULL;
}

static void add_answer(struct model_session *s, const struct model_answer *answer)
{
    if (s->answers_count == s->answers_capacity) {
        s->answers_capacity = s->answers_capacity == 0 ? 64 : 2 * s->answers_capacity;
        s->answers = check_realloc(s->answers, s->answers_capacity * sizeof(s->answers[0]));
    }
    s->answers[s->answers_count++] = *answer;
}

void model_tell(struct model *m, uint64_t session, uint64_t seq, enum err status,
                uint64_t generation)
{
    struct model_answer *a = model_answer(m, session, seq);
    if (a == NULL) /* the command at hand itself */
        return;
    a->waiting = false;
    a->status = status;
    a->revision = m->revision;
    a->generation = generation;
}

static void open_session(struct model *m, const Coord__V1__OpenSession *c)
{
    uint64_t nonce_hash = hash_bytes(0, slice_of(c->nonce.data, c->nonce.len));
    for (uint32_t i = 0; i < m->sessions_count; i++)
        if (m->sessions[i].alive && m->sessions[i].nonce_hash == nonce_hash)
            return; /* asked twice */
    if (m->sessions_count == m->sessions_capacity) {
        m->sessions_capacity = m->sessions_capacity == 0 ? 32 : 2 * m->sessions_capacity;
        m->sessions = check_realloc(m->sessions, m->sessions_capacity * sizeof(m->sessions[0]));
    }
    m->sessions[m->sessions_count] = (struct model_session){
        .id = m->sessions_count + 1, .nonce_hash = nonce_hash, .alive = true};
    m->sessions_count++;
    m->journal->counts[COUNT_SESSIONS_OPENED]++;
}

static bool contended(const struct model *m, uint64_t session)
{
    for (uint32_t i = 0; i < m->paths_count; i++) {
        const struct model_path *p = &m->paths[i];
        for (uint32_t k = 0; k + 1 < p->claims_count; k++)
            if (p->claims[k].session == session && p->claims[k].generation != 0 &&
                p->claims[p->claims_count - 1].generation == 0)
                return true;
    }
    return false;
}

/* One entry: ephemeral nodes deleted, lines left, locks passed on. */
static void end_session(struct model *m, struct model_session *s, bool died)
{
    s->alive = false;
    model_delete_ephemerals(m, s->id);
    model_leave_locks(m, s->id, died);
}

static void expire_session(struct model *m, const Coord__V1__ExpireSession *c)
{
    struct model_session *s = session_of(m, c->session);
    if (c->ballot < m->leader_ballot || s == NULL || !s->alive)
        return; /* of a deposed leader, or too late */
    m->journal->counts[COUNT_SESSIONS_EXPIRED]++;
    if (contended(m, c->session))
        m->journal->counts[COUNT_EXPIRIES_WITH_LOCKS]++;
    journal_trace(m->journal, "session %" PRIu64 " is expired by ballot %" PRIu64, c->session,
                  c->ballot);
    s->expired = true;
    m->listener.expired(m->listener.context, c->session);
    end_session(m, s, true);
}

/* Until its client agrees, or its lease is over. */
static enum err kill_session(struct model *m, const Coord__V1__KillSession *c)
{
    struct model_session *s = session_of(m, c->session);
    if (s == NULL || !s->alive)
        return ERR_NO_NODE;
    if (s->killed)
        return ERR_OK;
    s->killed = true;
    m->journal->counts[COUNT_SESSIONS_KILLED]++;
    model_leave_lines(m, s->id);
    return ERR_OK;
}

static bool killed_may(const Coord__V1__Command *c)
{
    return c->op_case == COORD__V1__COMMAND__OP_END_SESSION ||
           c->op_case == COORD__V1__COMMAND__OP_RELEASE ||
           c->op_case == COORD__V1__COMMAND__OP_CANCEL;
}

/* ---- commands ---- */

static enum err apply_one(struct model *m, struct model_session *s, const Coord__V1__Command *c,
                          bool *ret_waits)
{
    uint64_t session = s == NULL ? 0 : s->id;
    if (s != NULL && s->killed && !killed_may(c))
        return ERR_CANCELLED;
    switch (c->op_case) {
    case COORD__V1__COMMAND__OP_CREATE:
        return model_create(m, s, c->create);
    case COORD__V1__COMMAND__OP_PUT:
        return model_put(m, c->put);
    case COORD__V1__COMMAND__OP_DELETE:
        return model_delete(m, session, c->delete_);
    case COORD__V1__COMMAND__OP_ACQUIRE:
        return model_acquire(m, session, c->seq, c->acquire, ret_waits);
    case COORD__V1__COMMAND__OP_RELEASE:
        return model_release_lock(m, session, c->release);
    case COORD__V1__COMMAND__OP_CANCEL:
        return model_cancel(m, session, c->cancel->acquire_seq);
    case COORD__V1__COMMAND__OP_END_SESSION:
        m->journal->counts[COUNT_SESSIONS_ENDED]++;
        end_session(m, s, s->killed);
        return ERR_OK;
    case COORD__V1__COMMAND__OP_TRANSACTION:
        return model_transaction(m, s, c->transaction);
    case COORD__V1__COMMAND__OP_FORCE_UNLOCK:
        return model_force_unlock(m, c->force_unlock);
    case COORD__V1__COMMAND__OP_KILL_SESSION:
        return kill_session(m, c->kill_session);
    case COORD__V1__COMMAND__OP_END_LOCK_DELAY:
        model_end_delay(m, c->end_lock_delay);
        return ERR_OK;
    case COORD__V1__COMMAND__OP_HAND_OVER:
    case COORD__V1__COMMAND__OP_COMPARE_STATES:
        return ERR_OK; /* changes no node */
    default:
        return ERR_INTERNAL;
    }
}

/* Exactly once: only a number above all before counts. */
static void apply_in_session(struct model *m, const Coord__V1__Command *c)
{
    struct model_session *s = session_of(m, c->session);
    if (s == NULL || !s->alive)
        return;
    uint64_t lowest = c->lowest < c->seq ? c->lowest : c->seq;
    if (lowest > s->lowest)
        s->lowest = lowest;
    if (c->seq <= s->highest) {
        m->journal->counts[COUNT_DUPLICATES_IN_LOG]++;
        return;
    }
    s->highest = c->seq;
    add_answer(s, &(struct model_answer){.seq = c->seq, .waiting = true});
    bool waits = false;
    m->failed = 0;
    enum err status = apply_one(m, s, c, &waits);
    struct model_answer *a = model_answer(m, c->session, c->seq);
    if (waits || !a->waiting)
        return; /* in line, or granted */
    a->waiting = false;
    a->status = status;
    a->revision = m->revision;
    a->failed = m->failed;
}

static void apply_command(struct model *m, const Coord__V1__Command *c)
{
    bool waits = false;
    m->changed = m->content_set = false;
    if (c->session != 0)
        apply_in_session(m, c);
    else if (c->op_case == COORD__V1__COMMAND__OP_OPEN_SESSION)
        open_session(m, c->open_session);
    else if (c->op_case == COORD__V1__COMMAND__OP_EXPIRE_SESSION)
        expire_session(m, c->expire_session);
    else
        (void)apply_one(m, NULL, c, &waits);
    if (m->changed)
        model_keep_history(m);
}

static void apply_batch(struct model *m, const struct log_entry *entry)
{
    Coord__V1__Batch *batch =
        coord__v1__batch__unpack(NULL, entry->value->length, entry->value->data);
    if (batch == NULL) {
        journal_fail(m->journal, VERDICT_SAFETY, "slot %" PRIu64 " holds no batch", entry->slot);
        return;
    }
    for (size_t i = 0; i < batch->n_commands; i++)
        apply_command(m, batch->commands[i]);
    coord__v1__batch__free_unpacked(batch, NULL);
}

void model_follow(struct model *m, const struct truth *t)
{
    while (m->slot < t->prefix) {
        const struct log_entry *entry = truth_chosen(t, ++m->slot);
        if (m->slot >= m->revision_after_capacity) {
            m->revision_after_capacity = 2 * m->slot + 512;
            m->revision_after = check_realloc(m->revision_after, m->revision_after_capacity *
                                                                     sizeof(m->revision_after[0]));
        }
        if (entry->kind == ENTRY_BATCH) {
            apply_batch(m, entry);
        } else if (entry->kind == ENTRY_LEADER_START) {
            struct reader r = reader_of(blob_slice(entry->value));
            uint64_t ballot = reader_u64(&r);
            if (ballot > m->leader_ballot)
                m->leader_ballot = ballot;
        }
        m->revision_after[m->slot] = m->revision;
        journal_trace(m->journal, "slot %" PRIu64 " is chosen, kind %" PRIu32 ", revision %" PRIu64,
                      m->slot, entry->kind, m->revision);
    }
}
