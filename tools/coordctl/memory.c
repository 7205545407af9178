/* memory.c - see memory.h. */
#include "tools/coordctl/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *memory_resize(void *old, size_t count, size_t size_bytes)
{
    void *p = NULL;
    if (size_bytes == 0 || count <= SIZE_MAX / size_bytes)
        p = realloc(old, count * size_bytes > 0 ? count * size_bytes : 1);
    if (p == NULL) {
        fputs("coordctl: out of memory\n", stderr);
        abort();
    }
    return p;
}

char *memory_join(const char *a, const char *b, const char *c)
{
    size_t bytes = strlen(a) + strlen(b) + strlen(c) + 1;
    char *joined = memory_resize(NULL, bytes, 1);
    (void)snprintf(joined, bytes, "%s%s%s", a, b, c);
    return joined;
}
