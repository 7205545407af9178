/* api_handle.c - handles on nodes: bound to the instance that was opened. */
#include <stdlib.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

enum {
    OPEN_FLAGS = COORD_CREATE | COORD_EPHEMERAL | COORD_EXCLUSIVE | COORD_PARENTS,
    OPEN_TRIES_MAX = 16, /* a node that is made and deleted again and again */
};

/* Finds the node or makes it, whichever the flags allow and comes first. */
static coord_error find_or_make(const struct call *call, char *path, uint32_t flags,
                                coord_stat *ret)
{
    coord_write_options o = COORD_WRITE_OPTIONS_INIT;
    o.flags = flags & (COORD_EPHEMERAL | COORD_PARENTS);
    coord_error e = COORD_ERR_NO_NODE;
    for (int i = 0; i < OPEN_TRIES_MAX; i++) {
        if ((flags & COORD_EXCLUSIVE) == 0)
            e = call_stat(call, path, ret);
        if (e != COORD_ERR_NO_NODE || (flags & COORD_CREATE) == 0)
            return e;
        e = call_create(call, path, NULL, 0, &o, ret, NULL);
        if (e != COORD_ERR_NODE_EXISTS || (flags & COORD_EXCLUSIVE) != 0)
            return e;
    }
    return e;
}

coord_error coord_open(coord_session *session, const char *path, uint32_t flags,
                       int64_t deadline_ms, coord_node **ret_node)
{
    char *inside = NULL;
    coord_stat stat = {.size = 0};
    coord_error e = check_by_name(session, path, deadline_ms, &inside);
    if (e != COORD_OK)
        return e;
    if ((flags & ~(uint32_t)OPEN_FLAGS) != 0)
        e = fail(COORD_ERR_INVALID, "flags: 0x%x are unknown", flags & ~(uint32_t)OPEN_FLAGS);
    else if (flags != 0 && (flags & COORD_CREATE) == 0)
        e = fail(COORD_ERR_INVALID, "flags: without COORD_CREATE the others mean nothing");
    else if (ret_node == NULL)
        e = fail(COORD_ERR_INVALID, "ret_node: is NULL");
    if (e == COORD_OK) {
        struct call call = call_begin(session, deadline_ms);
        e = find_or_make(&call, inside, flags, &stat);
    }
    if (e == COORD_OK && stat.size == 0)
        e = call_odd_answer();
    if (e != COORD_OK) {
        free(inside);
        return e;
    }
    struct coord_node *node = check_calloc(1, sizeof *node);
    node->session = session_ref(session);
    node->path = inside;
    node->instance = stat.instance;
    *ret_node = node;
    return COORD_OK;
}

void coord_node_close(coord_node *node)
{
    if (node == NULL)
        return;
    session_unref(node->session);
    free(node->path);
    free(node);
}

const char *coord_node_path(const coord_node *node)
{
    return node == NULL ? "" : node->path;
}

static coord_error begin_node(coord_node *node, int64_t deadline_ms)
{
    detail_clear();
    if (node == NULL)
        return fail(COORD_ERR_INVALID, "node: is NULL");
    return check_deadline(deadline_ms);
}

coord_error coord_node_get(coord_node *node, int64_t deadline_ms, void **ret_content,
                           size_t *ret_length, coord_stat *ret_stat)
{
    coord_error e = begin_node(node, deadline_ms);
    if (e != COORD_OK)
        return e;
    if (ret_content == NULL || ret_length == NULL)
        return fail(COORD_ERR_INVALID, "%s: is NULL",
                    ret_content == NULL ? "ret_content" : "ret_length");
    struct call call = call_begin(node->session, deadline_ms);
    return call_get(&call, node->path, node->instance, ret_content, ret_length, ret_stat);
}

coord_error coord_node_set(coord_node *node, const void *content, size_t length,
                           const coord_write_options *options, int64_t deadline_ms,
                           coord_stat *ret_stat)
{
    coord_error e = begin_node(node, deadline_ms);
    if (e == COORD_OK)
        e = check_content("content", content, length);
    if (e == COORD_OK)
        e = write_options_check(write_options_or_default(options), 0);
    if (e != COORD_OK)
        return e;
    coord_write_options o = *write_options_or_default(options);
    if (o.if_instance != 0 && o.if_instance != node->instance)
        return fail(COORD_ERR_INVALID, "options: if_instance is not this handle's");
    o.if_instance = node->instance;
    struct call call = call_begin(node->session, deadline_ms);
    return call_put(&call, node->path, content, length, &o, ret_stat);
}

coord_error coord_node_delete(coord_node *node, int64_t deadline_ms)
{
    coord_error e = begin_node(node, deadline_ms);
    if (e != COORD_OK)
        return e;
    coord_write_options o = COORD_WRITE_OPTIONS_INIT;
    o.if_instance = node->instance;
    struct call call = call_begin(node->session, deadline_ms);
    return call_delete(&call, node->path, &o, atomic_load(&node->holding));
}
