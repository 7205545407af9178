/* input.c - see fuzz.h. */
#include <stdlib.h>
#include <string.h>

#include "coordd/state/scan.h"
#include "tests/fuzz/fuzz.h"

enum { HEAD_BYTES = 4 };

bool fuzz_next(struct slice *rest, struct fuzz_part *ret)
{
    if (rest->length < HEAD_BYTES)
        return false;
    const uint8_t *head = rest->data;
    size_t left = rest->length - HEAD_BYTES;
    size_t length = (size_t)head[2] | (size_t)head[3] << 8;

    if (length > left)
        length = left;
    ret->op = head[0];
    ret->arg = head[1];
    ret->bytes = slice_of(head + HEAD_BYTES, length);
    *rest = slice_of(head + HEAD_BYTES + length, left - length);
    return true;
}

void fuzz_put_part(struct buffer *b, const struct fuzz_part *part)
{
    size_t length =
        part->bytes.length > FUZZ_PART_BYTES_MAX ? FUZZ_PART_BYTES_MAX : part->bytes.length;

    buffer_put_u8(b, part->op);
    buffer_put_u8(b, part->arg);
    buffer_put_u8(b, (uint8_t)length);
    buffer_put_u8(b, (uint8_t)(length >> 8));
    buffer_put(b, part->bytes.data, length);
}

uint8_t *fuzz_copy(struct slice bytes)
{
    uint8_t *copy = check_malloc(bytes.length);

    if (bytes.length > 0)
        memcpy(copy, bytes.data, bytes.length);
    return copy;
}

char *fuzz_text(struct slice bytes)
{
    return check_strndup(bytes.length == 0 ? "" : (const char *)bytes.data, bytes.length);
}

bool fuzz_is_message(const ProtobufCMessageDescriptor *type, struct slice bytes)
{
    const char *field;
    ProtobufCMessage *m = protobuf_c_message_unpack(type, NULL, bytes.length, bytes.data);
    bool sound = m != NULL && scan_strings(type, bytes, &field) == ERR_OK;

    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    return sound;
}
