/* lab_command.c - short words for single commands. See lab.h. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/state/lab.h"

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
