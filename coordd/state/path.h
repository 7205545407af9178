/* path.h - names of nodes.
 *
 * "/" is the root; any other path is one or more components, each behind a
 * slash: "/a/b". A component is 1 to 255 bytes of UTF-8 without control
 * characters and is neither "." nor "..". There is one spelling for each node:
 * no slash at the end, none doubled.
 *
 * Paths have two orders. Children are sorted by name, as bytes. Whole paths are
 * sorted as a walk through the tree meets them: a node before what is below it,
 * and all of that before its next sibling. That is the order of bytes if the
 * slash came before every other byte, and in a path's key it does (0x01). So a
 * subtree is always one contiguous range.
 *
 * Pure. All but path_check want a path that path_check has passed. */
#ifndef COORD_STATE_PATH_H
#define COORD_STATE_PATH_H

#include "coordd/state/limits.h"
#include "libcoord/base/bytes.h"
#include "libcoord/base/err.h"

/* ERR_INVALID or ERR_TOO_LARGE; *ret_why is then a constant that says why. */
MUST_USE enum err path_check(struct slice path, const struct limits *limits, const char **ret_why);
/* The same for one component. */
MUST_USE enum err path_check_component(struct slice name, const struct limits *limits,
                                       const char **ret_why);

bool path_is_root(struct slice path);
/* Takes the first component off *rest; false when there is none left. */
bool path_next(struct slice *rest, struct slice *ret_component);
/* "/a/b": "/a" and "b". Not of the root. */
struct slice path_parent(struct slice path);
struct slice path_name(struct slice path);

/* The tree's order: see above. */
int path_compare(struct slice a, struct slice b);
/* `path` is `top` or lies below it. */
bool path_within(struct slice path, struct slice top);

/* Appends the path as it stands in a record's key; the root is empty there. */
void path_put_key(struct buffer *key, struct slice path);
/* Appends the path of such a key; whether it is one is for path_check to say. */
void path_from_key(struct buffer *path, struct slice key);

#endif
