/* command.h - what each command does.
 *
 * In order of judgement: is the session there and the number new (command.c); is
 * the command well-formed and within the limits (command_check); then the
 * handler: its guard (a sequencer), the node and its instance, generations,
 * locks, quotas. The first that does not hold is the answer, and nothing changed. */
#ifndef COORD_STATE_COMMAND_H
#define COORD_STATE_COMMAND_H

#include "coordd/state/step.h"

/* One command of a batch, with all that it answers. */
void command_apply(struct state *s, struct state_output *out, const Coord__V1__Command *command,
                   uint32_t index);

/* Why a command is refused; all 0 at first. */
struct refusal {
    const char *why; /* a constant that names the argument */
    uint32_t part;   /* of a transaction, from 1, checks first; 0: it is the whole */
};
/* Well-formed, and within `limits`: the cell's when applied, the hard ones
 * before ordering. */
MUST_USE enum err command_check(const Coord__V1__Command *command, const struct limits *limits,
                                struct refusal *refusal);

/* A Check may be about a lock alone. */
bool command_check_asks_of_node(const Coord__V1__Check *check);

/* The digits behind a sequential name. */
enum { COMMAND_SUFFIX_BYTES = 20 };

/* Handlers. They answer by their return value, or set step->answered. */
enum err command_create(struct step *step, const Coord__V1__Create *c);
enum err command_put(struct step *step, const Coord__V1__Put *c);
enum err command_delete(struct step *step, const Coord__V1__Delete *c);
enum err command_acquire(struct step *step, const Coord__V1__Acquire *c);
enum err command_release(struct step *step, const Coord__V1__Release *c);
enum err command_cancel(struct step *step, const Coord__V1__Cancel *c);
enum err command_open_session(struct step *step, const Coord__V1__OpenSession *c);
enum err command_end_session(struct step *step);
enum err command_expire_session(struct step *step, const Coord__V1__ExpireSession *c);
enum err command_transaction(struct step *step, const Coord__V1__Transaction *t);
enum err command_hand_over(struct step *step, const Coord__V1__HandOver *c);
enum err command_force_unlock(struct step *step, const Coord__V1__ForceUnlock *c);
enum err command_kill_session(struct step *step, const Coord__V1__KillSession *c);
enum err command_end_lock_delay(struct step *step, const Coord__V1__EndLockDelay *c);
enum err command_compare_states(struct step *step, const Coord__V1__CompareStates *c);

/* After lock_leave: lets in who is next, with events and answers; the lock may go. */
void command_settle_lock(struct step *step, struct lock *lock, bool content_changed);
/* The session leaves all lines and gives up all locks, in the order of its
 * acquires; none of them can be granted to it. died: with their delays. */
void command_leave_locks(struct step *step, struct session *session, bool died);
void command_leave_lines(struct step *step, struct session *session);
/* The answer says which part of the transaction did not hold. */
void command_transaction_failed(struct step *step, uint32_t part);
/* A session that is being ended by force may only let go. */
bool command_killed_may(const Coord__V1__Command *command);

#endif
