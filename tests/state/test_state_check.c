/* test_state_check.c - what is refused before it is ordered. */
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/state/lab.h"
#include "tests/support/runner.h"

/* A command with every kind of operation at hand, well-formed. */
struct specimen {
    Coord__V1__Command c;
    Coord__V1__Create create;
    Coord__V1__Put put;
    Coord__V1__Delete del;
    Coord__V1__Acquire acquire;
    Coord__V1__Release release;
    Coord__V1__Cancel cancel;
    Coord__V1__OpenSession open;
    Coord__V1__EndSession end;
    Coord__V1__ExpireSession expire;
    Coord__V1__Condition condition;
    Coord__V1__Transaction transaction;
    Coord__V1__Check check, *checks[1];
    Coord__V1__Change change, *changes[1];
    Coord__V1__ForceUnlock force;
    Coord__V1__KillSession kill;
    Coord__V1__EndLockDelay end_delay;
    Coord__V1__HandOver hand_over;
    Coord__V1__LeaseLeft lease[2], *leases[2];
    Coord__V1__DelayLeft delay[2], *delays[2];
    uint8_t bytes[32];
};

static void init_hand_over(struct specimen *s)
{
    coord__v1__hand_over__init(&s->hand_over);
    for (size_t i = 0; i < 2; i++) {
        coord__v1__lease_left__init(&s->lease[i]);
        coord__v1__delay_left__init(&s->delay[i]);
        s->leases[i] = &s->lease[i];
        s->delays[i] = &s->delay[i];
        s->lease[i].session = i + 1;
    }
    s->delay[0].path = (char *)"/a-";
    s->delay[1].path = (char *)"/a/b"; /* as bytes, not as the tree has it */
    s->hand_over.leases = s->leases;
    s->hand_over.delays = s->delays;
    s->hand_over.n_leases = s->hand_over.n_delays = 2;
}

static void init_transaction(struct specimen *s)
{
    coord__v1__transaction__init(&s->transaction);
    coord__v1__check__init(&s->check);
    coord__v1__change__init(&s->change);
    s->check.path = (char *)"/a";
    s->check.exists = true;
    s->change.op_case = COORD__V1__CHANGE__OP_PUT;
    s->change.put = &s->put;
    s->checks[0] = &s->check;
    s->changes[0] = &s->change;
    s->transaction.checks = s->checks;
    s->transaction.changes = s->changes;
    s->transaction.n_checks = s->transaction.n_changes = 1;
}

static void specimen_init(struct specimen *s)
{
    memset(s, 0, sizeof *s);
    init_transaction(s);
    init_hand_over(s);
    coord__v1__force_unlock__init(&s->force);
    coord__v1__kill_session__init(&s->kill);
    coord__v1__end_lock_delay__init(&s->end_delay);
    s->force.path = s->end_delay.path = (char *)"/a";
    s->end_delay.instance = s->kill.session = 1;
    coord__v1__command__init(&s->c);
    coord__v1__create__init(&s->create);
    coord__v1__put__init(&s->put);
    coord__v1__delete__init(&s->del);
    coord__v1__acquire__init(&s->acquire);
    coord__v1__release__init(&s->release);
    coord__v1__cancel__init(&s->cancel);
    coord__v1__open_session__init(&s->open);
    coord__v1__end_session__init(&s->end);
    coord__v1__expire_session__init(&s->expire);
    coord__v1__condition__init(&s->condition);
    s->create.path = s->put.path = s->del.path = (char *)"/a";
    s->acquire.path = s->release.path = (char *)"/a";
    s->acquire.handle = s->release.handle = 1;
    s->acquire.mode = COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE;
    s->cancel.acquire_seq = 1;
    s->open.nonce = s->open.secret = (ProtobufCBinaryData){.data = s->bytes, .len = 16};
    s->open.ttl_ms = 12000;
    s->expire.session = 1;
    s->put.condition = s->del.condition = &s->condition;
    s->c.session = 1;
    s->c.seq = 5;
}

static int check(const struct specimen *s, Coord__V1__Command__OpCase op, const void *operation,
                 const char *why_begins)
{
    Coord__V1__Command c = s->c;
    char why[100] = "";
    c.op_case = op;
    c.create = (Coord__V1__Create *)operation;
    enum err e = state_check_command(&c, why, sizeof why);
    if (e != ERR_OK)
        CU_ASSERT_EQUAL(strncmp(why, why_begins, strlen(why_begins)), 0);
    return (int)e;
}

