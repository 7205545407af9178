/* peer_mend.h - a message between replicas that gets past the checksums.
 *
 * No mutation finds the checksum of a value, and a value that is no batch ends the
 * process by design: checksums are there so that it never comes. So the targets
 * set the one right and replace the other. */
#ifndef COORD_TESTS_FUZZ_PEER_MEND_H
#define COORD_TESTS_FUZZ_PEER_MEND_H

#include "coordd/replica/replica.h"

enum { PEER_SELF = 1, PEER_MEMBERS = 3 };

/* A cell of `members_count` members, of which this is PEER_SELF. */
void peer_config(struct replica_config *ret, uint32_t members_count);

/* An Envelope from member `from` around these bytes of a Message, appended to `out`. A
 * chunk of a transfer without a number gets `asked`, that of the last question for one.
 * False if they are none: then they go in as they are. */
bool peer_mend(const struct replica_config *config, uint32_t from, uint64_t asked,
               struct slice body, struct buffer *out);

#endif
