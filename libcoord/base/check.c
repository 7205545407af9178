/* check.c - see check.h. The one file of the pure folders that ends the
 * process, and says on stderr why. */
#include "libcoord/base/check.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void check_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
    fflush(stderr);
    abort();
}

static void *check_allocated(void *memory, size_t size_bytes)
{
    if (memory == NULL) {
        fprintf(stderr, "out of memory: %zu bytes\n", size_bytes);
        fflush(stderr);
        abort();
    }
    return memory;
}

void *check_malloc(size_t size_bytes)
{
    size_t at_least_one = size_bytes == 0 ? 1 : size_bytes;
    return check_allocated(malloc(at_least_one), at_least_one);
}

void *check_calloc(size_t count, size_t size_bytes)
{
    if (count == 0 || size_bytes == 0)
        return check_allocated(calloc(1, 1), 1);
    CHECK(count <= SIZE_MAX / size_bytes);
    return check_allocated(calloc(count, size_bytes), count * size_bytes);
}

void *check_realloc(void *old, size_t size_bytes)
{
    /* realloc to nothing frees in some libraries and not in others. */
    size_t at_least_one = size_bytes == 0 ? 1 : size_bytes;
    return check_allocated(realloc(old, at_least_one), at_least_one);
}

char *check_strndup(const char *s, size_t length_bytes)
{
    CHECK(length_bytes < SIZE_MAX);
    char *copy = check_malloc(length_bytes + 1);
    if (length_bytes > 0)
        memcpy(copy, s, length_bytes);
    copy[length_bytes] = '\0';
    return copy;
}

char *check_strdup(const char *s)
{
    return check_strndup(s, strlen(s));
}
