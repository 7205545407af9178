/* Answers, to clients and of servers, judged on histories that are bad on purpose:
 * each must be found, and the good one beside it must pass. */
#include "tests/sim/bench.h"
#include "tests/sim/check_read.h"
#include "tests/sim/check_reply.h"
#include "tests/sim/paths.h"
#include "tests/sim/player_internal.h"
#include "tests/support/runner.h"

#include <string.h>

static struct sim sim;

/* ---- answers to clients ---- */

static bool need_not_be_fresh; /* the next read */

static void see(const char *path, const char *content, uint64_t revision, uint64_t floor)
{
    struct call call = {
        .op = OP_GET, .path = path_index(path), .floor = floor, .stale = need_not_be_fresh};
    need_not_be_fresh = false;
    Coord__V1__Answer a = COORD__V1__ANSWER__INIT;
    Coord__V1__Content body = COORD__V1__CONTENT__INIT;
    Coord__V1__Stat stat = COORD__V1__STAT__INIT;
    const struct model_version *v = model_at(&sim.model, model_find(&sim.model, path), revision);
    a.revision = revision;
    a.body_case = COORD__V1__ANSWER__BODY_CONTENT;
    a.content = &body;
    body.data.data = (uint8_t *)(uintptr_t)content;
    body.data.len = strlen(content);
    body.stat = &stat;
    stat.instance = v->instance;
    stat.content_generation = v->content_generation;
    stat.lock_generation = v->lock_generation;
    stat.children_generation = v->children_generation;
    stat.content_bytes = v->content_length;
    check_answer(&sim, 0, &call, ERR_OK, &a);
}

static void two_writes(void)
{
    bench_begin(&sim);
    bench_put(&sim, 0, 0, "/d0", "content 1");
    bench_put(&sim, 0, 0, "/d0", "content 2");
}

static void test_read__the_present_is_well(void)
{
    two_writes();
    see("/d0", "content 2", 3, 3);
    CU_ASSERT_FALSE(bench_failed(&sim));
    bench_end(&sim);
}

/* Before the call was made somebody had been shown revision 3. */
static void test_read__a_stale_answer_is_found(void)
{
    two_writes();
    see("/d0", "content 1", 2, 3);
    CU_ASSERT_TRUE(bench_failed(&sim));
    bench_end(&sim);
}

static void test_read__an_older_state_of_concurrent_time_is_well(void)
{
    two_writes();
    see("/d0", "content 1", 2, 2);
    CU_ASSERT_FALSE(bench_failed(&sim));
    bench_end(&sim);
}

static void test_read__another_content_is_found(void)
{
    two_writes();
    see("/d0", "content 1", 3, 2);
    CU_ASSERT_TRUE(bench_failed(&sim));
    bench_end(&sim);
}

static void test_read__that_need_not_be_fresh_may_be_old(void)
{
    two_writes();
    need_not_be_fresh = true;
    see("/d0", "content 1", 2, 3);
    CU_ASSERT_FALSE(bench_failed(&sim));
    bench_end(&sim);
}

static void test_read__that_need_not_be_fresh_must_still_be_true(void)
{
    two_writes();
    need_not_be_fresh = true;
    see("/d0", "content 2", 2, 3);
    CU_ASSERT_TRUE(bench_failed(&sim));
    bench_end(&sim);
}

static void test_read__nobody_is_shown_less_than_a_stale_read_showed(void)
{
    two_writes();
    need_not_be_fresh = true;
    see("/d0", "content 2", 3, 0);
    CU_ASSERT_EQUAL(sim.acknowledged_revision, 3);
    bench_end(&sim);
}

/* Where clocks break their bound only a quorum makes a read fresh. */
static void read_with_wild_clocks(uint32_t quorum_ppm)
{
    struct call call = {0};
    two_writes();
    sim.swarm.wild_clocks = 1;
    sim.swarm.quorum_ppm = quorum_ppm;
    Coord__V1__Freshness freshness = player_freshness(&sim, &call);
    CU_ASSERT_EQUAL(freshness,
                    quorum_ppm == 0 ? COORD__V1__FRESHNESS__LEASE : COORD__V1__FRESHNESS__QUORUM);
    need_not_be_fresh = call.stale;
    see("/d0", "content 1", 2, 3);
}

static void test_read__an_old_answer_by_quorum_is_found_whatever_the_clocks(void)
{
    read_with_wild_clocks(PPM);
    CU_ASSERT_TRUE(bench_failed(&sim));
    bench_end(&sim);
}

static void test_read__an_old_answer_under_a_lease_is_well_if_clocks_are_wild(void)
{
    read_with_wild_clocks(0);
    CU_ASSERT_FALSE(bench_failed(&sim));
    bench_end(&sim);
}

