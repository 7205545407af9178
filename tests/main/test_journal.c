/* The log thread, over a store that this file makes up: what is gathered into
 * one transaction, what a full or failing disk does, and whose references are
 * dropped where. */
#define _GNU_SOURCE
#include "coordd/main/journal.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "coordd/storage/reserve.h"
#include "libcoord/base/check.h"
#include "tests/support/runner.h"

enum {
    COMMITS_MAX = 64,
    EVENTS_MAX = 64,
    WAIT_S_MAX = 60,
};

/* ---- the store: its disk can be held and be made to answer anything ---- */

struct store {
    pthread_mutex_t mutex;
    sem_t begun, go; /* a commit has begun; and may go on */
    bool held;
    enum store_result next;
    uint64_t commits[COMMITS_MAX]; /* sequences: first in the high half, last in the low */
    uint32_t effects[COMMITS_MAX];
    unsigned commits_count, maintained;
};

static struct store store;

enum store_result store_commit(struct store *s, const struct effect *effects, uint32_t count)
{
    CHECK(pthread_mutex_lock(&s->mutex) == 0);
    bool held = s->held;
    enum store_result result = s->next;
    s->commits[s->commits_count] = effects[0].sequence << 32 | effects[count - 1].sequence;
    s->effects[s->commits_count++] = count;
    CHECK(pthread_mutex_unlock(&s->mutex) == 0);
    if (held) {
        CHECK(sem_post(&s->begun) == 0);
        CHECK(sem_wait(&s->go) == 0);
    }
    return result;
}

enum store_result store_maintain(struct store *s)
{
    CHECK(pthread_mutex_lock(&s->mutex) == 0);
    s->maintained++;
    CHECK(pthread_mutex_unlock(&s->mutex) == 0);
    return STORE_OK;
}

enum store_result store_read(struct store *s, uint64_t first, uint64_t last, uint64_t bytes_max,
                             store_take_entry *take, void *context)
{
    (void)s;
    (void)bytes_max;
    for (uint64_t slot = first; slot <= last; slot++) {
        struct log_entry entry = {.slot = slot, .value = blob_copy(slice_of_string("value"))};
        bool more = take(context, &entry);
        blob_unref(entry.value);
        if (!more)
            break;
    }
    return STORE_OK;
}

/* ---- what is kept back for a full disk ---- */

struct reserve {
    _Atomic bool low, there_is_space;
};

static struct reserve reserve;

void reserve_restore(struct reserve *r)
{
    if (r->there_is_space)
        r->low = false;
}

bool reserve_is_low(struct reserve *r)
{
    return r->low;
}

bool reserve_is_whole(struct reserve *r)
{
    return !r->low;
}

uint64_t reserve_room(struct reserve *r)
{
    return r->low ? 0 : RESERVE_ROOM_MAX;
}

/* ---- the network thread ---- */

struct fixture {
    struct journal *journal;
    sem_t woken;
    enum store_result failed;
    struct replica_event events[EVENTS_MAX];
    unsigned events_count;
    uint64_t slots_read;
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

static struct fixture *fixture_open(void)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    memset(&store, 0, sizeof store);
    reserve.low = reserve.there_is_space = false;
    CHECK(pthread_mutex_init(&store.mutex, NULL) == 0);
    CHECK(sem_init(&store.begun, 0, 0) == 0 && sem_init(&store.go, 0, 0) == 0);
    CHECK(sem_init(&f.woken, 0, 0) == 0);
    struct journal_options options = {
        .store = &store, .reserve = &reserve, .wake = on_wake, .fail = on_fail, .context = &f};
    f.journal = journal_new(&options);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f.journal);
    return &f;
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
    CHECK(pthread_mutex_lock(&store.mutex) == 0);
    store.held = held;
    store.next = next;
    CHECK(pthread_mutex_unlock(&store.mutex) == 0);
}

static void on_event(void *context, struct replica_event *event)
{
    struct fixture *f = context;
    f->events[f->events_count] = *event;
    f->events[f->events_count++].entries = NULL;
    for (uint32_t i = 0; i < event->entries_count; i++)
        f->slots_read = f->slots_read * 10 + event->entries[i].slot;
}

static void take(struct fixture *f)
{
    f->events_count = 0;
    journal_take(f->journal, on_event, f);
}

/* One step with `count` entries, all of one value, and other effects between. */
static void persist(struct fixture *f, uint64_t sequence, uint32_t count, struct blob *value)
{
    struct effects step;
    effects_init(&step);
    for (uint32_t i = 0; i < count; i++) {
        (void)effects_add(&step, EFFECT_SEND_PEER);
        struct effect *e = effects_add(&step, EFFECT_PERSIST_ENTRY);
        e->sequence = sequence;
        e->entry.value = blob_ref(value);
    }
    journal_persist(f->journal, &step);
    effects_release(&step);
}

