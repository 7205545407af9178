/* record.c - see record.h. load.c reads what is written here. */
#include "coordd/state/record.h"

#include <string.h>

#include "coordd/state/hand_over.h"
#include "coordd/state/lock.h"
#include "coordd/state/node.h"
#include "coordd/state/path.h"
#include "coordd/state/session.h"
#include "libcoord/base/check.h"

void record_init(struct record *r, enum record_kind kind)
{
    *r = (struct record){.kind = kind};
}

void record_put_number(struct buffer *key, uint64_t number)
{
    uint8_t *out = buffer_extend(key, 8);
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(number >> (56 - 8 * i));
}

uint64_t record_number(struct slice eight_bytes)
{
    CHECK(eight_bytes.length == 8);
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | eight_bytes.data[i];
    return number;
}

static void put_node_path(struct buffer *key, const struct node *node)
{
    char path[STATE_PATH_BYTES_HARD + 1];
    path_put_key(key, node_path(node, path));
}

void record_put_key(const struct state *s, const struct record *r, struct buffer *key)
{
    buffer_put_u8(key, (uint8_t)r->kind);
    switch ((enum record_kind)r->kind) {
    case RECORD_META:
        CHECK(r == &s->record);
        return;
    case RECORD_SESSION:
        record_put_number(key, container_of(r, struct session, record)->id);
        return;
    case RECORD_NODE:
        put_node_path(key, container_of(r, struct node, record));
        return;
    case RECORD_CONTENT:
        put_node_path(key, container_of(r, struct content, record)->node);
        return;
    case RECORD_CLAIM: {
        const struct claim *claim = container_of(r, struct claim, record);
        path_put_key(key, lock_path(claim->lock));
        buffer_put_u8(key, 0);
        record_put_number(key, claim->ticket);
        return;
    }
    case RECORD_ANSWER: {
        const struct kept *kept = container_of(r, struct kept, record);
        record_put_number(key, kept->session->id);
        record_put_number(key, kept->order);
        return;
    }
    case RECORD_DELAY:
        path_put_key(key, lock_path(container_of(r, struct delay, record)->lock));
        return;
    case RECORD_PAST:
        record_put_number(key, container_of(r, struct past, record)->first);
        return;
    case RECORD_HAND_OVER:
        return;
    }
    CHECK(false);
}

static void put_meta(const struct state *s, struct buffer *value)
{
    buffer_put_u32(value, RECORD_FORMAT);
    buffer_put(value, s->cell, sizeof s->cell);
    buffer_put_u32(value, s->feature_level);
    buffer_put_u64(value, s->revision);
    buffer_put_u64(value, s->time_ms);
    buffer_put_u64(value, s->leader_ballot);
    buffer_put_u64(value, s->sessions_opened);
    buffer_put_u64(value, s->tickets_given);
    buffer_put_u64(value, s->suffixes_given);
    buffer_put_u32(value, s->limits.content_bytes);
    buffer_put_u32(value, s->limits.path_bytes);
    buffer_put_u32(value, s->limits.component_bytes);
    buffer_put_u32(value, s->limits.path_levels);
    buffer_put_u32(value, s->limits.session_ttl_min_ms);
    buffer_put_u32(value, s->limits.session_ttl_max_ms);
    buffer_put_u32(value, s->limits.session_ephemerals);
    buffer_put_u32(value, s->limits.session_locks);
    buffer_put_u32(value, s->limits.session_waits);
    buffer_put_u32(value, s->limits.session_window);
    buffer_put_u32(value, s->limits.lock_delay_ms);
    buffer_put_u32(value, s->limits.sessions);
    buffer_put_u32(value, s->limits.transaction_parts);
    buffer_put_u32(value, s->limits.transaction_bytes);
    buffer_put_u32(value, s->limits.history_bytes);
}

static void put_session(const struct session *session, struct buffer *value)
{
    buffer_put(value, session->nonce, sizeof session->nonce);
    buffer_put(value, session->secret, sizeof session->secret);
    buffer_put_u32(value, session->ttl_ms);
    buffer_put_u32(value, session->pid);
    buffer_put_u64(value, session->opened_ms);
    buffer_put_u64(value, session->lowest);
    buffer_put_u64(value, session->highest);
    buffer_put_u64(value, session->kept_order);
    buffer_put_u8(value, session->killed);
    buffer_put_slice(value, slice_of_string(session->host));
    buffer_put_slice(value, slice_of_string(session->principal));
}

static void put_node(const struct node *node, struct buffer *value)
{
    buffer_put_u64(value, node->instance);
    buffer_put_u64(value, node->content_generation);
    buffer_put_u64(value, node->lock_generation);
    buffer_put_u64(value, node->acl_generation);
    buffer_put_u64(value, node->children_generation);
    buffer_put_u64(value, node->created_ms);
    buffer_put_u64(value, node->modified_ms);
    buffer_put_u64(value, node->ephemeral == NULL ? 0 : node->ephemeral->owner->id);
}

static void put_claim(const struct claim *claim, struct buffer *value)
{
    buffer_put_u64(value, claim->session->id);
    buffer_put_u64(value, claim->handle);
    buffer_put_u64(value, claim->seq);
    buffer_put_u64(value, claim->generation);
    buffer_put_u64(value, claim->since_ms);
    buffer_put_u8(value, (uint8_t)claim->mode);
    buffer_put_u32(value, claim->lock_delay_ms);
    buffer_put_u8(value, claim->revoked);
    buffer_put_u8(value, claim->sets_content);
    buffer_put(value, claim->content.data, claim->content.length);
}

void record_put_value(const struct state *s, const struct record *r, struct buffer *value)
{
    switch ((enum record_kind)r->kind) {
    case RECORD_META:
        put_meta(s, value);
        return;
    case RECORD_SESSION:
        put_session(container_of(r, struct session, record), value);
        return;
    case RECORD_NODE:
        put_node(container_of(r, struct node, record), value);
        return;
    case RECORD_CONTENT: {
        const struct content *content = container_of(r, struct content, record);
        buffer_put(value, content->data, content->length);
        return;
    }
    case RECORD_CLAIM:
        put_claim(container_of(r, struct claim, record), value);
        return;
    case RECORD_ANSWER: {
        const struct kept *kept = container_of(r, struct kept, record);
        buffer_put_u64(value, kept->seq);
        buffer_put(value, kept->data, kept->length);
        return;
    }
    case RECORD_DELAY: {
        const struct delay *delay = container_of(r, struct delay, record);
        buffer_put_u64(value, delay->generation);
        buffer_put_u32(value, delay->delay_ms);
        return;
    }
    case RECORD_PAST:
        past_put_value(container_of(r, struct past, record), value);
        return;
    case RECORD_HAND_OVER:
        hand_over_put_value(container_of(r, struct hand_over, record), value);
        return;
    }
    CHECK(false);
}
