/* fuzz.h - what the fuzz targets share.
 *
 * A target is one function from bytes to nothing. It fails by ending the process:
 * a sanitizer's report, a CHECK of the code under test, or a DEMAND of its own.
 *
 * Targets that take a row of messages read their input as parts:
 *
 *   op, arg, length (two bytes, little-endian), `length` bytes; and so on
 *
 * What follows the last whole head is its part, however long. The mutator
 * (mutate.c) knows this form, and changes messages field by field. */
#ifndef COORD_TESTS_FUZZ_FUZZ_H
#define COORD_TESTS_FUZZ_FUZZ_H

#include <protobuf-c/protobuf-c.h>

#include "libcoord/base/bytes.h"
#include "libcoord/base/check.h"

#define DEMAND CHECK

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_PARTS_MAX = 96, FUZZ_PART_BYTES_MAX = UINT16_MAX };

struct fuzz_part {
    uint8_t op, arg;
    struct slice bytes; /* of the input */
};

/* Takes the first part off *rest; false when nothing is left. */
bool fuzz_next(struct slice *rest, struct fuzz_part *ret);
void fuzz_put_part(struct buffer *b, const struct fuzz_part *part);

/* The bytes in memory of exactly their size, so that reading past their end is
 * noticed; to be freed. */
uint8_t *fuzz_copy(struct slice bytes);
/* The same with a NUL behind them. */
char *fuzz_text(struct slice bytes);

/* The target's: what the bytes of a part with this op are; NULL: just bytes. */
const ProtobufCMessageDescriptor *fuzz_type(uint8_t op);

/* True if the bytes are such a message, and its strings are sound. */
bool fuzz_is_message(const ProtobufCMessageDescriptor *type, struct slice bytes);

#endif
