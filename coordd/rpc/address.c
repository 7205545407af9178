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

bool address_covers_loopback(const struct address *a)
{
    struct in_addr v4;
    struct in6_addr v6;
    switch (a->kind) {
    case ADDRESS_IPV4:
        return inet_pton(AF_INET, a->host, &v4) == 1 &&
               (ntohl(v4.s_addr) >> 24 == 127 || v4.s_addr == INADDR_ANY);
    case ADDRESS_IPV6:
        return inet_pton(AF_INET6, a->host, &v6) == 1 &&
               (IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6));
    case ADDRESS_NAME:
        return strcasecmp(a->host, "localhost") == 0;
    }
    return false;
}
