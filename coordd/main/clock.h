/* clock.h - the two clocks that events carry. */
#ifndef COORD_MAIN_CLOCK_H
#define COORD_MAIN_CLOCK_H

#include <stdint.h>

/* CLOCK_BOOTTIME: never falls, and counts suspend, so that a lease does not
 * outlive a closed lid. */
int64_t clock_now_ns(void);
/* Unix time; may jump, and nothing may rest on it but what people read. */
int64_t clock_wall_ms(void);

#endif
