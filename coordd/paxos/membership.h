/* membership.h - who the members are, and by which data directory each is known.
 *
 * Every message names its sender's incarnation, a random number drawn when its
 * directory was initialised. ENTRY_FOUND binds each member id to one of them;
 * from then on whatever comes from another directory under that id is dropped,
 * so that a replica which lost its disk cannot vote as if it had not. Until
 * ENTRY_OPEN, proposed once every member holds ENTRY_FOUND durably, no client is
 * answered: otherwise a majority that lost its disks before hearing of the
 * binding could found the cell anew. */
#ifndef COORD_PAXOS_MEMBERSHIP_H
#define COORD_PAXOS_MEMBERSHIP_H

#include "coordd/paxos/quorum.h"
#include "libcoord/base/bytes.h"

enum { PAXOS_MEMBERS_MAX = 16 };

struct membership {
    struct quorums quorums;
    uint32_t ids[PAXOS_MEMBERS_MAX];
    uint64_t heard[PAXOS_MEMBERS_MAX]; /* incarnation last heard of, 0: none */
    uint64_t bound[PAXOS_MEMBERS_MAX]; /* by ENTRY_FOUND; 0 before */
    uint32_t self;                     /* index */
    uint64_t founded_slot;             /* of ENTRY_FOUND, 0: not applied yet */
    bool open;                         /* ENTRY_OPEN is applied */
};

/* Index of a member id, or -1. */
int membership_index(const struct membership *m, uint32_t id);
uint32_t membership_all(const struct membership *m);    /* mask */
uint32_t membership_others(const struct membership *m); /* mask without self */
/* A message came from member `index`. False: from a directory that is not bound. */
bool membership_hear(struct membership *m, uint32_t index, uint64_t incarnation);
/* True if every member has been heard of, and none is bound yet. */
bool membership_can_found(const struct membership *m);
/* The value of ENTRY_FOUND: count, then (id, incarnation) in the order of the
 * configuration, then both quorums; fixed-width little-endian. */
struct blob *membership_encode(const struct membership *m);
/* What ENTRY_FOUND and ENTRY_OPEN have said so far. */
void membership_save(const struct membership *m, struct buffer *bytes);
/* NULL, or a constant that says why it does not fit. */
const char *membership_load(struct membership *m, struct slice bytes);
/* Apply ENTRY_FOUND. NULL, or a constant that says why this replica cannot be
 * part of the cell that it founds. */
const char *membership_found(struct membership *m, uint64_t slot, struct slice value);

#endif
