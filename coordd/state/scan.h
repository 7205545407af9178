/* scan.h - what decoding a message hides.
 *
 * protobuf-c accepts strings that are no UTF-8, and those with a NUL in them,
 * which then end there for whoever reads the decoded message: "/a\0b" would be
 * taken for "/a". So bytes from outside are looked at here, before decoding. */
#ifndef COORD_STATE_SCAN_H
#define COORD_STATE_SCAN_H

#include <protobuf-c/protobuf-c.h>

#include "libcoord/base/bytes.h"
#include "libcoord/base/err.h"

/* ERR_INVALID if the bytes are no message, or a string field in it, or in a
 * message within, is not UTF-8 without NUL; *ret_field is then the name of the
 * innermost field that is wrong, a constant. Fields that the type does not know
 * are passed over. Types must not contain themselves. */
MUST_USE enum err scan_strings(const ProtobufCMessageDescriptor *type, struct slice packed,
                               const char **ret_field);

#endif
