/* step.h - one command on its way through the state.
 *
 * A handler first judges everything and then changes everything: once it has
 * asked for step_revision it can no longer refuse. All that a command changes
 * carries one revision, however many nodes it is (the end of a session with its
 * ephemeral nodes and locks included); a command that changes no node raises no
 * revision. Standing in line is no change of the node. */
#ifndef COORD_STATE_STEP_H
#define COORD_STATE_STEP_H

#include "coord/v1/command.pb-c.h"
#include "coordd/state/machine.h"

struct claim;
struct lock;
struct node;
struct session;

struct step {
    struct state *state;
    struct state_output *out;
    const Coord__V1__Command *command;
    uint32_t index;          /* of the command in its batch */
    struct session *session; /* NULL: none */
    bool changed;            /* the revision was raised */
    bool answered;           /* by a grant; or it will be, by a later one */
    const char *why;         /* with a refusal: constant */
    /* The answer's body, if the handler sets one: a packed Stat, or in `answer`. */
    struct slice stat;
    struct slice done; /* or a packed TransactionDone, if data is not NULL */
    Coord__V1__Answer answer;
    Coord__V1__SessionOpened opened;
};

void step_begin(struct step *step, struct state *s, struct state_output *out,
                const Coord__V1__Command *command, uint32_t index);

/* Returns `e`, with the reason noted. */
enum err step_refuse(struct step *step, enum err e, const char *why);
/* The node of a path; instance 0: whichever is there. */
MUST_USE enum err step_find(struct step *step, const char *path, uint64_t instance,
                            struct node **ret);
/* The write is guarded by a lock: "" is no guard. */
MUST_USE enum err step_guard(struct step *step, const char *sequencer);

/* The revision of what this command changes. */
uint64_t step_revision(struct step *step);
/* After all changes of this node; node NULL: deleted. Returns its packed Stat, which
 * lives as long as the output. */
struct slice step_event(struct step *step, enum state_event_kind kind, struct slice path,
                        const struct node *node);
void step_session_note(struct step *step, enum state_session_change change, uint64_t session,
                       uint32_t ttl_ms);

/* Writing packed messages by hand, for what is packed already: one varint, or one
 * field with its tag and length. Both return where it ends. */
enum { STEP_VARINT_BYTES_MAX = 10, STEP_FIELD_BYTES_MAX = 5 + 5 };
uint8_t *step_put_varint(uint8_t *out, uint64_t value);
uint8_t *step_put_field(uint8_t *out, uint32_t field, struct slice bytes);

/* Answers the command itself, and keeps the answer if it is a session's. */
void step_answer(struct step *step, enum err status);
/* Answers the Acquire that a claim comes from. */
void step_answer_claim(struct step *step, const struct claim *claim, enum err status);
/* Answers, again, what was kept. */
void step_answer_again(struct step *step, struct slice kept);
/* Answers without keeping it: nothing was applied. */
void step_answer_unapplied(struct step *step, enum err status, const char *why);

#endif
