/* limits.h - the bounds that are part of the state.
 *
 * Every replica judges a command by the limits in the state, never by a constant
 * of its own build, so that versions with other constants apply alike. Two sets
 * are constant: the limits of a new cell, and those that no cell may ever
 * exceed; before ordering only the latter are judged. */
#ifndef COORD_STATE_LIMITS_H
#define COORD_STATE_LIMITS_H

#include <stdint.h>

struct limits {
    uint32_t content_bytes;
    uint32_t path_bytes;
    uint32_t component_bytes;
    uint32_t path_levels;
    uint32_t session_ttl_min_ms;
    uint32_t session_ttl_max_ms;
    uint32_t session_ephemerals;
    uint32_t session_locks; /* held and waited for together: a grant always has room */
    uint32_t session_waits;
    uint32_t session_window; /* answers kept */
    uint32_t lock_delay_ms;
    uint32_t sessions;
    uint32_t transaction_parts; /* checks and changes together */
    uint32_t transaction_bytes; /* the content of all changes together */
    uint32_t history_bytes;     /* of events, as their records are encoded */
};

extern const struct limits limits_of_a_new_cell;
extern const struct limits limits_hard;

#endif
