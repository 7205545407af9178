/* api_node.c - the public calls about nodes, by name and through a handle. */
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

enum {
    OPEN_FLAGS = COORD_CREATE | COORD_EPHEMERAL | COORD_EXCLUSIVE | COORD_PARENTS,
    OPEN_TRIES_MAX = 16, /* a node that is made and deleted again and again */
};

void stat_take(coord_stat *ret, const Coord__V1__Stat *stat)
{
    *ret = (coord_stat){
        .size = sizeof *ret,
        .instance = stat->instance,
        .content_generation = stat->content_generation,
        .lock_generation = stat->lock_generation,
        .acl_generation = stat->acl_generation,
        .children_generation = stat->children_generation,
        .modified_revision = stat->modified_revision,
        .created_ms = stat->created_ms,
        .modified_ms = stat->modified_ms,
        .content_bytes = stat->content_bytes,
        .children_count = stat->children_count,
        .content_checksum = stat->content_checksum,
        .owner_session = stat->owner_session,
        .lock_exclusive = stat->lock_mode == COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE,
        .lock_shared = stat->lock_mode == COORD__V1__LOCK_MODE__LOCK_SHARED,
        .lock_holders_count = stat->lock_holders_count,
        .lock_waiters_count = stat->lock_waiters_count,
    };
}

static void take_stat(void *context, const Coord__V1__Answer *answer)
{
    if (answer->body_case == COORD__V1__ANSWER__BODY_STAT)
        stat_take(context, answer->stat);
}

struct content {
    void *data;
    size_t length;
    coord_stat stat;
};

static void take_content(void *context, const Coord__V1__Answer *answer)
{
    struct content *c = context;
    if (answer->body_case != COORD__V1__ANSWER__BODY_CONTENT)
        return;
    c->length = answer->content->data.len;
    c->data = check_strndup((const char *)answer->content->data.data, c->length);
    if (answer->content->stat != NULL)
        stat_take(&c->stat, answer->content->stat);
}

/* A server that says OK and shows nothing is not one of ours. */
static coord_error odd_answer(void)
{
    return fail(COORD_ERR_INTERNAL, "a server's answer lacks what was asked for");
}

/* ---- reading ---- */

static coord_error get(const struct call *call, char *path, uint64_t instance, void **ret_content,
                       size_t *ret_length, coord_stat *ret_stat)
{
    struct content content = {.data = NULL};
    Coord__V1__Get m = COORD__V1__GET__INIT;
    Coord__V1__Read read = COORD__V1__READ__INIT;
    m.path = path;
    m.instance = instance;
    read.op_case = COORD__V1__READ__OP_GET;
    read.get = &m;
    coord_error e = call_read(call, &read, take_content, &content);
    if (e != COORD_OK)
        return e;
    if (content.data == NULL)
        return odd_answer();
    *ret_content = content.data;
    *ret_length = content.length;
    if (ret_stat != NULL)
        *ret_stat = content.stat;
    return COORD_OK;
}

static coord_error stat_get(const struct call *call, char *path, coord_stat *ret_stat)
{
    coord_stat stat = {.size = 0};
    Coord__V1__GetStat m = COORD__V1__GET_STAT__INIT;
    Coord__V1__Read read = COORD__V1__READ__INIT;
    m.path = path;
    read.op_case = COORD__V1__READ__OP_STAT;
    read.stat = &m;
    coord_error e = call_read(call, &read, take_stat, &stat);
    if (e != COORD_OK)
        return e;
    if (stat.size == 0)
        return odd_answer();
    *ret_stat = stat;
    return COORD_OK;
}

/* The checks that all calls by name have in common. */
static coord_error begin(coord_session *session, const char *path, int64_t deadline_ms,
                         char **ret_path)
{
    detail_clear();
    if (session == NULL)
        return fail(COORD_ERR_INVALID, "session: is NULL");
    coord_error e = check_deadline(deadline_ms);
    return e != COORD_OK ? e : path_take(session->client, "path", path, ret_path);
}

coord_error coord_get(coord_session *session, const char *path, int64_t deadline_ms,
                      void **ret_content, size_t *ret_length, coord_stat *ret_stat)
{
    char *inside;
    coord_error e = begin(session, path, deadline_ms, &inside);
    if (e != COORD_OK)
        return e;
    if (ret_content == NULL || ret_length == NULL) {
        e = fail(COORD_ERR_INVALID, "%s: is NULL",
                 ret_content == NULL ? "ret_content" : "ret_length");
    } else {
        struct call call = call_begin(session, deadline_ms);
        e = get(&call, inside, 0, ret_content, ret_length, ret_stat);
    }
    free(inside);
    return e;
}

