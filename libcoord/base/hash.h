/* hash.h - fast checksums (xxHash's XXH3, from its library). They detect
 * accidents, not adversaries. Stable across machines and versions: the values
 * are stored and compared between replicas. */
#ifndef COORD_BASE_HASH_H
#define COORD_BASE_HASH_H

#include "libcoord/base/bytes.h"

uint64_t hash_bytes(uint64_t seed, struct slice s);

#endif
