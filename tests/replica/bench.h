/* bench.h - a cell of one replica on a work bench: its disk is instant, its time
 * is turned by hand, and a client's messages are handed in as structs. */
#ifndef COORD_TESTS_REPLICA_BENCH_H
#define COORD_TESTS_REPLICA_BENCH_H

#include "coord/v1/coord.pb-c.h"
#include "coordd/replica/replica.h"

enum { BENCH_ROWS_MAX = 512, BENCH_STREAMS_MAX = 64 };

struct bench_stream {
    struct buffer out; /* all that was sent on it, joined */
    bool closed;
    enum stream_status status;
    char text[160];
};

struct bench {
    struct replica *replica;
    struct replica_durable durable;
    struct log_entry rows[BENCH_ROWS_MAX];
    uint32_t members_count, lease_ms;
    int64_t now_ns, wake_at_ns;
    bool disk_stuck;
    uint64_t stuck_sequence;
    struct bench_stream streams[BENCH_STREAMS_MAX]; /* by id */
    uint64_t last_stream;
};

struct bench *bench_new(uint32_t members_count);
struct bench *bench_new_with(uint32_t members_count, uint32_t lease_ms);
/* Lets time pass until the replica wants to be woken, and wakes it. */
void bench_wake(struct bench *b);
void bench_free(struct bench *b);
void bench_crash_and_restart(struct bench *b);
/* Lets time pass, in steps of at most 10 ms. */
void bench_run(struct bench *b, int ms);
/* The disk, from stuck to instant: what was handed out is durable now. */
void bench_unstick(struct bench *b);

uint64_t bench_open(struct bench *b, enum replica_stream_kind kind);
/* The transport says something of a stream. */
void bench_stream_event(struct bench *b, uint64_t stream, enum replica_event_kind kind);
void bench_close(struct bench *b, uint64_t stream);
/* The storage says that the disk is full, or that there is space again. */
void bench_space(struct bench *b, bool low);
void bench_send(struct bench *b, uint64_t stream, const ProtobufCMessage *m);
void bench_send_bytes(struct bench *b, uint64_t stream, struct slice bytes);
/* What the stream got since the last call; to be freed with free_unpacked. */
Coord__V1__SessionReply *bench_replies(struct bench *b, uint64_t stream);
Coord__V1__KeepAliveReply *bench_beats(struct bench *b, uint64_t stream);
Coord__V1__Answer *bench_answer(struct bench *b, uint64_t stream);

/* Shorthands on a session stream. */
struct bench_session {
    uint64_t stream, session;
    uint8_t secret[16];
};
struct bench_session bench_session(struct bench *b, uint8_t nonce);
void bench_write(struct bench *b, uint64_t stream, uint64_t seq, Coord__V1__Write *write);
/* Put with create; the status of its answer, -1 if none came. */
int bench_put(struct bench *b, struct bench_session *s, uint64_t seq, const char *path,
              const char *content);
void bench_acquire(struct bench *b, struct bench_session *s, uint64_t seq, const char *path,
                   bool wait);
/* One KeepAlive on a stream of its own; its answer's status, -1 if none came. */
int bench_beat(struct bench *b, const struct bench_session *s);
/* The answer with this seq among the replies; NULL. Borrowed. */
const Coord__V1__Answer *bench_answered(const Coord__V1__SessionReply *reply, uint64_t seq,
                                        bool read);

#endif
