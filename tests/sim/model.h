/* model.h - an independent account of what the log means.
 *
 * Follows the chosen entries (truth.h) in order, from the promises of the
 * service, not from coordd/state: nodes with their generations, sessions with
 * their sequence numbers, locks with their lines. What it yields is the yardstick
 * for what servers answer and clients see: the answer to each (session, seq), and
 * every version that each path ever had. Small and slow on purpose.
 *
 * Left out because nothing here asks for it: content itself (its hash is kept),
 * ACLs, limits on counts. */
#ifndef TESTS_SIM_MODEL_H
#define TESTS_SIM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "libcoord/base/bytes.h"
#include "libcoord/base/err.h"
#include "tests/sim/journal.h"
#include "tests/sim/truth.h"

enum {
    MODEL_PATH_BYTES = 32,
    MODEL_HOLDERS_MAX = 32, /* of more, the first are known by generation */
    MODEL_SUFFIX_BYTES = 20,
    MODEL_CONTENTS_MAX = 1 << 24, /* contents that begin with a higher number are not noted */
};

struct model_version {
    uint64_t revision; /* from here to the next version's */
    bool alive;
    uint64_t instance, content_generation, lock_generation, children_generation;
    uint64_t content_hash, owner;
    uint32_t content_length, children_count;
    uint32_t holders_count;
    bool exclusive;                      /* the one holder is */
    bool delayed;                        /* nobody is let in yet */
    uint64_t holders[MODEL_HOLDERS_MAX]; /* generations of their grants */
    uint64_t lock_changed;               /* revision of the last grant or release */
};

struct model_claim {
    uint64_t session, seq, handle, generation; /* generation 0: waits */
    bool exclusive, sets_content, revoked;
    uint32_t lock_delay_ms;
    uint64_t content_hash, content_number;
    uint32_t content_length;
};

struct model_path {
    char text[MODEL_PATH_BYTES];
    struct model_version *versions; /* owned; revisions rise */
    uint32_t versions_count, versions_capacity;
    struct model_claim *claims; /* owned; holders first, then the line, each in order */
    uint32_t claims_count, claims_capacity;
    uint64_t delay; /* the revision in which it began; 0: none */
    uint32_t delay_ms;
};

/* What watches are told of. Kinds are those of coord.v1.Event. */
struct model_event {
    uint64_t revision;
    uint32_t path;
    int kind;
    bool begins_piece; /* of the history */
};

struct model_answer {
    uint64_t seq;
    bool waiting; /* in line */
    enum err status;
    uint64_t revision, generation; /* generation: of a grant */
    uint32_t given_count;          /* how often a server said it */
    uint32_t failed;               /* of a transaction: the part that did not hold */
};

struct model_session {
    uint64_t id, nonce_hash, lowest, highest;
    bool alive, expired, killed;
    struct model_answer *answers; /* owned; by seq, rising */
    uint32_t answers_count, answers_capacity;
};

/* What the checks of beliefs want to hear at once. */
struct model_listener {
    void (*granted)(void *context, uint32_t path, uint64_t session, bool exclusive);
    void (*expired)(void *context, uint64_t session);
    void (*delayed)(void *context, uint32_t path, uint32_t delay_ms);
    void (*delay_over)(void *context, uint32_t path);
    void *context;
};

struct model {
    struct journal *journal; /* borrowed */
    struct model_listener listener;
    uint64_t slot, revision, leader_ballot;
    struct model_path *paths; /* owned; [0] is the root */
    uint32_t paths_count, paths_capacity;
    struct model_session *sessions; /* owned; id - 1 */
    uint32_t sessions_count, sessions_capacity;
    struct model_event *events; /* owned; revisions rise */
    uint32_t events_count, events_capacity;
    /* What watches that come back can be told of: everything later than the floor. */
    uint64_t history_floor, history_bytes, history_bytes_max;
    uint64_t piece_bytes;     /* of the last piece of it */
    uint32_t history_first;   /* of `events`: the first that is kept */
    uint64_t *revision_after; /* owned; by slot */
    uint64_t revision_after_capacity;
    uint8_t *written; /* owned; by the number that a content begins with */
    uint64_t written_capacity;
    uint64_t last_grant[32]; /* generation, by path */
    uint64_t suffixes;       /* of sequential names, given */
    /* Of the command at hand. */
    bool changed, content_set;
    uint32_t failed;
};

/* history_bytes_max 0: more than a run brings about. */
void model_init(struct model *m, struct journal *journal, const struct model_listener *listener,
                uint64_t history_bytes_max);
void model_release(struct model *m);
/* Apply what has been chosen since. */
void model_follow(struct model *m, const struct truth *t);

/* UINT32_MAX if it was never named. */
uint32_t model_find(const struct model *m, const char *path);
/* NULL if the path had no version yet then. */
const struct model_version *model_at(const struct model *m, uint32_t path, uint64_t revision);
const struct model_version *model_now(const struct model *m, uint32_t path);
const struct model_session *model_session(const struct model *m, uint64_t session);
/* Was content that begins with this number (player.h) ever written? */
bool model_has_content(const struct model *m, uint64_t number);
/* The first event later than `revision`: its index, or events_count. */
uint32_t model_events_after(const struct model *m, uint64_t revision);
/* NULL if (session, seq) was not applied. */
struct model_answer *model_answer(struct model *m, uint64_t session, uint64_t seq);

#endif
