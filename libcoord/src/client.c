/* client.c - opening and closing a client, and its completion thread. */
#define _GNU_SOURCE
#include <grpc/grpc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"
#include "libcoord/src/reason.h"

enum {
    ASK_WAIT_MS = 500, /* for one server to say who it is; doubles ... */
    ASK_WAIT_MS_MAX = 4000,
    ASK_PAUSE_MS = 100,
};

#if defined(__SANITIZE_THREAD__)
void __tsan_acquire(void *address);
#define TAG_COMES(tag) __tsan_acquire(tag)
#else
#define TAG_COMES(tag) ((void)0)
#endif

static void *pull(void *argument)
{
    struct coord_client *c = argument;
    while (true) {
        grpc_event e =
            grpc_completion_queue_next(c->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        if (e.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        if (e.type != GRPC_OP_COMPLETE)
            continue;
        struct tag *tag = e.tag;
        TAG_COMES(tag);
        tag->done(tag, e.success != 0);
    }
}

void client_call_began(struct coord_client *c)
{
    pthread_mutex_lock(&c->mutex);
    c->calls_count++;
    pthread_mutex_unlock(&c->mutex);
}

void client_call_over(struct coord_client *c)
{
    pthread_mutex_lock(&c->mutex);
    if (--c->calls_count == 0)
        pthread_cond_broadcast(&c->idle);
    pthread_mutex_unlock(&c->mutex);
}

void client_unref(struct coord_client *c)
{
    if (atomic_fetch_sub(&c->references, 1) != 1)
        return;
    dispatch_release(&c->dispatch);
    pthread_cond_destroy(&c->idle);
    pthread_mutex_destroy(&c->mutex);
    free(c);
}

/* The library's threads, and those that gRPC starts from here on, leave signals to
 * the application's own. */
static void start_threads(struct coord_client *c)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
    sigset_t most, before;
    CHECK(sigfillset(&most) == 0);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        CHECK(sigdelset(&most, faults[i]) == 0);
    CHECK(pthread_sigmask(SIG_BLOCK, &most, &before) == 0);
    grpc_init();
    c->queue = grpc_completion_queue_create_for_next(NULL);
    timers_start(&c->timers);
    dispatch_start(&c->dispatch);
    CHECK(pthread_create(&c->queue_thread, NULL, pull, c) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

static struct coord_client *client_new(const struct address_list *endpoints)
{
    struct coord_client *c = check_calloc(1, sizeof *c);
    atomic_init(&c->references, 1);
    CHECK(pthread_mutex_init(&c->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&c->idle, NULL) == 0);
    list_init(&c->conns);
    list_init(&c->sessions);
    list_init(&c->turns_waiting);
    c->by_id = (struct avl)AVL_INIT;
    c->endpoints = *endpoints;
    start_threads(c);
    return c;
}

/* Takes cell and members from the first who knows them. */
static bool learn(struct coord_client *c, const struct unary_reply *reply)
{
    if (!reply->answered)
        return false;
    Coord__V1__Answer *a =
        coord__v1__answer__unpack(NULL, reply->answer.length, reply->answer.data);
    bool good = a != NULL && a->body_case == COORD__V1__ANSWER__BODY_MEMBER &&
                a->member->cell.len == CELL_ID_BYTES &&
                strlen(a->member->cell_name) <= CELL_NAME_BYTES_MAX;
    if (good) {
        hex_encode(a->member->cell.data, CELL_ID_BYTES, c->cell);
        c->greeting.key = grpc_slice_from_static_string("coord-cell");
        c->greeting.value = grpc_slice_from_copied_string(c->cell);
        (void)snprintf(c->cell_name, sizeof c->cell_name, "%s", a->member->cell_name);
        for (size_t i = 0; i < a->member->n_members; i++) {
            struct address ignored;
            if (address_parse_endpoint(a->member->members[i]->address, &ignored))
                (void)address_list_add(&c->endpoints, a->member->members[i]->address);
        }
    }
    coord__v1__answer__free_unpacked(a, NULL);
    return good;
}

static bool ask_around(struct coord_client *c, int64_t timeout_ms, char why[DETAIL_BYTES])
{
    Coord__V1__GetStatus status = COORD__V1__GET_STATUS__INIT;
    Coord__V1__Read read = COORD__V1__READ__INIT;
    Coord__V1__ExecuteRequest request = COORD__V1__EXECUTE_REQUEST__INIT;
    read.op_case = COORD__V1__READ__OP_STATUS;
    read.status = &status;
    request.request_case = COORD__V1__EXECUTE_REQUEST__REQUEST_READ;
    request.read = &read;

    /* One after the other: mostly the first one answers, and is enough. */
    uint32_t count = c->endpoints.count;
    why[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        struct unary_reply reply = {.address = c->endpoints.list[i]};
        unary_all(c, &request, &reply, 1, timeout_ms);
        bool good = learn(c, &reply);
        buffer_release(&reply.answer);
        if (good)
            return true;
        reason_add(why, reply.address, reply.why);
    }
    return false;
}

static bool find_cell(struct coord_client *c, int64_t timeout_ms, char why[DETAIL_BYTES])
{
    int64_t deadline_ns = deadline_of(timeout_ms);
    for (int64_t wait_ms = ASK_WAIT_MS;; wait_ms *= wait_ms < ASK_WAIT_MS_MAX ? 2 : 1) {
        int64_t left_ms = (deadline_ns - now_ns()) / NS_PER_MS;
        if (left_ms <= 0)
            return false;
        if (ask_around(c, left_ms < wait_ms ? left_ms : wait_ms, why))
            return true;
        struct timespec pause = {.tv_nsec = ASK_PAUSE_MS * NS_PER_MS};
        (void)nanosleep(&pause, NULL);
    }
}

coord_error coord_client_open(const char *endpoints, const coord_client_options *options,
                              coord_client **ret_client)
{
    static const coord_client_options defaults = COORD_CLIENT_OPTIONS_INIT;
    struct address_list list;
    char why[DETAIL_BYTES] = "";
    detail_clear();
    if (endpoints == NULL || ret_client == NULL)
        return fail(COORD_ERR_INVALID, "%s: is NULL",
                    endpoints == NULL ? "endpoints" : "ret_client");
    if (options == NULL)
        options = &defaults;
    if (options->size != sizeof *options)
        return fail(COORD_ERR_INVALID, "options: size is not that of coord_client_options");
    if (options->connect_timeout_ms < COORD_FOREVER)
        return fail(COORD_ERR_INVALID, "options: connect_timeout_ms is negative");
    const char *wrong = address_list_parse(endpoints, &list);
    if (wrong != NULL)
        return fail(COORD_ERR_INVALID, "endpoints: %s", wrong);
    struct coord_client *c = client_new(&list);
    if (!find_cell(c, options->connect_timeout_ms, why)) {
        coord_client_close(c);
        return fail(COORD_ERR_UNAVAILABLE, "%s", why);
    }
    *ret_client = c;
    return COORD_OK;
}

/* Sessions that were not closed: their leases will run out. */
static void abandon_sessions(struct coord_client *c)
{
    while (true) {
        pthread_mutex_lock(&c->mutex);
        struct list *first = list_first(&c->sessions);
        struct coord_session *s =
            session_ref(container_of_or_null(first, struct coord_session, place));
        pthread_mutex_unlock(&c->mutex);
        if (s == NULL)
            return;
        pthread_mutex_lock(&s->mutex);
        session_abandon(s);
        pthread_mutex_unlock(&s->mutex);
        session_unref(s); /* ours */
        session_unref(s); /* the client's */
    }
}

void coord_client_close(coord_client *c)
{
    if (c == NULL)
        return;
    pthread_mutex_lock(&c->mutex);
    c->closing = true;
    pthread_mutex_unlock(&c->mutex);
    abandon_sessions(c);
    timers_stop(&c->timers);
    dispatch_stop(&c->dispatch);
    for (struct list *at = c->conns.next; at != &c->conns; at = at->next)
        conn_close(container_of(at, struct conn, link));
    pthread_mutex_lock(&c->mutex);
    while (c->calls_count > 0)
        pthread_cond_wait(&c->idle, &c->mutex);
    pthread_mutex_unlock(&c->mutex);
    grpc_completion_queue_shutdown(c->queue);
    pthread_join(c->queue_thread, NULL);
    grpc_completion_queue_destroy(c->queue);
    for (struct list *at; (at = list_first(&c->conns)) != NULL;)
        conn_free(container_of(at, struct conn, link));
    if (c->cell[0] != '\0')
        grpc_slice_unref(c->greeting.value);
    grpc_shutdown();
    client_unref(c);
}

const char *coord_version(void)
{
    return COORD_VERSION;
}

void coord_free(void *p)
{
    free(p);
}
