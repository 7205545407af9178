/* wire.h - writing protobuf fields without building their structs first.
 *
 * An answer that is kept in the state is packed already; putting it into the
 * message for a stream is a tag, a length and a copy. So are the commands of a
 * batch. Only the wire types that the project's messages use: varint and
 * length-delimited. */
#ifndef COORD_REPLICA_WIRE_H
#define COORD_REPLICA_WIRE_H

#include "libcoord/base/bytes.h"

/* Nothing is written for 0, as proto3 has it. */
void wire_put_varint(struct buffer *b, uint32_t field, uint64_t value);
void wire_put_bytes(struct buffer *b, uint32_t field, struct slice bytes);
/* Tag and length of a length-delimited field whose bytes the caller writes next. */
void wire_put_header(struct buffer *b, uint32_t field, size_t length);
/* Bytes that wire_put_varint, wire_put_bytes would write. */
size_t wire_varint_size(uint32_t field, uint64_t value);
size_t wire_bytes_size(uint32_t field, size_t length);

#endif