static void test_journal__a_step_is_committed_and_reported(void)
{
    struct fixture *f = fixture_open();
    struct blob *value = blob_copy(slice_of_string("v"));
    persist(f, 1, 3, value);
    wait_on(&f->woken);
    take(f);
    CU_ASSERT_EQUAL_FATAL(f->events_count, 1);
    CU_ASSERT_EQUAL(f->events[0].kind, REPLICA_EVENT_PERSISTED);
    CU_ASSERT_EQUAL(f->events[0].sequence, 1);
    CU_ASSERT_EQUAL(store.effects[0], 3); /* and nothing that is not to be persisted */
    CU_ASSERT_EQUAL(value->references, 1);
    take(f);
    CU_ASSERT_EQUAL(f->events_count, 0);
    journal_free(f->journal);
    CU_ASSERT_EQUAL(store.maintained, 1);
    blob_unref(value);
}

static void test_journal__what_gathers_while_the_disk_is_busy_is_one_transaction(void)
{
    struct fixture *f = fixture_open();
    struct blob *value = blob_copy(slice_of_string("v"));
    hold_disk(true, STORE_OK);
    persist(f, 1, 1, value);
    wait_on(&store.begun);
    for (uint64_t sequence = 2; sequence <= 6; sequence++)
        persist(f, sequence, 2, value);
    hold_disk(false, STORE_OK);
    CHECK(sem_post(&store.go) == 0);
    wait_on(&f->woken);
    wait_on(&f->woken);
    take(f);
    CU_ASSERT_EQUAL(store.commits_count, 2);
    CU_ASSERT_EQUAL(store.commits[1], UINT64_C(2) << 32 | 6);
    CU_ASSERT_EQUAL(store.effects[1], 10);
    CU_ASSERT_EQUAL_FATAL(f->events_count, 1);
    CU_ASSERT_EQUAL(f->events[0].sequence, 6);
    CU_ASSERT_EQUAL(value->references, 1);
    journal_free(f->journal);
    blob_unref(value);
}

static void test_journal__a_full_disk_drops_all_that_was_queued(void)
{
    struct fixture *f = fixture_open();
    struct blob *value = blob_copy(slice_of_string("v"));
    hold_disk(true, STORE_FULL);
    persist(f, 7, 1, value);
    wait_on(&store.begun);
    hold_disk(false, STORE_OK);
    persist(f, 8, 1, value); /* the replica does not know yet */
    CHECK(sem_post(&store.go) == 0);
    wait_on(&f->woken);
    persist(f, 9, 1, value); /* still not */
    take(f);
    CU_ASSERT_EQUAL_FATAL(f->events_count, 1);
    CU_ASSERT_EQUAL(f->events[0].kind, REPLICA_EVENT_PERSIST_FULL);
    CU_ASSERT_EQUAL(f->events[0].sequence, 7);
    CU_ASSERT_EQUAL(value->references, 1);
    CU_ASSERT_EQUAL(store.commits_count, 1);
    /* There is space again: what comes from now on is written. */
    persist(f, 10, 1, value);
    wait_on(&f->woken);
    take(f);
    CU_ASSERT_EQUAL_FATAL(f->events_count, 1);
    CU_ASSERT_EQUAL(f->events[0].kind, REPLICA_EVENT_PERSISTED);
    CU_ASSERT_EQUAL(f->events[0].sequence, 10);
    CU_ASSERT_EQUAL(store.commits[1], UINT64_C(10) << 32 | 10);
    journal_free(f->journal);
    blob_unref(value);
}

static void test_journal__an_earlier_success_is_reported_before_the_full_disk(void)
{
    struct fixture *f = fixture_open();
    struct blob *value = blob_copy(slice_of_string("v"));
    persist(f, 1, 1, value);
    wait_on(&f->woken);
    hold_disk(false, STORE_FULL);
    persist(f, 2, 1, value);
    wait_on(&f->woken);
    take(f);
    CU_ASSERT_EQUAL_FATAL(f->events_count, 2);
    CU_ASSERT_EQUAL(f->events[0].kind, REPLICA_EVENT_PERSISTED);
    CU_ASSERT_EQUAL(f->events[0].sequence, 1);
    CU_ASSERT_EQUAL(f->events[1].kind, REPLICA_EVENT_PERSIST_FULL);
    CU_ASSERT_EQUAL(f->events[1].sequence, 2);
    journal_free(f->journal);
    blob_unref(value);
}

