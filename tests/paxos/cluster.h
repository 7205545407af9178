/* cluster.h - a few consensus cores, the messages between them, and their
 * storage, moved by hand: for stories with a known course. Chance has its own
 * place, tests/sim. */
#ifndef COORD_TESTS_PAXOS_CLUSTER_H
#define COORD_TESTS_PAXOS_CLUSTER_H

#include "coordd/paxos/paxos.h"

enum { CLUSTER_MAX = 5, CLUSTER_QUEUE_MAX = 4096, CLUSTER_TAKEN_MAX = 256 };

struct letter {
    int from, to;
    int64_t due_ns;
    struct message message;
};

struct machine {
    struct paxos *paxos; /* NULL: down */
    bool disk_full;      /* what it hands out finds no space */
    bool disk_stuck;     /* what it hands out does not become durable */
    bool paused;         /* does nothing, and what is sent to it waits */
    uint32_t cut_mask;   /* members (by index) that it neither hears nor reaches */
    uint64_t incarnation;
    /* the disk */
    uint64_t promised;
    uint32_t longest_lease_ms;
    struct log_entry log[CLUSTER_TAKEN_MAX]; /* by slot - 1; value NULL: none */
    /* handed out, not durable yet */
    struct paxos_persist waiting[CLUSTER_QUEUE_MAX];
    int waiting_count;
    /* what was applied, by slot - 1 */
    uint64_t applied_hash[CLUSTER_TAKEN_MAX];
    uint64_t applied_count;
    const char *halted;
};

struct cluster {
    int count;
    int64_t now_ns;
    struct machine machines[CLUSTER_MAX];
    struct letter letters[CLUSTER_QUEUE_MAX];
    int letters_count;
    int delay_ms; /* of each letter, beyond the step of 1 ms that it takes anyway */
    bool (*intercept)(struct cluster *c, struct letter *l); /* true: the letter is lost */
};

struct cluster *cluster_new(int count);
void cluster_free(struct cluster *c);
void cluster_crash(struct cluster *c, int i);
void cluster_start(struct cluster *c, int i);
/* Loses the disk: starts with an empty one and a new incarnation. */
void cluster_wipe(struct cluster *c, int i);
void cluster_isolate(struct cluster *c, int i);
void cluster_heal(struct cluster *c);
void cluster_full(struct cluster *c, int i, bool full);
void cluster_disk(struct cluster *c, int i, bool stuck);
/* Delivers and lets time pass in steps of 1 ms. */
void cluster_run(struct cluster *c, int ms);
/* The index of the one that leads, holds its lease and is open; -1: none within `ms`. */
int cluster_leader(struct cluster *c, int ms);
/* False if it does not lead. */
bool cluster_propose(struct cluster *c, int i, const char *value);
/* Whether machine i applied this value. */
bool cluster_applied(const struct cluster *c, int i, const char *value);
int cluster_applied_by(const struct cluster *c, const char *value);
/* Any event, now. */
void cluster_step(struct cluster *c, int i, struct paxos_event *e);
/* Feeds one message as if it came from `from`. */
void cluster_feed(struct cluster *c, int from, int to, const struct message *m);

#endif
