/* five.h - five replicas on a work bench: instant disks, a network that loses nothing
 * unless told to, and a time that the test turns. */
#ifndef TESTS_SIM_FIVE_H
#define TESTS_SIM_FIVE_H

#include "coord/v1/coord.pb-c.h"
#include "coordd/paxos/message.h"
#include "coordd/replica/replica.h"
#include "tests/sim/saver.h"

enum { FIVE = 5, FIVE_ROWS_MAX = 4096, FIVE_QUEUE_MAX = 4096, FIVE_UNAPPLIED_MAX = 40 };

struct five_member {
    struct replica *replica; /* NULL: down */
    struct replica_durable durable;
    struct log_entry rows[FIVE_ROWS_MAX];
    uint64_t rows_count;
    struct saver saver;
    uint64_t last_stream;
    struct buffer said; /* on the last stream */
    bool quarantined_once;
    uint32_t warnings;  /* notes that states differ and nobody knows whose is right */
    const char *halted; /* why, in text */
    char text[160];
};

struct five {
    struct five_member members[FIVE]; /* by id - 1 */
    struct {
        uint32_t from, to;
        struct blob *bytes;
    } queue[FIVE_QUEUE_MAX];
    uint32_t queue_first, queue_count;
    int64_t now_ns;
    enum message_kind lost; /* messages of this kind arrive nowhere; 0: none */
    struct message seen;    /* the last of kind TRANSFERRED */
};

struct five *five_new(void); /* it serves */
void five_free(struct five *f);
void five_run(struct five *f, int ms);
void five_down(struct five *f, uint32_t id);
void five_up(struct five *f, uint32_t id);  /* from what is on its disk */
uint32_t five_leader(const struct five *f); /* 0: none */
/* A write through the leader, and some time for it. */
void five_put(struct five *f, const char *content);
/* A read of what `id` has; the status of its answer, -1: none, or a redirect. */
int five_stale(struct five *f, uint32_t id);
struct replica_view five_view(const struct five *f, uint32_t id);
/* A message as if member `from` had sent it. */
void five_say(struct five *f, uint32_t from, uint32_t to, const struct message *m);

#endif
