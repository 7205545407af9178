/* The checkpoint thread, over a checkpoint that this file makes up: the order of
 * what is written, reads between two pieces, what a full or failing disk does, and
 * whose references are dropped where. */
#define _GNU_SOURCE
#include "coordd/main/saver.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libcoord/base/check.h"
#include "tests/support/runner.h"

enum {
    STORY_BYTES = 512,
    EVENTS_MAX = 64,
    WAIT_S_MAX = 60,
    PIECES = 3, /* that a reader yields */
};

/* ---- the checkpoint: its disk can be held and be made to answer anything ---- */

struct checkpoint {
    pthread_mutex_t mutex;
    sem_t begun, go; /* a PUT has begun; and may go on */
    bool held;
    enum store_result next; /* the answer of the next PUT or COMMIT */
    uint64_t slot;
    char story[STORY_BYTES]; /* what was done, one word after the other */
    unsigned readers;
};

static struct checkpoint checkpoint;

static void tell(const char *word)
{
    CHECK(pthread_mutex_lock(&checkpoint.mutex) == 0);
    size_t length = strlen(checkpoint.story);
    (void)snprintf(checkpoint.story + length, STORY_BYTES - length, "%s%s", length == 0 ? "" : " ",
                   word);
    CHECK(pthread_mutex_unlock(&checkpoint.mutex) == 0);
}

static enum store_result answer(void)
{
    CHECK(pthread_mutex_lock(&checkpoint.mutex) == 0);
    enum store_result result = checkpoint.next;
    checkpoint.next = STORE_OK;
    CHECK(pthread_mutex_unlock(&checkpoint.mutex) == 0);
    return result;
}

enum store_result checkpoint_begin(struct checkpoint *c, bool whole)
{
    (void)c;
    tell(whole ? "whole" : "begin");
    return STORE_OK;
}

enum store_result checkpoint_put(struct checkpoint *c, struct slice chunk)
{
    char word[16] = "";
    memcpy(word, chunk.data, chunk.length);
    tell(word);
    CHECK(pthread_mutex_lock(&c->mutex) == 0);
    bool held = c->held;
    CHECK(pthread_mutex_unlock(&c->mutex) == 0);
    if (held) {
        CHECK(sem_post(&c->begun) == 0);
        CHECK(sem_wait(&c->go) == 0);
    }
    return answer();
}

enum store_result checkpoint_commit(struct checkpoint *c, uint64_t slot, struct slice about)
{
    CU_ASSERT_TRUE(slice_equal(about, slice_of_string("about")));
    tell("commit");
    enum store_result result = answer();
    if (result == STORE_OK)
        c->slot = slot;
    return result;
}

enum store_result checkpoint_abort(struct checkpoint *c)
{
    (void)c;
    tell("abort");
    return STORE_OK;
}

enum store_result checkpoint_maintain(struct checkpoint *c)
{
    (void)c;
    return STORE_OK;
}

bool checkpoint_owes_space(const struct checkpoint *c)
{
    (void)c;
    return false;
}

uint64_t checkpoint_slot(const struct checkpoint *c)
{
    return c->slot;
}

struct checkpoint_reader {
    uint64_t slot;
    unsigned pieces;
};

enum store_result checkpoint_reader_open(struct checkpoint *c, struct checkpoint_reader **ret)
{
    struct checkpoint_reader *r = check_calloc(1, sizeof *r);
    r->slot = c->slot;
    c->readers++;
    *ret = r;
    return STORE_OK;
}

void checkpoint_reader_close(struct checkpoint_reader *r)
{
    if (r != NULL)
        checkpoint.readers--;
    free(r);
}

uint64_t checkpoint_reader_slot(const struct checkpoint_reader *r)
{
    return r->slot;
}

struct slice checkpoint_reader_about(const struct checkpoint_reader *r)
{
    (void)r;
    return slice_of_string("about");
}

enum store_result checkpoint_reader_next(struct checkpoint_reader *r, uint64_t bytes_max,
                                         struct buffer *chunk, bool *ret_last)
{
    tell("read");
    CU_ASSERT_EQUAL(bytes_max, 100);
    buffer_put_u8(chunk, (uint8_t)++r->pieces);
    *ret_last = r->pieces == PIECES;
    return STORE_OK;
}

