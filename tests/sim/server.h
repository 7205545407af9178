/* server.h - one server: a real replica, its disk, its clock, and the driver's
 * part of the contract (coordd/replica/effects.h).
 *
 * A server that is down has no replica; everything sent to it is lost. A paused one
 * (SIGSTOP, a long stall) takes what arrives meanwhile when it goes on, all at
 * the late hour. */
#ifndef TESTS_SIM_SERVER_H
#define TESTS_SIM_SERVER_H

#include <stdbool.h>

#include "coordd/replica/replica.h"
#include "tests/sim/clock.h"
#include "tests/sim/disk.h"
#include "tests/sim/saver.h"

struct sim;

/* An event without its time. */
struct server_input {
    enum replica_event_kind kind;
    uint32_t peer;
    enum replica_link link;
    uint64_t sequence, token, stream, slot;
    bool last, low;
    uint64_t room;
    enum replica_stream_kind stream_kind;
    struct log_entry *entries; /* with references */
    uint32_t entries_count;
    struct blob *bytes, *about;
};

enum server_death { SERVER_CRASH, SERVER_POWER_CUT };
enum server_file { SERVER_LOG, SERVER_STATE, SERVER_FILES };

/* Where one dies that was told to: the narrow places that chance alone seldom hits. */
enum server_moment {
    SERVER_NEVER,
    SERVER_IN_STEP,       /* at a random effect of the next step that has some */
    SERVER_AT_COMMIT,     /* something is durable in the log, and nobody knows */
    SERVER_AT_CHECKPOINT, /* the same, of a checkpoint */
};

struct server {
    struct sim *sim; /* borrowed */
    uint32_t index, id;
    struct replica_config config;
    struct replica *replica; /* owned; NULL while down */
    struct clock clock;
    struct disk disk;
    struct saver saver;
    struct effects effects;
    uint32_t life;        /* rises with each start: what was queued for an older one is void */
    uint64_t wake_number; /* of the TIME event that is wanted */
    bool paused;
    uint64_t pause_number;
    struct server_input *inbox; /* owned, with what is in it; used while paused */
    uint32_t inbox_count, inbox_capacity;
    enum server_moment doom; /* armed */
    enum server_death death;
    int64_t restart_after_ns; /* of the armed death; negative: stays down */
    bool pauses_in_step;      /* armed: at a random effect of the next step that has some */
    int64_t pause_ns;         /* of the armed pause */
    uint32_t effects_done;    /* while paused in a step: of `effects` */
    bool effects_left;
    bool is_late;           /* what it does now it should have done before a pause */
    uint32_t failing_syncs; /* bits: the next of that file fails */
    bool disk_busy, disk_full, disk_told_full, saver_busy;
    uint32_t reserve; /* so many transactions a full disk still takes */
    bool disk_scarce; /* it would be full soon: all is still written */
    bool low_told;    /* it has begun to use them, and the replica knows */
    uint64_t room_told;
    uint32_t slow_log_us, slow_state_us;    /* more than other servers' at most */
    int64_t stalled_until_ns[SERVER_FILES]; /* by file */
    int64_t disk_spoke_ns; /* when its log last said something, or was owed nothing */
    bool is_sick;          /* from healing on it is one of those that fail */
    bool was_serving, was_lost;
    bool flipped;                      /* its state may be wrong: what it is, is not judged */
    uint64_t wrong_from, wrong_to;     /* its states behind these slots may be: [from, to); it
                                          may be quarantined only if there are any */
    struct replica_view view;          /* after the last step */
    const struct blob *judged_message; /* the last one of this step; only compared */
    uint64_t judged_slot;              /* rows up to it were compared in this life (truth_rows) */
};

void server_init(struct sim *s, uint32_t index);
void server_release(struct server *n);
/* server_boot.c */
void server_start(struct server *n);
/* Dies at once, and starts again after restart_after_ns unless that is negative. */
void server_die(struct server *n, enum server_death death, int64_t restart_after_ns);
/* server_pause.c */
void server_pause(struct server *n, int64_t for_ns);
void server_resume(struct server *n);
/* Takes over nothing: references in `input` stay the caller's. */
void server_take(struct server *n, const struct server_input *input);
static inline bool server_is_up(const struct server *n)
{
    return n->replica != NULL;
}
static inline bool server_is_paused(const struct server *n)
{
    return n->paused;
}
/* server_disk.c: the disk has got full, or not full any more. */
void server_space_changed(struct server *n);
/* server_disk.c: something was handed over, or finished. */
void server_disk_go_on(struct server *n);
/* server_saver.c: the same, of checkpoints. */
void server_saver_go_on(struct server *n);
/* It was told to die at this moment, and does. */
bool server_is_doomed(struct server *n, enum server_moment at);

/* server_wrong.c: one bit of its state is turned, if the others are enough without it;
 * its state, as the last step left it; whether a message has some of a wrong one. */
void server_flip(struct server *n);
void server_judge_state(struct server *n, bool was_quarantined);
bool server_gives_wrong_state(const struct server *n, struct slice message);

/* server_damage.c: a row or record of it rots; what it finds of that when it starts. */
void server_rot(struct server *n);
void server_find_damage(struct server *n);
void server_lose_state(struct server *n, const char *why);
/* The others would be enough without what it has. */
bool server_may_lose(const struct server *n);
/* The process ends itself, and is started again. */
void server_ends(struct server *n, const char *why);
/* True if this sync was to fail: then it has ended. */
bool server_sync_fails(struct server *n, enum server_file file);

/* Believes, by its own clock, that nobody else leads. */
bool server_has_lease(const struct server *n);

#endif