/* ---- transactions ---- */

/* /d0 and /d1 are put in one; the answer has `stats` of them, the last with this
 * generation. */
static void transact(uint32_t stats, uint64_t generation)
{
    struct call call = {.op = OP_TRANSACTION, .changes = 2};
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    Coord__V1__Transaction t = COORD__V1__TRANSACTION__INIT;
    Coord__V1__Change first = COORD__V1__CHANGE__INIT, second = COORD__V1__CHANGE__INIT;
    Coord__V1__Change *changes[2] = {&first, &second};
    Coord__V1__Put puts[2] = {COORD__V1__PUT__INIT, COORD__V1__PUT__INIT};
    Coord__V1__Answer a = COORD__V1__ANSWER__INIT;
    Coord__V1__TransactionDone done = COORD__V1__TRANSACTION_DONE__INIT;
    Coord__V1__Stat shown[2] = {COORD__V1__STAT__INIT, COORD__V1__STAT__INIT};
    Coord__V1__Stat *list[2] = {&shown[0], &shown[1]};
    char paths[2][4] = {"/d0", "/d1"};
    two_writes();
    for (int i = 0; i < 2; i++) {
        puts[i].path = shown[i].path = paths[i];
        puts[i].create = true;
        changes[i]->op_case = COORD__V1__CHANGE__OP_PUT;
        changes[i]->put = &puts[i];
        shown[i].content_generation = 4;
        shown[i].instance = i == 0 ? 2 : 4;
    }
    shown[1].content_generation = generation;
    t.n_changes = 2;
    t.changes = changes;
    c.op_case = COORD__V1__COMMAND__OP_TRANSACTION;
    c.transaction = &t;
    bench_choose(&sim, &c);
    done.n_stats = stats;
    done.stats = list;
    a.revision = 4;
    a.body_case = COORD__V1__ANSWER__BODY_DONE;
    a.done = &done;
    check_answer(&sim, 0, &call, ERR_OK, &a);
}

static void test_transaction__as_the_log_has_it_is_well(void)
{
    transact(2, 4);
    CU_ASSERT_FALSE(bench_failed(&sim));
    bench_end(&sim);
}

static void test_transaction__with_a_part_left_out_is_found(void)
{
    transact(1, 4);
    CU_ASSERT_TRUE(bench_failed(&sim));
    bench_end(&sim);
}

static void test_transaction__with_a_part_of_another_revision_is_found(void)
{
    transact(2, 3);
    CU_ASSERT_TRUE(bench_failed(&sim));
    bench_end(&sim);
}

/* Half of it: the first part is in the log, the other is not. */
static void test_transaction__half_done_is_found(void)
{
    struct call call = {.op = OP_TRANSACTION, .changes = 2};
    Coord__V1__Answer a = COORD__V1__ANSWER__INIT;
    Coord__V1__TransactionDone done = COORD__V1__TRANSACTION_DONE__INIT;
    Coord__V1__Stat shown[2] = {COORD__V1__STAT__INIT, COORD__V1__STAT__INIT};
    Coord__V1__Stat *list[2] = {&shown[0], &shown[1]};
    char paths[2][4] = {"/d0", "/d1"};
    two_writes();
    for (int i = 0; i < 2; i++) {
        shown[i].path = paths[i];
        shown[i].content_generation = 3;
        shown[i].content_bytes = 9;
        shown[i].instance = 2;
    }
    done.n_stats = 2;
    done.stats = list;
    a.revision = 3;
    a.body_case = COORD__V1__ANSWER__BODY_DONE;
    a.done = &done;
    check_answer(&sim, 0, &call, ERR_OK, &a);
    CU_ASSERT_TRUE(bench_failed(&sim));
    bench_end(&sim);
}

/* ---- what did not happen ---- */

static void test_read__a_write_said_not_to_have_happened_is_found(void)
{
    const uint8_t seven[9] = {7};
    static uint64_t never[1] = {7};
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;
    Coord__V1__Put put = COORD__V1__PUT__INIT;
    char path[] = "/d0";
    bench_begin(&sim);
    sim.clients[1].player.never = never;
    sim.clients[1].player.never_count = 1;
    check_never_written(&sim);
    CU_ASSERT_FALSE(bench_failed(&sim));
    put.path = path;
    put.create = true;
    put.content.data = (uint8_t *)(uintptr_t)seven;
    put.content.len = 8;
    c.op_case = COORD__V1__COMMAND__OP_PUT;
    c.put = &put;
    bench_choose(&sim, &c);
    check_never_written(&sim);
    CU_ASSERT_TRUE(bench_failed(&sim));
    sim.clients[1].player.never = NULL;
    bench_end(&sim);
}