coord_error coord_stat_get(coord_session *session, const char *path, int64_t deadline_ms,
                           coord_stat *ret_stat)
{
    char *inside;
    coord_error e = begin(session, path, deadline_ms, &inside);
    if (e != COORD_OK)
        return e;
    if (ret_stat == NULL) {
        e = fail(COORD_ERR_INVALID, "ret_stat: is NULL");
    } else {
        struct call call = call_begin(session, deadline_ms);
        e = stat_get(&call, inside, ret_stat);
    }
    free(inside);
    return e;
}

/* ---- writing ---- */

static coord_error write_stat(const struct call *call, const Coord__V1__Write *write,
                              coord_stat *ret_stat)
{
    coord_stat stat = {.size = 0};
    coord_error e = call_write(call, write, take_stat, &stat);
    if (e == COORD_OK && ret_stat != NULL)
        *ret_stat = stat;
    return e;
}

const coord_write_options *write_options_or_default(const coord_write_options *options)
{
    static const coord_write_options defaults = COORD_WRITE_OPTIONS_INIT;
    return options != NULL ? options : &defaults;
}

coord_error write_options_check(const coord_write_options *o, uint32_t flags)
{
    coord_sequencer ignored;
    if (o->size != sizeof *o)
        return fail(COORD_ERR_INVALID, "options: size is not that of coord_write_options");
    if ((o->flags & ~flags) != 0)
        return fail(COORD_ERR_INVALID, "options: flags 0x%x have no meaning here",
                    o->flags & ~flags);
    if (o->if_sequencer != NULL && coord_sequencer_parse(o->if_sequencer, &ignored) != COORD_OK)
        return fail(COORD_ERR_INVALID, "options: if_sequencer is no sequencer");
    return COORD_OK;
}

static char *sequencer_of(const coord_write_options *o)
{
    static char none[] = "";
    return o->if_sequencer != NULL ? (char *)(uintptr_t)o->if_sequencer : none;
}

static Coord__V1__Condition condition_of(const coord_write_options *o)
{
    Coord__V1__Condition c = COORD__V1__CONDITION__INIT;
    c.content_generation = o->if_content_generation;
    c.instance = o->if_instance;
    c.sequencer = sequencer_of(o);
    return c;
}

static ProtobufCBinaryData bytes_of(const void *content, size_t length)
{
    static uint8_t nothing[1];
    return (ProtobufCBinaryData){length, length > 0 ? (uint8_t *)(uintptr_t)content : nothing};
}

void put_message_init(struct put_message *m, char *path, const void *content, size_t length,
                      const coord_write_options *o)
{
    m->condition = condition_of(o);
    m->put = (Coord__V1__Put)COORD__V1__PUT__INIT;
    m->put.path = path;
    m->put.content = bytes_of(content, length);
    m->put.create = (o->flags & COORD_CREATE) != 0;
    m->put.parents = (o->flags & COORD_PARENTS) != 0;
    m->put.condition = &m->condition;
    m->write = (Coord__V1__Write)COORD__V1__WRITE__INIT;
    m->write.op_case = COORD__V1__WRITE__OP_PUT;
    m->write.put = &m->put;
}

static coord_error put(const struct call *call, char *path, const void *content, size_t length,
                       const coord_write_options *o, coord_stat *ret_stat)
{
    struct put_message m;
    put_message_init(&m, path, content, length, o);
    return write_stat(call, &m.write, ret_stat);
}

static coord_error create(const struct call *call, char *path, const void *content, size_t length,
                          const coord_write_options *o, coord_stat *ret_stat)
{
    Coord__V1__Create m = COORD__V1__CREATE__INIT;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    m.path = path;
    m.content = bytes_of(content, length);
    m.ephemeral = (o->flags & COORD_EPHEMERAL) != 0;
    m.parents = (o->flags & COORD_PARENTS) != 0;
    m.sequencer = sequencer_of(o);
    write.op_case = COORD__V1__WRITE__OP_CREATE;
    write.create = &m;
    return write_stat(call, &write, ret_stat);
}

static coord_error delete_node(const struct call *call, char *path, const coord_write_options *o,
                               uint64_t handle)
{
    Coord__V1__Condition condition = condition_of(o);
    Coord__V1__Delete m = COORD__V1__DELETE__INIT;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    m.path = path;
    m.condition = &condition;
    m.handle = handle;
    write.op_case = COORD__V1__WRITE__OP_DELETE;
    write.delete_ = &m;
    return call_write(call, &write, NULL, NULL);
}

