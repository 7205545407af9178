/* player_internal.h - between player.c, player_answer.c and player_execute.c. */
#ifndef TESTS_SIM_PLAYER_INTERNAL_H
#define TESTS_SIM_PLAYER_INTERNAL_H

#include "tests/sim/client.h"

void player_write(struct client *c, const struct call *call, Coord__V1__Write *w);
void player_drop_hold(struct player *p, uint32_t at);
/* One call without a session, at most once, to some server. */
void player_execute(struct client *c);
/* Ask a leader, or who once was one, to hand over. */
void player_step_down(struct client *c);
/* How fresh the read must be; noted in the call. */
Coord__V1__Freshness player_freshness(struct sim *s, struct call *call);

/* Some checks and changes of a few nodes, with contents of their own. */
struct transaction_parts {
    Coord__V1__Transaction transaction;
    Coord__V1__Check checks[2], *checks_list[2];
    Coord__V1__Change changes[PLAYER_CHANGES_MAX], *changes_list[PLAYER_CHANGES_MAX];
    Coord__V1__Put puts[PLAYER_CHANGES_MAX];
    Coord__V1__Create creates[PLAYER_CHANGES_MAX];
    Coord__V1__Delete deletes[PLAYER_CHANGES_MAX];
    Coord__V1__Condition conditions[PLAYER_CHANGES_MAX];
    uint8_t contents[PLAYER_CHANGES_MAX][8];
};
void player_make_transaction(struct client *c, struct call *call, struct transaction_parts *parts);
void player_never_of(struct player *p, const struct call *call);
void player_never(struct player *p, uint64_t content);

#endif
