/* command.c - exactly once, then to the handler. See command.h and session.h. */
#include "coordd/state/command.h"

#include "coordd/state/hand_over.h"
#include "coordd/state/lock.h"
#include "coordd/state/session.h"

/* The number was applied before, or was passed over. */
static void repeat(struct step *step, const struct session *session)
{
    uint64_t seq = step->command->seq;
    const struct kept *kept = kept_find(session, seq);
    if (kept != NULL) {
        step_answer_again(step, kept_answer(kept));
        return;
    }
    const struct claim *claim = claim_of_seq(session, seq);
    if (claim != NULL && !claim_is_held(claim))
        return; /* in line: the answer comes with the grant */
    step_answer_unapplied(step, ERR_MAYBE_APPLIED,
                          "seq: passed over, or its answer is forgotten; not applied now");
}

/* Is this a number to apply? If not, it has been dealt with. */
static bool admit(struct step *step)
{
    struct state *s = step->state;
    const Coord__V1__Command *c = step->command;
    struct session *session = sessions_find(s, c->session);
    if (session == NULL) {
        step_answer_unapplied(step, ERR_EXPIRED, "session: ended or expired; not applied");
        return false;
    }
    if (c->seq == 0) {
        step_answer_unapplied(step, ERR_INVALID, "seq: 0 in a session");
        return false;
    }
    /* Whoever asks for seq still wants its answer. */
    kept_trim(s, session, c->lowest < c->seq ? c->lowest : c->seq);
    if (c->seq <= session->highest) {
        repeat(step, session);
        return false;
    }
    session->highest = c->seq;
    ledger_touch(&s->ledger, &session->record);
    step->session = session;
    return true;
}

static enum err dispatch(struct step *step)
{
    const Coord__V1__Command *c = step->command;
    switch (c->op_case) {
    case COORD__V1__COMMAND__OP_CREATE:
        return command_create(step, c->create);
    case COORD__V1__COMMAND__OP_PUT:
        return command_put(step, c->put);
    case COORD__V1__COMMAND__OP_DELETE:
        return command_delete(step, c->delete_);
    case COORD__V1__COMMAND__OP_ACQUIRE:
        return command_acquire(step, c->acquire);
    case COORD__V1__COMMAND__OP_RELEASE:
        return command_release(step, c->release);
    case COORD__V1__COMMAND__OP_CANCEL:
        return command_cancel(step, c->cancel);
    case COORD__V1__COMMAND__OP_OPEN_SESSION:
        return command_open_session(step, c->open_session);
    case COORD__V1__COMMAND__OP_END_SESSION:
        return command_end_session(step);
    case COORD__V1__COMMAND__OP_EXPIRE_SESSION:
        return command_expire_session(step, c->expire_session);
    case COORD__V1__COMMAND__OP_END_LOCK_DELAY:
        return command_end_lock_delay(step, c->end_lock_delay);
    case COORD__V1__COMMAND__OP_TRANSACTION:
        return command_transaction(step, c->transaction);
    case COORD__V1__COMMAND__OP_HAND_OVER:
        return command_hand_over(step, c->hand_over);
    case COORD__V1__COMMAND__OP_COMPARE_STATES:
        return command_compare_states(step, c->compare_states);
    case COORD__V1__COMMAND__OP_FORCE_UNLOCK:
        return command_force_unlock(step, c->force_unlock);
    case COORD__V1__COMMAND__OP_KILL_SESSION:
        return command_kill_session(step, c->kill_session);
    case COORD__V1__COMMAND__OP__NOT_SET:
    default:
        return step_refuse(step, ERR_UNSUPPORTED, "op: unknown");
    }
}

void command_apply(struct state *s, struct state_output *out, const Coord__V1__Command *command,
                   uint32_t index)
{
    struct step step;
    struct refusal refusal = {.why = ""};
    uint32_t events_before = out->events_count;
    step_begin(&step, s, out, command, index);
    hand_over_see_batch(s); /* also one that began in this batch: it was not the last */
    if (command->session != 0 && !admit(&step))
        return;
    enum err e = command_check(command, &s->limits, &refusal);
    step.why = refusal.why;
    if (refusal.part > 0)
        command_transaction_failed(&step, refusal.part);
    bool killed = step.session != NULL && step.session->killed;
    uint32_t revoked_before = step.session == NULL ? 0 : step.session->revoked_count;
    if (e == ERR_OK && killed && !command_killed_may(command))
        e = step_refuse(&step, ERR_CANCELLED, "session: is being ended by force");
    if (e == ERR_OK)
        e = dispatch(&step);
    if (!step.answered)
        step_answer(&step, e);
    const struct session *after = step.session;
    if (revoked_before > 0 && after != NULL && session_hold(after) == STATE_HOLD_NONE)
        step_session_note(&step, STATE_SESSION_RESTORED, after->id, after->ttl_ms);
    if (step.changed)
        history_add(s, out->events + events_before, out->events_count - events_before);
}
