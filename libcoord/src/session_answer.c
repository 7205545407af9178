/* session_answer.c - what answers do to calls.
 *
 * An answer is told while the session is SAFE. One that comes in jeopardy is kept
 * with its call, which stays where it is, and told when the session is SAFE again. */
#include "libcoord/base/check.h"
#include "libcoord/src/session_internal.h"

/* It was refused before it was ordered: THROTTLED or NO_SPACE; or it was sent again and a
 * server says MAYBE_APPLIED, for a higher seq was applied and no answer to this
 * one is kept. Sent again it needs a new seq then, and also if it was sent just
 * once; else an earlier sending may have been ordered, and it keeps its own. */
static void retry_later(struct client_session *s, struct client_call *c, enum err status)
{
    if (status == ERR_MAYBE_APPLIED)
        c->resent = false;
    c->retry_at_ns = s->now_ns + ms_to_ns(CLIENT_SESSION_THROTTLED_MS);
    s->retry_min_ns = ns_min(s->retry_min_ns, c->retry_at_ns);
}

static bool must_come_through(const struct client_call *c)
{
    return c->kind == CLIENT_CALL_RELEASE || c->kind == CLIENT_CALL_CANCEL ||
           c->kind == CLIENT_CALL_END;
}

static bool must_be_retried(const struct client_call *c, enum err status)
{
    bool refused = status == ERR_THROTTLED || status == ERR_NO_SPACE;
    if (must_come_through(c))
        return refused || status == ERR_MAYBE_APPLIED;
    return refused && c->resent && !client_call_is_read(c);
}

static void acquire_given_up_answered(struct client_session *s, struct client_call *c)
{
    if (c->status == ERR_OK)
        client_effect_add(s, CLIENT_EFFECT_LATE_GRANT);
    bool cancel_unsent = c->cancel != NULL && c->cancel->seq == 0;
    if (c->status != ERR_OK && cancel_unsent) {
        client_call_free(s, c->cancel); /* nothing is left to cancel */
        client_call_free(s, c);
    } else if (c->cancel == NULL) {
        client_call_free(s, c);
    }
    /* Else it stays, and holds `lowest`, until its Cancel is answered. */
}

static void settle(struct client_session *s, struct client_call *c, const Coord__V1__Answer *answer)
{
    if (c->kind == CLIENT_CALL_END && s->parting) {
        client_part_over(s);
    } else if (c->kind == CLIENT_CALL_END) {
        client_finish(s, CLIENT_SESSION_ENDED, ERR_OK, NULL);
    } else if (c->kind == CLIENT_CALL_CANCEL) {
        struct client_call *acquire = c->acquire;
        client_call_tell(s, c, c->status, answer);
        client_call_free(s, c);
        if (acquire != NULL)
            client_call_free(s, acquire);
    } else if (c->kind == CLIENT_CALL_ACQUIRE && c->token == 0) {
        acquire_given_up_answered(s, c);
    } else if (c->token == 0 || s->state == CLIENT_SESSION_SAFE) {
        client_call_tell(s, c, c->status, answer);
        client_call_free(s, c);
    } else {
        client_answer_keep(&c->kept, answer);
    }
}

static struct client_call *read_of(struct client_session *s, uint64_t seq)
{
    /* They are answered nearly in order. */
    for (struct list *at = s->reads.next; at != &s->reads; at = at->next) {
        struct client_call *c = container_of(at, struct client_call, link);
        if (c->seq == seq)
            return c;
    }
    return NULL;
}

void client_call_answered(struct client_session *s, uint64_t seq, const Coord__V1__Answer *answer)
{
    struct client_call *c =
        seq >= CLIENT_READ_SEQ_FIRST ? read_of(s, seq) : *client_call_slot(s, seq);
    enum err status = client_status_of(answer);
    if (c == NULL || c->answered) {
        if (seq >= CLIENT_READ_SEQ_FIRST)
            client_watch_answered(s, seq, answer);
        return;
    }
    if (status == ERR_NOT_LEADER) {
        client_link_redirect(s, answer->message);
        return;
    }
    client_call_heard(s, c);
    if (status == ERR_EXPIRED) {
        client_gone(s);
    } else if (must_be_retried(c, status)) {
        retry_later(s, c, status);
    } else if (c->kind == CLIENT_CALL_ACQUIRE && status == ERR_MAYBE_APPLIED) {
        client_call_abandon_acquire(s, c, ERR_THROTTLED);
    } else {
        c->answered = true;
        c->status = status;
        settle(s, c, answer);
    }
}

static void tell_kept(struct client_session *s, struct list *calls)
{
    for (struct list *at = calls->next, *next; at != calls; at = next) {
        next = at->next;
        struct client_call *c = container_of(at, struct client_call, link);
        if (!c->answered || c->token == 0)
            continue;
        client_call_tell(s, c, c->status, client_answer_unpack(s, &c->kept));
        client_call_free(s, c);
    }
}

void client_calls_safe(struct client_session *s)
{
    tell_kept(s, &s->sent);
    tell_kept(s, &s->reads);
}
