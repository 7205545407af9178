/* recorder.h - records what clients do and are told, as tests/history has it, and has it
 * judged there when the run is over: by what clients saw alone, unlike all other checks.
 *
 * Without recorder_begin (the simulator's own tests) nothing is recorded. */
#ifndef TESTS_SIM_RECORDER_H
#define TESTS_SIM_RECORDER_H

#include <stdbool.h>

#include "coord/v1/coord.pb-c.h"
#include "libcoord/base/err.h"

struct sim;
struct client;
struct call;
struct hold;

void recorder_begin(struct sim *s);
/* Forgets all. */
void recorder_end(struct sim *s);
/* An anomaly fails the run; a search that gives up is counted. */
void recorder_judge(struct sim *s);

/* The call is about to be made. */
void record_write(struct client *c, struct call *call, const Coord__V1__Write *w);
void record_read(struct client *c, struct call *call, const Coord__V1__Read *r);
void record_watch(struct client *c, struct call *call, const Coord__V1__Watch *w);
void record_close(struct client *c, struct call *call);
/* `a` may be NULL. */
void record_answer(struct client *c, const struct call *call, enum err status, bool not_applied,
                   const Coord__V1__Answer *a);
void record_event(struct client *c, const Coord__V1__Event *event);
/* The client is safe now, and believes in what it holds. */
void record_beliefs(struct client *c);
void record_loss(struct client *c, const struct hold *hold);

#endif
