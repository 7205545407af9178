/* player_internal.h - between player.c, player_answer.c and player_execute.c. */
#ifndef TESTS_SIM_PLAYER_INTERNAL_H
#define TESTS_SIM_PLAYER_INTERNAL_H

#include "tests/sim/client.h"

void player_write(struct client *c, const struct call *call, Coord__V1__Write *w);
void player_drop_hold(struct player *p, uint32_t at);
/* One call without a session, at most once, to some server. */
void player_execute(struct client *c);
void player_never(struct player *p, uint64_t content);

#endif
