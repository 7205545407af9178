/* limit.h - limits that are part of the state, and that no command changes. */
#ifndef TESTS_SIM_LIMIT_H
#define TESTS_SIM_LIMIT_H

#include <stdint.h>

struct replica;

/* Of a replica that was made just now: for all of a cell the same. */
void limit_history(const struct replica *r, uint32_t bytes);

#endif
