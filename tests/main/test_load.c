/* From a real directory to a replica that this file makes up: what it is given, in
 * which order, and what becomes of a checkpoint or a log that is damaged. */
#define _GNU_SOURCE
#include "coordd/main/load.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordd/main/exit_codes.h"
#include "coordd/replica/chunk.h"
#include "libcoord/base/check.h"
#include "tests/support/runner.h"

enum { STORY_BYTES = 1024, PATH_BYTES = 512, PAGE_BYTES = 4096 };

/* ---- the replica: tells what it was given ---- */

struct replica {
    char story[STORY_BYTES];
};

static unsigned replicas; /* that live */
static bool refuse_about, refuse_record, refuse_end;
static struct replica_config last_config;

__attribute__((format(printf, 2, 3))) static void tell(struct replica *r, const char *format, ...)
{
    size_t length = strlen(r->story);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(r->story + length, STORY_BYTES - length, format, arguments);
    va_end(arguments);
}

enum err replica_new(const struct replica_config *config, const struct replica_durable *durable,
                     struct replica **ret, const char **ret_why)
{
    (void)ret_why;
    replicas++;
    last_config = *config;
    *ret = check_calloc(1, sizeof **ret);
    tell(*ret, "new %d-%d%s", (int)durable->floor, (int)durable->last_slot,
         durable->log_damaged ? " without a log" : "");
    return ERR_OK;
}

void replica_free(struct replica *r)
{
    replicas -= r != NULL;
    free(r);
}

enum err replica_load_checkpoint(struct replica *r, uint64_t slot, struct slice about,
                                 const char **ret_why)
{
    CU_ASSERT_TRUE(slice_equal(about, slice_of_string("about")));
    *ret_why = "no about";
    tell(r, " checkpoint %d", (int)slot);
    return refuse_about ? ERR_INVALID : ERR_OK;
}

enum err replica_load_record(struct replica *r, struct slice key, struct slice value)
{
    tell(r, " %.*s=%.*s", (int)key.length, (const char *)key.data, (int)value.length,
         (const char *)value.data);
    return refuse_record ? ERR_INVALID : ERR_OK;
}

enum err replica_load_checkpoint_end(struct replica *r)
{
    tell(r, " end");
    return refuse_end ? ERR_INVALID : ERR_OK;
}

enum err replica_load_entry(struct replica *r, const struct log_entry *entry)
{
    tell(r, " %d", (int)entry->slot);
    return ERR_OK;
}

void replica_loaded(struct replica *r, int64_t now_ns)
{
    CU_ASSERT_TRUE(now_ns > 0);
    tell(r, " loaded");
}

/* ---- the directory ---- */

struct fixture {
    struct serve_config config;
    struct store_identity identity;
    struct loaded loaded;
    char why[256];
};

static void say_nothing(void)
{
    /* The lines are not for the test's log. */
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    CHECK(null >= 0 && dup2(null, STDERR_FILENO) >= 0);
    (void)close(null);
}

static void commit(struct store *s, enum effect_kind kind, uint64_t slot)
{
    struct effect e = {.kind = kind, .last_slot = slot, .entry = {.slot = slot}};
    char value[32];
    (void)snprintf(value, sizeof value, "value of slot %d", (int)slot);
    e.entry.value = blob_copy(slice_of_string(value));
    CU_ASSERT_EQUAL_FATAL(store_commit(s, &e, 1), STORE_OK);
    blob_unref(e.entry.value);
}

