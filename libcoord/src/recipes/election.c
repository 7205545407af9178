/* election.c - leader election on a lock.
 *
 * Who holds the node's lock leads. The value is set in the entry that grants the
 * lock, so a leader without a value, or a value of another leader, is never seen:
 * the content is the leader's if it is not older than the grant. */
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

struct coord_election {
    struct coord_node *node; /* owned */
    struct coord_lock *lock; /* owned */
};

/* What is left of a deadline that began at start_ns. */
static int64_t left_ms(int64_t timeout_ms, int64_t start_ns)
{
    if (timeout_ms == COORD_FOREVER)
        return COORD_FOREVER;
    int64_t gone_ms = (now_ns() - start_ns) / NS_PER_MS;
    return gone_ms >= timeout_ms ? 0 : timeout_ms - gone_ms;
}

coord_error coord_campaign(coord_session *session, const char *path, const void *value,
                           size_t length, int64_t timeout_ms, coord_election **ret_election)
{
    return coord_campaign_with(session, path, value, length, NULL, timeout_ms, ret_election);
}

coord_error coord_campaign_with(coord_session *session, const char *path, const void *value,
                                size_t length, const coord_lock_options *options,
                                int64_t timeout_ms, coord_election **ret_election)
{
    detail_clear();
    coord_error wrong = lock_options_check(options);
    if (wrong != COORD_OK)
        return wrong;
    if (options != NULL && options->shared)
        return fail(COORD_ERR_INVALID, "options: a leader shares nothing");
    if (ret_election == NULL)
        return fail(COORD_ERR_INVALID, "ret_election: is NULL");
    if (timeout_ms < COORD_FOREVER)
        return fail(COORD_ERR_INVALID, "timeout_ms: is negative");
    coord_error e = check_content("value", value, length);
    if (e != COORD_OK)
        return e;
    int64_t start_ns = now_ns();
    struct coord_node *node = NULL;
    struct coord_lock *lock = NULL;
    /* A timeout of 0 tries once, which still takes a moment. */
    bool wait = timeout_ms != 0;
    if (!wait)
        timeout_ms = TRY_DEADLINE_MS;
    e = coord_open(session, path, COORD_CREATE | COORD_PARENTS, timeout_ms, &node);
    if (e != COORD_OK)
        return e;
    struct slice content = slice_of(value, length);
    struct lock_wish wish = {
        .wait = wait, .delay_ms = options != NULL ? options->delay_ms : 0, .content = &content};
    e = lock_acquire(node, &wish, left_ms(timeout_ms, start_ns), &lock);
    if (e != COORD_OK) {
        coord_node_close(node);
        return e;
    }
    struct coord_election *election = check_calloc(1, sizeof *election);
    election->node = node;
    election->lock = lock;
    *ret_election = election;
    return COORD_OK;
}

coord_error coord_resign(coord_election *election, int64_t deadline_ms)
{
    detail_clear();
    if (election == NULL)
        return COORD_OK;
    bool wrong = deadline_ms < COORD_FOREVER;
    coord_error e = lock_release(election->lock, true, wrong ? 0 : deadline_ms);
    coord_node_close(election->node);
    free(election);
    return wrong ? fail(COORD_ERR_INVALID, "deadline_ms: is negative") : e;
}

const char *coord_election_sequencer(const coord_election *election)
{
    return election == NULL ? "" : coord_lock_sequencer(election->lock);
}

int64_t coord_election_safe_ms(coord_election *election)
{
    return election == NULL ? 0 : coord_lock_safe_ms(election->lock);
}

coord_error coord_leader(coord_session *session, const char *path, int64_t deadline_ms,
                         void **ret_value, size_t *ret_length, char **ret_sequencer)
{
    void *value;
    size_t length;
    coord_stat stat;
    detail_clear();
    if (ret_value == NULL || ret_length == NULL)
        return fail(COORD_ERR_INVALID, "%s: is NULL",
                    ret_value == NULL ? "ret_value" : "ret_length");
    coord_error e = coord_get(session, path, deadline_ms, &value, &length, &stat);
    if (e != COORD_OK)
        return e;
    if (!stat.lock_exclusive || stat.content_generation < stat.lock_generation) {
        free(value);
        return fail(COORD_ERR_NOT_HELD, "nobody leads");
    }
    if (ret_sequencer != NULL) {
        char *inside = NULL;
        CHECK(path_take(session->client, "path", path, &inside) == COORD_OK);
        *ret_sequencer = sequencer_text(session->client->cell, stat.instance, true,
                                        stat.lock_generation, inside);
        free(inside);
    }
    *ret_value = value;
    *ret_length = length;
    return COORD_OK;
}
