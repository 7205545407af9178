/* avl.c - see avl.h.
 *
 * Invariants, for every linked node: balance is height(right) - height(left)
 * and is -1, 0 or 1; a child's parent points back; the root's parent is NULL;
 * the in-order walk rises strictly by key.
 *
 * Source: Knuth, The Art of Computer Programming, volume 3, 6.2.3; the climb
 * back to the root uses parent links instead of a stack, so nothing is bounded
 * by the height. */
#include "libcoord/base/avl.h"

#include "libcoord/base/check.h"

/* Puts `new` (may be NULL) where `old` hangs below its parent. */
static void replace_child(struct avl *t, struct avl_node *parent, const struct avl_node *old,
                          struct avl_node *new)
{
    if (parent == NULL)
        t->root = new;
    else if (parent->left == old)
        parent->left = new;
    else
        parent->right = new;
    if (new != NULL)
        new->parent = parent;
}

static struct avl_node *rotate_left(struct avl *t, struct avl_node *top)
{
    struct avl_node *up = top->right;
    replace_child(t, top->parent, top, up);
    top->right = up->left;
    if (top->right != NULL)
        top->right->parent = top;
    up->left = top;
    top->parent = up;
    return up;
}

static struct avl_node *rotate_right(struct avl *t, struct avl_node *top)
{
    struct avl_node *up = top->left;
    replace_child(t, top->parent, top, up);
    top->left = up->right;
    if (top->left != NULL)
        top->left->parent = top;
    up->right = top;
    top->parent = up;
    return up;
}

/* `top` leans two to the right. Returns the new top of the subtree, whose
 * height has shrunk by one exactly if its balance is now 0. */
static struct avl_node *mend_right_heavy(struct avl *t, struct avl_node *top)
{
    struct avl_node *right = top->right;
    if (right->balance >= 0) {
        /* A single rotation; right's balance is 0 only after a removal. */
        top->balance = right->balance == 0 ? 1 : 0;
        right->balance = right->balance == 0 ? -1 : 0;
        return rotate_left(t, top);
    }
    struct avl_node *middle = right->left;
    rotate_right(t, right);
    rotate_left(t, top);
    top->balance = middle->balance > 0 ? -1 : 0;
    right->balance = middle->balance < 0 ? 1 : 0;
    middle->balance = 0;
    return middle;
}

static struct avl_node *mend_left_heavy(struct avl *t, struct avl_node *top)
{
    struct avl_node *left = top->left;
    if (left->balance <= 0) {
        top->balance = left->balance == 0 ? -1 : 0;
        left->balance = left->balance == 0 ? 1 : 0;
        return rotate_right(t, top);
    }
    struct avl_node *middle = left->right;
    rotate_left(t, left);
    rotate_right(t, top);
    top->balance = middle->balance < 0 ? 1 : 0;
    left->balance = middle->balance > 0 ? -1 : 0;
    middle->balance = 0;
    return middle;
}

/* `top`'s balance has just become 2 or -2. */
static struct avl_node *mend(struct avl *t, struct avl_node *top)
{
    return top->balance > 0 ? mend_right_heavy(t, top) : mend_left_heavy(t, top);
}

/* The subtree at `child` has grown by one. */
static void climb_after_insert(struct avl *t, struct avl_node *child)
{
    for (struct avl_node *at = child->parent; at != NULL; at = at->parent) {
        at->balance += at->right == child ? 1 : -1;
        if (at->balance == 0)
            return; /* the lower side caught up */
        if (at->balance == 2 || at->balance == -2) {
            mend(t, at);
            return; /* as high as before the insertion */
        }
        child = at;
    }
}

/* The right (or left) subtree of `at` has shrunk by one. */
static void climb_after_remove(struct avl *t, struct avl_node *at, bool right_shrank)
{
    while (at != NULL) {
        at->balance += right_shrank ? -1 : 1;
        if (at->balance == 1 || at->balance == -1)
            return; /* the other side still holds the height */
        if (at->balance != 0) {
            at = mend(t, at);
            if (at->balance != 0)
                return;
        }
        if (at->parent != NULL)
            right_shrank = at->parent->right == at;
        at = at->parent;
    }
}

