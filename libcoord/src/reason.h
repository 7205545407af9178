/* reason.h - see reason.c. */
#ifndef COORD_REASON_H
#define COORD_REASON_H

#include "libcoord/src/inner.h"

/* Of a call or stream that ended; "" if the server had nothing to say. */
void reason_of(grpc_status_code status, grpc_slice details, char why[DETAIL_BYTES]);
/* Of one server more: "address: why", behind those there are already. What does not fit any
 * more is left out. */
void reason_add(char all[DETAIL_BYTES], const char *address, const char *why);

#endif
