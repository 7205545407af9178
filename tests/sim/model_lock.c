/* model_lock.c - the lock of each node and its line: first come, first served; a
 * release and the grants that follow from it are one revision. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coord/v1/coord.pb-c.h"
#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"
#include "tests/sim/model_internal.h"
#include "tests/sim/paths.h"

static uint32_t holders_count(const struct model_path *p)
{
    uint32_t count = 0;
    while (count < p->claims_count && p->claims[count].generation != 0)
        count++;
    return count;
}

static bool can_join(const struct model_path *p, bool exclusive)
{
    if (p->delay != 0)
        return false;
    return holders_count(p) == 0 || (!exclusive && !p->claims[0].exclusive);
}

static void drop_claim(struct model_path *p, uint32_t at)
{
    p->claims_count--;
    memmove(&p->claims[at], &p->claims[at + 1], (p->claims_count - at) * sizeof(p->claims[0]));
}

void model_forget_claims(struct model *m, uint32_t path)
{
    m->paths[path].claims_count = 0;
    m->paths[path].delay = 0;
}

/* The version shows who holds it now. */
static void show(struct model *m, uint32_t path)
{
    struct model_version *v = model_change(m, path);
    const struct model_path *p = &m->paths[path];
    v->lock_generation = v->lock_changed = v->revision;
    v->holders_count = holders_count(p);
    v->exclusive = v->holders_count > 0 && p->claims[0].exclusive;
    v->delayed = p->delay != 0;
    for (uint32_t i = 0; i < v->holders_count && i < MODEL_HOLDERS_MAX; i++)
        v->holders[i] = p->claims[i].generation;
    if (m->content_set)
        model_event(m, path, COORD__V1__EVENT__KIND__CONTENT);
    m->content_set = false;
    model_event(m, path,
                v->holders_count > 0 ? COORD__V1__EVENT__KIND__LOCK_HELD
                                     : COORD__V1__EVENT__KIND__LOCK_FREE);
}

static void grant_one(struct model *m, uint32_t path, uint32_t at)
{
    struct model_version *v = model_change(m, path);
    struct model_claim *claim = &m->paths[path].claims[at];
    uint32_t known = path_index(m->paths[path].text);
    claim->generation = v->revision;
    if (claim->sets_content)
        model_set_content(m, v,
                          &(struct model_content){claim->content_hash, claim->content_number,
                                                  claim->content_length});
    m->journal->counts[COUNT_GRANTS]++;
    if (known < PATHS_COUNT) {
        /* Those who share it are let in together. */
        if (v->revision < m->last_grant[known] ||
            (v->revision == m->last_grant[known] && claim->exclusive))
            journal_fail(m->journal, VERDICT_SAFETY,
                         "%s is granted with generation %" PRIu64 " after %" PRIu64,
                         m->paths[path].text, v->revision, m->last_grant[known]);
        m->last_grant[known] = v->revision;
    }
    model_tell(m, claim->session, claim->seq, ERR_OK, claim->generation);
    journal_trace(m->journal, "%s is granted to session %" PRIu64 ", generation %" PRIu64,
                  m->paths[path].text, claim->session, claim->generation);
    m->listener.granted(m->listener.context, known, claim->session, claim->exclusive);
}

/* Grants from the front what can be granted. */
static uint32_t let_in(struct model *m, uint32_t path)
{
    struct model_path *p = &m->paths[path];
    uint32_t granted = 0;
    for (;;) {
        uint32_t next = holders_count(p);
        if (next == p->claims_count || !can_join(p, p->claims[next].exclusive))
            return granted;
        grant_one(m, path, next);
        granted++;
    }
}

static void give_back(struct model *m, uint32_t path, uint32_t at, bool clear_content)
{
    struct model_version *v = model_change(m, path);
    if (clear_content)
        model_set_content(m, v, &(struct model_content){hash_bytes(0, slice_of(NULL, 0)), 0, 0});
    drop_claim(&m->paths[path], at);
    if (let_in(m, path) > 0)
        m->journal->counts[COUNT_HAND_OFFS]++;
    show(m, path);
}

