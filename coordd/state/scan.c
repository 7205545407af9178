/* scan.c - see scan.h. The encoding: protobuf.dev/programming-guides/encoding. */
#include "coordd/state/scan.h"

#include "coordd/state/text.h"
#include "libcoord/base/check.h"

enum { VARINT = 0, FIXED64 = 1, DELIMITED = 2, FIXED32 = 5 };
enum { VARINT_BYTES_MAX = 10 };
enum { SCAN_DEPTH_MAX = 16 }; /* far more than any of our types nests */

static uint64_t take_varint(struct reader *r)
{
    uint64_t value = 0;
    for (int i = 0; i < VARINT_BYTES_MAX; i++) {
        uint8_t byte = reader_u8(r);
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0)
            return value;
    }
    r->failed = true;
    return 0;
}

static struct slice take_delimited(struct reader *r)
{
    uint64_t length = take_varint(r);
    if (length > r->left) {
        r->failed = true;
        return slice_of(NULL, 0);
    }
    return reader_bytes(r, (size_t)length);
}

static enum err scan_message(const ProtobufCMessageDescriptor *type, struct slice packed, int depth,
                             const char **ret_field);

static enum err scan_field(const ProtobufCFieldDescriptor *field, struct slice bytes, int depth,
                           const char **ret_field)
{
    if (field == NULL)
        return ERR_OK;
    *ret_field = field->name;
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return text_is_utf8(bytes) ? ERR_OK : ERR_INVALID;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return scan_message(field->descriptor, bytes, depth + 1, ret_field);
    return ERR_OK;
}

static enum err scan_message(const ProtobufCMessageDescriptor *type, struct slice packed, int depth,
                             const char **ret_field)
{
    CHECK(depth < SCAN_DEPTH_MAX);
    struct reader r = reader_of(packed);
    while (r.left > 0 && !r.failed) {
        uint64_t tag = take_varint(&r);
        if (tag >> 3 == 0 || tag >> 3 > UINT32_MAX >> 3)
            return ERR_INVALID;
        switch (tag & 7) {
        case VARINT:
            (void)take_varint(&r);
            break;
        case FIXED64:
            (void)reader_u64(&r);
            break;
        case FIXED32:
            (void)reader_u32(&r);
            break;
        case DELIMITED: {
            struct slice bytes = take_delimited(&r);
            const ProtobufCFieldDescriptor *field =
                protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
            enum err e = r.failed ? ERR_INVALID : scan_field(field, bytes, depth, ret_field);
            if (e != ERR_OK)
                return e;
            break;
        }
        default: /* groups are of the past, 6 and 7 were never given out */
            return ERR_INVALID;
        }
    }
    return r.failed ? ERR_INVALID : ERR_OK;
}

enum err scan_strings(const ProtobufCMessageDescriptor *type, struct slice packed,
                      const char **ret_field)
{
    *ret_field = type->short_name;
    return scan_message(type, packed, 0, ret_field);
}
