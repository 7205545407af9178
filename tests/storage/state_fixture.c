/* state_fixture.c - see state_fixture.h. */
#include "tests/storage/state_fixture.h"

#include <stdio.h>
#include <string.h>

#include "coordd/replica/chunk.h"
#include "libcoord/base/check.h"
#include "libcoord/base/prng.h"
#include "tests/support/runner.h"

enum { MUCH_RECORDS = 150, MUCH_BYTES = 64 * 1024 }; /* 9.4 MiB */
enum { SLOTS_BETWEEN = 10, KEY_BYTES = 24, VALUE_BYTES_MAX = 9000 };

struct checkpoint *state_open(struct fixture *f, enum store_result *ret)
{
    struct store_identity identity = fixture_identity();
    struct checkpoint *c = NULL;
    enum store_result r;

    f->why[0] = '\0';
    r = checkpoint_open(f->directory, &identity, &f->options, &c, NULL, f->why, sizeof f->why);
    if (ret != NULL)
        *ret = r;
    else if (r != STORE_OK)
        fprintf(stderr, "cannot open: %s: %s\n", store_result_text(r), f->why);
    return c;
}

/* ---- what a checkpoint holds ---- */

/* Does checkpoint n change record i? All records begin with one of the first five. */
static bool changes(uint32_t i, uint32_t n)
{
    return (i * 7 + n) % 5 == 0;
}

/* The checkpoint that record i of n stems from; 0: it is not there. */
static uint32_t version_of(uint32_t i, uint32_t n)
{
    while (n > 0 && !changes(i, n))
        n--;
    return n > 0 && (i + n) % 4 == 3 ? 0 : n;
}

static struct slice key_of(uint32_t i, char key[KEY_BYTES])
{
    snprintf(key, KEY_BYTES, "key-%06u", i);
    return slice_of_string(key);
}

/* Mostly short; some fill pages of their own. */
static struct slice value_of(uint32_t i, uint32_t version, uint8_t value[VALUE_BYTES_MAX])
{
    struct prng prng;
    size_t length;

    prng_init(&prng, (uint64_t)version << 32 | i);
    length = (size_t)prng_below(&prng, i % 50 == 7 ? VALUE_BYTES_MAX : 150);
    prng_fill(&prng, value, length);
    return slice_of(value, length);
}

static void add_record(struct buffer *chunk, uint32_t i, uint32_t n)
{
    uint8_t value[VALUE_BYTES_MAX];
    char key[KEY_BYTES];
    uint32_t version = version_of(i, n);

    if (version == 0)
        chunk_remove(chunk, key_of(i, key));
    else
        chunk_put(chunk, key_of(i, key), value_of(i, version, value));
}

/* ---- writing ---- */

enum store_result state_put(struct checkpoint *c, uint32_t n, bool whole)
{
    struct buffer chunk = BUFFER_INIT;
    enum store_result r = checkpoint_begin(c, whole);

    for (uint32_t i = 0; r == STORE_OK && i < STATE_RECORDS_MAX; i++) {
        if (whole ? version_of(i, n) != 0 : changes(i, n))
            add_record(&chunk, i, n);
        if (chunk.length > 4096 || i + 1 == STATE_RECORDS_MAX) {
            r = checkpoint_put(c, buffer_slice(&chunk));
            buffer_clear(&chunk);
        }
    }
    buffer_release(&chunk);
    return r;
}

enum store_result state_put_much(struct checkpoint *c)
{
    struct buffer chunk = BUFFER_INIT;
    enum store_result r = STORE_OK;
    struct prng prng;

    prng_init(&prng, 1);
    for (uint32_t i = 0; r == STORE_OK && i < 2 * MUCH_RECORDS; i++) {
        char key[KEY_BYTES];
        struct blob *value = blob_new(MUCH_BYTES);

        prng_fill(&prng, value->data, value->length);
        snprintf(key, sizeof key, "much-%06u", i % MUCH_RECORDS);
        buffer_clear(&chunk);
        chunk_put(&chunk, slice_of_string(key), blob_slice(value));
        r = checkpoint_put(c, buffer_slice(&chunk));
        blob_unref(value);
    }
    buffer_clear(&chunk);
    for (uint32_t i = 0; i < MUCH_RECORDS; i++) {
        char key[KEY_BYTES];

        snprintf(key, sizeof key, "much-%06u", i);
        chunk_remove(&chunk, slice_of_string(key));
    }
    if (r == STORE_OK)
        r = checkpoint_put(c, buffer_slice(&chunk));
    buffer_release(&chunk);
    return r;
}

