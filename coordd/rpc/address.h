/* address.h - host:port as people write it, and as gRPC wants it.
 *
 * [::1]:7400, 127.0.0.1:7400, name:7400. No resolving here. */
#ifndef COORD_RPC_ADDRESS_H
#define COORD_RPC_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ADDRESS_HOST_BYTES_MAX = 255,
    /* Scheme and slashes in front of host and port. */
    ADDRESS_TARGET_BYTES_MAX = ADDRESS_HOST_BYTES_MAX + 32,
    ADDRESS_LOCAL_BYTES_MAX = 64,
};

enum address_kind {
    ADDRESS_IPV4,
    ADDRESS_IPV6,
    ADDRESS_NAME,
};

struct address {
    enum address_kind kind;
    char host[ADDRESS_HOST_BYTES_MAX + 1]; /* without brackets */
    uint16_t port;                         /* never 0 */
};

/* False, *ret untouched, unless `text` is host:port in one of the forms above. */
bool address_parse(const char *text, struct address *ret);

/* ipv4:..., ipv6:[...] or dns:///...: a literal never asks a resolver. */
void address_target(const struct address *a, char *out, size_t out_bytes);

/* The name of the abstract UNIX socket beside it, coord-<IP address>-<port>; false if
 * loopback does not reach it: it is in 127.0.0.0/8, ::1, localhost (which is 127.0.0.1
 * here), or a wildcard (which has the name of the first of its family). */
bool address_local_name(const struct address *a, char out[ADDRESS_LOCAL_BYTES_MAX]);

#endif
