/* The checkers are given histories that are bad on purpose: each must be found,
 * and the good one beside it must pass. */
#include "coordd/state/state.h"
#include "tests/sim/bench.h"
#include "tests/sim/check_belief.h"
#include "tests/sim/check_read.h"
#include "tests/sim/check_reply.h"
#include "tests/sim/paths.h"
#include "tests/support/runner.h"

#include <string.h>

static struct sim sim;

static void hold(uint32_t client, const char *path, uint64_t generation)
{
    struct player *p = &sim.clients[client].player;
    static struct hold holds[3][1];
    holds[client][0] =
        (struct hold){.path = path_index(path), .generation = generation, .exclusive = true};
    p->holds = holds[client];
    p->holds_count = 1;
}

static void end(void)
{
    for (uint32_t i = 0; i < sim.swarm.clients; i++)
        sim.clients[i].player.holds = NULL; /* the test's own */
    bench_end(&sim);
}

/* ---- the model ---- */

static const struct model_version *now(const char *path)
{
    uint32_t found = model_find(&sim.model, path);
    return found == UINT32_MAX ? NULL : model_now(&sim.model, found);
}

static void test_model__a_repeated_seq_is_applied_once(void)
{
    bench_begin(&sim);
    bench_open(&sim, 1);
    bench_put(&sim, 1, 1, "/d0", "first");
    uint64_t revision = sim.model.revision;
    bench_put(&sim, 1, 1, "/d0", "first");
    CU_ASSERT_EQUAL(sim.model.revision, revision);
    CU_ASSERT_EQUAL(sim.journal.counts[COUNT_DUPLICATES_IN_LOG], 1);
    end();
}

static void test_model__release_hands_the_lock_to_the_next_in_one_revision(void)
{
    bench_begin(&sim);
    bench_open(&sim, 1);
    bench_open(&sim, 2);
    bench_put(&sim, 1, 1, "/l0", "");
    bench_acquire(&sim, 1, 2, "/l0");
    bench_acquire(&sim, 2, 1, "/l0");
    CU_ASSERT_TRUE(model_answer(&sim.model, 2, 1)->waiting);
    uint64_t revision = sim.model.revision;
    bench_release(&sim, 1, 3, "/l0", 2);
    CU_ASSERT_EQUAL(sim.model.revision, revision + 1);
    CU_ASSERT_FALSE(model_answer(&sim.model, 2, 1)->waiting);
    CU_ASSERT_EQUAL(model_answer(&sim.model, 2, 1)->generation, revision + 1);
    CU_ASSERT_EQUAL(now("/l0")->holders[0], revision + 1);
    end();
}

static void test_model__an_expired_session_gives_up_what_it_held(void)
{
    bench_begin(&sim);
    bench_open(&sim, 1);
    bench_put(&sim, 1, 1, "/l0", "");
    bench_acquire(&sim, 1, 2, "/l0");
    CU_ASSERT_EQUAL(now("/l0")->holders_count, 1);
    bench_expire(&sim, 1);
    CU_ASSERT_EQUAL(now("/l0")->holders_count, 0);
    CU_ASSERT_FALSE(model_session(&sim.model, 1)->alive);
    end();
}

/* ---- beliefs ---- */

