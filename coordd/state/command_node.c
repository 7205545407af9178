/* command_node.c - create, put, delete. */
#include <string.h>

#include "coordd/state/command.h"
#include "coordd/state/lock.h"
#include "coordd/state/node.h"
#include "coordd/state/path.h"
#include "coordd/state/session.h"

static const Coord__V1__Condition no_condition = COORD__V1__CONDITION__INIT;

static struct slice content_of(ProtobufCBinaryData data)
{
    return slice_of(data.data, data.len);
}

/* May `rest` be made below `deepest`? */
static enum err judge_place(struct step *step, const struct node *deepest, struct slice rest,
                            bool parents)
{
    if (deepest->ephemeral != NULL)
        return step_refuse(step, ERR_EPHEMERAL, "path: an ephemeral node has no children");
    struct slice component;
    (void)path_next(&rest, &component);
    if (rest.length > 0 && !parents)
        return step_refuse(step, ERR_NO_NODE, "path: no such parent");
    return ERR_OK;
}

/* Makes `rest` of `path` below `deepest`, and shows the last node made. */
static void make(struct step *step, struct node *deepest, const char *path, struct slice rest,
                 struct session *owner, struct slice content)
{
    struct state *s = step->state;
    uint64_t revision = step_revision(step);
    struct slice whole = slice_of_string(path), component;
    struct node *node = deepest;
    for (struct slice left = rest; path_next(&left, &component);)
        node = node_add(s, node, component, left.length == 0 ? owner : NULL, revision);
    if (content.length > 0)
        node_set_content(s, node, content, revision);

    node = deepest; /* once more, now that each is what it will be */
    for (struct slice left = rest; path_next(&left, &component);) {
        node = node_child(node, component);
        step->stat = step_event(step, STATE_EVENT_CREATED,
                                slice_of(whole.data, whole.length - left.length), node);
    }
}

/* The path with the next number behind it. Names that were made by hand are passed
 * over. The number is used up only if the node is made. */
static const char *sequential_path(struct step *step, const char *path, uint64_t *ret_suffix)
{
    struct state *s = step->state;
    uint64_t suffix = s->suffixes_given;
    size_t length = strlen(path);
    char *name = arena_take(&s->arena, length + COMMAND_SUFFIX_BYTES + 1);
    memcpy(name, path, length);
    name[length + COMMAND_SUFFIX_BYTES] = '\0';
    do {
        uint64_t left = ++suffix;
        for (size_t i = COMMAND_SUFFIX_BYTES; i > 0; i--, left /= 10)
            name[length + i - 1] = (char)('0' + left % 10);
    } while (node_find(s, slice_of_string(name)) != NULL);
    *ret_suffix = suffix;
    return name;
}

enum err command_create(struct step *step, const Coord__V1__Create *c)
{
    enum err e = step_guard(step, c->sequencer);
    if (e != ERR_OK)
        return e;
    uint64_t suffix = step->state->suffixes_given;
    const char *path = c->sequential ? sequential_path(step, c->path, &suffix) : c->path;
    struct slice rest;
    struct node *deepest = node_deepest(step->state, slice_of_string(path), &rest);
    if (rest.length == 0)
        return step_refuse(step, ERR_NODE_EXISTS, "path: exists");
    e = judge_place(step, deepest, rest, c->parents);
    if (e != ERR_OK)
        return e;
    struct session *owner = c->ephemeral ? step->session : NULL;
    if (owner != NULL && owner->ephemerals.count >= step->state->limits.session_ephemerals)
        return step_refuse(step, ERR_QUOTA, "ephemeral: the session has too many such nodes");
    make(step, deepest, path, rest, owner, content_of(c->content));
    step->state->suffixes_given = suffix;
    return ERR_OK;
}

static enum err judge_generation(struct step *step, const struct node *node,
                                 const Coord__V1__Condition *condition)
{
    if (condition->content_generation != 0 &&
        condition->content_generation != node->content_generation)
        return step_refuse(step, ERR_BAD_GENERATION, "content_generation: is another");
    return ERR_OK;
}

/* A put of a name that is not there, with leave to make it. */
static enum err put_new(struct step *step, const Coord__V1__Put *c,
                        const Coord__V1__Condition *condition)
{
    if (condition->content_generation != 0)
        return step_refuse(step, ERR_BAD_GENERATION, "content_generation: there is no node");
    struct slice rest;
    struct node *deepest = node_deepest(step->state, slice_of_string(c->path), &rest);
    enum err e = judge_place(step, deepest, rest, c->parents);
    if (e != ERR_OK)
        return e;
    make(step, deepest, c->path, rest, NULL, content_of(c->content));
    return ERR_OK;
}

enum err command_put(struct step *step, const Coord__V1__Put *c)
{
    const Coord__V1__Condition *condition = c->condition == NULL ? &no_condition : c->condition;
    enum err e = step_guard(step, condition->sequencer);
    if (e != ERR_OK)
        return e;
    struct node *node;
    e = step_find(step, c->path, condition->instance, &node);
    if (e == ERR_NO_NODE && c->create)
        return put_new(step, c, condition);
    if (e == ERR_OK)
        e = judge_generation(step, node, condition);
    if (e != ERR_OK)
        return e;
    node_set_content(step->state, node, content_of(c->content), step_revision(step));
    step->stat = step_event(step, STATE_EVENT_CONTENT, slice_of_string(c->path), node);
    return ERR_OK;
}

/* A lock forbids deletion, but to the handle that alone holds it, with nobody in
 * line: whoever waits was promised an answer. */
static enum err judge_lock(struct step *step, const struct node *node, uint64_t handle,
                           struct claim **ret_own)
{
    *ret_own = NULL;
    if (node->lock == NULL)
        return ERR_OK;
    struct claim *own = step->session == NULL ? NULL : claim_of_handle(step->session, handle);
    if (own == NULL || own->lock != node->lock || !claim_is_held(own))
        return step_refuse(step, ERR_LOCK_HELD, "path: the node is locked");
    if (node->lock->holders_count > 1 || node->lock->waiters_count > 0)
        return step_refuse(step, ERR_LOCK_HELD, "path: others hold or wait for the lock");
    if (node->lock->delay != NULL)
        return step_refuse(step, ERR_LOCK_HELD, "path: the lock waits out its delay");
    *ret_own = own;
    return ERR_OK;
}

enum err command_delete(struct step *step, const Coord__V1__Delete *c)
{
    const Coord__V1__Condition *condition = c->condition == NULL ? &no_condition : c->condition;
    enum err e = step_guard(step, condition->sequencer);
    if (e != ERR_OK)
        return e;
    struct node *node;
    struct claim *own;
    e = step_find(step, c->path, condition->instance, &node);
    if (e == ERR_OK)
        e = judge_generation(step, node, condition);
    if (e == ERR_OK && node->children.count > 0)
        e = step_refuse(step, ERR_NOT_EMPTY, "path: the node has children");
    if (e == ERR_OK)
        e = judge_lock(step, node, c->handle, &own);
    if (e != ERR_OK)
        return e;
    if (own != NULL) {
        lock_leave(step->state, own);
        lock_settled(step->state, node->lock);
    }
    node_remove(step->state, node, step_revision(step));
    step_event(step, STATE_EVENT_DELETED, slice_of_string(c->path), NULL);
    return ERR_OK;
}
