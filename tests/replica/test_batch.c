/* test_batch.c - commands gather into values that decode to the same commands. */
#include "coordd/replica/batch.h"
#include "coordd/replica/wire.h"
#include "tests/support/runner.h"

#include <CUnit/CUnit.h>

static Coord__V1__Put put = COORD__V1__PUT__INIT;

static Coord__V1__Command command(uint64_t seq)
{
    Coord__V1__Command c = COORD__V1__COMMAND__INIT;

    put.path = (char *)(uintptr_t) "/a";
    c.session = 4;
    c.seq = seq;
    c.op_case = COORD__V1__COMMAND__OP_PUT;
    c.put = &put;
    return c;
}

static void test_batch__a_value_decodes_to_what_was_gathered(void)
{
    struct batch_queue q;
    struct batch *b;
    struct blob *value;
    Coord__V1__Batch *got;
    uint32_t ahead;

    batch_queue_init(&q);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        Coord__V1__Command c = command(seq);

        CU_ASSERT_TRUE(batch_queue_add(&q, &c, seq * 10, &ahead));
        CU_ASSERT_EQUAL(ahead, 0);
    }
    b = batch_queue_take(&q);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    CU_ASSERT_EQUAL(b->origins[2], 30);
    value = batch_value(b, 123456);
    got = coord__v1__batch__unpack(NULL, value->length, value->data);
    CU_ASSERT_PTR_NOT_NULL_FATAL(got);
    CU_ASSERT_EQUAL(got->time_ms, 123456);
    CU_ASSERT_EQUAL_FATAL(got->n_commands, 3);
    CU_ASSERT_EQUAL(got->commands[2]->seq, 3);
    CU_ASSERT_STRING_EQUAL(got->commands[0]->put->path, "/a");
    coord__v1__batch__free_unpacked(got, NULL);
    blob_unref(value);
    batch_free(b);
    CU_ASSERT_PTR_NULL(batch_queue_take(&q));
}

static void test_batch__a_full_one_is_closed_and_a_full_queue_refuses(void)
{
    struct batch_queue q;
    uint32_t ahead = 0, taken = 0;

    batch_queue_init(&q);
    for (;;) {
        Coord__V1__Command c = command(taken + 1);

        if (!batch_queue_add(&q, &c, 0, &ahead))
            break;
        CU_ASSERT_EQUAL(ahead, taken / BATCH_COMMANDS_MAX);
        taken++;
    }
    CU_ASSERT_EQUAL(taken, BATCH_COMMANDS_MAX * BATCH_QUEUE_MAX);
    CU_ASSERT_EQUAL(batch_queue_first(&q)->commands_count, BATCH_COMMANDS_MAX);
    batch_queue_clear(&q);
    CU_ASSERT_PTR_NULL(batch_queue_first(&q));
}

static void test_batch__sizes_are_what_is_written(void)
{
    const uint64_t values[] = {0, 1, 127, 128, 16383, 16384, UINT64_MAX};

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct buffer b = BUFFER_INIT;

        wire_put_varint(&b, 20, values[i]);
        CU_ASSERT_EQUAL(b.length, wire_varint_size(20, values[i]));
        buffer_clear(&b);
        wire_put_bytes(&b, 3, slice_of("0123456789", i));
        CU_ASSERT_EQUAL(b.length, wire_bytes_size(3, i));
        buffer_release(&b);
    }
}

static const struct test_case cases[] = {
    TEST(test_batch__a_value_decodes_to_what_was_gathered),
    TEST(test_batch__a_full_one_is_closed_and_a_full_queue_refuses),
    TEST(test_batch__sizes_are_what_is_written),
};

int main(int argc, char **argv)
{
    return run_suite("batch", cases, sizeof cases / sizeof *cases, argc, argv);
}
