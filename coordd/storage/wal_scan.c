/* wal_scan.c - see wal_scan.h. */
#include "coordd/storage/wal_scan.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "coordd/storage/internal.h"
#include "libcoord/base/check.h"

#define WAL_MAGIC         0x377f0682u /* the last bit: checksums over big-endian words */
#define WAL_FORMAT        3007000u
#define WAL_SECTOR_BYTES  512u /* what a disk writes as a whole */
#define WAL_SIZE_BITS     24u  /* a database of up to 64 GiB */
#define WAL_COVERED_BYTES 8u   /* of a frame's header, by its checksum; then the page */

/* One frame as it lies in the file. */
struct frame {
    uint32_t page, commit_size; /* commit_size: of the database in pages; 0: no commit */
    uint32_t salt[2], sum[2];
    uint8_t bytes[WAL_FRAME_BYTES];
};

struct scan {
    sqlite3_file *file;
    uint32_t frames; /* whole ones in the file */
    bool big_endian;
    uint32_t salt[2];
    struct frame frame; /* the one read last */
};

static uint32_t big(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t word(const uint8_t *at, bool big_endian)
{
    uint32_t v = big(at);

    return big_endian ? v : __builtin_bswap32(v);
}

/* SQLite's checksum, carried on from what precedes. */
static void chain(uint32_t sum[2], const uint8_t *data, size_t length, bool big_endian)
{
    for (size_t i = 0; i < length; i += 8) {
        sum[0] += word(data + i, big_endian) + sum[1];
        sum[1] += word(data + i + 4, big_endian) + sum[0];
    }
}

static bool same(const uint32_t a[2], const uint32_t b[2])
{
    return a[0] == b[0] && a[1] == b[1];
}

static uint64_t frame_offset(uint32_t number)
{
    return WAL_HEADER_BYTES + (uint64_t)(number - 1) * WAL_FRAME_BYTES;
}

static int read_frame(struct scan *s, uint32_t number)
{
    struct frame *f = &s->frame;
    int rc = s->file->pMethods->xRead(s->file, f->bytes, WAL_FRAME_BYTES,
                                      (sqlite3_int64)frame_offset(number));

    f->page = big(f->bytes);
    f->commit_size = big(f->bytes + 4);
    for (size_t i = 0; i < 2; i++) {
        f->salt[i] = big(f->bytes + 8 + 4 * i);
        f->sum[i] = big(f->bytes + 16 + 4 * i);
    }
    return rc;
}

static void frame_sum(const struct scan *s, uint32_t sum[2])
{
    const uint8_t *bytes = s->frame.bytes;

    chain(sum, bytes, WAL_COVERED_BYTES, s->big_endian);
    chain(sum, bytes + WAL_FRAME_HEADER_BYTES, STORE_PAGE_BYTES, s->big_endian);
}

/* Does the frame's checksum follow from that of the frame before it? */
static bool follows(const struct scan *s, const uint32_t before[2])
{
    uint32_t sum[2] = {before[0], before[1]};

    frame_sum(s, sum);
    return same(sum, s->frame.sum);
}

static bool of_generation(const struct scan *s)
{
    return same(s->frame.salt, s->salt);
}

/* Does the frame's header lie in one sector? Then all of it stems from one write. */
static bool header_is_whole(uint32_t number)
{
    return frame_offset(number) % WAL_SECTOR_BYTES + WAL_FRAME_HEADER_BYTES <= WAL_SECTOR_BYTES;
}

static bool says_commit(const struct scan *s, uint32_t number)
{
    return of_generation(s) && s->frame.commit_size != 0 && header_is_whole(number);
}

/* Would the frame be right if one flipped bit had not turned its commit into none?
 * It would hide that a transaction ended here. */
static bool hides_commit(struct scan *s, uint32_t number, const uint32_t before[2])
{
    uint8_t *size = s->frame.bytes + 4;
    bool hides = false;

    if (!of_generation(s) || s->frame.commit_size != 0 || !header_is_whole(number))
        return false;
    for (uint32_t bit = 0; bit < WAL_SIZE_BITS && !hides; bit++) {
        uint8_t *byte = &size[3 - bit / 8];

        *byte = (uint8_t)(1u << bit % 8);
        hides = follows(s, before);
        *byte = 0;
    }
    return hides;
}

static int corrupt(struct wal_report *ret, uint32_t frame, const char *because)
{
    ret->verdict = WAL_CORRUPT;
    ret->bad = frame;
    ret->because = because;
    return SQLITE_OK;
}

/* Behind the readable part, whose last frame had the checksum `before`. */
static int judge_rest(struct scan *s, uint32_t bad, const uint32_t before[2],
                      struct wal_report *ret)
{
    uint32_t previous[2];
    bool committed; /* a commit at or behind the bad frame was seen */
    int rc = read_frame(s, bad);

    if (rc != SQLITE_OK)
        return rc;
    if (follows(s, before) && s->frame.page != 0)
        return corrupt(ret, bad, "its salts do not belong to its checksum");
    if (hides_commit(s, bad, before))
        return corrupt(ret, bad, "its commit mark is gone");
    committed = says_commit(s, bad);
    for (uint32_t number = bad;;) {
        if (of_generation(s))
            ret->last = number;
        previous[0] = s->frame.sum[0];
        previous[1] = s->frame.sum[1];
        if (++number > s->frames)
            break;
        rc = read_frame(s, number);
        if (rc != SQLITE_OK)
            return rc;
        if (!of_generation(s))
            continue;
        if (committed)
            return corrupt(ret, bad, "a later commit stands behind it");
        committed = says_commit(s, number) || (s->frame.commit_size != 0 && follows(s, previous));
    }
    if (ret->last > ret->committed)
        ret->verdict = WAL_TORN;
    return SQLITE_OK;
}

static int judge_frames(struct scan *s, const uint32_t header_sum[2], struct wal_report *ret)
{
    uint32_t before[2] = {header_sum[0], header_sum[1]};

    for (uint32_t number = 1; number <= s->frames; number++) {
        int rc = read_frame(s, number);

        if (rc != SQLITE_OK)
            return rc;
        if (!of_generation(s) || s->frame.page == 0 || !follows(s, before))
            return judge_rest(s, number, before, ret);
        before[0] = s->frame.sum[0];
        before[1] = s->frame.sum[1];
        ret->last = number;
        if (s->frame.commit_size != 0)
            ret->committed = number;
    }
    if (ret->last > ret->committed)
        ret->verdict = WAL_TORN;
    return SQLITE_OK;
}

/* ---- a damaged header ----
 *
 * SQLite then uses nothing of the file. That is right if the header was torn
 * while a new generation began, because the old one had been moved into the
 * database first. So: is everything that the frames hold in the database? */

/* Each generation begins with frame 1, so that is of the newest; older ones may
 * follow. Finds its salts and its last commit. 0: none. */
static int find_generation(struct scan *s, uint32_t *ret_last_commit)
{
    bool found = false;

    *ret_last_commit = 0;
    for (uint32_t number = 1; number <= s->frames; number++) {
        int rc = read_frame(s, number);

        if (rc != SQLITE_OK)
            return rc;
        if (!found && s->frame.page != 0) {
            found = true;
            s->salt[0] = s->frame.salt[0];
            s->salt[1] = s->frame.salt[1];
        }
        if (found && of_generation(s) && s->frame.commit_size != 0)
            *ret_last_commit = number;
    }
    return SQLITE_OK;
}

/* Takes note of a page; was it seen before? `seen` has a bit for each. */
static bool seen_before(uint8_t *seen, uint32_t page)
{
    uint8_t bit = (uint8_t)(1u << page % 8);
    bool before = (seen[page / 8] & bit) != 0;

    seen[page / 8] |= bit;
    return before;
}

/* Compares the newest copy of each page, which is met first, with the database's. */
static int compare_pages(struct scan *s, uint32_t last, const struct raw_file *database, bool *ret)
{
    uint64_t pages = database->size_bytes / STORE_PAGE_BYTES;
    uint8_t *seen = check_calloc(pages / 8 + 1, 1);
    uint8_t page[STORE_PAGE_BYTES];
    int rc = SQLITE_OK;

    *ret = true;
    for (uint32_t number = last; rc == SQLITE_OK && *ret && number > 0; number--) {
        rc = read_frame(s, number);
        if (rc != SQLITE_OK || !of_generation(s))
            continue;
        if (s->frame.page == 0 || s->frame.page > pages) {
            *ret = false;
            continue;
        }
        if (seen_before(seen, s->frame.page))
            continue;
        rc = database->file->pMethods->xRead(database->file, page, sizeof page,
                                             (sqlite3_int64)(s->frame.page - 1) * STORE_PAGE_BYTES);
        *ret = memcmp(page, s->frame.bytes + WAL_FRAME_HEADER_BYTES, sizeof page) == 0;
    }
    free(seen);
    return rc;
}

static bool all_zero(const uint8_t header[WAL_HEADER_BYTES])
{
    static const uint8_t zeros[WAL_HEADER_BYTES];

    return memcmp(header, zeros, sizeof zeros) == 0;
}

static int judge_without_header(struct scan *s, const uint8_t header[WAL_HEADER_BYTES],
                                const struct raw_file *database, struct wal_report *ret)
{
    uint32_t last;
    bool all_there = true;
    int rc = find_generation(s, &last);

    if (rc == SQLITE_OK && last > 0)
        rc = compare_pages(s, last, database, &all_there);
    if (rc != SQLITE_OK || (last == 0 && all_zero(header)))
        return rc;
    if (!all_there)
        return corrupt(ret, 0, "its header is damaged, and it holds what the database lacks");
    /* SQLite takes the salts even of a header that it rejects. If they are those
     * of the frames that lie there, the next generation would have them too. */
    ret->verdict = WAL_TORN;
    return SQLITE_OK;
}

int wal_scan(const struct raw_file *wal, const struct raw_file *database, struct wal_report *ret)
{
    struct scan *s;
    uint8_t header[WAL_HEADER_BYTES];
    uint32_t sum[2] = {0, 0}, stored[2];
    int rc;

    *ret = (struct wal_report){.verdict = WAL_CLEAN};
    if (wal->size_bytes <= WAL_HEADER_BYTES)
        return SQLITE_OK;
    rc = wal->file->pMethods->xRead(wal->file, header, sizeof header, 0);
    if (rc != SQLITE_OK)
        return rc;
    s = check_calloc(1, sizeof *s);
    s->file = wal->file;
    s->frames = (uint32_t)((wal->size_bytes - WAL_HEADER_BYTES) / WAL_FRAME_BYTES);
    s->big_endian = (big(header) & 1) != 0;
    s->salt[0] = big(header + 16);
    s->salt[1] = big(header + 20);
    stored[0] = big(header + 24);
    stored[1] = big(header + 28);
    chain(sum, header, 24, s->big_endian);
    if ((big(header) & ~1u) != WAL_MAGIC || !same(sum, stored))
        rc = judge_without_header(s, header, database, ret);
    else if (big(header + 4) != WAL_FORMAT || big(header + 8) != STORE_PAGE_BYTES)
        rc = corrupt(ret, 0, "its header is not one that this program has written");
    else
        rc = judge_frames(s, stored, ret);
    free(s);
    return rc;
}

/* ---- wiping ---- */

static int wipe(sqlite3_file *wal, uint64_t from, uint64_t to)
{
    int rc = raw_zero(wal, from, to);

    return rc != SQLITE_OK ? rc : wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
}

int wal_wipe(sqlite3_file *wal, const struct wal_report *report)
{
    if (report->last == 0)
        return wipe(wal, 0, WAL_HEADER_BYTES);
    return wipe(wal, frame_offset(report->committed + 1), frame_offset(report->last + 1));
}

int wal_salts(sqlite3_file *wal, uint8_t ret[WAL_SALT_BYTES])
{
    int rc = wal->pMethods->xRead(wal, ret, WAL_SALT_BYTES, 16);

    return rc == SQLITE_IOERR_SHORT_READ ? SQLITE_OK : rc; /* the rest is zeros then */
}

int wal_wipe_behind(sqlite3_file *wal, uint32_t committed)
{
    uint8_t salts[WAL_SALT_BYTES], header[WAL_FRAME_HEADER_BYTES];
    uint32_t last = committed;
    sqlite3_int64 size;
    int rc = wal->pMethods->xFileSize(wal, &size);

    if (rc == SQLITE_OK)
        rc = wal_salts(wal, salts);
    while (rc == SQLITE_OK && (sqlite3_int64)frame_offset(last + 2) <= size) {
        rc =
            wal->pMethods->xRead(wal, header, sizeof header, (sqlite3_int64)frame_offset(last + 1));
        if (rc == SQLITE_OK && memcmp(header + 8, salts, sizeof salts) != 0)
            break;
        last++;
    }
    if (rc != SQLITE_OK || last == committed)
        return rc;
    return wipe(wal, frame_offset(committed + 1), frame_offset(last + 1));
}

int wal_cut_behind(sqlite3_file *wal, uint32_t committed)
{
    sqlite3_int64 size, end = (sqlite3_int64)frame_offset(committed + 1);
    int rc = wal->pMethods->xFileSize(wal, &size);

    if (rc != SQLITE_OK || size <= end)
        return rc;
    rc = wal->pMethods->xTruncate(wal, end);
    return rc != SQLITE_OK ? rc : wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
}
