/* Answers, to clients and of servers, judged on histories that are bad on purpose:
 * each must be found, and the good one beside it must pass. */
#include "tests/sim/bench.h"
#include "tests/sim/check_read.h"
#include "tests/sim/check_reply.h"
#include "tests/sim/paths.h"
#include "tests/support/runner.h"

#include <string.h>

static struct sim sim;

/* ---- answers to clients ---- */

static void see(const char *path, const char *content, uint64_t revision, uint64_t floor)
{
    struct call call = {.op = OP_GET, .path = path_index(path), .floor = floor};
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
        TEST(test_read__a_write_said_not_to_have_happened_is_found),
        TEST(test_reply__the_answer_of_the_log_is_well),
        TEST(test_reply__an_answer_before_the_write_is_chosen_is_found),
        TEST(test_reply__another_revision_is_found),
        TEST(test_reply__a_forgotten_answer_is_found),
        TEST(test_reply__a_keepalive_of_an_expired_session_is_found),
    };
    return run_suite("sim_check_read", cases, sizeof cases / sizeof cases[0], argc, argv);
}
