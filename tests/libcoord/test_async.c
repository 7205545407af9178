/* test_async.c - calls that do not block, against five real servers. */
#define _GNU_SOURCE
#include <coord/coord.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/libcoord/clients.h"
#include "tests/support/runner.h"

enum { DEADLINE_MS = 10000, MANY = 1000 };

static struct cell cell;

static void make(coord_session *s, const char *path)
{
    coord_write_options o = COORD_WRITE_OPTIONS_INIT;
    o.flags = COORD_CREATE | COORD_PARENTS;
    CU_ASSERT_EQUAL_FATAL(coord_set(s, path, "", 0, &o, DEADLINE_MS, NULL), COORD_OK);
}

/* ---- what the callbacks saw ---- */

struct tally {
    pthread_mutex_t mutex; /* held by a test that wants callbacks to wait */
    atomic_int told, good, wrong;
    coord_error last;
};

struct one {
    struct tally *tally;
    int number; /* what is expected in the content, if it reads */
    atomic_int told;
};

static void on_done(void *context, const coord_result *result)
{
    struct one *o = context;
    struct tally *t = o->tally;
    pthread_mutex_lock(&t->mutex);
    t->last = result->error;
    pthread_mutex_unlock(&t->mutex);
    bool read = result->content != NULL;
    int found = 0;
    if (read && result->length == sizeof found)
        memcpy(&found, result->content, sizeof found);
    if (atomic_fetch_add(&o->told, 1) != 0 || (read && found != o->number) ||
        result->size != sizeof *result || result->detail == NULL)
        atomic_fetch_add(&t->wrong, 1);
    if (result->error == COORD_OK && result->stat.content_bytes == sizeof found)
        atomic_fetch_add(&t->good, 1);
    atomic_fetch_add(&t->told, 1);
}

static struct tally tally_new(void)
{
    return (struct tally){.mutex = PTHREAD_MUTEX_INITIALIZER};
}

struct wanted {
    struct tally *tally;
    int count;
};

static bool were_told(void *context)
{
    const struct wanted *w = context;
    return atomic_load(&w->tally->told) >= w->count;
}

static void wait_told(struct tally *t, int count)
{
    CU_ASSERT(eventually(were_told, &(struct wanted){t, count}, 20000));
}

static coord_error set(coord_session *s, const char *path, struct one *o, int64_t deadline_ms)
{
    return coord_set_async(s, path, &o->number, sizeof o->number, NULL, deadline_ms, on_done, o);
}

static void path_of(int number, char path[32])
{
    (void)snprintf(path, 32, "/many/%d", number);
}

/* ---- tests ---- */

static void test_async__each_call_is_answered_once_with_what_it_asked_for(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    static struct one writes[MANY], reads[MANY];
    struct tally written = tally_new(), seen = tally_new();
    make(s, "/many");
    char path[32];
    for (int i = 0; i < MANY; i++) {
        path_of(i, path);
        writes[i] = (struct one){.tally = &written, .number = i};
        reads[i] = (struct one){.tally = &seen, .number = i};
        int content = i; /* copied: it changes at once */
        coord_write_options o = COORD_WRITE_OPTIONS_INIT;
        o.flags = COORD_CREATE;
        CU_ASSERT_EQUAL(coord_set_async(s, path, &content, sizeof content, &o, DEADLINE_MS, on_done,
                                        &writes[i]),
                        COORD_OK);
        content = -1;
        memset(path, 0, sizeof path);
    }
    wait_told(&written, MANY);
    for (int i = 0; i < MANY; i++) {
        path_of(i, path);
        CU_ASSERT_EQUAL(coord_get_async(s, path, DEADLINE_MS, on_done, &reads[i]), COORD_OK);
    }
    wait_told(&seen, MANY);
    CU_ASSERT_EQUAL(written.good, MANY);
    CU_ASSERT_EQUAL(seen.good, MANY);
    CU_ASSERT_EQUAL(written.wrong + seen.wrong, 0);
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(written.told + seen.told, 2 * MANY);
    coord_client_close(client);
}

