/* effects.h - what a step of the consensus core owes the world, in order. The
 * replica turns it into its own effects (coordd/replica/effects.h). */
#ifndef COORD_PAXOS_EFFECTS_H
#define COORD_PAXOS_EFFECTS_H

#include "coordd/paxos/message.h"

enum paxos_persist_kind {
    PAXOS_PERSIST_PROMISE,
    PAXOS_PERSIST_ENTRY,
    PAXOS_PERSIST_LEASE,
    PAXOS_PERSIST_FLOOR,
};

struct paxos_persist {
    enum paxos_persist_kind kind;
    uint64_t sequence;
    uint64_t ballot;
    uint32_t lease_ms;
    uint64_t floor;
    struct log_entry entry; /* with a reference */
};

struct paxos_send {
    uint32_t to_mask; /* members by index */
    struct message message;
};

struct paxos_read {
    uint64_t token;
    uint64_t first_slot, last_slot;
    uint64_t bytes_max;
};

enum paxos_note_kind {
    PAXOS_NOTE_ROLE,     /* the role or the leader changed */
    PAXOS_NOTE_STRANGER, /* .member speaks from a directory that the cell does not know */
    PAXOS_NOTE_FULL,     /* no space: this replica takes nothing new until there is */
    PAXOS_NOTE_CROWDED,  /* without a state: it takes nothing new until it has one */
    PAXOS_NOTE_SILENT,   /* without a state: .member stands, and would need of it what is lost */
    PAXOS_NOTE_BEHIND,   /* .member's log begins behind what this replica lacks */
    PAXOS_NOTE_STALLED,  /* a leader stepped down because nothing got chosen */
};

struct paxos_note {
    enum paxos_note_kind kind;
    uint32_t member;
};

enum { PAXOS_NOTES_MAX = 8 };

struct paxos_effects {
    struct paxos_persist *persists; /* owned */
    uint32_t persists_count, persists_capacity;
    struct paxos_send *sends; /* owned */
    uint32_t sends_count, sends_capacity;
    struct paxos_read *reads; /* owned */
    uint32_t reads_count, reads_capacity;
    struct paxos_note notes[PAXOS_NOTES_MAX]; /* more in one step are dropped */
    uint32_t notes_count;
    const char *halt; /* a constant: why going on would be unsafe; NULL: go on */
};

void paxos_effects_init(struct paxos_effects *e);
void paxos_effects_clear(struct paxos_effects *e);
void paxos_effects_release(struct paxos_effects *e);
struct paxos_persist *paxos_effects_persist(struct paxos_effects *e);
/* The message is zeroed but for its kind. Valid until the next call. */
struct message *paxos_effects_send(struct paxos_effects *e, uint32_t to_mask,
                                   enum message_kind kind);
struct paxos_read *paxos_effects_read(struct paxos_effects *e);
void paxos_effects_note(struct paxos_effects *e, enum paxos_note_kind kind, uint32_t member);

#endif
