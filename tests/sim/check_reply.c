/* check_reply.c - see check_reply.h. */
#include "tests/sim/check_reply.h"

#include <inttypes.h>

#include "coord/v1/coord.pb-c.h"
#include "tests/sim/scratch.h"
#include "tests/sim/sim.h"

/* Said by a server on its own account: the write was not put into the log now. */
static bool is_refusal(enum err status)
{
    switch (status) {
    case ERR_INVALID:
    case ERR_TOO_LARGE:
    case ERR_THROTTLED:
    case ERR_EXPIRED:
    case ERR_PERMISSION:
    case ERR_MAYBE_APPLIED:
    case ERR_UNAVAILABLE:
    case ERR_UNSUPPORTED:
    case ERR_NOT_LEADER:
    case ERR_NO_SPACE:
        return true;
    default:
        return false;
    }
}

static void check_write(struct sim *s, const struct server *n, uint64_t session,
                        const Coord__V1__Answered *a)
{
    const struct model_session *known = model_session(&s->model, session);
    struct model_answer *wanted = model_answer(&s->model, session, a->seq);
    enum err status = (enum err)a->answer->status;
    s->journal.counts[COUNT_REFUSED_FOR_SPACE] += status == ERR_NO_SPACE;
    if (known == NULL || wanted == NULL || wanted->waiting) {
        if (!is_refusal(status))
            journal_fail(&s->journal, VERDICT_SAFETY,
                         "member %" PRIu32 " answers %s to write %" PRIu64 " of session %" PRIu64
                         ", which %s",
                         n->id, err_name(status), a->seq, session,
                         wanted != NULL ? "waits in line" : "is not chosen");
        return;
    }
    uint64_t generation = a->answer->body_case == COORD__V1__ANSWER__BODY_GRANTED
                              ? a->answer->granted->generation
                              : 0;
    uint32_t failed =
        a->answer->body_case == COORD__V1__ANSWER__BODY_DONE ? a->answer->done->failed : 0;
    if (status == wanted->status && a->answer->revision == wanted->revision &&
        generation == wanted->generation && failed == wanted->failed) {
        if (wanted->given_count++ > 0)
            s->journal.counts[COUNT_ANSWERS_GIVEN_AGAIN]++;
        return;
    }
    /* Kept for as long as it may be asked for, or the session is over. */
    bool forgotten = a->seq < known->lowest || !known->alive;
    bool not_now = status == ERR_THROTTLED || status == ERR_NO_SPACE || status == ERR_NOT_LEADER;
    if ((is_refusal(status) && forgotten) || not_now)
        return;
    journal_fail(&s->journal, VERDICT_SAFETY,
                 "member %" PRIu32 " answers write %" PRIu64 " of session %" PRIu64
                 ": %s, revision %" PRIu64 ", generation %" PRIu64
                 "; the log says: %s, revision %" PRIu64 ", generation %" PRIu64,
                 n->id, a->seq, session, err_name(status), a->answer->revision, generation,
                 err_name(wanted->status), wanted->revision, wanted->generation);
}

static void check_begun(struct sim *s, const struct server *n, struct channel *c,
                        const Coord__V1__Answer *a)
{
    if (a->status != COORD__V1__STATUS__OK)
        return;
    if (a->body_case == COORD__V1__ANSWER__BODY_OPENED)
        c->session = a->opened->session;
    if (model_session(&s->model, c->session) == NULL)
        journal_fail(&s->journal, VERDICT_SAFETY,
                     "member %" PRIu32 " opens session %" PRIu64 ", which is not chosen", n->id,
                     c->session);
}

static void trace_item(struct sim *s, const struct server *n, const struct channel *c,
                       const Coord__V1__Item *item)
{
    struct journal *j = &s->journal;
    switch (item->kind_case) {
    case COORD__V1__ITEM__KIND_ANSWERED:
        journal_trace(j, "%" PRIu32 " -> c%" PRIu64 "  answers %s %" PRIu64 ": %s", n->id, c->owner,
                      item->answered->read ? "read" : "write", item->answered->seq,
                      item->answered->answer == NULL
                          ? "nothing"
                          : err_name((enum err)item->answered->answer->status));
        break;
    case COORD__V1__ITEM__KIND_EVENT:
        journal_trace(
            j, "%" PRIu32 " -> c%" PRIu64 "  watch %" PRIu64 ": event %d, revision %" PRIu64, n->id,
            c->owner, item->event->watch, (int)item->event->kind, item->event->revision);
        break;
    case COORD__V1__ITEM__KIND_BEGUN:
        journal_trace(j, "%" PRIu32 " -> c%" PRIu64 "  begun: %s", n->id, c->owner,
                      err_name((enum err)item->begun->status));
        break;
    case COORD__V1__ITEM__KIND_REDIRECT:
        journal_trace(j, "%" PRIu32 " -> c%" PRIu64 "  redirect to %" PRIu32, n->id, c->owner,
                      item->redirect->leader);
        break;
    default:
        break;
    }
}

