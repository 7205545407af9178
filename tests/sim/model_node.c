/* model_node.c - create, put and delete, as docs/semantics.md promises them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "coord/v1/coord.pb-c.h"
#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"
#include "tests/sim/model_internal.h"

struct model_content model_content_of(ProtobufCBinaryData data)
{
    struct model_content c = {.hash = hash_bytes(0, slice_of(data.data, data.len)),
                              .length = (uint32_t)data.len};
    for (size_t i = 0; i < 8 && data.len >= 8; i++)
        c.number |= (uint64_t)data.data[i] << (8 * i);
    return c;
}

void model_set_content(struct model *m, struct model_version *v,
                       const struct model_content *content)
{
    v->content_generation = v->revision;
    m->content_set = true;
    v->content_hash = content->hash;
    v->content_length = content->length;
    if (content->number >= MODEL_CONTENTS_MAX)
        return;
    if (content->number >= m->written_capacity) {
        uint64_t capacity = 2 * content->number + 1024;
        m->written = check_realloc(m->written, capacity);
        memset(m->written + m->written_capacity, 0, capacity - m->written_capacity);
        m->written_capacity = capacity;
    }
    m->written[content->number] = 1;
}

bool model_has_content(const struct model *m, uint64_t number)
{
    return number != 0 && number < m->written_capacity && m->written[number] != 0;
}

void model_unwrite(struct model *m, uint64_t number)
{
    if (number < m->written_capacity)
        m->written[number] = 0;
}

static void put_content(struct model *m, uint32_t node, ProtobufCBinaryData data)
{
    struct model_content content = model_content_of(data);
    model_set_content(m, model_change(m, node), &content);
}

/* The name above; false for the root. */
static bool parent_of(const char *path, char parent[MODEL_PATH_BYTES])
{
    const char *slash = strrchr(path, '/');
    if (path[1] == '\0')
        return false;
    int length = (int)(slash - path);
    snprintf(parent, MODEL_PATH_BYTES, "%.*s", length == 0 ? 1 : length, path);
    return true;
}

static void make_one(struct model *m, const char *path, uint64_t owner)
{
    char parent[MODEL_PATH_BYTES];
    uint32_t node = model_name(m, path);
    struct model_version *v = model_change(m, node);
    uint64_t revision = v->revision;
    *v = (struct model_version){.revision = revision, .alive = true, .owner = owner};
    v->instance = v->content_generation = v->lock_generation = v->children_generation = revision;
    v->content_hash = hash_bytes(0, slice_of(NULL, 0));
    model_event(m, node, COORD__V1__EVENT__KIND__CREATED);
    if (parent_of(path, parent)) {
        struct model_version *above = model_change(m, model_name(m, parent));
        above->children_generation = revision;
        above->children_count++;
    }
}

/* May it be made? Then it is, with missing ancestors. */
static enum err make(struct model *m, const char *path, bool parents, uint64_t owner,
                     ProtobufCBinaryData content)
{
    char missing[8][MODEL_PATH_BYTES];
    uint32_t depth = 0;
    char at[MODEL_PATH_BYTES];
    CHECK(strlen(path) < sizeof(at));
    snprintf(at, sizeof(at), "%s", path);
    for (;;) {
        uint32_t node = model_find(m, at);
        if (node != UINT32_MAX && model_alive(m, node)) {
            if (model_now(m, node)->owner != 0)
                return ERR_EPHEMERAL;
            break;
        }
        CHECK(depth < 8);
        memcpy(missing[depth++], at, sizeof(at));
        char above[MODEL_PATH_BYTES];
        CHECK(parent_of(at, above));
        memcpy(at, above, sizeof(at));
    }
    if (depth > 1 && !parents)
        return ERR_NO_NODE;
    for (uint32_t i = depth; i-- > 0;)
        make_one(m, missing[i], i == 0 ? owner : 0);
    if (content.len > 0)
        put_content(m, model_name(m, path), content);
    return ERR_OK;
}

static bool is_there(const struct model *m, const char *path)
{
    uint32_t node = model_find(m, path);
    return node != UINT32_MAX && model_alive(m, node);
}

/* A number is used up only if the node is made. */
static enum err make_sequential(struct model *m, const Coord__V1__Create *c, uint64_t owner)
{
    char path[MODEL_PATH_BYTES + MODEL_SUFFIX_BYTES];
    uint64_t suffix = m->suffixes;
    do
        snprintf(path, sizeof(path), "%s%020" PRIu64, c->path, ++suffix);
    while (is_there(m, path));
    enum err e = make(m, path, c->parents, owner, c->content);
    if (e == ERR_OK)
        m->suffixes = suffix;
    return e;
}

enum err model_create(struct model *m, const struct model_session *s, const Coord__V1__Create *c)
{
    enum err e = model_guard(m, c->sequencer);
    if (e != ERR_OK)
        return e;
    uint64_t owner = c->ephemeral && s != NULL ? s->id : 0;
    if (c->sequential)
        return make_sequential(m, c, owner);
    if (is_there(m, c->path))
        return ERR_NODE_EXISTS;
    return make(m, c->path, c->parents, owner, c->content);
}

enum err model_put(struct model *m, const Coord__V1__Put *c)
{
    const Coord__V1__Condition *condition = c->condition;
    enum err e = model_guard(m, condition == NULL ? "" : condition->sequencer);
    if (e != ERR_OK)
        return e;
    uint64_t wanted = condition == NULL ? 0 : condition->content_generation;
    uint32_t node = model_find(m, c->path);
    if (node == UINT32_MAX || !model_alive(m, node)) {
        if (!c->create)
            return ERR_NO_NODE;
        return wanted != 0 ? ERR_BAD_GENERATION : make(m, c->path, c->parents, 0, c->content);
    }
    if (wanted != 0 && wanted != model_now(m, node)->content_generation)
        return ERR_BAD_GENERATION;
    put_content(m, node, c->content);
    model_event(m, node, COORD__V1__EVENT__KIND__CONTENT);
    return ERR_OK;
}

static void remove_node(struct model *m, uint32_t node)
{
    char parent[MODEL_PATH_BYTES];
    struct model_version *v = model_change(m, node);
    uint64_t revision = v->revision;
    *v = (struct model_version){.revision = revision, .lock_changed = v->lock_changed};
    model_forget_claims(m, node);
    model_event(m, node, COORD__V1__EVENT__KIND__DELETED);
    if (parent_of(m->paths[node].text, parent)) {
        struct model_version *above = model_change(m, model_name(m, parent));
        above->children_generation = revision;
        above->children_count--;
    }
}

enum err model_delete(struct model *m, uint64_t session, const Coord__V1__Delete *c)
{
    enum err e = model_guard(m, c->condition == NULL ? "" : c->condition->sequencer);
    if (e != ERR_OK)
        return e;
    uint32_t node = model_find(m, c->path);
    if (node == UINT32_MAX || !model_alive(m, node))
        return ERR_NO_NODE;
    uint64_t wanted = c->condition == NULL ? 0 : c->condition->content_generation;
    if (wanted != 0 && wanted != model_now(m, node)->content_generation)
        return ERR_BAD_GENERATION;
    if (model_now(m, node)->children_count > 0)
        return ERR_NOT_EMPTY;
    if (model_locked_by_others(m, node, session, c->handle))
        return ERR_LOCK_HELD;
    remove_node(m, node);
    return ERR_OK;
}

void model_delete_ephemerals(struct model *m, uint64_t session)
{
    for (uint32_t i = 0; i < m->paths_count; i++)
        if (model_alive(m, i) && model_now(m, i)->owner == session)
            remove_node(m, i);
}
