/* mutate.c - libFuzzer's mutator for targets that take a row of messages.
 *
 * Bytes changed at random seldom leave a message within a message whole. So most
 * changes here are of one field of one part, and the lengths around it are
 * written anew; others add, drop, repeat and swap parts or fields. One in eight is
 * of raw bytes, since what is not well-formed must do no harm either. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { FIELDS_MAX = 256, DEPTH_MAX = 6, ROOM_BYTES = 64 };
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t out_max, unsigned int seed);

/* Not libcoord/base/prng.h, whose comparisons the fuzzer would take for the target's:
 * it remembers the last ones, to make them come true. This file is not instrumented. */
struct prng {
    uint64_t state;
};

static uint64_t prng_next(struct prng *p)
{
    uint64_t z = p->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t prng_below(struct prng *p, uint64_t bound)
{
    return prng_next(p) % bound;
}

static bool prng_chance(struct prng *p, uint64_t numerator, uint64_t denominator)
{
    return prng_below(p, denominator) < numerator;
}

/* ---- fields ---- */

struct field {
    uint32_t number, wire;
    struct slice whole, payload; /* the payload of a varint is its bytes */
};

static bool take_varint(struct slice *rest, uint64_t *ret)
{
    *ret = 0;
    for (uint32_t shift = 0; rest->length > 0 && shift < 64; shift += 7) {
        uint8_t byte = rest->data[0];

        *rest = slice_of(rest->data + 1, rest->length - 1);
        *ret |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool take_field(struct slice *rest, struct field *ret)
{
    const uint8_t *start = rest->data, *payload;
    uint64_t key, length;

    if (!take_varint(rest, &key))
        return false;
    ret->number = (uint32_t)(key >> 3);
    ret->wire = key & 7;
    payload = rest->data;
    if (ret->wire == WIRE_VARINT) {
        if (!take_varint(rest, &length))
            return false;
        length = (uint64_t)(rest->data - payload);
    } else {
        if (ret->wire == WIRE_BYTES) {
            if (!take_varint(rest, &length))
                return false;
        } else if (ret->wire == WIRE_64 || ret->wire == WIRE_32) {
            length = ret->wire == WIRE_64 ? 8 : 4;
        } else {
            return false;
        }
        if (length > rest->length)
            return false;
        payload = rest->data;
        *rest = slice_of(rest->data + length, rest->length - length);
    }
    ret->payload = slice_of(payload, length);
    ret->whole = slice_of(start, (size_t)(rest->data - start));
    return true;
}

static void put_varint(struct buffer *b, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        buffer_put_u8(b, (uint8_t)(value | 0x80));
    buffer_put_u8(b, (uint8_t)value);
}

static void put_bytes_field(struct buffer *b, uint32_t number, struct slice bytes)
{
    put_varint(b, (uint64_t)number << 3 | WIRE_BYTES);
    put_varint(b, bytes.length);
    buffer_put(b, bytes.data, bytes.length);
}

static uint64_t random_number(struct prng *p)
{
    switch (prng_below(p, 4)) {
    case 0:
        return prng_below(p, 8);
    case 1:
        return prng_below(p, 32);
    case 2:
        return prng_below(p, 70000);
    default:
        return prng_next(p) >> prng_below(p, 64);
    }
}

/* The third way knows what the code under test compares the number with. */
static uint64_t mutate_number(struct prng *p, uint64_t value)
{
    uint8_t bytes[sizeof value];

    if (prng_chance(p, 1, 3))
        return value + prng_below(p, 5) - 2;
    if (prng_chance(p, 1, 2))
        return random_number(p);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
    (void)LLVMFuzzerMutate(bytes, sizeof bytes, sizeof bytes);
    value = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

/* ---- messages ---- */

static void mutate_bytes(struct slice in, struct buffer *out)
{
    size_t max = in.length + ROOM_BYTES;
    uint8_t *data = buffer_extend(out, max);

    if (in.length > 0)
        memcpy(data, in.data, in.length);
    out->length -= max - LLVMFuzzerMutate(data, in.length, max);
}

static void put_word(struct prng *p, struct buffer *out)
{
    static const char *const words[] = {"/", "/a", "/b", "/a/b", "/a/c", "/d", "/d/", "/e/f/g", ""};
    const char *word = words[prng_below(p, sizeof words / sizeof words[0])];

    buffer_put(out, word, strlen(word));
}

/* A field of this type, with something in it. */
static void invent(struct prng *p, const ProtobufCMessageDescriptor *type, uint32_t depth,
                   struct buffer *out)
{
    if (type->n_fields == 0)
        return;
    const ProtobufCFieldDescriptor *f = &type->fields[prng_below(p, type->n_fields)];
    struct buffer inner = BUFFER_INIT;

    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        for (uint64_t n = depth < DEPTH_MAX ? prng_below(p, 4) : 0; n > 0; n--)
            invent(p, f->descriptor, depth + 1, &inner);
        put_bytes_field(out, f->id, buffer_slice(&inner));
        break;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
        put_word(p, &inner);
        put_bytes_field(out, f->id, buffer_slice(&inner));
        break;
    case PROTOBUF_C_TYPE_FIXED64:
        put_varint(out, (uint64_t)f->id << 3 | WIRE_64);
        buffer_put_u64(out, random_number(p));
        break;
    default:
        put_varint(out, (uint64_t)f->id << 3 | WIRE_VARINT);
        put_varint(out, random_number(p));
    }
    buffer_release(&inner);
}

static void mutate_message(struct prng *p, const ProtobufCMessageDescriptor *type, struct slice in,
                           uint32_t depth, struct buffer *out);

static void mutate_field(struct prng *p, const ProtobufCMessageDescriptor *type,
                         const struct field *f, uint32_t depth, struct buffer *out)
{
    const ProtobufCFieldDescriptor *d = protobuf_c_message_descriptor_get_field(type, f->number);
    struct buffer inner = BUFFER_INIT;

    if (f->wire == WIRE_VARINT) {
        struct slice rest = f->payload;
        uint64_t value;

        (void)take_varint(&rest, &value);
        value = mutate_number(p, value);
        put_varint(out, (uint64_t)f->number << 3 | WIRE_VARINT);
        put_varint(out, value);
    } else if (f->wire == WIRE_BYTES) {
        if (d != NULL && d->type == PROTOBUF_C_TYPE_MESSAGE && depth < DEPTH_MAX)
            mutate_message(p, d->descriptor, f->payload, depth + 1, &inner);
        else if (d != NULL && d->type == PROTOBUF_C_TYPE_STRING && prng_chance(p, 1, 2))
            put_word(p, &inner);
        else
            mutate_bytes(f->payload, &inner);
        put_bytes_field(out, f->number, buffer_slice(&inner));
    } else {
        put_varint(out, (uint64_t)f->number << 3 | f->wire);
        mutate_bytes(f->payload, &inner);
        inner.length = 0;
        (void)buffer_extend(&inner, f->payload.length);
        buffer_put(out, inner.data, inner.length);
    }
    buffer_release(&inner);
}

static void mutate_message(struct prng *p, const ProtobufCMessageDescriptor *type, struct slice in,
                           uint32_t depth, struct buffer *out)
{
    struct field *fields = check_calloc(FIELDS_MAX, sizeof *fields);
    struct slice rest = in;
    size_t count = 0;
    uint64_t what = prng_below(p, 16);

    while (count < FIELDS_MAX && rest.length > 0 && take_field(&rest, &fields[count]))
        count++;
    size_t at = count == 0 ? 0 : prng_below(p, count);
    if (rest.length > 0) {
        mutate_bytes(in, out);
    } else if (count == 0 || what < 3) {
        buffer_put(out, in.data, in.length);
        invent(p, type, depth, out);
    } else {
        for (size_t i = 0; i < count; i++) {
            if (i != at)
                buffer_put(out, fields[i].whole.data, fields[i].whole.length);
            else if (what >= 5)
                mutate_field(p, type, &fields[i], depth, out);
            else if (what == 4)
                continue; /* dropped */
            else
                for (int twice = 0; twice < 2; twice++)
                    buffer_put(out, fields[i].whole.data, fields[i].whole.length);
        }
    }
    free(fields);
}

/* ---- parts ---- */

struct parts {
    struct fuzz_part list[FUZZ_PARTS_MAX + 1];
    size_t count;
};

static void split(struct slice input, struct parts *ret)
{
    ret->count = 0;
    while (ret->count < FUZZ_PARTS_MAX && fuzz_next(&input, &ret->list[ret->count]))
        ret->count++;
}

static size_t join(const struct parts *parts, uint8_t *out, size_t max)
{
    struct buffer b = BUFFER_INIT;
    size_t length;

    for (size_t i = 0; i < parts->count; i++)
        fuzz_put_part(&b, &parts->list[i]);
    length = b.length < max ? b.length : max;
    if (length > 0)
        memcpy(out, b.data, length);
    buffer_release(&b);
    return length;
}

static void mutate_part(struct prng *p, struct fuzz_part *part, struct buffer *room)
{
    const ProtobufCMessageDescriptor *type = fuzz_type(part->op);

    if (type != NULL)
        mutate_message(p, type, part->bytes, 0, room);
    else
        mutate_bytes(part->bytes, room);
    part->bytes = buffer_slice(room);
}

static void move_parts(struct prng *p, struct parts *parts)
{
    size_t from = prng_below(p, parts->count), to = prng_below(p, parts->count);
    struct fuzz_part part = parts->list[from];

    switch (prng_below(p, 3)) {
    case 0: /* repeat one */
        memmove(&parts->list[to + 1], &parts->list[to], (parts->count - to) * sizeof part);
        parts->list[to] = part;
        parts->count++;
        break;
    case 1:
        parts->list[from] = parts->list[to];
        parts->list[to] = part;
        break;
    default:
        memmove(&parts->list[from], &parts->list[from + 1],
                (parts->count - from - 1) * sizeof part);
        parts->count--;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    struct parts *parts = check_calloc(1, sizeof *parts);
    struct buffer room = BUFFER_INIT;
    struct prng p = {seed};

    split(slice_of(data, size), parts);
    if (parts->count == 0 || prng_chance(&p, 1, 8)) {
        size = LLVMFuzzerMutate(data, size, max_size);
    } else {
        struct fuzz_part *part = &parts->list[prng_below(&p, parts->count)];

        switch (prng_below(&p, 8)) {
        case 0:
            part->op = (uint8_t)(prng_chance(&p, 1, 4) ? prng_next(&p) : prng_below(&p, 16));
            break;
        case 1:
            part->arg = (uint8_t)(prng_chance(&p, 1, 4) ? prng_next(&p) : prng_below(&p, 8));
            break;
        case 2:
        case 3:
            move_parts(&p, parts);
            break;
        default:
            mutate_part(&p, part, &room);
        }
        size = join(parts, data, max_size);
    }
    buffer_release(&room);
    free(parts);
    return size;
}

/* The beginning of the one, the end of the other. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t out_max, unsigned int seed)
{
    struct parts *first = check_calloc(1, sizeof *first), *second = check_calloc(1, sizeof *second);
    struct prng p = {seed};
    size_t size;

    split(slice_of(a, a_size), first);
    split(slice_of(b, b_size), second);
    first->count = prng_below(&p, first->count + 1);
    for (size_t i = prng_below(&p, second->count + 1);
         i < second->count && first->count < FUZZ_PARTS_MAX; i++)
        first->list[first->count++] = second->list[i];
    size = join(first, out, out_max);
    free(first);
    free(second);
    return size;
}
