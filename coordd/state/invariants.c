/* invariants.c - everything that must be true of a state, between two batches.
 *
 * For tests, the simulator and what was loaded: the cost is that of the whole
 * state. Each module's header says its invariants in words. */
#include <string.h>

#include "coordd/state/hand_over.h"
#include "coordd/state/lock.h"
#include "coordd/state/machine.h"
#include "coordd/state/node.h"
#include "coordd/state/path.h"
#include "coordd/state/session.h"
#include "libcoord/base/hash.h"

/* Returns from a function that tells what is broken. */
#define HOLDS(condition, broken) \
    do {                         \
        if (!(condition))        \
            return broken;       \
    } while (0)

static bool in_life(const struct state *s, const struct node *node, uint64_t generation)
{
    return generation >= node->instance && generation <= s->revision;
}

static const char *check_node(const struct state *s, const struct node *node)
{
    HOLDS(node->instance > 0 && node->instance <= s->revision, "node: instance");
    HOLDS(in_life(s, node, node->content_generation), "node: content generation");
    HOLDS(in_life(s, node, node->lock_generation), "node: lock generation");
    HOLDS(in_life(s, node, node->acl_generation), "node: acl generation");
    HOLDS(in_life(s, node, node->children_generation), "node: children generation");
    HOLDS(node->created_ms <= node->modified_ms && node->modified_ms <= s->time_ms, "node: times");
    HOLDS(node->record.kind == RECORD_NODE, "node: record");
    if (node->ephemeral != NULL) {
        HOLDS(node->ephemeral->node == node, "ephemeral: node");
        HOLDS(node->children.count == 0, "ephemeral: has children");
        HOLDS(sessions_find(s, node->ephemeral->owner->id) == node->ephemeral->owner,
              "ephemeral: owner is no session");
    }
    const struct content *content = node->content;
    if (content != NULL) {
        HOLDS(content->node == node && content->length > 0, "content: node");
        HOLDS(content->length <= STATE_CONTENT_BYTES_HARD, "content: too large");
        HOLDS(content->checksum == hash_bytes(0, node_content(node)), "content: checksum");
    }
    HOLDS(node->lock == NULL || node->lock->node == node, "node: lock of another");
    return NULL;
}

static const char *check_children(const struct node *node)
{
    const char *why;
    size_t count = 0;
    const struct node *before = NULL;
    for (struct avl_node *a = avl_first(&node->children); a != NULL; a = avl_next(a)) {
        const struct node *child = container_of(a, struct node, sibling);
        HOLDS(child->parent == node, "child: parent");
        HOLDS(path_check_component(node_name(child), &limits_hard, &why) == ERR_OK, "child: name");
        HOLDS(before == NULL || slice_compare(node_name(before), node_name(child)) < 0,
              "children: order");
        HOLDS(child->instance <= node->children_generation, "child: younger than parent's change");
        before = child;
        count++;
    }
    HOLDS(count == node->children.count, "children: count");
    return NULL;
}

static const char *check_nodes(const struct state *s, size_t *ret_ephemerals, size_t *ret_locks)
{
    uint64_t count = 0;
    *ret_ephemerals = *ret_locks = 0;
    HOLDS(s->root != NULL && s->root->parent == NULL && s->root->name_length == 0, "root");
    HOLDS(s->root->ephemeral == NULL, "root: ephemeral");
    for (const struct node *node = s->root; node != NULL; node = node_next(node)) {
        const char *broken = check_node(s, node);
        if (broken == NULL)
            broken = check_children(node);
        if (broken != NULL)
            return broken;
        *ret_ephemerals += node->ephemeral != NULL;
        *ret_locks += node->lock != NULL;
        count++;
    }
    HOLDS(count == s->nodes_count, "nodes: count");
    return NULL;
}

static const char *check_claim(const struct state *s, const struct lock *lock,
                               const struct claim *claim, bool held)
{
    HOLDS(claim->lock == lock, "claim: lock");
    HOLDS(sessions_find(s, claim->session->id) == claim->session, "claim: no such session");
    HOLDS(claim_of_seq(claim->session, claim->seq) == claim, "claim: not found by seq");
    HOLDS(claim_of_handle(claim->session, claim->handle) == claim, "claim: not found by handle");
    HOLDS(claim->seq > 0 && claim->seq <= claim->session->highest, "claim: seq not applied");
    HOLDS(claim->handle != 0, "claim: handle 0");
    HOLDS(claim_is_held(claim) == held, "claim: held or waiting");
    HOLDS(claim->generation <= s->revision, "claim: generation");
    HOLDS(claim->ticket > 0 && claim->ticket <= s->tickets_given, "claim: ticket");
    HOLDS(claim->since_ms <= s->time_ms, "claim: since");
    HOLDS(claim->sets_content || claim->content.length == 0, "claim: content");
    HOLDS(!held || !claim->sets_content, "claim: content not set when granted");
    HOLDS(held || kept_find(claim->session, claim->seq) == NULL, "claim: waits, but was answered");
    HOLDS(held || !claim->session->killed, "claim: a killed session waits");
    HOLDS(held || !claim->revoked, "claim: revoked, but not held");
    HOLDS(claim->lock_delay_ms <= LIMIT_LOCK_DELAY_MS, "claim: lock delay");
    const struct ephemeral *ephemeral = lock->node->ephemeral;
    HOLDS(ephemeral == NULL || ephemeral->owner == claim->session,
          "claim: on another session's ephemeral node");
    return NULL;
}

