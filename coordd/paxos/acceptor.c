/* acceptor.c - see acceptor.h. */
#include "coordd/paxos/acceptor.h"

#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"

void acceptor_init(struct acceptor *a, uint64_t promised, uint32_t longest_lease_ms)
{
    memset(a, 0, sizeof *a);
    log_init(&a->log);
    a->promised = promised;
    a->longest_lease_ms = longest_lease_ms;
}

void acceptor_release(struct acceptor *a)
{
    log_release(&a->log);
    free(a->pending);
    a->pending = NULL;
}

void acceptor_begin(struct acceptor *a)
{
    a->sequence_open = false;
}

/* ---- handing out writes ---- */

static struct paxos_persist *hand_out(struct acceptor *a, enum paxos_persist_kind kind,
                                      uint64_t slot, struct paxos_effects *out)
{
    struct paxos_persist *p = paxos_effects_persist(out);

    CHECK(!a->full); /* what found no space must be written before anything new */
    if (!a->sequence_open) {
        a->sequence++;
        a->sequence_open = true;
    }
    if (a->pending_count == a->pending_capacity) {
        a->pending_capacity = a->pending_capacity == 0 ? 16 : a->pending_capacity * 2;
        a->pending = check_realloc(a->pending, a->pending_capacity * sizeof *a->pending);
    }
    a->pending[a->pending_count++] =
        (struct acceptor_pending){.kind = kind, .sequence = a->sequence, .slot = slot};
    p->kind = kind;
    p->sequence = a->sequence;
    return p;
}

static void persist_promise(struct acceptor *a, struct paxos_effects *out)
{
    hand_out(a, PAXOS_PERSIST_PROMISE, 0, out)->ballot = a->promised;
}

static void persist_lease(struct acceptor *a, struct paxos_effects *out)
{
    hand_out(a, PAXOS_PERSIST_LEASE, 0, out)->lease_ms = a->longest_lease_ms;
}

static void persist_floor(struct acceptor *a, struct paxos_effects *out)
{
    hand_out(a, PAXOS_PERSIST_FLOOR, 0, out)->floor = a->floor;
}

static void persist_entry(struct acceptor *a, uint64_t slot, struct paxos_effects *out)
{
    const struct log_entry *entry = log_get(&a->log, slot);
    struct paxos_persist *p = hand_out(a, PAXOS_PERSIST_ENTRY, slot, out);

    CHECK(entry != NULL);
    p->entry = *entry;
    blob_ref(entry->value);
}

/* ---- promising and accepting ---- */

void acceptor_promise(struct acceptor *a, uint64_t ballot, struct paxos_effects *out)
{
    CHECK(ballot > a->promised);
    a->promised = ballot;
    a->held = a->chosen; /* nothing is accepted in the new ballot yet (A2) */
    persist_promise(a, out);
}

void acceptor_accept(struct acceptor *a, uint64_t slot, uint32_t kind, struct blob *value,
                     struct paxos_effects *out)
{
    struct log_entry entry = {
        .slot = slot, .ballot = a->promised, .kind = kind, .value = value, .chosen = a->chosen};

    CHECK(slot > a->chosen && slot <= a->held + 1);
    log_put(&a->log, &entry);
    if (slot > a->held)
        a->held = slot;
    persist_entry(a, slot, out);
}

void acceptor_hold(struct acceptor *a, uint64_t slot)
{
    const struct log_entry *mine = log_get(&a->log, slot);

    CHECK(slot == a->held + 1 && mine != NULL && mine->ballot == a->promised);
    a->held = slot;
}

static bool same_value(const struct log_entry *a, const struct log_entry *b)
{
    return a->kind == b->kind && slice_equal(blob_slice(a->value), blob_slice(b->value));
}

void acceptor_learn(struct acceptor *a, const struct log_entry *entry, struct paxos_effects *out)
{
    const struct log_entry *mine = log_get(&a->log, entry->slot);

    CHECK(entry->slot == a->chosen + 1);
    if (mine == NULL || !same_value(mine, entry)) {
        struct log_entry learned = *entry;

        learned.chosen = a->chosen;
        log_put(&a->log, &learned);
        persist_entry(a, entry->slot, out);
    }
    if (entry->slot > a->held)
        a->held = entry->slot;
    acceptor_chosen(a, entry->slot);
}

