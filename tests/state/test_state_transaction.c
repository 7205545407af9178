/* test_state_transaction.c - all or nothing; and names with a number behind them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/state/lab.h"
#include "tests/support/runner.h"

enum { PARTS_MAX = 8 };

/* A transaction that is put together part by part. */
struct draft {
    Coord__V1__Transaction t;
    Coord__V1__Check checks[PARTS_MAX], *check_list[PARTS_MAX];
    Coord__V1__Change changes[PARTS_MAX], *change_list[PARTS_MAX];
    Coord__V1__Create creates[PARTS_MAX];
    Coord__V1__Put puts[PARTS_MAX];
    Coord__V1__Delete deletes[PARTS_MAX];
};

static void begin(struct draft *d)
{
    memset(d, 0, sizeof *d);
    coord__v1__transaction__init(&d->t);
    d->t.checks = d->check_list;
    d->t.changes = d->change_list;
}

static Coord__V1__Check *add_check(struct draft *d, const char *path)
{
    Coord__V1__Check *check = &d->checks[d->t.n_checks];
    coord__v1__check__init(check);
    check->path = (char *)path;
    d->check_list[d->t.n_checks++] = check;
    return check;
}

static Coord__V1__Change *add_change(struct draft *d, Coord__V1__Change__OpCase op)
{
    Coord__V1__Change *change = &d->changes[d->t.n_changes];
    coord__v1__change__init(change);
    change->op_case = op;
    d->change_list[d->t.n_changes++] = change;
    return change;
}

static ProtobufCBinaryData text(const char *s)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)s, .len = strlen(s)};
}

static Coord__V1__Create *add_create(struct draft *d, const char *path, const char *content)
{
    Coord__V1__Create *create = &d->creates[d->t.n_changes];
    coord__v1__create__init(create);
    create->path = (char *)path;
    create->content = text(content);
    add_change(d, COORD__V1__CHANGE__OP_CREATE)->create = create;
    return create;
}

static Coord__V1__Put *add_put(struct draft *d, const char *path, const char *content)
{
    Coord__V1__Put *put = &d->puts[d->t.n_changes];
    coord__v1__put__init(put);
    put->path = (char *)path;
    put->content = text(content);
    add_change(d, COORD__V1__CHANGE__OP_PUT)->put = put;
    return put;
}

static Coord__V1__Delete *add_delete(struct draft *d, const char *path)
{
    Coord__V1__Delete *del = &d->deletes[d->t.n_changes];
    coord__v1__delete__init(del);
    del->path = (char *)path;
    add_change(d, COORD__V1__CHANGE__OP_DELETE)->delete_ = del;
    return del;
}

static int run(struct lab *l, uint64_t session, struct draft *d)
{
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    c.op_case = COORD__V1__COMMAND__OP_TRANSACTION;
    c.transaction = &d->t;
    c.session = session;
    c.seq = session == 0 ? 0 : ++l->seq[session];
    return lab_run(l, &c);
}

static uint32_t failed(const struct lab *l)
{
    CU_ASSERT_EQUAL_FATAL(l->answer->body_case, COORD__V1__ANSWER__BODY_DONE);
    CU_ASSERT_EQUAL(l->answer->done->n_stats, 0);
    CU_ASSERT_EQUAL(l->out.events_count, 0);
    return l->answer->done->failed;
}

static void expect_content(const struct lab *l, const char *path, const char *expected)
{
    char *content = lab_content(l, path);
    if (expected == NULL)
        CU_ASSERT_PTR_NULL(content);
    if (expected != NULL && content != NULL)
        CU_ASSERT_STRING_EQUAL(content, expected);
    CU_ASSERT_EQUAL(content == NULL, expected == NULL);
    free(content);
}

