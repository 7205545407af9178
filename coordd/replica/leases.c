/* leases.c - sessions' timers at the leader.
 *
 * A timer starts when a KeepAlive arrives, the client's belief before it left:
 * belief ends first (docs/semantics.md). Every timer starts at its full length
 * when the barrier of a new leader is applied. While this process stalls, the
 * clock of the timers stands still: input that waits unread must not cost a
 * session its life. */
#include <stdlib.h>

#include "coordd/replica/inner.h"
#include "libcoord/base/check.h"

int64_t leases_clock_ns(const struct replica *r)
{
    return r->now_ns - r->stalled_ns;
}

static int by_session(const void *key, const struct avl_node *node)
{
    uint64_t a = *(const uint64_t *)key, b = container_of(node, struct lease, by_session)->session;

    return (a > b) - (a < b);
}

static int by_deadline(const void *key, const struct avl_node *node)
{
    const struct lease *a = key, *b = container_of(node, struct lease, by_deadline);

    if (a->deadline_ns != b->deadline_ns)
        return a->deadline_ns < b->deadline_ns ? -1 : 1;
    return (a->session > b->session) - (a->session < b->session);
}

struct lease *leases_find(const struct replica *r, uint64_t session)
{
    return container_of_or_null(avl_find(&r->leases, &session, by_session), struct lease,
                                by_session);
}

static void set_deadline(struct replica *r, struct lease *l)
{
    l->deadline_ns = leases_clock_ns(r) + ms_to_ns(l->ttl_ms);
    avl_insert(&r->deadlines, &l->by_deadline, l, by_deadline);
}

void leases_opened(struct replica *r, uint64_t session, uint32_t ttl_ms)
{
    struct lease *l;

    if (leases_find(r, session) != NULL)
        return;
    l = check_calloc(1, sizeof *l);
    l->session = session;
    l->ttl_ms = ttl_ms;
    avl_insert(&r->leases, &l->by_session, &l->session, by_session);
    set_deadline(r, l);
}

void leases_renew(struct replica *r, struct lease *l)
{
    CHECK(!l->expiring);
    avl_remove(&r->deadlines, &l->by_deadline);
    set_deadline(r, l);
}

static void drop(struct replica *r, struct lease *l)
{
    avl_remove(&r->leases, &l->by_session);
    if (!l->expiring)
        avl_remove(&r->deadlines, &l->by_deadline);
    free(l);
}

void leases_ended(struct replica *r, uint64_t session)
{
    struct lease *l = leases_find(r, session);

    struct client_stream *s;

    if (l == NULL)
        return;
    s = streams_find(r, l->stream);
    drop(r, l);
    if (s != NULL)
        streams_end(r, s, STREAM_STATUS_OK, "the session is over");
}

/* The leader before handed over what is left of this lease. */
static void shorten(struct replica *r, struct lease *l, uint32_t left_ms)
{
    avl_remove(&r->deadlines, &l->by_deadline);
    l->deadline_ns = leases_clock_ns(r) + ms_to_ns(left_ms < l->ttl_ms ? left_ms : l->ttl_ms);
    avl_insert(&r->deadlines, &l->by_deadline, l, by_deadline);
}

void leases_begin(struct replica *r)
{
    struct state_session session = {0};

    while (state_session_next(r->state, session.session, &session)) {
        uint32_t left_ms;

        leases_opened(r, session.session, session.ttl_ms);
        if (state_lease_handed_over(r->state, session.session, &left_ms))
            shorten(r, leases_find(r, session.session), left_ms);
    }
}

void leases_end(struct replica *r)
{
    struct avl_node *node;

    while ((node = avl_first(&r->leases)) != NULL)
        drop(r, container_of(node, struct lease, by_session));
}

void leases_step(struct replica *r)
{
    int64_t late_ns = r->now_ns - ns_max(r->wake_at_ns, r->last_step_ns);

    /* Later than it asked to be woken: it was this process, or its machine. */
    if (r->wake_at_ns != NEVER_NS && late_ns > ms_to_ns(LEASE_STALL_MS))
        r->stalled_ns += late_ns;
}

/* No room for its Expire now: it is looked at again a slack later. No KeepAlive
 * of it was answered in between. */
void leases_expire_later(struct replica *r, uint64_t session)
{
    struct lease *l = leases_find(r, session);

    CHECK(l != NULL && l->expiring);
    l->expiring = false;
    l->deadline_ns = leases_clock_ns(r);
    avl_insert(&r->deadlines, &l->by_deadline, l, by_deadline);
}

void leases_tick(struct replica *r)
{
    struct avl_node *node;

    while ((node = avl_first(&r->deadlines)) != NULL) {
        struct lease *l = container_of(node, struct lease, by_deadline);

        if (l->deadline_ns + ms_to_ns(LEASE_SLACK_MS) > leases_clock_ns(r))
            break;
        avl_remove(&r->deadlines, node);
        l->expiring = true;
        requests_expire(r, l->session);
    }
}

int64_t leases_wake_at(const struct replica *r)
{
    const struct avl_node *node = avl_first(&r->deadlines);

    if (node == NULL)
        return NEVER_NS;
    return container_of(node, struct lease, by_deadline)->deadline_ns + r->stalled_ns +
           ms_to_ns(LEASE_SLACK_MS);
}

uint64_t leases_left_ms(void *replica, uint64_t session)
{
    const struct replica *r = replica;
    const struct lease *l = leases_find(r, session);

    if (l == NULL || l->expiring || l->deadline_ns <= leases_clock_ns(r))
        return 0;
    return (uint64_t)((l->deadline_ns - leases_clock_ns(r)) / NS_PER_MS);
}
