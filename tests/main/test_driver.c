/* The driver between a replica, a network and a log thread that this file makes
 * up: effects in order, the disk first, the time of each event read anew. */
#define _GNU_SOURCE
#include "coordd/main/driver.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordd/main/clock.h"
#include "coordd/main/exit_codes.h"
#include "libcoord/base/units.h"
#include "tests/support/runner.h"

enum { STORY_BYTES = 1024 };

/* What was done, one word after the other. */
static char story[STORY_BYTES];

static void tell(const char *word)
{
    size_t length = strlen(story);
    (void)snprintf(story + length, sizeof story - length, "%s%s", length == 0 ? "" : " ", word);
}

/* ---- the replica: asks for what the test put down ---- */

static struct effects asked;
static int64_t asked_wake_ns;
static int64_t stepped_ns;
static enum replica_event_kind stepped;
static unsigned steps;
static uint8_t stepped_random[16];

void replica_step(struct replica *r, const struct replica_event *event, struct effects *out)
{
    (void)r;
    steps++;
    stepped = event->kind;
    memcpy(stepped_random, event->random, sizeof stepped_random);
    CU_ASSERT_TRUE(event->now_ns >= stepped_ns);
    CU_ASSERT_TRUE(event->wall_ms > 0);
    stepped_ns = event->now_ns;
    effects_clear(out);
    for (uint32_t i = 0; i < asked.count; i++)
        *effects_add(out, asked.list[i].kind) = asked.list[i];
    asked.count = 0;
    out->wake_at_ns = asked_wake_ns;
}

static bool view_led;

void replica_view(const struct replica *r, int64_t now_ns, struct replica_view *ret)
{
    (void)r;
    CU_ASSERT_EQUAL(now_ns, stepped_ns);
    *ret = (struct replica_view){.role = "follower", .led = view_led};
}

/* ---- network and log thread: tell what they were told ---- */

static int64_t polled_until_ns;

void rpc_poll(struct rpc *rpc, int64_t deadline_ns)
{
    (void)rpc;
    polled_until_ns = deadline_ns;
    tell("poll");
}

void rpc_send_peer(struct rpc *rpc, uint32_t peer, struct blob *bytes)
{
    (void)rpc;
    (void)bytes;
    tell(peer == 2 ? "peer2" : "peer3");
}

void rpc_send_stream(struct rpc *rpc, uint64_t stream, const struct blob *bytes)
{
    (void)rpc;
    (void)stream;
    (void)bytes;
    tell("stream");
}

void rpc_close_stream(struct rpc *rpc, uint64_t stream, enum stream_status status, const char *text)
{
    (void)rpc;
    (void)stream;
    CU_ASSERT_EQUAL(status, STREAM_STATUS_INVALID_ARGUMENT);
    tell(text);
}

void rpc_set_serving(struct rpc *rpc, bool serving)
{
    (void)rpc;
    tell(serving ? "serving" : "not-serving");
}

void journal_persist(struct journal *j, const struct effects *step)
{
    (void)j;
    (void)step;
    tell("persist");
}

void journal_read(struct journal *j, const struct effect *read)
{
    (void)j;
    (void)read;
    tell("read");
}

void journal_take(struct journal *j, worker_take_event *take, void *context)
{
    (void)j;
    (void)take;
    (void)context;
    tell("take");
}

void saver_write(struct saver *s, const struct effect *e)
{
    (void)s;
    (void)e;
    tell("save");
}

void saver_read(struct saver *s, const struct effect *e)
{
    (void)s;
    (void)e;
    tell("piece");
}

void saver_take(struct saver *s, worker_take_event *take, void *context)
{
    (void)s;
    (void)take;
    (void)context;
    tell("saved");
}

/* ---- tests ---- */

static struct driver driver;

static void open_driver(void)
{
    story[0] = '\0';
    steps = 0;
    asked_wake_ns = NEVER_NS;
    view_led = false;
    driver_init(&driver, NULL);
}

static struct effect *ask(enum effect_kind kind)
{
    return effects_add(&asked, kind);
}

static void give(enum replica_event_kind kind)
{
    struct replica_event event = {.kind = kind};
    driver_take_event(&driver, &event);
}

static void test_driver__executes_in_order_but_begins_with_the_disk(void)
{
    open_driver();
    struct blob *bytes = blob_copy(slice_of_string("x"));
    ask(EFFECT_SEND_PEER)->peer = 2;
    ask(EFFECT_SEND_PEER)->peer = 3;
    asked.list[0].bytes = blob_ref(bytes);
    asked.list[1].bytes = blob_ref(bytes);
    ask(EFFECT_PERSIST_ENTRY)->entry.value = blob_ref(bytes);
    ask(EFFECT_PERSIST_PROMISE);
    ask(EFFECT_SEND_STREAM)->bytes = blob_ref(bytes);
    struct effect *close = ask(EFFECT_CLOSE_STREAM);
    close->status = STREAM_STATUS_INVALID_ARGUMENT;
    (void)snprintf(close->text, sizeof close->text, "close");
    ask(EFFECT_READ_LOG);
    ask(EFFECT_CHECKPOINT_BEGIN);
    ask(EFFECT_CHECKPOINT_PUT);
    ask(EFFECT_READ_CHECKPOINT);
    ask(EFFECT_CHECKPOINT_COMMIT);
    ask(EFFECT_CHECKPOINT_ABORT);
    give(REPLICA_EVENT_STREAM_MESSAGE);
    CU_ASSERT_STRING_EQUAL(story,
                           "persist peer2 peer3 stream close read save save piece save save");
    CU_ASSERT_EQUAL(bytes->references, 1); /* the step's own are dropped */
    blob_unref(bytes);
    driver_release(&driver);
}