static void test_transaction__is_one_revision_and_tells_events_in_order(void)
{
    struct lab l;
    struct draft d;
    char events[256];
    lab_init(&l);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/old", "x"), ERR_OK);
    begin(&d);
    add_check(&d, "/old")->exists = true;
    add_check(&d, "/new")->absent = true;
    add_create(&d, "/new", "");
    add_create(&d, "/new/child", "c"); /* sees the parent made before it */
    add_put(&d, "/new", "n");
    add_delete(&d, "/old");
    uint64_t revision = state_revision(l.state);
    CU_ASSERT_EQUAL(run(&l, 0, &d), ERR_OK);
    CU_ASSERT_EQUAL(state_revision(l.state), revision + 1);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events),
                           "created /new, created /new/child, content /new, deleted /old");
    for (uint32_t i = 0; i < l.out.events_count; i++)
        CU_ASSERT_EQUAL(l.out.events[i].revision, revision + 1);
    CU_ASSERT_EQUAL_FATAL(l.answer->body_case, COORD__V1__ANSWER__BODY_DONE);
    const Coord__V1__TransactionDone *done = l.answer->done;
    CU_ASSERT_EQUAL(done->failed, 0);
    CU_ASSERT_EQUAL_FATAL(done->n_stats, 4);
    CU_ASSERT_STRING_EQUAL(done->stats[0]->path, "/new");
    CU_ASSERT_EQUAL(done->stats[0]->children_count, 0); /* as the change left it */
    CU_ASSERT_STRING_EQUAL(done->stats[1]->path, "/new/child");
    CU_ASSERT_EQUAL(done->stats[1]->instance, revision + 1);
    CU_ASSERT_EQUAL(done->stats[2]->content_bytes, 1);
    CU_ASSERT_EQUAL(done->stats[2]->children_count, 1);
    CU_ASSERT_STRING_EQUAL(done->stats[3]->path, "/old");
    CU_ASSERT_EQUAL(done->stats[3]->instance, 0);
    expect_content(&l, "/old", NULL);
    expect_content(&l, "/new", "n");
    lab_release(&l);
}

static void test_transaction__refused_changes_nothing_and_names_the_part(void)
{
    struct lab l;
    struct draft d;
    lab_init(&l);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/a", "x"), ERR_OK);
    uint64_t before[2], after[2];
    l.time_ms--; /* the same time again, so that nothing at all may differ */
    state_hash(l.state, before);
    begin(&d);
    add_check(&d, "/a")->exists = true;
    add_put(&d, "/a", "y");
    add_create(&d, "/a/b", "");
    add_create(&d, "/a/b", ""); /* the fourth part */
    add_delete(&d, "/a");
    CU_ASSERT_EQUAL(run(&l, 0, &d), ERR_NODE_EXISTS);
    CU_ASSERT_STRING_EQUAL(l.answer->message, "path: exists");
    CU_ASSERT_EQUAL(failed(&l), 4);
    state_hash(l.state, after);
    CU_ASSERT_TRUE(before[0] == after[0] && before[1] == after[1]);
    CU_ASSERT_EQUAL(state_history_floor(l.state), 1);
    expect_content(&l, "/a", "x");
    lab_release(&l);
}

static void test_transaction__every_check_is_made(void)
{
    struct lab l;
    struct draft d;
    lab_init(&l);
    uint64_t one = lab_open(&l, 1);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/a", "x"), ERR_OK);
    CU_ASSERT_EQUAL(lab_put(&l, 0, "/a", "y"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, one, 1, "/a"), ERR_OK);
    char *sequencer = lab_sequencer(&l);
    static const struct {
        Coord__V1__Check check;
        enum err expected;
    } table[] = {
#define WITH(...) {.base = PROTOBUF_C_MESSAGE_INIT(&coord__v1__check__descriptor), __VA_ARGS__}
        {WITH(.path = (char *)"/a", .exists = true), ERR_OK},
        {WITH(.path = (char *)"/b", .exists = true), ERR_NO_NODE},
        {WITH(.path = (char *)"/b", .absent = true), ERR_OK},
        {WITH(.path = (char *)"/a", .absent = true), ERR_NODE_EXISTS},
        {WITH(.path = (char *)"/a", .instance = 2), ERR_OK},
        {WITH(.path = (char *)"/a", .instance = 3), ERR_INSTANCE_GONE},
        {WITH(.path = (char *)"/b", .instance = 3), ERR_INSTANCE_GONE},
        {WITH(.path = (char *)"/a", .content_generation = 3), ERR_OK},
        {WITH(.path = (char *)"/a", .content_generation = 2), ERR_BAD_GENERATION},
        {WITH(.path = (char *)"/b", .content_generation = 2), ERR_NO_NODE},
        {WITH(.path = (char *)"/a", .exists = true, .absent = true), ERR_INVALID},
        {WITH(.path = (char *)"/a", .absent = true, .instance = 2), ERR_INVALID},
        {WITH(.path = (char *)"/a"), ERR_INVALID},
        {WITH(.path = (char *)"", .exists = true), ERR_INVALID},
        {WITH(.path = (char *)"", .sequencer = (char *)"x"), ERR_INVALID},
#undef WITH
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        Coord__V1__Check check = table[i].check;
        if (check.sequencer == NULL)
            check.sequencer = (char *)"";
        begin(&d);
        add_check(&d, "/a")->exists = true;
        d.check_list[d.t.n_checks++] = &check;
        CU_ASSERT_EQUAL(run(&l, 0, &d), table[i].expected);
        if (table[i].expected != ERR_OK)
            CU_ASSERT_EQUAL(failed(&l), 2);
    }
    begin(&d);
    add_check(&d, "")->sequencer = sequencer;
    add_create(&d, "/guarded", "");
    CU_ASSERT_EQUAL(run(&l, 0, &d), ERR_OK);
    CU_ASSERT_EQUAL(lab_release_lock(&l, one, 1, "/a"), ERR_OK);
    CU_ASSERT_EQUAL(run(&l, 0, &d), ERR_STALE_SEQUENCER);
    CU_ASSERT_EQUAL(failed(&l), 1);
    add_check(&d, "/nothing/asked/of/it")->sequencer = sequencer;
    d.check_list[0] = &d.checks[1];
    d.t.n_checks = 1;
    CU_ASSERT_EQUAL(run(&l, 0, &d), ERR_STALE_SEQUENCER);
    free(sequencer);
    lab_release(&l);
}

