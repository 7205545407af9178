/* prng.c - see prng.h. */
#include "libcoord/base/prng.h"

#include "libcoord/base/check.h"

static uint64_t rotate_left(uint64_t v, int bits)
{
    return (v << bits) | (v >> (64 - bits));
}

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void prng_init(struct prng *p, uint64_t seed)
{
    /* Never all zeros, which xoshiro could not leave: splitmix64 is a bijection
     * of a counter, so at most one of four successive outputs is zero. */
    for (int i = 0; i < 4; i++)
        p->s[i] = splitmix64(&seed);
}

uint64_t prng_next(struct prng *p)
{
    uint64_t *s = p->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t prng_below(struct prng *p, uint64_t bound)
{
    CHECK(bound > 0);
    /* 2^64 mod bound values are thrown away, so that each remainder is as
     * likely as any other. */
    uint64_t thrown_away = (0 - bound) % bound;
    uint64_t v = prng_next(p);
    while (v < thrown_away)
        v = prng_next(p);
    return v % bound;
}

uint64_t prng_between(struct prng *p, uint64_t low, uint64_t high)
{
    CHECK(low <= high);
    uint64_t span = high - low;
    if (span == UINT64_MAX)
        return prng_next(p);
    return low + prng_below(p, span + 1);
}

bool prng_chance(struct prng *p, uint64_t numerator, uint64_t denominator)
{
    return prng_below(p, denominator) < numerator;
}

void prng_fill(struct prng *p, void *out, uint64_t length)
{
    uint8_t *bytes = out;
    uint64_t v = 0;
    for (uint64_t i = 0; i < length; i++) {
        if (i % 8 == 0)
            v = prng_next(p);
        bytes[i] = (uint8_t)v;
        v >>= 8;
    }
}
