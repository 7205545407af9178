/* cell.h - one replica with a disk, streams and a clock that the input turns.
 *
 * Demands of every step: what goes out on a stream is a message of the stream's
 * type, nothing goes out behind its end, what goes to a peer can be decoded, and
 * the invariants of consensus hold. Of the state it is asked at the end: cell_judge. */
#ifndef COORD_TESTS_FUZZ_CELL_H
#define COORD_TESTS_FUZZ_CELL_H

#include "coordd/replica/replica.h"
#include "tests/sim/saver.h"

enum { CELL_STREAMS_MAX = 128, CELL_ROWS_MAX = 1024 };

struct cell_stream {
    bool open;
    enum replica_stream_kind kind;
};

struct cell {
    struct replica_config config;
    struct replica_durable durable;
    struct replica *replica;
    struct log_entry rows[CELL_ROWS_MAX]; /* by slot, from 1 at 0; kept below the floor too,
                                             without a value where there was none */
    uint32_t rows_count;
    struct saver saver;                   /* checkpoints */
    uint32_t depth;                       /* of steps that follow from one another at once */
    struct effects waiting;               /* persist effects that the stuck disk has */
    uint64_t waiting_first, waiting_last; /* sequences */
    bool stuck;
    bool low;  /* it was told that the disk is full */
    bool over; /* it asked to be stopped, or the log is full: step no more */
    int64_t now_ns, wake_at_ns;
    struct cell_stream streams[CELL_STREAMS_MAX]; /* by id; 0 is none */
    uint64_t last_stream;
    uint64_t asked; /* the number of its last question for state */
};

/* Gets every message that a cell sends to a peer, if it is set (chunks_of.c). */
extern void (*cell_overhears)(struct slice envelope);

/* Of a cell of one it runs until that serves. */
void cell_init(struct cell *c, uint32_t members_count);
void cell_release(struct cell *c);
void cell_step(struct cell *c, struct replica_event event);
/* Time passes, with TIME whenever it was asked for, at most `steps` times. */
void cell_wait(struct cell *c, uint32_t ms, uint32_t steps);
/* The disk does what waits, or says that it is full. Checkpoints wait with it. */
void cell_unstick(struct cell *c, bool full);
/* Crash, and start from what is durable. */
void cell_restart(struct cell *c);
/* A new stream, whose secret is its number sixteen times; 0: there were too many. */
uint64_t cell_open(struct cell *c, enum replica_stream_kind kind);
void cell_message(struct cell *c, uint64_t stream, struct slice bytes);
void cell_close(struct cell *c, uint64_t stream);

/* The state's invariants; and of a cell of one, that its log leads to this state. */
void cell_judge(struct cell *c);

#endif
