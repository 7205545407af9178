/* link.h - the streams between replicas.
 *
 * One for each pair, dialled by the higher id. It breaks when an end dies or when
 * a cut outlasts its keep-alive; what was in flight is lost. Single messages may
 * be lost, doubled or overtaken even while it stands: more than TCP would do,
 * but the core has to bear it. */
#ifndef TESTS_SIM_LINK_H
#define TESTS_SIM_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "libcoord/base/bytes.h"
#include "tests/sim/net.h"

struct sim;

struct link {
    bool up;
    bool dialling;      /* an attempt is queued */
    uint64_t number;    /* rises with each up and each down: older messages are lost */
    bool mourning[2];   /* the end does not know yet that it is down: [0] the lower */
    int64_t free_ns[2]; /* when the last in-order message arrives: [0] upwards in id */
};

struct links {
    struct link pair[NET_REPLICAS_MAX][NET_REPLICAS_MAX]; /* [low][high] */
};

/* Something changed for this replica: it died, started, or a way was cut or mended. */
void link_review(struct sim *s, uint32_t server);
void link_review_all(struct sim *s);
/* Breaks, and comes again by itself. */
void link_break(struct sim *s, uint32_t one, uint32_t other);
/* An in-order send; nothing happens when the link is down. */
void link_send(struct sim *s, uint32_t from, uint32_t to, struct blob *bytes);

#endif