static struct slice about_of(uint32_t n, char about[KEY_BYTES])
{
    snprintf(about, KEY_BYTES, "about %u", n);
    return slice_of_string(about);
}

enum store_result state_commit(struct checkpoint *c, uint32_t n)
{
    char about[KEY_BYTES];

    return checkpoint_commit(c, (uint64_t)SLOTS_BETWEEN * n, about_of(n, about));
}

enum store_result state_write(struct checkpoint *c, uint32_t n, bool whole)
{
    enum store_result r = state_put(c, n, whole);

    return r == STORE_OK ? state_commit(c, n) : r;
}

/* ---- comparing ---- */

struct comparing {
    uint32_t n, next;
    bool wrong;   /* a record that is not one of n's */
    bool missing; /* one of n's was left out */
};

static void skip_to(struct comparing *comparing, uint32_t i)
{
    for (; comparing->next < i; comparing->next++)
        comparing->missing = comparing->missing || version_of(comparing->next, comparing->n) != 0;
}

static bool compare(void *context, struct slice key, struct slice value)
{
    struct comparing *comparing = context;
    uint8_t expected[VALUE_BYTES_MAX];
    char name[KEY_BYTES];
    uint32_t i = comparing->next, version;

    while (i < STATE_RECORDS_MAX && !slice_equal(key, key_of(i, name)))
        i++;
    skip_to(comparing, i);
    version = version_of(i, comparing->n);
    if (i == STATE_RECORDS_MAX || version == 0 ||
        !slice_equal(value, value_of(i, version, expected)))
        comparing->wrong = true;
    comparing->next++;
    return !comparing->wrong;
}

enum store_result state_check_hash(struct checkpoint *c, bool *ret_wrong)
{
    struct comparing comparing = {.n = (uint32_t)(checkpoint_slot(c) / SLOTS_BETWEEN)};
    char about[KEY_BYTES];
    enum store_result r = checkpoint_load(c, compare, &comparing);

    *ret_wrong = comparing.wrong;
    if (r != STORE_OK || comparing.wrong)
        return r == STORE_OK ? STORE_CORRUPT : r;
    skip_to(&comparing, STATE_RECORDS_MAX);
    if (comparing.n > 0)
        CU_ASSERT_TRUE(slice_equal(checkpoint_about(c), about_of(comparing.n, about)));
    return comparing.missing ? STORE_CORRUPT : STORE_OK;
}

enum store_result state_check(struct checkpoint *c)
{
    bool wrong;
    enum store_result r = state_check_hash(c, &wrong);

    CU_ASSERT_FALSE(wrong); /* also before it found the damage */
    return r;
}

uint32_t state_number(struct checkpoint *c)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    CU_ASSERT_EQUAL(checkpoint_slot(c) % SLOTS_BETWEEN, 0);
    CU_ASSERT_EQUAL(state_check(c), STORE_OK);
    return (uint32_t)(checkpoint_slot(c) / SLOTS_BETWEEN);
}

void state_check_reader(struct checkpoint_reader *r, uint32_t n, uint64_t bytes_max)
{
    struct comparing comparing = {.n = n};
    struct buffer chunk = BUFFER_INIT;
    struct chunk_record record;
    char about[KEY_BYTES];
    bool last = false;

    CU_ASSERT_EQUAL(checkpoint_reader_slot(r), (uint64_t)SLOTS_BETWEEN * n);
    CU_ASSERT_TRUE(slice_equal(checkpoint_reader_about(r), about_of(n, about)));
    while (!last) {
        struct reader reader;

        buffer_clear(&chunk);
        CU_ASSERT_EQUAL_FATAL(checkpoint_reader_next(r, bytes_max, &chunk, &last), STORE_OK);
        CU_ASSERT_TRUE_FATAL(last || chunk.length >= bytes_max);
        reader = reader_of(buffer_slice(&chunk));
        while (chunk_next(&reader, &record)) {
            CU_ASSERT_FALSE(record.removed);
            (void)compare(&comparing, record.key, record.value);
        }
        CU_ASSERT_TRUE(reader_done(&reader));
    }
    skip_to(&comparing, STATE_RECORDS_MAX);
    CU_ASSERT_FALSE(comparing.wrong || comparing.missing);
    buffer_release(&chunk);
}
