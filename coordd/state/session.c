/* session.c - see session.h. */
#include "coordd/state/session.h"

#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"

static int compare_id(const void *key, const struct avl_node *a)
{
    return compare_numbers(*(const uint64_t *)key, container_of(a, struct session, by_id)->id);
}

static int compare_nonce(const void *key, const struct avl_node *a)
{
    return memcmp(key, container_of(a, struct session, by_nonce)->nonce, STATE_NONCE_BYTES);
}

static int compare_seq(const void *key, const struct avl_node *a)
{
    return compare_numbers(*(const uint64_t *)key, container_of(a, struct kept, by_seq)->seq);
}

struct session *sessions_find(const struct state *s, uint64_t id)
{
    struct avl_node *found = avl_find(&s->sessions, &id, compare_id);
    return container_of_or_null(found, struct session, by_id);
}

struct session *sessions_find_nonce(const struct state *s, const uint8_t nonce[STATE_NONCE_BYTES])
{
    struct avl_node *found = avl_find(&s->nonces, nonce, compare_nonce);
    return container_of_or_null(found, struct session, by_nonce);
}

struct session *sessions_above(const struct state *s, uint64_t id)
{
    struct avl_node *found = avl_above(&s->sessions, &id, compare_id);
    return container_of_or_null(found, struct session, by_id);
}

static char *text_copy(struct slice text)
{
    return check_strndup(text.length == 0 ? "" : (const char *)text.data, text.length);
}

static void free_session(struct session *session)
{
    free(session->host);
    free(session->principal);
    free(session);
}

struct session *sessions_add(struct state *s, uint64_t id, const struct session_terms *terms)
{
    if (sessions_find(s, id) != NULL || sessions_find_nonce(s, terms->nonce) != NULL)
        return NULL;
    struct session *session = check_calloc(1, sizeof *session);
    record_init(&session->record, RECORD_SESSION);
    session->id = id;
    memcpy(session->nonce, terms->nonce, sizeof session->nonce);
    memcpy(session->secret, terms->secret, sizeof session->secret);
    session->ttl_ms = terms->ttl_ms;
    session->pid = terms->pid;
    session->host = text_copy(terms->host);
    session->principal = text_copy(terms->principal);
    list_init(&session->kept_in_order);
    CHECK(avl_insert(&s->sessions, &session->by_id, &id, compare_id) == NULL);
    CHECK(avl_insert(&s->nonces, &session->by_nonce, session->nonce, compare_nonce) == NULL);
    return session;
}

enum state_hold session_hold(const struct session *session)
{
    if (session->killed)
        return STATE_HOLD_KILLED;
    return session->revoked_count > 0 ? STATE_HOLD_REVOKED : STATE_HOLD_NONE;
}

static void kept_unlink(struct kept *kept)
{
    avl_remove(&kept->session->kept, &kept->by_seq);
    list_remove(&kept->in_order);
    free(kept);
}

static void kept_drop(struct state *s, struct kept *kept)
{
    ledger_remove(s, &kept->record);
    kept_unlink(kept);
}

static struct kept *kept_oldest(const struct session *session)
{
    struct list *first = list_first(&session->kept_in_order);
    return container_of_or_null(first, struct kept, in_order);
}

void sessions_remove(struct state *s, struct session *session)
{
    CHECK(session->claims_by_seq.count == 0 && session->ephemerals.count == 0);
    struct kept *kept;
    while ((kept = kept_oldest(session)) != NULL)
        kept_drop(s, kept);
    ledger_remove(s, &session->record);
    avl_remove(&s->sessions, &session->by_id);
    avl_remove(&s->nonces, &session->by_nonce);
    free_session(session);
}

void sessions_free_all(struct state *s)
{
    struct avl_node *first;
    while ((first = avl_first(&s->sessions)) != NULL) {
        struct session *session = container_of(first, struct session, by_id);
        struct kept *kept;
        while ((kept = kept_oldest(session)) != NULL)
            kept_unlink(kept);
        avl_remove(&s->sessions, first);
        free_session(session);
    }
    s->nonces = (struct avl)AVL_INIT;
}

struct kept *kept_find(const struct session *session, uint64_t seq)
{
    struct avl_node *found = avl_find(&session->kept, &seq, compare_seq);
    return container_of_or_null(found, struct kept, by_seq);
}

struct slice kept_answer(const struct kept *kept)
{
    return slice_of(kept->data, kept->length);
}

struct kept *kept_attach(struct session *session, uint64_t seq, uint64_t order, struct slice answer)
{
    CHECK(answer.length <= UINT32_MAX);
    struct kept *kept = check_malloc(sizeof *kept + answer.length);
    record_init(&kept->record, RECORD_ANSWER);
    if (avl_insert(&session->kept, &kept->by_seq, &seq, compare_seq) != NULL) {
        free(kept);
        return NULL;
    }
    list_append(&session->kept_in_order, &kept->in_order);
    kept->session = session;
    kept->seq = seq;
    kept->order = order;
    kept->length = (uint32_t)answer.length;
    if (answer.length > 0)
        memcpy(kept->data, answer.data, answer.length);
    return kept;
}

void kept_add(struct state *s, struct session *session, uint64_t seq, struct slice answer)
{
    if (seq < session->lowest)
        return;
    while (session->kept.count >= s->limits.session_window)
        kept_drop(s, kept_oldest(session));
    struct kept *kept = kept_attach(session, seq, ++session->kept_order, answer);
    CHECK(kept != NULL);
    ledger_touch(&s->ledger, &kept->record);
    ledger_touch(&s->ledger, &session->record);
}

void kept_trim(struct state *s, struct session *session, uint64_t lowest)
{
    if (lowest <= session->lowest)
        return;
    session->lowest = lowest;
    ledger_touch(&s->ledger, &session->record);
    struct avl_node *first;
    while ((first = avl_first(&session->kept)) != NULL) {
        struct kept *kept = container_of(first, struct kept, by_seq);
        if (kept->seq >= lowest)
            return;
        kept_drop(s, kept);
    }
}

/* ---- what the replica asks ---- */

bool state_session_next(const struct state *s, uint64_t after, struct state_session *ret)
{
    const struct session *session = sessions_above(s, after);
    if (session == NULL)
        return false;
    *ret = (struct state_session){.session = session->id, .ttl_ms = session->ttl_ms};
    return true;
}

bool state_session_exists(const struct state *s, uint64_t session)
{
    return sessions_find(s, session) != NULL;
}

bool state_session_authentic(const struct state *s, uint64_t session, struct slice secret)
{
    const struct session *found = sessions_find(s, session);
    if (found == NULL || secret.length != sizeof found->secret)
        return false;
    /* Every byte is looked at: time must not tell how many were right. */
    uint8_t differences = 0;
    for (size_t i = 0; i < sizeof found->secret; i++)
        differences |= (uint8_t)(found->secret[i] ^ secret.data[i]);
    return differences == 0;
}
