/* path.c - see path.h. */
#include "coordd/state/path.h"

#include <string.h>

#include "coordd/state/text.h"
#include "libcoord/base/check.h"

enum { KEY_SLASH = 0x01 }; /* below every byte that a path may hold */

static enum err no(const char **ret_why, enum err e, const char *why)
{
    *ret_why = why;
    return e;
}

enum err path_check_component(struct slice name, const struct limits *limits, const char **ret_why)
{
    if (name.length == 0)
        return no(ret_why, ERR_INVALID, "path: a component is empty");
    if (name.length > limits->component_bytes)
        return no(ret_why, ERR_TOO_LARGE, "path: a component is too long");
    if (memchr(name.data, '/', name.length) != NULL)
        return no(ret_why, ERR_INVALID, "path: a slash within a component");
    if (slice_equal(name, slice_of_string(".")) || slice_equal(name, slice_of_string("..")))
        return no(ret_why, ERR_INVALID, "path: a component is . or ..");
    switch (text_flaw(name)) {
    case TEXT_NOT_UTF8:
        return no(ret_why, ERR_INVALID, "path: not UTF-8");
    case TEXT_CONTROL:
        return no(ret_why, ERR_INVALID, "path: a control character");
    case TEXT_GOOD:
        break;
    }
    return ERR_OK;
}

enum err path_check(struct slice path, const struct limits *limits, const char **ret_why)
{
    if (path.length == 0)
        return no(ret_why, ERR_INVALID, "path: empty");
    if (path.data[0] != '/')
        return no(ret_why, ERR_INVALID, "path: does not begin with a slash");
    if (path.length > limits->path_bytes)
        return no(ret_why, ERR_TOO_LARGE, "path: too long");
    if (path_is_root(path))
        return ERR_OK;
    if (path.data[path.length - 1] == '/')
        return no(ret_why, ERR_INVALID, "path: ends with a slash");

    struct slice rest = path, component;
    uint32_t levels = 0;
    while (path_next(&rest, &component)) {
        enum err e = path_check_component(component, limits, ret_why);
        if (e != ERR_OK)
            return e;
        if (++levels > limits->path_levels)
            return no(ret_why, ERR_TOO_LARGE, "path: too many levels");
    }
    return ERR_OK;
}

bool path_is_root(struct slice path)
{
    return path.length == 1 && path.data[0] == '/';
}

bool path_next(struct slice *rest, struct slice *ret_component)
{
    if (rest->length == 0 || path_is_root(*rest))
        return false;
    const uint8_t *begin = rest->data + 1;
    size_t left = rest->length - 1;
    const uint8_t *slash = memchr(begin, '/', left);
    size_t length = slash == NULL ? left : (size_t)(slash - begin);
    *ret_component = slice_of(begin, length);
    *rest = slice_of(begin + length, left - length);
    return true;
}

static size_t last_slash(struct slice path)
{
    CHECK(path.length > 1);
    size_t at = path.length - 1;
    while (path.data[at] != '/')
        at--;
    return at;
}

struct slice path_parent(struct slice path)
{
    size_t slash = last_slash(path);
    return slice_of(path.data, slash == 0 ? 1 : slash);
}

struct slice path_name(struct slice path)
{
    size_t slash = last_slash(path);
    return slice_of(path.data + slash + 1, path.length - slash - 1);
}

/* The root as the path of no components, as which it is a prefix of all. */
static struct slice without_root(struct slice path)
{
    return path_is_root(path) ? slice_of(path.data, 0) : path;
}

int path_compare(struct slice a, struct slice b)
{
    a = without_root(a);
    b = without_root(b);
    size_t common = a.length < b.length ? a.length : b.length;
    for (size_t i = 0; i < common; i++) {
        if (a.data[i] == b.data[i])
            continue;
        int left = a.data[i] == '/' ? KEY_SLASH : a.data[i];
        int right = b.data[i] == '/' ? KEY_SLASH : b.data[i];
        return left - right;
    }
    return (a.length > b.length) - (a.length < b.length);
}

bool path_within(struct slice path, struct slice top)
{
    top = without_root(top);
    path = without_root(path);
    if (path.length < top.length ||
        !slice_equal(slice_of(path.data, top.length), slice_of(top.data, top.length)))
        return false;
    return path.length == top.length || path.data[top.length] == '/';
}

void path_put_key(struct buffer *key, struct slice path)
{
    path = without_root(path);
    if (path.length == 0)
        return;
    uint8_t *out = buffer_extend(key, path.length);
    for (size_t i = 0; i < path.length; i++)
        out[i] = path.data[i] == '/' ? KEY_SLASH : path.data[i];
}

void path_from_key(struct buffer *path, struct slice key)
{
    if (key.length == 0) {
        buffer_put_u8(path, '/');
        return;
    }
    uint8_t *out = buffer_extend(path, key.length);
    for (size_t i = 0; i < key.length; i++) {
        /* A slash in a key would give one node two keys: make it no path. */
        if (key.data[i] == '/')
            out[i] = 0;
        else
            out[i] = key.data[i] == KEY_SLASH ? '/' : key.data[i];
    }
}
