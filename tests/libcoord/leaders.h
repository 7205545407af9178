/* leaders.h - a record of who led, for tests: as known to whoever did, or as an observer
 * was told. */
#ifndef COORD_TESTS_LIBCOORD_LEADERS_H
#define COORD_TESTS_LIBCOORD_LEADERS_H

#include <coord/coord.h>
#include <pthread.h>
#include <stdatomic.h>

enum { RULES_MAX = 8192 };

/* generation 0: nobody led. */
struct rule {
    uint64_t generation;
    char value[24];
    bool superseded, missed;
};

struct rules {
    pthread_mutex_t mutex;
    struct rule list[RULES_MAX];
    int count;
    atomic_bool held_up; /* the callback does not return meanwhile */
};

void rules_init(struct rules *r);
void rules_add(struct rules *r, struct rule rule);
/* For coord_observe, with the rules as its context. */
void rules_on_leader(void *context, const coord_leadership *leadership);
/* Only who led, in the order told; returns how many. A superseded leader may be told
 * again with its value: then only that counts. */
int rules_leaders(struct rules *r, struct rule *out);
/* 0: it is no sequencer. */
uint64_t leader_generation(const char *sequencer);

#endif
