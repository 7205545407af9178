/* state.c - the life of a state, and its plain facts. See state.h. */
#include "coordd/state/state.h"

#include <stdlib.h>
#include <string.h>

#include "coord/v1/command.pb-c.h"
#include "coordd/state/hand_over.h"
#include "coordd/state/lock.h"
#include "coordd/state/machine.h"
#include "coordd/state/node.h"
#include "coordd/state/path.h"
#include "coordd/state/session.h"
#include "coordd/state/stat.h"
#include "libcoord/base/check.h"

_Static_assert((int)ERR_NO_SPACE == (int)COORD__V1__STATUS__NO_SPACE, "one table of outcomes");
_Static_assert((int)ERR_EXPIRED == (int)COORD__V1__STATUS__EXPIRED, "one table of outcomes");
_Static_assert((int)ERR_CANCELLED == (int)COORD__V1__STATUS__CANCELLED, "one table of outcomes");

enum { FIRST_REVISION = 1 }; /* 0 means "not asked" in conditions, so the root has 1 */

struct state *state_new(const uint8_t cell[STATE_CELL_ID_BYTES])
{
    struct state *s = check_calloc(1, sizeof *s);
    record_init(&s->record, RECORD_META);
    memcpy(s->cell, cell, sizeof s->cell);
    s->feature_level = STATE_FEATURE_LEVEL;
    s->revision = FIRST_REVISION;
    s->limits = limits_of_a_new_cell;
    s->history.floor = FIRST_REVISION; /* of the root's making nobody is told */
    ledger_init(&s->ledger);
    /* No bound but those of a batch and of a session's end. */
    arena_init(&s->arena, SIZE_MAX);

    struct node *root = node_new_root(s);
    root->instance = root->content_generation = root->lock_generation = FIRST_REVISION;
    root->acl_generation = root->children_generation = FIRST_REVISION;
    ledger_touch(&s->ledger, &s->record);
    ledger_touch(&s->ledger, &root->record);
    ledger_settle(s);
    return s;
}

void state_free(struct state *s)
{
    if (s == NULL)
        return;
    lock_free_all(s);
    node_free_all(s);
    sessions_free_all(s);
    history_free_all(&s->history);
    hand_over_free(s->hand_over);
    ledger_release(&s->ledger);
    arena_release(&s->arena);
    buffer_release(&s->last_key);
    free(s);
}

uint64_t state_revision(const struct state *s)
{
    return s->revision;
}

uint64_t state_time_ms(const struct state *s)
{
    return s->time_ms;
}

uint64_t state_nodes_count(const struct state *s)
{
    return s->nodes_count;
}

uint64_t state_sessions_count(const struct state *s)
{
    return s->sessions.count;
}

void state_hash(const struct state *s, uint64_t ret[2])
{
    ret[0] = s->ledger.hash[0];
    ret[1] = s->ledger.hash[1];
}

void state_hash_put(const uint64_t hash[2], uint8_t out[STATE_HASH_BYTES])
{
    for (size_t i = 0; i < STATE_HASH_BYTES; i++)
        out[i] = (uint8_t)(hash[i / 8] >> (8 * (i % 8)));
}

void state_hash_take(const uint8_t bytes[STATE_HASH_BYTES], uint64_t ret[2])
{
    struct reader r = reader_of(slice_of(bytes, STATE_HASH_BYTES));
    ret[0] = reader_u64(&r);
    ret[1] = reader_u64(&r);
}

bool state_content(const struct state *s, struct slice path, struct slice *ret_content,
                   uint64_t *ret_generation)
{
    const struct node *node = node_find(s, path);
    if (node == NULL)
        return false;
    *ret_content = node_content(node);
    *ret_generation = node->content_generation;
    return true;
}

bool state_stat(const struct state *s, struct slice path, struct buffer *stat)
{
    const char *why;
    if (path_check(path, &limits_hard, &why) != ERR_OK)
        return false;
    const struct node *node = node_find(s, path);
    if (node == NULL)
        return false;
    uint8_t packed[STAT_BYTES_MAX];
    buffer_put(stat, packed, stat_pack(node, path, packed));
    return true;
}

uint64_t state_session_last_seq(const struct state *s, uint64_t session)
{
    const struct session *found = sessions_find(s, session);
    return found == NULL ? 0 : found->highest;
}

enum state_seq state_session_seq(const struct state *s, uint64_t session, uint64_t seq,
                                 struct slice *ret_answer)
{
    *ret_answer = slice_of(NULL, 0);
    const struct session *found = sessions_find(s, session);
    if (found == NULL || seq == 0)
        return STATE_SEQ_REFUSED;
    if (seq > found->highest)
        return STATE_SEQ_NEW;
    const struct kept *kept = kept_find(found, seq);
    if (kept != NULL) {
        *ret_answer = kept_answer(kept);
        return STATE_SEQ_ANSWERED;
    }
    const struct claim *claim = claim_of_seq(found, seq);
    return claim != NULL && !claim_is_held(claim) ? STATE_SEQ_WAITING : STATE_SEQ_REFUSED;
}

enum state_hold state_session_hold(const struct state *s, uint64_t session)
{
    const struct session *found = sessions_find(s, session);
    if (found == NULL)
        return STATE_HOLD_NONE;
    return session_hold(found);
}

bool state_delay_next(const struct state *s, struct slice after, struct state_delay *ret)
{
    const struct delay *delay = delay_above(s, after);
    if (delay == NULL)
        return false;
    *ret = (struct state_delay){.path = lock_path(delay->lock),
                                .instance = delay->lock->node->instance,
                                .generation = delay->generation,
                                .delay_ms = delay->delay_ms};
    return true;
}

bool state_revoked_next(const struct state *s, uint64_t session, uint64_t after,
                        struct state_revoked *ret)
{
    const struct session *found = sessions_find(s, session);
    if (found == NULL || found->revoked_count == 0)
        return false;
    const struct claim *claim = claim_above_handle(found, after);
    while (claim != NULL && !claim->revoked)
        claim = claim_above_handle(found, claim->handle);
    if (claim == NULL)
        return false;
    *ret = (struct state_revoked){.path = lock_path(claim->lock),
                                  .instance = claim->lock->node->instance,
                                  .generation = claim->generation,
                                  .handle = claim->handle};
    return true;
}