/* Who left the line may have stood before some who can be let in. */
static void left_line(struct model *m, uint32_t path)
{
    if (let_in(m, path) > 0)
        show(m, path);
}

static bool has_handle(const struct model *m, uint64_t session, uint64_t handle)
{
    for (uint32_t i = 0; i < m->paths_count; i++)
        for (uint32_t k = 0; k < m->paths[i].claims_count; k++)
            if (m->paths[i].claims[k].session == session && m->paths[i].claims[k].handle == handle)
                return true;
    return false;
}

enum err model_acquire(struct model *m, uint64_t session, uint64_t seq, const Coord__V1__Acquire *c,
                       bool *ret_waits)
{
    bool exclusive = c->mode == COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE;
    uint32_t path = model_find(m, c->path);
    bool there = path != UINT32_MAX && model_alive(m, path);
    if (c->instance != 0 && (!there || model_now(m, path)->instance != c->instance))
        return ERR_INSTANCE_GONE;
    if (!there)
        return ERR_NO_NODE;
    uint64_t owner = model_now(m, path)->owner;
    if (owner != 0 && owner != session)
        return ERR_EPHEMERAL;
    if (has_handle(m, session, c->handle))
        return ERR_INVALID;
    struct model_path *p = &m->paths[path];
    bool is_free = holders_count(p) == p->claims_count && can_join(p, exclusive);
    if (!is_free && !c->wait)
        return ERR_LOCK_HELD;
    if (p->claims_count == p->claims_capacity) {
        p->claims_capacity = p->claims_capacity == 0 ? 8 : 2 * p->claims_capacity;
        p->claims = check_realloc(p->claims, p->claims_capacity * sizeof(p->claims[0]));
    }
    struct model_content content = {0, 0, 0};
    bool sets = c->on_grant_case == COORD__V1__ACQUIRE__ON_GRANT_CONTENT;
    if (sets)
        content = model_content_of(c->content);
    p->claims[p->claims_count++] = (struct model_claim){
        .session = session,
        .seq = seq,
        .handle = c->handle,
        .exclusive = exclusive,
        .lock_delay_ms = c->lock_delay_ms,
        .sets_content = sets,
        .content_hash = content.hash,
        .content_number = content.number,
        .content_length = content.length,
    };
    *ret_waits = let_in(m, path) == 0;
    if (!*ret_waits)
        show(m, path);
    return ERR_OK;
}

enum err model_release_lock(struct model *m, uint64_t session, const Coord__V1__Release *c)
{
    uint32_t path = model_find(m, c->path);
    bool there = path != UINT32_MAX && model_alive(m, path);
    if (c->instance != 0 && (!there || model_now(m, path)->instance != c->instance))
        return ERR_INSTANCE_GONE;
    if (!there)
        return ERR_NOT_HELD;
    const struct model_path *p = &m->paths[path];
    for (uint32_t i = 0; i < p->claims_count; i++)
        if (p->claims[i].session == session && p->claims[i].handle == c->handle &&
            p->claims[i].generation != 0) {
            give_back(m, path, i, c->clear_content);
            return ERR_OK;
        }
    return ERR_NOT_HELD;
}

enum err model_cancel(struct model *m, uint64_t session, uint64_t acquire_seq)
{
    for (uint32_t i = 0; i < m->paths_count; i++) {
        struct model_path *p = &m->paths[i];
        for (uint32_t k = 0; k < p->claims_count; k++) {
            if (p->claims[k].session != session || p->claims[k].seq != acquire_seq)
                continue;
            if (p->claims[k].generation != 0) {
                give_back(m, i, k, false);
            } else {
                model_tell(m, session, acquire_seq, ERR_CANCELLED, 0);
                drop_claim(p, k);
                left_line(m, i);
            }
            return ERR_OK;
        }
    }
    return ERR_OK;
}

