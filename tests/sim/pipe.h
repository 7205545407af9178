/* pipe.h - one way of a channel: what is under way in it, in order. */
#ifndef TESTS_SIM_PIPE_H
#define TESTS_SIM_PIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "libcoord/base/bytes.h"

enum parcel_kind { PARCEL_OPEN, PARCEL_MESSAGE, PARCEL_CLOSE };

struct parcel {
    enum parcel_kind kind;
    int64_t ready_ns;
    struct blob *bytes;
};

struct pipe {            /* one way */
    struct parcel *list; /* owned */
    uint32_t first, count, capacity;
    bool pumping;
    int64_t last_ns; /* ready time of the newest */
    uint64_t bytes;  /* that wait */
};

/* Memory of all zeros is an empty one. */
void pipe_clear(struct pipe *p);
void pipe_release(struct pipe *p);
/* Takes over the reference. Ready not before those ahead of it. */
void pipe_add(struct pipe *p, enum parcel_kind kind, int64_t ready_ns, struct blob *bytes);
/* There must be one; its reference goes to the caller. */
struct parcel pipe_take(struct pipe *p);

#endif
