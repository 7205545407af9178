/* api_txn.c - several checks and changes, all of them or none.
 *
 * The messages are built while the application adds to them: each part is owned by
 * the transaction, and what could be refused without asking is refused at once. */
#include <stdlib.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

enum { CHANGE_BYTES_MAX = 4 * CONTENT_BYTES_MAX }; /* no cell takes more in one entry */

struct part {
    union {
        Coord__V1__Check check;
        struct {
            Coord__V1__Change change;
            Coord__V1__Condition condition;
            union {
                Coord__V1__Create create;
                Coord__V1__Put put;
                Coord__V1__Delete delete_;
            };
        };
    };
    char *path, *sequencer; /* owned; the messages point to them */
    void *content;          /* owned */
};

struct coord_txn {
    struct coord_session *session; /* counted */
    struct part *checks[COORD_TXN_PARTS_MAX], *changes[COORD_TXN_PARTS_MAX];
    size_t checks_count, changes_count, bytes;
};

static char nothing[] = "";

coord_error coord_txn_new(coord_session *session, coord_txn **ret_txn)
{
    detail_clear();
    if (session == NULL || ret_txn == NULL)
        return fail(COORD_ERR_INVALID, "%s: is NULL", session == NULL ? "session" : "ret_txn");
    struct coord_txn *t = check_calloc(1, sizeof *t);
    t->session = session_ref(session);
    *ret_txn = t;
    return COORD_OK;
}

static void part_free(struct part *p)
{
    free(p->path);
    free(p->sequencer);
    free(p->content);
    free(p);
}

void coord_txn_free(coord_txn *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->checks_count; i++)
        part_free(t->checks[i]);
    for (size_t i = 0; i < t->changes_count; i++)
        part_free(t->changes[i]);
    session_unref(t->session);
    free(t);
}

/* A part with its path, or why there is none. */
static coord_error part_begin(const coord_txn *t, const char *path, struct part **ret)
{
    char *inside = NULL;
    detail_clear();
    if (t == NULL)
        return fail(COORD_ERR_INVALID, "txn: is NULL");
    if (t->checks_count + t->changes_count >= COORD_TXN_PARTS_MAX)
        return fail(COORD_ERR_TOO_LARGE, "txn: has %d parts already", COORD_TXN_PARTS_MAX);
    coord_error e = path_take(t->session->client, "path", path, &inside);
    if (e != COORD_OK)
        return e;
    *ret = check_calloc(1, sizeof **ret);
    (*ret)->path = inside;
    return COORD_OK;
}

/* ---- checks ---- */

static struct part *check_add(coord_txn *t, struct part *p)
{
    coord__v1__check__init(&p->check);
    p->check.path = p->path != NULL ? p->path : nothing;
    p->check.sequencer = p->sequencer != NULL ? p->sequencer : nothing;
    t->checks[t->checks_count++] = p;
    return p;
}

coord_error coord_txn_check_exists(coord_txn *t, const char *path, uint64_t instance)
{
    struct part *p = NULL;
    coord_error e = part_begin(t, path, &p);
    if (e != COORD_OK)
        return e;
    (void)check_add(t, p);
    p->check.exists = true;
    p->check.instance = instance;
    return COORD_OK;
}

coord_error coord_txn_check_absent(coord_txn *t, const char *path)
{
    struct part *p = NULL;
    coord_error e = part_begin(t, path, &p);
    if (e != COORD_OK)
        return e;
    check_add(t, p)->check.absent = true;
    return COORD_OK;
}

coord_error coord_txn_check_generation(coord_txn *t, const char *path, uint64_t generation)
{
    struct part *p = NULL;
    coord_error e = part_begin(t, path, &p);
    if (e != COORD_OK)
        return e;
    if (generation == 0) {
        part_free(p);
        return fail(COORD_ERR_INVALID, "content_generation: is 0, which no content has");
    }
    check_add(t, p)->check.content_generation = generation;
    return COORD_OK;
}

coord_error coord_txn_check_sequencer(coord_txn *t, const char *sequencer)
{
    struct part *p = NULL;
    coord_sequencer parsed;
    detail_clear();
    coord_error e = check_sequencer("sequencer", sequencer, &parsed);
    if (e == COORD_OK)
        e = part_begin(t, "/", &p);
    if (e != COORD_OK)
        return e;
    free(p->path);
    p->path = NULL; /* the sequencer names its own */
    p->sequencer = check_strdup(sequencer);
    (void)check_add(t, p);
    return COORD_OK;
}

/* ---- changes ---- */

/* A part with what all changes have, or why there is none. */
static coord_error change_begin(coord_txn *t, const char *path, const void *content, size_t length,
                                const coord_write_options *o, uint32_t flags, struct part **ret)
{
    struct part *p = NULL;
    coord_error e = part_begin(t, path, &p);
    if (e != COORD_OK)
        return e;
    e = check_content("content", content, length);
    if (e == COORD_OK)
        e = write_options_check(o, flags);
    if (e == COORD_OK && t->bytes + length > CHANGE_BYTES_MAX)
        e = fail(COORD_ERR_TOO_LARGE, "txn: has more than %d bytes", CHANGE_BYTES_MAX);
    if (e != COORD_OK) {
        part_free(p);
        return e;
    }
    t->bytes += length;
    p->content = check_strndup(length > 0 ? content : nothing, length);
    if (o->if_sequencer != NULL)
        p->sequencer = check_strdup(o->if_sequencer);
    coord__v1__change__init(&p->change);
    coord__v1__condition__init(&p->condition);
    p->condition.content_generation = o->if_content_generation;
    p->condition.instance = o->if_instance;
    p->condition.sequencer = p->sequencer != NULL ? p->sequencer : nothing;
    t->changes[t->changes_count++] = p;
    *ret = p;
    return COORD_OK;
}

