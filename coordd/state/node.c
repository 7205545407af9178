/* node.c - see node.h. */
#include "coordd/state/node.h"

#include <stdlib.h>
#include <string.h>

#include "coordd/state/lock.h"
#include "coordd/state/path.h"
#include "coordd/state/session.h"
#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"

static struct node *of_sibling(const struct avl_node *a)
{
    return container_of_or_null(a, struct node, sibling);
}

struct slice node_name(const struct node *node)
{
    return slice_of(node->name, node->name_length);
}

static int compare_name(const void *key, const struct avl_node *sibling)
{
    return slice_compare(*(const struct slice *)key, node_name(of_sibling(sibling)));
}

struct node *node_child(const struct node *parent, struct slice name)
{
    return of_sibling(avl_find(&parent->children, &name, compare_name));
}

struct node *node_child_above(const struct node *parent, struct slice after)
{
    return of_sibling(avl_above(&parent->children, &after, compare_name));
}

struct node *node_deepest(const struct state *s, struct slice path, struct slice *ret_rest)
{
    struct node *node = s->root;
    struct slice rest = path, component;
    *ret_rest = rest;
    while (path_next(&rest, &component)) {
        struct node *child = node_child(node, component);
        if (child == NULL)
            return node;
        node = child;
        *ret_rest = rest;
    }
    *ret_rest = slice_of(NULL, 0);
    return node;
}

struct node *node_find(const struct state *s, struct slice path)
{
    struct slice rest;
    struct node *node = node_deepest(s, path, &rest);
    return rest.length == 0 ? node : NULL;
}

static struct node *allocate(struct slice name)
{
    CHECK(name.length <= UINT8_MAX);
    struct node *node = check_calloc(1, sizeof *node + name.length);
    record_init(&node->record, RECORD_NODE);
    node->name_length = (uint8_t)name.length;
    if (name.length > 0)
        memcpy(node->name, name.data, name.length);
    return node;
}

struct node *node_new_root(struct state *s)
{
    s->root = allocate(slice_of(NULL, 0));
    s->nodes_count = 1;
    return s->root;
}

struct node *node_attach(struct state *s, struct node *parent, struct slice name)
{
    struct node *node = allocate(name);
    if (avl_insert(&parent->children, &node->sibling, &name, compare_name) != NULL) {
        free(node);
        return NULL;
    }
    node->parent = parent;
    s->nodes_count++;
    return node;
}

/* Those that one transaction made have one instance; among them the path decides. */
static int compare_instance(const void *key, const struct avl_node *a)
{
    const struct node *left = key, *right = container_of(a, struct ephemeral, by_instance)->node;
    if (left->instance != right->instance)
        return compare_numbers(left->instance, right->instance);
    char left_path[STATE_PATH_BYTES_HARD + 1], right_path[STATE_PATH_BYTES_HARD + 1];
    return path_compare(node_path(left, left_path), node_path(right, right_path));
}

/* False if the owner has it. */
static bool link_ephemeral(struct ephemeral *e)
{
    return avl_insert(&e->owner->ephemerals, &e->by_instance, e->node, compare_instance) == NULL;
}

bool node_attach_owner(struct node *node, struct session *owner)
{
    struct ephemeral *e = check_calloc(1, sizeof *e);
    e->owner = owner;
    e->node = node;
    if (!link_ephemeral(e)) {
        free(e);
        return false;
    }
    node->ephemeral = e;
    return true;
}

static void about_to_change(struct state *s, struct node *node)
{
    if (s->journal.open)
        journal_fields(s, node);
}

static void changed(struct state *s, struct node *node)
{
    node->modified_ms = s->time_ms;
    ledger_touch(&s->ledger, &node->record);
}

static void children_changed(struct state *s, struct node *parent, uint64_t revision)
{
    about_to_change(s, parent);
    parent->children_generation = revision;
    changed(s, parent);
}

struct node *node_add(struct state *s, struct node *parent, struct slice name,
                      struct session *owner, uint64_t revision)
{
    CHECK(parent->ephemeral == NULL);
    struct node *node = node_attach(s, parent, name);
    CHECK(node != NULL);
    node->instance = revision;
    node->content_generation = node->lock_generation = revision;
    node->acl_generation = node->children_generation = revision;
    node->created_ms = s->time_ms;
    if (owner != NULL)
        CHECK(node_attach_owner(node, owner));
    changed(s, node);
    if (s->journal.open)
        journal_added(s, node);
    children_changed(s, parent, revision);
    return node;
}

static void drop_content(struct state *s, struct node *node)
{
    bool noted = s->journal.open;
    if (noted)
        journal_content(s, node);
    if (node->content == NULL)
        return;
    ledger_remove(s, &node->content->record);
    if (!noted)
        free(node->content);
    node->content = NULL;
}

void node_take_out(struct state *s, struct node *node)
{
    CHECK(node->parent != NULL && node->children.count == 0 && node->lock == NULL);
    ledger_remove(s, &node->record);
    if (node->ephemeral != NULL)
        avl_remove(&node->ephemeral->owner->ephemerals, &node->ephemeral->by_instance);
    avl_remove(&node->parent->children, &node->sibling);
    s->nodes_count--;
}

void node_free(struct node *node)
{
    free(node->content);
    free(node->ephemeral);
    free(node);
}

void node_remove(struct state *s, struct node *node, uint64_t revision)
{
    struct node *parent = node->parent;
    drop_content(s, node);
    node_take_out(s, node);
    if (s->journal.open)
        journal_removed(s, node);
    else
        node_free(node);
    children_changed(s, parent, revision);
}

