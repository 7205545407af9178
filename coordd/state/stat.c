/* stat.c - see stat.h. */
#include "coordd/state/stat.h"

#include <string.h>

#include "coordd/state/lock.h"
#include "coordd/state/session.h"
#include "libcoord/base/check.h"

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_DELIMITED = 2 };

static uint8_t *put_varint(uint8_t *out, uint64_t value)
{
    while (value >= 0x80) {
        *out++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

/* proto3 leaves a field of value 0 out. */
static uint8_t *put_number(uint8_t *out, uint32_t field, uint64_t value)
{
    if (value == 0)
        return out;
    out = put_varint(out, field << 3 | WIRE_VARINT);
    return put_varint(out, value);
}

static uint8_t *put_path(uint8_t *out, uint32_t field, struct slice path)
{
    out = put_varint(out, field << 3 | WIRE_DELIMITED);
    out = put_varint(out, path.length);
    memcpy(out, path.data, path.length);
    return out + path.length;
}

static uint8_t *put_fixed64(uint8_t *out, uint32_t field, uint64_t value)
{
    if (value == 0)
        return out;
    out = put_varint(out, field << 3 | WIRE_FIXED64);
    for (int i = 0; i < 8; i++)
        *out++ = (uint8_t)(value >> (8 * i));
    return out;
}

size_t stat_pack(const struct node *node, struct slice path, uint8_t *out)
{
    CHECK(path.length > 0 && path.length <= STATE_PATH_BYTES_HARD);
    const struct content *content = node->content;
    uint8_t *at = put_path(out, 1, path);
    at = put_number(at, 2, node->instance);
    at = put_number(at, 3, node->content_generation);
    at = put_number(at, 4, node->lock_generation);
    at = put_number(at, 5, node->acl_generation);
    at = put_number(at, 6, node->children_generation);
    at = put_number(at, 7, node_modified_revision(node));
    at = put_number(at, 8, node->created_ms);
    at = put_number(at, 9, node->modified_ms);
    at = put_number(at, 10, content == NULL ? 0 : content->length);
    at = put_fixed64(at, 11, node_content_checksum(node));
    at = put_number(at, 12, node->children.count);
    if (node->ephemeral != NULL)
        at = put_number(at, 13, node->ephemeral->owner->id);
    if (node->lock != NULL) {
        at = put_number(at, 14, lock_mode(node->lock));
        at = put_number(at, 15, node->lock->holders_count);
        at = put_number(at, 16, node->lock->waiters_count);
        at = put_number(at, 17, node->lock->delay != NULL);
    }
    return (size_t)(at - out);
}
