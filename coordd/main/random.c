/* random.c - see random.h. */
#define _GNU_SOURCE
#include "coordd/main/random.h"

#include <sys/random.h>

#include "libcoord/base/check.h"

enum {
    AT_ONCE_BYTES_MAX = 256, /* up to this getrandom is never cut short */
};

void random_fill(void *out, size_t length)
{
    CHECK(length <= AT_ONCE_BYTES_MAX);
    CHECK(getrandom(out, length, 0) == (ssize_t)length);
}
