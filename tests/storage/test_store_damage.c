/* test_store_damage.c - one bit of log.db, anywhere: a start finds it and the log is
 * repaired, or finds it and refuses; or nobody ever needs it, and all goes on.
 *
 * `test_store_damage STEP` tries every STEP-th byte instead of some. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/storage/fixture.h"
#include "tests/support/runner.h"

enum {
    PROMISED = 131074,
    FLOOR = 40,
    SLOTS = 70,
    LARGE_EVERY = 4,
    LARGE_BYTES = 9000,
    FILE_BYTES_MAX = 1 << 20,
    FREE_PAGES_AT = 36, /* in the first page: how many */
};

static uint64_t step = 211;

static void persist(struct store *s, enum effect_kind kind, uint64_t number)
{
    struct effect e = {.kind = kind, .ballot = number, .last_slot = number};

    CU_ASSERT_EQUAL_FATAL(store_commit(s, &e, 1), STORE_OK);
}

/* Rows of one page and of several. */
static void fill(struct store *s, uint64_t first, uint64_t last)
{
    for (uint64_t slot = first; slot <= last; slot++)
        CU_ASSERT_EQUAL_FATAL(fixture_commit(s, slot, slot % LARGE_EVERY == 0 ? LARGE_BYTES : 200),
                              STORE_OK);
}

/* Has free pages, a list of them, rows of the log, and everything else. */
static uint64_t make(struct fixture *f, uint8_t *image)
{
    struct store *s;
    uint64_t size;

    fixture_make(f);
    s = fixture_start(f);
    persist(s, EFFECT_PERSIST_PROMISE, PROMISED);
    fill(s, 1, SLOTS);
    persist(s, EFFECT_PERSIST_FLOOR, FLOOR);
    for (int i = 0; i < 3; i++) {
        store_close(s);
        s = fixture_open(f, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    }
    store_close(s);
    fixture_empty_wal(f, "log.db");
    size = fixture_size(f, "log.db");
    CU_ASSERT_FATAL(size <= FILE_BYTES_MAX);
    fixture_read_bytes(f, "log.db", 0, image, (size_t)size);
    CU_ASSERT(image[FREE_PAGES_AT + 3] > 20);
    return size;
}

static void put_back(const struct fixture *f, const uint8_t *image, uint64_t size)
{
    char path[FIXTURE_PATH_BYTES];

    fixture_path(f, "log.db-wal", path);
    (void)remove(path);
    fixture_path(f, STORE_LOG_DAMAGED, path);
    (void)remove(path);
    fixture_path(f, "log.db", path);
    CU_ASSERT_EQUAL(remove(path), 0);
    fixture_write_bytes(f, "log.db", 0, image, (size_t)size);
}

static void check_head(struct store *s)
{
    struct replica_durable durable = fixture_durable(s);

    CU_ASSERT_EQUAL(durable.promised, PROMISED);
    CU_ASSERT_EQUAL(durable.floor, FLOOR);
    CU_ASSERT_EQUAL(durable.last_slot, SLOTS);
}

/* Nothing was damaged that anybody needs: not now, and not when pages are used again. */
static void check_goes_on(struct fixture *f, struct store *s)
{
    uint64_t last;

    check_head(s);
    fill(s, SLOTS + 1, SLOTS + 40);
    persist(s, EFFECT_PERSIST_FLOOR, SLOTS);
    for (int i = 0; i < 2; i++) {
        store_close(s);
        s = fixture_open(f, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    }
    fill(s, SLOTS + 41, SLOTS + 60);
    CU_ASSERT_EQUAL(fixture_read(s, 1, &last), STORE_OK);
    CU_ASSERT_EQUAL(last, SLOTS + 60);
    store_close(s);
}

enum outcome { HARMLESS, REPAIRED, REFUSED };

static enum outcome try(struct fixture *f)
{
    enum store_result r;
    struct store *s = fixture_open(f, &r);
    uint64_t last = 0;

    if (s != NULL) {
        r = fixture_read(s, 1, &last);
        if (r == STORE_OK) {
            CU_ASSERT_EQUAL(last, SLOTS);
            check_goes_on(f, s);
            return HARMLESS;
        }
        store_close(s);
    }
    CU_ASSERT(r == STORE_CORRUPT || r == STORE_FOREIGN);
    if (r == STORE_CORRUPT)
        r = store_repair(f->directory, &f->options, f->why, sizeof f->why);
    if (r != STORE_OK) {
        CU_ASSERT(r == STORE_CORRUPT || r == STORE_FOREIGN);
        CU_ASSERT(f->why[0] != '\0');
        return REFUSED;
    }
    s = fixture_open(f, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    check_head(s);
    CU_ASSERT_EQUAL(fixture_read(s, 1, &last), STORE_OK);
    CU_ASSERT_EQUAL(last, 0);
    store_close(s);
    return REPAIRED;
}

static void test_store_damage__a_bit_anywhere_is_repaired_or_refused_or_never_needed(void)
{
    static uint8_t image[FILE_BYTES_MAX];
    uint64_t outcomes[3] = {0};
    struct fixture f;
    uint64_t size = make(&f, image);

    for (uint64_t at = 0; at < size; at += step) {
        put_back(&f, image, size);
        fixture_flip(&f, "log.db", at, (unsigned)(at / step % 8));
        outcomes[try(&f)]++;
    }
    printf("%llu harmless, %llu repaired, %llu refused; ", (unsigned long long)outcomes[HARMLESS],
           (unsigned long long)outcomes[REPAIRED], (unsigned long long)outcomes[REFUSED]);
    CU_ASSERT(outcomes[REPAIRED] > outcomes[REFUSED]);
    CU_ASSERT(outcomes[HARMLESS] > 0);
    fixture_remove(&f);
}

/* The list of free pages, bit by bit: to be found before one of them is used. */
static void test_store_damage__the_list_of_free_pages_is_repaired(void)
{
    enum { FIRST_FREE_AT = 32, LIST_BYTES = 8 + 20 * 4 };
    static uint8_t image[FILE_BYTES_MAX];
    struct fixture f;
    uint64_t size = make(&f, image), found = 0;
    uint64_t list = (uint64_t)(image[FIRST_FREE_AT + 2] << 8 | image[FIRST_FREE_AT + 3]);

    list = (list - 1) * 4096;
    for (uint64_t at = 0; at < LIST_BYTES; at++) {
        put_back(&f, image, size);
        fixture_flip(&f, "log.db", list + at, (unsigned)(at % 8));
        found += try(&f) == REPAIRED;
    }
    CU_ASSERT_EQUAL(found, LIST_BYTES);
    fixture_remove(&f);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_store_damage__a_bit_anywhere_is_repaired_or_refused_or_never_needed),
        TEST(test_store_damage__the_list_of_free_pages_is_repaired),
    };

    if (argc > 1 && strtoull(argv[1], NULL, 10) > 0) {
        step = strtoull(argv[1], NULL, 10);
        argc = 1;
    }
    return run_suite("store_damage", cases, sizeof cases / sizeof cases[0], argc, argv);
}
