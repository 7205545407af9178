/* test_checkpoint_damage.c - one bit of state.db, anywhere: what is loaded is what was
 * saved, or is refused; and what is saved afterwards is, too. */
#include <stdio.h>
#include <string.h>

#include "coordd/replica/chunk.h"
#include "libcoord/base/check.h"
#include "tests/storage/state_fixture.h"
#include "tests/support/runner.h"

enum { STEP = 331, FILE_BYTES_MAX = 1 << 20, NUMBER = 30, FREE_PAGES_AT = 36 };

static void put_file(const struct fixture *f, const uint8_t *image, uint64_t size)
{
    static const char *const names[] = {"state.db", "state.db-wal"};
    char path[FIXTURE_PATH_BYTES];

    for (size_t i = 0; i < 2; i++) {
        fixture_path(f, names[i], path);
        (void)remove(path);
    }
    fixture_write_bytes(f, "state.db", 0, image, (size_t)size);
}

/* More than the next checkpoint needs. */
static void put_large(struct checkpoint *c)
{
    enum { RECORDS = 60, BYTES = 4000 };
    struct buffer chunk = BUFFER_INIT;

    for (uint32_t i = 0; i < RECORDS; i++) {
        struct blob *value = fixture_value(i + 1, BYTES);

        chunk_put(&chunk, slice_of(&i, sizeof i), blob_slice(value));
        blob_unref(value);
    }
    CU_ASSERT_EQUAL(checkpoint_begin(c, true), STORE_OK);
    CU_ASSERT_EQUAL(checkpoint_put(c, buffer_slice(&chunk)), STORE_OK);
    CU_ASSERT_EQUAL(checkpoint_commit(c, 1, slice_of("", 0)), STORE_OK);
    CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_OK);
    buffer_release(&chunk);
}

/* With free pages, and nothing in a -wal that would give damaged pages back. */
static uint64_t make(struct fixture *f, uint8_t *image)
{
    struct checkpoint *c;
    uint64_t size;

    fixture_make(f);
    c = state_open(f, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    put_large(c);
    CU_ASSERT_EQUAL(state_write(c, NUMBER, true), STORE_OK);
    checkpoint_close(c);
    fixture_empty_wal(f, "state.db");
    size = fixture_size(f, "state.db");
    CU_ASSERT_FATAL(size <= FILE_BYTES_MAX);
    fixture_read_bytes(f, "state.db", 0, image, (size_t)size);
    CU_ASSERT(image[FREE_PAGES_AT + 3] > 10);
    return size;
}

/* Opened, and all of it loaded. */
static struct checkpoint *start(struct fixture *f, enum store_result *ret)
{
    struct checkpoint *c = state_open(f, ret);
    bool wrong;

    if (c == NULL)
        return NULL;
    *ret = state_check_hash(c, &wrong);
    if (*ret == STORE_OK)
        return c;
    checkpoint_close(c);
    return NULL;
}

enum outcome { HARMLESS, FOUND, FOUND_LATER };

/* What could be loaded goes on: until damage is found, and that may be late. */
static enum outcome go_on(struct fixture *f, struct checkpoint *c)
{
    enum store_result r = STORE_OK;

    CU_ASSERT_EQUAL(state_number(c), NUMBER);
    for (uint32_t n = NUMBER + 1; n < NUMBER + 6; n++) {
        r = state_write(c, n, n == NUMBER + 3);
        if (r == STORE_OK)
            r = checkpoint_maintain(c);
        checkpoint_close(c);
        if (r != STORE_OK) {
            CU_ASSERT_EQUAL(r, STORE_CORRUPT);
            return FOUND_LATER;
        }
        c = start(f, &r);
        if (c == NULL) {
            CU_ASSERT(r == STORE_CORRUPT || r == STORE_MISMATCH);
            return FOUND_LATER;
        }
        CU_ASSERT_EQUAL(state_number(c), n);
    }
    checkpoint_close(c);
    return HARMLESS;
}

static void test_checkpoint_damage__a_bit_anywhere_is_found_or_never_needed(void)
{
    static uint8_t image[FILE_BYTES_MAX];
    uint64_t outcomes[3] = {0};
    struct fixture f;
    uint64_t size = make(&f, image);

    for (uint64_t at = 0; at < size; at += STEP) {
        enum store_result r;
        struct checkpoint *c;

        put_file(&f, image, size);
        fixture_flip(&f, "state.db", at, (unsigned)(at / STEP % 8));
        c = start(&f, &r);
        if (c != NULL) {
            outcomes[go_on(&f, c)]++;
            continue;
        }
        CU_ASSERT(r == STORE_CORRUPT || r == STORE_MISMATCH || r == STORE_FOREIGN);
        outcomes[FOUND]++;
    }
    printf("%llu harmless, %llu found, %llu found later; ", (unsigned long long)outcomes[HARMLESS],
           (unsigned long long)outcomes[FOUND], (unsigned long long)outcomes[FOUND_LATER]);
    CU_ASSERT(outcomes[FOUND] > 100);
    fixture_remove(&f);
}

/* Set aside while it is open, by the process that found it: the next one begins anew. */
static void test_checkpoint_damage__it_can_be_set_aside_while_it_is_open(void)
{
    struct fixture f;
    struct checkpoint *c, *next;

    fixture_make(&f);
    c = state_open(&f, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    CU_ASSERT_EQUAL(state_write(c, NUMBER, true), STORE_OK);
    CU_ASSERT_EQUAL(checkpoint_set_aside(f.directory, f.why, sizeof f.why), STORE_OK);
    next = state_open(&f, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(next);
    CU_ASSERT_EQUAL(checkpoint_slot(next), 0);
    checkpoint_close(next);
    checkpoint_close(c);
    fixture_remove(&f);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_checkpoint_damage__a_bit_anywhere_is_found_or_never_needed),
        TEST(test_checkpoint_damage__it_can_be_set_aside_while_it_is_open),
    };
    return run_suite("checkpoint_damage", cases, sizeof cases / sizeof cases[0], argc, argv);
}