#define CREATE(s, why)      check(s, COORD__V1__COMMAND__OP_CREATE, &(s)->create, why)
#define PUT(s, why)         check(s, COORD__V1__COMMAND__OP_PUT, &(s)->put, why)
#define DELETE(s, why)      check(s, COORD__V1__COMMAND__OP_DELETE, &(s)->del, why)
#define ACQUIRE(s, why)     check(s, COORD__V1__COMMAND__OP_ACQUIRE, &(s)->acquire, why)
#define RELEASE(s, why)     check(s, COORD__V1__COMMAND__OP_RELEASE, &(s)->release, why)
#define CANCEL(s, why)      check(s, COORD__V1__COMMAND__OP_CANCEL, &(s)->cancel, why)
#define OPEN(s, why)        check(s, COORD__V1__COMMAND__OP_OPEN_SESSION, &(s)->open, why)
#define END(s, why)         check(s, COORD__V1__COMMAND__OP_END_SESSION, &(s)->end, why)
#define EXPIRE(s, why)      check(s, COORD__V1__COMMAND__OP_EXPIRE_SESSION, &(s)->expire, why)
#define TRANSACTION(s, why) check(s, COORD__V1__COMMAND__OP_TRANSACTION, &(s)->transaction, why)
#define FORCE(s, why)       check(s, COORD__V1__COMMAND__OP_FORCE_UNLOCK, &(s)->force, why)
#define KILL(s, why)        check(s, COORD__V1__COMMAND__OP_KILL_SESSION, &(s)->kill, why)
#define END_DELAY(s, why)   check(s, COORD__V1__COMMAND__OP_END_LOCK_DELAY, &(s)->end_delay, why)
#define HAND_OVER(s, why)   check(s, COORD__V1__COMMAND__OP_HAND_OVER, &(s)->hand_over, why)

static void test_check__well_formed_commands_pass(void)
{
    struct specimen s;
    specimen_init(&s);
    CU_ASSERT_EQUAL(CREATE(&s, ""), ERR_OK);
    CU_ASSERT_EQUAL(PUT(&s, ""), ERR_OK);
    CU_ASSERT_EQUAL(DELETE(&s, ""), ERR_OK);
    CU_ASSERT_EQUAL(ACQUIRE(&s, ""), ERR_OK);
    CU_ASSERT_EQUAL(RELEASE(&s, ""), ERR_OK);
    CU_ASSERT_EQUAL(CANCEL(&s, ""), ERR_OK);
    CU_ASSERT_EQUAL(END(&s, ""), ERR_OK);
    CU_ASSERT_EQUAL(TRANSACTION(&s, ""), ERR_OK);
    CU_ASSERT_EQUAL(FORCE(&s, ""), ERR_OK);
    CU_ASSERT_EQUAL(KILL(&s, ""), ERR_OK);
    s.c.session = 0;
    CU_ASSERT_EQUAL(OPEN(&s, ""), ERR_OK);
    CU_ASSERT_EQUAL(EXPIRE(&s, ""), ERR_OK);
    CU_ASSERT_EQUAL(TRANSACTION(&s, ""), ERR_OK);
    CU_ASSERT_EQUAL(FORCE(&s, ""), ERR_OK);
    CU_ASSERT_EQUAL(KILL(&s, ""), ERR_OK);
    CU_ASSERT_EQUAL(END_DELAY(&s, ""), ERR_OK);
    CU_ASSERT_EQUAL(HAND_OVER(&s, ""), ERR_OK);
}