/* ---- the network thread ---- */

struct fixture {
    struct saver *saver;
    sem_t woken;
    enum store_result failed;
    struct replica_event events[EVENTS_MAX];
    uint8_t pieces[EVENTS_MAX];
    unsigned count;
    struct blob *bytes; /* of every PUT; one reference is ours */
};

static void on_wake(void *context)
{
    CHECK(sem_post(&((struct fixture *)context)->woken) == 0);
}

static void on_fail(void *context, enum store_result result)
{
    struct fixture *f = context;
    f->failed = result;
    CHECK(sem_post(&f->woken) == 0);
}

static struct fixture *fixture_open(uint64_t slot)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    memset(&checkpoint, 0, sizeof checkpoint);
    checkpoint.slot = slot;
    CHECK(pthread_mutex_init(&checkpoint.mutex, NULL) == 0);
    CHECK(sem_init(&checkpoint.begun, 0, 0) == 0 && sem_init(&checkpoint.go, 0, 0) == 0);
    CHECK(sem_init(&f.woken, 0, 0) == 0);
    f.bytes = blob_copy(slice_of_string("put"));
    struct saver_options options = {
        .checkpoint = &checkpoint, .wake = on_wake, .fail = on_fail, .context = &f};
    f.saver = saver_new(&options);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f.saver);
    return &f;
}

static void fixture_close(struct fixture *f)
{
    saver_free(f->saver);
    CU_ASSERT_EQUAL(checkpoint.readers, 0);
    CU_ASSERT_EQUAL(f->bytes->references, 1);
    blob_unref(f->bytes);
}

static void wait_on(sem_t *sem)
{
    struct timespec end;
    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += WAIT_S_MAX;
    CU_ASSERT_EQUAL_FATAL(sem_timedwait(sem, &end), 0);
}

static void hold_disk(bool held, enum store_result next)
{
    CHECK(pthread_mutex_lock(&checkpoint.mutex) == 0);
    checkpoint.held = held;
    checkpoint.next = next;
    CHECK(pthread_mutex_unlock(&checkpoint.mutex) == 0);
}

static void on_event(void *context, struct replica_event *event)
{
    struct fixture *f = context;
    CU_ASSERT_TRUE_FATAL(f->count < EVENTS_MAX);
    f->pieces[f->count] = event->bytes.length == 1 ? event->bytes.data[0] : 0;
    f->events[f->count++] = *event;
}

/* Takes until there were so many events in all. */
static void take(struct fixture *f, unsigned count)
{
    f->count = 0;
    for (saver_take(f->saver, on_event, f); f->count < count;) {
        wait_on(&f->woken);
        saver_take(f->saver, on_event, f);
    }
    CU_ASSERT_EQUAL(f->count, count);
}

static void write_one(struct fixture *f, enum effect_kind kind, uint64_t slot)
{
    struct effect e = {.kind = kind, .last_slot = slot};
    struct blob *about = NULL;
    if (kind == EFFECT_CHECKPOINT_PUT)
        e.bytes = f->bytes;
    if (kind == EFFECT_CHECKPOINT_COMMIT)
        e.bytes = about = blob_copy(slice_of_string("about"));
    saver_write(f->saver, &e);
    blob_unref(about);
}

static void read_one(struct fixture *f, uint64_t token, uint64_t bytes_max)
{
    struct effect e = {.kind = EFFECT_READ_CHECKPOINT, .token = token, .bytes_max = bytes_max};
    saver_read(f->saver, &e);
}

/* ---- tests ---- */

static void test_saver__a_checkpoint_is_written_in_order_and_reported(void)
{
    struct fixture *f = fixture_open(0);
    write_one(f, EFFECT_CHECKPOINT_BEGIN, 0);
    write_one(f, EFFECT_CHECKPOINT_PUT, 0);
    write_one(f, EFFECT_CHECKPOINT_PUT, 0);
    write_one(f, EFFECT_CHECKPOINT_COMMIT, 42);
    take(f, 3);
    CU_ASSERT_EQUAL(f->events[0].kind, REPLICA_EVENT_CHECKPOINT_TAKEN);
    CU_ASSERT_EQUAL(f->events[1].kind, REPLICA_EVENT_CHECKPOINT_TAKEN);
    CU_ASSERT_EQUAL(f->events[2].kind, REPLICA_EVENT_CHECKPOINTED);
    CU_ASSERT_EQUAL(f->events[2].slot, 42);
    CU_ASSERT_STRING_EQUAL(checkpoint.story, "begin put put commit");
    fixture_close(f);
}