/* Entries 1 to 8 behind floor `floor`; a checkpoint of slot `slot` with two records. */
static struct fixture *fixture_make(uint64_t slot, uint64_t floor)
{
    static struct fixture f;
    struct store *s;
    memset(&f, 0, sizeof f);
    refuse_about = refuse_record = refuse_end = false;
    f.identity = (struct store_identity){.self = 1,
                                         .incarnation = 77,
                                         .members = {{1, "localhost:1"}, {2, "localhost:2"}},
                                         .members_count = 2};
    (void)snprintf(f.config.dir, sizeof f.config.dir, "%s/coord-load-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    f.config.wal_bytes = 64 * 1024;
    f.config.checkpoint_slots = 70;
    f.config.log_keep_slots = 20;
    f.config.checkpoint_bytes = 1000;
    CHECK(mkdtemp(f.config.dir) != NULL);
    CU_ASSERT_EQUAL_FATAL(store_initialise(f.config.dir, &f.identity, NULL, f.why, sizeof f.why),
                          STORE_OK);
    CU_ASSERT_EQUAL_FATAL(store_open(f.config.dir, NULL, &s, f.why, sizeof f.why), STORE_OK);
    for (uint64_t i = 1; i <= 8; i++)
        commit(s, EFFECT_PERSIST_ENTRY, i);
    commit(s, EFFECT_PERSIST_FLOOR, floor);
    if (slot != 0) {
        struct buffer chunk = BUFFER_INIT;
        struct checkpoint *c;
        chunk_put(&chunk, slice_of_string("a"), slice_of_string("1"));
        chunk_put(&chunk, slice_of_string("b"), slice_of_string("2"));
        CU_ASSERT_EQUAL_FATAL(
            checkpoint_open(f.config.dir, &f.identity, NULL, &c, NULL, f.why, sizeof f.why),
            STORE_OK);
        CU_ASSERT_EQUAL(checkpoint_begin(c, true), STORE_OK);
        CU_ASSERT_EQUAL(checkpoint_put(c, buffer_slice(&chunk)), STORE_OK);
        CU_ASSERT_EQUAL(checkpoint_commit(c, slot, slice_of_string("about")), STORE_OK);
        CU_ASSERT_EQUAL(checkpoint_maintain(c), STORE_OK);
        checkpoint_close(c);
        buffer_release(&chunk);
    }
    store_close(s);
    return &f;
}

static void path_of(const struct fixture *f, const char *name, char path[PATH_BYTES])
{
    int length = snprintf(path, PATH_BYTES, "%.400s/%s", f->config.dir, name);
    CHECK(length > 0 && length < PATH_BYTES);
}

static bool has(const struct fixture *f, const char *name)
{
    char path[PATH_BYTES];
    path_of(f, name, path);
    return access(path, F_OK) == 0;
}

static void drop(const struct fixture *f, const char *name)
{
    char path[PATH_BYTES];
    path_of(f, name, path);
    CU_ASSERT_EQUAL(unlink(path), 0);
}

/* All pages but the first. */
static void destroy(const struct fixture *f, const char *name, off_t from)
{
    static uint8_t rubbish[3 * PAGE_BYTES];
    char path[PATH_BYTES];
    path_of(f, name, path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    memset(rubbish, 0xa7, sizeof rubbish);
    CHECK(fd >= 0 && pwrite(fd, rubbish, sizeof rubbish, from) == (ssize_t)sizeof rubbish);
    (void)close(fd);
}

static int load(struct fixture *f)
{
    int kept = dup(STDERR_FILENO);
    say_nothing();
    int status = load_directory(&f->config, NULL, &f->loaded);
    CHECK(dup2(kept, STDERR_FILENO) >= 0);
    (void)close(kept);
    return status;
}

static void fixture_remove(struct fixture *f)
{
    loaded_release(&f->loaded);
    CU_ASSERT_EQUAL(replicas, 0);
    DIR *entries = opendir(f->config.dir);
    CHECK(entries != NULL);
    for (struct dirent *e; (e = readdir(entries)) != NULL;) {
        char path[PATH_BYTES];
        path_of(f, e->d_name, path);
        (void)unlink(path);
    }
    (void)closedir(entries);
    CU_ASSERT_EQUAL(rmdir(f->config.dir), 0);
}

/* ---- tests ---- */

static void expect(struct fixture *f, const char *story)
{
    CU_ASSERT_EQUAL_FATAL(load(f), COORDD_EXIT_OK);
    CU_ASSERT_STRING_EQUAL(f->loaded.replica->story, story);
}

static void test_load__without_a_checkpoint_the_log_is_all(void)
{
    struct fixture *f = fixture_make(0, 0);
    expect(f, "new 0-8 1 2 3 4 5 6 7 8 loaded");
    CU_ASSERT_EQUAL(f->loaded.entries, 8);
    CU_ASSERT_EQUAL(f->loaded.records, 0);
    CU_ASSERT_EQUAL(last_config.checkpoint_slots, 70);
    CU_ASSERT_EQUAL(last_config.checkpoint_bytes, 1000);
    CU_ASSERT_EQUAL(last_config.log_keep_slots, 20);
    fixture_remove(f);
}

static void test_load__the_log_follows_the_checkpoint(void)
{
    struct fixture *f = fixture_make(5, 3);
    expect(f, "new 3-8 checkpoint 5 a=1 b=2 end 6 7 8 loaded");
    CU_ASSERT_EQUAL(f->loaded.records, 2);
    CU_ASSERT_EQUAL(f->loaded.entries, 3);
    fixture_remove(f);
    f = fixture_make(20, 0); /* of another member's state; the floor did not follow yet */
    expect(f, "new 0-8 checkpoint 20 a=1 b=2 end loaded");
    fixture_remove(f);
}

/* What another has below the floor is missing here: the replica sees that. */
static void test_load__a_checkpoint_below_the_floor_is_given_as_it_is(void)
{
    struct fixture *f = fixture_make(2, 6);
    expect(f, "new 6-8 checkpoint 2 a=1 b=2 end 7 8 loaded");
    fixture_remove(f);
}

static void test_load__a_missing_checkpoint_is_no_reason_not_to_start(void)
{
    struct fixture *f = fixture_make(5, 3);
    drop(f, "state.db");
    expect(f, "new 3-8 4 5 6 7 8 loaded");
    CU_ASSERT_FALSE(has(f, CHECKPOINT_DAMAGED));
    fixture_remove(f);
}

static void test_load__a_damaged_checkpoint_is_set_aside(void)
{
    for (int i = 0; i < 5; i++) {
        struct fixture *f = fixture_make(5, 3);
        drop(f, "state.db-wal"); /* it would heal some of it: all is moved, but still there */
        if (i == 0)
            destroy(f, "state.db", PAGE_BYTES);
        if (i == 1)
            destroy(f, "state.db", 0);
        refuse_about = i == 2;
        refuse_record = i == 3;
        refuse_end = i == 4;
        expect(f, "new 3-8 4 5 6 7 8 loaded");
        CU_ASSERT_TRUE(has(f, CHECKPOINT_DAMAGED));
        CU_ASSERT_EQUAL(checkpoint_slot(f->loaded.checkpoint), 0);
        CU_ASSERT_EQUAL(f->loaded.records, 0);
        loaded_release(&f->loaded);
        expect(f, "new 3-8 4 5 6 7 8 loaded");
        fixture_remove(f);
    }
}

static void test_load__another_members_checkpoint_is_set_aside(void)
{
    struct fixture *f = fixture_make(5, 3);
    struct store_identity other = f->identity;
    struct checkpoint *c;
    drop(f, "state.db");
    other.incarnation++;
    CU_ASSERT_EQUAL_FATAL(
        checkpoint_open(f->config.dir, &other, NULL, &c, NULL, f->why, sizeof f->why), STORE_OK);
    checkpoint_close(c);
    expect(f, "new 3-8 4 5 6 7 8 loaded");
    CU_ASSERT_TRUE(has(f, CHECKPOINT_DAMAGED));
    fixture_remove(f);
}

/* One byte of that text, wherever it stands in the file. */
static void damage(const struct fixture *f, const char *name, const char *text)
{
    static uint8_t file[64 * PAGE_BYTES];
    char path[PATH_BYTES];
    unsigned found = 0;
    path_of(f, name, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : pread(fd, file, sizeof file, 0);
    for (ssize_t at = 0; at + (ssize_t)strlen(text) <= length; at++) {
        if (memcmp(file + at, text, strlen(text)) != 0)
            continue;
        found++;
        CHECK(pwrite(fd, "#", 1, (off_t)at) == 1);
    }
    CU_ASSERT_TRUE(found > 0);
    (void)close(fd);
}

/* All is in the database, and nothing that would heal it in a -wal. */
static struct fixture *fixture_without_wal(void)
{
    struct fixture *f = fixture_make(5, 3);
    struct store *s;
    CU_ASSERT_EQUAL_FATAL(store_open(f->config.dir, NULL, &s, f->why, sizeof f->why), STORE_OK);
    store_close(s);
    drop(f, "log.db-wal");
    return f;
}

/* Be it one that the replica needs, or one that only others may ask for. */
static void test_load__a_damaged_log_is_set_aside(void)
{
    static const char *const values[] = {"value of slot 4", "value of slot 7", "value of slot 8"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct fixture *f = fixture_without_wal();
        damage(f, "log.db", values[i]);
        expect(f, "new 3-8 without a log checkpoint 5 a=1 b=2 end loaded");
        CU_ASSERT_TRUE(has(f, STORE_LOG_DAMAGED));
        CU_ASSERT_EQUAL(f->loaded.entries, 0);
        CU_ASSERT_EQUAL(f->loaded.records, 2);
        loaded_release(&f->loaded);
        expect(f, "new 3-8 without a log checkpoint 5 a=1 b=2 end loaded");
        commit(f->loaded.store, EFFECT_PERSIST_FLOOR, 8);
        loaded_release(&f->loaded);
        expect(f, "new 8-8 checkpoint 5 a=1 b=2 end loaded");
        fixture_remove(f);
    }
}

static void test_load__a_log_db_that_is_damaged_elsewhere_is_a_reason(void)
{
    struct fixture *f = fixture_without_wal();
    damage(f, "log.db", "localhost:2"); /* the identity */
    CU_ASSERT_EQUAL(load(f), COORDD_EXIT_CORRUPT);
    CU_ASSERT_FALSE(has(f, STORE_LOG_DAMAGED));
    fixture_remove(f);
    f = fixture_make(5, 3);
    destroy(f, "log.db", PAGE_BYTES);
    CU_ASSERT_EQUAL(load(f), COORDD_EXIT_CORRUPT);
    CU_ASSERT_FALSE(has(f, CHECKPOINT_DAMAGED));
    CU_ASSERT_FALSE(has(f, STORE_LOG_DAMAGED));
    fixture_remove(f);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_load__without_a_checkpoint_the_log_is_all),
        TEST(test_load__the_log_follows_the_checkpoint),
        TEST(test_load__a_checkpoint_below_the_floor_is_given_as_it_is),
        TEST(test_load__a_missing_checkpoint_is_no_reason_not_to_start),
        TEST(test_load__a_damaged_checkpoint_is_set_aside),
        TEST(test_load__another_members_checkpoint_is_set_aside),
        TEST(test_load__a_damaged_log_is_set_aside),
        TEST(test_load__a_log_db_that_is_damaged_elsewhere_is_a_reason),
    };
    return run_suite("load", cases, sizeof cases / sizeof cases[0], argc, argv);
}