static void test_check__a_transaction_is_looked_at_part_by_part(void)
{
    struct specimen s;
    ProtobufCMessageUnknownField unknown = {.tag = 99};
    specimen_init(&s);
    s.check.path = (char *)"a";
    CU_ASSERT_EQUAL(TRANSACTION(&s, "part 1: path:"), ERR_INVALID);
    s.check.path = (char *)"/a";
    s.check.absent = true;
    CU_ASSERT_EQUAL(TRANSACTION(&s, "part 1: absent:"), ERR_INVALID);
    s.check.exists = s.check.absent = false;
    CU_ASSERT_EQUAL(TRANSACTION(&s, "part 1: checks:"), ERR_INVALID);
    s.check.sequencer = (char *)"x";
    CU_ASSERT_EQUAL(TRANSACTION(&s, "part 1: sequencer:"), ERR_INVALID);
    s.check.base.n_unknown_fields = 1;
    s.check.base.unknown_fields = &unknown;
    CU_ASSERT_EQUAL(TRANSACTION(&s, "part 1: checks:"), ERR_UNSUPPORTED);
    s.transaction.n_checks = 0;
    s.put.path = (char *)"/..";
    CU_ASSERT_EQUAL(TRANSACTION(&s, "part 1: path:"), ERR_INVALID);
    s.put.base.n_unknown_fields = 1;
    CU_ASSERT_EQUAL(TRANSACTION(&s, "part 1: changes:"), ERR_UNSUPPORTED);
    s.change.base.n_unknown_fields = 1;
    CU_ASSERT_EQUAL(TRANSACTION(&s, "part 1: changes:"), ERR_UNSUPPORTED);
    s.change.base.n_unknown_fields = 0;
    s.change.put = NULL;
    CU_ASSERT_EQUAL(TRANSACTION(&s, "part 1: changes:"), ERR_INVALID);
    s.change.op_case = COORD__V1__CHANGE__OP_DELETE;
    s.change.delete_ = &s.del;
    s.del.path = (char *)"/";
    CU_ASSERT_EQUAL(TRANSACTION(&s, "part 1: path:"), ERR_INVALID);
    s.change.op_case = (Coord__V1__Change__OpCase)9;
    CU_ASSERT_EQUAL(TRANSACTION(&s, "part 1: changes:"), ERR_INVALID);
    s.change.op_case = COORD__V1__CHANGE__OP_CREATE;
    s.change.create = &s.create;
    s.create.ephemeral = true;
    CU_ASSERT_EQUAL(TRANSACTION(&s, ""), ERR_OK);
    s.c.session = s.c.seq = 0;
    CU_ASSERT_EQUAL(TRANSACTION(&s, "part 1: ephemeral:"), ERR_INVALID);
    s.transaction.n_changes = 0;
    CU_ASSERT_EQUAL(TRANSACTION(&s, "transaction:"), ERR_INVALID);
}

static void test_check__what_only_a_leader_asks_is_in_no_session_and_in_order(void)
{
    struct specimen s;
    specimen_init(&s);
    CU_ASSERT_EQUAL(END_DELAY(&s, "session:"), ERR_INVALID);
    CU_ASSERT_EQUAL(HAND_OVER(&s, "session:"), ERR_INVALID);
    s.c.session = s.c.seq = 0;
    s.end_delay.instance = 0;
    CU_ASSERT_EQUAL(END_DELAY(&s, "instance:"), ERR_INVALID);
    s.end_delay.instance = 1;
    s.end_delay.path = (char *)"";
    CU_ASSERT_EQUAL(END_DELAY(&s, "path:"), ERR_INVALID);
    s.lease[1].session = 1;
    CU_ASSERT_EQUAL(HAND_OVER(&s, "leases:"), ERR_INVALID);
    s.lease[1].session = 2;
    s.delay[1].path = (char *)"/a-";
    CU_ASSERT_EQUAL(HAND_OVER(&s, "delays:"), ERR_INVALID);
    s.delay[0].path = (char *)"a";
    CU_ASSERT_EQUAL(HAND_OVER(&s, "path:"), ERR_INVALID);
}

static void test_check__a_command_has_an_operation_that_is_known(void)
{
    struct specimen s;
    specimen_init(&s);
    CU_ASSERT_EQUAL(check(&s, COORD__V1__COMMAND__OP__NOT_SET, NULL, "op:"), ERR_INVALID);
    CU_ASSERT_EQUAL(check(&s, COORD__V1__COMMAND__OP_PUT, NULL, "op:"), ERR_INVALID);
    CU_ASSERT_EQUAL(check(&s, (Coord__V1__Command__OpCase)999, &s.create, "op:"), ERR_INVALID);
    ProtobufCMessageUnknownField unknown = {.tag = 99};
    s.create.base.n_unknown_fields = 1;
    s.create.base.unknown_fields = &unknown;
    CU_ASSERT_EQUAL(CREATE(&s, "op:"), ERR_UNSUPPORTED);
    s.condition.base.n_unknown_fields = 1;
    CU_ASSERT_EQUAL(PUT(&s, "condition:"), ERR_UNSUPPORTED);
    s.c.base.n_unknown_fields = 1;
    CU_ASSERT_EQUAL(DELETE(&s, "op:"), ERR_UNSUPPORTED);
}

