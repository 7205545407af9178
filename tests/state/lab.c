/* lab.c - see lab.h. */
#include "tests/state/lab.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordd/state/machine.h"
#include "libcoord/base/check.h"

const uint8_t lab_cell[STATE_CELL_ID_BYTES] = {0xc0, 0x0d, 1, 2,  3,  4,  5,  6,
                                               7,    8,    9, 10, 11, 12, 13, 14};

void lab_limit_history(struct state *s, uint32_t bytes)
{
    s->limits.history_bytes = bytes;
    ledger_touch(&s->ledger, &s->record);
    ledger_settle(s);
}

void lab_init(struct lab *l)
{
    memset(l, 0, sizeof *l);
    l->state = state_new(lab_cell);
    lab_limit_history(l->state, LAB_HISTORY_BYTES);
    state_output_init(&l->out);
    l->time_ms = 1700000000000;
}

static void forget_answer(struct lab *l)
{
    if (l->answer != NULL)
        coord__v1__answer__free_unpacked(l->answer, NULL);
    l->answer = NULL;
}

void lab_release(struct lab *l)
{
    forget_answer(l);
    state_output_release(&l->out);
    state_free(l->state);
}

struct buffer lab_batch(uint64_t time_ms, Coord__V1__Command **commands, size_t count)
{
    Coord__V1__Batch batch = COORD__V1__BATCH__INIT;
    struct buffer packed = BUFFER_INIT;
    batch.time_ms = time_ms;
    batch.commands = commands;
    batch.n_commands = count;
    size_t size = coord__v1__batch__get_packed_size(&batch);
    coord__v1__batch__pack(&batch, buffer_extend(&packed, size));
    return packed;
}

static Coord__V1__Answer *decode(struct slice encoded)
{
    Coord__V1__Answer *answer = coord__v1__answer__unpack(NULL, encoded.length, encoded.data);
    CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
    return answer;
}

int lab_run(struct lab *l, Coord__V1__Command *c)
{
    struct buffer packed = lab_batch(++l->time_ms, &c, 1);
    state_apply(l->state, buffer_slice(&packed), &l->out);
    buffer_release(&packed);
    const char *broken = state_check(l->state);
    if (broken != NULL)
        fprintf(stderr, "broken: %s\n", broken);
    CU_ASSERT_PTR_NULL_FATAL(broken);

    forget_answer(l);
    for (uint32_t i = 0; i < l->out.answers_count; i++) {
        const struct state_answer *a = &l->out.answers[i];
        if (a->session != c->session || (c->session != 0 && a->seq != c->seq))
            continue;
        CU_ASSERT_PTR_NULL(l->answer); /* answered once */
        forget_answer(l);
        l->answer = decode(a->encoded);
    }
    return l->answer == NULL ? LAB_WAITS : (int)l->answer->status;
}

static int run(struct lab *l, uint64_t session, Coord__V1__Command *c)
{
    CHECK(session < LAB_SESSIONS_MAX);
    c->session = session;
    if (session != 0) {
        c->seq = ++l->seq[session];
        c->lowest = l->lowest[session];
    }
    return lab_run(l, c);
}

uint64_t lab_open(struct lab *l, uint64_t nonce)
{
    uint8_t nonce_bytes[STATE_NONCE_BYTES] = {0}, secret[STATE_SECRET_BYTES] = {0};
    memcpy(nonce_bytes, &nonce, sizeof nonce);
    memcpy(secret, &nonce, sizeof nonce);
    secret[15] = 0x5e;
    Coord__V1__OpenSession open = COORD__V1__OPEN_SESSION__INIT;
    open.nonce = (ProtobufCBinaryData){.data = nonce_bytes, .len = sizeof nonce_bytes};
    open.secret = (ProtobufCBinaryData){.data = secret, .len = sizeof secret};
    open.ttl_ms = 12000;
    open.host = (char *)"host.example";
    open.pid = 77;
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    c.principal = (char *)"somebody";
    c.op_case = COORD__V1__COMMAND__OP_OPEN_SESSION;
    c.open_session = &open;
    if (run(l, 0, &c) != ERR_OK)
        return 0;
    return l->answer->opened->session;
}

int lab_end(struct lab *l, uint64_t session)
{
    Coord__V1__EndSession end = COORD__V1__END_SESSION__INIT;
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    c.op_case = COORD__V1__COMMAND__OP_END_SESSION;
    c.end_session = &end;
    return run(l, session, &c);
}

