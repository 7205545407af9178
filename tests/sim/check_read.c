/* check_read.c - see check_read.h. */
#include "tests/sim/check_read.h"

#include <inttypes.h>
#include <string.h>

#include "coordd/state/state.h"
#include "libcoord/base/hash.h"
#include "tests/sim/paths.h"
#include "tests/sim/sim.h"

struct judged {
    struct sim *s;
    uint32_t client;
    const struct call *call;
    enum err status;
    const Coord__V1__Answer *a;
    const struct model_version *v; /* of the path at the answer's revision; NULL: none yet */
};

static void wrong(const struct judged *j, const char *why)
{
    journal_fail(&j->s->journal, VERDICT_SAFETY,
                 "client %" PRIu32 ", call #%" PRIu64 " (%s %s): %s at revision %" PRIu64
                 ", but %s",
                 j->client, j->call->token, op_text(j->call->op), path_text(j->call->path),
                 err_name(j->status), j->a->revision, why);
}

static bool there(const struct judged *j)
{
    return j->v != NULL && j->v->alive;
}

/* A refusal that the state explains. */
static void check_refusal(const struct judged *j)
{
    switch (j->status) {
    case ERR_NO_NODE:
        /* Of a create: the parent, which has a path of its own. */
        if (there(j))
            wrong(j, "the node is there");
        break;
    case ERR_NODE_EXISTS:
        if (!there(j))
            wrong(j, "there is no such node");
        break;
    case ERR_BAD_GENERATION:
        if (there(j) && j->v->content_generation == j->call->condition)
            wrong(j, "that is its generation");
        break;
    case ERR_LOCK_HELD:
        if (there(j) && j->v->holders_count == 0 && !j->v->delayed)
            wrong(j, "nobody holds it");
        break;
    default:
        break;
    }
}

static void check_stat(const struct judged *j, const Coord__V1__Stat *stat)
{
    const struct model_version *v = j->v;
    if (!there(j))
        wrong(j, "there is no such node");
    else if (stat->instance != v->instance || stat->content_generation != v->content_generation ||
             stat->lock_generation != v->lock_generation ||
             stat->children_generation != v->children_generation)
        wrong(j, "the generations are others");
    else if (stat->content_bytes != v->content_length ||
             stat->children_count != v->children_count || stat->owner_session != v->owner ||
             stat->lock_holders_count != v->holders_count || stat->lock_delayed != v->delayed)
        wrong(j, "size, children, owner or holders are others");
}

static bool wrote(const struct judged *j)
{
    return there(j) && j->v->revision == j->a->revision &&
           j->v->content_generation == j->a->revision;
}

static void check_list(const struct judged *j, const Coord__V1__Listing *listing)
{
    const struct model *m = &j->s->model;
    size_t at = 0, wanted = 0;
    for (uint32_t i = 0; i < m->paths_count; i++) {
        const char *text = m->paths[i].text;
        const struct model_version *v = model_at(m, i, j->a->revision);
        if (strncmp(text, "/dir/", 5) != 0 || strchr(text + 5, '/') != NULL)
            continue;
        if (v == NULL || !v->alive)
            continue;
        wanted++;
        for (at = 0; at < listing->n_children; at++)
            if (strcmp(listing->children[at]->path, text) == 0)
                break;
        if (at == listing->n_children || listing->children[at]->instance != v->instance)
            wrong(j, "a child is missing or another");
    }
    if (wanted != listing->n_children)
        wrong(j, "a child is too many");
}

static void check_locks(const struct judged *j, const Coord__V1__LockListing *listing)
{
    const struct model *m = &j->s->model;
    for (size_t i = 0; i < listing->n_locks; i++) {
        const Coord__V1__LockState *lock = listing->locks[i];
        uint32_t path = model_find(m, lock->path);
        const struct model_version *v =
            path == UINT32_MAX ? NULL : model_at(m, path, j->a->revision);
        uint32_t wanted = v == NULL ? 0 : v->holders_count;
        if (wanted > READ_CLAIMS_MAX)
            wanted = READ_CLAIMS_MAX; /* of more it shows the first */
        if (v == NULL || wanted != lock->n_holders)
            wrong(j, "a lock has other holders");
        for (size_t k = 0; v != NULL && k < lock->n_holders && k < MODEL_HOLDERS_MAX; k++)
            if (lock->holders[k]->generation != v->holders[k])
                wrong(j, "a lock has other holders");
    }
}

static const struct model_version *version_of(const struct judged *j, const char *path)
{
    uint32_t found = model_find(&j->s->model, path);
    return found == UINT32_MAX ? NULL : model_at(&j->s->model, found, j->a->revision);
}

/* One Stat for each change; the last of each node is how it was left. */
static void check_done(const struct judged *j, const Coord__V1__TransactionDone *done)
{
    if (done->n_stats != j->call->changes)
        wrong(j, "not every change has its answer");
    for (size_t i = 0; i < done->n_stats; i++) {
        const Coord__V1__Stat *stat = done->stats[i];
        const struct model_version *v = version_of(j, stat->path);
        bool last = true;
        for (size_t k = i + 1; k < done->n_stats; k++)
            last &= strcmp(done->stats[k]->path, stat->path) != 0;
        if (v == NULL || v->revision != j->a->revision)
            wrong(j, "a change did not happen");
        else if (last && (v->alive != (stat->instance != 0) ||
                          (v->alive && (v->content_generation != stat->content_generation ||
                                        v->content_length != stat->content_bytes))))
            wrong(j, "a change left something else");
    }
}

