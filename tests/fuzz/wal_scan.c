/* wal_scan.c - a -wal that was damaged in whatever way.
 *
 * The input is a script for one, since a frame of it is four kilobytes: op 0 a frame
 * with a right checksum that follows from the one before, op 1 with a wrong one, op 2
 * of other salts, op 3 a new header; `arg` is the page, the first byte says whether it
 * commits and the others are its content, repeated. Op 4 overwrites bytes: place (three
 * bytes), then what. */
#include "coordd/storage/wal_scan.h"

#include <stdlib.h>
#include <string.h>

#include "coordd/storage/internal.h"
#include "tests/fuzz/fuzz.h"

enum { OP_FRAME, OP_WRONG, OP_STRANGER, OP_HEADER, OP_SMEAR, OPS };
enum { FRAMES_MAX = 24, FILE_BYTES_MAX = WAL_HEADER_BYTES + FRAMES_MAX * WAL_FRAME_BYTES };

/* ---- a file in memory, as SQLite sees files ---- */

struct memory_file {
    sqlite3_file file;
    uint8_t bytes[FILE_BYTES_MAX];
    sqlite3_int64 size;
};

static int memory_close(sqlite3_file *file)
{
    (void)file;
    return SQLITE_OK;
}

static int memory_read(sqlite3_file *file, void *out, int amount, sqlite3_int64 offset)
{
    const struct memory_file *m = (const struct memory_file *)file;
    sqlite3_int64 there = offset < m->size ? m->size - offset : 0;

    memset(out, 0, (size_t)amount);
    memcpy(out, m->bytes + (there > 0 ? offset : 0), (size_t)(there < amount ? there : amount));
    return there < amount ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

static int memory_write(sqlite3_file *file, const void *data, int amount, sqlite3_int64 offset)
{
    struct memory_file *m = (struct memory_file *)file;

    DEMAND(offset >= 0 && offset + amount <= m->size); /* nothing lies behind it to be wiped */
    memcpy(m->bytes + offset, data, (size_t)amount);
    return SQLITE_OK;
}

static int memory_sync(sqlite3_file *file, int flags)
{
    (void)file;
    (void)flags;
    return SQLITE_OK;
}

static int memory_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    *ret = ((const struct memory_file *)file)->size;
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = memory_close,
    .xRead = memory_read,
    .xWrite = memory_write,
    .xSync = memory_sync,
    .xFileSize = memory_size,
};

/* ---- writing it, by SQLite's description of the format ---- */

