/* clock.c - see clock.h. */
#define _GNU_SOURCE
#include "coordd/main/clock.h"

#include <time.h>

#include "libcoord/base/check.h"
#include "libcoord/base/units.h"

int64_t clock_now_ns(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_wall_ms(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / NS_PER_MS;
}
