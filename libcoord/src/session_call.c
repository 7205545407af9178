/* session_call.c - writes and reads of a session.
 *
 *   write:  urgent, queue --sent, gets its seq--> sent --settled--> freed
 *   read:   read_queue --sent--> reads --answered--> freed; a lost link takes
 *           what was sent back to read_queue
 *
 * A write is settled when a server has answered it, the caller knows, and no
 * Cancel of it is under way. */
#include <stdlib.h>

#include "libcoord/base/check.h"
#include "libcoord/src/session_internal.h"

static struct client_call *first_of(const struct list *head)
{
    return container_of_or_null(list_first(head), struct client_call, link);
}

void client_calls_init(struct client_session *s)
{
    list_init(&s->urgent);
    list_init(&s->queue);
    list_init(&s->sent);
    list_init(&s->read_queue);
    list_init(&s->reads);
    s->next_seq = 1;
    s->next_read_seq = CLIENT_READ_SEQ_FIRST;
    s->deadline_min_ns = NEVER_NS;
    s->retry_min_ns = NEVER_NS;
}

static bool is_read(const struct client_call *c)
{
    return c->kind == CLIENT_CALL_READ;
}

static bool is_write_of_caller(const struct client_call *c)
{
    return c->kind == CLIENT_CALL_WRITE || c->kind == CLIENT_CALL_ACQUIRE;
}

/* ---- finding and forgetting ---- */

static struct client_call **slot_of(struct client_session *s, uint64_t seq)
{
    struct client_call **slot = &s->slots[seq % CLIENT_SLOTS];
    while (*slot != NULL && (*slot)->seq != seq)
        slot = &(*slot)->slot_next;
    return slot;
}

static void prompt_clear(struct client_session *s, struct client_call *c)
{
    if (c->prompt)
        s->prompt_count--;
    c->prompt = false;
}

static void call_free(struct client_session *s, struct client_call *c)
{
    list_remove(&c->link);
    prompt_clear(s, c);
    if (is_read(c)) {
        s->reads_count--;
    } else {
        if (is_write_of_caller(c))
            s->writes_count--;
        if (c->seq != 0) {
            struct client_call **slot = slot_of(s, c->seq);
            CHECK(*slot == c);
            *slot = c->slot_next;
            s->sent_count--;
        }
    }
    if (c->cancel != NULL)
        c->cancel->acquire = NULL;
    if (c->acquire != NULL)
        c->acquire->cancel = NULL;
    s->calls_bytes -= c->body_length;
    buffer_release(&c->kept);
    free(c);
}

static void tell(struct client_session *s, struct client_call *c, enum err status,
                 const Coord__V1__Answer *answer)
{
    client_tell(s, c->token, status, answer, c->seq != 0);
    c->token = 0;
}

/* ---- submitting ---- */

static void submit(struct client_session *s, struct client_call *c, struct list *queue)
{
    list_append(queue, &c->link);
    s->calls_bytes += c->body_length;
    if (is_read(c))
        s->reads_count++;
    else if (is_write_of_caller(c))
        s->writes_count++;
    s->deadline_min_ns = ns_min(s->deadline_min_ns, c->deadline_ns);
}

/* Why no call can be taken now, or ERR_OK. */
static enum err refusal(const struct client_session *s, const struct client_event *event)
{
    if (client_over(s))
        return ERR_EXPIRED;
    if (s->closing)
        return ERR_CANCELLED;
    if (event->deadline_ns <= s->now_ns)
        return ERR_TIMEOUT;
    if (s->calls_bytes >= CLIENT_SESSION_OUTSTANDING_BYTES_MAX)
        return ERR_THROTTLED;
    return ERR_OK;
}

static enum client_call_kind kind_of(const Coord__V1__Write *write)
{
    switch (write->op_case) {
    case COORD__V1__WRITE__OP_ACQUIRE:
        return CLIENT_CALL_ACQUIRE;
    case COORD__V1__WRITE__OP_RELEASE:
        return CLIENT_CALL_RELEASE;
    case COORD__V1__WRITE__OP_CANCEL:
        return CLIENT_CALL_CANCEL;
    case COORD__V1__WRITE__OP_END_SESSION:
        return CLIENT_CALL_END;
    default:
        return CLIENT_CALL_WRITE;
    }
}

static void give_up(struct client_session *s, struct client_call *c, enum err status);

