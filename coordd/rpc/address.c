/* address.c - see address.h. */
#define _GNU_SOURCE
#include "coordd/rpc/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "libcoord/base/check.h"

enum {
    PORT_DIGITS_MAX = 5,
};

static bool parse_port(const char *text, uint16_t *ret)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > PORT_DIGITS_MAX || text[digits] != '\0')
        return false;
    unsigned long port = strtoul(text, NULL, 10);
    if (port == 0 || port > UINT16_MAX)
        return false;
    *ret = (uint16_t)port;
    return true;
}

static bool is_name(const char *host)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    return host[0] != '\0' && host[strspn(host, letters)] == '\0';
}

bool address_parse(const char *text, struct address *ret)
{
    struct address a = {0};
    const char *colon = strrchr(text, ':');
    if (colon == NULL || !parse_port(colon + 1, &a.port))
        return false;
    const char *host = text;
    size_t length = (size_t)(colon - text);
    bool bracketed = length >= 2 && host[0] == '[' && host[length - 1] == ']';
    if (bracketed) {
        host++;
        length -= 2;
    }
    if (length == 0 || length > ADDRESS_HOST_BYTES_MAX)
        return false;
    memcpy(a.host, host, length);

    struct in_addr v4;
    struct in6_addr v6;
    if (bracketed) {
        a.kind = ADDRESS_IPV6;
        if (inet_pton(AF_INET6, a.host, &v6) != 1)
            return false;
    } else if (inet_pton(AF_INET, a.host, &v4) == 1) {
        a.kind = ADDRESS_IPV4;
    } else {
        a.kind = ADDRESS_NAME;
        if (!is_name(a.host))
            return false;
    }
    *ret = a;
    return true;
}

void address_target(const struct address *a, char *out, size_t out_bytes)
{
    int length = 0;
    switch (a->kind) {
    case ADDRESS_IPV4:
        length = snprintf(out, out_bytes, "ipv4:%s:%u", a->host, a->port);
        break;
    case ADDRESS_IPV6:
        length = snprintf(out, out_bytes, "ipv6:[%s]:%u", a->host, a->port);
        break;
    case ADDRESS_NAME:
        length = snprintf(out, out_bytes, "dns:///%s:%u", a->host, a->port);
        break;
    }
    CHECK(length > 0 && (size_t)length < out_bytes);
}

/* As its text is always written, so that the client comes to the same. */
static bool loopback_of(const struct address *a, char out[INET6_ADDRSTRLEN])
{
    struct in_addr v4;
    struct in6_addr v6;
    switch (a->kind) {
    case ADDRESS_IPV4:
        if (inet_pton(AF_INET, a->host, &v4) != 1)
            return false;
        if (v4.s_addr == INADDR_ANY)
            v4.s_addr = htonl(INADDR_LOOPBACK);
        return ntohl(v4.s_addr) >> 24 == 127 && inet_ntop(AF_INET, &v4, out, INET6_ADDRSTRLEN);
    case ADDRESS_IPV6:
        if (inet_pton(AF_INET6, a->host, &v6) != 1)
            return false;
        if (IN6_IS_ADDR_UNSPECIFIED(&v6))
            v6 = in6addr_loopback;
        return IN6_IS_ADDR_LOOPBACK(&v6) && inet_ntop(AF_INET6, &v6, out, INET6_ADDRSTRLEN);
    case ADDRESS_NAME:
        (void)snprintf(out, INET6_ADDRSTRLEN, "127.0.0.1");
        return strcasecmp(a->host, "localhost") == 0;
    }
    return false;
}

bool address_local_name(const struct address *a, char out[ADDRESS_LOCAL_BYTES_MAX])
{
    char ip[INET6_ADDRSTRLEN];
    if (!loopback_of(a, ip))
        return false;
    (void)snprintf(out, ADDRESS_LOCAL_BYTES_MAX, "coord-%s-%u", ip, a->port);
    return true;
}
