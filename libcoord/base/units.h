/* units.h - the units that names carry as suffixes: _ns, _ms, _bytes, _count. */
#ifndef COORD_BASE_UNITS_H
#define COORD_BASE_UNITS_H

#include <stdint.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)
#define KIB       1024u
#define MIB       (1024u * 1024u)

/* Every deadline that has none. */
#define NEVER_NS INT64_MAX

static inline int64_t ms_to_ns(int64_t ms)
{
    return ms * NS_PER_MS;
}
static inline int64_t ns_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
static inline int64_t ns_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