static void test_transaction__a_check_alone_is_a_read_in_the_log(void)
{
    struct lab l;
    struct draft d;
    lab_init(&l);
    begin(&d);
    add_check(&d, "/")->exists = true;
    uint64_t revision = state_revision(l.state);
    CU_ASSERT_EQUAL(run(&l, 0, &d), ERR_OK);
    CU_ASSERT_EQUAL(l.answer->body_case, COORD__V1__ANSWER__BODY_DONE);
    CU_ASSERT_EQUAL(l.answer->done->failed, 0);
    CU_ASSERT_EQUAL(state_revision(l.state), revision);
    begin(&d);
    CU_ASSERT_EQUAL(run(&l, 0, &d), ERR_INVALID);
    lab_release(&l);
}

static void test_transaction__of_a_session_happens_once(void)
{
    struct lab l;
    struct draft d;
    lab_init(&l);
    uint64_t one = lab_open(&l, 1);
    begin(&d);
    add_create(&d, "/n", "")->ephemeral = true;
    add_create(&d, "/m", "")->ephemeral = true;
    CU_ASSERT_EQUAL(run(&l, one, &d), ERR_OK);
    l.seq[one]--;
    CU_ASSERT_EQUAL(run(&l, one, &d), ERR_OK);
    CU_ASSERT_EQUAL(l.answer->done->n_stats, 2);
    CU_ASSERT_EQUAL(run(&l, one, &d), ERR_NODE_EXISTS);
    CU_ASSERT_EQUAL(failed(&l), 1);
    l.seq[one]--;
    CU_ASSERT_EQUAL(run(&l, one, &d), ERR_NODE_EXISTS);
    CU_ASSERT_EQUAL(failed(&l), 1);               /* kept with the answer */
    CU_ASSERT_EQUAL(run(&l, 0, &d), ERR_INVALID); /* ephemeral: of whom? */
    CU_ASSERT_EQUAL(failed(&l), 1);
    char events[128];
    CU_ASSERT_EQUAL(lab_end(&l, one), ERR_OK);
    CU_ASSERT_STRING_EQUAL(lab_events(&l, events, sizeof events), "deleted /m, deleted /n");
    lab_release(&l);
}

