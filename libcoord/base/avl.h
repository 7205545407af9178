/* avl.h - intrusive ordered trees.
 *
 * Everything that replicated state iterates over is ordered by its key, never
 * by hash or address, so that two replicas walk it alike. Height is at most
 * 1.45 log2(n); no operation allocates. The key of an element must not change
 * while it is linked. */
#ifndef COORD_BASE_AVL_H
#define COORD_BASE_AVL_H

#include <stdbool.h>
#include <stddef.h>

struct avl_node {
    struct avl_node *parent, *left, *right;
    int balance; /* height(right) - height(left) */
};

struct avl {
    struct avl_node *root;
    size_t count;
};
/* clang-format off */
#define AVL_INIT {NULL, 0}
/* clang-format on */

/* Compares `key` with the key of `node`, in this order, as strcmp does. */
typedef int avl_compare(const void *key, const struct avl_node *node);

struct avl_node *avl_find(const struct avl *t, const void *key, avl_compare *compare);
/* The first element whose key is >= key (at_least) or > key (above), or NULL. */
struct avl_node *avl_at_least(const struct avl *t, const void *key, avl_compare *compare);
struct avl_node *avl_above(const struct avl *t, const void *key, avl_compare *compare);
/* Links `node` under `key`. Returns NULL, or the element that has this key
 * already (then nothing changed). */
struct avl_node *avl_insert(struct avl *t, struct avl_node *node, const void *key,
                            avl_compare *compare);
void avl_remove(struct avl *t, struct avl_node *node);
struct avl_node *avl_first(const struct avl *t);
struct avl_node *avl_last(const struct avl *t);
struct avl_node *avl_next(const struct avl_node *node);
struct avl_node *avl_previous(const struct avl_node *node);

#define container_of(pointer, type, member) \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define container_of_or_null(pointer, type, member) \
    ((pointer) == NULL ? NULL : container_of(pointer, type, member))

#endif
