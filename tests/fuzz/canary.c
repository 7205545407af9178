/* canary.c - a target with an error in it: one byte past the end of a message is read
 * when the message within it has certain values. A fuzzer that does not find that in
 * seconds, from nothing, would not find other errors either: coverage does not lead
 * it, the mutator does not reach within messages, or the address sanitizer is off. */
#include <stdlib.h>

#include "coord/v1/coord.pb-c.h"
#include "tests/fuzz/fuzz.h"

enum { TTL_S = 42 };

/* One step after the other, as coverage shows them. */
static bool has_error(const Coord__V1__SessionRequest *m)
{
    if (m->begin_case != COORD__V1__SESSION_REQUEST__BEGIN_OPEN)
        return false;
    if (m->open->ttl_ms / 1000 != TTL_S)
        return false;
    return m->open->nonce.len > 0 && m->n_requests > 0;
}

const ProtobufCMessageDescriptor *fuzz_type(uint8_t op)
{
    (void)op;
    return &coord__v1__session_request__descriptor;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct fuzz_part part;
    static volatile uint8_t read;

    while (fuzz_next(&rest, &part)) {
        uint8_t *bytes = fuzz_copy(part.bytes);
        Coord__V1__SessionRequest *m =
            coord__v1__session_request__unpack(NULL, part.bytes.length, bytes);

        if (m != NULL && has_error(m))
            read = bytes[part.bytes.length];
        if (m != NULL)
            coord__v1__session_request__free_unpacked(m, NULL);
        free(bytes);
    }
    (void)read;
    return 0;
}