/* The claim on a deleted node comes back with the node. */
static void test_transaction__taken_back_a_holder_holds_as_before(void)
{
    struct lab l;
    struct draft d;
    lab_init(&l);
    uint64_t one = lab_open(&l, 1);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/p", ""), ERR_OK);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/p/l", "content"), ERR_OK);
    CU_ASSERT_EQUAL(lab_acquire(&l, one, 3, "/p/l"), ERR_OK);
    char *sequencer = lab_sequencer(&l);
    CU_ASSERT_EQUAL(lab_force(&l, 0, "/p/l"), ERR_OK);
    state_clean(l.state);
    begin(&d);
    add_delete(&d, "/p/l")->handle = 3;
    add_delete(&d, "/p");
    add_create(&d, "/p", "another");
    add_create(&d, "/p/l", "another");
    add_delete(&d, "/none");
    CU_ASSERT_EQUAL(run(&l, one, &d), ERR_NO_NODE);
    CU_ASSERT_EQUAL(failed(&l), 5);
    CU_ASSERT_EQUAL(lab_check(&l, sequencer), ERR_OK);
    CU_ASSERT_EQUAL(state_session_hold(l.state, one), STATE_HOLD_REVOKED);
    CU_ASSERT_EQUAL(lab_notes(&l, one, STATE_SESSION_RESTORED), 0);
    expect_content(&l, "/p/l", "content");
    struct state *copy = lab_reload(l.state);
    CU_ASSERT_TRUE(lab_same_hash(l.state, copy));
    state_free(copy);

    d.t.n_changes--;
    CU_ASSERT_EQUAL(run(&l, one, &d), ERR_OK);
    CU_ASSERT_EQUAL(lab_notes(&l, one, STATE_SESSION_RESTORED), 1);
    CU_ASSERT_EQUAL(lab_check(&l, sequencer), ERR_STALE_SEQUENCER);
    expect_content(&l, "/p/l", "another");
    free(sequencer);
    lab_release(&l);
}

static void test_transaction__has_its_bounds(void)
{
    struct lab l;
    Coord__V1__Check check = COORD__V1__CHECK__INIT, *checks[LIMIT_TRANSACTION_PARTS + 1];
    Coord__V1__Put put = COORD__V1__PUT__INIT;
    Coord__V1__Change change = COORD__V1__CHANGE__INIT, *changes[9];
    Coord__V1__Transaction t = COORD__V1__TRANSACTION__INIT;
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    char why[100];
    lab_init(&l);
    check.path = (char *)"/";
    check.exists = true;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        checks[i] = &check;
    t.checks = checks;
    t.n_checks = LIMIT_TRANSACTION_PARTS;
    c.op_case = COORD__V1__COMMAND__OP_TRANSACTION;
    c.transaction = &t;
    CU_ASSERT_EQUAL(lab_run(&l, &c), ERR_OK);
    t.n_checks++;
    CU_ASSERT_EQUAL(lab_run(&l, &c), ERR_TOO_LARGE);
    CU_ASSERT_EQUAL(state_check_command(&c, why, sizeof why), ERR_TOO_LARGE);

    put.path = (char *)"/";
    put.content.len = LIMIT_CONTENT_BYTES;
    put.content.data = check_calloc(1, LIMIT_CONTENT_BYTES + 1);
    change.op_case = COORD__V1__CHANGE__OP_PUT;
    change.put = &put;
    for (size_t i = 0; i < 9; i++)
        changes[i] = &change;
    t.n_checks = 0;
    t.changes = changes;
    t.n_changes = LIMIT_TRANSACTION_BYTES / LIMIT_CONTENT_BYTES;
    CU_ASSERT_EQUAL(lab_run(&l, &c), ERR_OK);
    t.n_changes++;
    CU_ASSERT_EQUAL(lab_run(&l, &c), ERR_TOO_LARGE);
    CU_ASSERT_EQUAL(strncmp(l.answer->message, "content:", 8), 0);
    put.content.len++;
    t.n_changes = 2;
    CU_ASSERT_EQUAL(lab_run(&l, &c), ERR_TOO_LARGE);
    CU_ASSERT_EQUAL(failed(&l), 1);
    free(put.content.data);
    lab_release(&l);
}

/* ---- names with a number ---- */

static int create_next(struct lab *l, uint64_t session, const char *path)
{
    Coord__V1__Create create = COORD__V1__CREATE__INIT;
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    create.path = (char *)path;
    create.sequential = true;
    c.op_case = COORD__V1__COMMAND__OP_CREATE;
    c.create = &create;
    c.session = session;
    c.seq = session == 0 ? 0 : ++l->seq[session];
    return lab_run(l, &c);
}

