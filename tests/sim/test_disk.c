/* What a simulated disk keeps, and what it does not. */
#include "tests/sim/disk.h"
#include "tests/support/runner.h"

static struct blob *value_of(const char *text)
{
    return blob_copy(slice_of_string(text));
}

/* One step: a promise and one row. */
static void write_step(struct disk *d, uint64_t sequence, uint64_t ballot, uint64_t slot,
                       const char *text)
{
    struct effects e;
    effects_init(&e);
    struct effect *promise = effects_add(&e, EFFECT_PERSIST_PROMISE);
    promise->sequence = sequence;
    promise->ballot = ballot;
    struct effect *entry = effects_add(&e, EFFECT_PERSIST_ENTRY);
    entry->sequence = sequence;
    entry->entry = (struct log_entry){.slot = slot, .ballot = ballot, .value = value_of(text)};
    CU_ASSERT_TRUE(disk_hand_over(d, e.list, e.count));
    effects_release(&e);
}

static bool holds(const struct disk *d, uint64_t slot, const char *text)
{
    const struct log_entry *row = disk_row(d, slot);
    return row != NULL && slice_equal(blob_slice(row->value), slice_of_string(text));
}

static void test_disk__nothing_is_durable_before_its_transaction_ends(void)
{
    struct disk d;
    disk_init(&d, NULL, NULL);
    write_step(&d, 1, 65537, 1, "one");
    CU_ASSERT_EQUAL(disk_begin(&d), 1);
    CU_ASSERT_PTR_NULL(disk_row(&d, 1));
    CU_ASSERT_EQUAL(d.durable.promised, 0);
    CU_ASSERT_EQUAL(disk_finish(&d), 1);
    CU_ASSERT_TRUE(holds(&d, 1, "one"));
    CU_ASSERT_EQUAL(d.durable.promised, 65537);
    disk_release(&d);
}

static void test_disk__what_gathers_becomes_one_transaction(void)
{
    struct disk d;
    disk_init(&d, NULL, NULL);
    write_step(&d, 1, 65537, 1, "one");
    CU_ASSERT_EQUAL(disk_begin(&d), 1);
    write_step(&d, 2, 65537, 2, "two");
    write_step(&d, 3, 65537, 3, "three");
    CU_ASSERT_EQUAL(disk_finish(&d), 1);
    CU_ASSERT_EQUAL(disk_begin(&d), 2);
    CU_ASSERT_EQUAL(disk_finish(&d), 3);
    CU_ASSERT_TRUE(holds(&d, 3, "three"));
    disk_release(&d);
}

/* Whatever survives is a prefix of the steps of the transaction under way. */
static void test_disk__a_crash_keeps_a_prefix_and_all_that_was_synced(void)
{
    bool seen[3] = {false, false, false};
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct disk d;
        struct prng random;
        prng_init(&random, seed);
        disk_init(&d, NULL, NULL);
        write_step(&d, 1, 65537, 1, "synced");
        disk_begin(&d);
        disk_finish(&d);
        write_step(&d, 2, 65537, 2, "under way");
        write_step(&d, 3, 65537, 3, "under way");
        disk_begin(&d);
        write_step(&d, 4, 65537, 4, "waiting");
        uint32_t kept = disk_crash(&d, &random);
        CU_ASSERT_TRUE_FATAL(kept <= 2);
        seen[kept] = true;
        CU_ASSERT_TRUE(holds(&d, 1, "synced"));
        CU_ASSERT_EQUAL(disk_row(&d, 2) != NULL, kept >= 1);
        CU_ASSERT_EQUAL(disk_row(&d, 3) != NULL, kept >= 2);
        CU_ASSERT_PTR_NULL(disk_row(&d, 4));
        CU_ASSERT_EQUAL(disk_begin(&d), 0);
        disk_release(&d);
    }
    CU_ASSERT_TRUE(seen[0] && seen[1] && seen[2]);
}

static void test_disk__a_power_cut_mostly_loses_what_was_not_synced(void)
{
    uint32_t lost = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct disk d;
        struct prng random;
        prng_init(&random, seed);
        disk_init(&d, NULL, NULL);
        write_step(&d, 1, 65537, 1, "synced");
        disk_begin(&d);
        disk_finish(&d);
        write_step(&d, 2, 65537, 2, "under way");
        disk_begin(&d);
        disk_power_cut(&d, &random, 250000);
        CU_ASSERT_TRUE(holds(&d, 1, "synced"));
        lost += disk_row(&d, 2) == NULL;
        disk_release(&d);
    }
    CU_ASSERT_TRUE(lost > 50 && lost < 100);
}

