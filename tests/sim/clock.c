/* clock.c - see clock.h. */
#include "tests/sim/clock.h"

#include "libcoord/base/units.h"

enum { PPM = 1000000 };

void clock_init(struct clock *c, int64_t offset_ns, int64_t ppm, int64_t wall_ms)
{
    *c = (struct clock){0, offset_ns, ppm, wall_ms};
}

void clock_turn(struct clock *c, int64_t now_ns, int64_t ppm)
{
    c->base_local_ns = clock_local(c, now_ns);
    c->base_true_ns = now_ns;
    c->ppm = ppm;
}

void clock_leap(struct clock *c, int64_t now_ns, int64_t ahead_ns)
{
    clock_turn(c, now_ns, c->ppm);
    c->base_local_ns += ahead_ns;
}

int64_t clock_local(const struct clock *c, int64_t true_ns)
{
    /* A run lasts minutes: 10^12 ns times 10^4 ppm stays far inside 63 bits. */
    int64_t passed = true_ns - c->base_true_ns;
    return c->base_local_ns + passed + passed * c->ppm / PPM;
}

int64_t clock_true(const struct clock *c, int64_t local_ns)
{
    if (local_ns == NEVER_NS)
        return NEVER_NS;
    int64_t passed = local_ns - c->base_local_ns;
    if (passed > INT64_MAX / (2 * PPM))
        return NEVER_NS; /* months: beyond any run */
    int64_t at = c->base_true_ns + passed * PPM / (PPM + c->ppm);
    while (clock_local(c, at) >= local_ns)
        at--;
    while (clock_local(c, at) < local_ns)
        at++;
    return at;
}

int64_t clock_wall_ms(const struct clock *c, int64_t true_ns)
{
    return c->wall_ms + clock_local(c, true_ns) / NS_PER_MS;
}
