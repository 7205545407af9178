/* path.c - arguments, checked before anything is sent.
 *
 * What a path may look like is the cell's to decide in the end; here it is
 * checked so that a mistake is named at once, and only what no cell takes is
 * refused. */
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

enum { PATH_BYTES_MAX = 1024, COMPONENT_BYTES_MAX = 255, LEVELS_MAX = 64 };

/* The length of the UTF-8 character at s, 0 if it is none. */
static size_t character(const unsigned char *s)
{
    size_t length;
    uint32_t c;
    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf) {
        length = 2;
        c = s[0] & 0x1fu;
    } else if (s[0] >= 0xe0 && s[0] <= 0xef) {
        length = 3;
        c = s[0] & 0x0fu;
    } else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        length = 4;
        c = s[0] & 0x07u;
    } else {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3fu);
    }
    bool overlong = (length == 3 && c < 0x800) || (length == 4 && c < 0x10000);
    bool surrogate = c >= 0xd800 && c <= 0xdfff;
    return overlong || surrogate || c > 0x10ffff ? 0 : length;
}

static const char *component_wrong(const char *at, size_t length)
{
    if (length == 0)
        return "has an empty component";
    if (length > COMPONENT_BYTES_MAX)
        return "has a component longer than 255 bytes";
    if ((length == 1 && at[0] == '.') || (length == 2 && at[0] == '.' && at[1] == '.'))
        return "has a component . or ..";
    for (size_t i = 0; i < length;) {
        size_t step = character((const unsigned char *)at + i);
        if (step == 0)
            return "is not UTF-8";
        if ((unsigned char)at[i] < 0x20 || at[i] == 0x7f)
            return "has a control character";
        i += step;
    }
    return NULL;
}

static const char *path_wrong(const char *path)
{
    if (path[0] != '/')
        return "does not begin with /";
    if (strlen(path) > PATH_BYTES_MAX)
        return "is longer than 1024 bytes";
    if (path[1] == '\0')
        return NULL;
    int levels = 0;
    for (const char *at = path; *at == '/';) {
        size_t length = strcspn(++at, "/");
        const char *wrong = component_wrong(at, length);
        if (wrong != NULL)
            return wrong;
        if (++levels > LEVELS_MAX)
            return "has more than 64 levels";
        at += length;
    }
    return NULL;
}

coord_error path_take(const struct coord_client *client, const char *name, const char *path,
                      char **ret)
{
    static const char prefix[] = "/ls/";
    if (path == NULL)
        return fail(COORD_ERR_INVALID, "%s: is NULL", name);
    if (strncmp(path, prefix, sizeof prefix - 1) == 0) {
        const char *cell = path + sizeof prefix - 1;
        size_t length = strcspn(cell, "/");
        bool local = length == strlen("local") && strncmp(cell, "local", length) == 0;
        bool named = length == strlen(client->cell_name) && length > 0 &&
                     strncmp(cell, client->cell_name, length) == 0;
        if (!local && !named)
            return fail(COORD_ERR_INVALID, "%s: names the cell \"%.*s\", this one is \"%s\"", name,
                        (int)(length < 64 ? length : 64), cell, client->cell_name);
        path = cell[length] == '\0' ? "/" : cell + length;
    }
    const char *wrong = path_wrong(path);
    if (wrong != NULL)
        return fail(COORD_ERR_INVALID, "%s: %s", name, wrong);
    *ret = check_strdup(path);
    return COORD_OK;
}

coord_error check_deadline(int64_t deadline_ms)
{
    if (deadline_ms < COORD_FOREVER)
        return fail(COORD_ERR_INVALID, "deadline_ms: is negative");
    return COORD_OK;
}

coord_error check_content(const char *name, const void *content, size_t length)
{
    if (content == NULL && length > 0)
        return fail(COORD_ERR_INVALID, "%s: is NULL, but length is not 0", name);
    if (length > CONTENT_BYTES_MAX)
        return fail(COORD_ERR_TOO_LARGE, "%s: no cell takes more than %d bytes", name,
                    CONTENT_BYTES_MAX);
    return COORD_OK;
}

coord_error check_by_name(const struct coord_session *session, const char *path,
                          int64_t deadline_ms, char **ret_path)
{
    detail_clear();
    if (session == NULL)
        return fail(COORD_ERR_INVALID, "session: is NULL");
    coord_error e = check_deadline(deadline_ms);
    return e != COORD_OK ? e : path_take(session->client, "path", path, ret_path);
}
