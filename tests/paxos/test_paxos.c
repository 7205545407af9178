/* test_paxos.c - stories of a few replicas: elections, leases, values that must
 * survive, replicas that were away. */
#include "tests/paxos/cluster.h"
#include "tests/support/runner.h"

#include <CUnit/CUnit.h>
#include <string.h>

#include "libcoord/base/units.h"

enum { PATIENCE_MS = 5000 };

static int leader_of(struct cluster *c)
{
    int leader = cluster_leader(c, PATIENCE_MS);

    CU_ASSERT_TRUE_FATAL(leader >= 0);
    return leader;
}

static void test_paxos__a_new_cell_elects_one_leader_and_opens(void)
{
    struct cluster *c = cluster_new(5);
    int leader = leader_of(c), leaders = 0;

    for (int i = 0; i < 5; i++)
        leaders += paxos_lease_valid(c->machines[i].paxos, c->now_ns);
    CU_ASSERT_EQUAL(leaders, 1);
    CU_ASSERT_TRUE(paxos_open(c->machines[leader].paxos));
    cluster_free(c);
}

static void test_paxos__a_value_is_applied_by_all(void)
{
    struct cluster *c = cluster_new(5);

    CU_ASSERT_TRUE_FATAL(cluster_propose(c, leader_of(c), "create /a"));
    cluster_run(c, 200);
    CU_ASSERT_EQUAL(cluster_applied_by(c, "create /a"), 5);
    cluster_free(c);
}

/* A cell serves nobody before every member holds the entry that binds it. */
static void test_paxos__a_cell_does_not_open_while_a_member_is_missing(void)
{
    struct cluster *c = cluster_new(5);

    cluster_crash(c, 3);
    CU_ASSERT_EQUAL(cluster_leader(c, 3000), -1);
    cluster_start(c, 3);
    CU_ASSERT_TRUE(cluster_leader(c, PATIENCE_MS) >= 0);
    cluster_free(c);
}

/* A leader cut off from the majority gets nothing chosen: the majority moves on
 * at a higher ballot (Lamport 2001, 2.4). */
static void test_paxos__an_isolated_leader_chooses_nothing(void)
{
    struct cluster *c = cluster_new(5);
    int old = leader_of(c), next;

    cluster_isolate(c, old);
    CU_ASSERT_TRUE(cluster_propose(c, old, "create /lost"));
    cluster_run(c, 3000);
    next = leader_of(c);
    CU_ASSERT_NOT_EQUAL(next, old);
    CU_ASSERT_FALSE(paxos_lease_valid(c->machines[old].paxos, c->now_ns));
    CU_ASSERT_EQUAL(cluster_applied_by(c, "create /lost"), 0);
    cluster_heal(c);
    CU_ASSERT_TRUE(cluster_propose(c, next, "create /kept"));
    cluster_run(c, 1000);
    CU_ASSERT_EQUAL(cluster_applied_by(c, "create /kept"), 5);
    cluster_free(c);
}

static void test_paxos__two_leases_never_overlap(void)
{
    struct cluster *c = cluster_new(5);
    int old = leader_of(c);

    cluster_isolate(c, old);
    for (int t = 0; t < 3000; t++) {
        int valid = 0;

        cluster_run(c, 1);
        for (int i = 0; i < 5; i++)
            valid += paxos_lease_valid(c->machines[i].paxos, c->now_ns);
        CU_ASSERT_TRUE_FATAL(valid <= 1);
    }
    cluster_free(c);
}

/* What a quorum may have accepted is proposed again by the next leader. */
static void test_paxos__a_value_that_a_quorum_holds_survives_its_leader(void)
{
    struct cluster *c = cluster_new(5);
    int leader = leader_of(c);

    CU_ASSERT_TRUE(cluster_propose(c, leader, "create /a"));
    cluster_run(c, 2); /* accepted, and the answers under way */
    cluster_crash(c, leader);
    leader_of(c);
    cluster_run(c, 500);
    CU_ASSERT_TRUE(cluster_applied_by(c, "create /a") >= 4); /* the crashed one may have, too */
    cluster_free(c);
}

static void test_paxos__a_leader_whose_disk_is_slow_answers_by_the_others(void)
{
    struct cluster *c = cluster_new(5);
    int leader = leader_of(c);

    cluster_disk(c, leader, true);
    CU_ASSERT_TRUE(cluster_propose(c, leader, "create /a"));
    cluster_run(c, 20);
    CU_ASSERT_TRUE(cluster_applied(c, leader, "create /a"));
    cluster_free(c);
}