int lab_expire(struct lab *l, uint64_t session, uint64_t ballot)
{
    Coord__V1__ExpireSession expire = COORD__V1__EXPIRE_SESSION__INIT;
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    expire.session = session;
    expire.ballot = ballot;
    c.op_case = COORD__V1__COMMAND__OP_EXPIRE_SESSION;
    c.expire_session = &expire;
    return run(l, 0, &c);
}

static ProtobufCBinaryData text(const char *s)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)s, .len = strlen(s)};
}

static int create(struct lab *l, uint64_t session, const char *path, const char *content,
                  bool ephemeral, bool parents)
{
    Coord__V1__Create create = COORD__V1__CREATE__INIT;
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    create.path = (char *)path;
    create.content = text(content);
    create.ephemeral = ephemeral;
    create.parents = parents;
    c.op_case = COORD__V1__COMMAND__OP_CREATE;
    c.create = &create;
    return run(l, session, &c);
}

int lab_create(struct lab *l, uint64_t session, const char *path, const char *content)
{
    return create(l, session, path, content, false, false);
}

int lab_create_parents(struct lab *l, uint64_t session, const char *path)
{
    return create(l, session, path, "", false, true);
}

int lab_create_ephemeral(struct lab *l, uint64_t session, const char *path)
{
    return create(l, session, path, "e", true, false);
}

int lab_put(struct lab *l, uint64_t session, const char *path, const char *content)
{
    return lab_put_if(l, session, path, content, 0, 0, "");
}

int lab_put_if(struct lab *l, uint64_t session, const char *path, const char *content,
               uint64_t content_generation, uint64_t instance, const char *sequencer)
{
    Coord__V1__Put put = COORD__V1__PUT__INIT;
    Coord__V1__Condition condition = COORD__V1__CONDITION__INIT;
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    condition.content_generation = content_generation;
    condition.instance = instance;
    condition.sequencer = (char *)sequencer;
    put.path = (char *)path;
    put.content = text(content);
    put.condition = &condition;
    c.op_case = COORD__V1__COMMAND__OP_PUT;
    c.put = &put;
    return run(l, session, &c);
}

int lab_delete_as(struct lab *l, uint64_t session, const char *path, uint64_t handle)
{
    Coord__V1__Delete del = COORD__V1__DELETE__INIT;
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    del.path = (char *)path;
    del.handle = handle;
    c.op_case = COORD__V1__COMMAND__OP_DELETE;
    c.delete_ = &del;
    return run(l, session, &c);
}

int lab_delete(struct lab *l, uint64_t session, const char *path)
{
    return lab_delete_as(l, session, path, 0);
}

static int acquire(struct lab *l, uint64_t session, uint64_t handle, const char *path,
                   Coord__V1__Acquire acquire)
{
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    acquire.path = (char *)path;
    acquire.handle = handle;
    c.op_case = COORD__V1__COMMAND__OP_ACQUIRE;
    c.acquire = &acquire;
    return run(l, session, &c);
}

int lab_acquire_as(struct lab *l, uint64_t session, uint64_t handle, const char *path,
                   Coord__V1__LockMode mode, bool wait, uint32_t lock_delay_ms)
{
    Coord__V1__Acquire terms = COORD__V1__ACQUIRE__INIT;
    terms.mode = mode;
    terms.wait = wait;
    terms.lock_delay_ms = lock_delay_ms;
    return acquire(l, session, handle, path, terms);
}

int lab_acquire(struct lab *l, uint64_t session, uint64_t handle, const char *path)
{
    return lab_acquire_as(l, session, handle, path, COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE, true, 0);
}

int lab_try(struct lab *l, uint64_t session, uint64_t handle, const char *path)
{
    return lab_acquire_as(l, session, handle, path, COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE, false, 0);
}

int lab_share(struct lab *l, uint64_t session, uint64_t handle, const char *path)
{
    return lab_acquire_as(l, session, handle, path, COORD__V1__LOCK_MODE__LOCK_SHARED, true, 0);
}

