/* api_stale.c - what any one server has, asked without a session: there is none to be
 * had while nobody leads, and just then it may be wanted. */
#include <stdlib.h>

#include "libcoord/src/inner.h"

static coord_error ask(struct coord_client *client, Coord__V1__Read *read, int64_t deadline_ms,
                       call_take *take, void *context)
{
    Coord__V1__ExecuteRequest request = COORD__V1__EXECUTE_REQUEST__INIT;
    read->freshness = COORD__V1__FRESHNESS__STALE;
    request.request_case = COORD__V1__EXECUTE_REQUEST__REQUEST_READ;
    request.read = read;
    return unary_any(client, &request, deadline_ms, take, context);
}

coord_error coord_get_stale(coord_client *client, const char *path, int64_t deadline_ms,
                            void **ret_content, size_t *ret_length, coord_stat *ret_stat,
                            uint64_t *ret_revision)
{
    char *inside = NULL;
    detail_clear();
    if (client == NULL || ret_content == NULL || ret_length == NULL)
        return fail(COORD_ERR_INVALID, "%s: is NULL",
                    client == NULL        ? "client"
                    : ret_content == NULL ? "ret_content"
                                          : "ret_length");
    coord_error e = check_deadline(deadline_ms);
    if (e == COORD_OK)
        e = path_take(client, "path", path, &inside);
    if (e != COORD_OK)
        return e;
    struct content content = {.data = NULL};
    Coord__V1__Get m = COORD__V1__GET__INIT;
    Coord__V1__Read read = COORD__V1__READ__INIT;
    m.path = inside;
    read.op_case = COORD__V1__READ__OP_GET;
    read.get = &m;
    e = ask(client, &read, deadline_ms, content_take, &content);
    free(inside);
    if (e != COORD_OK)
        return e;
    if (content.data == NULL)
        return call_odd_answer();
    *ret_content = content.data;
    *ret_length = content.length;
    if (ret_stat != NULL)
        *ret_stat = content.stat;
    if (ret_revision != NULL)
        *ret_revision = content.revision;
    return COORD_OK;
}

struct listing_call {
    coord_client *client;
    int64_t deadline_ms;
};

static coord_error ask_listing(void *context, Coord__V1__Read *read, call_take *take,
                               void *take_context)
{
    const struct listing_call *l = context;
    return ask(l->client, read, l->deadline_ms, take, take_context);
}

coord_error coord_list_stale(coord_client *client, const char *path, const char *after,
                             uint32_t limit, int64_t deadline_ms, coord_listing **ret_listing)
{
    struct listing_call l = {client, deadline_ms};
    detail_clear();
    if (client == NULL || ret_listing == NULL)
        return fail(COORD_ERR_INVALID, "%s: is NULL", client == NULL ? "client" : "ret_listing");
    coord_error e = check_deadline(deadline_ms);
    if (e != COORD_OK)
        return e;
    return listing_ask(client, path, after, limit, ask_listing, &l, ret_listing);
}