static void test_sequential__names_rise_in_the_whole_cell(void)
{
    struct lab l;
    lab_init(&l);
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/q", ""), ERR_OK);
    CU_ASSERT_EQUAL(create_next(&l, 0, "/q/job-"), ERR_OK);
    CU_ASSERT_STRING_EQUAL(l.answer->stat->path, "/q/job-00000000000000000001");
    CU_ASSERT_EQUAL(create_next(&l, 0, "/other"), ERR_OK);
    CU_ASSERT_STRING_EQUAL(l.answer->stat->path, "/other00000000000000000002");
    CU_ASSERT_EQUAL(lab_delete(&l, 0, "/other00000000000000000002"), ERR_OK);
    CU_ASSERT_EQUAL(create_next(&l, 0, "/none/x"), ERR_NO_NODE); /* uses no number up */
    CU_ASSERT_EQUAL(create_next(&l, 0, "/q/"), ERR_OK);
    CU_ASSERT_STRING_EQUAL(l.answer->stat->path, "/q/00000000000000000003");
    CU_ASSERT_EQUAL(lab_create(&l, 0, "/q/job-00000000000000000004", ""), ERR_OK);
    struct state *copy = lab_reload(l.state);
    state_free(l.state);
    l.state = copy;
    CU_ASSERT_EQUAL(create_next(&l, 0, "/q/job-"), ERR_OK); /* made by hand: passed over */
    CU_ASSERT_STRING_EQUAL(l.answer->stat->path, "/q/job-00000000000000000005");
    CU_ASSERT_EQUAL(create_next(&l, 0, "/"), ERR_OK);
    CU_ASSERT_STRING_EQUAL(l.answer->stat->path, "/00000000000000000006");
    lab_release(&l);
}

static void test_sequential__the_whole_name_is_within_the_limits(void)
{
    struct lab l;
    char path[STATE_PATH_BYTES_HARD + 2];
    lab_init(&l);
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[1 + 235] = '\0';
    CU_ASSERT_EQUAL(create_next(&l, 0, path), ERR_OK);
    path[1 + 235] = 'x';
    path[1 + 236] = '\0';
    CU_ASSERT_EQUAL(create_next(&l, 0, path), ERR_TOO_LARGE);
    path[1 + 236] = 'x';
    path[STATE_PATH_BYTES_HARD + 1] = '\0';
    CU_ASSERT_EQUAL(create_next(&l, 0, path), ERR_TOO_LARGE);
    CU_ASSERT_EQUAL(create_next(&l, 0, ""), ERR_INVALID);
    CU_ASSERT_EQUAL(create_next(&l, 0, "x"), ERR_INVALID);
    CU_ASSERT_EQUAL(create_next(&l, 0, "//"), ERR_INVALID);
    CU_ASSERT_EQUAL(create_next(&l, 0, "/\xff"), ERR_INVALID);
    lab_release(&l);
}

static void test_sequential__a_refused_transaction_gives_its_numbers_back(void)
{
    struct lab l;
    struct draft d;
    lab_init(&l);
    begin(&d);
    add_create(&d, "/a", "")->sequential = true;
    add_create(&d, "/a", "")->sequential = true;
    add_create(&d, "/none/b", "");
    CU_ASSERT_EQUAL(run(&l, 0, &d), ERR_NO_NODE);
    d.t.n_changes--;
    CU_ASSERT_EQUAL(run(&l, 0, &d), ERR_OK);
    CU_ASSERT_STRING_EQUAL(l.answer->done->stats[0]->path, "/a00000000000000000001");
    CU_ASSERT_STRING_EQUAL(l.answer->done->stats[1]->path, "/a00000000000000000002");
    lab_release(&l);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_transaction__is_one_revision_and_tells_events_in_order),
        TEST(test_transaction__refused_changes_nothing_and_names_the_part),
        TEST(test_transaction__every_check_is_made),
        TEST(test_transaction__a_check_alone_is_a_read_in_the_log),
        TEST(test_transaction__of_a_session_happens_once),
        TEST(test_transaction__taken_back_a_holder_holds_as_before),
        TEST(test_transaction__has_its_bounds),
        TEST(test_sequential__names_rise_in_the_whole_cell),
        TEST(test_sequential__the_whole_name_is_within_the_limits),
        TEST(test_sequential__a_refused_transaction_gives_its_numbers_back),
    };
    return run_suite("state transaction", cases, sizeof cases / sizeof cases[0], argc, argv);
}