static void test_case_20__a_leader_whose_disk_stands_still_steps_down(void)
{
    struct cluster *c = cluster_new(5);
    int old = leader_of(c);

    cluster_disk(c, old, true);
    CU_ASSERT_TRUE(cluster_propose(c, old, "create /a"));
    cluster_run(c, 4000);
    CU_ASSERT_NOT_EQUAL(leader_of(c), old);
    cluster_free(c);
}

static void test_paxos__nothing_is_chosen_while_too_few_disks_work(void)
{
    struct cluster *c = cluster_new(5);
    int leader = leader_of(c);

    for (int i = 0; i < 5; i++)
        cluster_disk(c, i, i != leader && i != (leader + 1) % 5);
    CU_ASSERT_TRUE(cluster_propose(c, leader, "create /a"));
    cluster_run(c, 300);
    CU_ASSERT_EQUAL(cluster_applied_by(c, "create /a"), 0);
    cluster_free(c);
}

/* Granted leases hold although nobody remembers granting them. */
static void test_paxos__restarted_replicas_wait_out_the_longest_lease(void)
{
    struct cluster *c = cluster_new(5);
    int64_t from_ns;

    leader_of(c);
    for (int i = 0; i < 5; i++)
        cluster_crash(c, i);
    for (int i = 0; i < 5; i++)
        cluster_start(c, i);
    from_ns = c->now_ns;
    while (c->now_ns - from_ns < ms_to_ns(PAXOS_LEASE_MS_DEFAULT)) {
        for (int i = 0; i < 5; i++)
            CU_ASSERT_EQUAL_FATAL(paxos_role(c->machines[i].paxos), PAXOS_WAITING);
        cluster_run(c, 1);
    }
    leader_of(c);
    cluster_free(c);
}

static void test_paxos__all_that_was_applied_is_there_after_all_crashed(void)
{
    struct cluster *c = cluster_new(5);
    int leader = leader_of(c);

    for (int i = 0; i < 20; i++) {
        char text[] = "value a";

        text[6] = (char)('a' + i);
        CU_ASSERT_TRUE(cluster_propose(c, leader, text));
        cluster_run(c, 5);
    }
    for (int i = 0; i < 5; i++)
        cluster_crash(c, i);
    for (int i = 0; i < 5; i++)
        cluster_start(c, i);
    leader_of(c);
    cluster_run(c, 500);
    for (int i = 0; i < 20; i++) {
        char text[] = "value a";

        text[6] = (char)('a' + i);
        CU_ASSERT_EQUAL(cluster_applied_by(c, text), 5);
    }
    cluster_free(c);
}

static void test_paxos__a_replica_that_was_away_catches_up(void)
{
    struct cluster *c = cluster_new(5);
    int leader = leader_of(c), away = (leader + 2) % 5;

    cluster_crash(c, away);
    for (int i = 0; i < 100; i++) {
        char text[] = "value aa";

        text[6] = (char)('a' + i % 10);
        text[7] = (char)('a' + i / 10);
        CU_ASSERT_TRUE(cluster_propose(c, leader, text));
        cluster_run(c, 5);
    }
    cluster_start(c, away);
    cluster_run(c, 1000);
    CU_ASSERT_EQUAL(paxos_applied(c->machines[away].paxos),
                    paxos_applied(c->machines[leader].paxos));
    cluster_free(c);
}

/* The one behind may win the election, but only leads when it knows all that is
 * chosen. */
static void test_paxos__a_candidate_that_is_behind_learns_before_it_leads(void)
{
    struct cluster *c = cluster_new(5);
    int leader = leader_of(c), behind = (leader + 1) % 5;

    cluster_isolate(c, behind);
    for (int i = 0; i < 30; i++) {
        char text[] = "value aa";

        text[6] = (char)('a' + i);
        CU_ASSERT_TRUE(cluster_propose(c, leader, text));
        cluster_run(c, 5);
    }
    cluster_crash(c, leader);
    cluster_crash(c, (leader + 2) % 5);
    cluster_heal(c);
    leader_of(c);
    cluster_run(c, 1000);
    for (int i = 0; i < 30; i++) {
        char text[] = "value aa";

        text[6] = (char)('a' + i);
        CU_ASSERT_TRUE(cluster_applied(c, behind, text));
    }
    cluster_free(c);
}

