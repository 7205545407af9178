/* bench.h - one pure client session on a bench: the test is its clock, its
 * network and its server, and reads what it asked for. */
#ifndef COORD_TESTS_LIBCOORD_BENCH_H
#define COORD_TESTS_LIBCOORD_BENCH_H

#include "libcoord/base/units.h"
#include "libcoord/src/session.h"

enum {
    BENCH_LOG_MAX = 4096, /* of each kind, between two bench_clear */
    BENCH_SESSION = 77,
    BENCH_TTL_MS = 12000,
    BENCH_GRACE_MS = 45000,
};

struct bench_request {
    uint64_t seq, lowest;
    int write; /* its op case, or 0 */
    int read;
    uint64_t watch, unwatch; /* ids, or 0 */
    uint64_t known_revision, acquire_seq;
    uint64_t release_handle;
    bool subtree, children, value;
};

struct bench_answer {
    uint64_t token, revision;
    enum err status;
    bool maybe_applied, from_server;
};

struct bench {
    struct client_session *session;
    struct client_effects out;
    int64_t now_ns, wake_at_ns;

    /* What it asked for since bench_clear. */
    struct bench_request requests[BENCH_LOG_MAX];
    struct bench_answer answers[BENCH_LOG_MAX];
    enum client_session_state states[BENCH_LOG_MAX];
    uint64_t watched[BENCH_LOG_MAX]; /* revisions */
    uint64_t revoked[BENCH_LOG_MAX]; /* handles */
    int revoked_count;
    int requests_count, answers_count, states_count, watched_count;
    int opens_count, attaches_count, beats_count, connects_count, disconnects_count;
    int late_grants_count, sends_count;
    uint8_t nonce[16];
    enum err state_status;

    /* The latest. */
    char address[CLIENT_SESSION_ADDRESS_BYTES_MAX + 1];
    uint64_t link, stamp;
    uint64_t next_token;
    uint64_t last_seq; /* that the server tells to an Attach */
    uint32_t ttl_ms;   /* that it grants */
};

/* Three endpoints a:1, b:1, c:1. */
void bench_init(struct bench *b);
void bench_init_with(struct bench *b, struct client_session_config config);
void bench_release(struct bench *b);
void bench_clear(struct bench *b);

/* Let time pass, with TIME whenever it was asked for. */
void bench_wait_ms(struct bench *b, int64_t ms);
void bench_up(struct bench *b);
void bench_down(struct bench *b);
/* The stream stands and the server answers Open or Attach. */
void bench_begun(struct bench *b, enum err status);
/* ... until the session is open, attached and its first KeepAlive answered. */
void bench_open(struct bench *b);
void bench_attach(struct bench *b);
void bench_beat(struct bench *b, enum err status);
/* Wait, while the server answers each KeepAlive. */
void bench_beating_ms(struct bench *b, int64_t ms);
void bench_redirect(struct bench *b, const char *address);
void bench_reply(struct bench *b, Coord__V1__Item **items, size_t count);
void bench_raw(struct bench *b, const void *data, size_t length);
void bench_answer(struct bench *b, uint64_t seq, enum err status);
void bench_event(struct bench *b, uint64_t watch, uint64_t revision);
void bench_resync(struct bench *b, uint64_t watch, uint64_t revision);
void bench_progress(struct bench *b, uint64_t revision);
void bench_revoke(struct bench *b, uint64_t handle);
void bench_deleted(struct bench *b, uint64_t watch, uint64_t revision);

/* Each returns the token. Deadlines are from now; negative: none. */
uint64_t bench_put(struct bench *b, int64_t deadline_ms);
uint64_t bench_acquire(struct bench *b, int64_t deadline_ms);
uint64_t bench_release_lock(struct bench *b, int64_t deadline_ms);
uint64_t bench_let_go(struct bench *b, uint64_t handle, int64_t deadline_ms);
uint64_t bench_get(struct bench *b, int64_t deadline_ms);
uint64_t bench_watch(struct bench *b, uint64_t id, int64_t deadline_ms);
uint64_t bench_watch_from(struct bench *b, uint64_t id, uint64_t revision);
void bench_unwatch(struct bench *b, uint64_t id);
void bench_give_up(struct bench *b, uint64_t token);
uint64_t bench_close(struct bench *b, int64_t deadline_ms);

/* -1 if not answered since bench_clear; -2 if more than once. */
int bench_status(const struct bench *b, uint64_t token);
/* The last request that carries `seq`, or NULL. */
const struct bench_request *bench_sent(const struct bench *b, uint64_t seq);
int64_t bench_safe_ms(const struct bench *b);

#endif
