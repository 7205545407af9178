/* bench.h - for the simulator's own tests: a world without replicas, whose log
 * the test writes itself, and clients that a made-up server made safe. */
#ifndef TESTS_SIM_BENCH_H
#define TESTS_SIM_BENCH_H

#include "coord/v1/coord.pb-c.h"
#include "tests/sim/sim.h"

/* Of an acquire's seq: its handle. */
enum { BENCH_HANDLE_OFFSET = 1000 };

void bench_begin(struct sim *s);
void bench_end(struct sim *s);
/* One entry of one command is chosen. */
void bench_choose(struct sim *s, const Coord__V1__Command *command);
void bench_put(struct sim *s, uint64_t session, uint64_t seq, const char *path,
               const char *content);
void bench_open(struct sim *s, uint8_t nonce); /* the next session */
void bench_acquire(struct sim *s, uint64_t session, uint64_t seq, const char *path);
void bench_release(struct sim *s, uint64_t session, uint64_t seq, const char *path,
                   uint64_t acquire_seq);
/* The history from here back is gone. */
void bench_forget(struct sim *s, uint64_t revision);
void bench_expire(struct sim *s, uint64_t session);
/* Client `index` has session `session`, and believes in it. */
void bench_safe_client(struct sim *s, uint32_t index, uint64_t session);
bool bench_failed(const struct sim *s);

#endif