void acceptor_chosen(struct acceptor *a, uint64_t slot)
{
    CHECK(slot <= a->held && slot >= a->chosen);
    a->chosen = slot;
}

void acceptor_remember_lease(struct acceptor *a, uint32_t lease_ms, struct paxos_effects *out)
{
    if (lease_ms <= a->longest_lease_ms)
        return;
    a->longest_lease_ms = lease_ms;
    persist_lease(a, out);
}

void acceptor_cut(struct acceptor *a, uint64_t slot, struct paxos_effects *out)
{
    CHECK(slot <= a->chosen);
    if (slot <= a->floor || a->full)
        return;
    a->floor = slot;
    persist_floor(a, out);
}

void acceptor_install(struct acceptor *a, uint64_t slot, struct paxos_effects *out)
{
    CHECK(slot > a->chosen && !a->full);
    if (a->log.last <= slot)
        log_restart(&a->log, slot);
    else
        log_drop_before(&a->log, slot + 1);
    if (a->held < slot)
        a->held = slot;
    acceptor_chosen(a, slot);
    acceptor_cut(a, slot, out);
}

/* ---- what the storage says ---- */

void acceptor_persisted(struct acceptor *a, uint64_t sequence)
{
    uint32_t done = 0;

    while (done < a->pending_count && a->pending[done].sequence <= sequence)
        done++;
    a->pending_count -= done;
    if (a->pending_count > 0)
        memmove(a->pending, a->pending + done, a->pending_count * sizeof *a->pending);
}

void acceptor_full(struct acceptor *a, uint64_t sequence)
{
    CHECK(!a->full); /* a second one would have passed what the first refused */
    acceptor_persisted(a, sequence - 1);
    a->full = true;
}

void acceptor_retry(struct acceptor *a, struct paxos_effects *out)
{
    struct acceptor_pending *old = a->pending;
    uint32_t old_count = a->pending_count;
    bool promise = false, lease = false, floor = false;

    a->full = false;
    a->pending = NULL;
    a->pending_count = a->pending_capacity = 0;
    for (uint32_t i = 0; i < old_count; i++) {
        promise |= old[i].kind == PAXOS_PERSIST_PROMISE;
        lease |= old[i].kind == PAXOS_PERSIST_LEASE;
        floor |= old[i].kind == PAXOS_PERSIST_FLOOR;
    }
    if (promise)
        persist_promise(a, out);
    if (lease)
        persist_lease(a, out);
    if (floor)
        persist_floor(a, out); /* before the entries: they may join on to nothing else */
    for (uint32_t i = 0; i < old_count; i++)
        if (old[i].kind == PAXOS_PERSIST_ENTRY && old[i].slot > a->floor)
            persist_entry(a, old[i].slot, out);
    free(old);
}

/* ---- what may be said ---- */

bool acceptor_free(const struct acceptor *a, int64_t now_ns)
{
    return now_ns >= a->wait_until_ns && now_ns >= a->grant_until_ns;
}

static bool pending_of(const struct acceptor *a, enum paxos_persist_kind kind)
{
    for (uint32_t i = 0; i < a->pending_count; i++)
        if (a->pending[i].kind == kind)
            return true;
    return false;
}

bool acceptor_promise_durable(const struct acceptor *a)
{
    return !pending_of(a, PAXOS_PERSIST_PROMISE);
}

bool acceptor_lease_durable(const struct acceptor *a, uint32_t lease_ms)
{
    return lease_ms <= a->longest_lease_ms && !pending_of(a, PAXOS_PERSIST_LEASE);
}

uint64_t acceptor_held_durable(const struct acceptor *a)
{
    uint64_t through = a->held;

    /* What is not pending is durable as it stands in the log, so the first
     * pending slot bounds what may be said. */
    for (uint32_t i = 0; i < a->pending_count; i++)
        if (a->pending[i].kind == PAXOS_PERSIST_ENTRY && a->pending[i].slot <= through)
            through = a->pending[i].slot - 1;
    return through;
}
