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

/* Well-formed, and within `limits`: the cell's when applied, the hard ones
 * before ordering. *ret_why is a constant that names the argument. */
MUST_USE enum err command_check(const Coord__V1__Command *command, const struct limits *limits,
                                const char **ret_why);

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
enum err command_end_lock_delay(struct step *step, const Coord__V1__EndLockDelay *c);

/* After lock_leave: lets in who is next, with events and answers; the lock may go. */
void command_settle_lock(struct step *step, struct lock *lock, bool content_changed);
/* The session leaves all lines and gives up all locks, in the order of its
 * acquires; none of them can be granted to it. died: with their delays. */
void command_leave_locks(struct step *step, struct session *session, bool died);

#endif