/* A healthy leader is not disturbed by one whose link to it is cut. */
static void test_paxos__one_cut_link_does_not_change_the_leader(void)
{
    struct cluster *c = cluster_new(5);
    int leader = leader_of(c), deaf = (leader + 1) % 5;
    uint64_t ballot = paxos_ballot(c->machines[leader].paxos);

    c->machines[deaf].cut_mask = 1u << leader;
    cluster_run(c, 5000);
    CU_ASSERT_EQUAL(leader_of(c), leader);
    CU_ASSERT_EQUAL(paxos_ballot(c->machines[leader].paxos), ballot);
    cluster_free(c);
}

/* One who lost its disk cannot vote as if it had not. */
static void test_case_16__a_member_with_another_directory_is_a_stranger(void)
{
    struct cluster *c = cluster_new(5);
    int leader = leader_of(c), lost = (leader + 1) % 5;

    cluster_wipe(c, lost);
    cluster_run(c, 1000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c->machines[lost].halted);
    CU_ASSERT_PTR_NOT_NULL(strstr(c->machines[lost].halted, "another data directory"));
    CU_ASSERT_EQUAL(paxos_applied(c->machines[lost].paxos), 0);
    CU_ASSERT_TRUE(cluster_propose(c, leader, "create /a"));
    cluster_run(c, 200);
    CU_ASSERT_EQUAL(cluster_applied_by(c, "create /a"), 4);
    cluster_free(c);
}

static bool lose_every_third(struct cluster *c, struct letter *l)
{
    static unsigned turn;

    (void)c;
    (void)l;
    return ++turn % 3 == 0;
}

static void test_paxos__lost_messages_cost_time_only(void)
{
    struct cluster *c = cluster_new(5);
    int leader = leader_of(c);

    c->intercept = lose_every_third;
    CU_ASSERT_TRUE(cluster_propose(c, leader, "create /a"));
    cluster_run(c, 3000);
    c->intercept = NULL;
    cluster_run(c, 1000);
    CU_ASSERT_EQUAL(cluster_applied_by(c, "create /a"), 5);
    cluster_free(c);
}

static void test_paxos__a_leader_that_stops_is_replaced_without_waiting_for_its_lease(void)
{
    struct cluster *c = cluster_new(5);
    int old = leader_of(c);
    int64_t from_ns = c->now_ns;
    struct paxos_event e = {.kind = PAXOS_EVENT_STOP, .now_ns = c->now_ns};
    struct paxos_effects out;

    cluster_run(c, 10);
    paxos_effects_init(&out);
    paxos_step(c->machines[old].paxos, &e, &out);
    CU_ASSERT_FALSE(paxos_lease_valid(c->machines[old].paxos, c->now_ns));
    for (uint32_t k = 0; k < out.sends_count; k++)
        for (int to = 0; to < 5; to++)
            if ((out.sends[k].to_mask >> to & 1) != 0)
                cluster_feed(c, old, to, &out.sends[k].message);
    paxos_effects_release(&out);
    cluster_crash(c, old);
    CU_ASSERT_NOT_EQUAL(leader_of(c), old);
    CU_ASSERT_TRUE(c->now_ns - from_ns < ms_to_ns(PAXOS_LEASE_MS_DEFAULT / 2));
    cluster_free(c);
}

static int follow(const struct cluster *c)
{
    int count = 0;

    for (int i = 0; i < c->count; i++)
        count += paxos_follows(c->machines[i].paxos, c->now_ns);
    return count;
}

/* A follower cannot see a leader's quorum, but is told of it; and not for long. */
static void test_paxos__only_a_leader_with_a_quorum_is_followed(void)
{
    struct cluster *c = cluster_new(5);
    int leader = leader_of(c);

    cluster_run(c, 200);
    CU_ASSERT_EQUAL(follow(c), 4);
    CU_ASSERT_FALSE(paxos_follows(c->machines[leader].paxos, c->now_ns));
    cluster_isolate(c, (leader + 1) % 5);
    cluster_run(c, PAXOS_LEASE_MS_DEFAULT + 1);
    CU_ASSERT_EQUAL(follow(c), 3);
    /* The one that still hears its leader learns that it has lost the others. */
    cluster_isolate(c, (leader + 2) % 5);
    cluster_isolate(c, (leader + 3) % 5);
    cluster_run(c, 3 * PAXOS_LEASE_MS_DEFAULT);
    CU_ASSERT_EQUAL(follow(c), 0);
    cluster_heal(c);
    leader_of(c);
    cluster_run(c, 200);
    CU_ASSERT_EQUAL(follow(c), 4);
    cluster_free(c);
}

