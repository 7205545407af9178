/* limits.c - see limits.h. */
#include "coordd/state/limits.h"

#include "coordd/state/state.h"

const struct limits limits_of_a_new_cell = {
    .content_bytes = LIMIT_CONTENT_BYTES,
    .path_bytes = LIMIT_PATH_BYTES,
    .component_bytes = LIMIT_COMPONENT_BYTES,
    .path_levels = LIMIT_PATH_LEVELS,
    .session_ttl_min_ms = LIMIT_SESSION_TTL_MIN_MS,
    .session_ttl_max_ms = LIMIT_SESSION_TTL_MAX_MS,
    .session_ephemerals = LIMIT_SESSION_EPHEMERALS,
    .session_locks = LIMIT_SESSION_LOCKS,
    .session_waits = LIMIT_SESSION_WAITS,
    .session_window = LIMIT_SESSION_WINDOW,
    .lock_delay_ms = LIMIT_LOCK_DELAY_MS,
    .sessions = LIMIT_SESSIONS,
    .transaction_parts = LIMIT_TRANSACTION_PARTS,
    .transaction_bytes = LIMIT_TRANSACTION_BYTES,
    .history_bytes = LIMIT_HISTORY_BYTES,
};

/* Only the content's limit can be raised; the rest is what buffers are made for,
 * or is judged when the command is applied. */
const struct limits limits_hard = {
    .content_bytes = STATE_CONTENT_BYTES_HARD,
    .path_bytes = LIMIT_PATH_BYTES,
    .component_bytes = LIMIT_COMPONENT_BYTES,
    .path_levels = LIMIT_PATH_LEVELS,
    .session_ttl_min_ms = LIMIT_SESSION_TTL_MIN_MS,
    .session_ttl_max_ms = LIMIT_SESSION_TTL_MAX_MS,
    .session_ephemerals = UINT32_MAX,
    .session_locks = UINT32_MAX,
    .session_waits = UINT32_MAX,
    .session_window = UINT32_MAX,
    .lock_delay_ms = LIMIT_LOCK_DELAY_MS,
    .sessions = UINT32_MAX,
    .transaction_parts = LIMIT_TRANSACTION_PARTS,
    .transaction_bytes = LIMIT_TRANSACTION_BYTES,
    .history_bytes = UINT32_MAX,
};