static void test_check__sessions_are_where_they_belong(void)
{
    struct specimen s;
    specimen_init(&s);
    CU_ASSERT_EQUAL(OPEN(&s, "session:"), ERR_INVALID);
    CU_ASSERT_EQUAL(EXPIRE(&s, "session:"), ERR_INVALID);
    s.c.lowest = 6;
    CU_ASSERT_EQUAL(PUT(&s, "lowest:"), ERR_INVALID);
    s.c.lowest = 5;
    CU_ASSERT_EQUAL(PUT(&s, ""), ERR_OK);
    s.c.seq = s.c.lowest = 0;
    CU_ASSERT_EQUAL(PUT(&s, "seq:"), ERR_INVALID);
    s.c.session = 0;
    CU_ASSERT_EQUAL(PUT(&s, ""), ERR_OK);
    CU_ASSERT_EQUAL(DELETE(&s, ""), ERR_OK);
    CU_ASSERT_EQUAL(CREATE(&s, ""), ERR_OK);
    s.create.ephemeral = true;
    CU_ASSERT_EQUAL(CREATE(&s, "ephemeral:"), ERR_INVALID);
    CU_ASSERT_EQUAL(ACQUIRE(&s, "session:"), ERR_INVALID);
    CU_ASSERT_EQUAL(RELEASE(&s, "session:"), ERR_INVALID);
    CU_ASSERT_EQUAL(CANCEL(&s, "session:"), ERR_INVALID);
    CU_ASSERT_EQUAL(END(&s, "session:"), ERR_INVALID);
    s.expire.session = 0;
    CU_ASSERT_EQUAL(EXPIRE(&s, "session:"), ERR_INVALID);
}

static void test_check__paths_are_looked_at_everywhere(void)
{
    struct specimen s;
    specimen_init(&s);
    char *bad = (char *)"/a/\xc0\xaf";
    s.create.path = s.put.path = s.del.path = s.acquire.path = s.release.path = bad;
    CU_ASSERT_EQUAL(CREATE(&s, "path:"), ERR_INVALID);
    CU_ASSERT_EQUAL(PUT(&s, "path:"), ERR_INVALID);
    CU_ASSERT_EQUAL(DELETE(&s, "path:"), ERR_INVALID);
    CU_ASSERT_EQUAL(ACQUIRE(&s, "path:"), ERR_INVALID);
    CU_ASSERT_EQUAL(RELEASE(&s, "path:"), ERR_INVALID);
    s.force.path = bad;
    CU_ASSERT_EQUAL(FORCE(&s, "path:"), ERR_INVALID);
    s.create.sequential = true;
    CU_ASSERT_EQUAL(CREATE(&s, "path:"), ERR_INVALID);
    s.del.path = (char *)"/";
    CU_ASSERT_EQUAL(DELETE(&s, "path:"), ERR_INVALID);
}

/* What the cell's own limit forbids is refused only when it is applied: the limit
 * may be raised by an entry in flight. */
static void test_check__content_is_judged_by_the_hard_limit(void)
{
    struct specimen s;
    specimen_init(&s);
    uint8_t *bytes = check_calloc(1, STATE_CONTENT_BYTES_HARD + 1);
    ProtobufCBinaryData fits = {.data = bytes, .len = STATE_CONTENT_BYTES_HARD};
    ProtobufCBinaryData large = {.data = bytes, .len = STATE_CONTENT_BYTES_HARD + 1};
    s.create.content = s.put.content = s.acquire.content = fits;
    s.acquire.on_grant_case = COORD__V1__ACQUIRE__ON_GRANT_CONTENT;
    CU_ASSERT_EQUAL(CREATE(&s, ""), ERR_OK);
    CU_ASSERT_EQUAL(PUT(&s, ""), ERR_OK);
    CU_ASSERT_EQUAL(ACQUIRE(&s, ""), ERR_OK);
    s.create.content = s.put.content = s.acquire.content = large;
    CU_ASSERT_EQUAL(CREATE(&s, "content:"), ERR_TOO_LARGE);
    CU_ASSERT_EQUAL(PUT(&s, "content:"), ERR_TOO_LARGE);
    CU_ASSERT_EQUAL(ACQUIRE(&s, "content:"), ERR_TOO_LARGE);
    free(bytes);
}