void client_call_write(struct client_session *s, const struct client_event *event)
{
    enum client_call_kind kind = kind_of(event->write);
    bool kept = kind == CLIENT_CALL_RELEASE || kind == CLIENT_CALL_CANCEL;
    enum err refused = refusal(s, event);
    if (kept && (refused == ERR_TIMEOUT || refused == ERR_THROTTLED))
        refused = ERR_OK; /* as many as there are locks, and they must come through */
    if (kind == CLIENT_CALL_END)
        refused = ERR_INVALID; /* that is CLIENT_EVENT_CLOSE */
    if (refused == ERR_OK && !kept && s->writes_count >= CLIENT_SESSION_OUTSTANDING_MAX)
        refused = ERR_THROTTLED;
    if (refused != ERR_OK) {
        client_tell(s, event->token, refused, NULL, false);
        return;
    }
    struct client_call *c = client_call_new(CLIENT_FIELD_WRITE, &event->write->base);
    c->kind = kind;
    c->waits = kind == CLIENT_CALL_ACQUIRE && event->write->acquire->wait;
    c->token = event->token;
    c->deadline_ns = event->deadline_ns;
    submit(s, c, kind == CLIENT_CALL_CANCEL ? &s->urgent : &s->queue);
    if (c->deadline_ns <= s->now_ns)
        give_up(s, c, ERR_TIMEOUT);
}

void client_call_read(struct client_session *s, const struct client_event *event)
{
    enum err refused = refusal(s, event);
    if (refused == ERR_OK && s->reads_count >= CLIENT_SESSION_READS_MAX)
        refused = ERR_THROTTLED;
    if (refused != ERR_OK) {
        client_tell(s, event->token, refused, NULL, false);
        return;
    }
    struct client_call *c = client_call_new(CLIENT_FIELD_READ, &event->read->base);
    c->kind = CLIENT_CALL_READ;
    c->token = event->token;
    c->deadline_ns = event->deadline_ns;
    submit(s, c, &s->read_queue);
}

static void drop_unsent(struct client_session *s, struct list *queue)
{
    for (struct client_call *c; (c = first_of(queue)) != NULL;) {
        tell(s, c, ERR_CANCELLED, NULL);
        call_free(s, c);
    }
}

void client_call_close(struct client_session *s, const struct client_event *event)
{
    if (client_over(s) || s->closing) {
        enum err status = s->state == CLIENT_SESSION_ENDED ? ERR_OK : ERR_EXPIRED;
        client_tell(s, event->token, s->closing && !client_over(s) ? ERR_INVALID : status, NULL,
                    false);
        return;
    }
    s->closing = true;
    drop_unsent(s, &s->queue);
    drop_unsent(s, &s->read_queue);
    Coord__V1__EndSession end = COORD__V1__END_SESSION__INIT;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    write.op_case = COORD__V1__WRITE__OP_END_SESSION;
    write.end_session = &end;
    struct client_call *c = client_call_new(CLIENT_FIELD_WRITE, &write.base);
    c->kind = CLIENT_CALL_END;
    c->token = event->token;
    c->deadline_ns = event->deadline_ns;
    submit(s, c, &s->urgent);
    if (s->id == 0 && s->open_sent_ns == 0)
        client_finish(s, CLIENT_SESSION_ENDED, ERR_OK, NULL);
}

static void cancel(struct client_session *s, struct client_call *acquire)
{
    Coord__V1__Cancel m = COORD__V1__CANCEL__INIT;
    m.acquire_seq = acquire->seq;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    write.op_case = COORD__V1__WRITE__OP_CANCEL;
    write.cancel = &m;
    struct client_call *c = client_call_new(CLIENT_FIELD_WRITE, &write.base);
    c->kind = CLIENT_CALL_CANCEL;
    c->acquire = acquire;
    acquire->cancel = c;
    submit(s, c, &s->urgent);
}

/* ---- giving up ---- */

static void give_up_acquire(struct client_session *s, struct client_call *c, enum err status)
{
    if (c->cancel != NULL)
        return; /* given up before */
    /* Whatever the servers make of it, it will not be held: if it was sent, the
     * Cancel sees to that. So the caller can be told "no" at once. */
    bool refused = c->answered && c->status != ERR_OK;
    tell(s, c, status, NULL);
    if (c->seq == 0 || refused)
        call_free(s, c);
    else
        cancel(s, c);
}

