/* wire.c - see wire.h. */
#include "coordd/replica/wire.h"

enum { WIRE_VARINT = 0, WIRE_LENGTH_DELIMITED = 2 };

static void put_raw(struct buffer *b, uint64_t value)
{
    while (value >= 0x80) {
        buffer_put_u8(b, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    buffer_put_u8(b, (uint8_t)value);
}

static size_t raw_size(uint64_t value)
{
    size_t size = 1;

    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

void wire_put_varint(struct buffer *b, uint32_t field, uint64_t value)
{
    if (value == 0)
        return;
    put_raw(b, (uint64_t)field << 3 | WIRE_VARINT);
    put_raw(b, value);
}

void wire_put_header(struct buffer *b, uint32_t field, size_t length)
{
    put_raw(b, (uint64_t)field << 3 | WIRE_LENGTH_DELIMITED);
    put_raw(b, length);
}

void wire_put_bytes(struct buffer *b, uint32_t field, struct slice bytes)
{
    wire_put_header(b, field, bytes.length);
    buffer_put(b, bytes.data, bytes.length);
}

size_t wire_varint_size(uint32_t field, uint64_t value)
{
    return value == 0 ? 0 : raw_size((uint64_t)field << 3) + raw_size(value);
}

size_t wire_bytes_size(uint32_t field, size_t length)
{
    return raw_size((uint64_t)field << 3) + raw_size(length) + length;
}
