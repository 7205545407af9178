/* wal_scan.h - is the end of a -wal a transaction that was cut short, or damage?
 *
 * SQLite takes the frames of a -wal up to the first one whose checksum or salts
 * are wrong and drops the rest without a word: right after a power cut, where
 * the rest was never acknowledged, and wrong after a bit has flipped in the
 * middle, where it was. So the file is judged before SQLite opens it.
 *
 * What the judgement rests on: a transaction is synced before the next one
 * writes its first frame. Hence of all frames that are not durable every one
 * belongs to the last transaction, and a frame of the same generation (same
 * salts) BEHIND a later commit proves that everything before was durable once.
 * That holds only as long as nothing else leaves frames of this generation
 * behind the last commit; so whatever an unfinished transaction left there is
 * wiped before the next one begins: wal_wipe.
 *
 * Told apart: CLEAN, TORN and CORRUPT as below; a single flipped bit is found
 * wherever it is, but in the last transaction. Damage there and a torn write are
 * not told apart (docs/storage-format.md).
 *
 * The format is SQLite's: https://www.sqlite.org/walformat.html */
#ifndef COORD_STORAGE_WAL_SCAN_H
#define COORD_STORAGE_WAL_SCAN_H

#include <sqlite3.h>
#include <stdint.h>

struct raw_file;

enum {
    WAL_HEADER_BYTES = 32,
    WAL_SALT_BYTES = 8, /* the two numbers that tell one generation from another */
    WAL_FRAME_HEADER_BYTES = 24,
    WAL_FRAME_BYTES = WAL_FRAME_HEADER_BYTES + 4096,
};

enum wal_verdict {
    WAL_CLEAN,   /* empty, zeros, or ends with a commit; older generations may follow */
    WAL_TORN,    /* an unfinished transaction or header: to be wiped */
    WAL_CORRUPT, /* something that was durable cannot be read any more */
};

/* Frames are counted from 1. */
struct wal_report {
    enum wal_verdict verdict;
    uint32_t committed;  /* the last frame that SQLite will use; 0: none */
    uint32_t last;       /* the last frame of this generation, >= committed; 0: only a header */
    uint32_t bad;        /* WAL_CORRUPT: the damaged frame; 0: the header */
    const char *because; /* WAL_CORRUPT: a constant */
};

/* Returns an SQLite result code: the reading itself may fail. `database` is
 * consulted only where the header is damaged. */
int wal_scan(const struct raw_file *wal, const struct raw_file *database, struct wal_report *ret);

/* Puts zeros where WAL_TORN found what SQLite does not use, and syncs. */
int wal_wipe(sqlite3_file *wal, const struct wal_report *report);

/* The same for what a transaction has left that was rolled back: all frames of the
 * file's generation that follow frame `committed`. */
int wal_wipe_behind(sqlite3_file *wal, uint32_t committed);

/* The same by cutting the file behind that frame: for a -wal that is not kept long. */
int wal_cut_behind(sqlite3_file *wal, uint32_t committed);

/* Of the file's generation, as they stand in its header. Zeros if it has none. */
int wal_salts(sqlite3_file *wal, uint8_t ret[WAL_SALT_BYTES]);

#endif
