/* message.h - what replicas say to each other, decoded.
 *
 * Field by field the messages of proto/coord/v1/replica.proto; the codec stands
 * in coordd/replica. Which fields a kind uses is written there. */
#ifndef COORD_PAXOS_MESSAGE_H
#define COORD_PAXOS_MESSAGE_H

#include <stdbool.h>

#include "coordd/paxos/entry.h"

enum message_kind {
    MESSAGE_PREPARE = 1,
    MESSAGE_PROMISE,
    MESSAGE_ACCEPT, /* without entries: the heartbeat */
    MESSAGE_ACCEPTED,
    MESSAGE_REFUSED,
    MESSAGE_PROBE,
    MESSAGE_PROBED,
    MESSAGE_FETCH,
    MESSAGE_FETCHED,
    MESSAGE_RELINQUISH,
    /* Not of consensus (coordd/replica): state for one whose log the others have cut. */
    MESSAGE_TRANSFER,
    MESSAGE_TRANSFERRED,
    MESSAGE_STATE_HASH, /* what the state is there, to be compared */
};

/* A message carries at most this many entries, and at most this many bytes of
 * values unless its first entry alone is larger. */
enum {
    MESSAGE_ENTRIES_MAX = 64,
    MESSAGE_VALUES_BYTES_MAX = 2 * 1024 * 1024,
};

struct message {
    enum message_kind kind;
    uint64_t ballot;
    uint64_t first_slot, last_slot;
    uint64_t previous_slot;
    uint64_t chosen, checkpoint;
    uint64_t held;
    uint64_t round;
    uint64_t number;
    uint64_t hash[2]; /* of STATE_HASH */
    uint32_t chunk;
    uint32_t lease_ms;
    bool done, healthy, granted, gap, low, lease, stranger, happy;
    struct log_entry *entries; /* each with a reference; who holds the struct owns them */
    uint32_t entries_count;
    struct blob *records, *about; /* of TRANSFERRED: references, or NULL */
};

/* Frees the entries. */
void message_release(struct message *m);
/* Appends an entry with a reference of its own. False when the message is full. */
bool message_add(struct message *m, const struct log_entry *entry);

#endif
