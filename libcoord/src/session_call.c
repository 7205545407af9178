/* session_call.c - writes and reads of a session: taking them in, and letting them go.
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

static bool is_write_of_caller(const struct client_call *c)
{
    return c->kind == CLIENT_CALL_WRITE || c->kind == CLIENT_CALL_ACQUIRE;
}

/* ---- finding and forgetting ---- */

struct client_call **client_call_slot(struct client_session *s, uint64_t seq)
{
    struct client_call **slot = &s->slots[seq % CLIENT_SLOTS];
    while (*slot != NULL && (*slot)->seq != seq)
        slot = &(*slot)->slot_next;
    return slot;
}

void client_call_heard(struct client_session *s, struct client_call *c)
{
    if (c->prompt)
        s->prompt_count--;
    c->prompt = false;
}

void client_call_free(struct client_session *s, struct client_call *c)
{
    list_remove(&c->link);
    client_call_heard(s, c);
    if (client_call_is_read(c)) {
        s->reads_count--;
    } else {
        if (is_write_of_caller(c))
            s->writes_count--;
        if (c->seq != 0) {
            struct client_call **slot = client_call_slot(s, c->seq);
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

void client_call_tell(struct client_session *s, struct client_call *c, enum err status,
                      const Coord__V1__Answer *answer)
{
    client_tell(s, c->token, status, answer, c->seq != 0);
    c->token = 0;
}

/* ---- submitting ---- */

void client_call_submit(struct client_session *s, struct client_call *c, struct list *queue)
{
    list_append(queue, &c->link);
    s->calls_bytes += c->body_length;
    if (client_call_is_read(c))
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

void client_call_write(struct client_session *s, const struct client_event *event)
{
    enum client_call_kind kind = kind_of(event->write);
    bool kept = kind == CLIENT_CALL_RELEASE || kind == CLIENT_CALL_CANCEL;
    bool lets_go = event->kind == CLIENT_EVENT_LET_GO;
    enum err refused = refusal(s, event);
    if (kept && (refused == ERR_TIMEOUT || refused == ERR_THROTTLED))
        refused = ERR_OK; /* as many as there are locks, and they must come through */
    if (kind == CLIENT_CALL_END)
        refused = ERR_INVALID; /* that is CLIENT_EVENT_CLOSE */
    if (refused == ERR_OK && lets_go && client_is_released(s, event->write->release->handle))
        refused = ERR_NOT_HELD; /* told again after an Attach, until it was applied */
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
    c->revoked = lets_go ? event->write->release->handle : 0;
    client_call_submit(s, c, kind == CLIENT_CALL_CANCEL || lets_go ? &s->urgent : &s->queue);
    if (c->deadline_ns <= s->now_ns)
        client_call_abandon(s, c, ERR_TIMEOUT);
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
    client_call_submit(s, c, &s->read_queue);
}

static void drop_unsent(struct client_session *s, struct list *queue)
{
    for (struct client_call *c; (c = client_call_first(queue)) != NULL;) {
        client_call_tell(s, c, ERR_CANCELLED, NULL);
        client_call_free(s, c);
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
    client_call_submit(s, c, &s->urgent);
    if (s->id == 0 && s->open_sent_ns == 0)
        client_finish(s, CLIENT_SESSION_ENDED, ERR_OK, NULL);
}

/* ---- the end ---- */

void client_calls_finish(struct client_session *s)
{
    struct list *lists[] = {&s->sent, &s->urgent, &s->queue, &s->reads, &s->read_queue};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (struct client_call *c; (c = client_call_first(lists[i])) != NULL;) {
            bool good = c->kind == CLIENT_CALL_END && s->state == CLIENT_SESSION_ENDED;
            if (s->out != NULL)
                client_call_tell(s, c, good ? ERR_OK : ERR_EXPIRED, NULL);
            client_call_free(s, c);
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