struct avl_node *avl_find(const struct avl *t, const void *key, avl_compare *compare)
{
    struct avl_node *at = t->root;
    while (at != NULL) {
        int order = compare(key, at);
        if (order == 0)
            return at;
        at = order < 0 ? at->left : at->right;
    }
    return NULL;
}

/* The first element above `key`, or at it if `equal_will_do`. */
static struct avl_node *find_from(const struct avl *t, const void *key, avl_compare *compare,
                                  bool equal_will_do)
{
    struct avl_node *best = NULL;
    struct avl_node *at = t->root;
    while (at != NULL) {
        int order = compare(key, at);
        if (order < 0 || (order == 0 && equal_will_do)) {
            best = at;
            at = at->left;
        } else {
            at = at->right;
        }
    }
    return best;
}

struct avl_node *avl_at_least(const struct avl *t, const void *key, avl_compare *compare)
{
    return find_from(t, key, compare, true);
}

struct avl_node *avl_above(const struct avl *t, const void *key, avl_compare *compare)
{
    return find_from(t, key, compare, false);
}

struct avl_node *avl_insert(struct avl *t, struct avl_node *node, const void *key,
                            avl_compare *compare)
{
    struct avl_node *parent = NULL;
    struct avl_node **link = &t->root;
    while (*link != NULL) {
        parent = *link;
        int order = compare(key, parent);
        if (order == 0)
            return parent;
        link = order < 0 ? &parent->left : &parent->right;
    }
    *node = (struct avl_node){.parent = parent};
    *link = node;
    t->count++;
    climb_after_insert(t, node);
    return NULL;
}

/* Moves the successor of `node`, which has two children, into its place.
 * Returns from where the climb starts; *right_shrank tells on which side. */
static struct avl_node *replace_by_successor(struct avl *t, struct avl_node *node,
                                             bool *right_shrank)
{
    struct avl_node *successor = node->right;
    while (successor->left != NULL)
        successor = successor->left;

    struct avl_node *start = successor->parent;
    *right_shrank = start == node;
    if (start == node) {
        start = successor;
    } else {
        replace_child(t, start, successor, successor->right);
        successor->right = node->right;
        successor->right->parent = successor;
    }
    successor->left = node->left;
    successor->left->parent = successor;
    successor->balance = node->balance;
    replace_child(t, node->parent, node, successor);
    return start;
}

void avl_remove(struct avl *t, struct avl_node *node)
{
    CHECK(t->count > 0);
    struct avl_node *start = node->parent;
    bool right_shrank = start != NULL && start->right == node;
    if (node->left == NULL)
        replace_child(t, start, node, node->right);
    else if (node->right == NULL)
        replace_child(t, start, node, node->left);
    else
        start = replace_by_successor(t, node, &right_shrank);
    t->count--;
    *node = (struct avl_node){NULL};
    climb_after_remove(t, start, right_shrank);
}

struct avl_node *avl_first(const struct avl *t)
{
    struct avl_node *at = t->root;
    while (at != NULL && at->left != NULL)
        at = at->left;
    return at;
}

struct avl_node *avl_last(const struct avl *t)
{
    struct avl_node *at = t->root;
    while (at != NULL && at->right != NULL)
        at = at->right;
    return at;
}

struct avl_node *avl_next(const struct avl_node *node)
{
    if (node->right != NULL) {
        struct avl_node *at = node->right;
        while (at->left != NULL)
            at = at->left;
        return at;
    }
    struct avl_node *parent = node->parent;
    while (parent != NULL && parent->right == node) {
        node = parent;
        parent = parent->parent;
    }
    return parent;
}

struct avl_node *avl_previous(const struct avl_node *node)
{
    if (node->left != NULL) {
        struct avl_node *at = node->left;
        while (at->right != NULL)
            at = at->right;
        return at;
    }
    struct avl_node *parent = node->parent;
    while (parent != NULL && parent->left == node) {
        node = parent;
        parent = parent->parent;
    }
    return parent;
}
