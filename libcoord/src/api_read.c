/* api_read.c - reads as fresh as is asked for.
 *
 * What is of the present comes through the session, in order with its writes and its
 * watches; what may be old is asked of any one server, beside the session. */
#include <stdlib.h>

#include "libcoord/src/inner.h"

static Coord__V1__Freshness freshness_of(const coord_read_options *o)
{
    switch (o->freshness) {
    case COORD_QUORUM:
        return COORD__V1__FRESHNESS__QUORUM;
    case COORD_STALE:
        return COORD__V1__FRESHNESS__STALE;
    case COORD_LEASE:
        break;
    }
    return COORD__V1__FRESHNESS__LEASE;
}

static coord_error check(const coord_read_options *o)
{
    if (o->size != sizeof *o)
        return fail(COORD_ERR_INVALID, "options: size is not that of coord_read_options");
    if (o->freshness < COORD_LEASE || o->freshness > COORD_STALE)
        return fail(COORD_ERR_INVALID, "options: freshness %d is unknown", (int)o->freshness);
    return COORD_OK;
}

static const coord_read_options *or_default(const coord_read_options *options)
{
    static const coord_read_options defaults = COORD_READ_OPTIONS_INIT;
    return options != NULL ? options : &defaults;
}

static coord_error ask(coord_session *session, Coord__V1__Read *read, const coord_read_options *o,
                       int64_t deadline_ms, call_take *take, void *context)
{
    read->freshness = freshness_of(o);
    if (o->freshness != COORD_STALE) {
        struct call call = call_begin(session, deadline_ms);
        return call_read(&call, read, take, context);
    }
    Coord__V1__ExecuteRequest request = COORD__V1__EXECUTE_REQUEST__INIT;
    request.request_case = COORD__V1__EXECUTE_REQUEST__REQUEST_READ;
    request.read = read;
    return unary_any(session->client, &request, deadline_ms, take, context);
}

coord_error coord_get_with(coord_session *session, const char *path,
                           const coord_read_options *options, int64_t deadline_ms,
                           void **ret_content, size_t *ret_length, coord_stat *ret_stat,
                           uint64_t *ret_revision)
{
    char *inside = NULL;
    const coord_read_options *o = or_default(options);
    coord_error e = check_by_name(session, path, deadline_ms, &inside);
    if (e != COORD_OK)
        return e;
    if (ret_content == NULL || ret_length == NULL)
        e = fail(COORD_ERR_INVALID, "%s: is NULL",
                 ret_content == NULL ? "ret_content" : "ret_length");
    else
        e = check(o);
    struct content content = {.data = NULL};
    if (e == COORD_OK) {
        Coord__V1__Get m = COORD__V1__GET__INIT;
        Coord__V1__Read read = COORD__V1__READ__INIT;
        m.path = inside;
        read.op_case = COORD__V1__READ__OP_GET;
        read.get = &m;
        e = ask(session, &read, o, deadline_ms, content_take, &content);
    }
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

struct shown {
    coord_stat stat; /* size 0: none came */
    uint64_t revision;
};

static void take_shown(void *context, const Coord__V1__Answer *answer)
{
    struct shown *shown = context;
    if (answer->body_case != COORD__V1__ANSWER__BODY_STAT)
        return;
    stat_take(&shown->stat, answer->stat);
    shown->revision = answer->revision;
}

coord_error coord_stat_get_with(coord_session *session, const char *path,
                                const coord_read_options *options, int64_t deadline_ms,
                                coord_stat *ret_stat, uint64_t *ret_revision)
{
    char *inside = NULL;
    const coord_read_options *o = or_default(options);
    coord_error e = check_by_name(session, path, deadline_ms, &inside);
    if (e != COORD_OK)
        return e;
    e = ret_stat == NULL ? fail(COORD_ERR_INVALID, "ret_stat: is NULL") : check(o);
    struct shown shown = {.stat = {.size = 0}};
    if (e == COORD_OK) {
        Coord__V1__GetStat m = COORD__V1__GET_STAT__INIT;
        Coord__V1__Read read = COORD__V1__READ__INIT;
        m.path = inside;
        read.op_case = COORD__V1__READ__OP_STAT;
        read.stat = &m;
        e = ask(session, &read, o, deadline_ms, take_shown, &shown);
    }
    free(inside);
    if (e != COORD_OK)
        return e;
    if (shown.stat.size == 0)
        return call_odd_answer();
    *ret_stat = shown.stat;
    if (ret_revision != NULL)
        *ret_revision = shown.revision;
    return COORD_OK;
}

struct listing_call {
    coord_session *session;
    const coord_read_options *options;
    int64_t deadline_ms;
};

static coord_error ask_listing(void *context, Coord__V1__Read *read, call_take *take,
                               void *take_context)
{
    const struct listing_call *l = context;
    return ask(l->session, read, l->options, l->deadline_ms, take, take_context);
}

coord_error coord_list_with(coord_session *session, const char *path, const char *after,
                            uint32_t limit, const coord_read_options *options, int64_t deadline_ms,
                            coord_listing **ret_listing)
{
    struct listing_call l = {session, or_default(options), deadline_ms};
    detail_clear();
    if (session == NULL || ret_listing == NULL)
        return fail(COORD_ERR_INVALID, "%s: is NULL", session == NULL ? "session" : "ret_listing");
    coord_error e = check_deadline(deadline_ms);
    if (e == COORD_OK)
        e = check(l.options);
    if (e != COORD_OK)
        return e;
    return listing_ask(session->client, path, after, limit, ask_listing, &l, ret_listing);
}