/* ---- answers of servers ---- */

static void reply(uint64_t seq, enum err status, uint64_t revision)
{
    uint8_t bytes[256];
    Coord__V1__Answer answer = COORD__V1__ANSWER__INIT;
    Coord__V1__Answered answered = COORD__V1__ANSWERED__INIT;
    Coord__V1__Item item = COORD__V1__ITEM__INIT, *items[1] = {&item};
    Coord__V1__SessionReply r = COORD__V1__SESSION_REPLY__INIT;
    uint64_t id = channel_open(&sim, 0, 0, REPLICA_STREAM_SESSION, 0);
    channel_find(&sim, id)->session = 1;
    answer.status = (Coord__V1__Status)status;
    answer.revision = revision;
    answered.seq = seq;
    answered.answer = &answer;
    item.kind_case = COORD__V1__ITEM__KIND_ANSWERED;
    item.answered = &answered;
    r.n_items = 1;
    r.items = items;
    size_t length = coord__v1__session_reply__pack(&r, bytes);
    check_reply(&sim, &sim.servers[0], id, slice_of(bytes, length));
}

static void one_write(void)
{
    bench_begin(&sim);
    bench_open(&sim, 1);
    bench_put(&sim, 1, 1, "/d0", "content");
}

static void test_reply__the_answer_of_the_log_is_well(void)
{
    one_write();
    reply(1, ERR_OK, 2);
    CU_ASSERT_FALSE(bench_failed(&sim));
    bench_end(&sim);
}

static void test_reply__an_answer_before_the_write_is_chosen_is_found(void)
{
    one_write();
    reply(2, ERR_OK, 3);
    CU_ASSERT_TRUE(bench_failed(&sim));
    bench_end(&sim);
}

static void test_reply__another_revision_is_found(void)
{
    one_write();
    reply(1, ERR_OK, 3);
    CU_ASSERT_TRUE(bench_failed(&sim));
    bench_end(&sim);
}

static void test_reply__a_forgotten_answer_is_found(void)
{
    one_write();
    reply(1, ERR_MAYBE_APPLIED, 2);
    CU_ASSERT_TRUE(bench_failed(&sim));
    bench_end(&sim);
}

static void beat(uint64_t session, enum err status)
{
    uint8_t bytes[64];
    Coord__V1__BeatAnswer answer = COORD__V1__BEAT_ANSWER__INIT, *answers[1] = {&answer};
    Coord__V1__KeepAliveReply r = COORD__V1__KEEP_ALIVE_REPLY__INIT;
    uint64_t id = channel_open(&sim, 0, 0, REPLICA_STREAM_KEEPALIVE, 0);
    answer.session = session;
    answer.status = (Coord__V1__Status)status;
    r.n_answers = 1;
    r.answers = answers;
    size_t length = coord__v1__keep_alive_reply__pack(&r, bytes);
    check_reply(&sim, &sim.servers[0], id, slice_of(bytes, length));
}

static void test_reply__a_keepalive_of_an_expired_session_is_found(void)
{
    one_write();
    beat(1, ERR_OK);
    CU_ASSERT_FALSE(bench_failed(&sim));
    bench_expire(&sim, 1);
    beat(1, ERR_OK);
    CU_ASSERT_TRUE(bench_failed(&sim));
    bench_end(&sim);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_read__the_present_is_well),
        TEST(test_read__a_stale_answer_is_found),
        TEST(test_read__an_older_state_of_concurrent_time_is_well),
        TEST(test_read__another_content_is_found),
        TEST(test_read__that_need_not_be_fresh_may_be_old),
        TEST(test_read__that_need_not_be_fresh_must_still_be_true),
        TEST(test_read__nobody_is_shown_less_than_a_stale_read_showed),
        TEST(test_read__an_old_answer_by_quorum_is_found_whatever_the_clocks),
        TEST(test_read__an_old_answer_under_a_lease_is_well_if_clocks_are_wild),
        TEST(test_transaction__as_the_log_has_it_is_well),
        TEST(test_transaction__with_a_part_left_out_is_found),
        TEST(test_transaction__with_a_part_of_another_revision_is_found),
        TEST(test_transaction__half_done_is_found),
        TEST(test_read__a_write_said_not_to_have_happened_is_found),
        TEST(test_reply__the_answer_of_the_log_is_well),
        TEST(test_reply__an_answer_before_the_write_is_chosen_is_found),
        TEST(test_reply__another_revision_is_found),
        TEST(test_reply__a_forgotten_answer_is_found),
        TEST(test_reply__a_keepalive_of_an_expired_session_is_found),
    };
    return run_suite("sim_check_read", cases, sizeof cases / sizeof cases[0], argc, argv);
}