static void test_belief__two_believers_are_found(void)
{
    bench_begin(&sim);
    bench_safe_client(&sim, 0, 1);
    bench_safe_client(&sim, 1, 2);
    hold(0, "/l0", 5);
    check_belief(&sim, &sim.clients[0]);
    CU_ASSERT_FALSE(bench_failed(&sim));
    hold(1, "/l0", 6);
    check_belief(&sim, &sim.clients[1]);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

static void test_belief__those_who_share_may_be_many_but_not_beside_an_exclusive(void)
{
    bench_begin(&sim);
    bench_safe_client(&sim, 0, 1);
    bench_safe_client(&sim, 1, 2);
    hold(0, "/l0", 5);
    hold(1, "/l0", 5);
    sim.clients[0].player.holds[0].exclusive = sim.clients[1].player.holds[0].exclusive = false;
    check_belief(&sim, &sim.clients[1]);
    CU_ASSERT_FALSE(bench_failed(&sim));
    sim.clients[0].player.holds[0].exclusive = true;
    check_belief(&sim, &sim.clients[1]);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

static void test_belief__a_delay_cut_short_is_found(void)
{
    bench_begin(&sim);
    check_delay_began(&sim, path_index("/l0"), 1000);
    sim.now_ns += NS_PER_S;
    check_delay_over(&sim, path_index("/l0"));
    CU_ASSERT_FALSE(bench_failed(&sim));
    check_delay_began(&sim, path_index("/l0"), 1000);
    sim.now_ns += NS_PER_S / 2;
    check_delay_over(&sim, path_index("/l0"));
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

static void test_belief__whose_lease_ran_out_believes_no_more(void)
{
    bench_begin(&sim);
    bench_safe_client(&sim, 0, 1);
    sim.now_ns += 11 * NS_PER_S;
    bench_safe_client(&sim, 1, 2);
    hold(0, "/l0", 5);
    hold(1, "/l0", 6);
    check_belief(&sim, &sim.clients[1]);
    CU_ASSERT_FALSE(bench_failed(&sim));
    end();
}

static void test_belief__a_grant_over_a_believer_is_found(void)
{
    bench_begin(&sim);
    bench_open(&sim, 1);
    bench_open(&sim, 2);
    bench_put(&sim, 1, 1, "/l0", "");
    bench_safe_client(&sim, 0, 1);
    hold(0, "/l0", 2); /* of which the log knows nothing */
    bench_acquire(&sim, 2, 1, "/l0");
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

static void test_belief__an_expiry_within_the_lease_is_found(void)
{
    bench_begin(&sim);
    bench_open(&sim, 1);
    bench_safe_client(&sim, 0, 1);
    sim.now_ns += 9 * NS_PER_S;
    bench_expire(&sim, 1);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

static void test_belief__an_expiry_after_the_lease_is_well(void)
{
    bench_begin(&sim);
    bench_open(&sim, 1);
    bench_safe_client(&sim, 0, 1);
    sim.now_ns += 10 * NS_PER_S;
    bench_expire(&sim, 1);
    CU_ASSERT_FALSE(bench_failed(&sim));
    end();
}

static void test_belief__a_grant_that_nobody_made_is_found(void)
{
    struct call call = {.path = path_index("/l0")};
    Coord__V1__Sequencer granted = COORD__V1__SEQUENCER__INIT;
    bench_begin(&sim);
    bench_put(&sim, 0, 0, "/l0", "");
    granted.generation = granted.instance = sim.model.revision;
    check_granted(&sim, &sim.clients[0], &call, &granted);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

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
    end();
}

/* Before the call was made somebody had been shown revision 3. */
static void test_read__a_stale_answer_is_found(void)
{
    two_writes();
    see("/d0", "content 1", 2, 3);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

static void test_read__an_older_state_of_concurrent_time_is_well(void)
{
    two_writes();
    see("/d0", "content 1", 2, 2);
    CU_ASSERT_FALSE(bench_failed(&sim));
    end();
}

static void test_read__another_content_is_found(void)
{
    two_writes();
    see("/d0", "content 1", 3, 2);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
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
    end();
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
    end();
}

static void test_reply__an_answer_before_the_write_is_chosen_is_found(void)
{
    one_write();
    reply(2, ERR_OK, 3);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

static void test_reply__another_revision_is_found(void)
{
    one_write();
    reply(1, ERR_OK, 3);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

static void test_reply__a_forgotten_answer_is_found(void)
{
    one_write();
    reply(1, ERR_MAYBE_APPLIED, 2);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
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
    end();
}

/* ---- watches ---- */

static void event(enum state_event_kind kind, uint64_t revision)
{
    Coord__V1__Event e = COORD__V1__EVENT__INIT;
    Coord__V1__Stat stat = COORD__V1__STAT__INIT;
    const struct model_version *v = model_at(&sim.model, model_find(&sim.model, "/d0"), revision);
    e.watch = 1;
    e.kind = (Coord__V1__Event__Kind)kind;
    e.revision = revision;
    if (kind != STATE_EVENT_DELETED) {
        e.stat = &stat;
        stat.instance = v->instance;
        stat.content_generation = v->content_generation;
        stat.lock_generation = v->lock_generation;
    }
    watcher_event(&sim.clients[0], &e);
}

/* A watch that knows revision 2, of two writes. */
static void watched_writes(void)
{
    Coord__V1__Watch asked = COORD__V1__WATCH__INIT;
    Coord__V1__Answer a = COORD__V1__ANSWER__INIT;
    Coord__V1__Stat stat = COORD__V1__STAT__INIT;
    two_writes();
    a.revision = 2;
    a.body_case = COORD__V1__ANSWER__BODY_STAT;
    a.stat = &stat;
    asked.id = 1;
    asked.content = true;
    watcher_add(&sim.clients[0].watcher, path_index("/d0"), &asked);
    watcher_answer(&sim.clients[0], 1, &a);
}

static void test_watch__who_is_told_all_is_settled(void)
{
    watched_writes();
    event(STATE_EVENT_CONTENT, 3);
    watcher_settled(&sim.clients[0]);
    CU_ASSERT_FALSE(bench_failed(&sim));
    end();
}

static void test_watch__a_missed_change_is_found_in_the_end(void)
{
    watched_writes();
    watcher_settled(&sim.clients[0]);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

static void test_watch__an_event_twice_is_found(void)
{
    watched_writes();
    event(STATE_EVENT_CONTENT, 3);
    event(STATE_EVENT_CONTENT, 3);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

static void test_watch__going_back_is_found(void)
{
    watched_writes();
    bench_put(&sim, 0, 0, "/d0", "content 3");
    event(STATE_EVENT_CONTENT, 3);
    event(STATE_EVENT_CONTENT, 4);
    CU_ASSERT_FALSE(bench_failed(&sim));
    event(STATE_EVENT_CONTENT, 3);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

static void test_watch__a_gap_is_found_at_once(void)
{
    watched_writes();
    bench_put(&sim, 0, 0, "/d0", "content 3");
    event(STATE_EVENT_CONTENT, 4);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

static void resync(uint64_t revision)
{
    Coord__V1__Event e = COORD__V1__EVENT__INIT;
    e.watch = 1;
    e.kind = COORD__V1__EVENT__KIND__RESYNC;
    e.revision = revision;
    watcher_event(&sim.clients[0], &e);
}

static void test_watch__who_reads_slowly_may_read_anew_instead(void)
{
    watched_writes();
    sim.clients[0].lagged = true;
    resync(3);
    watcher_settled(&sim.clients[0]);
    CU_ASSERT_FALSE(bench_failed(&sim));
    end();
}

static void test_watch__who_reads_in_time_need_not_read_anew(void)
{
    watched_writes();
    sim.clients[0].lagged = false;
    resync(3);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

static void test_watch__a_deletion_that_was_none_is_found(void)
{
    watched_writes();
    event(STATE_EVENT_DELETED, 3);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

/* The client is shown revision 3 and was not told of it. */
static void test_watch__an_answer_before_its_event_is_found(void)
{
    watched_writes();
    watcher_shown(&sim.clients[0], 3);
    CU_ASSERT_TRUE(bench_failed(&sim));
    end();
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_model__a_repeated_seq_is_applied_once),
        TEST(test_model__release_hands_the_lock_to_the_next_in_one_revision),
        TEST(test_model__an_expired_session_gives_up_what_it_held),
        TEST(test_belief__two_believers_are_found),
        TEST(test_belief__those_who_share_may_be_many_but_not_beside_an_exclusive),
        TEST(test_belief__a_delay_cut_short_is_found),
        TEST(test_belief__whose_lease_ran_out_believes_no_more),
        TEST(test_belief__a_grant_over_a_believer_is_found),
        TEST(test_belief__an_expiry_within_the_lease_is_found),
        TEST(test_belief__an_expiry_after_the_lease_is_well),
        TEST(test_belief__a_grant_that_nobody_made_is_found),
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
        TEST(test_watch__who_is_told_all_is_settled),
        TEST(test_watch__a_missed_change_is_found_in_the_end),
        TEST(test_watch__an_event_twice_is_found),
        TEST(test_watch__going_back_is_found),
        TEST(test_watch__a_gap_is_found_at_once),
        TEST(test_watch__who_reads_slowly_may_read_anew_instead),
        TEST(test_watch__who_reads_in_time_need_not_read_anew),
        TEST(test_watch__a_deletion_that_was_none_is_found),
        TEST(test_watch__an_answer_before_its_event_is_found),
    };
    return run_suite("sim_check", cases, sizeof cases / sizeof cases[0], argc, argv);
}
