/* load.c - a state from its records, which come in key order.
 *
 * Records are not trusted: whatever they are, the result is a state or
 * ERR_INVALID. Here each is decoded and linked; whether together they are a
 * state, state_loaded asks state_check. After ERR_INVALID the state is good for
 * state_free only. */
#include <string.h>

#include "coordd/state/hand_over.h"
#include "coordd/state/lock.h"
#include "coordd/state/machine.h"
#include "coordd/state/node.h"
#include "coordd/state/path.h"
#include "coordd/state/session.h"
#include "coordd/state/text.h"

/* What comes behind the kind's byte of a key. */
static struct slice after_kind(struct slice key)
{
    return slice_of(key.data + 1, key.length - 1);
}

static struct record *load_meta(struct state *s, struct slice key, struct slice value)
{
    struct reader r = reader_of(value);
    uint32_t format = reader_u32(&r);
    struct slice cell = reader_bytes(&r, STATE_CELL_ID_BYTES);
    s->feature_level = reader_u32(&r);
    s->revision = reader_u64(&r);
    s->time_ms = reader_u64(&r);
    s->leader_ballot = reader_u64(&r);
    s->sessions_opened = reader_u64(&r);
    s->tickets_given = reader_u64(&r);
    s->suffixes_given = reader_u64(&r);
    uint32_t *const limits[] = {
        &s->limits.content_bytes,      &s->limits.path_bytes,         &s->limits.component_bytes,
        &s->limits.path_levels,        &s->limits.session_ttl_min_ms, &s->limits.session_ttl_max_ms,
        &s->limits.session_ephemerals, &s->limits.session_locks,      &s->limits.session_waits,
        &s->limits.session_window,     &s->limits.lock_delay_ms,      &s->limits.sessions,
        &s->limits.transaction_parts,  &s->limits.transaction_bytes,  &s->limits.history_bytes,
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        *limits[i] = reader_u32(&r);
    if (!reader_done(&r) || key.length != 1 || format != RECORD_FORMAT)
        return NULL;
    s->history.floor = s->revision; /* as long as no other record says more */
    return memcmp(cell.data, s->cell, sizeof s->cell) == 0 ? &s->record : NULL;
}

static bool is_text(struct slice text, size_t bytes_max)
{
    return text.length <= bytes_max && text_is_utf8(text);
}

static struct record *load_session(struct state *s, struct slice key, struct slice value)
{
    struct reader r = reader_of(value);
    struct session_terms terms = {0};
    terms.nonce = reader_bytes(&r, STATE_NONCE_BYTES).data;
    terms.secret = reader_bytes(&r, STATE_SECRET_BYTES).data;
    terms.ttl_ms = reader_u32(&r);
    terms.pid = reader_u32(&r);
    uint64_t opened_ms = reader_u64(&r);
    uint64_t lowest = reader_u64(&r);
    uint64_t highest = reader_u64(&r);
    uint64_t kept_order = reader_u64(&r);
    uint8_t killed = reader_u8(&r);
    terms.host = reader_slice(&r);
    terms.principal = reader_slice(&r);
    key = after_kind(key);
    if (!reader_done(&r) || killed > 1 || key.length != 8 ||
        !is_text(terms.host, STATE_HOST_BYTES_MAX) ||
        !is_text(terms.principal, STATE_PRINCIPAL_BYTES_MAX))
        return NULL;
    struct session *session = sessions_add(s, record_number(key), &terms);
    if (session == NULL)
        return NULL;
    session->opened_ms = opened_ms;
    session->lowest = lowest;
    session->highest = highest;
    session->kept_order = kept_order;
    session->killed = killed == 1;
    return &session->record;
}

/* Appends the path of a key, if it is one. The root has the empty key only. */
static bool take_path(struct slice key, struct buffer *path)
{
    const char *why;
    path_from_key(path, key);
    return path_check(buffer_slice(path), &limits_hard, &why) == ERR_OK &&
           path_is_root(buffer_slice(path)) == (key.length == 0);
}

/* The node that the path in a key names: made, unless it is the root. */
static struct node *make_node(struct state *s, struct slice key)
{
    struct buffer path = BUFFER_INIT;
    struct node *node = NULL;
    if (take_path(key, &path)) {
        struct slice p = buffer_slice(&path);
        if (path_is_root(p)) {
            node = s->root;
        } else {
            struct node *parent = node_find(s, path_parent(p));
            if (parent != NULL && parent->ephemeral == NULL)
                node = node_attach(s, parent, path_name(p));
        }
    }
    buffer_release(&path);
    return node;
}

static struct node *find_node(const struct state *s, struct slice key)
{
    struct buffer path = BUFFER_INIT;
    struct node *node = take_path(key, &path) ? node_find(s, buffer_slice(&path)) : NULL;
    buffer_release(&path);
    return node;
}

static struct record *load_node(struct state *s, struct slice key, struct slice value)
{
    if (value.length != 8 * 8)
        return NULL;
    struct node *node = make_node(s, after_kind(key));
    if (node == NULL)
        return NULL;
    struct reader r = reader_of(value);
    node->instance = reader_u64(&r);
    node->content_generation = reader_u64(&r);
    node->lock_generation = reader_u64(&r);
    node->acl_generation = reader_u64(&r);
    node->children_generation = reader_u64(&r);
    node->created_ms = reader_u64(&r);
    node->modified_ms = reader_u64(&r);
    uint64_t owner_id = reader_u64(&r);
    if (owner_id == 0)
        return &node->record;
    struct session *owner = sessions_find(s, owner_id);
    if (owner == NULL || node == s->root || !node_attach_owner(node, owner))
        return NULL;
    return &node->record;
}

static struct record *load_content(struct state *s, struct slice key, struct slice value)
{
    struct node *node = find_node(s, after_kind(key));
    if (node == NULL || value.length == 0 || value.length > STATE_CONTENT_BYTES_HARD)
        return NULL;
    node_attach_content(node, value);
    return &node->content->record;
}

static struct record *load_claim(struct state *s, struct slice key, struct slice value)
{
    struct reader r = reader_of(value);
    struct session *session = sessions_find(s, reader_u64(&r));
    struct claim_terms terms = {.handle = reader_u64(&r)};
    terms.seq = reader_u64(&r);
    uint64_t generation = reader_u64(&r);
    uint64_t since_ms = reader_u64(&r);
    uint8_t mode = reader_u8(&r);
    terms.mode = (Coord__V1__LockMode)mode;
    terms.lock_delay_ms = reader_u32(&r);
    uint8_t revoked = reader_u8(&r);
    uint8_t sets_content = reader_u8(&r);
    terms.sets_content = sets_content == 1;
    terms.content = reader_bytes(&r, r.left);
    if (!reader_done(&r) || sets_content > 1 || revoked > 1 || session == NULL ||
        (revoked == 1 && generation == 0) ||
        (mode != COORD__V1__LOCK_MODE__LOCK_SHARED &&
         mode != COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE) ||
        (!terms.sets_content && terms.content.length > 0) ||
        terms.content.length > STATE_CONTENT_BYTES_HARD)
        return NULL;