int lab_campaign(struct lab *l, uint64_t session, uint64_t handle, const char *path,
                 const char *value)
{
    Coord__V1__Acquire terms = COORD__V1__ACQUIRE__INIT;
    terms.mode = COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE;
    terms.wait = true;
    terms.on_grant_case = COORD__V1__ACQUIRE__ON_GRANT_CONTENT;
    terms.content = text(value);
    return acquire(l, session, handle, path, terms);
}

int lab_end_delay(struct lab *l, const char *path, uint64_t instance, uint64_t generation,
                  uint64_t ballot)
{
    Coord__V1__EndLockDelay end = COORD__V1__END_LOCK_DELAY__INIT;
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    end.path = (char *)path;
    end.instance = instance;
    end.generation = generation;
    end.ballot = ballot;
    c.op_case = COORD__V1__COMMAND__OP_END_LOCK_DELAY;
    c.end_lock_delay = &end;
    return run(l, 0, &c);
}

int lab_force(struct lab *l, uint64_t session, const char *path)
{
    Coord__V1__ForceUnlock force = COORD__V1__FORCE_UNLOCK__INIT;
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    force.path = (char *)path;
    c.op_case = COORD__V1__COMMAND__OP_FORCE_UNLOCK;
    c.force_unlock = &force;
    return run(l, session, &c);
}

int lab_kill(struct lab *l, uint64_t session, uint64_t killed)
{
    Coord__V1__KillSession kill = COORD__V1__KILL_SESSION__INIT;
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    kill.session = killed;
    c.op_case = COORD__V1__COMMAND__OP_KILL_SESSION;
    c.kill_session = &kill;
    return run(l, session, &c);
}

int lab_notes(const struct lab *l, uint64_t session, enum state_session_change change)
{
    int count = 0;
    for (uint32_t i = 0; i < l->out.sessions_count; i++)
        count += l->out.sessions[i].session == session && l->out.sessions[i].change == change;
    return count;
}

int lab_end_first_delay(struct lab *l, const char *path, uint32_t delay_ms)
{
    struct state_delay delay;
    CU_ASSERT_TRUE_FATAL(state_delay_next(l->state, slice_of(NULL, 0), &delay));
    CU_ASSERT_TRUE(slice_equal(delay.path, slice_of_string(path)));
    CU_ASSERT_EQUAL(delay.delay_ms, delay_ms);
    return lab_end_delay(l, path, delay.instance, delay.generation, UINT64_MAX);
}

int lab_release_lock(struct lab *l, uint64_t session, uint64_t handle, const char *path)
{
    Coord__V1__Release release = COORD__V1__RELEASE__INIT;
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    release.path = (char *)path;
    release.handle = handle;
    c.op_case = COORD__V1__COMMAND__OP_RELEASE;
    c.release = &release;
    return run(l, session, &c);
}

int lab_cancel(struct lab *l, uint64_t session, uint64_t acquire_seq)
{
    Coord__V1__Cancel cancel = COORD__V1__CANCEL__INIT;
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    cancel.acquire_seq = acquire_seq;
    c.op_case = COORD__V1__COMMAND__OP_CANCEL;
    c.cancel = &cancel;
    return run(l, session, &c);
}

int lab_answered(const struct lab *l, uint64_t session, uint64_t seq)
{
    int status = LAB_WAITS;
    for (uint32_t i = 0; i < l->out.answers_count; i++) {
        if (l->out.answers[i].session != session || l->out.answers[i].seq != seq)
            continue;
        Coord__V1__Answer *answer = decode(l->out.answers[i].encoded);
        status = (int)answer->status;
        coord__v1__answer__free_unpacked(answer, NULL);
    }
    return status;
}

char *lab_sequencer(const struct lab *l)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(l->answer);
    CU_ASSERT_EQUAL_FATAL(l->answer->body_case, COORD__V1__ANSWER__BODY_GRANTED);
    const Coord__V1__Sequencer *g = l->answer->granted;
    CU_ASSERT_EQUAL_FATAL(g->cell.len, STATE_CELL_ID_BYTES);
    char cell[2 * STATE_CELL_ID_BYTES + 1];
    hex_encode(g->cell.data, g->cell.len, cell);
    size_t size = strlen(g->path) + 128;
    char *printed = check_malloc(size);
    snprintf(printed, size, "%s:%llu:%s:%llu:%s", cell, (unsigned long long)g->instance,
             g->mode == COORD__V1__LOCK_MODE__LOCK_SHARED ? "s" : "x",
             (unsigned long long)g->generation, g->path);
    return printed;
}