void node_attach_content(struct node *node, struct slice bytes)
{
    CHECK(bytes.length <= UINT32_MAX);
    struct content *content = check_malloc(sizeof *content + bytes.length);
    record_init(&content->record, RECORD_CONTENT);
    content->node = node;
    content->checksum = hash_bytes(0, bytes);
    content->length = (uint32_t)bytes.length;
    memcpy(content->data, bytes.data, bytes.length);
    node->content = content;
}

void node_set_content(struct state *s, struct node *node, struct slice content, uint64_t revision)
{
    about_to_change(s, node);
    drop_content(s, node);
    if (content.length > 0) {
        node_attach_content(node, content);
        ledger_touch(&s->ledger, &node->content->record);
    }
    node->content_generation = revision;
    changed(s, node);
}

void node_lock_changed(struct state *s, struct node *node, uint64_t revision)
{
    about_to_change(s, node);
    node->lock_generation = revision;
    changed(s, node);
}

struct slice node_content(const struct node *node)
{
    return node->content == NULL ? slice_of("", 0)
                                 : slice_of(node->content->data, node->content->length);
}

/* XXH3 of nothing. */
static const uint64_t empty_checksum = UINT64_C(0x2d06800538d394c2);

uint64_t node_content_checksum(const struct node *node)
{
    return node->content == NULL ? empty_checksum : node->content->checksum;
}

uint64_t node_modified_revision(const struct node *node)
{
    uint64_t latest = node->instance;
    const uint64_t generations[] = {node->content_generation, node->lock_generation,
                                    node->acl_generation, node->children_generation};
    for (size_t i = 0; i < sizeof generations / sizeof generations[0]; i++)
        latest = generations[i] > latest ? generations[i] : latest;
    return latest;
}

struct slice node_path(const struct node *node, char *out)
{
    if (node->parent == NULL) {
        memcpy(out, "/", 2);
        return slice_of(out, 1);
    }
    size_t length = 0;
    for (const struct node *n = node; n->parent != NULL; n = n->parent)
        length += 1u + n->name_length;
    CHECK(length <= STATE_PATH_BYTES_HARD);
    size_t at = length;
    out[length] = '\0';
    for (const struct node *n = node; n->parent != NULL; n = n->parent) {
        at -= n->name_length;
        memcpy(out + at, n->name, n->name_length);
        out[--at] = '/';
    }
    return slice_of(out, length);
}

void node_stat(const struct node *node, const char *path, Coord__V1__Stat *stat)
{
    coord__v1__stat__init(stat);
    stat->path = (char *)path;
    stat->instance = node->instance;
    stat->content_generation = node->content_generation;
    stat->lock_generation = node->lock_generation;
    stat->acl_generation = node->acl_generation;
    stat->children_generation = node->children_generation;
    stat->modified_revision = node_modified_revision(node);
    stat->created_ms = node->created_ms;
    stat->modified_ms = node->modified_ms;
    stat->content_bytes = node->content == NULL ? 0 : node->content->length;
    stat->content_checksum = node_content_checksum(node);
    stat->children_count = (uint32_t)node->children.count;
    stat->owner_session = node->ephemeral == NULL ? 0 : node->ephemeral->owner->id;
    if (node->lock != NULL) {
        stat->lock_mode = lock_mode(node->lock);
        stat->lock_holders_count = node->lock->holders_count;
        stat->lock_waiters_count = node->lock->waiters_count;
        stat->lock_delayed = node->lock->delay != NULL;
    }
}

struct node *node_next(const struct node *node)
{
    struct avl_node *child = avl_first(&node->children);
    if (child != NULL)
        return of_sibling(child);
    for (; node->parent != NULL; node = node->parent) {
        struct avl_node *next = avl_next(&node->sibling);
        if (next != NULL)
            return of_sibling(next);
    }
    return NULL;
}

/* A tree may be broad and is at most LIMIT_PATH_LEVELS deep: go down to a leaf,
 * take it off, and go on from its parent. */
void node_free_all(struct state *s)
{
    struct node *node = s->root;
    while (node != NULL) {
        struct avl_node *child = avl_first(&node->children);
        if (child != NULL) {
            node = of_sibling(child);
            continue;
        }
        struct node *parent = node->parent;
        if (parent != NULL)
            avl_remove(&parent->children, &node->sibling);
        node_free(node);
        node = parent;
    }
    s->root = NULL;
}

/* ---- for the journal ---- */

struct node_fields node_fields(const struct node *node)
{
    return (struct node_fields){.content_generation = node->content_generation,
                                .lock_generation = node->lock_generation,
                                .acl_generation = node->acl_generation,
                                .children_generation = node->children_generation,
                                .modified_ms = node->modified_ms};
}

void node_put_back_fields(struct state *s, struct node *node, const struct node_fields *fields)
{
    node->content_generation = fields->content_generation;
    node->lock_generation = fields->lock_generation;
    node->acl_generation = fields->acl_generation;
    node->children_generation = fields->children_generation;
    node->modified_ms = fields->modified_ms;
    ledger_touch(&s->ledger, &node->record);
}

void node_put_back_content(struct state *s, struct node *node, struct content *content)
{
    drop_content(s, node);
    node->content = content;
    if (content != NULL)
        ledger_touch(&s->ledger, &content->record);
}

void node_put_back(struct state *s, struct node *node)
{
    struct slice name = node_name(node);
    CHECK(avl_insert(&node->parent->children, &node->sibling, &name, compare_name) == NULL);
    if (node->ephemeral != NULL)
        CHECK(link_ephemeral(node->ephemeral));
    s->nodes_count++;
    ledger_touch(&s->ledger, &node->record);
}
