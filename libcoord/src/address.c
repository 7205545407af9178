/* address.c - see address.h.
 *
 * A UNIX socket halves the latency to a server on the same machine. The abstract
 * one belongs to the same network namespace as the loopback port beside it, so
 * it cannot be reached where the port could not. */
#define _GNU_SOURCE
#include "libcoord/src/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PORT_DIGITS_MAX = 5 };

static bool port_sound(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > PORT_DIGITS_MAX || text[digits] != '\0')
        return false;
    unsigned long port = strtoul(text, NULL, 10);
    return port > 0 && port <= UINT16_MAX;
}

static bool name_sound(const char *host)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789-._";
    return host[0] != '\0' && host[strspn(host, letters)] == '\0';
}

static bool parse_unix(const char *text, struct address *ret)
{
    static const char *const schemes[] = {"unix:", "unix-abstract:"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t length = strlen(schemes[i]);
        if (strncmp(text, schemes[i], length) != 0)
            continue;
        if (strlen(text + length) == 0 ||
            strlen(text + length) >= sizeof((struct sockaddr_un *)0)->sun_path)
            return false;
        (void)snprintf(ret->target, sizeof ret->target, "%s", text);
        return true;
    }
    return false;
}

/* ret_local: the address, if it is this machine's own. */
static bool parse_host(const char *host, const char *port, struct address *ret,
                       char ret_local[INET6_ADDRSTRLEN])
{
    struct in_addr v4;
    struct in6_addr v6;
    size_t length = strlen(host);
    if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
        char inner[INET6_ADDRSTRLEN];
        if (length - 2 >= sizeof inner)
            return false;
        memcpy(inner, host + 1, length - 2);
        inner[length - 2] = '\0';
        if (inet_pton(AF_INET6, inner, &v6) != 1)
            return false;
        if (IN6_IS_ADDR_LOOPBACK(&v6))
            (void)inet_ntop(AF_INET6, &v6, ret_local, INET6_ADDRSTRLEN);
        (void)snprintf(ret->target, sizeof ret->target, "ipv6:%s:%s", host, port);
    } else if (inet_pton(AF_INET, host, &v4) == 1) {
        if (ntohl(v4.s_addr) >> 24 == 127)
            (void)inet_ntop(AF_INET, &v4, ret_local, INET6_ADDRSTRLEN);
        (void)snprintf(ret->target, sizeof ret->target, "ipv4:%s:%s", host, port);
    } else {
        if (!name_sound(host))
            return false;
        if (strcasecmp(host, "localhost") == 0)
            (void)snprintf(ret_local, INET6_ADDRSTRLEN, "127.0.0.1");
        (void)snprintf(ret->target, sizeof ret->target, "dns:///%s:%s", host, port);
    }
    return true;
}

bool address_parse_endpoint(const char *text, struct address *ret)
{
    struct address a = {0};
    if (strlen(text) > CLIENT_SESSION_ADDRESS_BYTES_MAX)
        return false;
    if (parse_unix(text, &a)) {
        *ret = a;
        return true;
    }
    const char *colon = strrchr(text, ':');
    if (colon == NULL || !port_sound(colon + 1))
        return false;
    char host[CLIENT_SESSION_ADDRESS_BYTES_MAX + 1];
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    char local[INET6_ADDRSTRLEN] = "";
    if (!parse_host(host, colon + 1, &a, local))
        return false;
    if (local[0] != '\0') /* a port may be written with zeros in front */
        (void)snprintf(a.local, sizeof a.local, "coord-%s-%lu", local,
                       strtoul(colon + 1, NULL, 10));
    *ret = a;
    return true;
}

bool address_local_listens(const struct address *a)
{
    if (a->local[0] == '\0')
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t length = strlen(a->local);
    memcpy(name.sun_path + 1, a->local, length);
    int result = connect(fd, (const struct sockaddr *)&name,
                         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length));
    bool listens = result == 0 || errno == EAGAIN; /* EAGAIN: its backlog is full */
    (void)close(fd);
    return listens;
}

bool address_list_add(struct address_list *l, const char *text)
{
    for (uint32_t i = 0; i < l->count; i++)
        if (strcmp(l->list[i], text) == 0)
            return true;
    if (l->count == CLIENT_SESSION_ENDPOINTS_MAX)
        return false;
    (void)snprintf(l->list[l->count++], sizeof l->list[0], "%s", text);
    return true;
}

const char *address_list_parse(const char *text, struct address_list *ret)
{
    struct address_list list = {.count = 0};
    while (true) {
        text += strspn(text, " \t");
        size_t length = strcspn(text, ",");
        const char *next = text + length;
        while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
            length--;
        char one[CLIENT_SESSION_ADDRESS_BYTES_MAX + 1];
        struct address ignored;
        if (length == 0)
            return "one is empty";
        if (length >= sizeof one)
            return "one is too long";
        memcpy(one, text, length);
        one[length] = '\0';
        if (!address_parse_endpoint(one, &ignored))
            return "one is not host:port";
        if (!address_list_add(&list, one))
            return "too many";
        if (*next == '\0')
            break;
        text = next + 1;
    }
    *ret = list;
    return NULL;
}