/* The caller waits no longer; `status` if nothing can have come of it. */
static void give_up(struct client_session *s, struct client_call *c, enum err status)
{
    c->deadline_ns = NEVER_NS;
    switch (c->kind) {
    case CLIENT_CALL_READ:
        tell(s, c, status, NULL);
        call_free(s, c);
        break;
    case CLIENT_CALL_ACQUIRE:
        give_up_acquire(s, c, status);
        break;
    case CLIENT_CALL_WRITE:
        tell(s, c, c->seq == 0 ? status : ERR_MAYBE_APPLIED, NULL);
        if (c->seq == 0 || c->answered)
            call_free(s, c);
        break;
    case CLIENT_CALL_RELEASE:
    case CLIENT_CALL_CANCEL:
    case CLIENT_CALL_END:
        tell(s, c, ERR_MAYBE_APPLIED, NULL);
        if (c->answered)
            call_free(s, c);
        break;
    }
}

static bool give_up_in(struct client_session *s, struct list *calls, uint64_t token)
{
    for (struct list *at = calls->next; at != calls; at = at->next) {
        struct client_call *c = container_of(at, struct client_call, link);
        if (c->token == token) {
            give_up(s, c, ERR_CANCELLED);
            return true;
        }
    }
    return false;
}

void client_call_give_up(struct client_session *s, uint64_t token)
{
    struct list *lists[] = {&s->urgent, &s->queue, &s->sent, &s->read_queue, &s->reads};
    for (size_t i = 0; token != 0 && i < sizeof lists / sizeof lists[0]; i++)
        if (give_up_in(s, lists[i], token))
            return;
}

static void deadlines_in(struct client_session *s, struct list *calls)
{
    for (struct list *at = calls->next, *next; at != calls; at = next) {
        next = at->next;
        struct client_call *c = container_of(at, struct client_call, link);
        if (c->token == 0)
            continue;
        if (c->deadline_ns <= s->now_ns)
            give_up(s, c, ERR_TIMEOUT);
        else
            s->deadline_min_ns = ns_min(s->deadline_min_ns, c->deadline_ns);
    }
}

/* The least deadline is known as a bound only: all calls are walked when that
 * passes, which is once in a call's lifetime and not at every answer. */
void client_calls_tick(struct client_session *s)
{
    if (s->deadline_min_ns > s->now_ns)
        return;
    s->deadline_min_ns = NEVER_NS;
    struct list *lists[] = {&s->sent, &s->urgent, &s->queue, &s->read_queue, &s->reads};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        deadlines_in(s, lists[i]);
    client_watches_tick(s);
}

/* ---- answers ---- */

/* It was refused before it was ordered: THROTTLED; or it was sent again and a
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
    if (must_come_through(c))
        return status == ERR_THROTTLED || status == ERR_MAYBE_APPLIED;
    return status == ERR_THROTTLED && c->resent && !is_read(c);
}

static void acquire_given_up_answered(struct client_session *s, struct client_call *c)
{
    if (c->status == ERR_OK)
        client_effect_add(s, CLIENT_EFFECT_LATE_GRANT);
    bool cancel_unsent = c->cancel != NULL && c->cancel->seq == 0;
    if (c->status != ERR_OK && cancel_unsent) {
        call_free(s, c->cancel); /* nothing is left to cancel */
        call_free(s, c);
    } else if (c->cancel == NULL) {
        call_free(s, c);
    }
    /* Else it stays, and holds `lowest`, until its Cancel is answered. */
}

