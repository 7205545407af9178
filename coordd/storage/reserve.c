/* reserve.c - see reserve.h. The file's length is what is kept back: blocks are
 * allocated for all of it, and nothing is ever written to it. */
#define _GNU_SOURCE
#include "coordd/storage/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "coordd/storage/internal.h"
#include "libcoord/base/check.h"

enum { BLOCK_BYTES = 512 }; /* of st_blocks */

struct reserve {
    pthread_mutex_t mutex; /* guards all below */
    int directory;         /* to ask for its space; -1: it cannot be asked */
    int fd;                /* -1: there is no file */
    int problem;           /* errno: none can be kept back here */
    uint64_t bytes;        /* wanted; a multiple of RESERVE_PIECES pages */
    uint64_t has;
    uint64_t lent; /* of what it does not have */
    uint64_t wal;  /* length of the checkpoint's */
    bool low;      /* as it was last told */
};

static uint64_t piece_of(const struct reserve *r)
{
    return r->bytes / RESERVE_PIECES;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void lock(struct reserve *r)
{
    CHECK(pthread_mutex_lock(&r->mutex) == 0);
}

static void unlock(struct reserve *r)
{
    CHECK(pthread_mutex_unlock(&r->mutex) == 0);
}

/* Shorter only. */
static bool shorten(struct reserve *r, uint64_t to)
{
    if (r->fd < 0 || ftruncate(r->fd, (off_t)to) != 0)
        return false;
    r->has = to;
    return true;
}

/* What cannot be asked for its space has some: writing will tell. */
static uint64_t free_bytes(const struct reserve *r)
{
    struct statvfs found;

    if (r->directory < 0 || fstatvfs(r->directory, &found) != 0)
        return RESERVE_ROOM_MAX;
    return (uint64_t)found.f_bavail * found.f_frsize;
}

/* An errno, 0: done. */
static int allocate(int fd, uint64_t from, uint64_t bytes)
{
    int rc;

    do {
        rc = fallocate(fd, 0, (off_t)from, (off_t)bytes);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : errno;
}

/* There is none here, and never will be: that makes no disk full. */
static void give_up(struct reserve *r, int problem)
{
    r->problem = problem;
    (void)shorten(r, 0);
}

/* Room for as much as two pieces stays free: what was just got back is not to be given
 * away at once. */
static void grow(struct reserve *r)
{
    uint64_t piece = piece_of(r);

    while (r->problem == 0 && r->has + r->lent < r->bytes && free_bytes(r) >= 3 * piece) {
        uint64_t more = least(r->bytes - r->lent - r->has, piece);
        int problem = allocate(r->fd, r->has, more);

        if (problem != 0)
            (void)shorten(r, r->has);
        if (problem != 0 && problem != ENOSPC && problem != EDQUOT)
            give_up(r, problem);
        if (problem != 0)
            return;
        r->has += more;
    }
}

static uint64_t size_for(const struct reserve *r, uint64_t bytes)
{
    uint64_t unit = (uint64_t)RESERVE_PIECES * STORE_PAGE_BYTES;
    struct statvfs found;

    if (bytes == RESERVE_BYTES_AUTO) {
        bytes = RESERVE_BYTES_DEFAULT;
        if (r->directory >= 0 && fstatvfs(r->directory, &found) == 0)
            bytes = least(bytes, (uint64_t)found.f_blocks * found.f_frsize / RESERVE_FULL_SHARE);
    }
    return (bytes + unit - 1) / unit * unit;
}

/* A file that was copied may be as long and hold nothing back. */
static void take_over(struct reserve *r)
{
    struct stat found;

    if (fstat(r->fd, &found) != 0)
        return;
    r->has = (uint64_t)found.st_size;
    if ((uint64_t)found.st_blocks * BLOCK_BYTES < r->has)
        (void)shorten(r, 0);
    if (r->has > r->bytes)
        (void)shorten(r, r->bytes);
}

struct reserve *reserve_open(const char *directory, uint64_t bytes)
{
    struct reserve *r;
    char path[STORE_PATH_BYTES];

    if (directory_path(directory, RESERVE_FILE, path, NULL, 0) != STORE_OK)
        return NULL;
    if (bytes == 0) {
        (void)unlink(path);
        return NULL;
    }
    r = check_calloc(1, sizeof *r);
    CHECK(pthread_mutex_init(&r->mutex, NULL) == 0);
    r->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r->bytes = size_for(r, bytes);
    r->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (r->fd < 0) {
        r->problem = errno;
        return r;
    }
    take_over(r);
    grow(r);
    return r;
}

void reserve_close(struct reserve *r)
{
    if (r == NULL)
        return;
    CHECK(r->lent == 0);
    if (r->fd >= 0)
        close(r->fd);
    if (r->directory >= 0)
        close(r->directory);
    CHECK(pthread_mutex_destroy(&r->mutex) == 0);
    free(r);
}

int reserve_problem(struct reserve *r)
{
    int problem;

    if (r == NULL)
        return 0;
    lock(r);
    problem = r->problem;
    unlock(r);
    return problem;
}

bool reserve_give(struct reserve *r, enum reserve_user to)
{
    bool given = false;

    if (r == NULL)
        return false;
    lock(r);
    uint64_t piece = piece_of(r);
    uint64_t left = to == RESERVE_LOG ? 0 : piece * (RESERVE_PIECES - RESERVE_PIECES_LENT_AGAIN);
    if (r->has > left)
        given = shorten(r, r->has > left + piece ? r->has - piece : left);
    unlock(r);
    return given;
}

bool reserve_lend(struct reserve *r, uint32_t pieces)
{
    bool lent = false;

    if (r == NULL)
        return false;
    lock(r);
    uint64_t left = r->bytes - pieces * piece_of(r), had = r->has;
    if (r->has > left && shorten(r, left)) {
        r->lent += had - left;
        lent = true;
    }
    unlock(r);
    return lent;
}

void reserve_given_back(struct reserve *r)
{
    if (r == NULL)
        return;
    lock(r);
    r->lent = 0;
    grow(r);
    unlock(r);
}

void reserve_restore(struct reserve *r)
{
    if (r == NULL)
        return;
    lock(r);
    grow(r);
    unlock(r);
}

void reserve_note_wal(struct reserve *r, uint64_t bytes)
{
    if (r == NULL)
        return;
    lock(r);
    r->wal = bytes;
    unlock(r);
}

bool reserve_has_room(struct reserve *r, uint64_t bytes)
{
    bool room;

    if (r == NULL)
        return true;
    lock(r);
    room = free_bytes(r) >= bytes + piece_of(r);
    unlock(r);
    return room;
}

static bool is_whole(const struct reserve *r)
{
    return r->problem != 0 || r->has + r->lent >= r->bytes;
}

bool reserve_is_whole(struct reserve *r)
{
    bool whole;

    if (r == NULL)
        return true;
    lock(r);
    whole = is_whole(r);
    unlock(r);
    return whole;
}

/* What a checkpoint has taken it will not take again, so it counts as free, but for half
 * of what must be: the log cannot use it. */
static uint64_t free_for_all(const struct reserve *r)
{
    return free_bytes(r) + least(r->wal, r->bytes / 2);
}

bool reserve_is_low(struct reserve *r)
{
    uint64_t wanted;
    bool low;

    if (r == NULL)
        return false;
    lock(r);
    wanted = r->bytes + (r->low ? 2 * piece_of(r) : 0);
    low = !is_whole(r) || free_for_all(r) < wanted;
    r->low = low;
    unlock(r);
    return low;
}

bool reserve_is_scarce(struct reserve *r)
{
    bool scarce;

    if (r == NULL)
        return false;
    lock(r);
    scarce = !is_whole(r) || free_bytes(r) < RESERVE_SCARCE * r->bytes;
    unlock(r);
    return scarce;
}

uint64_t reserve_room(struct reserve *r)
{
    uint64_t room;

    if (r == NULL)
        return RESERVE_ROOM_MAX;
    lock(r);
    room = free_bytes(r) + r->wal + least(r->has, RESERVE_PIECES_LENT * piece_of(r));
    unlock(r);
    return least(room, RESERVE_ROOM_MAX);
}
