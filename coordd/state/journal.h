/* journal.h - what a transaction did, so that it can be taken back.
 *
 * While it is open, node.c and lock.c note in it what they change, and what they
 * take out of the state lives on in it. Taking back goes from the last note to the
 * first, so each finds the state as it was when it was made. Only what the changes
 * of a transaction do is noted: nodes made, changed and removed, and the claim of
 * the holder that removes its locked node.
 *
 * Notes are in the batch's arena. Between commands it is closed. */
#ifndef COORD_STATE_JOURNAL_H
#define COORD_STATE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

struct claim;
struct note;
struct node;
struct state;

struct journal {
    bool open;
    struct note *last;
    uint64_t revision, suffixes_given; /* when it was opened */
};

void journal_open(struct state *s);
/* Closes it: what was done stays. */
void journal_keep(struct state *s);
/* Closes it: the state is as it was, byte for byte. */
void journal_take_back(struct state *s);

/* Before its generations or time change. */
void journal_fields(struct state *s, struct node *node);
/* Before its content goes or comes; the old one is the journal's. */
void journal_content(struct state *s, struct node *node);
void journal_added(struct state *s, struct node *node);
/* Unlinked; it is the journal's. */
void journal_removed(struct state *s, struct node *node);
/* Unlinked from the node's lock; it is the journal's. */
void journal_left(struct state *s, struct claim *claim, struct node *node);

#endif
