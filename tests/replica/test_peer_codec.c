/* test_peer_codec.c - what one replica encodes another decodes, and nothing else
 * gets through. */
#include "coordd/replica/peer_codec.h"
#include "tests/support/runner.h"

#include <CUnit/CUnit.h>
#include <string.h>

static struct replica_config config;
static struct arena arena;

static void begin(void)
{
    memset(&config, 0, sizeof config);
    memset(config.cell, 7, sizeof config.cell);
    config.self = 3;
    config.incarnation = 0xabcdef0123456789u;
    arena_init(&arena, 16 * 1024 * 1024);
}

static void add(struct message *m, uint64_t slot, uint64_t ballot, const char *text)
{
    struct log_entry e = {.slot = slot, .ballot = ballot, .kind = ENTRY_BATCH};

    e.value = blob_copy(slice_of_string(text));
    CU_ASSERT_TRUE_FATAL(message_add(m, &e));
    blob_unref(e.value);
}

static bool there_and_back(const struct message *m, struct message *ret)
{
    struct peer_envelope envelope = {0};
    struct blob *bytes = peer_encode(&config, m);
    bool sound = peer_decode(&config, &arena, blob_slice(bytes), &envelope, ret);

    blob_unref(bytes);
    if (sound) {
        CU_ASSERT_EQUAL(envelope.from, 3);
        CU_ASSERT_EQUAL(envelope.incarnation, config.incarnation);
    }
    return sound;
}

static void test_peer_codec__an_accept_keeps_its_entries(void)
{
    struct message m = {.kind = MESSAGE_ACCEPT,
                        .ballot = 65537,
                        .previous_slot = 4,
                        .chosen = 3,
                        .round = 9,
                        .healthy = true,
                        .lease_ms = 350};
    struct message got;

    begin();
    add(&m, 5, 0, "five");
    add(&m, 6, 0, "");
    CU_ASSERT_TRUE_FATAL(there_and_back(&m, &got));
    CU_ASSERT_EQUAL(got.kind, MESSAGE_ACCEPT);
    CU_ASSERT_EQUAL(got.ballot, 65537);
    CU_ASSERT_EQUAL(got.previous_slot, 4);
    CU_ASSERT_EQUAL(got.chosen, 3);
    CU_ASSERT_EQUAL(got.round, 9);
    CU_ASSERT_TRUE(got.healthy);
    CU_ASSERT_EQUAL(got.lease_ms, 350);
    CU_ASSERT_EQUAL_FATAL(got.entries_count, 2);
    CU_ASSERT_EQUAL(got.entries[0].slot, 5);
    CU_ASSERT_TRUE(slice_equal(blob_slice(got.entries[0].value), slice_of_string("five")));
    CU_ASSERT_EQUAL(got.entries[1].value->length, 0);
    message_release(&m);
    message_release(&got);
    arena_release(&arena);
}

static void test_peer_codec__a_promise_keeps_the_ballots_of_its_entries(void)
{
    struct message m = {
        .kind = MESSAGE_PROMISE, .ballot = 200000, .chosen = 1, .chunk = 2, .done = true};
    struct message got;

    begin();
    add(&m, 2, 65537, "two");
    CU_ASSERT_TRUE_FATAL(there_and_back(&m, &got));
    CU_ASSERT_EQUAL(got.chunk, 2);
    CU_ASSERT_TRUE(got.done);
    CU_ASSERT_EQUAL_FATAL(got.entries_count, 1);
    CU_ASSERT_EQUAL(got.entries[0].ballot, 65537);
    message_release(&m);
    message_release(&got);
    arena_release(&arena);
}

