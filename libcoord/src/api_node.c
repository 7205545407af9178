/* api_node.c - the public calls about nodes by name. */
#include <stdlib.h>

#include "libcoord/src/inner.h"

coord_error coord_get(coord_session *session, const char *path, int64_t deadline_ms,
                      void **ret_content, size_t *ret_length, coord_stat *ret_stat)
{
    char *inside = NULL;
    coord_error e = check_by_name(session, path, deadline_ms, &inside);
    if (e != COORD_OK)
        return e;
    if (ret_content == NULL || ret_length == NULL) {
        e = fail(COORD_ERR_INVALID, "%s: is NULL",
                 ret_content == NULL ? "ret_content" : "ret_length");
    } else {
        struct call call = call_begin(session, deadline_ms);
        e = call_get(&call, inside, 0, ret_content, ret_length, ret_stat);
    }
    free(inside);
    return e;
}

coord_error coord_stat_get(coord_session *session, const char *path, int64_t deadline_ms,
                           coord_stat *ret_stat)
{
    char *inside = NULL;
    coord_error e = check_by_name(session, path, deadline_ms, &inside);
    if (e != COORD_OK)
        return e;
    if (ret_stat == NULL) {
        e = fail(COORD_ERR_INVALID, "ret_stat: is NULL");
    } else {
        struct call call = call_begin(session, deadline_ms);
        e = call_stat(&call, inside, ret_stat);
    }
    free(inside);
    return e;
}

coord_error coord_set(coord_session *session, const char *path, const void *content, size_t length,
                      const coord_write_options *options, int64_t deadline_ms, coord_stat *ret_stat)
{
    char *inside = NULL;
    const coord_write_options *o = write_options_or_default(options);
    coord_error e = check_by_name(session, path, deadline_ms, &inside);
    if (e != COORD_OK)
        return e;
    e = check_content("content", content, length);
    if (e == COORD_OK)
        e = write_options_check(o, COORD_CREATE | COORD_PARENTS);
    if (e == COORD_OK) {
        struct call call = call_begin(session, deadline_ms);
        e = call_put(&call, inside, content, length, o, ret_stat);
    }
    free(inside);
    return e;
}

static coord_error create(coord_session *session, const char *path, const void *content,
                          size_t length, const coord_write_options *options, int64_t deadline_ms,
                          coord_stat *ret_stat, char **ret_path)
{
    char *inside = NULL;
    const coord_write_options *o = write_options_or_default(options);
    coord_error e = check_by_name(session, path, deadline_ms, &inside);
    if (e != COORD_OK)
        return e;
    e = check_content("content", content, length);
    if (e == COORD_OK)
        e = write_options_check(o,
                                COORD_CREATE | COORD_EPHEMERAL | COORD_EXCLUSIVE | COORD_PARENTS);
    if (e == COORD_OK && (o->if_content_generation != 0 || o->if_instance != 0))
        e = fail(COORD_ERR_INVALID, "options: a node that is to be made has no generation yet");
    if (e == COORD_OK) {
        struct call call = call_begin(session, deadline_ms);
        e = call_create(&call, inside, content, length, o, ret_stat, ret_path);
    }
    free(inside);
    return e;
}

coord_error coord_create(coord_session *session, const char *path, const void *content,
                         size_t length, const coord_write_options *options, int64_t deadline_ms,
                         coord_stat *ret_stat)
{
    return create(session, path, content, length, options, deadline_ms, ret_stat, NULL);
}

coord_error coord_create_sequential(coord_session *session, const char *path, const void *content,
                                    size_t length, const coord_write_options *options,
                                    int64_t deadline_ms, coord_stat *ret_stat, char **ret_path)
{
    detail_clear();
    if (ret_path == NULL)
        return fail(COORD_ERR_INVALID, "ret_path: is NULL");
    return create(session, path, content, length, options, deadline_ms, ret_stat, ret_path);
}

coord_error coord_delete(coord_session *session, const char *path,
                         const coord_write_options *options, int64_t deadline_ms)
{
    char *inside = NULL;
    const coord_write_options *o = write_options_or_default(options);
    coord_error e = check_by_name(session, path, deadline_ms, &inside);
    if (e != COORD_OK)
        return e;
    e = write_options_check(o, 0);
    if (e == COORD_OK) {
        struct call call = call_begin(session, deadline_ms);
        e = call_delete(&call, inside, o, 0);
    }
    free(inside);
    return e;
}