/* Takes the session's claims of one path out, the waiting ones only or all. */
static void leave(struct model *m, uint32_t path, uint64_t session, bool lines_only, bool died)
{
    struct model_path *p = &m->paths[path];
    uint32_t delay_ms = 0;
    bool left = false, held = false;
    for (uint32_t k = p->claims_count; k-- > 0;) {
        const struct model_claim *claim = &p->claims[k];
        bool holds = claim->generation != 0;
        if (claim->session != session || (lines_only && holds))
            continue;
        if (died && holds && claim->lock_delay_ms > delay_ms)
            delay_ms = claim->lock_delay_ms;
        left = true;
        held |= holds;
        drop_claim(p, k);
    }
    if (!held) {
        if (left)
            left_line(m, path);
        return;
    }
    if (delay_ms > 0) {
        /* Of two delays the longer counts, in full. */
        p->delay_ms = p->delay != 0 && p->delay_ms > delay_ms ? p->delay_ms : delay_ms;
        p->delay = model_step(m);
        m->journal->counts[COUNT_LOCK_DELAYS]++;
        m->listener.delayed(m->listener.context, path_index(p->text), p->delay_ms);
    }
    if (let_in(m, path) > 0)
        m->journal->counts[COUNT_HAND_OFFS]++;
    show(m, path);
}

void model_leave_lines(struct model *m, uint64_t session)
{
    for (uint32_t i = 0; i < m->paths_count; i++)
        leave(m, i, session, true, false);
}

void model_leave_locks(struct model *m, uint64_t session, bool died)
{
    for (uint32_t i = 0; i < m->paths_count; i++)
        leave(m, i, session, false, died);
}

/* Whoever holds it holds it until it lets go, or its session is over. */
enum err model_force_unlock(struct model *m, const Coord__V1__ForceUnlock *c)
{
    uint32_t path = model_find(m, c->path);
    bool there = path != UINT32_MAX && model_alive(m, path);
    if (c->instance != 0 && (!there || model_now(m, path)->instance != c->instance))
        return ERR_INSTANCE_GONE;
    if (!there)
        return ERR_NO_NODE;
    struct model_path *p = &m->paths[path];
    uint32_t holders = holders_count(p);
    if (holders == 0)
        return ERR_NOT_HELD;
    for (uint32_t i = 0; i < holders; i++)
        p->claims[i].revoked = true;
    m->journal->counts[COUNT_LOCKS_FORCED]++;
    return ERR_OK;
}

void model_end_delay(struct model *m, const Coord__V1__EndLockDelay *c)
{
    uint32_t path = model_find(m, c->path);
    if (c->ballot < m->leader_ballot || path == UINT32_MAX || !model_alive(m, path) ||
        model_now(m, path)->instance != c->instance)
        return;
    struct model_path *p = &m->paths[path];
    if (p->delay == 0 || p->delay != c->generation)
        return;
    p->delay = 0;
    m->listener.delay_over(m->listener.context, path_index(p->text));
    if (let_in(m, path) > 0)
        m->journal->counts[COUNT_HAND_OFFS]++;
    show(m, path);
}

/* <cell>:<instance>:<x or s>:<generation>:<path> */
enum err model_guard(const struct model *m, const char *sequencer)
{
    uint64_t instance, generation;
    char mode, path[MODEL_PATH_BYTES];
    if (sequencer[0] == '\0')
        return ERR_OK;
    if (sscanf(sequencer, "%*32[0-9a-f]:%" SCNu64 ":%c:%" SCNu64 ":%31s", &instance, &mode,
               &generation, path) != 4)
        return ERR_INVALID;
    uint32_t node = model_find(m, path);
    if (node == UINT32_MAX || !model_alive(m, node) || model_now(m, node)->instance != instance)
        return ERR_STALE_SEQUENCER;
    const struct model_path *p = &m->paths[node];
    for (uint32_t i = 0; i < holders_count(p); i++)
        if (p->claims[i].generation == generation && p->claims[i].exclusive == (mode == 'x'))
            return ERR_OK;
    return ERR_STALE_SEQUENCER;
}

bool model_locked_by_others(const struct model *m, uint32_t path, uint64_t session, uint64_t handle)
{
    const struct model_path *p = &m->paths[path];
    if (p->claims_count == 0)
        return p->delay != 0;
    return p->delay != 0 || p->claims_count > 1 || session == 0 ||
           p->claims[0].session != session || p->claims[0].handle != handle;
}
