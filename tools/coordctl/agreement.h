/* agreement.h - do servers that applied the same have the same state? Pure.
 *
 * On a busy cell no two of them are asked at the same place in the log; so what each
 * said is kept, and compared with what others say later. */
#ifndef COORDCTL_AGREEMENT_H
#define COORDCTL_AGREEMENT_H

#include <coord/coord.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AGREEMENT_SEEN_MAX = 1024 };

/* What one of them said. */
struct agreement_seen {
    uint64_t applied;
    uint32_t id;
    char hash[33];
};

/* Begins as zeros. */
struct agreement {
    struct agreement_seen seen[AGREEMENT_SEEN_MAX]; /* a ring: the latest are kept */
    size_t next, count;
    uint64_t compared; /* a bit for each that was, by its id */
    bool differs;
    struct agreement_seen one, other; /* that differ first */
};

/* Those of the status that said something; then how many of them have not been compared
 * with any other yet, and should be. */
size_t agreement_add(struct agreement *a, const coord_status *status);
bool agreement_compared(const struct agreement *a, uint32_t id);
/* Where the first difference was, a majority said something else than this one. */
bool agreement_is_odd(const struct agreement *a, uint32_t id, size_t members_count);
/* The servers themselves found that its state is wrong. */
bool agreement_quarantined(const coord_member *m);

#endif