static void check_sequential(const struct judged *j, const Coord__V1__Stat *stat)
{
    const struct model_version *v = version_of(j, stat->path);
    if (v == NULL || !v->alive || v->instance != j->a->revision)
        wrong(j, "no such node was made");
}

static void check_success(const struct judged *j)
{
    const Coord__V1__Answer *a = j->a;
    switch (j->call->op) {
    case OP_PUT:
    case OP_PUT_IF:
    case OP_PUT_GUARDED:
    case OP_CREATE:
    case OP_EPHEMERAL:
        if (!wrote(j))
            wrong(j, "nothing was written there");
        else if (a->body_case == COORD__V1__ANSWER__BODY_STAT)
            check_stat(j, a->stat);
        break;
    case OP_DELETE:
        if (there(j) || j->v == NULL || j->v->revision != a->revision)
            wrong(j, "nothing was deleted there");
        break;
    case OP_TRANSACTION:
        if (a->body_case == COORD__V1__ANSWER__BODY_DONE)
            check_done(j, a->done);
        else
            wrong(j, "it says nothing of the changes");
        break;
    case OP_SEQUENTIAL:
        if (a->body_case == COORD__V1__ANSWER__BODY_STAT)
            check_sequential(j, a->stat);
        else
            wrong(j, "it does not say its name");
        break;
    case OP_GET:
        if (a->body_case != COORD__V1__ANSWER__BODY_CONTENT || a->content->stat == NULL)
            wrong(j, "there is no content in it");
        else if (there(j) && hash_bytes(0, slice_of(a->content->data.data, a->content->data.len)) !=
                                 j->v->content_hash)
            wrong(j, "the content is another");
        else
            check_stat(j, a->content->stat);
        break;
    case OP_STAT:
        if (a->body_case == COORD__V1__ANSWER__BODY_STAT)
            check_stat(j, a->stat);
        break;
    case OP_LIST:
        if (a->body_case == COORD__V1__ANSWER__BODY_LISTING)
            check_list(j, a->listing);
        break;
    case OP_LOCKS:
        if (a->body_case == COORD__V1__ANSWER__BODY_LOCKS)
            check_locks(j, a->locks);
        break;
    default:
        break;
    }
}

/* Held at that revision or not: the answer must say which. */
static void check_sequencer(const struct judged *j)
{
    bool held = false;
    for (uint32_t i = 0; there(j) && i < j->v->holders_count && i < MODEL_HOLDERS_MAX; i++)
        held |= j->v->holders[i] == j->call->generation;
    if (!held && there(j) && j->v->holders_count > MODEL_HOLDERS_MAX)
        return;
    if (held != (j->status == ERR_OK))
        wrong(j, held ? "the lock was held" : "the lock was not held");
}

/* Made up by the server without looking at the state. */
static bool shows_state(enum err status)
{
    return status != ERR_INVALID && status != ERR_TOO_LARGE && status != ERR_THROTTLED &&
           status != ERR_EXPIRED && status != ERR_NOT_LEADER && status != ERR_UNAVAILABLE &&
           status != ERR_UNSUPPORTED && status != ERR_NO_SPACE && status != ERR_MAYBE_APPLIED &&
           status != ERR_QUOTA && status != ERR_TIMEOUT && status != ERR_INTERNAL;
}

void check_answer(struct sim *s, uint32_t client, const struct call *call, enum err status,
                  const Coord__V1__Answer *a)
{
    struct judged j = {s, client, call, status, a, NULL};
    if (!shows_state(status))
        return;
    if (a->revision < call->floor && !call->stale) {
        journal_fail(&s->journal, VERDICT_SAFETY,
                     "client %" PRIu32 ", call #%" PRIu64 " (%s %s) shows revision %" PRIu64
                     ", but revision %" PRIu64 " had been shown before it was made",
                     client, call->token, op_text(call->op), path_text(call->path), a->revision,
                     call->floor);
        return;
    }
    if (a->revision > s->model.revision) {
        wrong(&j, "nothing of that revision is chosen");
        return;
    }
    if (a->revision > s->acknowledged_revision)
        s->acknowledged_revision = a->revision;
    uint32_t path = model_find(&s->model, path_text(call->path));
    if (path != UINT32_MAX)
        j.v = model_at(&s->model, path, a->revision);
    if (call->op == OP_CHECK)
        check_sequencer(&j);
    else if (status == ERR_OK)
        check_success(&j);
    else if (call->op != OP_LIST && call->op != OP_LOCKS && call->op != OP_TRANSACTION &&
             call->op != OP_SEQUENTIAL && call->op != OP_KILL)
        check_refusal(&j);
}

void check_never_written(struct sim *s)
{
    for (uint32_t i = 0; i < s->swarm.clients; i++) {
        const struct player *p = &s->clients[i].player;
        for (uint32_t k = 0; k < p->never_count; k++)
            if (model_has_content(&s->model, p->never[k]))
                journal_fail(&s->journal, VERDICT_SAFETY,
                             "client %" PRIu32 " was told that its write of content %" PRIu64
                             " did not happen, but it did",
                             i, p->never[k]);
    }
}