static void test_saver__an_aborted_one_is_not_reported(void)
{
    struct fixture *f = fixture_open(0);
    write_one(f, EFFECT_CHECKPOINT_BEGIN, 0);
    write_one(f, EFFECT_CHECKPOINT_ABORT, 0);
    write_one(f, EFFECT_CHECKPOINT_BEGIN, 0);
    write_one(f, EFFECT_CHECKPOINT_COMMIT, 7);
    take(f, 1);
    CU_ASSERT_EQUAL(f->events[0].slot, 7);
    CU_ASSERT_STRING_EQUAL(checkpoint.story, "begin abort begin commit");
    fixture_close(f);
}

static void test_saver__a_read_does_not_wait_for_the_checkpoint_under_way(void)
{
    struct fixture *f = fixture_open(5);
    hold_disk(true, STORE_OK);
    write_one(f, EFFECT_CHECKPOINT_BEGIN, 0);
    write_one(f, EFFECT_CHECKPOINT_PUT, 0);
    write_one(f, EFFECT_CHECKPOINT_PUT, 0);
    write_one(f, EFFECT_CHECKPOINT_COMMIT, 9);
    wait_on(&checkpoint.begun);
    hold_disk(false, STORE_OK);
    read_one(f, 1, 100);
    CHECK(sem_post(&checkpoint.go) == 0);
    take(f, 4);
    CU_ASSERT_STRING_EQUAL(checkpoint.story, "begin put read put commit");
    CU_ASSERT_EQUAL(f->events[1].kind, REPLICA_EVENT_CHECKPOINT_READ);
    CU_ASSERT_EQUAL(f->events[1].slot, 5);
    fixture_close(f);
}

static void test_saver__a_transfer_stays_in_its_checkpoint(void)
{
    struct fixture *f = fixture_open(5);
    read_one(f, 1, 100);
    take(f, 1);
    CU_ASSERT_EQUAL(f->events[0].token, 1);
    CU_ASSERT_EQUAL(f->pieces[0], 1);
    CU_ASSERT_EQUAL(f->events[0].about.length, 5);
    CU_ASSERT_FALSE(f->events[0].last);
    write_one(f, EFFECT_CHECKPOINT_BEGIN, 0);
    write_one(f, EFFECT_CHECKPOINT_COMMIT, 9);
    take(f, 1);
    read_one(f, 2, 100);
    read_one(f, 1, 100);
    read_one(f, 1, 100);
    take(f, 3);
    CU_ASSERT_EQUAL(f->events[0].slot, 9);
    CU_ASSERT_EQUAL(f->pieces[0], 1);
    CU_ASSERT_EQUAL(f->events[2].slot, 5);
    CU_ASSERT_EQUAL(f->pieces[2], 3);
    CU_ASSERT_TRUE(f->events[2].last);
    /* One that is told to end makes room for another. */
    read_one(f, 1, 0);
    read_one(f, 77, 0); /* never heard of */
    read_one(f, 3, 100);
    take(f, 1);
    CU_ASSERT_EQUAL(f->events[0].token, 3);
    CU_ASSERT_EQUAL(f->events[0].slot, 9);
    CU_ASSERT_EQUAL(f->pieces[0], 1);
    fixture_close(f);
}

static void test_saver__without_a_checkpoint_there_is_nothing_to_read(void)
{
    struct fixture *f = fixture_open(0);
    for (uint64_t token = 1; token <= 5; token++)
        read_one(f, token, 100);
    take(f, 5);
    CU_ASSERT_EQUAL(f->events[4].kind, REPLICA_EVENT_CHECKPOINT_READ);
    CU_ASSERT_EQUAL(f->events[4].slot, 0);
    CU_ASSERT_EQUAL(f->events[4].token, 5);
    CU_ASSERT_TRUE(f->events[4].last);
    fixture_close(f);
}