/* Of a failed disk nothing is reported: nobody may act on it. */
static void test_journal__a_failed_disk_is_the_end(void)
{
    struct fixture *f = fixture_open();
    struct blob *value = blob_copy(slice_of_string("v"));
    hold_disk(false, STORE_FAILED);
    persist(f, 1, 1, value);
    wait_on(&f->woken);
    CU_ASSERT_EQUAL(f->failed, STORE_FAILED);
    persist(f, 2, 1, value);
    take(f);
    CU_ASSERT_EQUAL(f->events_count, 0);
    journal_free(f->journal);
    CU_ASSERT_EQUAL(store.commits_count, 1);
    CU_ASSERT_EQUAL(value->references, 1);
    blob_unref(value);
}

static void test_journal__reads_come_back_with_their_token(void)
{
    struct fixture *f = fixture_open();
    struct effect read = {
        .kind = EFFECT_READ_LOG, .token = 42, .first_slot = 3, .last_slot = 5, .bytes_max = 100};
    journal_read(f->journal, &read);
    wait_on(&f->woken);
    take(f);
    CU_ASSERT_EQUAL_FATAL(f->events_count, 1);
    CU_ASSERT_EQUAL(f->events[0].kind, REPLICA_EVENT_LOG_READ);
    CU_ASSERT_EQUAL(f->events[0].token, 42);
    CU_ASSERT_EQUAL(f->events[0].entries_count, 3);
    CU_ASSERT_EQUAL(f->slots_read, 345);
    journal_free(f->journal);
}

/* Told once when it begins to be used and once when it is whole again; until then the
 * thread looks by itself. */
static void test_journal__what_is_kept_back_is_told_of_and_looked_after(void)
{
    struct fixture *f = fixture_open();
    struct blob *value = blob_copy(slice_of_string("v"));
    persist(f, 1, 1, value);
    wait_on(&f->woken);
    take(f);
    reserve.low = true;
    persist(f, 2, 1, value);
    wait_on(&f->woken); /* written */
    wait_on(&f->woken); /* and what it took */
    take(f);
    CU_ASSERT_EQUAL_FATAL(f->events_count, 2);
    CU_ASSERT_EQUAL(f->events[0].kind, REPLICA_EVENT_PERSISTED);
    CU_ASSERT_EQUAL(f->events[1].kind, REPLICA_EVENT_SPACE);
    CU_ASSERT_TRUE(f->events[1].low);
    persist(f, 3, 1, value);
    wait_on(&f->woken);
    take(f);
    CU_ASSERT_EQUAL(f->events_count, 1);
    reserve.there_is_space = true;
    wait_on(&f->woken); /* nobody asked */
    take(f);
    CU_ASSERT_EQUAL_FATAL(f->events_count, 1);
    CU_ASSERT_EQUAL(f->events[0].kind, REPLICA_EVENT_SPACE);
    CU_ASSERT_FALSE(f->events[0].low);
    reserve.low = true;
    reserve.there_is_space = false;
    journal_look(f->journal); /* as the checkpoint's thread does */
    wait_on(&f->woken);
    take(f);
    CU_ASSERT_EQUAL_FATAL(f->events_count, 1);
    CU_ASSERT_TRUE(f->events[0].low);
    reserve.there_is_space = true;
    wait_on(&f->woken);
    journal_free(f->journal);
    blob_unref(value);
}

static void test_journal__freeing_finishes_what_was_queued(void)
{
    struct fixture *f = fixture_open();
    struct blob *value = blob_copy(slice_of_string("v"));
    struct effect read = {.kind = EFFECT_READ_LOG, .token = 1, .first_slot = 1, .last_slot = 2};
    for (uint64_t sequence = 1; sequence <= 20; sequence++)
        persist(f, sequence, 1, value);
    journal_read(f->journal, &read);
    journal_free(f->journal);
    CU_ASSERT_EQUAL(store.commits[store.commits_count - 1] & UINT32_MAX, 20);
    CU_ASSERT_EQUAL(value->references, 1);
    blob_unref(value);
    journal_free(NULL);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_journal__a_step_is_committed_and_reported),
        TEST(test_journal__what_gathers_while_the_disk_is_busy_is_one_transaction),
        TEST(test_journal__a_full_disk_drops_all_that_was_queued),
        TEST(test_journal__an_earlier_success_is_reported_before_the_full_disk),
        TEST(test_journal__a_failed_disk_is_the_end),
        TEST(test_journal__reads_come_back_with_their_token),
        TEST(test_journal__what_is_kept_back_is_told_of_and_looked_after),
        TEST(test_journal__freeing_finishes_what_was_queued),
    };
    return run_suite("journal", cases, sizeof cases / sizeof cases[0], argc, argv);
}
