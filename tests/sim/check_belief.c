/* check_belief.c - see check_belief.h. */
#include "tests/sim/check_belief.h"

#include <inttypes.h>

#include "tests/sim/paths.h"
#include "tests/sim/sim.h"

static void check_against(struct sim *s, const struct client *c, const struct hold *hold)
{
    for (uint32_t i = 0; i < s->swarm.clients; i++) {
        const struct client *other = &s->clients[i];
        if (other == c || !client_is_safe(other))
            continue;
        for (uint32_t k = 0; k < other->player.holds_count; k++) {
            const struct hold *theirs = &other->player.holds[k];
            if (theirs->path == hold->path && (theirs->exclusive || hold->exclusive))
                journal_fail(&s->journal, VERDICT_SAFETY,
                             "clients %" PRIu32 " (generation %" PRIu64 ") and %" PRIu32
                             " (generation %" PRIu64 ") both believe that they hold %s",
                             c->index, hold->generation, other->index, theirs->generation,
                             path_text(hold->path));
        }
    }
}

void check_belief(struct sim *s, const struct client *c)
{
    if (!client_is_safe(c))
        return;
    for (uint32_t i = 0; i < c->player.holds_count; i++) {
        const struct hold *hold = &c->player.holds[i];
        check_against(s, c, hold);
        for (uint32_t k = 0; k < i; k++)
            if (c->player.holds[k].path == hold->path &&
                (hold->exclusive || c->player.holds[k].exclusive))
                journal_fail(&s->journal, VERDICT_SAFETY,
                             "two handles of client %" PRIu32 " both hold %s", c->index,
                             path_text(hold->path));
    }
}

void check_granted(struct sim *s, const struct client *c, const struct call *call,
                   const Coord__V1__Sequencer *granted)
{
    uint32_t path = model_find(&s->model, path_text(call->path));
    const struct model_version *v =
        path == UINT32_MAX ? NULL : model_at(&s->model, path, granted->generation);
    bool known = false;
    for (uint32_t i = 0; v != NULL && i < v->holders_count && i < MODEL_HOLDERS_MAX; i++)
        known |= v->holders[i] == granted->generation;
    if (!known || v->instance != granted->instance)
        journal_fail(&s->journal, VERDICT_SAFETY,
                     "client %" PRIu32 " was granted %s with generation %" PRIu64
                     ", which nobody was",
                     c->index, path_text(call->path), granted->generation);
}

void check_belief_on_grant(void *sim, uint32_t path, uint64_t session, bool exclusive)
{
    struct sim *s = sim;
    for (uint32_t i = 0; i < s->swarm.clients; i++) {
        const struct client *c = &s->clients[i];
        if (c->id == session || !client_is_safe(c))
            continue;
        for (uint32_t k = 0; k < c->player.holds_count; k++)
            if (c->player.holds[k].path == path && (exclusive || c->player.holds[k].exclusive))
                journal_fail(&s->journal, VERDICT_SAFETY,
                             "%s is granted to session %" PRIu64 " while client %" PRIu32
                             " believes that it holds it (generation %" PRIu64 ")",
                             path_text(path), session, i, c->player.holds[k].generation);
    }
}

void check_belief_on_expiry(void *sim, uint64_t session)
{
    struct sim *s = sim;
    for (uint32_t i = 0; i < s->swarm.clients; i++) {
        const struct client *c = &s->clients[i];
        if (c->id == session && client_is_safe(c))
            journal_fail(&s->journal, VERDICT_SAFETY,
                         "session %" PRIu64 " of client %" PRIu32
                         " is expired while the client believes in it for another %" PRId64 " us",
                         session, i,
                         client_session_safe_ns(c->session, host_now_ns(c->host)) / NS_PER_US);
    }
}
