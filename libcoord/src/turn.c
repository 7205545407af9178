/* turn.c - how many sessions of a client open or attach at the same time.
 *
 * When a leader dies, all sessions of a client look for the next one. Thousands of
 * streams at once are served so late that the sessions give each other up and begin
 * again elsewhere, for ever. So a session takes a turn before its stream is made, and
 * keeps it, through redirects, until it has begun or pauses; the others wait in the
 * order in which they came. To the pure session that is a connection which takes long.
 *
 * Invariant, under client.mutex: turns_count sessions have a turn; while any waits,
 * that is TURNS_MAX of them. */
#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

enum { TURNS_MAX = 1024 };

bool turn_take(struct coord_session *s)
{
    struct coord_client *c = s->client;
    pthread_mutex_lock(&c->mutex);
    if (s->turn == TURN_NONE && c->turns_count < TURNS_MAX) {
        s->turn = TURN_HAS;
        c->turns_count++;
    } else if (s->turn == TURN_NONE) {
        s->turn = TURN_WAITS;
        list_append(&c->turns_waiting, &s->in_turn);
    }
    bool has = s->turn == TURN_HAS;
    pthread_mutex_unlock(&c->mutex);
    return has;
}

/* The timer's thread makes its stream: we hold the mutex of another session. It cannot
 * be gone: before it goes it gives up its turn, under this mutex. */
static void pass_on(struct coord_client *c)
{
    struct list *first = list_first(&c->turns_waiting);
    if (first == NULL) {
        c->turns_count--;
        return;
    }
    struct coord_session *next = container_of(first, struct coord_session, in_turn);
    list_remove(first);
    next->turn = TURN_HAS;
    timers_set(&c->timers, next, now_ns());
}

void turn_over(struct coord_session *s)
{
    struct coord_client *c = s->client;
    pthread_mutex_lock(&c->mutex);
    if (s->turn == TURN_WAITS)
        list_remove(&s->in_turn);
    if (s->turn == TURN_HAS)
        pass_on(c);
    s->turn = TURN_NONE;
    pthread_mutex_unlock(&c->mutex);
}