static void test_check__arguments_are_named(void)
{
    struct specimen s;
    specimen_init(&s);
    s.create.sequencer = s.condition.sequencer = (char *)"x";
    CU_ASSERT_EQUAL(CREATE(&s, "sequencer:"), ERR_INVALID);
    CU_ASSERT_EQUAL(PUT(&s, "sequencer:"), ERR_INVALID);
    CU_ASSERT_EQUAL(DELETE(&s, "sequencer:"), ERR_INVALID);
    s.acquire.handle = s.release.handle = 0;
    CU_ASSERT_EQUAL(ACQUIRE(&s, "handle:"), ERR_INVALID);
    CU_ASSERT_EQUAL(RELEASE(&s, "handle:"), ERR_INVALID);
    s.acquire.handle = 1;
    s.acquire.mode = (Coord__V1__LockMode)3;
    CU_ASSERT_EQUAL(ACQUIRE(&s, "mode:"), ERR_INVALID);
    s.acquire.mode = COORD__V1__LOCK_MODE__LOCK_SHARED;
    s.acquire.lock_delay_ms = 60001;
    CU_ASSERT_EQUAL(ACQUIRE(&s, "lock_delay_ms:"), ERR_INVALID);
    s.acquire.lock_delay_ms = 60000;
    CU_ASSERT_EQUAL(ACQUIRE(&s, ""), ERR_OK);
    s.acquire.on_grant_case = COORD__V1__ACQUIRE__ON_GRANT_CONTENT;
    CU_ASSERT_EQUAL(ACQUIRE(&s, "content:"), ERR_INVALID);
    s.kill.session = 0;
    CU_ASSERT_EQUAL(KILL(&s, "session:"), ERR_INVALID);
    s.cancel.acquire_seq = 5;
    CU_ASSERT_EQUAL(CANCEL(&s, "acquire_seq:"), ERR_INVALID);
    s.c.principal = (char *)"\xff";
    CU_ASSERT_EQUAL(END(&s, "principal:"), ERR_INVALID);
    s.c.principal = (char *)"";
    s.c.session = 0;
    s.open.host = (char *)"\xed\xa0\x80";
    CU_ASSERT_EQUAL(OPEN(&s, "host:"), ERR_INVALID);
    char host[STATE_HOST_BYTES_MAX + 2];
    memset(host, 'h', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    s.open.host = host;
    CU_ASSERT_EQUAL(OPEN(&s, "host:"), ERR_TOO_LARGE);
    s.open.ttl_ms = 1999;
    CU_ASSERT_EQUAL(OPEN(&s, "ttl_ms:"), ERR_INVALID);
    s.open.ttl_ms = 60001;
    CU_ASSERT_EQUAL(OPEN(&s, "ttl_ms:"), ERR_INVALID);
    s.open.secret.len = 0;
    CU_ASSERT_EQUAL(OPEN(&s, "secret:"), ERR_INVALID);
    s.open.nonce.len = 8;
    CU_ASSERT_EQUAL(OPEN(&s, "nonce:"), ERR_INVALID);
}

static void test_check__the_reason_is_cut_to_its_room(void)
{
    struct specimen s;
    char why[6];
    specimen_init(&s);
    s.c.op_case = COORD__V1__COMMAND__OP__NOT_SET;
    CU_ASSERT_EQUAL(state_check_command(&s.c, why, sizeof why), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(why, "op: n");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_check__well_formed_commands_pass),
        TEST(test_check__a_transaction_is_looked_at_part_by_part),
        TEST(test_check__what_only_a_leader_asks_is_in_no_session_and_in_order),
        TEST(test_check__a_command_has_an_operation_that_is_known),
        TEST(test_check__sessions_are_where_they_belong),
        TEST(test_check__paths_are_looked_at_everywhere),
        TEST(test_check__content_is_judged_by_the_hard_limit),
        TEST(test_check__arguments_are_named),
        TEST(test_check__the_reason_is_cut_to_its_room),
    };
    return run_suite("state check", cases, sizeof cases / sizeof cases[0], argc, argv);
}
