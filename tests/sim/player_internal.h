/* player_internal.h - between the files player*.c. */
#ifndef TESTS_SIM_PLAYER_INTERNAL_H
#define TESTS_SIM_PLAYER_INTERNAL_H

#include "tests/sim/client.h"

/* player_call.c: each makes one call. */
void player_put(struct client *c, enum op op, uint32_t path);
void player_create(struct client *c, enum op op, uint32_t path);
void player_delete(struct client *c, uint32_t path);
void player_lock(struct client *c, enum op op, uint32_t path);
void player_release_hold(struct client *c, uint32_t at);
void player_read(struct client *c, enum op op, uint32_t path);
void player_watch(struct client *c, uint32_t path);
void player_unwatch(struct client *c);
void player_give_up(struct client *c);
void player_close(struct client *c);

void player_drop_hold(struct player *p, uint32_t at);
/* One call without a session, at most once, to some server. */
void player_execute(struct client *c);
void player_never(struct player *p, uint64_t content);

#endif
