/* session_reply.c - what a server says on the session's stream.
 *
 * Servers are trusted to decide, not to be well-formed: a reply that cannot be
 * decoded, or that no server sends, breaks the link. */
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/session_internal.h"

_Static_assert((int)ERR_NO_SPACE == (int)COORD__V1__STATUS__NO_SPACE, "one table of outcomes");
_Static_assert((int)ERR_EXPIRED == (int)COORD__V1__STATUS__EXPIRED, "one table of outcomes");

enum err client_status_of(const Coord__V1__Answer *answer)
{
    int status = (int)answer->status;
    return status >= ERR_OK && status <= ERR_NO_SPACE ? (enum err)status : ERR_INTERNAL;
}

void client_answer_keep(struct buffer *kept, const Coord__V1__Answer *answer)
{
    size_t length = coord__v1__answer__get_packed_size(answer);
    buffer_clear(kept);
    if (length != 0)
        coord__v1__answer__pack(answer, buffer_extend(kept, length));
}

const Coord__V1__Answer *client_answer_unpack(struct client_session *s, const struct buffer *kept)
{
    static const uint8_t nothing[1];
    ProtobufCAllocator allocator = arena_allocator(&s->arena);
    return coord__v1__answer__unpack(&allocator, kept->length,
                                     kept->length == 0 ? nothing : kept->data);
}

void client_tell(struct client_session *s, uint64_t token, enum err status,
                 const Coord__V1__Answer *answer, bool maybe_applied)
{
    if (token == 0)
        return;
    struct client_effect *e = client_effect_add(s, CLIENT_EFFECT_ANSWER);
    e->token = token;
    e->status = status;
    e->answer = answer;
    e->maybe_applied = status == ERR_EXPIRED && maybe_applied;
}

/* False if the answer is none that a server gives to Open or Attach. */
static bool opened(struct client_session *s, const Coord__V1__Answer *answer)
{
    const Coord__V1__SessionOpened *o =
        answer->body_case == COORD__V1__ANSWER__BODY_OPENED ? answer->opened : NULL;
    if (s->id == 0) {
        if (o == NULL || o->session == 0 || o->secret.len != sizeof s->secret)
            return false;
        s->id = o->session;
        memcpy(s->secret, o->secret.data, sizeof s->secret);
    }
    if (o != NULL && o->session != s->id)
        return false;
    if (s->adopting && o == NULL)
        return false;
    if (s->adopting)
        s->next_seq = o->last_seq + CLIENT_SENT_MAX + 1; /* behind all that is on its way */
    s->adopting = false;
    if (o != NULL && o->ttl_ms != 0)
        s->ttl_ms = o->ttl_ms;
    return true;
}

static void begun(struct client_session *s, const Coord__V1__Answer *answer)
{
    bool opening = s->id == 0;
    switch (client_status_of(answer)) {
    case ERR_OK:
        if (!opened(s, answer)) {
            client_link_lost(s, CLIENT_SESSION_SUSPECT_MS);
            return;
        }
        client_link_attached(s);
        if (opening &&
            !(answer->body_case == COORD__V1__ANSWER__BODY_OPENED && answer->opened->held))
            client_believe(s, s->open_sent_ns);
        return;
    case ERR_NOT_LEADER:
        client_link_redirect(s, answer->message);
        return;
    case ERR_TIMEOUT:
    case ERR_MAYBE_APPLIED:
    case ERR_THROTTLED:
    case ERR_UNAVAILABLE:
    case ERR_INTERNAL:
        client_link_lost(s, CLIENT_SESSION_REFUSED_MS);
        return;
    default:
        if (opening)
            client_finish(s, CLIENT_SESSION_FAILED, client_status_of(answer), answer);
        else
            client_gone(s);
    }
}

/* False if the link is not what it was, so that the rest is of no interest. */
static bool item(struct client_session *s, const Coord__V1__Item *i)
{
    uint64_t link = s->link_number;
    bool attached = s->link == CLIENT_LINK_ATTACHED;
    switch (i->kind_case) {
    case COORD__V1__ITEM__KIND_ANSWERED:
        if (attached && i->answered->answer != NULL)
            client_call_answered(s, i->answered->seq, i->answered->answer);
        break;
    case COORD__V1__ITEM__KIND_EVENT:
        if (attached && i->event->kind == COORD__V1__EVENT__KIND__REVOKED)
            client_revoked(s, i->event);
        else if (attached)
            client_watch_event(s, i->event);
        break;
    case COORD__V1__ITEM__KIND_REDIRECT:
        client_link_redirect(s, i->redirect->address);
        break;
    case COORD__V1__ITEM__KIND_BEGUN:
        if (s->link == CLIENT_LINK_BEGINNING)
            begun(s, i->begun);
        break;
    default:
        break; /* of a later version */
    }
    return s->link_number == link && s->link != CLIENT_LINK_NONE && (!client_over(s) || s->parting);
}

void client_reply(struct client_session *s, struct slice bytes)
{
    if (s->link != CLIENT_LINK_BEGINNING && s->link != CLIENT_LINK_ATTACHED)
        return;
    ProtobufCAllocator allocator = arena_allocator(&s->arena);
    Coord__V1__SessionReply *m =
        coord__v1__session_reply__unpack(&allocator, bytes.length, bytes.data);
    if (m == NULL) {
        client_link_lost(s, CLIENT_SESSION_SUSPECT_MS);
        return;
    }
    s->heard_ns = s->now_ns;
    for (size_t i = 0; i < m->n_items; i++)
        if (!item(s, m->items[i]))
            return;
}
