/* reason.c - why a server gave no answer, in words for a person instead of gRPC's. */
#include "libcoord/src/reason.h"

#include <stdio.h>
#include <string.h>

static bool says(const char *details, const char *phrase)
{
    return strstr(details, phrase) != NULL;
}

void reason_of(grpc_status_code status, grpc_slice details, char why[DETAIL_BYTES])
{
    char text[DETAIL_BYTES];
    size_t length = GRPC_SLICE_LENGTH(details);
    (void)snprintf(text, sizeof text, "%.*s",
                   (int)(length < sizeof text ? length : sizeof text - 1),
                   (const char *)GRPC_SLICE_START_PTR(details));
    const char *plain = text;
    if (says(text, "Connection refused"))
        plain = "connection refused";
    else if (says(text, "No route to host") || says(text, "Network is unreachable"))
        plain = "there is no way to it";
    else if (says(text, "DNS resolution failed") || says(text, "Domain name not found"))
        plain = "there is no host of this name";
    else if (status == GRPC_STATUS_DEADLINE_EXCEEDED || says(text, "Connection timed out"))
        plain = "no answer in time";
    else if (status == GRPC_STATUS_UNIMPLEMENTED || says(text, "http2 header") ||
             says(text, "HTTP"))
        plain = "what listens there is no server of a cell";
    else if (status == GRPC_STATUS_UNAVAILABLE)
        plain = "it cannot be reached";
    (void)snprintf(why, DETAIL_BYTES, "%s", plain);
}

void reason_add(char all[DETAIL_BYTES], const char *address, const char *why)
{
    char one[DETAIL_BYTES];
    size_t length = strlen(all);
    int more = snprintf(one, sizeof one, "%s%.80s: %.160s", length > 0 ? "; " : "", address, why);
    if (more > 0 && length + (size_t)more < DETAIL_BYTES)
        (void)memcpy(all + length, one, (size_t)more + 1);
}