    key = after_kind(key);
    if (key.length < 9)
        return NULL;
    size_t path_length = key.length - 9;
    struct node *node = find_node(s, slice_of(key.data, path_length));
    if (node == NULL || key.data[path_length] != 0)
        return NULL;
    uint64_t ticket = record_number(slice_of(key.data + path_length + 1, 8));
    struct claim *claim = lock_attach(s, node, session, &terms, ticket, generation, since_ms);
    if (claim == NULL)
        return NULL;
    if (revoked == 1)
        lock_attach_revoked(claim);
    return &claim->record;
}

static struct record *load_answer(struct state *s, struct slice key, struct slice value)
{
    struct reader r = reader_of(value);
    uint64_t seq = reader_u64(&r);
    key = after_kind(key);
    if (r.failed || r.left == 0 || key.length != 16)
        return NULL;
    struct session *session = sessions_find(s, record_number(slice_of(key.data, 8)));
    if (session == NULL)
        return NULL;
    uint64_t order = record_number(slice_of(key.data + 8, 8));
    struct slice answer = reader_bytes(&r, r.left);
    struct kept *kept = kept_attach(session, seq, order, answer);
    return kept == NULL ? NULL : &kept->record;
}

static struct record *load_delay(struct state *s, struct slice key, struct slice value)
{
    struct node *node = find_node(s, after_kind(key));
    struct reader r = reader_of(value);
    uint64_t generation = reader_u64(&r);
    uint32_t delay_ms = reader_u32(&r);
    if (!reader_done(&r) || node == NULL)
        return NULL;
    struct delay *delay = lock_attach_delay(s, node, delay_ms, generation);
    return delay == NULL ? NULL : &delay->record;
}

static struct record *load_past(struct state *s, struct slice key, struct slice value)
{
    key = after_kind(key);
    if (key.length != 8 || value.length > s->limits.history_bytes)
        return NULL;
    struct past *past = history_attach(&s->history, record_number(key), value);
    return past == NULL ? NULL : &past->record;
}

static struct record *load_hand_over(struct state *s, struct slice key, struct slice value)
{
    struct hand_over *h = key.length == 1 ? hand_over_attach(s, value) : NULL;
    return h == NULL ? NULL : &h->record;
}

static struct record *load(struct state *s, struct slice key, struct slice value)
{
    switch (key.data[0]) {
    case RECORD_META:
        return load_meta(s, key, value);
    case RECORD_SESSION:
        return load_session(s, key, value);
    case RECORD_NODE:
        return load_node(s, key, value);
    case RECORD_CONTENT:
        return load_content(s, key, value);
    case RECORD_CLAIM:
        return load_claim(s, key, value);
    case RECORD_ANSWER:
        return load_answer(s, key, value);
    case RECORD_DELAY:
        return load_delay(s, key, value);
    case RECORD_PAST:
        return load_past(s, key, value);
    case RECORD_HAND_OVER:
        return load_hand_over(s, key, value);
    default:
        return NULL;
    }
}

/* What state_new made gives way to what is loaded. */
static void begin(struct state *s)
{
    ledger_release(&s->ledger);
    ledger_init(&s->ledger);
    record_init(&s->record, RECORD_META);
    record_init(&s->root->record, RECORD_NODE);
}

enum err state_load_record(struct state *s, struct slice key, struct slice value)
{
    bool first = s->last_key.length == 0;
    if (key.length == 0 || first != (key.data[0] == RECORD_META))
        return ERR_INVALID;
    if (first)
        begin(s);
    else if (slice_compare(key, buffer_slice(&s->last_key)) <= 0)
        return ERR_INVALID;
    buffer_clear(&s->last_key);
    buffer_put(&s->last_key, key.data, key.length);

    struct record *r = load(s, key, value);
    if (r == NULL)
        return ERR_INVALID;
    ledger_loaded(&s->ledger, r, key, value);
    return ERR_OK;
}

enum err state_loaded(struct state *s)
{
    if (s->last_key.length == 0 || !s->root->record.counted)
        return ERR_INVALID;
    buffer_release(&s->last_key);
    return state_check(s) == NULL ? ERR_OK : ERR_INVALID;
}
