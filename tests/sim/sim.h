/* sim.h - one run: all that exists in it, and the time.
 *
 * Everything of a run hangs off struct sim. Every part draws from a generator of
 * its own, all made from the run's seed, so that a change in one kind of fault
 * leaves the others' sequences alone. */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "libcoord/base/prng.h"
#include "libcoord/base/units.h"
#include "tests/history/history.h"
#include "tests/sim/channel.h"
#include "tests/sim/client.h"
#include "tests/sim/host.h"
#include "tests/sim/journal.h"
#include "tests/sim/link.h"
#include "tests/sim/model.h"
#include "tests/sim/net.h"
#include "tests/sim/paths.h"
#include "tests/sim/queue.h"
#include "tests/sim/server.h"
#include "tests/sim/swarm.h"
#include "tests/sim/truth.h"

enum { NS_PER_US = 1000, PPM = 1000000, SIM_CLIENTS_MAX = 12 };

enum phase {
    PHASE_FOUNDING, /* until some replica serves */
    PHASE_FAULTS,
    PHASE_HEALED, /* one new write by every client, everywhere the same state */
};

struct sim {
    uint64_t seed;
    struct swarm swarm;
    struct journal journal;
    struct queue queue;
    int64_t now_ns;
    enum phase phase;
    int64_t phase_began_ns;
    int64_t quiet_since_ns; /* since when there is nothing new, after healing */
    uint64_t quiet_prefix;
    bool over, finishing; /* the clients make no new calls */
    bool operator_came;   /* because nobody can know whose state is right */
    struct prng disk_random, clock_random, work_random, fault_random, channel_random;
    struct net net;
    struct links links;
    struct channels channels;
    struct truth truth;
    struct model model;
    struct history *history; /* owned: what clients did and were told; NULL: not recorded */
    struct server servers[NET_REPLICAS_MAX];
    struct host hosts[NET_HOSTS_MAX];
    struct client clients[SIM_CLIENTS_MAX];
    uint64_t acknowledged_revision;      /* highest that any client was shown */
    uint64_t next_content;               /* contents are numbered: each is written by one call */
    uint32_t leader;                     /* id of the last one that served */
    int64_t delay_began_ns[PATHS_COUNT]; /* of each lock, the last */
    uint32_t delay_ms[PATHS_COUNT];
    uint64_t faults_number; /* queued faults of an older number are void */
};

/* The whole life of a run. The verdict is in ret->journal. `trace` may be NULL; its
 * hash is made if it is there, or if asked for. */
void sim_run(struct sim *s, uint64_t seed, const struct swarm *swarm, FILE *trace, bool hash_trace);
void sim_release(struct sim *s);

/* `run(object, item)` after delay_ns. */
void sim_after(struct sim *s, int64_t delay_ns, queue_run *run, void *object, uint64_t a,
               uint64_t b, uint64_t c, struct blob *bytes);
/* Between half and one and a half times `mean`. */
int64_t sim_around_ms(struct prng *random, uint32_t mean_ms);

#endif
