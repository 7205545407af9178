/* fake_cell.h - a cell that a test has in its hand: three servers that agree by
 * decree, links that delay, break and stall, a leader that is killed or stopped,
 * and the rules by which servers apply a session's writes once.
 *
 * It judges the client: a seq that it must not see again, an answer asked for
 * that was forgotten at the client's word, or a lower seq after a higher one,
 * ends the test. */
#ifndef COORD_TESTS_LIBCOORD_FAKE_CELL_H
#define COORD_TESTS_LIBCOORD_FAKE_CELL_H

#include "libcoord/base/prng.h"
#include "libcoord/src/session.h"

enum {
    FAKE_SERVERS = 3,
    FAKE_SEQS_MAX = 20000,
    FAKE_TTL_MS = 3000,
    FAKE_LINE_MAX = 256,
};
/* Holds the lock when none of our Acquires does. */
#define FAKE_SOMEBODY_ELSE UINT64_MAX

enum fake_health { FAKE_RUNS, FAKE_STOPPED, FAKE_DEAD };

struct fake_message {
    struct fake_message *next;
    int64_t due_ms;
    uint64_t link; /* of what the client receives */
    size_t length;
    uint8_t bytes[];
};

/* One direction of one stream: first in, first out. */
struct fake_pipe {
    struct fake_message *first, *last;
};

struct fake_stream {
    int server; /* -1: none */
    uint64_t link;
    struct fake_pipe in, out; /* as the servers see it */
    bool begun, watching, ended;
    int64_t ended_ms; /* when the client learns of it */
    uint64_t highest_seen;
};

struct fake_applied {
    uint8_t times;
    bool answered, forgotten;
    enum err status;
};

struct fake_cell {
    struct prng prng;
    int64_t now_ms;
    bool calm; /* no more faults */
    enum fake_health health[FAKE_SERVERS];
    int64_t mend_ms[FAKE_SERVERS];
    int64_t cut_ms; /* until then nothing passes between client and servers */
    int leader;     /* -1: none */
    int64_t election_ms;

    /* What the servers agree on. */
    uint64_t session; /* 0: none was opened */
    uint8_t nonce[16];
    bool expired;
    int64_t lease_until_ms;
    uint64_t highest, lowest;
    struct fake_applied applied[FAKE_SEQS_MAX];
    uint64_t holder; /* seq of our Acquire, or FAKE_SOMEBODY_ELSE, or 0 */
    uint64_t line[FAKE_LINE_MAX];
    uint32_t line_count;
    uint64_t revision, node_revision;
    uint32_t grants_count, expiries_count, redirects_count, throttled_count;

    struct fake_stream session_stream;
    struct fake_stream keepalive_stream;
    struct fake_pipe stale; /* to the client, on streams that it has left */
    int64_t delay_ms;       /* of a message, at most; each life has its own */
};

void fake_init(struct fake_cell *f, uint64_t seed);
void fake_release(struct fake_cell *f);
/* A millisecond passes. */
void fake_tick(struct fake_cell *f);

/* The client's end. */
void fake_connect(struct fake_cell *f, const char *address, uint64_t link);
void fake_send(struct fake_cell *f, struct slice bytes);
void fake_keepalive(struct fake_cell *f, struct slice bytes);
/* What has arrived at the client; NULL if nothing has. To be freed. */
struct fake_message *fake_receive(struct fake_cell *f);
struct fake_message *fake_receive_keepalive(struct fake_cell *f);
bool fake_link_is_down(struct fake_cell *f); /* told once */

const char *fake_address(int server);
/* True while no other client can have been given what the session holds. */
bool fake_session_lives(const struct fake_cell *f);

#endif
