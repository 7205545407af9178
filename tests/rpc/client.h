/* client.h - one gRPC call, made with nothing but gRPC's core: a client that
 * can also misbehave. Everything is asynchronous; client_pump moves it on. */
#ifndef COORD_TESTS_RPC_CLIENT_H
#define COORD_TESTS_RPC_CLIENT_H

#include <grpc/grpc.h>
#include <stdbool.h>

#include "libcoord/base/bytes.h"

enum {
    CLIENT_HEADERS_MAX = 4,
    CLIENT_MESSAGES_KEPT_MAX = 64,
};

struct client {
    grpc_completion_queue *queue;
    grpc_channel *channel;
    grpc_call *call;
    bool reads; /* keep a receive posted */

    bool greeted, ended;
    grpc_status_code status;
    char details[256];

    struct buffer received;                   /* all messages, joined */
    size_t lengths[CLIENT_MESSAGES_KEPT_MAX]; /* of the first ones */
    unsigned messages;

    bool sending, receiving;
    struct {
        const char *key, *value;
    } headers[CLIENT_HEADERS_MAX];
    unsigned headers_count;

    grpc_metadata_array initial, trailing;
    grpc_byte_buffer *incoming;
    grpc_slice status_details;
    unsigned tags_out;
};

/* `target` as gRPC writes it. */
void client_open(struct client *c, const char *target);
void client_header(struct client *c, const char *key, const char *value);
/* `reads`: take messages as they come; otherwise none is ever read. */
void client_start(struct client *c, const char *method, bool reads);
/* From now on take messages after all. */
void client_read(struct client *c);
/* False while the message before is still being written. */
bool client_send(struct client *c, const void *data, size_t length);
void client_half_close(struct client *c);
void client_cancel(struct client *c);
/* Takes what has completed, without waiting. */
void client_pump(struct client *c);
void client_close(struct client *c);

#endif
