/* server_step.h - between server.c, which takes the steps, and server_pause.c. */
#ifndef TESTS_SIM_SERVER_STEP_H
#define TESTS_SIM_SERVER_STEP_H

#include "tests/sim/server.h"

/* One step, now; it must be up and not paused. */
void server_step(struct server *n, const struct server_input *input);
/* Executes the effects up to `until`; the last of them ends the step. */
void server_finish_step(struct server *n, uint32_t until);
/* What waited for it is lost. */
void server_inbox_drop(struct server *n);

#endif