static void test_driver__every_persist_effect_wakes_the_log_thread(void)
{
    static const enum effect_kind kinds[] = {EFFECT_PERSIST_PROMISE, EFFECT_PERSIST_ENTRY,
                                             EFFECT_PERSIST_LEASE, EFFECT_PERSIST_FLOOR};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        open_driver();
        ask(kinds[i]);
        give(REPLICA_EVENT_TIME);
        CU_ASSERT_STRING_EQUAL(story, "persist");
        driver_release(&driver);
    }
}

static void test_driver__a_step_that_persists_nothing_leaves_the_log_thread_alone(void)
{
    open_driver();
    ask(EFFECT_SEND_PEER)->peer = 2;
    give(REPLICA_EVENT_PEER_MESSAGE);
    CU_ASSERT_STRING_EQUAL(story, "peer2");
    driver_release(&driver);
}

static void test_driver__sends_the_time_first_and_when_it_is_due(void)
{
    open_driver();
    int64_t later_ns = clock_now_ns() + 3600 * NS_PER_S;
    asked_wake_ns = later_ns;
    driver_begin(&driver);
    CU_ASSERT_STRING_EQUAL(story, "");
    CU_ASSERT_EQUAL(steps, 1);
    CU_ASSERT_EQUAL(stepped, REPLICA_EVENT_TIME);
    driver_round(&driver, NEVER_NS);
    CU_ASSERT_STRING_EQUAL(story, "poll take saved");
    CU_ASSERT_EQUAL(steps, 1); /* not due */
    CU_ASSERT_EQUAL(polled_until_ns, later_ns);
    driver_round(&driver, later_ns - 5);
    CU_ASSERT_EQUAL(polled_until_ns, later_ns - 5);
    driver.wake_at_ns = clock_now_ns();
    driver_round(&driver, NEVER_NS);
    CU_ASSERT_EQUAL(steps, 2);
    driver_release(&driver);
}

/* A session's secret is made of them. */
static void test_driver__each_opened_stream_gets_random_bytes_of_its_own(void)
{
    uint8_t first[16], none[16] = {0};
    open_driver();
    give(REPLICA_EVENT_STREAM_OPENED);
    memcpy(first, stepped_random, sizeof first);
    give(REPLICA_EVENT_STREAM_OPENED);
    CU_ASSERT_NOT_EQUAL(memcmp(first, stepped_random, sizeof first), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(first, none, sizeof first), 0);
    driver_release(&driver);
}

/* After what the step said, and only what is new. */
static void test_driver__tells_each_change_of_health_once(void)
{
    open_driver();
    give(REPLICA_EVENT_TIME);
    CU_ASSERT_STRING_EQUAL(story, "");
    view_led = true;
    ask(EFFECT_SEND_PEER)->peer = 2;
    give(REPLICA_EVENT_PEER_MESSAGE);
    give(REPLICA_EVENT_TIME);
    CU_ASSERT_STRING_EQUAL(story, "peer2 serving");
    view_led = false;
    give(REPLICA_EVENT_STOP);
    CU_ASSERT_STRING_EQUAL(story, "peer2 serving not-serving");
    driver_release(&driver);
}

static void test_driver__halting_ends_the_process_at_once(void)
{
    open_driver();
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)close(STDERR_FILENO); /* the line is not for the test's log */
        struct effect *halt = ask(EFFECT_HALT);
        (void)snprintf(halt->text, sizeof halt->text, "two values for one slot");
        ask(EFFECT_SEND_PEER)->peer = 2;
        give(REPLICA_EVENT_TIME);
        _exit(0);
    }
    int status = 0;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_TRUE(WIFEXITED(status));
    CU_ASSERT_EQUAL(WEXITSTATUS(status), COORDD_EXIT_HALTED);
    driver_release(&driver);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_driver__executes_in_order_but_begins_with_the_disk),
        TEST(test_driver__every_persist_effect_wakes_the_log_thread),
        TEST(test_driver__a_step_that_persists_nothing_leaves_the_log_thread_alone),
        TEST(test_driver__sends_the_time_first_and_when_it_is_due),
        TEST(test_driver__each_opened_stream_gets_random_bytes_of_its_own),
        TEST(test_driver__tells_each_change_of_health_once),
        TEST(test_driver__halting_ends_the_process_at_once),
    };
    effects_init(&asked);
    int status = run_suite("driver", cases, sizeof cases / sizeof cases[0], argc, argv);
    effects_release(&asked);
    return status;
}