static const char *check_claims(const struct state *s, const struct lock *lock,
                                const struct list *head, bool held, uint64_t *last_ticket,
                                uint32_t *ret_count)
{
    *ret_count = 0;
    for (const struct list *at = head->next; at != head; at = at->next) {
        const struct claim *claim = container_of(at, struct claim, place);
        const char *broken = check_claim(s, lock, claim, held);
        if (broken != NULL)
            return broken;
        HOLDS(claim->ticket > *last_ticket, "lock: tickets do not rise");
        *last_ticket = claim->ticket;
        ++*ret_count;
    }
    return NULL;
}

static const char *check_lock(const struct state *s, const struct lock *lock)
{
    uint64_t ticket = 0;
    uint32_t holders, waiters;
    const char *broken = check_claims(s, lock, &lock->holders, true, &ticket, &holders);
    if (broken == NULL)
        broken = check_claims(s, lock, &lock->line, false, &ticket, &waiters);
    if (broken != NULL)
        return broken;
    HOLDS(holders == lock->holders_count && waiters == lock->waiters_count, "lock: counts");
    HOLDS(holders > 0 || lock->delay != NULL, "lock: nobody holds it");
    HOLDS(list_empty(&lock->left) && !lock->vacated, "lock: not settled");
    HOLDS(lock->node->lock == lock && node_find(s, lock_path(lock)) == lock->node, "lock: node");
    HOLDS(lock_next(lock) == NULL, "lock: somebody waits who could hold it");
    if (lock_mode(lock) == COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE) {
        const struct claim *holder = container_of(lock->holders.next, struct claim, place);
        HOLDS(holders == 1, "lock: two hold it exclusively");
        HOLDS(lock->delay == NULL, "lock: held exclusively, and delayed");
        HOLDS(holder->generation == lock->node->lock_generation, "lock: generation");
    }
    return NULL;
}

static const char *check_delay(const struct delay *delay)
{
    const struct lock *lock = delay->lock;
    HOLDS(lock->delay == delay && lock->node->lock == lock, "delay: lock");
    HOLDS(delay->delay_ms > 0 && delay->delay_ms <= LIMIT_LOCK_DELAY_MS, "delay: time");
    HOLDS(delay->generation > lock->node->instance &&
              delay->generation <= lock->node->lock_generation,
          "delay: generation");
    HOLDS(lock->node->ephemeral == NULL, "delay: on an ephemeral node");
    return NULL;
}

static const char *check_delays(const struct state *s)
{
    size_t count = 0;
    const struct delay *before = NULL;
    for (struct avl_node *a = avl_first(&s->delays); a != NULL; a = avl_next(a)) {
        const char *broken = check_delay(container_of(a, struct delay, by_path));
        if (broken != NULL)
            return broken;
        const struct delay *delay = container_of(a, struct delay, by_path);
        HOLDS(before == NULL || path_compare(lock_path(before->lock), lock_path(delay->lock)) < 0,
              "delays: order");
        before = delay;
    }
    for (struct avl_node *a = avl_first(&s->locks); a != NULL; a = avl_next(a))
        count += container_of(a, struct lock, by_path)->delay != NULL;
    HOLDS(count == s->delays.count, "delays: count");
    return NULL;
}

static const char *check_history(const struct state *s)
{
    const struct history *h = &s->history;
    uint64_t bytes = 0, next = h->floor + 1;
    HOLDS(h->floor > 0 && h->floor + h->count == s->revision, "history: does not end with now");
    for (uint32_t i = 0; i < h->pieces_count; i++) {
        const struct past *past = history_piece(h, i);
        HOLDS(past->first == next && past->revisions_count > 0, "history: revision");
        HOLDS(past->events_count > 0 && past->events[0].nth == 0 &&
                  past->events[past->events_count - 1].nth + 1 == past->revisions_count,
              "history: events");
        for (uint32_t e = 1; e < past->events_count; e++)
            HOLDS(past->events[e].nth - past->events[e - 1].nth <= 1, "history: gap");
        next += past->revisions_count;
        bytes += past->bytes;
    }
    HOLDS(next == s->revision + 1, "history: pieces");
    HOLDS(bytes == h->bytes && bytes <= s->limits.history_bytes, "history: bytes");
    return NULL;
}

static const char *check_locks(const struct state *s, size_t locks_of_nodes)
{
    HOLDS(s->locks.count == locks_of_nodes, "locks: count");
    for (struct avl_node *a = avl_first(&s->locks); a != NULL; a = avl_next(a)) {
        const char *broken = check_lock(s, container_of(a, struct lock, by_path));
        if (broken != NULL)
            return broken;
    }
    return NULL;
}