static void test_saver__a_full_disk_drops_all_that_was_queued(void)
{
    struct fixture *f = fixture_open(5);
    hold_disk(true, STORE_FULL);
    write_one(f, EFFECT_CHECKPOINT_BEGIN, 0);
    write_one(f, EFFECT_CHECKPOINT_PUT, 0);
    write_one(f, EFFECT_CHECKPOINT_PUT, 0);
    wait_on(&checkpoint.begun);
    hold_disk(false, STORE_FULL);
    CHECK(sem_post(&checkpoint.go) == 0);
    wait_on(&f->woken);
    /* The replica does not know yet. */
    write_one(f, EFFECT_CHECKPOINT_ABORT, 0);
    write_one(f, EFFECT_CHECKPOINT_BEGIN, 0);
    write_one(f, EFFECT_CHECKPOINT_COMMIT, 8);
    read_one(f, 1, 100); /* goes on all the same */
    take(f, 2);
    CU_ASSERT_EQUAL(f->events[0].kind, REPLICA_EVENT_CHECKPOINT_LOST);
    CU_ASSERT_EQUAL(f->events[1].kind, REPLICA_EVENT_CHECKPOINT_READ);
    CU_ASSERT_EQUAL(f->bytes->references, 1);
    CU_ASSERT_STRING_EQUAL(checkpoint.story, "begin put read");
    /* There is space again: what comes from now on is written. */
    write_one(f, EFFECT_CHECKPOINT_BEGIN, 0);
    write_one(f, EFFECT_CHECKPOINT_COMMIT, 9);
    take(f, 1);
    CU_ASSERT_EQUAL(f->events[0].kind, REPLICA_EVENT_CHECKPOINTED);
    CU_ASSERT_EQUAL(f->events[0].slot, 9);
    fixture_close(f);
}

static void test_saver__a_commit_without_space_is_lost_too(void)
{
    struct fixture *f = fixture_open(5);
    hold_disk(false, STORE_FULL);
    write_one(f, EFFECT_CHECKPOINT_BEGIN, 0);
    write_one(f, EFFECT_CHECKPOINT_COMMIT, 9);
    take(f, 1);
    CU_ASSERT_EQUAL(f->events[0].kind, REPLICA_EVENT_CHECKPOINT_LOST);
    CU_ASSERT_EQUAL(checkpoint.slot, 5);
    fixture_close(f);
}

static void test_saver__a_failed_disk_is_the_end(void)
{
    struct fixture *f = fixture_open(0);
    hold_disk(false, STORE_FAILED);
    write_one(f, EFFECT_CHECKPOINT_BEGIN, 0);
    write_one(f, EFFECT_CHECKPOINT_PUT, 0);
    write_one(f, EFFECT_CHECKPOINT_COMMIT, 9);
    wait_on(&f->woken);
    CU_ASSERT_EQUAL(f->failed, STORE_FAILED);
    take(f, 0);
    fixture_close(f);
    CU_ASSERT_STRING_EQUAL(checkpoint.story, "begin put");
}

static void test_saver__freeing_drops_what_is_not_written(void)
{
    struct fixture *f = fixture_open(3);
    hold_disk(true, STORE_OK);
    read_one(f, 1, 100);
    take(f, 1);
    write_one(f, EFFECT_CHECKPOINT_BEGIN, 0);
    for (int i = 0; i < 20; i++)
        write_one(f, EFFECT_CHECKPOINT_PUT, 0);
    wait_on(&checkpoint.begun);
    hold_disk(false, STORE_OK);
    CHECK(sem_post(&checkpoint.go) == 0);
    fixture_close(f);
    saver_free(NULL);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_saver__a_checkpoint_is_written_in_order_and_reported),
        TEST(test_saver__an_aborted_one_is_not_reported),
        TEST(test_saver__a_read_does_not_wait_for_the_checkpoint_under_way),
        TEST(test_saver__a_transfer_stays_in_its_checkpoint),
        TEST(test_saver__without_a_checkpoint_there_is_nothing_to_read),
        TEST(test_saver__a_full_disk_drops_all_that_was_queued),
        TEST(test_saver__a_commit_without_space_is_lost_too),
        TEST(test_saver__a_failed_disk_is_the_end),
        TEST(test_saver__freeing_drops_what_is_not_written),
    };
    return run_suite("saver", cases, sizeof cases / sizeof cases[0], argc, argv);
}
