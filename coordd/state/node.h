/* node.h - the tree.
 *
 * Each node has its children in a tree of its own, by name. A permanent node
 * lives until it is deleted; an ephemeral one belongs to a session, has no
 * children and goes with the session.
 *
 * Invariants: the root always exists and is permanent. instance <= every other
 * generation <= the cell's revision. A node with children or a lock is never
 * removed. content is NULL exactly if the content is empty.
 *
 * Whoever changes a node passes the revision of the command it happens in; the
 * functions here set generations and times, mark the records, and decide
 * nothing: what is allowed is judged before. */
#ifndef COORD_STATE_NODE_H
#define COORD_STATE_NODE_H

#include "coord/v1/command.pb-c.h"
#include "coordd/state/machine.h"

struct lock;
struct session;
struct node;

struct content {
    struct record record;
    struct node *node;
    uint64_t checksum;
    uint32_t length; /* never 0 */
    uint8_t data[];
};

struct ephemeral {
    struct avl_node by_instance; /* in the session's ephemerals; then by path */
    struct session *owner;
    struct node *node;
};

struct node {
    struct record record;
    struct node *parent; /* NULL: the root */
    struct avl children;
    struct content *content;     /* owned; NULL: empty */
    struct ephemeral *ephemeral; /* owned; NULL: permanent */
    struct lock *lock;           /* owned by s->locks; NULL: free, and nobody waits */
    uint64_t instance;
    uint64_t content_generation, lock_generation, acl_generation, children_generation;
    uint64_t created_ms, modified_ms;
    /* Side by side, for a search among many siblings waits for memory. */
    struct avl_node sibling; /* in parent's children */
    uint8_t name_length;
    uint8_t name[];
};

/* NULL if there is none of that path. */
struct node *node_find(const struct state *s, struct slice path);
/* The deepest node on the way to `path` that exists; *ret_rest is what is left of
 * the path behind it, with its slash, or empty if that is the node itself. */
struct node *node_deepest(const struct state *s, struct slice path, struct slice *ret_rest);
/* A node of this name must not exist in parent, which must be permanent. owner:
 * NULL for a permanent node. */
struct node *node_add(struct state *s, struct node *parent, struct slice name,
                      struct session *owner, uint64_t revision);
/* Childless, not locked, not the root. */
void node_remove(struct state *s, struct node *node, uint64_t revision);
void node_set_content(struct state *s, struct node *node, struct slice content, uint64_t revision);
void node_lock_changed(struct state *s, struct node *node, uint64_t revision);

struct slice node_name(const struct node *node);
struct slice node_content(const struct node *node);
uint64_t node_content_checksum(const struct node *node);
uint64_t node_modified_revision(const struct node *node);
/* Writes the path with a NUL behind it; `out` holds STATE_PATH_BYTES_HARD + 1. */
struct slice node_path(const struct node *node, char *out);
/* Fills *stat; its path borrows `path`, which must end in a NUL. */
void node_stat(const struct node *node, const char *path, Coord__V1__Stat *stat);

/* The walk through the whole tree, parents first, children by name. NULL at the
 * end. */
struct node *node_next(const struct node *node);
/* The first child with a name above `after`, or NULL. */
struct node *node_child_above(const struct node *parent, struct slice after);
struct node *node_child(const struct node *parent, struct slice name);

struct node *node_new_root(struct state *s);
/* For loading: an unlinked name becomes a child; NULL if it is there already. */
struct node *node_attach(struct state *s, struct node *parent, struct slice name);
void node_attach_content(struct node *node, struct slice content);
/* Its instance must be set. False if the owner has an ephemeral node of it. */
bool node_attach_owner(struct node *node, struct session *owner);
/* Frees every node without a word to the ledger. */
void node_free_all(struct state *s);

/* ---- for the journal: the opposites of the changes above ---- */

struct node_fields {
    uint64_t content_generation, lock_generation, acl_generation, children_generation;
    uint64_t modified_ms;
};
struct node_fields node_fields(const struct node *node);
void node_put_back_fields(struct state *s, struct node *node, const struct node_fields *fields);
/* Replaces what it has by `content`, which may be NULL. */
void node_put_back_content(struct state *s, struct node *node, struct content *content);
/* Links what node_remove unlinked. */
void node_put_back(struct state *s, struct node *node);
/* Unlinks; its parent is not changed. */
void node_take_out(struct state *s, struct node *node);
void node_free(struct node *node); /* with its content; unlinked */

#endif
