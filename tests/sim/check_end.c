/* check_end.c - see check_end.h. */
#include "tests/sim/check_end.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "coordd/state/state.h"
#include "tests/sim/check_read.h"
#include "tests/sim/sim.h"

static bool client_is_done(const struct sim *s, const struct client *c, char *why, size_t why_bytes)
{
    const struct player *p = &c->player;
    if (c->session != NULL && p->final_done && player_is_idle(c) && p->holds_count == 0)
        return true;
    snprintf(why, why_bytes,
             "client %" PRIu32 " %s, has made %s last write, waits for %" PRIu32
             " calls%s%s and holds %" PRIu32 " locks",
             (uint32_t)(c - s->clients), c->session == NULL ? "has no session" : "has a session",
             p->final_done ? "its" : "no", p->calls_count + p->executes_count,
             p->calls_count > 0 ? ", first " : "",
             p->calls_count > 0 ? op_text(p->calls[0].op) : "", p->holds_count);
    return false;
}

/* All have given back what they were granted: so nothing is granted to anybody. */
static bool is_any_locked(const struct sim *s, char *why, size_t why_bytes)
{
    for (uint32_t i = 0; i < s->model.paths_count; i++) {
        const struct model_path *p = &s->model.paths[i];
        if (p->claims_count == 0)
            continue;
        snprintf(
            why, why_bytes, "session %" PRIu64 " still %s %s, of which its client knows nothing",
            p->claims[0].session, p->claims[0].generation != 0 ? "holds" : "waits for", p->text);
        return true;
    }
    return false;
}

bool check_end_reached(const struct sim *s, char *why, size_t why_bytes)
{
    for (uint32_t i = 0; i < s->swarm.members; i++) {
        const struct server *n = &s->servers[i];
        if (n->is_sick)
            continue;
        if (n->flipped) {
            snprintf(why, why_bytes, "member %" PRIu32 " (%s) has a wrong state still", n->id,
                     n->view.role);
            return false;
        }
        if (n->view.applied == s->truth.prefix)
            continue;
        snprintf(why, why_bytes,
                 "member %" PRIu32 " (%s) has applied slots to %" PRIu64 " of %" PRIu64, n->id,
                 n->view.role, n->view.applied, s->truth.prefix);
        return false;
    }
    for (uint32_t i = 0; i < s->swarm.clients; i++) {
        if (!client_is_done(s, &s->clients[i], why, why_bytes))
            return false;
        if (!watcher_is_told(&s->clients[i])) { /* it may be on its way to the leader */
            snprintf(why, why_bytes, "client %" PRIu32 " has not been told all", i);
            return false;
        }
    }
    if (is_any_locked(s, why, why_bytes))
        return false;
    uint32_t alive = 0;
    for (uint32_t i = 0; i < s->model.sessions_count; i++)
        alive += s->model.sessions[i].alive;
    snprintf(why, why_bytes, "%" PRIu32 " sessions live, of %" PRIu32 " clients", alive,
             s->swarm.clients);
    return alive == s->swarm.clients; /* those of clients that crashed have expired */
}

static void compare_path(struct sim *s, const struct server *n, uint32_t path)
{
    const struct model_version *v = model_now(&s->model, path);
    struct buffer bytes = BUFFER_INIT;
    bool alive = v != NULL && v->alive;
    bool found =
        state_stat(replica_state(n->replica), slice_of_string(s->model.paths[path].text), &bytes);
    Coord__V1__Stat *stat = found ? coord__v1__stat__unpack(NULL, bytes.length, bytes.data) : NULL;
    bool same = found == alive;
    if (same && found)
        same = stat->instance == v->instance && stat->content_generation == v->content_generation &&
               stat->lock_generation == v->lock_generation && stat->owner_session == v->owner &&
               stat->content_bytes == v->content_length &&
               stat->lock_holders_count == v->holders_count;
    if (!same)
        journal_fail(&s->journal, VERDICT_SAFETY,
                     "member %" PRIu32 " ends with another %s than the log says", n->id,
                     s->model.paths[path].text);
    if (stat != NULL)
        coord__v1__stat__free_unpacked(stat, NULL);
    buffer_release(&bytes);
}

static void compare_state(struct sim *s, const struct server *n)
{
    const struct state *state = replica_state(n->replica);
    uint64_t nodes = 0, sessions = 0;
    const char *broken = state_check(state);
    if (broken != NULL)
        journal_fail(&s->journal, VERDICT_SAFETY, "member %" PRIu32 ": %s", n->id, broken);
    for (uint32_t i = 0; i < s->model.paths_count; i++) {
        compare_path(s, n, i);
        nodes += model_now(&s->model, i) != NULL && model_now(&s->model, i)->alive;
    }
    for (uint32_t i = 0; i < s->model.sessions_count; i++)
        sessions += s->model.sessions[i].alive;
    if (state_history_floor(state) != s->model.history_floor)
        journal_fail(&s->journal, VERDICT_SAFETY,
                     "member %" PRIu32 " ends with a history from revision %" PRIu64
                     "; the log says %" PRIu64,
                     n->id, state_history_floor(state), s->model.history_floor);
    if (nodes != state_nodes_count(state) || sessions != state_sessions_count(state))
        journal_fail(&s->journal, VERDICT_SAFETY,
                     "member %" PRIu32 " ends with %" PRIu64 " nodes and %" PRIu64
                     " sessions; the log says %" PRIu64 " and %" PRIu64,
                     n->id, state_nodes_count(state), state_sessions_count(state), nodes, sessions);
}

void check_end(struct sim *s)
{
    for (uint32_t i = 0; i < s->swarm.members; i++)
        if (!s->servers[i].is_sick)
            compare_state(s, &s->servers[i]);
    for (uint32_t i = 0; i < s->swarm.clients; i++)
        watcher_settled(&s->clients[i]);
    check_never_written(s);
    journal_mix(&s->journal, s->model.revision, s->truth.prefix);
}
