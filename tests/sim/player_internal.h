/* player_internal.h - between the files player*.c. */
#ifndef TESTS_SIM_PLAYER_INTERNAL_H
#define TESTS_SIM_PLAYER_INTERNAL_H

#include "tests/sim/client.h"

/* player_call.c: each makes one call. */
void player_put(struct client *c, enum op op, uint32_t path);
void player_create(struct client *c, enum op op, uint32_t path);
void player_create_sequential(struct client *c);
void player_delete(struct client *c, uint32_t path);
void player_lock(struct client *c, enum op op, uint32_t path);
void player_release_hold(struct client *c, uint32_t at);
void player_transact(struct client *c);
void player_force(struct client *c, uint32_t path);
void player_kill_session(struct client *c);
void player_read(struct client *c, enum op op, uint32_t path);
void player_watch(struct client *c, uint32_t path);
void player_unwatch(struct client *c);
void player_give_up(struct client *c);
void player_close(struct client *c);

void player_drop_hold(struct player *p, uint32_t at);
void player_add_hold(struct player *p, const struct hold *hold);
/* Sometimes a lock that it holds, to delete its node. From the moment of asking it is no
 * longer believed in. False: none. */
bool player_give_lock(struct client *c, struct call *call);
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
/* in_session: it may delete what the session has locked. */
void player_make_transaction(struct client *c, struct call *call, bool in_session,
                             struct transaction_parts *parts);
void player_never_of(struct player *p, const struct call *call);
void player_never(struct player *p, uint64_t content);

#endif