coord_error coord_txn_create(coord_txn *t, const char *path, const void *content, size_t length,
                             const coord_write_options *options)
{
    struct part *p = NULL;
    const coord_write_options *o = write_options_or_default(options);
    detail_clear();
    if (o->size == sizeof *o && (o->if_content_generation != 0 || o->if_instance != 0))
        return fail(COORD_ERR_INVALID, "options: a node that is to be made has no generation yet");
    coord_error e = change_begin(
        t, path, content, length, o,
        COORD_CREATE | COORD_EPHEMERAL | COORD_EXCLUSIVE | COORD_PARENTS | COORD_SEQUENTIAL, &p);
    if (e != COORD_OK)
        return e;
    coord__v1__create__init(&p->create);
    p->create.path = p->path;
    p->create.content = (ProtobufCBinaryData){length, p->content};
    p->create.ephemeral = (o->flags & COORD_EPHEMERAL) != 0;
    p->create.parents = (o->flags & COORD_PARENTS) != 0;
    p->create.sequential = (o->flags & COORD_SEQUENTIAL) != 0;
    p->create.sequencer = p->condition.sequencer;
    p->change.op_case = COORD__V1__CHANGE__OP_CREATE;
    p->change.create = &p->create;
    return COORD_OK;
}

coord_error coord_txn_set(coord_txn *t, const char *path, const void *content, size_t length,
                          const coord_write_options *options)
{
    struct part *p = NULL;
    const coord_write_options *o = write_options_or_default(options);
    coord_error e = change_begin(t, path, content, length, o, COORD_CREATE | COORD_PARENTS, &p);
    if (e != COORD_OK)
        return e;
    coord__v1__put__init(&p->put);
    p->put.path = p->path;
    p->put.content = (ProtobufCBinaryData){length, p->content};
    p->put.create = (o->flags & COORD_CREATE) != 0;
    p->put.parents = (o->flags & COORD_PARENTS) != 0;
    p->put.condition = &p->condition;
    p->change.op_case = COORD__V1__CHANGE__OP_PUT;
    p->change.put = &p->put;
    return COORD_OK;
}

coord_error coord_txn_delete(coord_txn *t, const char *path, const coord_write_options *options)
{
    struct part *p = NULL;
    coord_error e = change_begin(t, path, NULL, 0, write_options_or_default(options), 0, &p);
    if (e != COORD_OK)
        return e;
    coord__v1__delete__init(&p->delete_);
    p->delete_.path = p->path;
    p->delete_.condition = &p->condition;
    p->change.op_case = COORD__V1__CHANGE__OP_DELETE;
    p->change.delete_ = &p->delete_;
    return COORD_OK;
}

/* ---- all of it ---- */

static void take_done(void *context, const Coord__V1__Answer *answer)
{
    coord_txn_result *ret = context;
    ret->revision = answer->revision;
    if (answer->body_case != COORD__V1__ANSWER__BODY_DONE)
        return;
    ret->failed = answer->done->failed;
    size_t count = answer->done->n_stats;
    if (count == 0)
        return;
    ret->nodes = check_calloc(count, sizeof *ret->nodes);
    ret->count = count;
    for (size_t i = 0; i < count; i++) {
        const Coord__V1__Stat *stat = answer->done->stats[i];
        ret->nodes[i].path = check_strdup(stat->path);
        if (stat->instance != 0) /* else it was deleted */
            stat_take(&ret->nodes[i].stat, stat);
    }
}

void coord_txn_result_free(coord_txn_result *result)
{
    if (result == NULL)
        return;
    for (size_t i = 0; i < result->count; i++)
        free(result->nodes[i].path);
    free(result->nodes);
    free(result);
}

coord_error coord_txn_commit(coord_txn *t, int64_t deadline_ms, coord_txn_result **ret_result)
{
    detail_clear();
    if (t == NULL)
        return fail(COORD_ERR_INVALID, "txn: is NULL");
    coord_error e = check_deadline(deadline_ms);
    if (e != COORD_OK)
        return e;
    Coord__V1__Check *checks[COORD_TXN_PARTS_MAX];
    Coord__V1__Change *changes[COORD_TXN_PARTS_MAX];
    for (size_t i = 0; i < t->checks_count; i++)
        checks[i] = &t->checks[i]->check;
    for (size_t i = 0; i < t->changes_count; i++)
        changes[i] = &t->changes[i]->change;
    Coord__V1__Transaction m = COORD__V1__TRANSACTION__INIT;
    Coord__V1__Write write = COORD__V1__WRITE__INIT;
    m.checks = checks;
    m.n_checks = t->checks_count;
    m.changes = changes;
    m.n_changes = t->changes_count;
    write.op_case = COORD__V1__WRITE__OP_TRANSACTION;
    write.transaction = &m;
    struct call call = call_begin(t->session, deadline_ms);
    coord_txn_result *result = check_calloc(1, sizeof *result);
    e = call_write_refused(&call, &write, take_done, result);
    bool told = e == COORD_OK || result->failed != 0;
    if (told && ret_result != NULL)
        *ret_result = result;
    else
        coord_txn_result_free(result);
    return e;
}
