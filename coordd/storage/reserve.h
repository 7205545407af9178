/* reserve.h - space of the disk that is kept back, so that a full disk is not the end:
 * a file of a known size, which is made shorter, a piece at a time, when something that
 * must be written finds no space, and longer again when there is some.
 *
 * The disk counts as full before: when less than that size is free. What is on its way
 * then, a whole queue of large writes, does not use the reserve up.
 *
 * A piece at a time: whoever else fills the disk gets no more than that for each time.
 * What is lent to a checkpoint it gets all at once, for what finds no space midway is
 * lost as a whole; it comes back, so that lending alone makes no disk full. Of the rest
 * the log may take everything, and others leave a part of it.
 *
 * Where the file system cannot keep anything back (no fallocate) there is no file; the
 * disk still counts as full when less than the size is free.
 *
 * Any thread. Every call but reserve_is_whole blocks on the disk. */
#ifndef COORD_STORAGE_RESERVE_H
#define COORD_STORAGE_RESERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RESERVE_PIECES = 16,
    RESERVE_PIECES_LENT = 8,        /* to a checkpoint */
    RESERVE_PIECES_LENT_AGAIN = 13, /* to one whose forerunner found no space */
    RESERVE_SCARCE = 3,             /* times its size are free: no hurry */
    RESERVE_FULL_SHARE = 16,        /* by default at most this part of a file system */
};
#define RESERVE_FILE          "reserve"
#define RESERVE_BYTES_DEFAULT (UINT64_C(64) * 1024 * 1024)
/* As a size: the default, or less on a small file system. */
#define RESERVE_BYTES_AUTO UINT64_MAX
/* As room: more than anybody asks for. */
#define RESERVE_ROOM_MAX (UINT64_C(4) * 1024 * 1024 * 1024)

struct reserve;

/* Takes what there is of it, or can be had. NULL for 0 bytes: nothing is kept back, and
 * what was is given away. */
struct reserve *reserve_open(const char *directory, uint64_t bytes);
void reserve_close(struct reserve *r); /* accepts NULL; the file stays */
/* Why there is none here, an errno; 0: there is, or there is only no space for it. */
int reserve_problem(struct reserve *r);

/* All calls accept NULL: there is no reserve. */

enum reserve_user { RESERVE_LOG, RESERVE_OTHERS };

/* Something found no space: gives a piece. False if there is none for it. */
bool reserve_give(struct reserve *r, enum reserve_user to);
/* Lends that many pieces in all, or as many as there are; none is taken back before
 * reserve_given_back. False if it is lent so many already. */
bool reserve_lend(struct reserve *r, uint32_t pieces);
void reserve_given_back(struct reserve *r);
/* Takes back what it can, and leaves some space free. */
void reserve_restore(struct reserve *r);
/* So long is the checkpoint's -wal: the next one needs no other space for that. */
void reserve_note_wal(struct reserve *r, uint64_t bytes);
/* Is so much free, and a piece beside it? */
bool reserve_has_room(struct reserve *r, uint64_t bytes);
/* No piece was given and not taken back. */
bool reserve_is_whole(struct reserve *r);
/* Not whole, or not so much is free. It stays low until there is a little more. */
bool reserve_is_low(struct reserve *r);
/* It may be low soon: what can be given back to the file system should be. */
bool reserve_is_scarce(struct reserve *r);
/* So much a checkpoint would find, at most RESERVE_ROOM_MAX. */
uint64_t reserve_room(struct reserve *r);

#endif
