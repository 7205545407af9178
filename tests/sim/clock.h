/* clock.h - one machine's clocks, in relation to true (virtual) time.
 *
 * The monotonic clock (CLOCK_BOOTTIME's part) runs at a rate within the bound
 * that the protocol assumes, from an offset of its own, and never jumps: the
 * protocol assumes that as well. The wall clock jumps as it likes. */
#ifndef TESTS_SIM_CLOCK_H
#define TESTS_SIM_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t base_true_ns, base_local_ns; /* the last change of rate */
    int64_t ppm;                         /* faster than true time, may be negative */
    int64_t wall_ms;                     /* Unix time at local time 0 */
};

void clock_init(struct clock *c, int64_t offset_ns, int64_t ppm, int64_t wall_ms);
/* From now on another rate. */
/* It goes on from here, at once. */
void clock_leap(struct clock *c, int64_t now_ns, int64_t ahead_ns);
void clock_turn(struct clock *c, int64_t now_ns, int64_t ppm);
int64_t clock_local(const struct clock *c, int64_t true_ns);
/* The first true time at which the clock shows local_ns or more, if its rate
 * stays; NEVER_NS for NEVER_NS. */
int64_t clock_true(const struct clock *c, int64_t local_ns);
int64_t clock_wall_ms(const struct clock *c, int64_t true_ns);

#endif
