/* paths.c - see paths.h. */
#include "tests/sim/paths.h"

#include <string.h>

#include "libcoord/base/check.h"

static const char *const names[PATHS_COUNT] = {
    "/d0",      "/d1",      "/d2",       "/dir/d3",  "/dir/d4",   "/dir/sub/d5",
    "/l0",      "/l1",      "/locks/l2", "/e0",      "/e1",       "/dir/e2",
    "/final/0", "/final/1", "/final/2",  "/final/3", "/final/4",  "/final/5",
    "/final/6", "/final/7", "/final/8",  "/final/9", "/final/10", "/final/11",
};

const char *path_text(uint32_t path)
{
    CHECK(path < PATHS_COUNT);
    return names[path];
}

uint32_t path_index(const char *text)
{
    for (uint32_t i = 0; i < PATHS_COUNT; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    return PATHS_COUNT;
}