static void test_disk__a_full_disk_refuses_all_until_the_replica_knows(void)
{
    struct disk d;
    disk_init(&d, NULL, NULL);
    write_step(&d, 1, 65537, 1, "one");
    disk_begin(&d);
    write_step(&d, 2, 65537, 2, "two");
    CU_ASSERT_EQUAL(disk_refuse(&d), 1);
    write_step(&d, 3, 65537, 3, "too early");
    CU_ASSERT_EQUAL(disk_begin(&d), 0);
    disk_accept_again(&d);
    write_step(&d, 4, 65537, 1, "again");
    CU_ASSERT_EQUAL(disk_begin(&d), 1);
    CU_ASSERT_EQUAL(disk_finish(&d), 4);
    CU_ASSERT_TRUE(holds(&d, 1, "again"));
    CU_ASSERT_PTR_NULL(disk_row(&d, 3));
    disk_release(&d);
}

static void test_disk__a_read_waits_for_the_writes_before_it(void)
{
    struct disk d;
    struct effect read = {.kind = EFFECT_READ_LOG, .token = 9, .first_slot = 1, .last_slot = 1};
    disk_init(&d, NULL, NULL);
    write_step(&d, 1, 65537, 1, "one");
    disk_hand_over_read(&d, &read);
    write_step(&d, 2, 65537, 2, "two");
    CU_ASSERT_PTR_NULL(disk_read(&d));
    CU_ASSERT_EQUAL(disk_begin(&d), 1);
    disk_finish(&d);
    CU_ASSERT_PTR_NOT_NULL_FATAL(disk_read(&d));
    CU_ASSERT_EQUAL(disk_read(&d)->token, 9);
    CU_ASSERT_EQUAL(disk_begin(&d), 0);
    disk_read_done(&d);
    CU_ASSERT_EQUAL(disk_begin(&d), 1);
    disk_release(&d);
}

static void test_disk__a_row_rots_until_it_is_written_again_or_cut(void)
{
    struct disk d;
    struct prng random;
    struct effect cut = {.kind = EFFECT_PERSIST_FLOOR, .sequence = 3, .last_slot = 1};
    prng_init(&random, 1);
    disk_init(&d, NULL, NULL);
    CU_ASSERT_EQUAL(disk_rot(&d, &random), 0);
    write_step(&d, 1, 65537, 1, "one");
    disk_begin(&d);
    disk_finish(&d);
    CU_ASSERT_EQUAL(disk_rot(&d, &random), 1);
    CU_ASSERT_EQUAL(disk_rot(&d, &random), 0);
    CU_ASSERT_TRUE(disk_reads_rot(&d, 1, 4));
    CU_ASSERT_FALSE(disk_reads_rot(&d, 2, 4));
    write_step(&d, 2, 65537, 1, "one");
    disk_begin(&d);
    disk_finish(&d);
    CU_ASSERT_FALSE(disk_reads_rot(&d, 1, 4));
    CU_ASSERT_EQUAL(disk_rot(&d, &random), 1);
    CU_ASSERT_TRUE(disk_hand_over(&d, &cut, 1));
    disk_begin(&d);
    disk_finish(&d);
    CU_ASSERT_FALSE(disk_reads_rot(&d, 1, 4));
    disk_release(&d);
}

static void test_disk__a_damaged_log_is_gone_but_for_how_far_it_went(void)
{
    struct disk d;
    disk_init(&d, NULL, NULL);
    write_step(&d, 1, 65537, 1, "one");
    write_step(&d, 2, 65537, 2, "two");
    disk_begin(&d);
    disk_finish(&d);
    disk_lose_log(&d);
    CU_ASSERT_TRUE(d.durable.log_damaged);
    CU_ASSERT_EQUAL(d.rows_count, 2);
    CU_ASSERT_EQUAL(d.durable.promised, 65537);
    CU_ASSERT_PTR_NULL(disk_row(&d, 1));
    CU_ASSERT_PTR_NULL(disk_row(&d, 2));
    disk_release(&d);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_disk__nothing_is_durable_before_its_transaction_ends),
        TEST(test_disk__what_gathers_becomes_one_transaction),
        TEST(test_disk__a_crash_keeps_a_prefix_and_all_that_was_synced),
        TEST(test_disk__a_power_cut_mostly_loses_what_was_not_synced),
        TEST(test_disk__a_full_disk_refuses_all_until_the_replica_knows),
        TEST(test_disk__a_read_waits_for_the_writes_before_it),
        TEST(test_disk__a_row_rots_until_it_is_written_again_or_cut),
        TEST(test_disk__a_damaged_log_is_gone_but_for_how_far_it_went),
    };
    return run_suite("sim_disk", cases, sizeof cases / sizeof cases[0], argc, argv);
}