static const char *check_kept(const struct session *session)
{
    uint64_t order = 0;
    size_t count = 0;
    const struct list *head = &session->kept_in_order;
    for (const struct list *at = head->next; at != head; at = at->next) {
        const struct kept *kept = container_of(at, struct kept, in_order);
        HOLDS(kept->session == session && kept_find(session, kept->seq) == kept, "kept: session");
        HOLDS(kept->order > order && kept->order <= session->kept_order, "kept: order");
        HOLDS(kept->seq >= session->lowest && kept->seq <= session->highest, "kept: seq");
        order = kept->order;
        count++;
    }
    HOLDS(count == session->kept.count, "kept: count");
    return NULL;
}

static const char *check_session(const struct state *s, const struct session *session)
{
    HOLDS(session->id > 0 && session->id <= s->sessions_opened, "session: id");
    HOLDS(sessions_find_nonce(s, session->nonce) == session, "session: nonce");
    HOLDS(session->opened_ms <= s->time_ms, "session: opened");
    HOLDS(session->lowest <= session->highest, "session: lowest");
    HOLDS(session->kept.count <= s->limits.session_window, "session: keeps too many answers");
    size_t claims_count = session->claims_by_seq.count;
    HOLDS(claims_count == session->claims_by_handle.count, "session: claims");
    HOLDS(claims_count == (size_t)session->locks_count + session->waits_count,
          "session: counts of claims");
    uint32_t held = 0, revoked = 0;
    for (struct avl_node *a = avl_first(&session->claims_by_seq); a != NULL; a = avl_next(a)) {
        held += claim_is_held(container_of(a, struct claim, by_seq));
        revoked += container_of(a, struct claim, by_seq)->revoked;
    }
    HOLDS(held == session->locks_count, "session: count of locks");
    HOLDS(revoked == session->revoked_count, "session: count of revoked locks");
    for (struct avl_node *a = avl_first(&session->ephemerals); a != NULL; a = avl_next(a)) {
        const struct ephemeral *e = container_of(a, struct ephemeral, by_instance);
        HOLDS(e->owner == session && e->node->ephemeral == e, "session: ephemeral");
    }
    return check_kept(session);
}

static const char *check_sessions(const struct state *s, size_t ephemerals_of_nodes)
{
    size_t ephemerals = 0;
    HOLDS(s->sessions.count == s->nonces.count, "sessions: count");
    for (const struct session *n = sessions_above(s, 0); n != NULL; n = sessions_above(s, n->id)) {
        const char *broken = check_session(s, n);
        if (broken != NULL)
            return broken;
        ephemerals += n->ephemerals.count;
    }
    HOLDS(sessions_find(s, 0) == NULL, "session: id 0");
    HOLDS(ephemerals == ephemerals_of_nodes, "sessions: count of ephemerals");
    return NULL;
}

struct sum {
    uint64_t hash[2];
    struct buffer last_key;
    bool rises;
};

static void add(void *context, struct slice key, struct slice value)
{
    struct sum *sum = context;
    ledger_hash(sum->hash, key, value);
    sum->rises &= slice_compare(buffer_slice(&sum->last_key), key) < 0;
    buffer_clear(&sum->last_key);
    buffer_put(&sum->last_key, key.data, key.length);
}

static bool places_are_right(const struct ledger_list *dirty, bool handed)
{
    uint32_t i = 0;
    while (i < dirty->count && dirty->list[i]->dirty == i + 1 && dirty->list[i]->handed == handed)
        i++;
    return i == dirty->count;
}

static const char *check_ledger(const struct state *s)
{
    struct sum sum = {.rises = true};
    state_records(s, add, &sum);
    buffer_release(&sum.last_key);
    HOLDS(sum.rises, "records: keys do not rise");
    HOLDS(sum.hash[0] == s->ledger.hash[0] && sum.hash[1] == s->ledger.hash[1],
          "ledger: the hash is not that of the records");
    HOLDS(s->ledger.touched.count == 0, "ledger: not settled");
    HOLDS(!s->journal.open && s->journal.last == NULL, "journal: open");
    return places_are_right(&s->ledger.lasting, false) &&
                   places_are_right(&s->ledger.fleeting, false) &&
                   places_are_right(&s->ledger.handed, true)
               ? NULL
               : "ledger: place of a dirty record";
}

const char *state_check(const struct state *s)
{
    size_t ephemerals, locks;
    const char *broken = check_nodes(s, &ephemerals, &locks);
    if (broken == NULL)
        broken = check_sessions(s, ephemerals);
    if (broken == NULL)
        broken = check_locks(s, locks);
    if (broken == NULL)
        broken = check_delays(s);
    if (broken == NULL)
        broken = check_history(s);
    if (broken == NULL && s->hand_over != NULL && !hand_over_is_sound(s->hand_over))
        broken = "hand-over: order";
    if (broken == NULL)
        broken = check_ledger(s);
    return broken;
}