static int sent_to_the_full_one;
static int full_one;

static bool count_those_to_the_full_one(struct cluster *c, struct letter *l)
{
    (void)c;
    sent_to_the_full_one += l->to == full_one;
    return false;
}

/* A follower that has no space takes nothing; sending it the same at network speed
 * helps nobody. */
static void test_paxos__a_follower_without_space_is_not_flooded(void)
{
    struct cluster *c = cluster_new(5);
    int leader = leader_of(c);

    full_one = (leader + 1) % 5;
    cluster_full(c, full_one, true);
    for (int i = 0; i < 100; i++) {
        char text[] = "value aa";

        text[6] = (char)('a' + i % 10);
        text[7] = (char)('a' + i / 10);
        CU_ASSERT_TRUE(cluster_propose(c, leader, text));
        cluster_run(c, 5);
    }
    c->intercept = count_those_to_the_full_one;
    cluster_run(c, 1000);
    CU_ASSERT_TRUE(sent_to_the_full_one < 200);
    c->intercept = NULL;
    cluster_full(c, full_one, false);
    cluster_run(c, 3000);
    CU_ASSERT_EQUAL(paxos_applied(c->machines[full_one].paxos),
                    paxos_applied(c->machines[leader].paxos));
    cluster_free(c);
}

static void test_paxos__a_cell_of_one_serves(void)
{
    struct cluster *c = cluster_new(1);

    CU_ASSERT_EQUAL_FATAL(leader_of(c), 0);
    CU_ASSERT_TRUE(cluster_propose(c, 0, "create /a"));
    cluster_run(c, 10);
    CU_ASSERT_TRUE(cluster_applied(c, 0, "create /a"));
    cluster_free(c);
}

/* Rows up to a checkpoint may hold what was never chosen: the checkpoint became
 * durable before they were replaced, or came from another member. */
static void test_paxos__rows_below_a_checkpoint_are_given_to_nobody(void)
{
    const uint8_t nothing_said[9] = {0}; /* of members: neither open nor founded */
    struct paxos_config config = {.ids = {1, 2, 3},
                                  .members_count = 3,
                                  .self = 1,
                                  .incarnation = 9,
                                  .promised = ballot_make(1, 2),
                                  .longest_lease_ms = 350,
                                  .last_slot = 5};
    struct message fetch = {.kind = MESSAGE_FETCH, .first_slot = 2, .last_slot = 3};
    struct paxos_event time = {.kind = PAXOS_EVENT_TIME, .now_ns = 1};
    struct paxos_event asks = {
        .kind = PAXOS_EVENT_MESSAGE, .now_ns = 2, .from = 2, .incarnation = 8, .message = &fetch};
    struct paxos_effects out;
    struct paxos *p;
    const char *why;

    paxos_effects_init(&out);
    CU_ASSERT_EQUAL_FATAL(paxos_new(&config, &p, &why), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(
        paxos_load_checkpoint(p, 3, slice_of(nothing_said, sizeof nothing_said), &why), ERR_OK);
    for (uint64_t slot = 4; slot <= 5; slot++) {
        struct log_entry row = {
            .slot = slot, .ballot = config.promised, .kind = ENTRY_NOOP, .chosen = slot - 1};

        row.value = blob_new(0);
        CU_ASSERT_EQUAL(paxos_load(p, &row), ERR_OK);
        blob_unref(row.value);
    }
    paxos_loaded(p, 0);
    paxos_step(p, &time, &out);
    CU_ASSERT_FATAL(out.persists_count > 0);
    CU_ASSERT_EQUAL(out.persists[0].kind, PAXOS_PERSIST_FLOOR);
    CU_ASSERT_EQUAL(out.persists[0].floor, 3);
    paxos_effects_clear(&out);
    paxos_step(p, &asks, &out);
    CU_ASSERT_EQUAL(out.reads_count, 0);
    CU_ASSERT_EQUAL_FATAL(out.sends_count, 1);
    CU_ASSERT_EQUAL(out.sends[0].message.kind, MESSAGE_FETCHED);
    CU_ASSERT_EQUAL(out.sends[0].message.checkpoint, 3);
    CU_ASSERT_EQUAL(out.sends[0].message.entries_count, 0);
    paxos_effects_release(&out);
    paxos_free(p);
}

static uint32_t silent_count(const struct paxos_effects *out)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < out->notes_count; i++)
        count += out->notes[i].kind == PAXOS_NOTE_SILENT && out->notes[i].member == 2;
    return count;
}