static void put_big(uint8_t *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint32_t get_big(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void sum_up(uint32_t sum[2], const uint8_t *data, size_t length)
{
    for (size_t i = 0; i < length; i += 8) {
        sum[0] += get_big(data + i) + sum[1];
        sum[1] += get_big(data + i + 4) + sum[0];
    }
}

struct writer {
    struct memory_file *wal;
    uint32_t sum[2], salt;
};

static void put_header(struct writer *w, uint8_t salt)
{
    uint8_t *h = w->wal->bytes;

    put_big(h, 0x377f0683);
    put_big(h + 4, 3007000);
    put_big(h + 8, STORE_PAGE_BYTES);
    put_big(h + 12, 1);
    put_big(h + 16, salt);
    put_big(h + 20, 7);
    w->salt = salt;
    w->sum[0] = w->sum[1] = 0;
    sum_up(w->sum, h, 24);
    put_big(h + 24, w->sum[0]);
    put_big(h + 28, w->sum[1]);
    if (w->wal->size < WAL_HEADER_BYTES)
        w->wal->size = WAL_HEADER_BYTES;
}

static void put_frame(struct writer *w, const struct fuzz_part *part)
{
    uint8_t *f = w->wal->bytes + w->wal->size;
    bool commits = part->bytes.length > 0 && part->bytes.data[0] % 2 != 0;

    if (w->wal->size < WAL_HEADER_BYTES || w->wal->size + WAL_FRAME_BYTES > FILE_BYTES_MAX)
        return;
    put_big(f, part->arg);
    put_big(f + 4, commits ? 9 : 0);
    put_big(f + 8, w->salt + (part->op % OPS == OP_STRANGER));
    put_big(f + 12, 7);
    for (size_t i = 0; part->bytes.length > 1 && i < STORE_PAGE_BYTES; i++)
        f[WAL_FRAME_HEADER_BYTES + i] = part->bytes.data[1 + i % (part->bytes.length - 1)];
    sum_up(w->sum, f, 8);
    sum_up(w->sum, f + WAL_FRAME_HEADER_BYTES, STORE_PAGE_BYTES);
    put_big(f + 16, w->sum[0] ^ (part->op % OPS == OP_WRONG));
    put_big(f + 20, w->sum[1]);
    w->wal->size += WAL_FRAME_BYTES;
}

static void smear(struct writer *w, struct slice bytes)
{
    if (bytes.length < 4)
        return;
    size_t at = (size_t)bytes.data[0] | (size_t)bytes.data[1] << 8 | (size_t)bytes.data[2] << 16;
    for (size_t i = 3; i < bytes.length; i++, at++) {
        if (at < (size_t)w->wal->size)
            w->wal->bytes[at] = bytes.data[i];
    }
}

/* ---- judging ---- */

/* The last commit before the first frame that SQLite would not take, if the header is
 * one that the writer above wrote. */
static uint32_t committed_of(const struct memory_file *wal)
{
    uint32_t sum[2] = {0, 0}, committed = 0;

    sum_up(sum, wal->bytes, 24);
    for (uint32_t i = 0; WAL_HEADER_BYTES + (i + 1) * WAL_FRAME_BYTES <= wal->size; i++) {
        const uint8_t *f = wal->bytes + WAL_HEADER_BYTES + (size_t)i * WAL_FRAME_BYTES;

        sum_up(sum, f, 8);
        sum_up(sum, f + WAL_FRAME_HEADER_BYTES, STORE_PAGE_BYTES);
        if (memcmp(f + 8, wal->bytes + 16, 8) != 0 || get_big(f) == 0 ||
            get_big(f + 16) != sum[0] || get_big(f + 20) != sum[1])
            break;
        if (get_big(f + 4) != 0)
            committed = i + 1;
    }
    return committed;
}

static bool header_is_right(const struct memory_file *wal)
{
    uint32_t sum[2] = {0, 0};

    sum_up(sum, wal->bytes, 24);
    return wal->size > WAL_HEADER_BYTES && get_big(wal->bytes) == 0x377f0683 &&
           get_big(wal->bytes + 24) == sum[0] && get_big(wal->bytes + 28) == sum[1];
}

static struct raw_file raw_of(struct memory_file *m)
{
    return (struct raw_file){.file = &m->file, .size_bytes = (uint64_t)m->size};
}

static void judge(struct memory_file *wal, struct memory_file *database)
{
    struct raw_file wal_file = raw_of(wal), database_file = raw_of(database);
    struct wal_report report, again;

    DEMAND(wal_scan(&wal_file, &database_file, &report) == SQLITE_OK);
    DEMAND((report.verdict == WAL_CORRUPT) == (report.because != NULL));
    DEMAND(report.committed <= report.last || report.verdict == WAL_CORRUPT);
    if (header_is_right(wal) && report.verdict != WAL_CORRUPT)
        DEMAND(report.committed == committed_of(wal));
    if (report.verdict != WAL_TORN)
        return;
    DEMAND(wal_wipe(&wal->file, &report) == SQLITE_OK);
    DEMAND(wal_scan(&wal_file, &database_file, &again) == SQLITE_OK);
    DEMAND(again.committed == report.committed);
    /* Of a damaged header only that is wiped, and what lies behind is judged as before. */
    DEMAND(again.verdict == WAL_CLEAN || (again.verdict == WAL_TORN && report.last == 0));
}

const ProtobufCMessageDescriptor *fuzz_type(uint8_t op)
{
    (void)op;
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory_file *wal = check_calloc(1, sizeof *wal);
    struct memory_file *database = check_calloc(1, sizeof *database);
    struct writer w = {.wal = wal};
    struct slice rest = slice_of(data, size);
    struct fuzz_part part;

    wal->file.pMethods = database->file.pMethods = &methods;
    database->size = 4 * STORE_PAGE_BYTES;
    put_header(&w, 1);
    while (fuzz_next(&rest, &part)) {
        if (part.op % OPS == OP_HEADER)
            put_header(&w, part.arg);
        else if (part.op % OPS == OP_SMEAR)
            smear(&w, part.bytes);
        else
            put_frame(&w, &part);
    }
    judge(wal, database);
    free(wal);
    free(database);
    return 0;
}
