/* reason.h - see reason.c. */
#ifndef COORD_REASON_H
#define COORD_REASON_H

#include "libcoord/src/inner.h"

/* Of a call that ended without an answer. */
void unary_reason(grpc_status_code status, grpc_slice details, char why[DETAIL_BYTES]);

#endif