static void test_async__a_wrong_argument_is_returned_and_nothing_called(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    struct tally t = tally_new();
    struct one o = {.tally = &t};
    static char large[1024 * 1024 + 1];
    CU_ASSERT_EQUAL(set(NULL, "/a", &o, 1), COORD_ERR_INVALID);
    CU_ASSERT_EQUAL(set(s, "a", &o, 1), COORD_ERR_INVALID);
    CU_ASSERT(strstr(coord_error_detail(), "path") != NULL);
    CU_ASSERT_EQUAL(set(s, "/a", &o, -2), COORD_ERR_INVALID);
    CU_ASSERT_EQUAL(set(s, "/a", &o, 0), COORD_ERR_TIMEOUT);
    CU_ASSERT_EQUAL(coord_set_async(s, "/a", "", 0, NULL, 1, NULL, &o), COORD_ERR_INVALID);
    CU_ASSERT_EQUAL(coord_set_async(s, "/a", NULL, 1, NULL, 1, on_done, &o), COORD_ERR_INVALID);
    CU_ASSERT_EQUAL(coord_set_async(s, "/a", large, sizeof large, NULL, 1, on_done, &o),
                    COORD_ERR_TOO_LARGE);
    CU_ASSERT_EQUAL(coord_get_async(s, "/a", 1, NULL, &o), COORD_ERR_INVALID);
    CU_ASSERT_EQUAL(coord_get_async(s, "//", 1, on_done, &o), COORD_ERR_INVALID);
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(t.told, 0);
    coord_client_close(client);
}

static void test_async__what_the_cell_refuses_is_told_to_the_callback(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    struct tally t = tally_new();
    struct one read = {.tally = &t}, write = {.tally = &t};
    CU_ASSERT_EQUAL(coord_get_async(s, "/none", DEADLINE_MS, on_done, &read), COORD_OK);
    wait_told(&t, 1);
    CU_ASSERT_EQUAL(t.last, COORD_ERR_NO_NODE);
    CU_ASSERT_EQUAL(set(s, "/none", &write, DEADLINE_MS), COORD_OK);
    wait_told(&t, 2);
    CU_ASSERT_EQUAL(t.last, COORD_ERR_NO_NODE);
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
}

struct chain {
    coord_session *session;
    atomic_int left;
    atomic_int wrong;
    atomic_bool over;
};

static void next_in_chain(void *context, const coord_result *result)
{
    struct chain *c = context;
    if (result->error != COORD_OK)
        atomic_fetch_add(&c->wrong, 1);
    if (atomic_fetch_sub(&c->left, 1) <= 1)
        atomic_store(&c->over, true);
    else if (coord_set_async(c->session, "/chain", "x", 1, NULL, DEADLINE_MS, next_in_chain, c) !=
             COORD_OK)
        atomic_fetch_add(&c->wrong, 1);
}

static bool is_over(void *context)
{
    return atomic_load(&((struct chain *)context)->over);
}

static void test_async__a_callback_may_begin_the_next_call(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    make(s, "/chain");
    struct chain chain = {.session = s, .left = 200};
    CU_ASSERT_EQUAL(coord_set_async(s, "/chain", "x", 1, NULL, DEADLINE_MS, next_in_chain, &chain),
                    COORD_OK);
    CU_ASSERT(eventually(is_over, &chain, 20000));
    CU_ASSERT_EQUAL(chain.wrong, 0);
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    coord_client_close(client);
}

/* Answers come, but the callbacks stand still: what may pile up has an end. */
static void test_async__slow_callbacks_stop_those_who_begin_calls(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    static struct one calls[2 * COORD_ASYNC_MAX];
    struct tally t = tally_new();
    make(s, "/slow");
    pthread_mutex_lock(&t.mutex);
    int begun = 0;
    coord_error e = COORD_OK;
    int64_t until = now_ms() + 20000;
    while (e != COORD_ERR_THROTTLED && now_ms() < until && begun < 2 * COORD_ASYNC_MAX) {
        calls[begun] = (struct one){.tally = &t};
        e = coord_get_async(s, "/slow", DEADLINE_MS, on_done, &calls[begun]);
        begun += e == COORD_OK;
    }
    CU_ASSERT_EQUAL(e, COORD_ERR_THROTTLED);
    CU_ASSERT(begun >= COORD_ASYNC_MAX && begun <= COORD_ASYNC_MAX + 1); /* one in its callback */
    pthread_mutex_unlock(&t.mutex);
    wait_told(&t, begun);
    struct one again = {.tally = &t};
    CU_ASSERT_EQUAL(coord_get_async(s, "/slow", DEADLINE_MS, on_done, &again), COORD_OK);
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(t.told, begun + 1);
    CU_ASSERT_EQUAL(t.wrong, 0);
    coord_client_close(client);
}

static int begin_many(coord_session *s, const char *path, struct tally *t, struct one *calls,
                      int count)
{
    int begun = 0;
    for (int i = 0; i < count; i++) {
        calls[i] = (struct one){.tally = t};
        coord_error e = i % 2 == 0 ? set(s, path, &calls[i], COORD_FOREVER)
                                   : coord_get_async(s, path, COORD_FOREVER, on_done, &calls[i]);
        CU_ASSERT_EQUAL(e, COORD_OK);
        begun += e == COORD_OK;
    }
    return begun;
}

