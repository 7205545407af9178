/* player.h - what the application on top of a session does: calls of all kinds at
 * random, and a memory of what it was told, for the checks.
 *
 * Every content that is written is written by one call only, so that whoever
 * reads it knows which call it was. */
#ifndef TESTS_SIM_PLAYER_H
#define TESTS_SIM_PLAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "libcoord/src/session.h"

struct client;
struct host_input;

enum { PLAYER_SEQUENCER_BYTES = 160, PLAYER_CHANGES_MAX = 3, PLAYER_REVOKED_MAX = 32 };

enum op {
    OP_PUT,
    OP_PUT_IF,
    OP_PUT_GUARDED,
    OP_CREATE,
    OP_EPHEMERAL,
    OP_DELETE,
    OP_GET,
    OP_STAT,
    OP_LIST,
    OP_CHECK,
    OP_LOCKS,
    OP_LOCK,
    OP_SHARED,
    OP_TRY,
    OP_ELECT,
    OP_RELEASE,
    OP_TRANSACTION,
    OP_SEQUENTIAL,
    OP_FORCE,
    OP_KILL,
    OP_STEP_DOWN,
    OP_WATCH,
    OP_CLOSE,
    OP_KINDS,
};

/* A lock that this client was granted and has not asked to release. */
struct hold {
    uint32_t path;
    uint64_t handle, instance, generation;
    bool exclusive;
    bool doubted;     /* it may be gone: released, but not believed in */
    int64_t until_ns; /* released then, in true time */
    size_t belief;    /* its place in the history, from 1; 0: none */
};

struct call {
    uint64_t token;
    enum op op;
    uint32_t path;
    uint64_t floor;   /* the highest revision that anybody had been shown before */
    uint64_t content; /* number of what it writes; 0: none */
    uint64_t contents[PLAYER_CHANGES_MAX]; /* of a transaction's changes likewise */
    uint32_t changes;
    uint64_t condition;
    uint64_t handle; /* of locks */
    uint64_t watch;
    uint64_t channel; /* of calls without a session */
    uint32_t server;
    bool given_up;
    bool stale;          /* need not be fresh */
    bool exclusive;      /* of the lock that `sequencer` names */
    uint64_t generation; /* of that grant */
    char sequencer[PLAYER_SEQUENCER_BYTES];
    bool gives_up_lock; /* deletes a node that it has locked itself ... */
    struct hold given;  /* ... as it held it before */
    size_t record;      /* its place in the history, from 1; 0: none */
};

struct player {
    struct call *calls; /* owned: unanswered ones */
    uint32_t calls_count, calls_capacity;
    struct call *executes; /* owned: unanswered ones without a session */
    uint32_t executes_count, executes_capacity;
    struct hold *holds; /* owned */
    uint32_t holds_count, holds_capacity;
    uint64_t *never; /* owned: contents that certainly were not written */
    uint32_t never_count, never_capacity;
    uint64_t next_token, next_handle, next_watch;
    uint64_t revoked[PLAYER_REVOKED_MAX]; /* handles whose lock was taken by force, the last */
    uint32_t revoked_count;
    uint64_t generations[32]; /* by path: last seen of the content */
    struct {                  /* the last grant seen, held still or not */
        char text[PLAYER_SEQUENCER_BYTES];
        uint32_t path;
        uint64_t generation;
        bool exclusive;
    } sequencer;
    uint32_t guess_leader; /* for calls without a session */
    bool closing;          /* this session is being ended */
    bool mute;             /* until the session's lease is over: nothing is called */
    bool finishing;        /* healed: give back, and write once more */
    bool final_sent, final_done;
};

void player_init(struct client *c);
void player_release(struct client *c);
/* Start calling. */
void player_start(struct client *c);
void player_finish(struct client *c);
/* Its session is gone, with its process or without. */
void player_forget(struct client *c);
/* The session said so itself. */
void player_session_over(struct client *c);
void player_reopen_later(struct client *c);
void player_answered(struct client *c, const struct client_effect *e);
/* A lock was taken by force. */
void player_revoked(struct client *c, uint64_t handle);
void player_execute_input(struct client *c, const struct host_input *input);
/* Nothing is asked that was not answered. */
bool player_is_idle(const struct client *c);
const char *op_text(enum op op);

#endif
