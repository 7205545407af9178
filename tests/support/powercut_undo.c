/* powercut_undo.c - see powercut_undo.h. */
#define _GNU_SOURCE
#include "tests/support/powercut_undo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"
#include "libcoord/base/prng.h"

enum survival { NOTHING, ALL, FIRST_ONES, ANY_SECTORS, SURVIVALS };

struct cut {
    const uint8_t *journal; /* the .unsynced file in memory */
    size_t *places;         /* of its records; owned */
    uint64_t count;
    enum survival survival;
    uint64_t first_ones; /* FIRST_ONES: so many changes survive, of the next one: */
    uint64_t torn_bytes; /* this much of its beginning */
    uint64_t seed;
    int fd;
};

/* Reads a file as a whole; NULL with errno. */
static uint8_t *slurp(const char *path, size_t *ret_length)
{
    struct stat found;
    uint8_t *data = NULL;
    size_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    if (fstat(fd, &found) == 0) {
        data = check_malloc((size_t)found.st_size);
        while (got < (size_t)found.st_size) {
            ssize_t n = pread(fd, data + got, (size_t)found.st_size - got, (off_t)got);

            if (n <= 0)
                break;
            got += (size_t)n;
        }
    }
    close(fd);
    *ret_length = got;
    return data;
}

static const struct undo_record *record_at(const struct cut *c, uint64_t i)
{
    return (const void *)(c->journal + c->places[i]);
}

/* A record cut short at the end belongs to a change that never happened. */
static void parse(struct cut *c, size_t length)
{
    size_t at = 0;

    while (length - at >= sizeof(struct undo_record)) {
        const struct undo_record *record = (const void *)(c->journal + at);

        CHECK(record->magic == UNDO_MAGIC);
        if (record->kept > length - at - sizeof *record)
            break;
        c->places = check_realloc(c->places, (size_t)(c->count + 1) * sizeof *c->places);
        c->places[c->count++] = at;
        at += sizeof *record + ((size_t)record->kept + 7) / 8 * 8;
    }
}

static void decide(struct cut *c, const char *path)
{
    struct prng prng;
    const char *slash = strrchr(path, '/');

    c->survival = NOTHING;
    if (c->seed == 0)
        return;
    c->seed = hash_bytes(c->seed, slice_of_string(slash == NULL ? path : slash + 1));
    prng_init(&prng, c->seed);
    c->survival = (enum survival)prng_below(&prng, SURVIVALS);
    c->first_ones = prng_below(&prng, c->count + 1);
    if (c->first_ones < c->count)
        c->torn_bytes = prng_below(&prng, record_at(c, c->first_ones)->length + 1) /
                        UNDO_SECTOR_BYTES * UNDO_SECTOR_BYTES;
}

/* Is change number `i` undone in this sector? Else the sector keeps what it, or
 * a later one, wrote. */
static bool undone(const struct cut *c, uint64_t i, uint64_t sector)
{
    const struct undo_record *record = record_at(c, i);

    switch (c->survival) {
    case ALL:
        return false;
    case FIRST_ONES:
        if (i != c->first_ones)
            return i > c->first_ones;
        return sector * UNDO_SECTOR_BYTES >= record->offset + c->torn_bytes;
    case ANY_SECTORS: {
        /* One version for each sector, whatever the order in which they were made. */
        uint64_t version = hash_bytes(c->seed, slice_of(&sector, sizeof sector)) % (c->count + 1);
        return i >= version;
    }
    default:
        return true;
    }
}

/* The size and the existence of the file change in order. */
static bool size_undone(const struct cut *c, uint64_t i)
{
    switch (c->survival) {
    case ALL:
        return false;
    case FIRST_ONES:
        return i > c->first_ones || (i == c->first_ones && c->torn_bytes == 0);
    case ANY_SECTORS:
        return i >= c->first_ones;
    default:
        return true;
    }
}

static bool put_back(const struct cut *c, uint64_t i)
{
    static const uint8_t zeros[UNDO_SECTOR_BYTES];
    const struct undo_record *record = record_at(c, i);
    const uint8_t *old = (const uint8_t *)(record + 1);
    uint64_t at = record->offset, end = record->offset + record->length;

    while (at < end) {
        uint64_t sector = at / UNDO_SECTOR_BYTES, done = at - record->offset;
        uint64_t piece = (sector + 1) * UNDO_SECTOR_BYTES - at;
        const uint8_t *from = zeros;

        if (piece > end - at)
            piece = end - at;
        if (done < record->kept) {
            from = old + done;
            piece = piece < record->kept - done ? piece : record->kept - done;
        }
        if (undone(c, i, sector) && pwrite(c->fd, from, (size_t)piece, (off_t)at) != (ssize_t)piece)
            return false;
        at += piece;
    }
    return true;
}

static bool undo_all(struct cut *c, const char *path, struct powercut_report *report)
{
    struct stat found;
    uint64_t size;
    bool vanished = false, ok;

    c->fd = open(path, O_RDWR | O_CLOEXEC);
    if (c->fd < 0)
        return errno == ENOENT; /* removed since */
    ok = fstat(c->fd, &found) == 0;
    size = (uint64_t)found.st_size;
    for (uint64_t i = c->count; ok && i-- > 0;) {
        if (c->survival != NOTHING || record_at(c, i)->kept != 0)
            ok = put_back(c, i);
        report->undone += size_undone(c, i) || c->survival == ANY_SECTORS;
        if (!size_undone(c, i))
            continue;
        size = record_at(c, i)->old_size;
        vanished = record_at(c, i)->kind == UNDO_CREATED;
    }
    ok = ok && ftruncate(c->fd, (off_t)size) == 0;
    close(c->fd);
    return ok && (!vanished || unlink(path) == 0);
}

static bool cut_file(const char *unsynced, uint64_t seed, struct powercut_report *report)
{
    struct cut c = {.seed = seed};
    char *path = check_strndup(unsynced, strlen(unsynced) - strlen(UNDO_SUFFIX));
    size_t length = 0;
    uint8_t *journal = slurp(unsynced, &length);
    bool ok = journal != NULL;

    c.journal = journal;
    if (ok)
        parse(&c, length);
    if (c.count > 0) {
        report->files++;
        report->changes += c.count;
        decide(&c, path);
        ok = undo_all(&c, path, report);
    }
    ok = ok && unlink(unsynced) == 0;
    free(c.places);
    free(journal);
    free(path);
    return ok;
}

int powercut_apply(const char *directory, uint64_t seed, struct powercut_report *ret)
{
    char path[UNDO_PATH_BYTES];
    DIR *entries = opendir(directory);
    struct dirent *entry;
    bool ok = entries != NULL;

    *ret = (struct powercut_report){0};
    while (ok && (entry = readdir(entries)) != NULL) {
        size_t length = strlen(entry->d_name), suffix = strlen(UNDO_SUFFIX);

        if (length <= suffix || strcmp(entry->d_name + length - suffix, UNDO_SUFFIX) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        ok = cut_file(path, seed, ret);
    }
    if (entries != NULL)
        closedir(entries);
    return ok ? 0 : -1;
}