static void test_async__closing_the_session_answers_all_before_it_returns(void)
{
    coord_client *client = open_client(&cell);
    static struct one calls[500];
    for (int round = 0; round < 5; round++) {
        coord_session *s = open_session(client);
        struct tally t = tally_new();
        make(s, "/close");
        int begun = begin_many(s, "/close", &t, calls, 500);
        CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
        CU_ASSERT_EQUAL(t.told, begun);
        CU_ASSERT_EQUAL(t.wrong, 0);
    }
    coord_client_close(client);
}

static void test_async__closing_the_client_answers_all_before_it_returns(void)
{
    static struct one calls[500];
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    struct tally t = tally_new();
    make(s, "/close");
    int begun = begin_many(s, "/close", &t, calls, 500);
    coord_client_close(client);
    CU_ASSERT_EQUAL(t.told, begun);
    CU_ASSERT_EQUAL(t.wrong, 0);
}

static void stop_all(int signal)
{
    for (uint32_t i = 1; i <= CELL_MEMBERS; i++)
        cell_signal(&cell, i, signal);
}

static void test_async__cancelling_and_deadlines_end_what_gets_no_answer(void)
{
    coord_client *client = open_client(&cell);
    coord_session *s = open_session(client);
    struct tally t = tally_new();
    struct one write = {.tally = &t}, read = {.tally = &t}, late = {.tally = &t};
    make(s, "/stopped");
    stop_all(SIGSTOP);
    CU_ASSERT_EQUAL(set(s, "/stopped", &write, COORD_FOREVER), COORD_OK);
    coord_session_cancel(s);
    wait_told(&t, 1);
    CU_ASSERT_EQUAL(t.last, COORD_ERR_MAYBE_APPLIED);
    CU_ASSERT_EQUAL(coord_get_async(s, "/stopped", COORD_FOREVER, on_done, &read), COORD_OK);
    coord_session_cancel(s);
    wait_told(&t, 2);
    CU_ASSERT_EQUAL(t.last, COORD_ERR_CANCELLED);
    CU_ASSERT_EQUAL(coord_get_async(s, "/stopped", 200, on_done, &late), COORD_OK);
    wait_told(&t, 3);
    CU_ASSERT_EQUAL(t.last, COORD_ERR_TIMEOUT);
    stop_all(SIGCONT);
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_OK);
    CU_ASSERT_EQUAL(t.wrong, 0);
    coord_client_close(client);
}

static void test_async__a_session_that_expires_answers_all(void)
{
    coord_client *client = open_client(&cell);
    coord_session_options brief = COORD_SESSION_OPTIONS_INIT;
    brief.ttl_ms = 2000;
    brief.grace_ms = 100;
    coord_session *s = NULL;
    CU_ASSERT_EQUAL_FATAL(coord_session_open(client, &brief, &s), COORD_OK);
    static struct one calls[100];
    struct tally t = tally_new();
    make(s, "/expires");
    stop_all(SIGSTOP);
    int begun = begin_many(s, "/expires", &t, calls, 100);
    wait_told(&t, begun);
    stop_all(SIGCONT);
    CU_ASSERT_EQUAL(t.last, COORD_ERR_EXPIRED);
    CU_ASSERT_EQUAL(t.told, begun);
    CU_ASSERT_EQUAL(t.wrong, 0);
    struct one late = {.tally = &t};
    CU_ASSERT_EQUAL(set(s, "/expires", &late, DEADLINE_MS), COORD_ERR_EXPIRED);
    CU_ASSERT_EQUAL(coord_session_close(s, DEADLINE_MS), COORD_ERR_EXPIRED);
    CU_ASSERT_EQUAL(t.told, begun);
    coord_client_close(client);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_async__each_call_is_answered_once_with_what_it_asked_for),
        TEST(test_async__a_wrong_argument_is_returned_and_nothing_called),
        TEST(test_async__what_the_cell_refuses_is_told_to_the_callback),
        TEST(test_async__a_callback_may_begin_the_next_call),
        TEST(test_async__slow_callbacks_stop_those_who_begin_calls),
        TEST(test_async__closing_the_session_answers_all_before_it_returns),
        TEST(test_async__closing_the_client_answers_all_before_it_returns),
        TEST(test_async__cancelling_and_deadlines_end_what_gets_no_answer),
        TEST(test_async__a_session_that_expires_answers_all),
    };
    if (!cell_start(&cell))
        return EXIT_FAILURE;
    int result = run_suite("async", cases, sizeof cases / sizeof cases[0], argc, argv);
    cell_stop(&cell);
    return result;
}
