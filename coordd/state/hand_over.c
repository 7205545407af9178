/* hand_over.c - see hand_over.h. */
#include "coordd/state/hand_over.h"

#include <stdlib.h>
#include <string.h>

#include "coordd/state/machine.h"
#include "coordd/state/path.h"
#include "libcoord/base/check.h"

static struct hand_over *hand_over_new(size_t leases_count, size_t delays_count, size_t paths_bytes)
{
    struct hand_over *h = check_calloc(1, sizeof *h);
    record_init(&h->record, RECORD_HAND_OVER);
    h->leases = check_calloc(leases_count, sizeof *h->leases);
    h->delays = check_calloc(delays_count, sizeof *h->delays);
    h->paths = check_malloc(paths_bytes);
    return h;
}

void hand_over_free(struct hand_over *h)
{
    if (h == NULL)
        return;
    free(h->leases);
    free(h->delays);
    free(h->paths);
    free(h);
}

static void drop(struct state *s)
{
    ledger_remove(s, &s->hand_over->record);
    hand_over_free(s->hand_over);
    s->hand_over = NULL;
}

/* Returns where the next path goes. */
static uint8_t *add_delay(struct hand_over *h, uint8_t *at, struct slice path,
                          const struct delay_left *terms)
{
    struct delay_left *d = &h->delays[h->delays_count++];
    *d = *terms;
    d->path = slice_of(at, path.length);
    memcpy(at, path.data, path.length);
    return at + path.length;
}

void hand_over_give(struct state *s, const Coord__V1__HandOver *given)
{
    size_t paths_bytes = 0;
    for (size_t i = 0; i < given->n_delays; i++)
        paths_bytes += strlen(given->delays[i]->path);
    struct hand_over *h = hand_over_new(given->n_leases, given->n_delays, paths_bytes);
    for (; h->leases_count < given->n_leases; h->leases_count++) {
        const Coord__V1__LeaseLeft *lease = given->leases[h->leases_count];
        h->leases[h->leases_count] =
            (struct lease_left){.session = lease->session, .left_ms = lease->left_ms};
    }
    uint8_t *at = h->paths;
    for (size_t i = 0; i < given->n_delays; i++) {
        const Coord__V1__DelayLeft *delay = given->delays[i];
        struct delay_left terms = {.instance = delay->instance,
                                   .generation = delay->generation,
                                   .left_ms = delay->left_ms};
        at = add_delay(h, at, slice_of_string(delay->path), &terms);
    }
    if (s->hand_over != NULL)
        drop(s);
    s->hand_over = h;
    ledger_touch(&s->ledger, &h->record);
}

void hand_over_see_batch(struct state *s)
{
    if (s->hand_over != NULL && !s->hand_over->taken)
        drop(s);
}

void hand_over_see_barrier(struct state *s)
{
    if (s->hand_over == NULL)
        return;
    if (s->hand_over->taken) {
        drop(s);
    } else {
        s->hand_over->taken = true;
        ledger_touch(&s->ledger, &s->hand_over->record);
    }
}

/* ---- records ---- */

void hand_over_put_value(const struct hand_over *h, struct buffer *value)
{
    CHECK(h->leases_count <= UINT32_MAX && h->delays_count <= UINT32_MAX);
    buffer_put_u8(value, h->taken);
    buffer_put_u32(value, (uint32_t)h->leases_count);
    for (size_t i = 0; i < h->leases_count; i++) {
        buffer_put_u64(value, h->leases[i].session);
        buffer_put_u32(value, h->leases[i].left_ms);
    }
    buffer_put_u32(value, (uint32_t)h->delays_count);
    for (size_t i = 0; i < h->delays_count; i++) {
        buffer_put_slice(value, h->delays[i].path);
        buffer_put_u64(value, h->delays[i].instance);
        buffer_put_u64(value, h->delays[i].generation);
        buffer_put_u32(value, h->delays[i].left_ms);
    }
}

static void take_leases(struct hand_over *h, struct reader *r, size_t count)
{
    for (; h->leases_count < count; h->leases_count++) {
        struct lease_left *lease = &h->leases[h->leases_count];
        lease->session = reader_u64(r);
        lease->left_ms = reader_u32(r);
    }
}

static bool take_delays(struct hand_over *h, struct reader *r, size_t count)
{
    const char *why;
    uint8_t *at = h->paths;
    while (h->delays_count < count) {
        struct slice path = reader_slice(r);
        struct delay_left terms = {.instance = reader_u64(r)};
        terms.generation = reader_u64(r);
        terms.left_ms = reader_u32(r);
        if (r->failed || path_check(path, &limits_hard, &why) != ERR_OK)
            return false;
        at = add_delay(h, at, path, &terms);
    }
    return true;
}

enum { LEASE_BYTES = 8 + 4, DELAY_BYTES_MIN = 4 + 1 + 8 + 8 + 4 };

struct hand_over *hand_over_attach(struct state *s, struct slice value)
{
    struct reader r = reader_of(value);
    uint8_t taken = reader_u8(&r);
    uint32_t leases_count = reader_u32(&r);
    if (taken > 1 || r.failed || leases_count > r.left / LEASE_BYTES)
        return NULL;
    struct reader behind = r;
    (void)reader_bytes(&behind, (size_t)leases_count * LEASE_BYTES);
    uint32_t delays_count = reader_u32(&behind);
    if (behind.failed || delays_count > behind.left / DELAY_BYTES_MIN)
        return NULL;

    struct hand_over *h = hand_over_new(leases_count, delays_count, behind.left);
    h->taken = taken == 1;
    take_leases(h, &r, leases_count);
    (void)reader_u32(&r);
    if (!take_delays(h, &r, delays_count) || !reader_done(&r)) {
        hand_over_free(h);
        return NULL;
    }
    s->hand_over = h;
    return h;
}

bool hand_over_is_sound(const struct hand_over *h)
{
    for (size_t i = 1; i < h->leases_count; i++) {
        if (h->leases[i - 1].session >= h->leases[i].session)
            return false;
    }
    for (size_t i = 1; i < h->delays_count; i++) {
        if (slice_compare(h->delays[i - 1].path, h->delays[i].path) >= 0)
            return false;
    }
    return true;
}

/* ---- what the replica asks ---- */

bool state_handed_over(const struct state *s)
{
    return s->hand_over != NULL && s->hand_over->taken;
}

bool state_lease_handed_over(const struct state *s, uint64_t session, uint32_t *ret_left_ms)
{
    if (!state_handed_over(s))
        return false;
    size_t low = 0, high = s->hand_over->leases_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct lease_left *lease = &s->hand_over->leases[middle];
        if (lease->session == session) {
            *ret_left_ms = lease->left_ms;
            return true;
        }
        if (lease->session < session)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

bool state_delay_handed_over(const struct state *s, struct slice path, uint64_t generation,
                             uint32_t *ret_left_ms)
{
    if (!state_handed_over(s))
        return false;
    size_t low = 0, high = s->hand_over->delays_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct delay_left *delay = &s->hand_over->delays[middle];
        int order = slice_compare(delay->path, path);
        if (order == 0 && delay->generation != generation)
            return false;
        if (order == 0) {
            *ret_left_ms = delay->left_ms;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}