static void test_peer_codec__every_small_message_comes_back(void)
{
    const struct message all[] = {
        {.kind = MESSAGE_PREPARE, .ballot = 7, .first_slot = 2},
        {.kind = MESSAGE_ACCEPTED,
         .ballot = 7,
         .held = 5,
         .round = 3,
         .granted = true,
         .gap = true},
        {.kind = MESSAGE_REFUSED, .ballot = 7, .lease = true, .stranger = true},
        {.kind = MESSAGE_PROBE, .number = 4},
        {.kind = MESSAGE_PROBED, .number = 4, .happy = true, .ballot = 6, .chosen = 2},
        {.kind = MESSAGE_FETCH, .first_slot = 2, .last_slot = 9},
        {.kind = MESSAGE_FETCHED, .first_slot = 2},
        {.kind = MESSAGE_RELINQUISH, .ballot = 7},
        {.kind = MESSAGE_STATE_HASH, .number = 7, .first_slot = 9, .hash = {3, UINT64_MAX}},
    };

    begin();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct message got;

        CU_ASSERT_TRUE_FATAL(there_and_back(&all[i], &got));
        CU_ASSERT_EQUAL(memcmp(&all[i], &got, sizeof got), 0);
        message_release(&got);
    }
    arena_release(&arena);
}

static void test_peer_codec__another_cells_message_is_dropped(void)
{
    struct message m = {.kind = MESSAGE_PROBE, .number = 4}, got;
    struct peer_envelope envelope;
    struct blob *bytes;

    begin();
    bytes = peer_encode(&config, &m);
    config.cell[0] ^= 1;
    CU_ASSERT_FALSE(peer_decode(&config, &arena, blob_slice(bytes), &envelope, &got));
    blob_unref(bytes);
    arena_release(&arena);
}

/* A value that changed on the way must not be taken for what was proposed. */
static void test_peer_codec__a_flipped_bit_in_a_value_is_noticed(void)
{
    struct message m = {.kind = MESSAGE_ACCEPT, .ballot = 65537}, got;
    struct peer_envelope envelope;
    struct blob *bytes;

    begin();
    add(&m, 1, 0, "a value that is long enough to be found again");
    bytes = peer_encode(&config, &m);
    for (size_t i = 0; i + 5 < bytes->length; i++)
        if (memcmp(bytes->data + i, "found", 5) == 0)
            bytes->data[i] ^= 4;
    CU_ASSERT_FALSE(peer_decode(&config, &arena, blob_slice(bytes), &envelope, &got));
    CU_ASSERT_PTR_NULL(got.entries);
    blob_unref(bytes);
    message_release(&m);
    arena_release(&arena);
}

static void test_peer_codec__entries_that_do_not_join_on_are_dropped(void)
{
    struct message m = {.kind = MESSAGE_ACCEPT, .ballot = 65537, .previous_slot = 4}, got;

    begin();
    add(&m, 6, 0, "six");
    CU_ASSERT_FALSE(there_and_back(&m, &got));
    message_release(&m);
    arena_release(&arena);
}

static void test_peer_codec__numbers_from_which_counting_would_wrap_are_dropped(void)
{
    struct message m = {.kind = MESSAGE_REFUSED, .ballot = UINT64_MAX}, got;

    begin();
    CU_ASSERT_FALSE(there_and_back(&m, &got));
    m = (struct message){.kind = MESSAGE_ACCEPTED, .ballot = 7, .held = UINT64_MAX, .gap = true};
    CU_ASSERT_FALSE(there_and_back(&m, &got));
    m = (struct message){.kind = MESSAGE_ACCEPT, .ballot = 7, .lease_ms = UINT32_MAX};
    CU_ASSERT_FALSE(there_and_back(&m, &got));
    arena_release(&arena);
}

static const struct test_case cases[] = {
    TEST(test_peer_codec__an_accept_keeps_its_entries),
    TEST(test_peer_codec__a_promise_keeps_the_ballots_of_its_entries),
    TEST(test_peer_codec__every_small_message_comes_back),
    TEST(test_peer_codec__another_cells_message_is_dropped),
    TEST(test_peer_codec__a_flipped_bit_in_a_value_is_noticed),
    TEST(test_peer_codec__entries_that_do_not_join_on_are_dropped),
    TEST(test_peer_codec__numbers_from_which_counting_would_wrap_are_dropped),
};

int main(int argc, char **argv)
{
    return run_suite("peer_codec", cases, sizeof cases / sizeof *cases, argc, argv);
}
