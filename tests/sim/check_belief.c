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
            if (theirs->path == hold->path && !theirs->doubted &&
                (theirs->exclusive || hold->exclusive))
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
    if (s->swarm.wild_clocks != 0 || !client_is_safe(c))
        return;
    for (uint32_t i = 0; i < c->player.holds_count; i++) {
        const struct hold *hold = &c->player.holds[i];
        if (hold->doubted)
            continue;
        check_against(s, c, hold);
        for (uint32_t k = 0; k < i; k++)
            if (c->player.holds[k].path == hold->path && !c->player.holds[k].doubted &&
                (hold->exclusive || c->player.holds[k].exclusive))
                journal_fail(&s->journal, VERDICT_SAFETY,
                             "two handles of client %" PRIu32 " both hold %s", c->index,
                             path_text(hold->path));
    }
}

void check_alive(struct sim *s, const struct client *c)
{
    const struct model_session *known = model_session(&s->model, c->id);
    if (s->swarm.wild_clocks == 0 && known != NULL && known->expired)
        journal_fail(&s->journal, VERDICT_SAFETY,
                     "client %" PRIu32 " believes in session %" PRIu64 " for another %" PRId64
                     " us, but it is expired",
                     c->index, c->id,
                     client_session_safe_ns(c->session, host_now_ns(c->host)) / NS_PER_US);
}

void check_granted(struct sim *s, const struct client *c, const struct call *call,
                   const Coord__V1__Sequencer *granted)
{
    uint32_t path = model_find(&s->model, path_text(call->path));
    const struct model_version *v =
        path == UINT32_MAX ? NULL : model_at(&s->model, path, granted->generation);
    bool known = v != NULL && v->holders_count > MODEL_HOLDERS_MAX;
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
        if (s->swarm.wild_clocks != 0 || c->id == session || !client_is_safe(c))
            continue;
        for (uint32_t k = 0; k < c->player.holds_count; k++)
            if (c->player.holds[k].path == path && !c->player.holds[k].doubted &&
                (exclusive || c->player.holds[k].exclusive))
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
        if (s->swarm.wild_clocks == 0 && c->id == session && client_is_safe(c))
            journal_fail(&s->journal, VERDICT_SAFETY,
                         "session %" PRIu64 " of client %" PRIu32
                         " is expired while the client believes in it for another %" PRId64 " us",
                         session, i,
                         client_session_safe_ns(c->session, host_now_ns(c->host)) / NS_PER_US);
    }
}

void check_delay_began(void *sim, uint32_t path, uint32_t delay_ms)
{
    struct sim *s = sim;
    if (path >= PATHS_COUNT)
        return;
    s->delay_began_ns[path] = s->now_ns;
    s->delay_ms[path] = delay_ms;
}

/* By the leader's clock, which may be fast; what is left when it hands over is told
 * in whole milliseconds. */
void check_delay_over(void *sim, uint32_t path)
{
    struct sim *s = sim;
    if (path >= PATHS_COUNT)
        return;
    int64_t lasted = s->now_ns - s->delay_began_ns[path];
    int64_t wanted = ms_to_ns(s->delay_ms[path]);
    wanted -= wanted / PPM * s->swarm.rate_ppm + 3 * NS_PER_MS;
    journal_trace(&s->journal, "the delay of %s is over", path_text(path));
    if (s->swarm.wild_clocks == 0 && lasted < wanted)
        journal_fail(&s->journal, VERDICT_SAFETY,
                     "the delay of %s, %" PRIu32 " ms, is over after %" PRId64 " us",
                     path_text(path), s->delay_ms[path], lasted / NS_PER_US);
}