const char *lab_events(const struct lab *l, char *out, size_t out_bytes)
{
    static const char *const names[] = {"", "created", "content", "deleted", "held", "free"};
    size_t at = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < l->out.events_count; i++) {
        const struct state_event *e = &l->out.events[i];
        int n = snprintf(out + at, out_bytes - at, "%s%s %s", i == 0 ? "" : ", ", names[e->kind],
                         (const char *)e->path.data);
        CHECK(n > 0 && (size_t)n < out_bytes - at);
        at += (size_t)n;
    }
    return out;
}

Coord__V1__Stat *lab_stat(const struct lab *l, const char *path)
{
    struct buffer packed = BUFFER_INIT;
    Coord__V1__Stat *stat = NULL;
    if (state_stat(l->state, slice_of_string(path), &packed))
        stat = coord__v1__stat__unpack(NULL, packed.length, packed.data);
    buffer_release(&packed);
    return stat;
}

static uint64_t half_the_lease(void *context, uint64_t session)
{
    (void)context;
    return 6000 + session;
}

static uint64_t half_the_delay(void *context, struct slice path)
{
    (void)context;
    return 500 + path.length;
}

Coord__V1__Answer *lab_read(const struct lab *l, const Coord__V1__Read *read)
{
    struct buffer packed = BUFFER_INIT;
    state_read(l->state, read, half_the_lease, half_the_delay, NULL, &packed);
    Coord__V1__Answer *answer = decode(buffer_slice(&packed));
    buffer_release(&packed);
    return answer;
}

char *lab_content(const struct lab *l, const char *path)
{
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__Get get = COORD__V1__GET__INIT;
    get.path = (char *)path;
    read.op_case = COORD__V1__READ__OP_GET;
    read.get = &get;
    Coord__V1__Answer *answer = lab_read(l, &read);
    char *content = NULL;
    if (answer->status == COORD__V1__STATUS__OK) {
        ProtobufCBinaryData d = answer->content->data;
        content = check_strndup(d.len == 0 ? "" : (const char *)d.data, d.len);
    }
    coord__v1__answer__free_unpacked(answer, NULL);
    return content;
}

int lab_check(const struct lab *l, const char *sequencer)
{
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__CheckSequencer check = COORD__V1__CHECK_SEQUENCER__INIT;
    check.sequencer = (char *)sequencer;
    read.op_case = COORD__V1__READ__OP_CHECK;
    read.check = &check;
    Coord__V1__Answer *answer = lab_read(l, &read);
    int status = (int)answer->status;
    coord__v1__answer__free_unpacked(answer, NULL);
    return status;
}

static void load(void *context, struct slice key, struct slice value)
{
    CU_ASSERT_EQUAL_FATAL(state_load_record(context, key, value), ERR_OK);
}

struct state *lab_reload(const struct state *s)
{
    struct state *copy = state_new(lab_cell);
    state_records(s, load, copy);
    CU_ASSERT_EQUAL_FATAL(state_loaded(copy), ERR_OK);
    return copy;
}

void lab_put_output(const struct state_output *o, struct buffer *b)
{
    for (uint32_t i = 0; i < o->answers_count; i++) {
        buffer_put_u64(b, o->answers[i].session);
        buffer_put_u64(b, o->answers[i].seq);
        buffer_put_u32(b, o->answers[i].index);
        buffer_put_u64(b, o->answer_revisions[i]);
        buffer_put_slice(b, o->answers[i].encoded);
    }
    for (uint32_t i = 0; i < o->events_count; i++) {
        buffer_put_u32(b, (uint32_t)o->events[i].kind);
        buffer_put_u64(b, o->events[i].revision);
        buffer_put_slice(b, o->events[i].path);
        buffer_put_slice(b, o->events[i].stat);
    }
    for (uint32_t i = 0; i < o->sessions_count; i++) {
        buffer_put_u32(b, (uint32_t)o->sessions[i].change);
        buffer_put_u64(b, o->sessions[i].session);
        buffer_put_u32(b, o->sessions[i].ttl_ms);
    }
}

bool lab_same_hash(const struct state *a, const struct state *b)
{
    uint64_t x[2], y[2];
    state_hash(a, x);
    state_hash(b, y);
    return x[0] == y[0] && x[1] == y[1];
}
