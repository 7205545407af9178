/* message.c - see message.h. */
#include "tests/replica/message.h"

#include <string.h>

#include "libcoord/base/check.h"

void message_pack(const ProtobufCMessage *m, struct buffer *to)
{
    protobuf_c_message_pack(m, buffer_extend(to, protobuf_c_message_get_packed_size(m)));
}

void *message_take(struct buffer *from, const ProtobufCMessageDescriptor *type)
{
    void *m = protobuf_c_message_unpack(type, NULL, from->length, from->data);

    CHECK(m != NULL);
    buffer_clear(from);
    return m;
}

void message_put_init(struct message_put *m, const char *path, const char *content)
{
    coord__v1__write__init(&m->write);
    coord__v1__put__init(&m->put);
    m->put.path = (char *)(uintptr_t)path;
    m->put.content.data = (uint8_t *)(uintptr_t)content;
    m->put.content.len = strlen(content);
    m->put.create = 1;
    m->write.op_case = COORD__V1__WRITE__OP_PUT;
    m->write.put = &m->put;
}

void message_execute_put_init(struct message_execute_put *m, const char *path, const char *content)
{
    coord__v1__execute_request__init(&m->request);
    message_put_init(&m->put, path, content);
    m->request.request_case = COORD__V1__EXECUTE_REQUEST__REQUEST_WRITE;
    m->request.write = &m->put.write;
}

void message_open_init(struct message_open *m, uint8_t nonce, uint32_t ttl_ms)
{
    coord__v1__session_request__init(&m->request);
    coord__v1__open__init(&m->open);
    memset(m->nonce, nonce, sizeof m->nonce);
    m->open.nonce.data = m->nonce;
    m->open.nonce.len = sizeof m->nonce;
    m->open.ttl_ms = ttl_ms;
    m->request.begin_case = COORD__V1__SESSION_REQUEST__BEGIN_OPEN;
    m->request.open = &m->open;
}

int message_begun(const Coord__V1__SessionReply *reply, uint64_t *ret_session,
                  uint8_t ret_secret[MESSAGE_SECRET_BYTES])
{
    const Coord__V1__Answer *begun;

    if (reply->n_items == 0 || reply->items[0]->kind_case != COORD__V1__ITEM__KIND_BEGUN)
        return -1;
    begun = reply->items[0]->begun;
    if (begun->body_case == COORD__V1__ANSWER__BODY_OPENED) {
        CHECK(begun->opened->secret.len == MESSAGE_SECRET_BYTES);
        *ret_session = begun->opened->session;
        memcpy(ret_secret, begun->opened->secret.data, MESSAGE_SECRET_BYTES);
    }
    return (int)begun->status;
}
