/* bytes.h - borrowed ranges, growing buffers, and shared immutable blobs.
 *
 * slice: borrows; the owner is named where it is stored.
 * buffer: owns and grows; out of memory ends the process (check.h).
 * blob: immutable once filled, reference counted WITHOUT atomics: references
 * are taken and dropped by one thread only. Another thread may read a blob that
 * its owner keeps alive. This is how one encoded value is stored, sent to four
 * peers and applied without a copy.
 * reader: a cursor over a slice; a read past the end sets `failed` and yields
 * zeros, so that a decoder checks once at its end.
 *
 * Integers are little-endian of fixed width: the encodings made with these are
 * canonical, one value has one encoding. */
#ifndef COORD_BASE_BYTES_H
#define COORD_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
    const uint8_t *data; /* borrowed; may be NULL when length is 0 */
    size_t length;
};

struct slice slice_of(const void *data, size_t length);
struct slice slice_of_string(const char *s); /* without the NUL */
bool slice_equal(struct slice a, struct slice b);
/* memcmp order, a prefix sorts first. */
int slice_compare(struct slice a, struct slice b);

struct buffer {
    uint8_t *data; /* owned */
    size_t length;
    size_t capacity;
};
/* clang-format off */
#define BUFFER_INIT {NULL, 0, 0}
/* clang-format on */

void buffer_release(struct buffer *b);                   /* frees, and makes it empty */
void buffer_clear(struct buffer *b);                     /* keeps the memory */
uint8_t *buffer_extend(struct buffer *b, size_t length); /* room at the end, uninitialised */
void buffer_put(struct buffer *b, const void *data, size_t length);
void buffer_put_u8(struct buffer *b, uint8_t v);
void buffer_put_u32(struct buffer *b, uint32_t v);
void buffer_put_u64(struct buffer *b, uint64_t v);
/* u32 length, then the bytes. */
void buffer_put_slice(struct buffer *b, struct slice s);
struct slice buffer_slice(const struct buffer *b); /* borrowed until the next change */

struct reader {
    const uint8_t *at;
    size_t left;
    bool failed;
};
struct reader reader_of(struct slice s);
uint8_t reader_u8(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
struct slice reader_slice(struct reader *r); /* u32 length, then the bytes; borrowed */
struct slice reader_bytes(struct reader *r, size_t length);
/* True if nothing failed and nothing is left. */
bool reader_done(const struct reader *r);

struct blob {
    uint32_t references;
    size_t length;
    uint8_t data[];
};
struct blob *blob_new(size_t length); /* one reference, data uninitialised */
struct blob *blob_copy(struct slice s);
struct blob *blob_ref(struct blob *b);
void blob_unref(struct blob *b); /* accepts NULL */
struct slice blob_slice(const struct blob *b);

/* Lower-case hexadecimal with a NUL; `out` holds 2 * length + 1 bytes. */
void hex_encode(const void *data, size_t length, char *out);
/* False unless `text` is exactly 2 * length hexadecimal digits. */
bool hex_decode(const char *text, void *out, size_t length);

#endif