coord_error coord_set(coord_session *session, const char *path, const void *content, size_t length,
                      const coord_write_options *options, int64_t deadline_ms, coord_stat *ret_stat)
{
    char *inside;
    const coord_write_options *o = write_options_or_default(options);
    coord_error e = begin(session, path, deadline_ms, &inside);
    if (e != COORD_OK)
        return e;
    e = check_content(content, length);
    if (e == COORD_OK)
        e = write_options_check(o, COORD_CREATE | COORD_PARENTS);
    if (e == COORD_OK) {
        struct call call = call_begin(session, deadline_ms);
        e = put(&call, inside, content, length, o, ret_stat);
    }
    free(inside);
    return e;
}

coord_error coord_create(coord_session *session, const char *path, const void *content,
                         size_t length, const coord_write_options *options, int64_t deadline_ms,
                         coord_stat *ret_stat)
{
    char *inside;
    const coord_write_options *o = write_options_or_default(options);
    coord_error e = begin(session, path, deadline_ms, &inside);
    if (e != COORD_OK)
        return e;
    e = check_content(content, length);
    if (e == COORD_OK)
        e = write_options_check(o, OPEN_FLAGS);
    if (e == COORD_OK && (o->if_content_generation != 0 || o->if_instance != 0))
        e = fail(COORD_ERR_INVALID, "options: a node that is to be made has no generation yet");
    if (e == COORD_OK) {
        struct call call = call_begin(session, deadline_ms);
        e = create(&call, inside, content, length, o, ret_stat);
    }
    free(inside);
    return e;
}

coord_error coord_delete(coord_session *session, const char *path,
                         const coord_write_options *options, int64_t deadline_ms)
{
    char *inside;
    const coord_write_options *o = write_options_or_default(options);
    coord_error e = begin(session, path, deadline_ms, &inside);
    if (e != COORD_OK)
        return e;
    e = write_options_check(o, 0);
    if (e == COORD_OK) {
        struct call call = call_begin(session, deadline_ms);
        e = delete_node(&call, inside, o, 0);
    }
    free(inside);
    return e;
}

/* ---- handles ---- */

/* Finds the node or makes it, whichever the flags allow and comes first. */
static coord_error find_or_make(const struct call *call, char *path, uint32_t flags,
                                coord_stat *ret)
{
    coord_write_options o = COORD_WRITE_OPTIONS_INIT;
    o.flags = flags & (COORD_EPHEMERAL | COORD_PARENTS);
    coord_error e = COORD_ERR_NO_NODE;
    for (int i = 0; i < OPEN_TRIES_MAX; i++) {
        if ((flags & COORD_EXCLUSIVE) == 0)
            e = stat_get(call, path, ret);
        if (e != COORD_ERR_NO_NODE || (flags & COORD_CREATE) == 0)
            return e;
        e = create(call, path, NULL, 0, &o, ret);
        if (e != COORD_ERR_NODE_EXISTS || (flags & COORD_EXCLUSIVE) != 0)
            return e;
    }
    return e;
}

coord_error coord_open(coord_session *session, const char *path, uint32_t flags,
                       int64_t deadline_ms, coord_node **ret_node)
{
    char *inside;
    coord_stat stat = {.size = 0};
    coord_error e = begin(session, path, deadline_ms, &inside);
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
        e = odd_answer();
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
    return get(&call, node->path, node->instance, ret_content, ret_length, ret_stat);
}

coord_error coord_node_set(coord_node *node, const void *content, size_t length,
                           const coord_write_options *options, int64_t deadline_ms,
                           coord_stat *ret_stat)
{
    coord_error e = begin_node(node, deadline_ms);
    if (e == COORD_OK)
        e = check_content(content, length);
    if (e == COORD_OK)
        e = write_options_check(write_options_or_default(options), 0);
    if (e != COORD_OK)
        return e;
    coord_write_options o = *write_options_or_default(options);
    if (o.if_instance != 0 && o.if_instance != node->instance)
        return fail(COORD_ERR_INVALID, "options: if_instance is not this handle's");
    o.if_instance = node->instance;
    struct call call = call_begin(node->session, deadline_ms);
    return put(&call, node->path, content, length, &o, ret_stat);
}

coord_error coord_node_delete(coord_node *node, int64_t deadline_ms)
{
    coord_error e = begin_node(node, deadline_ms);
    if (e != COORD_OK)
        return e;
    coord_write_options o = COORD_WRITE_OPTIONS_INIT;
    o.if_instance = node->instance;
    struct call call = call_begin(node->session, deadline_ms);
    return delete_node(&call, node->path, &o, atomic_load(&node->holding));
}
