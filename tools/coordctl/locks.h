/* locks.h - how the claims of a lock are shown. */
#ifndef COORDCTL_LOCKS_H
#define COORDCTL_LOCKS_H

#include "tools/coordctl/output.h"

/* An array of that name, of holders or waiters. */
void locks_claims_json(cJSON *object, const char *name, const coord_claim *claims, size_t count);

/* "session 12 (host, pid 345)", on standard output. */
void locks_print_claimant(const coord_claim *claim);

#endif
