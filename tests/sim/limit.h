/* limit.h - changes of the state that no command makes: its limits, and a wrong bit. */
#ifndef TESTS_SIM_LIMIT_H
#define TESTS_SIM_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct replica;

/* Of a replica that was made just now: for all of a cell the same. */
void limit_history(const struct replica *r, uint32_t bytes);

/* One bit of its applied state is turned, as if a command had been applied wrongly:
 * in a place that no client is shown and no command reads, so that all that is to be
 * seen of it is that this state is another than it should be. False if there is no such
 * place yet. */
bool limit_flip(const struct replica *r);

#endif
