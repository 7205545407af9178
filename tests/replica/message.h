/* message.h - what clients and replicas say to each other, as structs and as bytes: for
 * both benches. */
#ifndef COORD_TESTS_REPLICA_MESSAGE_H
#define COORD_TESTS_REPLICA_MESSAGE_H

#include "coord/v1/coord.pb-c.h"
#include "libcoord/base/bytes.h"

enum { MESSAGE_SECRET_BYTES = 16 };

/* Appends it. */
void message_pack(const ProtobufCMessage *m, struct buffer *to);
/* All of `from` is one message, or several that become one; it is empty afterwards. To be
 * freed with free_unpacked. */
void *message_take(struct buffer *from, const ProtobufCMessageDescriptor *type);

/* A put that makes the node if need be. It stays where it is: the one points to the other. */
struct message_put {
    Coord__V1__Write write;
    Coord__V1__Put put;
};
/* Path and content are borrowed. */
void message_put_init(struct message_put *m, const char *path, const char *content);
/* The same, to be sent without a session. */
struct message_execute_put {
    Coord__V1__ExecuteRequest request;
    struct message_put put;
};
void message_execute_put_init(struct message_execute_put *m, const char *path, const char *content);

/* A request that opens a session, of this nonce in each byte; it stays where it is, too. */
struct message_open {
    Coord__V1__SessionRequest request;
    Coord__V1__Open open;
    uint8_t nonce[16];
};
void message_open_init(struct message_open *m, uint8_t nonce, uint32_t ttl_ms);
/* How a session began, by what the stream began with: the status, -1 if that is no answer.
 * If one was opened, its number and secret. */
int message_begun(const Coord__V1__SessionReply *reply, uint64_t *ret_session,
                  uint8_t ret_secret[MESSAGE_SECRET_BYTES]);

#endif
