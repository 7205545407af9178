/* node_call.c - what is asked of a node, whether by name or through a handle: the
 * messages, and what is taken from the answers. */
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

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
        .lock_delayed = stat->lock_delayed,
    };
}

static void take_stat(void *context, const Coord__V1__Answer *answer)
{
    if (answer->body_case == COORD__V1__ANSWER__BODY_STAT)
        stat_take(context, answer->stat);
}

void content_take(void *context, const Coord__V1__Answer *answer)
{
    struct content *c = context;
    if (answer->body_case != COORD__V1__ANSWER__BODY_CONTENT)
        return;
    c->revision = answer->revision;
    c->length = answer->content->data.len;
    c->data = check_strndup((const char *)answer->content->data.data, c->length);
    if (answer->content->stat != NULL)
        stat_take(&c->stat, answer->content->stat);
}

/* A server that says OK and shows nothing is not one of ours. */
coord_error call_odd_answer(void)
{
    return fail(COORD_ERR_INTERNAL, "a server's answer lacks what was asked for");
}

/* ---- reading ---- */

coord_error call_get(const struct call *call, char *path, uint64_t instance, void **ret_content,
                     size_t *ret_length, coord_stat *ret_stat)
{
    struct content content = {.data = NULL};
    Coord__V1__Get m = COORD__V1__GET__INIT;
    Coord__V1__Read read = COORD__V1__READ__INIT;
    m.path = path;
    m.instance = instance;
    read.op_case = COORD__V1__READ__OP_GET;
    read.get = &m;
    coord_error e = call_read(call, &read, content_take, &content);
    if (e != COORD_OK)
        return e;
    if (content.data == NULL)
        return call_odd_answer();
    *ret_content = content.data;
    *ret_length = content.length;
    if (ret_stat != NULL)
        *ret_stat = content.stat;
    return COORD_OK;
}

coord_error call_stat(const struct call *call, char *path, coord_stat *ret_stat)
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
        return call_odd_answer();
    *ret_stat = stat;
    return COORD_OK;
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
    if (o->if_sequencer != NULL)
        return check_sequencer("options: if_sequencer", o->if_sequencer, &ignored);
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

coord_error call_put(const struct call *call, char *path, const void *content, size_t length,
                     const coord_write_options *o, coord_stat *ret_stat)
{
    struct put_message m;
    put_message_init(&m, path, content, length, o);
    return write_stat(call, &m.write, ret_stat);
}

struct created {
    coord_stat stat;
    char *path;
};

static void take_created(void *context, const Coord__V1__Answer *answer)
{
    struct created *c = context;
    if (answer->body_case != COORD__V1__ANSWER__BODY_STAT)
        return;
    stat_take(&c->stat, answer->stat);
    c->path = check_strdup(answer->stat->path);
}

coord_error call_create(const struct call *call, char *path, const void *content, size_t length,
                        const coord_write_options *o, coord_stat *ret_stat, char **ret_path)
{
    Coord__V1__Create m = COORD__V1__CREATE__INIT;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    m.path = path;
    m.content = bytes_of(content, length);
    m.ephemeral = (o->flags & COORD_EPHEMERAL) != 0;
    m.parents = (o->flags & COORD_PARENTS) != 0;
    m.sequential = ret_path != NULL;
    m.sequencer = sequencer_of(o);
    write.op_case = COORD__V1__WRITE__OP_CREATE;
    write.create = &m;
    struct created created = {.path = NULL};
    coord_error e = call_write(call, &write, take_created, &created);
    if (e == COORD_OK && ret_path != NULL && created.path == NULL)
        return call_odd_answer();
    if (e == COORD_OK && ret_stat != NULL)
        *ret_stat = created.stat;
    if (e == COORD_OK && ret_path != NULL)
        *ret_path = created.path;
    else
        free(created.path);
    return e;
}

coord_error call_delete(const struct call *call, char *path, const coord_write_options *o,
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
