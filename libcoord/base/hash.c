/* hash.c - see hash.h. */
#include "libcoord/base/hash.h"

#include <xxhash.h>

uint64_t hash_bytes(uint64_t seed, struct slice s)
{
    return XXH3_64bits_withSeed(s.data, s.length, seed);
}
