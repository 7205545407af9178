/* worker.h - a thread of torture-client: its session, and how it notes what it does.
 *
 * A worker has one session at a time; one that expired is replaced. Each call is noted
 * before it is made and after it has returned, in lines of tests/history/format.h. The
 * struct of a call is filled by who makes it, but for the times, numbers and the error. */
#ifndef TESTS_TORTURE_WORKER_H
#define TESTS_TORTURE_WORKER_H

#include <coord/coord.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/history/history.h"

enum {
    WORKER_TTL_MS = 2000,      /* the shortest there is: sessions are meant to expire */
    WORKER_TTL_LONG_MS = 4000, /* waits longer for an answer that is late */
    WORKER_GRACE_MS = 5000,
    WORKER_CALL_MS = 3000,
    WORKER_GLANCE_MS = 100, /* for who would rather ask again than wait */
    WORKER_PATH_BYTES = 128,
    WORKER_VALUE_BYTES = 48,
};

/* What all workers of a process share. */
struct run {
    const char *folder; /* all they touch is in there */
    coord_client *client;
    int file; /* the history */
    atomic_bool stops;
};

struct worker {
    struct run *run; /* borrowed */
    uint32_t client; /* as in the history */
    uint64_t number; /* of the last call */
    uint64_t random;
    uint32_t ttl_ms;        /* of its sessions; 0: the shortest */
    coord_session *session; /* owned; NULL: none */
    atomic_uint_fast64_t session_id;
};

int64_t worker_now_ns(void);
uint32_t worker_below(struct worker *w, uint32_t bound);
bool worker_chance(struct worker *w, uint32_t percent);
void worker_sleep_ms(uint32_t ms);
/* Where to stop what is going on. */
bool worker_stops(const struct worker *w);

/* "<folder>/<kind><number>" */
void worker_path(const struct worker *w, char kind, uint32_t number, char ret[WORKER_PATH_BYTES]);
/* One that nobody else ever writes. */
void worker_value(struct worker *w, char ret[WORKER_VALUE_BYTES]);

/* Has a session, then; false: there is none for now. *ret_new (may be NULL): it is another
 * one than before, so that what was opened in the last is to be closed. */
bool worker_session(struct worker *w, bool *ret_new);
void worker_session_end(struct worker *w);

void worker_begins(struct worker *w, struct history_call *call);
void worker_ended(struct worker *w, struct history_call *call, coord_error error);
/* Makes the node, with what is above it; it may be there. */
coord_error worker_make(struct worker *w, const char *path);
/* A read by name: content, or without it only the stat. @ret_stat: size 0 if there is none. */
coord_error worker_read(struct worker *w, const char *path, bool content, coord_freshness freshness,
                        coord_stat *ret_stat);
/* A read of the content that waits no longer than WORKER_GLANCE_MS. */
void worker_glance(struct worker *w, const char *path);
coord_error worker_put(struct worker *w, const struct history_ask *ask, const char *sequencer,
                       coord_stat *ret_stat);

/* Of any one of the registers. */
void registers_glance(struct worker *w);

/* The loops, each until the run stops. */
void registers_work(struct worker *w);
void readers_work(struct worker *w);
void locks_work(struct worker *w);
void keepers_work(struct worker *w);
void elections_work(struct worker *w);
void watches_work(struct worker *w);

#endif