static void check_session_reply(struct sim *s, const struct server *n, struct channel *c,
                                const Coord__V1__SessionReply *reply)
{
    struct client *owner = &s->clients[c->owner];
    if (c->session == 0 && owner->channel == c->id)
        c->session = owner->id; /* attached, not opened */
    for (size_t i = 0; i < reply->n_items; i++) {
        const Coord__V1__Item *item = reply->items[i];
        trace_item(s, n, c, item);
        switch (item->kind_case) {
        case COORD__V1__ITEM__KIND_ANSWERED:
            if (!item->answered->read && item->answered->answer != NULL)
                check_write(s, n, c->session, item->answered);
            break;
        case COORD__V1__ITEM__KIND_BEGUN:
            check_begun(s, n, c, item->begun);
            break;
        case COORD__V1__ITEM__KIND_REDIRECT:
            s->journal.counts[COUNT_REDIRECTS]++;
            break;
        case COORD__V1__ITEM__KIND_EVENT:
            if (item->event->revision > s->model.revision)
                journal_fail(&s->journal, VERDICT_SAFETY,
                             "member %" PRIu32 " tells an event of revision %" PRIu64
                             ", which is not chosen",
                             n->id, item->event->revision);
            if (item->event->kind == COORD__V1__EVENT__KIND__RESYNC && c->server_knows &&
                owner->channel == c->id)
                owner->resync = item->event->revision;
            break;
        default:
            break;
        }
    }
}

/* Who is not certain to lead keeps nobody alive: the sessions are another's now. Where
 * clocks are not trusted a round of messages is the certainty, not the lease. What was
 * decided before a pause and leaves after it says when it was asked, and harms nobody. */
static void check_keeper(struct sim *s, const struct server *n)
{
    if (n->is_late || s->swarm.wild_clocks != 0 || n->config.distrusts_clocks)
        return;
    for (uint32_t i = 0; i < s->swarm.members; i++)
        if (&s->servers[i] != n && server_has_lease(&s->servers[i]))
            journal_fail(&s->journal, VERDICT_SAFETY,
                         "member %" PRIu32 " answers a KeepAlive while member %" PRIu32
                         " has the leader's lease",
                         n->id, s->servers[i].id);
}

static void check_beats(struct sim *s, const struct server *n,
                        const Coord__V1__KeepAliveReply *reply)
{
    for (size_t i = 0; i < reply->n_answers; i++) {
        const Coord__V1__BeatAnswer *a = reply->answers[i];
        const struct model_session *known = model_session(&s->model, a->session);
        bool over = known == NULL || (known->expired && s->swarm.wild_clocks == 0 && !n->is_late);
        if (a->status == COORD__V1__STATUS__OK)
            check_keeper(s, n);
        if (a->status == COORD__V1__STATUS__OK && over)
            journal_fail(&s->journal, VERDICT_SAFETY,
                         "member %" PRIu32 " keeps session %" PRIu64 " alive, which is %s", n->id,
                         a->session, known == NULL ? "not chosen" : "expired");
        if (a->status == COORD__V1__STATUS__EXPIRED && known != NULL && known->alive)
            journal_fail(&s->journal, VERDICT_SAFETY,
                         "member %" PRIu32 " calls session %" PRIu64 " expired, which lives", n->id,
                         a->session);
    }
}

void check_reply(struct sim *s, const struct server *n, uint64_t channel, struct slice bytes)
{
    struct channel *c = channel_find(s, channel);
    if (c == NULL || c->kind == REPLICA_STREAM_EXECUTE)
        return; /* judged where it arrives */
    struct scratch scratch;
    scratch_init(&scratch);
    bool read = true;
    if (c->kind == REPLICA_STREAM_SESSION) {
        const Coord__V1__SessionReply *reply =
            coord__v1__session_reply__unpack(scratch_allocator(&scratch), bytes.length, bytes.data);
        read = reply != NULL;
        if (read)
            check_session_reply(s, n, c, reply);
    } else {
        const Coord__V1__KeepAliveReply *reply = coord__v1__keep_alive_reply__unpack(
            scratch_allocator(&scratch), bytes.length, bytes.data);
        read = reply != NULL;
        if (read)
            check_beats(s, n, reply);
    }
    if (!read)
        journal_fail(&s->journal, VERDICT_SAFETY,
                     "member %" PRIu32 " sends a reply that nobody can read", n->id);
    scratch_release(&scratch);
}
