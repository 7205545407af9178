/* peer_codec.h - a message between replicas, to bytes and back: the Envelope of
 * proto/coord/v1/replica.proto. */
#ifndef COORD_REPLICA_PEER_CODEC_H
#define COORD_REPLICA_PEER_CODEC_H

#include "coordd/paxos/message.h"
#include "coordd/replica/replica.h"
#include "libcoord/base/arena.h"

/* Of the configuration; it rises with each change of the members. */
enum { PEER_EPOCH = 1 };

/* Slots, ballots and rounds above it, and leases above that, are refused. */
#define PEER_NUMBER_MAX (UINT64_MAX >> 2)
enum { PEER_LEASE_MS_MAX = 60000 };

struct peer_envelope {
    uint32_t from;
    uint64_t incarnation;
};

/* A new blob with one reference. */
struct blob *peer_encode(const struct replica_config *config, const struct message *m);

/* False if it is not ours (cell, epoch) or not sound; then *ret is empty. On true
 * *ret is owned by the caller, to message_release. The arena is used and reset. */
bool peer_decode(const struct replica_config *config, struct arena *arena, struct slice bytes,
                 struct peer_envelope *ret_envelope, struct message *ret);

#endif
