/* session_send.c - sending calls, and sending them again.
 *
 * In jeopardy only what was sent before goes out again, and what makes room or
 * ends the session: Cancels, and the end. */
#include "libcoord/base/check.h"
#include "libcoord/src/session_internal.h"

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
    struct client_call **slot = client_call_slot(s, c->seq);
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
    struct client_call **slot = client_call_slot(s, c->seq);
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
    for (struct client_call *c; s->sent_count < sent_max && (c = client_call_first(queue)) != NULL;)
        send_new(s, c);
}

static void send_reads(struct client_session *s)
{
    for (struct client_call *c; (c = client_call_first(&s->read_queue)) != NULL;) {
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
        client_call_heard(s, c);
        c->retry_at_ns = 0;
    }
    struct list *last = &s->read_queue; /* before what was not sent yet, in order */
    for (struct list *at = s->reads.previous, *previous; at != &s->reads; at = previous) {
        previous = at->previous;
        struct client_call *c = container_of(at, struct client_call, link);
        if (c->answered)
            continue;
        client_call_heard(s, c);
        list_remove(at);
        list_prepend(last, at);
    }
    s->retry_min_ns = NEVER_NS;
}
