/* address.h - where a server is: host:port, [v6]:port, unix:/path. */
#ifndef LIBCOORD_ADDRESS_H
#define LIBCOORD_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "libcoord/src/session.h"

struct address {
    char target[CLIENT_SESSION_ADDRESS_BYTES_MAX + 16]; /* as gRPC dials it */
    /* A server on this machine also listens on the abstract UNIX socket of this
     * name, without the leading NUL: coord-<IP address>-<port>, as there; "" if it is
     * not on this machine. */
    char local[64];
};
bool address_parse_endpoint(const char *text, struct address *ret);
/* Somebody listens on that socket now. */
bool address_local_listens(const struct address *a);

struct address_list {
    char list[CLIENT_SESSION_ENDPOINTS_MAX][CLIENT_SESSION_ADDRESS_BYTES_MAX + 1];
    uint32_t count;
};
/* False if it is full; an address that is there already is not added again. */
bool address_list_add(struct address_list *l, const char *text);
/* "a:1,b:2"; NULL, or what is wrong with it, a constant. */
const char *address_list_parse(const char *text, struct address_list *ret);

#endif