static void settle(struct client_session *s, struct client_call *c, const Coord__V1__Answer *answer)
{
    if (c->kind == CLIENT_CALL_END) {
        client_finish(s, CLIENT_SESSION_ENDED, ERR_OK, NULL);
    } else if (c->kind == CLIENT_CALL_CANCEL) {
        struct client_call *acquire = c->acquire;
        tell(s, c, c->status, answer);
        call_free(s, c);
        if (acquire != NULL)
            call_free(s, acquire);
    } else if (c->kind == CLIENT_CALL_ACQUIRE && c->token == 0) {
        acquire_given_up_answered(s, c);
    } else if (c->token == 0 || s->state == CLIENT_SESSION_SAFE) {
        tell(s, c, c->status, answer);
        call_free(s, c);
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
    struct client_call *c = seq >= CLIENT_READ_SEQ_FIRST ? read_of(s, seq) : *slot_of(s, seq);
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
    prompt_clear(s, c);
    if (status == ERR_EXPIRED) {
        client_gone(s);
    } else if (must_be_retried(c, status)) {
        retry_later(s, c, status);
    } else if (c->kind == CLIENT_CALL_ACQUIRE && status == ERR_MAYBE_APPLIED) {
        give_up_acquire(s, c, ERR_THROTTLED);
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
        tell(s, c, c->status, client_answer_unpack(s, &c->kept));
        call_free(s, c);
    }
}

void client_calls_safe(struct client_session *s)
{
    tell_kept(s, &s->sent);
    tell_kept(s, &s->reads);
}

/* ---- sending ---- */

static void put(struct client_session *s, struct client_call *c)
{
    if (!c->waits && !c->prompt) {
        if (s->prompt_count == 0)
            s->heard_ns = s->now_ns; /* silence counts from the first question on */
        s->prompt_count++;
        c->prompt = true;
    }
    c->retry_at_ns = 0;
    client_wire_request(s, c->body, c->body_length, c->seq);
}

static void send_new(struct client_session *s, struct client_call *c)
{
    list_remove(&c->link);
    list_append(&s->sent, &c->link);
    c->seq = s->next_seq++;
    struct client_call **slot = slot_of(s, c->seq);
    CHECK(*slot == NULL);
    c->slot_next = NULL;
    *slot = c;
    s->sent_count++;
    put(s, c);
}

static void send_again(struct client_session *s)
{
    for (struct list *at = s->sent.next; at != &s->sent; at = at->next) {
        struct client_call *c = container_of(at, struct client_call, link);
        if (c->answered)
            continue;
        c->resent = true;
        put(s, c);
    }
}

/* Takes a call that was certainly not ordered out of `sent`, to go as a new one. */
static void renew(struct client_session *s, struct client_call *c)
{
    struct client_call **slot = slot_of(s, c->seq);
    *slot = c->slot_next;
    s->sent_count--;
    c->seq = 0;
    list_remove(&c->link);
    list_append(&s->urgent, &c->link);
}

static void send_retries(struct client_session *s)
{
    if (s->retry_min_ns > s->now_ns)
        return;
    s->retry_min_ns = NEVER_NS;
    for (struct list *at = s->sent.next, *next; at != &s->sent; at = next) {
        next = at->next;
        struct client_call *c = container_of(at, struct client_call, link);
        if (c->retry_at_ns == 0)
            continue;
        if (c->retry_at_ns > s->now_ns)
            s->retry_min_ns = ns_min(s->retry_min_ns, c->retry_at_ns);
        else if (c->resent)
            put(s, c);
        else
            renew(s, c);
    }
}

static void send_queue(struct client_session *s, struct list *queue, uint32_t sent_max)
{
    for (struct client_call *c; s->sent_count < sent_max && (c = first_of(queue)) != NULL;)
        send_new(s, c);
}

static void send_reads(struct client_session *s)
{
    for (struct client_call *c; (c = first_of(&s->read_queue)) != NULL;) {
        list_remove(&c->link);
        list_append(&s->reads, &c->link);
        c->seq = s->next_read_seq++;
        put(s, c);
    }
}

void client_calls_send(struct client_session *s)
{
    if (s->link != CLIENT_LINK_ATTACHED)
        return;
    if (s->resend)
        send_again(s);
    s->resend = false;
    send_retries(s);
    send_queue(s, &s->urgent, CLIENT_SENT_MAX);
    if (s->state != CLIENT_SESSION_SAFE)
        return;
    send_queue(s, &s->queue, CLIENT_SENT_MAX - CLIENT_SENT_RESERVE);
    send_reads(s);
}

void client_calls_unlinked(struct client_session *s)
{
    s->resend = true;
    for (struct list *at = s->sent.next; at != &s->sent; at = at->next) {
        struct client_call *c = container_of(at, struct client_call, link);
        prompt_clear(s, c);
        c->retry_at_ns = 0;
    }
    struct list *last = &s->read_queue; /* before what was not sent yet, in order */
    for (struct list *at = s->reads.previous, *previous; at != &s->reads; at = previous) {
        previous = at->previous;
        struct client_call *c = container_of(at, struct client_call, link);
        if (c->answered)
            continue;
        prompt_clear(s, c);
        list_remove(at);
        list_prepend(last, at);
    }
    s->retry_min_ns = NEVER_NS;
}

/* ---- the end ---- */

void client_calls_finish(struct client_session *s)
{
    struct list *lists[] = {&s->sent, &s->urgent, &s->queue, &s->reads, &s->read_queue};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (struct client_call *c; (c = first_of(lists[i])) != NULL;) {
            bool good = c->kind == CLIENT_CALL_END && s->state == CLIENT_SESSION_ENDED;
            if (s->out != NULL)
                tell(s, c, good ? ERR_OK : ERR_EXPIRED, NULL);
            call_free(s, c);
        }
    }
    s->deadline_min_ns = NEVER_NS;
}

int64_t client_calls_wake(const struct client_session *s)
{
    if (s->link != CLIENT_LINK_ATTACHED)
        return s->deadline_min_ns;
    return ns_min(s->deadline_min_ns, s->retry_min_ns);
}
