/* prng.h - a small deterministic generator (xoshiro256** seeded by splitmix64,
 * Blackman and Vigna 2018). Not for secrets. Whoever owns one passes it on; none
 * is global. Equal seeds give equal sequences on every machine. */
#ifndef COORD_BASE_PRNG_H
#define COORD_BASE_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
    uint64_t s[4];
};

void prng_init(struct prng *p, uint64_t seed);
uint64_t prng_next(struct prng *p);
/* Uniform in [0, bound), bound > 0. */
uint64_t prng_below(struct prng *p, uint64_t bound);
/* Uniform in [low, high]. */
uint64_t prng_between(struct prng *p, uint64_t low, uint64_t high);
/* True with probability numerator / denominator. */
bool prng_chance(struct prng *p, uint64_t numerator, uint64_t denominator);
void prng_fill(struct prng *p, void *out, uint64_t length);

#endif
