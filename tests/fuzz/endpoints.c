/* endpoints.c - lists of servers as an application gives them, and addresses as a
 * server's redirect does. */
#include <stdlib.h>
#include <string.h>

#include "libcoord/src/address.h"
#include "tests/fuzz/fuzz.h"

static bool ends_within(const char *text, size_t bytes)
{
    return memchr(text, 0, bytes) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(slice_of(data, size));
    struct address_list *list = check_calloc(1, sizeof *list);
    struct address address;

    if (address_list_parse(text, list) == NULL) {
        DEMAND(list->count > 0 && list->count <= CLIENT_SESSION_ENDPOINTS_MAX);
        for (uint32_t i = 0; i < list->count; i++) {
            DEMAND(ends_within(list->list[i], sizeof list->list[i]));
            DEMAND(address_parse_endpoint(list->list[i], &address));
        }
    }
    if (address_parse_endpoint(text, &address)) {
        DEMAND(ends_within(address.target, sizeof address.target));
        DEMAND(ends_within(address.local, sizeof address.local));
        DEMAND(address.target[0] != 0);
    }
    free(list);
    free(text);
    return 0;
}