/* Its log begins behind slot 15, and its state is lost: nobody can get slot 14 here. */
static void test_paxos__who_lost_its_state_promises_only_to_those_who_need_nothing_of_it(void)
{
    struct paxos_config config = {.ids = {1, 2, 3},
                                  .members_count = 3,
                                  .self = 1,
                                  .incarnation = 9,
                                  .promised = ballot_make(1, 2),
                                  .floor = 15,
                                  .last_slot = 15};
    struct message prepare = {
        .kind = MESSAGE_PREPARE, .ballot = ballot_make(2, 2), .first_slot = 14};
    struct paxos_event asks = {
        .kind = PAXOS_EVENT_MESSAGE, .now_ns = 2, .from = 2, .incarnation = 8, .message = &prepare};
    struct paxos_effects out;
    struct paxos *p;
    const char *why;

    paxos_effects_init(&out);
    CU_ASSERT_EQUAL_FATAL(paxos_new(&config, &p, &why), ERR_OK);
    paxos_loaded(p, 0);
    paxos_step(p, &asks, &out);
    CU_ASSERT_EQUAL(out.sends_count, 0);
    CU_ASSERT_EQUAL(paxos_promised(p), ballot_make(1, 2));
    CU_ASSERT_EQUAL(silent_count(&out), 1);
    paxos_step(p, &asks, &out); /* it is asked again and again, and says it once */
    CU_ASSERT_EQUAL(silent_count(&out), 1);
    paxos_effects_clear(&out);
    prepare.first_slot = 16;
    paxos_step(p, &asks, &out);
    CU_ASSERT_EQUAL(paxos_promised(p), ballot_make(2, 2));
    paxos_effects_release(&out);
    paxos_free(p);
}

static const struct test_case cases[] = {
    TEST(test_paxos__who_lost_its_state_promises_only_to_those_who_need_nothing_of_it),
    TEST(test_paxos__rows_below_a_checkpoint_are_given_to_nobody),
    TEST(test_paxos__a_new_cell_elects_one_leader_and_opens),
    TEST(test_paxos__a_value_is_applied_by_all),
    TEST(test_paxos__a_cell_does_not_open_while_a_member_is_missing),
    TEST(test_paxos__an_isolated_leader_chooses_nothing),
    TEST(test_paxos__two_leases_never_overlap),
    TEST(test_paxos__a_value_that_a_quorum_holds_survives_its_leader),
    TEST(test_paxos__a_leader_whose_disk_is_slow_answers_by_the_others),
    TEST(test_case_20__a_leader_whose_disk_stands_still_steps_down),
    TEST(test_paxos__nothing_is_chosen_while_too_few_disks_work),
    TEST(test_paxos__restarted_replicas_wait_out_the_longest_lease),
    TEST(test_paxos__all_that_was_applied_is_there_after_all_crashed),
    TEST(test_paxos__a_replica_that_was_away_catches_up),
    TEST(test_paxos__a_candidate_that_is_behind_learns_before_it_leads),
    TEST(test_paxos__one_cut_link_does_not_change_the_leader),
    TEST(test_case_16__a_member_with_another_directory_is_a_stranger),
    TEST(test_paxos__lost_messages_cost_time_only),
    TEST(test_paxos__a_leader_that_stops_is_replaced_without_waiting_for_its_lease),
    TEST(test_paxos__only_a_leader_with_a_quorum_is_followed),
    TEST(test_paxos__a_follower_without_space_is_not_flooded),
    TEST(test_paxos__a_cell_of_one_serves),
};

int main(int argc, char **argv)
{
    return run_suite("paxos", cases, sizeof cases / sizeof *cases, argc, argv);
}
